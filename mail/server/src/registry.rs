//! The open SMTP and IMAP sessions: listing them, asking one or all to end, and waiting until they are gone.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::auth::Account;
use crate::config::Protocol;
use crate::management::SessionInfo;

/// How long a kicked session may take to say goodbye before it is cut off: one write to a peer that still reads.
const KICK_GRACE: Duration = Duration::from_secs(5);

/// How long those who come during a drain may take to hear goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// All sessions of a server.
#[derive(Default)]
pub(crate) struct Registry {
    next: AtomicU64,
    draining: AtomicBool,
    sessions: Mutex<BTreeMap<u64, Entry>>,
    changed: Notify,
}

struct Entry {
    protocol: Protocol,
    peer: SocketAddr,
    since: DateTime<Utc>,
    tls: bool,
    user: Option<Account>,
    end: Arc<Notify>,
    task: Option<AbortHandle>,
}

/// A session's own place in the registry, left when dropped.
pub(crate) struct Handle {
    registry: Arc<Registry>,
    id: u64,
    end: Arc<Notify>,
}

impl Registry {
    /// Enters a new session.
    pub(crate) fn enter(self: &Arc<Registry>, protocol: Protocol, peer: SocketAddr) -> Handle {
        let id = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let end = Arc::new(Notify::new());
        let entry = Entry {
            protocol,
            peer,
            since: Utc::now(),
            tls: false,
            user: None,
            end: Arc::clone(&end),
            task: None,
        };
        self.sessions().insert(id, entry);
        // A session that was accepted just before the drain began must hear of it too.
        if self.is_draining() {
            end.notify_one();
        }
        Handle { registry: Arc::clone(self), id, end }
    }

    /// Notes the task of a session, so that it can be cut off.
    pub(crate) fn started(&self, id: u64, task: AbortHandle) {
        if let Some(entry) = self.sessions().get_mut(&id) {
            entry.task = Some(task);
        }
    }

    /// Every open session, oldest first.
    pub(crate) fn list(&self) -> Vec<SessionInfo> {
        let sessions = self.sessions();
        let info = |(id, entry): (&u64, &Entry)| SessionInfo {
            id: *id,
            protocol: entry.protocol,
            peer: entry.peer,
            tls: entry.tls,
            user: entry.user.as_ref().map(|user| user.address.clone()),
            since: entry.since,
        };
        sessions.iter().map(info).collect()
    }

    /// Who is logged in, each once; twice where a session began with another password.
    pub(crate) fn users(&self) -> Vec<Account> {
        let mut users: Vec<_> = self.sessions().values().filter_map(|entry| entry.user.clone()).collect();
        users.sort();
        users.dedup();
        users
    }

    /// Ends the sessions that began with this login.
    pub(crate) fn kick_account(self: &Arc<Registry>, account: &Account) {
        let of_account = |entry: &Entry| entry.user.as_ref() == Some(account);
        let ids: Vec<u64> =
            self.sessions().iter().filter(|(_, entry)| of_account(entry)).map(|(id, _)| *id).collect();
        for id in ids {
            self.kick(id);
        }
    }

