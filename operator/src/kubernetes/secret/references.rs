//! Which object asks for which Secret, in both directions. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use mailwright_crds::well_known::ROTATE_ANNOTATION;
use mailwright_crds::{Kind, ObjectRef, Resource};

use crate::kubernetes::names;

/// A Secret by namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl SecretName {
    /// Names a Secret.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret {}/{}", self.namespace, self.name)
    }
}

/// What an object wants of a Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// To read these keys.
    Read {
        /// The keys in its data.
        keys: Vec<String>,
    },
    /// To have a password in it, made up when there is none.
    Generate {
        /// The key in its data.
        key: String,
        /// The value of the annotation that asks for a new one; any other value than last time does.
        token: Option<String>,
    },
}

impl Want {
    fn of(keys: &[&str]) -> Self {
        Self::Read { keys: keys.iter().map(|key| (*key).to_owned()).collect() }
    }

    /// The keys that are looked at.
    pub fn keys(&self) -> &[String] {
        match self {
            Want::Read { keys } => keys,
            Want::Generate { key, .. } => std::slice::from_ref(key),
        }
    }
}

/// The keys of a Secret with a certificate, as `kubectl create secret tls` writes them.
const TLS: [&str; 2] = ["tls.crt", "tls.key"];
/// The keys of a Secret with a login at a smarthost.
const LOGIN: [&str; 2] = ["username", "password"];

/// The Secret that cert-manager is asked to write for a MailServer.
pub fn issued_secret(server: &str) -> String {
    names::name(server, "-cert-manager-tls")
}

/// The Secrets that an object refers to. They are always in its own namespace: Secrets never cross namespaces.
pub fn wants(resource: &Resource) -> BTreeMap<SecretName, Want> {
    let mut wants = BTreeMap::new();
    let mut add = |name: &str, want| wants.insert(SecretName::new(resource.namespace(), name), want);
    match resource {
        Resource::MailServer(server) => {
            if let Some(name) = &server.spec.tls.secret_name {
                add(name.as_str(), Want::of(&TLS));
            }
            if server.spec.tls.cert_manager.is_some() {
                add(&issued_secret(resource.name()), Want::of(&TLS));
            }
            let login = server.spec.relay.as_ref().and_then(|relay| relay.credentials.as_ref());
            if let Some(login) = login {
                add(login.secret_ref.name.as_str(), Want::of(&LOGIN));
            }
        }
        Resource::Mailbox(mailbox) => {
            let credentials = mailbox.spec.credentials.as_ref();
            if let Some(reference) = credentials.and_then(|it| it.secret_ref.as_ref()) {
                add(reference.name.as_str(), Want::of(&[reference.key.as_str()]));
            }
            if let Some(generate) = credentials.and_then(|it| it.generate.as_ref()) {
                // What is suspended or on its way out gets no new password; one that is there stays in use.
                let quiet = resource.is_suspended() || resource.metadata().deletion_timestamp.is_some();
                let token = resource.annotation(ROTATE_ANNOTATION).filter(|token| !token.is_empty());
                let key = generate.key.as_str();
                let asked = Want::Generate { key: key.to_owned(), token: token.map(str::to_owned) };
                add(generate.secret_name.as_str(), if quiet { Want::of(&[key]) } else { asked });
            }
        }
        Resource::MailDomain(_) | Resource::Alias(_) => {}
    }
    wants
}

/// Who refers to what.
#[derive(Debug, Default)]
pub struct References {
    wants: BTreeMap<ObjectRef, BTreeMap<SecretName, Want>>,
    users: BTreeMap<SecretName, BTreeSet<ObjectRef>>,
}

