//! What a spec and its Secrets say of the forge: who tells of pushes, and where the plans of proposed changes are told. Pure.
//!
//! Neither holds up what is followed: a webhook that cannot be taken leaves the interval, a preview that cannot be posted leaves
//! the branch.

use mailwright_crds::mail_repository::Reference;
use mailwright_crds::mail_server::SecretName;
use mailwright_crds::{ConditionType, DEFAULT_NAMESPACE, MailRepository, Reason};

use super::Trouble;
use crate::preview::settings::{Settings, SettingsError, TOKEN};
use crate::secrets::Secrets;
use crate::source::SecretValue;
use crate::webhook::{self, Hook, Key, Token};

/// Namespace and name, which tell one repository from another wherever there are several.
pub fn place(repository: &MailRepository) -> (&str, &str) {
    let metadata = &repository.metadata;
    (metadata.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE), metadata.name.as_deref().unwrap_or_default())
}

/// The path that its forge sends webhooks to, when it is to send any. An object made anew has another.
pub fn webhook_path(repository: &MailRepository, key: &Key) -> Option<String> {
    repository.spec.webhook.as_ref()?;
    let (namespace, name) = place(repository);
    let uid = repository.metadata.uid.as_deref().unwrap_or_default();
    Some(webhook::path(key, namespace, name, uid))
}

/// The webhook that `spec.webhook` declares; its [`Hook::repository`] is `namespace/name`.
pub fn hook(repository: &MailRepository, secrets: &Secrets, key: &Key) -> Result<Option<Hook>, Trouble> {
    let (Some(declared), Some(path)) = (&repository.spec.webhook, webhook_path(repository, key)) else {
        return Ok(None);
    };
    let (namespace, name) = place(repository);
    let value = token(secrets, namespace, &declared.secret_ref)?;
    let token = Token::new(&value).ok_or_else(|| {
        invalid(namespace, &declared.secret_ref, "its token is empty; give it one that the forge has too")
    })?;
    Ok(Some(Hook { repository: format!("{namespace}/{name}"), path, provider: declared.provider, token }))
}

/// The previews that `spec.previews` declares.
pub fn previews(repository: &MailRepository, secrets: &Secrets) -> Result<Option<Settings>, Trouble> {
    let Some(declared) = &repository.spec.previews else { return Ok(None) };
    let (namespace, _) = place(repository);
    let posts = declared.comment || declared.status;
    let value = match declared.secret_ref.as_ref().filter(|_| posts) {
        Some(secret) => Some(token(secrets, namespace, secret)?),
        None => None,
    };
    let branch = match &repository.spec.reference {
        Some(Reference { branch: Some(branch), .. }) => Some(branch.as_str()),
        _ => None,
    };
    let settings = Settings::of(declared, repository.spec.url.as_str(), branch, |_| value);
    settings.map(Some).map_err(|error| match (&error, &declared.secret_ref) {
        (SettingsError::NoToken, Some(secret)) => invalid(namespace, secret, &error.to_string()),
        _ => Trouble::lasting(ConditionType::Ready, Reason::Invalid, error.to_string()),
    })
}

fn token(secrets: &Secrets, namespace: &str, secret: &SecretName) -> Result<SecretValue, Trouble> {
    let name = secret.name.as_str();
    let found = secrets
        .get(namespace, name)
        .ok_or_else(|| Trouble::no_secret(namespace, name, &format!("the key {TOKEN}")).beside())?;
    found.values.get(TOKEN).cloned().ok_or_else(|| {
        let message = format!("Secret {namespace}/{name}: there is no key {TOKEN}; add it");
        Trouble::lasting(ConditionType::Ready, Reason::SecretKeyNotFound, message)
    })
}

fn invalid(namespace: &str, secret: &SecretName, what: &str) -> Trouble {
    let message = format!("Secret {namespace}/{}: {what}", secret.name.as_str());
    Trouble::lasting(ConditionType::Ready, Reason::SecretInvalid, message)
}

#[cfg(test)]
mod tests {
    use mailwright_crds::check_repository;
    use mailwright_crds::mail_repository::WebhookProvider;
    use serde_json::{Value, json};

    use super::*;
    use crate::source::Secret;

