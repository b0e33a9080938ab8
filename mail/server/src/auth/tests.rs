//! Logins against a real store: every verdict, what guessing costs, and that no password reaches the log.

use std::io::Write;
use std::sync::Mutex;

use super::*;
use crate::tests::{PASSWORD, accounts, apply, mailbox_with};

const PEER: &str = "192.0.2.1";
/// Nothing here waits for it; longer than any check takes.
const BASE: Duration = Duration::from_secs(1);

struct Bench {
    store: Arc<Store>,
    auth: Authenticator,
    _directory: tempfile::TempDir,
}

async fn bench() -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(directory.path(), Default::default()).await.unwrap());
    apply(&store, accounts()).await;
    let auth = Authenticator::new(Arc::clone(&store), Hasher::shared());
    Bench { store, auth, _directory: directory }
}

impl Bench {
    async fn login_from(&self, peer: &str, user: &str, password: &str) -> Result<Account, LoginError> {
        let password = Zeroizing::new(password.as_bytes().to_vec());
        self.auth.login(peer.parse().unwrap(), user, password, BASE).await
    }

    async fn login(&self, user: &str, password: &str) -> &'static str {
        match self.login_from(PEER, user, password).await {
            Ok(_) => "ok",
            Err(error) => error.name(),
        }
    }
}

#[tokio::test]
async fn verdicts_by_account_and_password() {
    let bench = bench().await;
    for (user, password, expected) in [
        ("alice@example.test", PASSWORD, "ok"),
        ("Alice@EXAMPLE.test", PASSWORD, "ok"),
        ("\"alice\"@example.test", PASSWORD, "ok"),
        ("alice@example.org", PASSWORD, "ok"),
        ("alice@example.test", "", "failed"),
        ("alice@example.test", "Mailwright", "failed"),
        ("alice@example.test", "mailwright ", "failed"),
        ("alice+tag@example.test", PASSWORD, "failed"),
        ("alice", PASSWORD, "failed"),
        ("alice@", PASSWORD, "failed"),
        ("@example.test", PASSWORD, "failed"),
        ("", PASSWORD, "failed"),
        ("team@example.test", PASSWORD, "failed"),
        ("nobody@example.test", PASSWORD, "failed"),
        ("alice@elsewhere.example", PASSWORD, "failed"),
        ("alice@example.test\0", PASSWORD, "failed"),
        ("mallory@example.test", PASSWORD, "disabled"),
        ("mallory@example.test", "wrong", "failed"),
    ] {
        assert_eq!(bench.login(user, password).await, expected, "{user:?} {password:?}");
    }
    let long = format!("{}@example.test", "a".repeat(400));
    assert_eq!(bench.login(&long, PASSWORD).await, "failed");
}

#[tokio::test]
async fn the_account_is_the_canonical_one() {
    let bench = bench().await;
    let direct = bench.login_from(PEER, "alice@example.test", PASSWORD).await.unwrap();
    let by_alias_domain = bench.login_from(PEER, "ALICE@example.org", PASSWORD).await.unwrap();
    assert_eq!(direct.address, "alice@example.test");
    assert_eq!(by_alias_domain, direct);
}

#[tokio::test]
async fn accounts_without_a_usable_password_stay_shut() {
    let bench = bench().await;
    for (address, hash) in [
        ("none@example.test", None),
        ("broken@example.test", Some("$6$not-a-hash")),
        ("clear@example.test", Some("{PLAIN}mailwright")),
        ("empty@example.test", Some("")),
    ] {
        apply(&bench.store, vec![mailbox_with(address, hash)]).await;
        assert_eq!(bench.login(address, PASSWORD).await, "failed", "{address}");
        assert_eq!(bench.login(address, "").await, "failed", "{address}");
    }
}

