//! The Secrets that a MailRepository names: read anew for each attempt, from its own namespace and no other, and kept no longer
//! than the attempt.

use std::collections::BTreeSet;

use kube_client::Client;
use mailwright_crds::{ConditionType, MailRepository, Reason};

use crate::kubernetes::api::{ApiError, ApiErrorKind};
use crate::kubernetes::secret::{self, SecretName};
use crate::repository::Trouble;
use crate::secrets::Secrets;

/// The names of the Secrets that the spec refers to.
pub fn named(repository: &MailRepository) -> BTreeSet<&str> {
    let spec = &repository.spec;
    let of_forge = spec.previews.as_ref().and_then(|previews| previews.secret_ref.as_ref());
    let all = [
        spec.secret_ref.as_ref(),
        spec.proxy_secret_ref.as_ref(),
        spec.verify.as_ref().map(|verify| &verify.secret_ref),
        spec.decryption.as_ref().map(|decryption| &decryption.secret_ref),
        spec.webhook.as_ref().map(|webhook| &webhook.secret_ref),
        of_forge,
    ];
    all.into_iter().flatten().map(|reference| reference.name.as_str()).collect()
}

/// Reads them. One that does not exist is left out: who needs it says so.
pub async fn read(client: &Client, repository: &MailRepository) -> Result<Secrets, Trouble> {
    let namespace = repository.metadata.namespace.as_deref().unwrap_or_default();
    let mut secrets = Secrets::default();
    for name in named(repository) {
        if let Some(found) =
            secret::get(client, &SecretName::new(namespace, name)).await.map_err(|error| trouble(&error))?
        {
            secrets.insert(namespace, name, found.secret);
        }
    }
    Ok(secrets)
}

fn trouble(error: &ApiError) -> Trouble {
    let forbidden = error.kind == ApiErrorKind::Forbidden;
    let reason = if forbidden { Reason::SecretNotFound } else { Reason::FetchFailed };
    Trouble {
        temporary: !forbidden,
        ..Trouble::lasting(ConditionType::SourceReady, reason, error.to_string())
    }
}

/// What tells whether any of them changed; nothing can be learned of them from it.
pub fn digest(secrets: &Secrets) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    let mut add = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    for (namespace, name, secret) in secrets.iter() {
        add(namespace.as_bytes());
        add(name.as_bytes());
        for (key, value) in &secret.values {
            add(key.as_bytes());
            add(value.expose());
        }
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::source::SecretValue;

    fn repository(spec: &Value) -> MailRepository {
        let mut whole = json!({"url": "https://git.example.test/mail.git"});
        whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        serde_json::from_value(json!({
            "apiVersion": "mailwright.dev/v1alpha1", "kind": "MailRepository",
            "metadata": {"name": "company", "namespace": "mail"}, "spec": whole,
        }))
        .unwrap()
    }

    #[test]
    fn only_what_the_spec_names_is_read() {
        let of = |name: &str| json!({"name": name});
        for (spec, expected) in [
            (json!({}), vec![]),
            (json!({"secretRef": of("git")}), vec!["git"]),
            (
                json!({
                    "secretRef": of("git"), "proxySecretRef": of("proxy"), "verify": {"secretRef": of("signers")},
                    "decryption": {"secretRef": of("age")}, "webhook": {"provider": "GitHub", "secretRef": of("hook")},
                    "previews": {"provider": "GitHub", "refs": ["refs/pull/*/head"], "secretRef": of("forge")},
                }),
                vec!["age", "forge", "git", "hook", "proxy", "signers"],
            ),
        ] {
            let repository = repository(&spec);
            assert_eq!(named(&repository).into_iter().collect::<Vec<_>>(), expected, "{spec}");
        }
    }

    #[test]
    fn any_other_value_is_another_digest() {
        let of = |values: &[(&str, &str, &str)]| {
            let mut secrets = Secrets::default();
            for (name, key, value) in values {
                secrets.insert_value("mail", name, key, SecretValue::new(*value));
            }
            digest(&secrets)
        };
        let first = of(&[("git", "username", "alice"), ("git", "password", "x")]);
        assert_eq!(first, of(&[("git", "username", "alice"), ("git", "password", "x")]));
        for other in [
            vec![("git", "username", "alice"), ("git", "password", "y")],
            vec![("git", "username", "alicep"), ("git", "assword", "x")],
            vec![("gitusername", "alice", ""), ("git", "password", "x")],
            vec![],
        ] {
            assert_ne!(first, of(&other), "{other:?}");
        }
    }
}
