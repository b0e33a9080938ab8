//! What the children of a MailServer are called and labelled. Names are derived, so that a reader of a cluster finds them
//! and the operator needs to remember none.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::WorkloadInput;

/// `app.kubernetes.io/name` of everything that serves mail.
pub const APP: &str = "mailwright";

/// `app.kubernetes.io/component` of the mail pods.
pub const COMPONENT: &str = "mail";

pub use mailwright_crds::well_known::{APPLIED_ANNOTATION, SERVER_LABEL};

/// Label on a namespace whose pods may reach the HTTP port of the mail pods.
pub const HTTP_CLIENTS_LABEL: &str = "mailwright.dev/http-clients";

/// The volume claim of the one pod is this and the name: `data-mail-0`.
pub const DATA_VOLUME: &str = "data";

/// Where the container has it.
pub const DATA_DIR: &str = "/var/lib/mailwright";

/// The one container of the pod.
pub const CONTAINER: &str = "mailwright";

/// A StatefulSet labels its pods with its name, a dash and a hash of ten characters, and a label has 63 characters at most;
/// the longest Service (`-headless`) needs less.
pub const LONGEST_NAME: usize = 52;

/// Why the children of a MailServer of this name cannot be made; `None` when they can.
///
/// A MailServer may have any name that Kubernetes takes, but a Service must be a DNS label that begins with a letter
/// (RFC 1035 §2.3.1).
pub(super) fn unusable(name: &str) -> Option<String> {
    let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let shape = name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(fine);
    let rule = match (shape, name.len() <= LONGEST_NAME) {
        (true, true) => return None,
        (false, _) => "its Services need a name of a-z, 0-9 and -, which begins with a letter".to_owned(),
        (true, false) => format!("the names of its pods leave room for {LONGEST_NAME} characters"),
    };
    Some(format!("a MailServer called {name} can have no pods: {rule}; create it under another name"))
}

/// The public Service.
pub fn public_service(server: &str) -> String {
    server.to_owned()
}

/// The Service without an address, through which the operator finds the pod.
pub fn headless_service(server: &str) -> String {
    format!("{server}-headless")
}

/// The Service for other MTAs of the cluster.
pub fn lmtp_service(server: &str) -> String {
    format!("{server}-lmtp")
}

/// The ConfigMap with `server.json`.
pub fn config_map(server: &str) -> String {
    format!("{server}-config")
}

/// The Secret with the certificate in force.
pub fn tls_secret(server: &str) -> String {
    format!("{server}-tls")
}

/// The Secret with the management certificate of the pod.
pub fn management_secret(server: &str) -> String {
    format!("{server}-management")
}

/// The NetworkPolicy that allows nothing.
pub fn default_deny(server: &str) -> String {
    format!("{server}-default-deny")
}

/// The StatefulSet.
pub fn stateful_set(server: &str) -> String {
    server.to_owned()
}

/// The one pod.
pub fn pod(server: &str) -> String {
    format!("{server}-0")
}

/// The claim of the one pod, which is never removed by the operator.
pub fn claim(server: &str) -> String {
    format!("{DATA_VOLUME}-{server}-0")
}

/// What the management certificate of the pod is issued for, and where the operator connects: the pod's name behind the
/// headless Service.
pub fn management_host(namespace: &str, server: &str) -> String {
    format!("{}.{}.{namespace}.svc", pod(server), headless_service(server))
}

/// The labels that select the pods of a MailServer. They never change: a StatefulSet's selector is immutable.
pub fn selector(server: &str) -> BTreeMap<String, String> {
    let labels = [("name", APP), ("instance", server), ("component", COMPONENT)];
    labels.map(|(key, value)| (format!("app.kubernetes.io/{key}"), value.to_owned())).into()
}

/// The labels of every child.
pub fn labels(server: &str) -> BTreeMap<String, String> {
    let mut labels = selector(server);
    labels.insert("app.kubernetes.io/managed-by".to_owned(), APP.to_owned());
    labels.insert(SERVER_LABEL.to_owned(), server.to_owned());
    labels
}

/// `metadata` of a child: the MailServer is its controller, so that it goes when the MailServer goes.
///
/// `blockOwnerDeletion` stays unset: it would ask for the right to write finalizers of MailServers and hold nothing back
/// that has to be.
pub(super) fn metadata(
    input: &WorkloadInput<'_>,
    name: &str,
    annotations: &BTreeMap<String, String>,
) -> Value {
    let mut metadata = json!({
        "name": name,
        "namespace": input.namespace,
        "labels": labels(input.name),
    });
    if !annotations.is_empty() {
        metadata["annotations"] = json!(annotations);
    }
    metadata["ownerReferences"] = json!([{
        "apiVersion": mailwright_crds::API_VERSION,
        "kind": "MailServer",
        "name": input.name,
        "uid": input.uid,
        "controller": true,
    }]);
    metadata
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_dns_label_with_room_for_a_hash_names_pods() {
        let long = "m".repeat(LONGEST_NAME);
        for name in ["mail", "m", "mail-2", "a1", long.as_str()] {
            assert_eq!(unusable(name), None, "{name}");
        }
        let longer = "m".repeat(LONGEST_NAME + 1);
        for (name, part) in [
            ("mail.example", "begins with a letter"),
            ("2mail", "begins with a letter"),
            ("mail-", "begins with a letter"),
            ("", "begins with a letter"),
            (longer.as_str(), "52 characters"),
        ] {
            let refusal = unusable(name).unwrap();
            assert!(refusal.contains(part) && refusal.contains("under another name"), "{refusal}");
        }
    }

    #[test]
    fn names_are_derived_from_the_server() {
        let names = [public_service, headless_service, lmtp_service, config_map, tls_secret, default_deny];
        let derived: Vec<String> = names.iter().map(|name| name("mail")).collect();
        let expected = ["mail", "mail-headless", "mail-lmtp", "mail-config", "mail-tls", "mail-default-deny"];
        assert_eq!(derived, expected);
        assert_eq!((pod("mail"), claim("mail")), ("mail-0".to_owned(), "data-mail-0".to_owned()));
        assert_eq!(management_secret("mail"), "mail-management");
        assert_eq!(management_host("post", "mail"), "mail-0.mail-headless.post.svc");
    }

    #[test]
    fn every_selected_label_is_on_every_child() {
        let labels = labels("mail");
        assert!(selector("mail").iter().all(|(key, value)| labels.get(key) == Some(value)));
    }
}