#[tokio::test]
async fn accounts_from_other_servers_log_in() {
    let bench = bench().await;
    // One of each family; every scheme has its known answers in hash/tests.rs.
    for (address, hash) in [
        (
            "dovecot@example.test",
            "{SSHA512}gjPRaX8s8XNVWzlkw4fRUu1ZjG64NVAdLyP+p2Iv8Qp1LszUyIg9D8uMShRLTJv7XANXqn0FXhNn5AbXPZ8JDw/g5Rw=",
        ),
        ("bcrypt@example.test", "{BLF-CRYPT}$2y$05$FaXuV6IiJawufSY8cyj2i.azJB49ntC7YGDPTNJZA6QlSkXK8UXiG"),
        ("crypt@example.test", "$5$TcTk1xifcx0KwVio$CkPp1hRhaBYpFt3SgPFtvODOsfxgotNkicNh4Z/dp21"),
        ("pbkdf2@example.test", "{PBKDF2}$1$zsRDx4cWWc20gnVP$1000$df2ba36d1f7e3ef12e1d0d1031cbc7c14ef75779"),
        (
            "scrypt@example.test",
            "$scrypt$ln=10,r=8,p=1$G0NozZlT6h2DkDKGUEqJ0Q$Nfb0AuKBHvWjKumTIECyhqweoWSIalbVAHYPosDjomM",
        ),
    ] {
        apply(&bench.store, vec![mailbox_with(address, Some(hash))]).await;
        assert_eq!(bench.login(address, "correct horse ŝtal").await, "ok", "{address}");
        assert_eq!(bench.login(address, "correct horse").await, "failed", "{address}");
    }
}

