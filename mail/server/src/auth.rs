//! Who may log in: one question (address, password, peer) with one answer, whatever the protocol.
//!
//! The password check runs on a few threads of its own, because each costs tens of milliseconds and 19 MiB.
//! Timing does not tell which addresses exist: an unknown one costs a check as well (of a dummy hash), and failures are
//! answered at a time counted from the login's beginning, which does not depend on how long the check took.
//! A password that was right is remembered for a moment (`cache.rs`) and, if it came along in another scheme, kept as argon2id and
//! as a SCRAM record from then on (`upgrade.rs`), which is no new password: sessions go on.
//! Leaves out the encodings of SASL (the protocol machines decode them) and every policy beyond "active account, right
//! password".

mod cache;
mod exchange;
pub mod hash;
mod hasher;
pub(crate) mod sasl;
mod scram;
pub mod throttle;
mod upgrade;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use mailwright_flow::address::sender;
use mailwright_smtp::{Mailbox, ReversePath};
use mailwright_store::{AccountId, Login, Store};
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use self::cache::Cache;
use self::hash::PasswordHash;
pub(crate) use self::hasher::Hasher;
use self::throttle::Throttle;
use crate::metrics;

/// Longest user name that is looked up: RFC 5321 §4.5.3.1.3 gives a path 256 octets.
const MAX_USER: usize = 320;

/// Last login is written at most so often; the store's own step.
const LOGIN_STEP: i64 = 3600;

/// Checks logins and hashes new passwords.
pub(crate) struct Authenticator {
    store: Arc<Store>,
    hasher: Arc<Hasher>,
    throttle: Throttle,
    cache: Cache,
    /// What decoys of SCRAM records are made from.
    decoy: OnceCell<[u8; 8]>,
}

/// Who has logged in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Account {
    pub(crate) id: AccountId,
    /// The canonical address.
    pub(crate) address: String,
    /// Of its password: another number is another password.
    pub(crate) version: i64,
}

impl Account {
    fn of(login: Login) -> Account {
        Account { id: login.account, address: login.address, version: login.version }
    }
}

/// Why a login failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoginError {
    /// Unknown address or wrong password: hold the answer back until then.
    Credentials { answer_at: Instant },
    /// The password was right, the account is out of service.
    Disabled,
    /// What the client sent is no response of the mechanism: 501 5.5.2, BAD.
    Malformed,
    /// Too many failures from this address, too many logins at once, or the database failed.
    Unavailable,
}

impl LoginError {
    fn name(self) -> &'static str {
        match self {
            LoginError::Credentials { .. } => "failed",
            LoginError::Disabled => "disabled",
            LoginError::Malformed => "malformed",
            LoginError::Unavailable => "unavailable",
        }
    }
}

impl Authenticator {
    pub(crate) fn new(store: Arc<Store>, hasher: Arc<Hasher>) -> Authenticator {
        Authenticator {
            store,
            hasher,
            throttle: Throttle::default(),
            cache: Cache::default(),
            decoy: OnceCell::new(),
        }
    }

    /// Checks a login from `peer`; `base_delay` is the hold-back of a first failure.
    pub(crate) async fn login(
        &self,
        peer: IpAddr,
        user: &str,
        password: Zeroizing<Vec<u8>>,
        base_delay: Duration,
    ) -> Result<Account, LoginError> {
        let started = Instant::now();
        let result = match self.check(peer, user, password).await {
            Ok(Some(login)) => Ok(Account::of(login)),
            Ok(None) => Err(self.failed(peer, started, base_delay)),
            Err(error) => Err(error),
        };
        report(&result, user, peer);
        result
    }

    /// Notes a failure and says when it is answered.
    fn failed(&self, peer: IpAddr, started: Instant, base_delay: Duration) -> LoginError {
        let now = Instant::now();
        let delay = self.throttle.failed(peer, base_delay, now);
        LoginError::Credentials { answer_at: hold_back(started, delay, now) }
    }