impl References {
    /// What an object refers to now. Answers the Secrets for which that is new, or asks for something else than before.
    pub fn set(&mut self, object: &ObjectRef, wants: BTreeMap<SecretName, Want>) -> BTreeSet<SecretName> {
        let before = self.wants.remove(object).unwrap_or_default();
        for name in before.keys().filter(|name| !wants.contains_key(*name)) {
            self.unlink(name, object);
        }
        for name in wants.keys() {
            self.users.entry(name.clone()).or_default().insert(object.clone());
        }
        let fresh = wants.iter().filter(|(name, want)| before.get(*name) != Some(*want));
        let fresh = fresh.map(|(name, _)| name.clone()).collect();
        if !wants.is_empty() {
            self.wants.insert(object.clone(), wants);
        }
        fresh
    }

    /// The object is gone.
    pub fn remove(&mut self, object: &ObjectRef) {
        self.set(object, BTreeMap::new());
    }

    /// What an object refers to.
    pub fn of(&self, object: &ObjectRef) -> impl Iterator<Item = (&SecretName, &Want)> {
        self.wants.get(object).into_iter().flatten()
    }

    /// Who refers to a Secret.
    pub fn users(&self, name: &SecretName) -> impl Iterator<Item = &ObjectRef> {
        self.users.get(name).into_iter().flatten()
    }

    /// Whether anybody refers to it.
    pub fn is_wanted(&self, name: &SecretName) -> bool {
        self.users.contains_key(name)
    }

    /// Whether a MailServer refers to it.
    pub fn is_wanted_by_server(&self, name: &SecretName) -> bool {
        self.users(name).any(|user| user.kind == Kind::MailServer)
    }

    /// The keys that somebody looks at in a Secret.
    pub fn keys<'a>(&'a self, name: &'a SecretName) -> impl Iterator<Item = &'a str> {
        let wants = self.users(name).filter_map(|object| self.wants.get(object)?.get(name));
        wants.flat_map(Want::keys).map(String::as_str)
    }