#[tokio::test]
async fn guessing_gets_slower_and_is_shut_out_in_the_end() {
    let bench = bench().await;
    let mut delays = Vec::new();
    for _ in 0..4 {
        let before = Instant::now();
        match bench.login_from(PEER, "alice@example.test", "guess").await {
            Err(LoginError::Credentials { answer_at }) => delays.push((answer_at - before).as_secs()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(delays, [1, 2, 4, 8]);
    assert_eq!(
        bench.login("alice@example.test", PASSWORD).await,
        "ok",
        "the owner is not shut out with the guesser"
    );
    for _ in delays.len()..throttle::MAX_FAILURES as usize {
        assert_eq!(bench.login("alice@example.test", "guess").await, "failed");
    }
    assert_eq!(bench.login("alice@example.test", PASSWORD).await, "unavailable");
    let elsewhere = bench.login_from("192.0.2.2", "alice@example.test", PASSWORD).await;
    assert!(elsewhere.is_ok(), "from another address she logs in");
}

#[tokio::test]
async fn a_failure_is_answered_at_the_same_time_whatever_was_checked() {
    let bench = bench().await;
    let slow = hash::hash_password(b"other").unwrap();
    apply(&bench.store, vec![mailbox_with("slow@example.test", Some(&slow))]).await;
    let users = ["alice@example.test", "slow@example.test", "nobody@example.test", "no address"];
    for (number, user) in users.into_iter().enumerate() {
        let mut tries = Vec::new();
        loop {
            let before = Instant::now();
            let failed = bench.login_from(&format!("192.0.{}.{number}", tries.len()), user, "guess").await;
            let taken = before.elapsed();
            let Err(LoginError::Credentials { answer_at }) = failed else { panic!("{failed:?}") };
            // What stands before the login's own look at the clock is nothing beside a password check, unless the machine did
            // something else just then; an answer that waits for the check is late each time.
            let late = (answer_at - before).saturating_sub(BASE);
            tries.push((late, taken));
            if late * 2 < taken {
                break;
            }
            assert!(tries.len() < 10, "{user}: after the delay, and what the check took: {tries:?}");
        }
    }
}

#[test]
fn a_check_that_outlasts_the_delay_waits_for_the_next() {
    let started = Instant::now();
    for (delay, taken, expected) in
        [(100, 0, 100), (100, 99, 100), (100, 100, 200), (100, 250, 300), (0, 50, 0)]
    {
        let millis = Duration::from_millis;
        let answer = hold_back(started, millis(delay), started + millis(taken));
        assert_eq!((answer - started).as_millis(), expected, "{delay} {taken}");
    }
}

#[tokio::test]
async fn a_login_holds_while_account_and_password_stay() {
    let bench = bench().await;
    let accounts = bench.store.accounts();
    let alice = bench.login_from(PEER, "alice@example.test", PASSWORD).await.unwrap();
    assert!(bench.auth.holds(&alice).await.unwrap());
    apply(&bench.store, vec![crate::tests::mailbox("alice@example.test", None, false)]).await;
    assert!(!bench.auth.holds(&alice).await.unwrap(), "disabled");
    apply(&bench.store, vec![crate::tests::mailbox("alice@example.test", Some(7 << 20), true)]).await;
    assert!(bench.auth.holds(&alice).await.unwrap(), "another quota is not another password");
    accounts
        .set_password(
            "alice@example.test",
            mailwright_store::NewPassword { hash: "{SHA256}x".into(), scram: None },
            mailwright_store::SetBy::Owner,
        )
        .await
        .unwrap();
    assert!(!bench.auth.holds(&alice).await.unwrap(), "another password");
    bench.store.close().await;
    assert!(bench.auth.holds(&alice).await.is_err());
}

#[tokio::test]
async fn a_right_password_is_computed_once_a_minute_and_a_wrong_one_each_time() {
    let mut bench = bench().await;
    let hasher = Arc::new(Hasher::default());
    bench.auth = Authenticator::new(Arc::clone(&bench.store), Arc::clone(&hasher));
    let alice = "alice@example.test";
    let new = hasher.hash(Zeroizing::new("first".to_owned())).await.unwrap();
    bench.store.accounts().set_password(alice, new, mailwright_store::SetBy::Owner).await.unwrap();
    let next = hasher.hash(Zeroizing::new("second".to_owned())).await.unwrap();
    let moment = Duration::from_millis(50);
    assert_eq!(bench.login(alice, "first").await, "ok");
    let busy = hasher.occupy().await;
    assert_eq!(bench.login(alice, "first").await, "ok", "with no thread to compute on");
    assert_eq!(bench.login("ALICE@example.org", "first").await, "ok", "by any of her names");
    assert!(tokio::time::timeout(moment, bench.login(alice, "second")).await.is_err(), "a guess is computed");
    assert!(tokio::time::timeout(moment, bench.login(alice, "second")).await.is_err(), "each time");
    assert_eq!(bench.login(alice, "first").await, "ok", "guesses do not drive her out");
    // Disabled and changed count at once.
    apply(&bench.store, vec![mailbox_with(alice, None)]).await;
    bench.store.accounts().set_password(alice, next, mailwright_store::SetBy::Owner).await.unwrap();
    assert!(tokio::time::timeout(moment, bench.login(alice, "first")).await.is_err(), "it is forgotten");
    drop(busy);
    assert_eq!(bench.login(alice, "first").await, "failed");
    assert_eq!(bench.login(alice, "second").await, "ok");
    let busy = hasher.occupy().await;
    apply(&bench.store, vec![crate::tests::mailbox(alice, None, false)]).await;
    assert_eq!(bench.login(alice, "second").await, "disabled");
    drop(busy);
}

#[tokio::test]
async fn many_logins_at_once_are_all_answered() {
    let bench = Arc::new(bench().await);
    let logins: Vec<_> = (0..50)
        .map(|number| {
            let bench = Arc::clone(&bench);
            let password = if number % 2 == 0 { PASSWORD } else { "wrong" };
            tokio::spawn(async move { bench.login("alice@example.test", password).await })
        })
        .collect();
    for (number, login) in logins.into_iter().enumerate() {
        assert_eq!(login.await.unwrap(), if number % 2 == 0 { "ok" } else { "failed" });
    }
}

#[tokio::test]
async fn a_failing_database_lets_nobody_in_and_blames_nobody() {
    let bench = bench().await;
    bench.store.close().await;
    assert_eq!(bench.login("alice@example.test", PASSWORD).await, "unavailable");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_password_reaches_the_log() {
    let bench = bench().await;
    let hash = "$5$TcTk1xifcx0KwVio$CkPp1hRhaBYpFt3SgPFtvODOsfxgotNkicNh4Z/dp21";
    apply(&bench.store, vec![mailbox_with("crypt@example.test", Some(hash))]).await;
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    // With one dispatcher alone, what another test's thread says first would be asked of that thread's, which has none, and be
    // found to interest nobody; with two, both are asked.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    tracing::callsite::rebuild_interest_cache();
    assert_eq!(bench.login("crypt@example.test", "correct horse ŝtal").await, "ok");
    bench.login("alice@example.test", "hunter2").await;
    // People do type the password where the name belongs.
    bench.login("hunter2", "alice@example.test").await;
    bench.login("nobody@example.test", "hunter2").await;
    drop(guard);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("login refused") && text.contains("alice@example.test"), "{text}");
    assert!(!text.contains("hunter2") && !text.contains("correct") && !text.contains("TcTk1"), "{text}");
}
