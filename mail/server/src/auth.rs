//! Who may log in: one question (address, password, peer) with one answer, whatever the protocol.
//!
//! The password check runs on a few threads of its own, because each costs tens of milliseconds and 19 MiB.
//! An unknown address costs as much as a known one (a dummy hash is checked), so that timing does not tell which exist.
//! Leaves out a cache of successful logins, SASL's encodings (the protocol machines decode them) and every policy beyond
//! "active account, right password".

pub mod hash;
mod hasher;
pub mod throttle;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mailwright_flow::address::sender;
use mailwright_smtp::{Mailbox, ReversePath};
use mailwright_store::{AccountId, Store};
use zeroize::Zeroizing;

use self::hash::PasswordHash;
pub(crate) use self::hasher::Hasher;
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) id: AccountId,
    /// The canonical address.
    pub(crate) address: String,
}

/// Why a login failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoginError {
    /// Unknown address or wrong password: hold the answer back this long.
    Credentials { delay: Duration },
    /// The password was right, the account is out of service.
    Disabled,
    /// Too many failures from this address, too many logins at once, or the database failed.
    Unavailable,
}

impl LoginError {
    fn name(self) -> &'static str {
        match self {
            LoginError::Credentials { .. } => "failed",
            LoginError::Disabled => "disabled",
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
        let result = self.check(peer, user, password, base_delay).await;
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

    async fn check(
        &self,
        peer: IpAddr,
        user: &str,
        password: Zeroizing<Vec<u8>>,
        base_delay: Duration,
    ) -> Result<Account, LoginError> {
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
                let store = Arc::clone(&self.store);
                tokio::spawn(async move { store.accounts().record_login(login.account).await });
                Ok(Account { id: login.account, address: login.address })
            }
            Some(_) if verified => Err(LoginError::Disabled),
            _ => {
                Err(LoginError::Credentials { delay: self.throttle.failed(peer, base_delay, Instant::now()) })
            }
        }
    }
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
