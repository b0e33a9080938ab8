//! MailServer: its row, its checks, its operations and what they mean for mail.

mod sending;

use std::collections::BTreeMap;

use mailwright_crds::MailServerSpec;

use crate::catalog::{SecretId, SecretState};
use crate::draft::{Candidate, Draft, Standing};
use crate::effect::{Effect, Views};
use crate::field;
use crate::observed::{
    Auth, Dns, Issuer, Listener, Queue, Relay, ServerDeclared, ServerLimits, ServerRow, Tls,
};
use crate::operate::{self, Running, Wish};
use crate::operation::{Action, Change, Kept, Operation};
use crate::problem::{Problem, ProblemCode};
use crate::reference::Kind;

/// The keys of a TLS Secret, as `kubectl create secret tls` writes them.
pub(crate) const TLS_KEYS: [&str; 2] = ["tls.crt", "tls.key"];
/// The keys of the Secret that a server logs in at its smarthost with.
pub(crate) const RELAY_KEYS: [&str; 2] = ["username", "password"];

/// The fields that name Secrets.
pub(crate) const TLS_SECRET: &str = "spec.tls.secretName";
pub(crate) const RELAY_SECRET: &str = "spec.relay.credentials.secretRef.name";

/// The row that a MailServer asks for.
pub fn declare(name: String, spec: &MailServerSpec) -> ServerDeclared {
    let listeners = &spec.listeners;
    let listeners = [
        ("smtp", &listeners.smtp),
        ("submission", &listeners.submission),
        ("submissions", &listeners.submissions),
        ("lmtp", &listeners.lmtp),
        ("imap", &listeners.imap),
        ("imaps", &listeners.imaps),
        ("http", &listeners.http),
    ];
    let listener = |declared: &mailwright_crds::mail_server::Listener| Listener {
        enabled: declared.enabled,
        port: declared.port,
    };
    let count = |number: i32| u32::try_from(number).unwrap_or(0);
    ServerDeclared {
        name,
        hostname: spec.hostname.as_str().to_owned(),
        listeners: listeners
            .into_iter()
            .map(|(name, declared)| (name.to_owned(), listener(declared)))
            .collect::<BTreeMap<_, _>>(),
        tls: tls(&spec.tls),
        limits: ServerLimits {
            message_size: spec.limits.message_size.bytes(),
            recipients_per_message: count(spec.limits.recipients_per_message),
            connections: count(spec.limits.connections),
            connections_per_address: count(spec.limits.connections_per_address),
        },
        relay: spec.relay.as_ref().map(Relay::of),
        trusted_networks: spec.trusted_networks.iter().map(|network| network.as_str().to_owned()).collect(),
        auth: Auth { plaintext_on_loopback: spec.auth.plaintext_on_loopback },
        dns: Dns { resolvers: spec.dns.resolvers.iter().map(|it| it.as_str().to_owned()).collect() },
        queue: Queue::of(&spec.queue),
        policies: spec.policies.iter().map(|it| (it.name.as_str().to_owned(), it.clone())).collect(),
    }
}

fn tls(declared: &mailwright_crds::mail_server::Tls) -> Tls {
    match (&declared.secret_name, &declared.cert_manager) {
        (Some(name), _) => Tls::SecretName(name.as_str().to_owned()),
        (None, Some(cert_manager)) => {
            let issuer = &cert_manager.issuer_ref;
            Tls::CertManager(Issuer {
                name: issuer.name.as_str().to_owned(),
                kind: issuer.kind.as_str().to_owned(),
                group: issuer.group.as_str().to_owned(),
            })
        }
        (None, None) => Tls::SelfSigned,
    }
}

/// The Secrets of the certificate and of the smarthost must be there. Whether what is in them is any good is for who uses it
/// to say.
pub(crate) fn check(draft: &Draft<'_>, problems: &mut Vec<Problem>) {
    for candidate in &draft.servers {
        if let Tls::SecretName(name) = &candidate.declared.tls {
            let remedy =
                "until it is there, a certificate that is in use stays in use; without one there is no TLS";
            problems.extend(check_secret(draft, candidate, name, &TLS_KEYS, TLS_SECRET, remedy));
        }
        if let Some(name) = candidate.declared.relay.as_ref().and_then(Relay::secret) {
            let remedy =
                "until it is there, a password that is in use stays in use; without one outgoing mail waits";
            problems.extend(check_secret(draft, candidate, name, &RELAY_KEYS, RELAY_SECRET, remedy));
        }
    }
}

fn check_secret(
    draft: &Draft<'_>,
    candidate: &Candidate<'_, ServerDeclared>,
    name: &str,
    keys: &[&str],
    field: &str,
    remedy: &str,
) -> Option<Problem> {
    let namespace = &candidate.object.namespace;
    let state = |key: &str| draft.catalog.secret(&SecretId::new(namespace, name, key));
    let missing = keys.iter().filter(|key| *state(key) == SecretState::Missing);
    let missing: Vec<&str> = missing.copied().collect();
    let unusable = keys.iter().find_map(|key| match state(key) {
        SecretState::Unusable { why } => Some((key, why)),
        _ => None,
    });
    let (code, message) = if let Some((key, why)) = unusable {
        let message = format!("the key {key} of the Secret {namespace}/{name} cannot be used: {why}");
        (ProblemCode::SecretInvalid, message)
    } else if missing.is_empty() {
        return None;
    } else if draft.catalog.has_secret(namespace, name) {
        let keys = missing.join(" and no ");
        (ProblemCode::SecretKeyNotFound, format!("the Secret {namespace}/{name} has no {keys}"))
    } else {
        (ProblemCode::SecretNotFound, format!("there is no Secret {namespace}/{name}"))
    };
    Some(candidate.warning(field, code, message, remedy.to_owned()))
}

