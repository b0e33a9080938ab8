//! SASL against a real store: every mechanism logs in, SCRAM from the first right password on, and unknown users look like others.

use std::net::IpAddr;

use mailwright_store::{NewPassword, SetBy, Store};
use zeroize::Zeroizing;

use super::*;
use crate::auth::hasher::Hasher;
use crate::auth::sasl::client::{Client, ClientError};
use crate::auth::sasl::{LOGIN, PLAIN, SCRAM_SHA_256, SCRAM_SHA_256_PLUS};
use crate::tests::{PASSWORD, accounts, apply, mailbox, mailbox_with};

const ALICE: &str = "alice@example.test";
const BASE: Duration = Duration::from_secs(1);

struct Bench {
    store: std::sync::Arc<Store>,
    auth: Authenticator,
    _directory: tempfile::TempDir,
}

async fn bench() -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(Store::open(directory.path(), Default::default()).await.unwrap());
    apply(&store, accounts()).await;
    let auth = Authenticator::new(std::sync::Arc::clone(&store), Hasher::shared());
    Bench { store, auth, _directory: directory }
}

fn peer() -> IpAddr {
    "192.0.2.1".parse().unwrap()
}

impl Bench {
    /// Logs in with our own client; what came of it.
    async fn login(&self, mechanism: &str, user: &str, password: &str) -> &'static str {
        self.bound(mechanism, user, password, None).await
    }

    async fn bound(
        &self,
        mechanism: &str,
        user: &str,
        password: &str,
        bindings: Option<Bindings>,
    ) -> &'static str {
        let mut client = match Client::new(user, password, &[mechanism], bindings.as_ref()) {
            Ok(client) => client,
            Err(_) => return "the client cannot",
        };
        let mut exchange = self.auth.begin(mechanism, bindings).unwrap();
        let mut response = client.initial().map(Zeroizing::new);
        loop {
            match self.auth.advance(&mut exchange, peer(), response, BASE).await {
                Turn::Challenge(challenge) => match client.respond(&challenge) {
                    Ok(next) => response = Some(Zeroizing::new(next)),
                    Err(ClientError::Impostor) => return "impostor",
                    Err(_) => return "the client gave up",
                },
                Turn::Done(account) => {
                    assert!(client.is_satisfied());
                    assert_eq!(Some(account.address.as_str()), canonical(user).as_deref());
                    return "ok";
                }
                Turn::Failed(error) => return error.name(),
            }
        }
    }

    async fn set_password(&self, password: &str) {
        let new = self.auth.hasher.hash(Zeroizing::new(password.to_owned())).await.unwrap();
        self.store.accounts().set_password(ALICE, new, SetBy::Owner).await.unwrap();
    }

    async fn found(&self, user: &str) -> mailwright_store::Login {
        self.store.accounts().lookup_login(user).await.unwrap().unwrap()
    }

    /// Waits for the upgrade that a login started.
    async fn upgraded(&self, user: &str) -> mailwright_store::Login {
        for _ in 0..1000 {
            let login = self.found(user).await;
            if login.scram.is_some() {
                return login;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{user} was never upgraded");
    }
}

#[tokio::test]
async fn every_mechanism_opens_with_the_right_password() {
    let bench = bench().await;
    bench.set_password("pencil, = ŝtal").await;
    let bound = Bindings { exporter: Some([1; 32]), end_point: None };
    for (mechanism, bindings) in
        [(PLAIN, None), (LOGIN, None), (SCRAM_SHA_256, None), (SCRAM_SHA_256_PLUS, Some(bound.clone()))]
    {
        for (user, password, expected) in [
            (ALICE, "pencil, = ŝtal", "ok"),
            ("Alice@EXAMPLE.test", "pencil, = ŝtal", "ok"),
            (ALICE, "pencil", "failed"),
            ("nobody@example.test", "pencil, = ŝtal", "failed"),
            ("alice", "pencil, = ŝtal", "failed"),
            // Her old password, which had no SCRAM record either.
            (ALICE, PASSWORD, "failed"),
        ] {
            let came = bench.bound(mechanism, user, password, bindings.clone()).await;
            assert_eq!(came, expected, "{mechanism} {user} {password}");
        }
    }
}

#[tokio::test]
async fn the_first_right_password_in_clear_makes_scram_possible() {
    let bench = bench().await;
    let crypt = "$5$TcTk1xifcx0KwVio$CkPp1hRhaBYpFt3SgPFtvODOsfxgotNkicNh4Z/dp21";
    apply(&bench.store, vec![mailbox_with("crypt@example.test", Some(crypt))]).await;
    let password = "correct horse ŝtal";
    let before = bench.store.accounts().observe().await.unwrap();
    assert_eq!(bench.login(SCRAM_SHA_256, "crypt@example.test", password).await, "failed");
    assert_eq!(bench.login(PLAIN, "crypt@example.test", "wrong").await, "failed");
    assert_eq!(bench.found("crypt@example.test").await.scram, None, "never of a wrong password");
    let version = bench.found("crypt@example.test").await.version;
    assert_eq!(bench.login(PLAIN, "crypt@example.test", password).await, "ok");
    let login = bench.upgraded("crypt@example.test").await;
    assert!(login.hash.as_ref().unwrap().starts_with("$argon2id$"), "kept in a better form");
    assert_eq!(login.version, version, "no new password: sessions go on");
    for mechanism in [SCRAM_SHA_256, PLAIN] {
        assert_eq!(bench.login(mechanism, "crypt@example.test", password).await, "ok");
        assert_eq!(bench.login(mechanism, "crypt@example.test", "correct horse").await, "failed");
    }
    // Nothing that a planner compares has changed.
    let after = bench.store.accounts().observe().await.unwrap();
    assert_eq!(after.change_counter, before.change_counter);
    let credential = |accounts: &mailwright_store::Accounts| {
        let found = accounts.mailboxes.iter().find(|m| m.row.address == "crypt@example.test");
        found.unwrap().credential.clone().unwrap()
    };
    assert_eq!(credential(&after), credential(&before));
}

#[tokio::test]
async fn an_upgrade_is_made_once() {
    let bench = bench().await;
    assert_eq!(bench.login(PLAIN, ALICE, PASSWORD).await, "ok");
    let first = bench.upgraded(ALICE).await;
    for _ in 0..3 {
        assert_eq!(bench.login(PLAIN, ALICE, PASSWORD).await, "ok");
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let later = bench.found(ALICE).await;
    assert_eq!((first.hash, first.scram), (later.hash, later.scram));
}

#[tokio::test]
async fn a_changed_password_changes_for_every_mechanism_at_once() {
    let bench = bench().await;
    bench.set_password("first").await;
    for mechanism in [PLAIN, SCRAM_SHA_256] {
        assert_eq!(bench.login(mechanism, ALICE, "first").await, "ok");
    }
    bench.set_password("second").await;
    for mechanism in [PLAIN, LOGIN, SCRAM_SHA_256] {
        assert_eq!(bench.login(mechanism, ALICE, "first").await, "failed", "{mechanism}");
        assert_eq!(bench.login(mechanism, ALICE, "second").await, "ok", "{mechanism}");
    }
    // A hash without a record takes the old record away.
    let new = NewPassword { hash: crate::auth::hash::hash_password(b"third").unwrap(), scram: None };
    bench.store.accounts().set_password(ALICE, new, SetBy::Owner).await.unwrap();
    assert_eq!(bench.login(SCRAM_SHA_256, ALICE, "second").await, "failed");
    assert_eq!(bench.login(PLAIN, ALICE, "second").await, "failed");
    assert_eq!(bench.login(PLAIN, ALICE, "third").await, "ok");
    bench.upgraded(ALICE).await;
    assert_eq!(bench.login(SCRAM_SHA_256, ALICE, "third").await, "ok");
}

#[tokio::test]
async fn disabled_accounts_stay_out_by_every_mechanism() {
    let bench = bench().await;
    bench.set_password("pencil").await;
    for mechanism in [PLAIN, SCRAM_SHA_256] {
        assert_eq!(bench.login(mechanism, ALICE, "pencil").await, "ok");
    }
    apply(&bench.store, vec![mailbox(ALICE, None, false)]).await;
    for mechanism in [PLAIN, SCRAM_SHA_256] {
        assert_eq!(bench.login(mechanism, ALICE, "pencil").await, "disabled", "{mechanism}");
        assert_eq!(bench.login(mechanism, ALICE, "pen").await, "failed", "{mechanism}");
    }
}

#[tokio::test]
async fn an_imported_record_serves_both_ways() {
    let bench = bench().await;
    let record = Record::with("pencil", b"sixteen octets!!".to_vec(), 4096).to_string();
    let fields = record.strip_prefix("SCRAM-SHA-256$").unwrap().replace([':', '$'], ",");
    let hash = format!("{{SCRAM-SHA-256}}{fields}");
    apply(&bench.store, vec![mailbox_with("dovecot@example.test", Some(&hash))]).await;
    assert_eq!(bench.login(SCRAM_SHA_256, "dovecot@example.test", "pencil").await, "ok");
    assert_eq!(bench.login(SCRAM_SHA_256, "dovecot@example.test", "pen").await, "failed");
    assert_eq!(bench.found("dovecot@example.test").await.hash.as_deref(), Some(hash.as_str()));
    assert_eq!(bench.login(PLAIN, "dovecot@example.test", "pencil").await, "ok");
    assert!(bench.upgraded("dovecot@example.test").await.hash.unwrap().starts_with("$argon2id$"));
    assert_eq!(bench.login(SCRAM_SHA_256, "dovecot@example.test", "pencil").await, "ok");
}

/// The server-first-message for a user, without the nonce.
async fn challenge(bench: &Bench, user: &str) -> String {
    let mut exchange = bench.auth.begin(SCRAM_SHA_256, None).unwrap();
    let response = Some(Zeroizing::new(format!("n,,n={user},r=abc").into_bytes()));
    match bench.auth.advance(&mut exchange, peer(), response, BASE).await {
        Turn::Challenge(challenge) => {
            String::from_utf8(challenge).unwrap().split_once(',').unwrap().1.to_owned()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn salts_do_not_tell_who_exists() {
    let bench = bench().await;
    bench.set_password("pencil").await;
    let alice = challenge(&bench, ALICE).await;
    assert_eq!(challenge(&bench, "Alice@EXAMPLE.test").await, alice);
    let nobody = challenge(&bench, "nobody@example.test").await;
    assert_eq!(challenge(&bench, "Nobody@EXAMPLE.test").await, nobody);
    assert_ne!(nobody, challenge(&bench, "nobody2@example.test").await);
    assert_eq!((alice.len(), alice.ends_with(",i=10000")), (nobody.len(), nobody.ends_with(",i=10000")));
    // Nor does a restart.
    let restarted = Authenticator::new(std::sync::Arc::clone(&bench.store), Hasher::shared());
    let bench = Bench { auth: restarted, ..bench };
    assert_eq!(challenge(&bench, "nobody@example.test").await, nobody);
}

#[tokio::test]
async fn guessing_by_scram_is_throttled_as_any_other() {
    let bench = bench().await;
    bench.set_password("pencil").await;
    let mut delays = Vec::new();
    for _ in 0..3 {
        let before = Instant::now();
        let mut client = Client::new(ALICE, "guess", &[SCRAM_SHA_256], None).unwrap();
        let mut exchange = bench.auth.begin(SCRAM_SHA_256, None).unwrap();
        let mut response = client.initial().map(Zeroizing::new);
        let answer_at = loop {
            match bench.auth.advance(&mut exchange, peer(), response, BASE).await {
                Turn::Challenge(challenge) => {
                    response = Some(Zeroizing::new(client.respond(&challenge).unwrap()));
                }
                Turn::Failed(LoginError::Credentials { answer_at }) => break answer_at,
                other => panic!("{other:?}"),
            }
        };
        delays.push((answer_at - before).as_secs());
    }
    assert_eq!(delays, [1, 2, 4]);
    for _ in delays.len()..crate::auth::throttle::MAX_FAILURES as usize {
        assert_eq!(bench.login(PLAIN, "no address", "guess").await, "failed");
    }
    assert_eq!(bench.login(SCRAM_SHA_256, ALICE, "pencil").await, "unavailable");
}

#[tokio::test]
async fn a_failing_database_is_nobodys_fault() {
    let bench = bench().await;
    bench.store.close().await;
    for mechanism in [PLAIN, LOGIN, SCRAM_SHA_256] {
        assert_eq!(bench.login(mechanism, ALICE, PASSWORD).await, "unavailable", "{mechanism}");
    }
}