    /// Asks a session to end, and cuts it off when it does not. False when there is none.
    pub(crate) fn kick(self: &Arc<Registry>, id: u64) -> bool {
        match self.sessions().get(&id) {
            Some(entry) => entry.end.notify_one(),
            None => return false,
        }
        let registry = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(KICK_GRACE).await;
            if let Some(task) = registry.sessions().get(&id).and_then(|entry| entry.task.clone()) {
                task.abort();
            }
        });
        true
    }

    /// Whether the server is shutting down.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// Asks every session to end and waits until they have or `grace` has passed. Who comes from now on is told to go at once, and
    /// not waited for. Answers the number of the youngest that was waited for.
    pub(crate) async fn drain(&self, grace: Duration) -> u64 {
        self.draining.store(true, Ordering::SeqCst);
        let last = self.next.load(Ordering::SeqCst);
        for entry in self.sessions().values() {
            entry.end.notify_one();
        }
        let _ = tokio::time::timeout(grace, self.gone(last)).await;
        last
    }

    /// Cuts off those who are left, and those who came while the others were waited for once they heard goodbye. Answers how
    /// many of them had been there before [`Registry::drain`] and did not end in time.
    pub(crate) async fn cut_off(&self, last: u64) -> usize {
        let abort = |entry: &Entry| entry.task.as_ref().inspect(|task| task.abort()).is_some();
        let late = self.sessions().range(..=last).filter(|(_, entry)| abort(entry)).count();
        if tokio::time::timeout(GOODBYE, self.gone(u64::MAX)).await.is_err() {
            self.sessions().values().for_each(|entry| {
                abort(entry);
            });
            // Aborted tasks drop their handles at their next await; a blocking one is not waited for.
            let _ = tokio::time::timeout(KICK_GRACE, self.gone(u64::MAX)).await;
        }
        late
    }

    /// Returns when no session up to this number is left.
    async fn gone(&self, last: u64) {
        loop {
            let changed = self.changed.notified();
            if self.sessions().range(..=last).next().is_none() {
                return;
            }
            changed.await;
        }
    }

    /// Every change of the map is one statement, so a poisoned lock is as good as any.
    fn sessions(&self) -> MutexGuard<'_, BTreeMap<u64, Entry>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handle {
    /// The session's number, for logs and [`crate::Management::kick`].
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Resolves when the session shall end. May be awaited again: an order is not lost, and not given twice.
    pub(crate) async fn end(&self) {
        self.end.notified().await;
    }

    /// Notes that the connection is encrypted.
    pub(crate) fn set_tls(&self) {
        if let Some(entry) = self.registry.sessions().get_mut(&self.id) {
            entry.tls = true;
        }
    }

    /// Notes who logged in, or that nobody did after all.
    pub(crate) fn set_user(&self, user: Option<&Account>) {
        if let Some(entry) = self.registry.sessions().get_mut(&self.id) {
            entry.user = user.cloned();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.registry.sessions().remove(&self.id);
        self.registry.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use mailwright_store::AccountId;

    use super::*;

    fn peer() -> SocketAddr {
        "192.0.2.1:4711".parse().unwrap()
    }

    #[tokio::test]
    async fn sessions_are_listed_until_they_are_dropped() {
        let registry = Arc::new(Registry::default());
        let first = registry.enter(Protocol::Smtp, peer());
        let second = registry.enter(Protocol::Imap, peer());
        second.set_tls();
        let alice = Account { id: AccountId(7), address: "alice@example.test".into(), version: 1 };
        second.set_user(Some(&alice));
        let listed: Vec<_> = registry.list().into_iter().map(|s| (s.id, s.protocol, s.tls, s.user)).collect();
        assert_eq!(
            listed,
            [
                (first.id(), Protocol::Smtp, false, None),
                (second.id(), Protocol::Imap, true, Some("alice@example.test".to_owned())),
            ]
        );
        assert_eq!(registry.users(), [alice]);
        drop(first);
        drop(second);
        assert!(registry.list().is_empty());
    }

    #[tokio::test]
    async fn a_kick_reaches_one_session_even_before_it_waits() {
        let registry = Arc::new(Registry::default());
        let one = registry.enter(Protocol::Imap, peer());
        let other = registry.enter(Protocol::Imap, peer());
        assert!(registry.kick(one.id()));
        one.end().await;
        assert!(tokio::time::timeout(Duration::from_millis(20), other.end()).await.is_err());
        assert!(!registry.kick(4711), "there is no such session");
    }

    #[tokio::test]
    async fn a_drain_waits_for_the_willing_and_cuts_off_the_rest() {
        let registry = Arc::new(Registry::default());
        for willing in [true, false] {
            let handle = registry.enter(Protocol::Smtp, peer());
            let id = handle.id();
            let task = tokio::spawn(async move {
                handle.end().await;
                if !willing {
                    std::future::pending::<()>().await;
                }
            });
            registry.started(id, task.abort_handle());
        }
        tokio::task::yield_now().await;
        let last = registry.drain(Duration::from_millis(100)).await;
        assert_eq!(last, 2);
        let newcomer = registry.enter(Protocol::Smtp, peer());
        newcomer.end().await;
        let task = tokio::spawn(async move {
            let _newcomer = newcomer;
            std::future::pending::<()>().await;
        });
        registry.started(3, task.abort_handle());
        assert_eq!(registry.cut_off(last).await, 1, "who came later is not counted");
        assert!(registry.list().is_empty());
    }
}
