//! Would this password open this mailbox, and if not, why: the answer that a login never gives.
//!
//! Asks neither the throttle nor the memory of right passwords, and leaves no trace in them.

use zeroize::Zeroizing;

use super::wire::{AuthTest, AuthTested};
use super::{Management, ManagementError};
use crate::auth::canonical;
use crate::auth::hash::PasswordHash;

impl Management {
    /// Tries a password and says how it is stored; also without a running server.
    pub async fn auth_test(&self, test: AuthTest) -> Result<AuthTested, ManagementError> {
        let AuthTest { address, password } = test;
        let password = Zeroizing::new(password.into_bytes());
        let login = match canonical(&address) {
            Some(address) => self.store.accounts().lookup_login(&address).await?,
            None => None,
        };
        let Some(login) = login else {
            let reason = "there is no such mailbox; a login is a whole address, and aliases do not log in";
            return Ok(refused(address, reason));
        };
        let mut tested = refused(login.address, "");
        tested.enabled = login.active;
        tested.scram = login.scram.is_some() || login.hash.as_deref().is_some_and(crate::auth::is_scram);
        let Some(stored) = login.hash else {
            tested.reason =
                "no password was ever set; declare one, or set one with `mailwright passwd`".to_owned();
            return Ok(tested);
        };
        let hash = match PasswordHash::parse(&stored) {
            Ok(hash) => hash,
            Err(error) => {
                tested.reason = format!("the stored password is not usable: {error}");
                return Ok(tested);
            }
        };
        tested.scheme = Some(hash.scheme().to_owned());
        let reason = match self.hasher.verify(Some(hash), password).await {
            None => "too many logins are being checked just now; try again in a minute",
            Some((false, _)) => "wrong password; `mailwright passwd` sets a new one",
            Some((true, _)) if !login.active => {
                "the password is right, but the mailbox or its domain is out of service"
            }
            Some((true, _)) => "",
        };
        tested.accepted = reason.is_empty();
        tested.reason = reason.to_owned();
        Ok(tested)
    }
}

fn refused(address: String, reason: &str) -> AuthTested {
    let reason = reason.to_owned();
    AuthTested { address, accepted: false, reason, enabled: false, scheme: None, scram: false }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mailwright_store::{Options, Store};

    use super::*;
    use crate::tests::{PASSWORD, accounts, apply, mailbox_with};

    #[tokio::test]
    async fn a_login_is_explained() {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(directory.path(), Options::default()).await.unwrap());
        apply(&store, accounts()).await;
        let broken = mailbox_with("broken@example.test", Some("$6$not-a-hash"));
        apply(&store, vec![broken, mailbox_with("none@example.test", None)]).await;
        let management = Management::new(store);
        management.set_password("bob@example.test", "pencil").await.unwrap();
        for (address, password, reason, scheme, scram) in [
            ("alice@example.test", PASSWORD, "", Some("digest"), false),
            ("ALICE@example.org", PASSWORD, "", Some("digest"), false),
            ("alice@example.test", "wrong", "wrong password", Some("digest"), false),
            ("alice@example.test", "", "wrong password", Some("digest"), false),
            ("bob@example.test", "pencil", "", Some("argon2id"), true),
            ("mallory@example.test", PASSWORD, "the password is right, but", Some("digest"), false),
            ("mallory@example.test", "wrong", "wrong password", Some("digest"), false),
            ("nobody@example.test", PASSWORD, "there is no such mailbox", None, false),
            ("team@example.test", PASSWORD, "there is no such mailbox", None, false),
            ("alice", PASSWORD, "there is no such mailbox", None, false),
            ("none@example.test", PASSWORD, "no password was ever set", None, false),
            ("broken@example.test", PASSWORD, "the stored password is not usable", None, false),
        ] {
            let test = AuthTest { address: address.into(), password: password.into() };
            let tested = management.auth_test(test).await.unwrap();
            assert!(tested.reason.starts_with(reason), "{address} {password:?}: {tested:?}");
            let found = (tested.accepted, tested.scheme.as_deref(), tested.scram);
            assert_eq!(found, (reason.is_empty(), scheme, scram), "{address} {password:?}");
        }
    }

    #[tokio::test]
    async fn testing_shuts_nobody_out() {
        let server = crate::tests::TestServer::start().await;
        let test =
            |password: &str| AuthTest { address: "alice@example.test".into(), password: password.into() };
        for _ in 0..crate::auth::throttle::MAX_FAILURES + 10 {
            assert!(!server.server.management().auth_test(test("guess")).await.unwrap().accepted);
        }
        assert!(server.server.management().auth_test(test(PASSWORD)).await.unwrap().accepted);
    }
}