/// Creates and updates the declared server, and forgets one that another has taken the place of.
pub(crate) fn operate(draft: &Draft<'_>, operations: &mut Vec<Operation>, kept: &mut Vec<Kept>) {
    let rows: BTreeMap<&str, &ServerRow> =
        draft.observed.servers.iter().map(|row| (row.declared.name.as_str(), row)).collect();
    for candidate in &draft.servers {
        operations.extend(put(draft, candidate, rows.get(candidate.declared.name.as_str()).copied()));
    }
    for row in rows.values() {
        let Some(owner) = &row.owner else { continue };
        let name = &row.declared.name;
        let named = still_named(draft, name);
        let reason = match (draft.standing(Kind::MailServer, name, Some(owner)), named) {
            (Standing::Kept(reason), _) => reason,
            (Standing::Removed, _) if draft.servers.is_empty() => {
                "no MailServer is declared any more; its settings stay in force".to_owned()
            }
            (Standing::Removed, Some(domain)) => {
                format!("MailDomain {domain} still names it in serverRef; its settings stay in force")
            }
            (Standing::Removed, None) => {
                let change = Change::DeleteServer { name: name.clone() };
                operations.push(operate::unwanted(owner, &row.declared.hostname, Action::Delete, change));
                continue;
            }
            _ => continue,
        };
        kept.push(Kept { object: owner.object.clone(), subject: row.declared.hostname.clone(), reason });
    }
}

/// The first domain that stays as it is, on this server.
fn still_named<'a>(draft: &Draft<'a>, name: &str) -> Option<&'a str> {
    let rows = draft.observed.domains.iter().filter(|row| row.declared.server == name);
    let mut staying = rows.map(|row| (row.declared.domain.as_str(), row.owner.as_deref()));
    staying.find(|(domain, owner)| draft.standing(Kind::MailDomain, domain, *owner).stays()).map(|it| it.0)
}

fn put(
    draft: &Draft<'_>,
    candidate: &Candidate<'_, ServerDeclared>,
    row: Option<&ServerRow>,
) -> Vec<Operation> {
    let declared = &candidate.declared;
    let running = row.map(|row| Running {
        declared: &row.declared,
        owner: row.owner.as_ref(),
        enabled: true,
        removed: false,
    });
    let wish = Wish { declared: declared.clone(), enabled: true, beside: Vec::new() };
    let (subject, blank) = (&declared.hostname, || blank(declared));
    operate::put(candidate, draft.settings, subject, running.as_ref(), wish, blank, |declared, owner, _| {
        Change::PutServer { declared, owner }
    })
}

/// A server that declares nothing but its name: what a new one is compared with.
fn blank(declared: &ServerDeclared) -> ServerDeclared {
    let spec = serde_json::from_value::<MailServerSpec>(serde_json::json!({"hostname": "blank.invalid"}));
    spec.map_or_else(|_| declared.clone(), |spec| declare(declared.name.clone(), &spec))
}

/// What an operation on a server means.
pub(crate) fn effect(views: &Views<'_>, operation: &Operation) -> Effect {
    let mut effect = Effect::default();
    match &operation.change {
        Change::PutServer { declared, .. } => {
            let before = views.observed.servers.iter().find(|row| row.declared.name == declared.name);
            match before {
                None => {
                    effect.says(format!("{} is set up", declared.hostname));
                    sending::effect(&blank(declared), declared, &mut effect);
                }
                Some(row) => updated(&row.declared, declared, &mut effect),
            }
            if operation.action == Action::Adopt {
                effect.says(format!("{} is managed by {} from now on", declared.hostname, views.source_id));
            }
        }
        Change::DeleteServer { name } => {
            effect.says(format!(
                "the settings of {name} are forgotten; those of the declared MailServer count"
            ));
        }
        _ => {}
    }
    effect
}

fn updated(before: &ServerDeclared, after: &ServerDeclared, effect: &mut Effect) {
    if before.hostname != after.hostname {
        let (old, new) = (&before.hostname, &after.hostname);
        effect
            .takes(format!("MX records, mail clients and the certificate must name {new} instead of {old}"));
    }
    for (name, listener) in &after.listeners {
        let old = before.listeners.get(name).copied().unwrap_or(Listener { enabled: false, port: 0 });
        match (old.enabled, listener.enabled) {
            (true, false) => effect.takes(format!("nobody can use {name} on port {} any more", old.port)),
            (false, true) => effect.says(format!("{name} is offered on port {}", listener.port)),
            (true, true) if old.port != listener.port => {
                effect.takes(format!("{name} moves from port {} to {}", old.port, listener.port));
            }
            _ => {}
        }
    }
    if before.limits.message_size > after.limits.message_size {
        let size = field::bytes(after.limits.message_size);
        effect.says(format!("messages larger than {size} are refused (552 5.3.4)"));
    }
    sending::effect(before, after, effect);
    match (&before.tls, &after.tls) {
        (old, new) if old == new => {}
        (_, Tls::SecretName(secret)) => {
            effect.says(format!("the certificate comes from the Secret {secret}"))
        }
        (_, Tls::CertManager(issuer)) => effect
            .says(format!("the certificate is issued by cert-manager ({} {})", issuer.kind, issuer.name)),
        (_, Tls::SelfSigned) => {
            effect.says("the certificate is self-signed: mail clients will ask about it".into())
        }
    }
}
