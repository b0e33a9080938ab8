//! Passwords that were made up, without a cluster: one file each, which its owner alone can read. What a password looks like
//! and when another one is due is as in a cluster.

use std::io;
use std::path::Path;

use mailwright_crds::mailbox::Generate;
use mailwright_crds::well_known::ROTATE_ANNOTATION;
use mailwright_crds::{DEFAULT_NAMESPACE, Mailbox};

use super::{PRIVATE, io_error, read, write};
use crate::kubernetes::secret::password;
use crate::platform::PlatformError;
use crate::source::SecretValue;

/// The key whose file needs no further name.
const USUAL_KEY: &str = "password";

/// The password of a Mailbox; with `make`, made now where there is none or another one is asked for.
pub(super) fn generated(
    root: &Path,
    mailbox: &Mailbox,
    make: bool,
) -> Result<Option<SecretValue>, PlatformError> {
    let Some(generate) = mailbox.spec.credentials.as_ref().and_then(|it| it.generate.as_ref()) else {
        return Ok(None);
    };
    let file = file(mailbox.metadata.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE), generate);
    let path = root.join("passwords").join(&file);
    let seen_at = root.join("passwords").join("rotated").join(&file);
    let kept = read(&path)?;
    if !make {
        return Ok(kept.map(SecretValue::new));
    }
    let seen = read(&seen_at)?.map(|token| String::from_utf8_lossy(&token).into_owned());
    // A password without a token was made before anybody asked for another one.
    let seen = kept.is_some().then(|| seen.unwrap_or_default());
    match kept {
        Some(kept) if !mailwright_plan::rotation(mailbox, seen.as_deref()) => {
            Ok(Some(SecretValue::new(kept)))
        }
        _ => fresh(&path, &seen_at, mailbox).map(Some),
    }
}

/// The token is written after the password: a crash between the two makes another password, and loses none that was asked
/// for.
fn fresh(path: &Path, seen_at: &Path, mailbox: &Mailbox) -> Result<SecretValue, PlatformError> {
    let no_entropy =
        || io_error("cannot make a password for", path)(io::Error::other("the system has no entropy"));
    let password = password().ok_or_else(no_entropy)?;
    write(path, password.as_bytes(), PRIVATE)?;
    let annotations = mailbox.metadata.annotations.as_ref();
    if let Some(token) = annotations.and_then(|all| all.get(ROTATE_ANNOTATION)) {
        write(seen_at, token.as_bytes(), PRIVATE)?;
    }
    Ok(SecretValue::new(password))
}

/// Neither namespaces nor Secrets have an underscore in their names, so no two of them meet.
fn file(namespace: &str, generate: &Generate) -> String {
    let (name, key) = (generate.secret_name.as_str(), generate.key.as_str());
    match key {
        USUAL_KEY => format!("{namespace}_{name}"),
        key => format!("{namespace}_{name}_{key}"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use serde_json::json;

    use super::*;

    fn mailbox(key: Option<&str>, token: Option<&str>) -> Mailbox {
        let mut generate = json!({"secretName": "alice.mail"});
        key.into_iter().for_each(|key| generate["key"] = json!(key));
        let annotations = token.map_or(json!({}), |token| json!({"mailwright.dev/rotate": token}));
        let value = json!({
            "apiVersion": mailwright_crds::API_VERSION, "kind": "Mailbox",
            "metadata": {"name": "alice", "namespace": "team", "annotations": annotations},
            "spec": {"address": "alice@example.test", "credentials": {"generate": generate}},
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_password_is_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let make = |mailbox: &Mailbox, make| generated(dir.path(), mailbox, make).unwrap();
        assert_eq!(make(&mailbox(None, None), false), None, "looking makes nothing");
        assert!(!dir.path().join("passwords").exists());
        let first = make(&mailbox(None, None), true).unwrap();
        assert_eq!(make(&mailbox(None, None), true).as_ref(), Some(&first));
        assert_eq!(make(&mailbox(None, None), false).as_ref(), Some(&first));
        let path = dir.path().join("passwords/team_alice.mail");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read(&path).unwrap(), first.expose());
        let other = make(&mailbox(Some("imap"), None), true).unwrap();
        assert_ne!(other, first);
        assert!(dir.path().join("passwords/team_alice.mail_imap").exists());
    }

    #[test]
    fn another_one_is_made_when_somebody_asks_and_only_then() {
        let dir = tempfile::tempdir().unwrap();
        let mut passwords = vec![generated(dir.path(), &mailbox(None, None), true).unwrap().unwrap()];
        for (token, changes) in [
            (None, false),
            (Some("1"), true),
            (Some("1"), false),
            (None, false),
            (Some(""), false),
            (Some("2"), true),
        ] {
            let next = generated(dir.path(), &mailbox(None, token), true).unwrap().unwrap();
            assert_eq!(&next != passwords.last().unwrap(), changes, "{token:?}");
            passwords.push(next);
        }
        // One that is made for a token is not made for it again.
        let dir = tempfile::tempdir().unwrap();
        let first = generated(dir.path(), &mailbox(None, Some("1")), true).unwrap();
        assert_eq!(generated(dir.path(), &mailbox(None, Some("1")), true).unwrap(), first);
    }
}
