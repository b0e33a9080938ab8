//! What a right password makes possible: keeping it as argon2id when it came along in another scheme, and its SCRAM record.
//!
//! Beside the login, one at a time, and written only if the password is still the one that was checked: the account keeps who
//! set it and what was declared, so no planner, session or watcher sees a change.

use std::sync::Arc;

use mailwright_store::{Login, NewPassword, Store};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::hash::PasswordHash;
use super::hasher::Hasher;
use super::scram::Record;

/// Upgrades at once in this process: each holds one of the few threads that logins wait for.
static PLACE: Semaphore = Semaphore::const_new(1);
/// Upgrades that wait, some 500 octets and a password each. One too many is left to the account's next login.
static WAITING: Semaphore = Semaphore::const_new(256);

/// What is to be made of a password that was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    hash: bool,
    scram: bool,
}

fn wanted(login: &Login) -> Wanted {
    let hash = login.hash.as_deref().and_then(|hash| PasswordHash::parse(hash).ok());
    let hash = hash.is_some_and(|hash| !hash.is_current());
    let imported = login.hash.as_deref().is_some_and(|hash| Record::parse(hash).is_some());
    Wanted { hash, scram: login.scram.is_none() && !imported || hash && imported }
}

/// Starts the upgrade of an account whose password was right, if there is something to do.
pub(super) fn start(store: &Arc<Store>, hasher: &Arc<Hasher>, login: &Login, password: &[u8]) {
    let wanted = wanted(login);
    if !wanted.hash && !wanted.scram {
        return;
    }
    let Ok(waiting) = WAITING.try_acquire() else { return };
    let (store, hasher) = (Arc::clone(store), Arc::clone(hasher));
    let (login, password) = (login.clone(), Zeroizing::new(password.to_vec()));
    tokio::spawn(async move {
        let place = PLACE.acquire().await;
        upgrade(&store, &hasher, login, password, wanted).await;
        drop((place, waiting));
    });
}

async fn upgrade(store: &Store, hasher: &Hasher, login: Login, password: Zeroizing<Vec<u8>>, wanted: Wanted) {
    let Some(old) = login.hash else { return };
    let Some(made) = hasher.derive(password, wanted.hash).await else { return };
    let new = NewPassword { hash: made.hash.unwrap_or_else(|| old.clone()), scram: made.scram };
    if new.hash == old && new.scram.is_none() {
        return;
    }
    match store.accounts().set_hash_keeping_owner(login.account, old, new).await {
        Ok(true) => {
            tracing::info!(user = login.address, argon2id = wanted.hash, "password kept in a better form");
        }
        // Changed meanwhile: the new one has its own.
        Ok(false) => {}
        Err(error) => tracing::warn!(user = login.address, %error, "cannot keep a password in a better form"),
    }
}