    fn repository(spec: &Value) -> MailRepository {
        let mut whole =
            json!({"url": "https://git.example.test/company/mail.git", "ref": {"branch": "main"}});
        for (key, value) in spec.as_object().unwrap() {
            whole[key] = value.clone();
        }
        let manifest = json!({"apiVersion": "mailwright.dev/v1alpha1", "kind": "MailRepository",
            "metadata": {"name": "company", "namespace": "mail"}, "spec": whole});
        check_repository(&manifest).unwrap()
    }

    fn secrets(all: &[(&str, &str, &str)]) -> Secrets {
        let mut secrets = Secrets::default();
        for (name, key, value) in all {
            let values = [((*key).to_owned(), SecretValue::new(*value))];
            secrets.insert("mail", name, Secret { values: values.into() });
        }
        secrets
    }

    const HOOK: &str = "Secret mail/hook";

    #[test]
    fn a_webhook_is_what_the_spec_and_its_secret_say() {
        let key = Key::new([7; 32]);
        let spec = json!({"webhook": {"provider": "Gitea", "secretRef": {"name": "hook"}}});
        let declared = repository(&spec);
        let found = hook(&declared, &secrets(&[("hook", "token", "abc\n")]), &key).unwrap().unwrap();
        assert_eq!((found.repository.as_str(), found.provider), ("mail/company", WebhookProvider::Gitea));
        assert_eq!(Some(found.path), webhook_path(&declared, &key));
        let mut again = declared.clone();
        again.metadata.uid = Some("another".to_owned());
        assert_ne!(webhook_path(&again, &key), webhook_path(&declared, &key));
        for (all, reason, says) in [
            (vec![], Reason::SecretNotFound, "does not exist; make it, with the key token"),
            (vec![("hook", "key", "abc")], Reason::SecretKeyNotFound, "there is no key token"),
            (vec![("hook", "token", "\n")], Reason::SecretInvalid, "its token is empty"),
        ] {
            let trouble = hook(&declared, &secrets(&all), &key).unwrap_err();
            assert_eq!((trouble.reason, trouble.aspect), (reason, ConditionType::Ready), "{trouble}");
            assert!(trouble.message.starts_with(HOOK) && trouble.message.contains(says), "{trouble}");
        }
        let plain = repository(&json!({}));
        assert!(hook(&plain, &secrets(&[]), &key).unwrap().is_none());
        assert!(webhook_path(&plain, &key).is_none() && previews(&plain, &secrets(&[])).unwrap().is_none());
    }

    #[test]
    fn previews_are_what_the_spec_and_its_secret_say() {
        let spec = json!({"previews": {"provider": "GitHub", "refs": ["refs/pull/*/head"], "secretRef": {"name": "forge"}}});
        let found = previews(&repository(&spec), &secrets(&[("forge", "token", "t0ken")])).unwrap().unwrap();
        assert_eq!(
            (found.branch.as_deref(), found.refs.as_slice()),
            (Some("main"), &["refs/pull/*/head".to_owned()][..])
        );
        let target = found.target.unwrap();
        assert_eq!(
            (target.api.project.as_str(), target.comment, target.status),
            ("company/mail", true, true)
        );
        for (all, reason, says) in [
            (vec![], Reason::SecretNotFound, "Secret mail/forge does not exist"),
            (vec![("forge", "password", "x")], Reason::SecretKeyNotFound, "there is no key token"),
            (vec![("forge", "token", "two\nlines")], Reason::SecretInvalid, "one line of text"),
        ] {
            let trouble = previews(&repository(&spec), &secrets(&all)).unwrap_err();
            assert_eq!(trouble.reason, reason, "{trouble}");
            assert!(trouble.message.contains(says) && !trouble.message.contains("lines\n"), "{trouble}");
        }
        let nowhere = json!({"url": "https://git.example.test/mail.git", "previews": spec["previews"]});
        let trouble = previews(&repository(&nowhere), &secrets(&[("forge", "token", "t")])).unwrap_err();
        assert_eq!((trouble.reason, trouble.aspect), (Reason::Invalid, ConditionType::Ready));
        let silent = json!({"url": "https://git.example.test/mail.git",
            "previews": {"refs": ["refs/pull/*/head"], "comment": false, "status": false}});
        assert!(previews(&repository(&silent), &secrets(&[])).unwrap().unwrap().target.is_none());
    }
}
