//! Who may log in: one question (address, password, peer) with one answer, whatever the protocol.
//!
//! The password check runs on a few threads of its own, because each costs tens of milliseconds and 19 MiB.
//! Timing does not tell which addresses exist: an unknown one costs a check as well (of a dummy hash), and failures are
//! answered at a time counted from the login's beginning, which does not depend on how long the check took.
//! A stored hash of another scheme stays as it is: replacing it would look like a new password, which ends sessions.
//! Leaves out a cache of successful logins, SASL's encodings (the protocol machines decode them) and every policy beyond
//! "active account, right password".

pub mod hash;
mod hasher;
pub(crate) mod sasl;
pub mod throttle;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mailwright_flow::address::sender;
use mailwright_smtp::{Mailbox, ReversePath};
use mailwright_store::{AccountId, Login, Store};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use self::hash::PasswordHash;
pub(crate) use self::hasher::Hasher;
use self::sasl::server::{Server, Step};
use self::sasl::{Bindings, Exchange, Response, Turn};
use self::throttle::Throttle;
use crate::metrics;

/// Longest user name that is looked up: RFC 5321 §4.5.3.1.3 gives a path 256 octets.
const MAX_USER: usize = 320;

/// Checks logins and hashes new passwords.
pub(crate) struct Authenticator {
    store: Arc<Store>,
    hasher: Arc<Hasher>,
    throttle: Throttle,
}

/// Who has logged in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Account {
    pub(crate) id: AccountId,
    /// The canonical address.
    pub(crate) address: String,
    /// Of the stored hash: another one means another password.
    pub(crate) password: [u8; 32],
}

impl Account {
    fn of(login: Login) -> Account {
        let password = Sha256::digest(login.hash.unwrap_or_default()).into();
        Account { id: login.account, address: login.address, password }
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
        Authenticator { store, hasher, throttle: Throttle::default() }
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
        let result = self.check(peer, user, password).await;
        let result = match result {
            Ok(login) => login.map(Account::of).ok_or_else(|| {
                let now = Instant::now();
                let delay = self.throttle.failed(peer, base_delay, now);
                LoginError::Credentials { answer_at: hold_back(started, delay, now) }
            }),
            Err(error) => Err(error),
        };
        match &result {
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
        result
    }

    /// Whether a login still holds: the account is in service, and its password is the one that was given.
    pub(crate) async fn holds(&self, account: &Account) -> Result<bool, mailwright_store::Error> {
        let login = self.store.accounts().lookup_login(&account.address).await?;
        Ok(login.is_some_and(|login| login.active && Account::of(login) == *account))
    }

    /// Begins an AUTH command; `None` for a mechanism that is not offered. `bindings` are those of the TLS connection.
    pub(crate) fn begin(&self, mechanism: &str, bindings: Option<Bindings>) -> Option<Exchange> {
        Some(Exchange { server: Server::start(mechanism, bindings)? })
    }

    /// Takes a response (`None`: the command had no initial one) and says what comes next.
    pub(crate) async fn advance(
        &self,
        exchange: &mut Exchange,
        peer: IpAddr,
        response: Option<Response>,
        base_delay: Duration,
    ) -> Turn {
        match exchange.server.respond(response) {
            Step::Challenge(challenge) => Turn::Challenge(challenge),
            Step::Malformed => Turn::Failed(LoginError::Malformed),
            Step::Verify { user, password } => match self.login(peer, &user, password, base_delay).await {
                Ok(account) => Turn::Done(account),
                Err(error) => Turn::Failed(error),
            },
        }
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
        let login = match canonical(user) {
            Some(address) => self.store.accounts().lookup_login(&address).await.map_err(|error| {
                tracing::error!(%error, "login lookup failed");
                LoginError::Unavailable
            })?,
            None => None,
        };
        let stored = login.as_ref().and_then(|login| login.hash.as_deref()).and_then(|stored| {
            let parsed = PasswordHash::parse(stored);
            if let Err(error) = &parsed {
                tracing::warn!(user, %error, "stored password is not usable");
            }
            parsed.ok()
        });
        let verified = self.hasher.verify(stored, password).await.ok_or(LoginError::Unavailable)?;
        match login {
            Some(login) if verified && login.active => {
                // Written at most once an hour; a login does not wait for it and does not fail with it.
                let (store, account) = (Arc::clone(&self.store), login.account);
                tokio::spawn(async move { store.accounts().record_login(account).await });
                Ok(Some(login))
            }
            Some(_) if verified => Err(LoginError::Disabled),
            _ => Ok(None),
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

#[cfg(test)]
mod tests;
