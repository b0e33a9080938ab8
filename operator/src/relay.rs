//! Owns the login at a smarthost: what the Secret says now, and what it said last. A Secret that is missing today keeps the
//! last login in force, but only for the same host and the same Secret: no password goes to a host it was not given for.

use mailwright_plan::observed::ServerDeclared;
use serde::{Deserialize, Serialize};

use crate::platform::{Platform, PlatformError};
use crate::secrets::Secrets;

/// A login, and what it is for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayLogin {
    /// The host that gets it.
    pub host: String,
    /// The Secret it is from, as `namespace/name`.
    pub secret: String,
    /// The user name.
    pub username: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for RelayLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RelayLogin")
            .field("host", &self.host)
            .field("secret", &self.secret)
            .finish_non_exhaustive()
    }
}

/// Keeps the login that the Secret has now, and forgets one that nothing asks for any more.
pub fn ensure<P: Platform>(
    platform: &P,
    secrets: &Secrets,
    server: &ServerDeclared,
) -> Result<(), PlatformError> {
    let name = server.name.rsplit('/').next().unwrap_or_default();
    let kept = platform.relay_login(name)?;
    match wanted(server) {
        None if kept.is_some() => platform.forget_relay_login(name),
        None => Ok(()),
        Some((host, secret)) => match login(secrets, host, &secret) {
            Some(login) if kept.as_ref() != Some(&login) => platform.put_relay_login(name, &login),
            _ => Ok(()),
        },
    }
}

/// The login in force.
pub fn in_force<P: Platform>(
    platform: &P,
    server: &ServerDeclared,
) -> Result<Option<RelayLogin>, PlatformError> {
    let Some((host, secret)) = wanted(server) else { return Ok(None) };
    let kept = platform.relay_login(server.name.rsplit('/').next().unwrap_or_default())?;
    Ok(kept.filter(|login| login.host == host && login.secret == secret))
}

/// The host and the Secret that a server declares.
fn wanted(server: &ServerDeclared) -> Option<(&str, String)> {
    let relay = server.relay.as_ref()?;
    let (namespace, _) = server.name.split_once('/').unwrap_or(("default", &server.name));
    Some((&relay.host, format!("{namespace}/{}", relay.secret()?)))
}

fn login(secrets: &Secrets, host: &str, secret: &str) -> Option<RelayLogin> {
    let (namespace, name) = secret.split_once('/')?;
    let text = |key| crate::secrets::line(secrets.value(namespace, name, key)?);
    Some(RelayLogin {
        host: host.to_owned(),
        secret: secret.to_owned(),
        username: text("username")?,
        password: text("password")?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::platform::local::Local;
    use crate::source::{Secret, SecretValue};

    fn server(host: &str, secret: Option<&str>) -> ServerDeclared {
        let credentials = secret.map(|name| json!({"secretRef": {"name": name}}));
        serde_json::from_value(json!({
            "name": "default/mail", "hostname": "mail.example.test", "listeners": {}, "tls": "selfSigned",
            "limits": {"messageSize": 1, "recipientsPerMessage": 1, "connections": 1, "connectionsPerAddress": 1},
            "relay": {"host": host, "port": 587, "tls": "StartTLS", "credentials": credentials},
        }))
        .unwrap()
    }

    fn secrets(values: &[(&str, &str)]) -> Secrets {
        let mut secret = Secret::default();
        for (key, value) in values {
            secret.values.insert((*key).to_owned(), SecretValue::new(*value));
        }
        let mut secrets = Secrets::default();
        secrets.insert("default", "relay", secret);
        secrets
    }

    #[test]
    fn a_missing_secret_keeps_the_last_login_for_the_same_host_only() {
        let dir = tempfile::tempdir().unwrap();
        let local = Local::open(dir.path()).unwrap();
        let one = secrets(&[("username", "mail"), ("password", "hush\n")]);
        let password =
            |server: &ServerDeclared| in_force(&local, server).unwrap().map(|login| login.password);
        let declared = server("smtp.example.org", Some("relay"));

        ensure(&local, &Secrets::default(), &declared).unwrap();
        assert_eq!(password(&declared), None);
        ensure(&local, &one, &declared).unwrap();
        assert_eq!(
            password(&declared).as_deref(),
            Some("hush"),
            "an editor's line end is not the password's"
        );
        for gone in [
            Secrets::default(),
            secrets(&[("username", "mail")]),
            secrets(&[("username", "a"), ("password", "")]),
        ] {
            ensure(&local, &gone, &declared).unwrap();
            assert_eq!(password(&declared).as_deref(), Some("hush"));
        }
        ensure(&local, &secrets(&[("username", "mail"), ("password", "new")]), &declared).unwrap();
        assert_eq!(password(&declared).as_deref(), Some("new"));

        let moved = server("smtp.example.net", Some("relay"));
        ensure(&local, &Secrets::default(), &moved).unwrap();
        assert_eq!(password(&moved), None, "another host does not get this password");
        assert_eq!(password(&server("smtp.example.org", Some("other"))), None);
        ensure(&local, &one, &server("smtp.example.org", None)).unwrap();
        assert_eq!(password(&declared), None, "nothing asks for it any more, so it is gone");
    }

    #[test]
    fn a_login_is_not_shown() {
        let login = RelayLogin {
            host: "smtp.example.org".into(),
            secret: "default/relay".into(),
            username: "mail".into(),
            password: "hush".into(),
        };
        let shown = format!("{login:?}");
        assert!(shown.contains("smtp.example.org") && !shown.contains("hush"), "{shown}");
    }
}