    /// Whether a login still holds: the account is in service, and its password is the one that was given.
    pub(crate) async fn holds(&self, account: &Account) -> Result<bool, mailwright_store::Error> {
        let login = self.store.accounts().lookup_login(&account.address).await?;
        Ok(login.is_some_and(|login| login.active && Account::of(login) == *account))
    }

    /// The account that the password opens; `None` for wrong credentials.
    async fn check(
        &self,
        peer: IpAddr,
        user: &str,
        password: Zeroizing<Vec<u8>>,
    ) -> Result<Option<Login>, LoginError> {
        if self.throttle.is_blocked(peer, Instant::now()) {
            return Err(LoginError::Unavailable);
        }
        let login = self.lookup(user).await?;
        if let Some(login) = &login
            && self.cache.knows(login.account, login.version, &password, Instant::now())
        {
            return self.opened(login.clone()).map(Some);
        }
        let stored = login.as_ref().and_then(|login| login.hash.as_deref()).and_then(|stored| {
            let parsed = PasswordHash::parse(stored);
            if let Err(error) = &parsed {
                tracing::warn!(user, %error, "stored password is not usable");
            }
            parsed.ok()
        });
        let (verified, password) =
            self.hasher.verify(stored, password).await.ok_or(LoginError::Unavailable)?;
        let Some(login) = login.filter(|_| verified) else { return Ok(None) };
        let login = self.opened(login)?;
        self.cache.remember(login.account, login.version, &password, Instant::now());
        upgrade::start(&self.store, &self.hasher, &login, &password);
        Ok(Some(login))
    }

    async fn lookup(&self, user: &str) -> Result<Option<Login>, LoginError> {
        let Some(address) = canonical(user) else { return Ok(None) };
        self.store.accounts().lookup_login(&address).await.map_err(|error| {
            tracing::error!(%error, "login lookup failed");
            LoginError::Unavailable
        })
    }

    /// The password was right.
    fn opened(&self, login: Login) -> Result<Login, LoginError> {
        if !login.active {
            self.cache.forget(login.account);
            return Err(LoginError::Disabled);
        }
        self.note_login(&login);
        Ok(login)
    }

    /// Written at most once an hour; a login does not wait for it and does not fail with it.
    fn note_login(&self, login: &Login) {
        let now = Utc::now().timestamp();
        if login.last_login.is_some_and(|last| (last..last + LOGIN_STEP).contains(&now)) {
            return;
        }
        let (store, account) = (Arc::clone(&self.store), login.account);
        tokio::spawn(async move { store.accounts().record_login(account).await });
    }
}

/// Counts and logs how a login ended.
fn report(result: &Result<Account, LoginError>, user: &str, peer: IpAddr) {
    match result {
        Ok(account) => {
            metrics::login("ok");
            tracing::info!(user = account.address, %peer, "login");
        }
        Err(error) => {
            metrics::login(error.name());
            // What was typed as a user name may be a password: only addresses are logged.
            let user = canonical(user).unwrap_or_default();
            tracing::info!(user, %peer, reason = error.name(), "login refused");
        }
    }
}

/// When a failure is answered: one delay after the login began, however long the check took. A check that took longer (the
/// threads were busy) waits for the next multiple, which says less than its end would.
fn hold_back(started: Instant, delay: Duration, now: Instant) -> Instant {
    let taken = now.saturating_duration_since(started).as_nanos();
    let delays = taken.checked_div(delay.as_nanos()).map_or(0, |whole| whole + 1);
    started + delay.saturating_mul(u32::try_from(delays).unwrap_or(u32::MAX))
}

/// The canonical form of a user name, which is an address.
pub(crate) fn canonical(user: &str) -> Option<String> {
    if user.len() > MAX_USER {
        return None;
    }
    let mailbox = Mailbox::parse(user).ok()?;
    sender(&ReversePath::Mailbox(mailbox)).map(|address| address.to_string())
}

/// Whether a stored hash is a SCRAM-SHA-256 record itself.
pub(crate) fn is_scram(hash: &str) -> bool {
    scram::Record::parse(hash).is_some()
}

#[cfg(test)]
mod tests;