    /// Who asks for a password in a Secret: the Mailbox, the key and the token.
    pub fn generating<'a>(
        &'a self,
        name: &'a SecretName,
    ) -> impl Iterator<Item = (&'a ObjectRef, &'a str, Option<&'a str>)> {
        self.users(name).filter_map(move |object| match self.wants.get(object)?.get(name)? {
            Want::Generate { key, token } => Some((object, key.as_str(), token.as_deref())),
            Want::Read { .. } => None,
        })
    }

    fn unlink(&mut self, name: &SecretName, object: &ObjectRef) {
        if let Some(users) = self.users.get_mut(name) {
            users.remove(object);
            if users.is_empty() {
                self.users.remove(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use mailwright_crds::Kind;
    use serde_json::{Value, json};

    use super::*;

    fn resource(kind: Kind, name: &str, annotations: Value, spec: Value) -> Resource {
        let metadata = json!({"name": name, "namespace": "team", "annotations": annotations});
        let value = json!({"apiVersion": "mailwright.dev/v1alpha1", "kind": kind.as_str(), "metadata": metadata, "spec": spec});
        Resource::from_value(kind, value).unwrap()
    }

    fn mailbox(name: &str, annotations: Value, credentials: Value) -> Resource {
        let spec = json!({"address": format!("{name}@example.test"), "credentials": credentials});
        resource(Kind::Mailbox, name, annotations, spec)
    }

    fn said(resource: &Resource) -> Vec<String> {
        let word = |(name, want): (&SecretName, &Want)| match want {
            Want::Read { keys } => format!("{}/{} {}", name.namespace, name.name, keys.join("+")),
            Want::Generate { key, token } => {
                format!("{}/{} makes {key} {token:?}", name.namespace, name.name)
            }
        };
        wants(resource).iter().map(word).collect()
    }

    #[test]
    fn objects_refer_to_secrets_of_their_own_namespace() {
        let generate = json!({"generate": {"secretName": "s", "key": "pass"}});
        let server = |tls: Value, relay: Value| {
            resource(
                Kind::MailServer,
                "mail",
                json!({}),
                json!({"hostname": "h.test", "tls": tls, "relay": relay}),
            )
        };
        let relay = json!({"host": "r.test", "credentials": {"secretRef": {"name": "login"}}});
        let issuer = json!({"certManager": {"issuerRef": {"name": "i"}}});
        let rotate = |token: &str| json!({"mailwright.dev/rotate": token});
        let cases: [(&str, Resource, &[&str]); 9] = [
            ("nothing", mailbox("a", json!({}), json!(null)), &[]),
            ("a hash", mailbox("a", json!({}), json!({"passwordHash": "$6$salt$hash"})), &[]),
            (
                "a reference",
                mailbox("a", json!({}), json!({"secretRef": {"name": "s"}})),
                &["team/s password"],
            ),
            ("generated", mailbox("a", json!({}), generate.clone()), &["team/s makes pass None"]),
            ("rotated", mailbox("a", rotate("1"), generate.clone()), &["team/s makes pass Some(\"1\")"]),
            ("an empty token", mailbox("a", rotate(""), generate.clone()), &["team/s makes pass None"]),
            (
                "suspended",
                mailbox("a", json!({"mailwright.dev/reconcile": "disabled"}), generate),
                &["team/s pass"],
            ),
            (
                "a server",
                server(json!({"secretName": "t"}), relay),
                &["team/login username+password", "team/t tls.crt+tls.key"],
            ),
            ("cert-manager", server(issuer, json!(null)), &["team/mail-cert-manager-tls tls.crt+tls.key"]),
        ];
        for (what, resource, expected) in cases {
            assert_eq!(said(&resource), expected, "{what}");
        }
    }

    #[test]
    fn the_index_goes_both_ways() {
        let mut references = References::default();
        let name = SecretName::new("team", "s");
        let refer =
            |name: &str, secret: &str| mailbox(name, json!({}), json!({"secretRef": {"name": secret}}));
        let set = |references: &mut References, resource: &Resource| {
            references.set(&resource.object_ref(), wants(resource)).len()
        };
        let users = |references: &References| -> Vec<String> {
            references.users(&name).map(|object| object.name.to_string()).collect()
        };
        let (alice, bob) = (refer("alice", "s"), refer("bob", "s"));
        assert_eq!([set(&mut references, &alice), set(&mut references, &bob)], [1, 1]);
        assert_eq!(set(&mut references, &alice), 0, "the same again is no news");
        assert_eq!(users(&references), ["alice", "bob"]);
        assert_eq!(references.of(&alice.object_ref()).count(), 1);

        assert_eq!(set(&mut references, &refer("alice", "other")), 1);
        assert_eq!(users(&references), ["bob"]);
        let other = SecretName::new(&name.namespace, "other");
        assert!(references.is_wanted(&name) && references.is_wanted(&other));
        references.remove(&bob.object_ref());
        assert!(!references.is_wanted(&name) && users(&references).is_empty());
        references.remove(&bob.object_ref());
        assert!(references.is_wanted(&other));
    }

    #[test]
    fn a_new_token_and_a_new_key_are_news() {
        let mut references = References::default();
        let generating = |key: &str, token: Value| {
            mailbox(
                "a",
                json!({"mailwright.dev/rotate": token}),
                json!({"generate": {"secretName": "s", "key": key}}),
            )
        };
        let name = SecretName::new("team", "s");
        for (key, token, news, expected) in [
            ("k", "", 1, None),
            ("k", "", 0, None),
            ("k", "1", 1, Some("1")),
            ("l", "1", 1, Some("1")),
            ("l", "1", 0, Some("1")),
        ] {
            let resource = generating(key, json!(token));
            assert_eq!(references.set(&resource.object_ref(), wants(&resource)).len(), news, "{key} {token}");
            let asking: Vec<_> = references.generating(&name).map(|(_, key, token)| (key, token)).collect();
            assert_eq!(asking, [(key, expected)]);
            assert_eq!(references.keys(&name).collect::<Vec<_>>(), [key]);
        }
    }
}
