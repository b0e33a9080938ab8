//! Dying at a chosen step: a fuse that burns through at the n-th effect, and wrappers that let every effect of a pass on
//! the account database and on the platform pass it before and after.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use mailwright_operator::accounts::{Accounts, AccountsError, Record};
use mailwright_operator::certificate::PemPair;
use mailwright_operator::dkim::DkimKey;
use mailwright_operator::platform::{Issuance, Platform, PlatformError};
use mailwright_operator::relay::RelayLogin;
use mailwright_operator::secrets::Secrets;
use mailwright_operator::zones::Zone;
use mailwright_plan::observed::{Issuer, ServerDeclared};
use mailwright_plan::{Batch, BatchReply, ObjectRef, Observed};

/// The store tidies up after it was opened, by a job of its own with so many steps: it may come later than in another run, or share a
/// transaction with what comes at the same moment. So many of the last steps of one run may be missing in another.
pub const TIDYING: usize = 4;

/// Counts steps and burns through at one of them.
#[derive(Debug, Clone, Default)]
pub struct Fuse {
    steps: Arc<AtomicUsize>,
    at: Option<usize>,
    passed: Arc<Mutex<Vec<&'static str>>>,
}

impl Fuse {
    /// Burns through at step `at`, counted from 0.
    pub fn at(at: usize) -> Fuse {
        Fuse { at: Some(at), ..Fuse::default() }
    }

    /// Never burns through; counts.
    pub fn never() -> Fuse {
        Fuse::default()
    }

    /// Passes a step; true means that the process dies here. Once it died, it stays dead.
    pub fn burns(&self, step: &'static str) -> bool {
        let number = self.steps.fetch_add(1, Ordering::SeqCst);
        let dead = self.at.is_some_and(|at| number >= at);
        if !dead {
            self.passed.lock().expect("no test panics inside").push(step);
        }
        dead
    }

    /// Whether it burnt through.
    pub fn burnt(&self) -> bool {
        self.at.is_some_and(|at| self.steps.load(Ordering::SeqCst) > at)
    }

    /// The names of the steps that were passed.
    pub fn passed(&self) -> Vec<&'static str> {
        self.passed.lock().expect("no test panics inside").clone()
    }
}

/// Something whose effects pass a fuse.
#[derive(Debug, Clone)]
pub struct Stepped<T> {
    inner: T,
    fuse: Fuse,
}

impl<T> Stepped<T> {
    /// Wraps.
    pub fn new(inner: T, fuse: Fuse) -> Stepped<T> {
        Stepped { inner, fuse }
    }

    fn account_step(&self, step: &'static str) -> Result<(), AccountsError> {
        if self.fuse.burns(step) { Err(AccountsError::refused(format!("died at {step}"))) } else { Ok(()) }
    }

    fn platform_step(&self, step: &'static str) -> Result<(), PlatformError> {
        let died = || PlatformError::Damaged { path: step.to_owned(), reason: "died".to_owned() };
        if self.fuse.burns(step) { Err(died()) } else { Ok(()) }
    }
}

impl<A: Accounts> Accounts for Stepped<A> {
    async fn observe(&self) -> Result<Observed, AccountsError> {
        self.inner.observe().await
    }

    async fn observe_since(&self, change_counter: Option<u64>) -> Result<Option<Observed>, AccountsError> {
        self.inner.observe_since(change_counter).await
    }

    async fn observe_addresses(
        &self,
        addresses: &BTreeSet<String>,
    ) -> Result<Option<Observed>, AccountsError> {
        self.inner.observe_addresses(addresses).await
    }

    async fn apply(&self, batch: Batch) -> Result<BatchReply, AccountsError> {
        self.account_step("accounts.apply.before")?;
        let reply = self.inner.apply(batch).await?;
        self.account_step("accounts.apply.after")?;
        Ok(reply)
    }

    async fn record_keys(&self) -> Result<Vec<ObjectRef>, AccountsError> {
        self.inner.record_keys().await
    }

    async fn records(&self, objects: Vec<ObjectRef>) -> Result<Vec<Record>, AccountsError> {
        self.inner.records(objects).await
    }

    async fn records_version(&self) -> Result<Option<u64>, AccountsError> {
        self.inner.records_version().await
    }

    async fn put_records(&self, records: Vec<Record>) -> Result<usize, AccountsError> {
        self.account_step("accounts.put-records.before")?;
        let written = self.inner.put_records(records).await?;
        self.account_step("accounts.put-records.after")?;
        Ok(written)
    }

    async fn forget(&self, objects: Vec<ObjectRef>) -> Result<(), AccountsError> {
        self.account_step("accounts.forget.before")?;
        self.inner.forget(objects).await?;
        self.account_step("accounts.forget.after")
    }
}

impl<P: Platform> Platform for Stepped<P> {
    fn fingerprint_key(&self) -> Result<[u8; 32], PlatformError> {
        self.inner.fingerprint_key()
    }

    fn recall(&self, wanted: &BTreeSet<(String, String)>) -> Result<Secrets, PlatformError> {
        self.inner.recall(wanted)
    }

    fn dkim_keys(&self, domain: &str) -> Result<Vec<DkimKey>, PlatformError> {
        self.inner.dkim_keys(domain)
    }

    fn put_dkim_key(&self, domain: &str, key: &DkimKey) -> Result<DkimKey, PlatformError> {
        self.platform_step("platform.put-dkim-key.before")?;
        let kept = self.inner.put_dkim_key(domain, key)?;
        self.platform_step("platform.put-dkim-key.after")?;
        Ok(kept)
    }

    fn certificate(&self, server: &str) -> Result<Option<PemPair>, PlatformError> {
        self.inner.certificate(server)
    }

    fn put_certificate(&self, server: &str, pair: &PemPair) -> Result<(), PlatformError> {
        self.platform_step("platform.put-certificate.before")?;
        self.inner.put_certificate(server, pair)?;
        self.platform_step("platform.put-certificate.after")
    }

    fn request_certificate(
        &self,
        server: &ServerDeclared,
        issuer: &Issuer,
    ) -> Result<Issuance, PlatformError> {
        self.inner.request_certificate(server, issuer)
    }

    fn release_certificate(&self, server: &str) -> Result<(), PlatformError> {
        self.inner.release_certificate(server)
    }

    fn relay_login(&self, server: &str) -> Result<Option<RelayLogin>, PlatformError> {
        self.inner.relay_login(server)
    }

    fn put_relay_login(&self, server: &str, login: &RelayLogin) -> Result<(), PlatformError> {
        self.platform_step("platform.put-relay-login.before")?;
        self.inner.put_relay_login(server, login)?;
        self.platform_step("platform.put-relay-login.after")
    }

    fn forget_relay_login(&self, server: &str) -> Result<(), PlatformError> {
        self.platform_step("platform.forget-relay-login.before")?;
        self.inner.forget_relay_login(server)?;
        self.platform_step("platform.forget-relay-login.after")
    }

    fn publish_zones(&self, domain: &str, zones: &[Zone]) -> Result<(), PlatformError> {
        self.platform_step("platform.publish-zone.before")?;
        self.inner.publish_zones(domain, zones)?;
        self.platform_step("platform.publish-zone.after")
    }

    fn published_zones(&self) -> Result<Vec<String>, PlatformError> {
        self.inner.published_zones()
    }

    fn withdraw_zones(&self, domain: &str) -> Result<(), PlatformError> {
        self.platform_step("platform.withdraw-zone.before")?;
        self.inner.withdraw_zones(domain)?;
        self.platform_step("platform.withdraw-zone.after")
    }
}
