//! The listeners of a MailServer as ports of its pod and of its Services: people reach the standard ports, the pod listens
//! on the ports that it declares.

use mailwright_plan::observed::ServerDeclared;

/// Where the pod serves the management API. Nobody chooses it: only the operator connects.
pub const MANAGEMENT_PORT: u16 = 9443;

/// The name of the management port.
pub(super) const MANAGEMENT: &str = "management";

/// The listener of health, metrics and policies.
pub(super) const HTTP: &str = "http";

/// The listener for other MTAs.
pub(super) const LMTP: &str = "lmtp";

/// Below it a process without privileges may not listen unless the pod says otherwise.
pub(super) const FIRST_UNPRIVILEGED: u16 = 1024;

/// The listeners that are for everybody, with the ports that mail programs know (RFC 5321 §4.5.4.2, RFC 8314 §7.3,
/// RFC 9051 §2.1).
pub(super) const PUBLIC: [(&str, u16); 5] =
    [("smtp", 25), ("submission", 587), ("submissions", 465), ("imap", 143), ("imaps", 993)];

/// The port that other MTAs of the cluster deliver to. LMTP has no port of its own (RFC 2033 §5); 24 is what mail systems
/// take for private mail.
pub(super) const LMTP_SERVICE_PORT: u16 = 24;

/// The port that an enabled listener has in the pod.
pub(super) fn listening(declared: &ServerDeclared, protocol: &str) -> Option<u16> {
    declared.listeners.get(protocol).filter(|listener| listener.enabled).map(|listener| listener.port)
}

/// The public listeners that are enabled: protocol, port of the Service, port of the pod.
pub(super) fn public(declared: &ServerDeclared) -> impl Iterator<Item = (&'static str, u16, u16)> + '_ {
    PUBLIC.into_iter().filter_map(|(name, port)| Some((name, port, listening(declared, name)?)))
}

/// Every port of the pod by name, the management port last.
pub(super) fn of_pod(declared: &ServerDeclared) -> Vec<(&'static str, u16)> {
    let names = PUBLIC.map(|(name, _)| name).into_iter().chain([LMTP, HTTP]);
    let listening = names.filter_map(|name| Some((name, listening(declared, name)?)));
    listening.chain([(MANAGEMENT, MANAGEMENT_PORT)]).collect()
}

/// The listener that would take the management API's port.
pub(super) fn clash(declared: &ServerDeclared) -> Option<&str> {
    let enabled = declared.listeners.iter().filter(|(_, listener)| listener.enabled);
    enabled.filter(|(_, listener)| listener.port == MANAGEMENT_PORT).map(|(name, _)| name.as_str()).next()
}
