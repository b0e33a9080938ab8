//! Domains, mailboxes (accounts), credentials, aliases, ownership: the declared side written by plans, the runtime
//! side (usage, last login, disabled since, a password its owner set) kept apart from it.
//!
//! Addresses and domains are canonical here: ASCII lower case, domains as A-labels. Input is lower-cased; anything else
//! that is not canonical is refused.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::history::{Cause, Note};
use crate::store::Store;

mod address;
mod apply;
mod before;
mod change;
mod credential;
mod domain;
mod fence;
mod identity;
mod lookup;
mod mailbox;
mod new;
mod observe;
mod owner;
mod row;
mod serve;
mod server;
mod sql;

mod alias;

pub use change::{Change, ChangeError, Effect, Fence, Target};
pub use identity::Identity;
pub use row::{
    AccountId, Accounts, Alias, AliasRow, Credential, DeletionPolicy, Domain, DomainRow, Mailbox, MailboxRow,
    Management, NewCredential, NewPassword, Ownership, Senders, Server, ServerRow, SetBy,
};
pub use serve::{Login, Recipient};

/// Domains, accounts, credentials, aliases.
#[derive(Clone, Copy)]
pub struct AccountStore<'a> {
    pub(crate) store: &'a Store,
}

impl AccountStore<'_> {
    /// All rows in one snapshot.
    pub async fn observe(&self) -> Result<Accounts> {
        observe::observe(self.store).await
    }

    /// The mailboxes and aliases of these addresses, without servers and domains, in one snapshot.
    pub async fn observe_addresses(&self, addresses: &BTreeSet<String>) -> Result<Accounts> {
        observe::addresses(self.store, addresses).await
    }

    /// The change counter alone.
    pub async fn change_counter(&self) -> Result<i64> {
        Ok(sqlx::query_scalar(sql::CHANGE_COUNTER).fetch_one(&self.store.readers).await?)
    }

    /// Applies a batch in one transaction, each change in a savepoint; answers in the batch's order.
    /// A change that needs a later one of the same batch (a mailbox before its domain) is tried again after it.
    ///
    /// Deliveries wait while a batch is applied: some hundreds of changes are a good size (see [`BATCH`]).
    pub async fn apply(
        &self,
        batch: Vec<Change>,
        fence: Option<Fence>,
    ) -> Result<Vec<std::result::Result<Effect, ChangeError>>> {
        self.store
            .write(apply::Apply {
                batch,
                notes: Vec::new(),
                acts: Vec::new(),
                cause: None,
                fence,
                whole: false,
            })
            .await
    }

    /// The same, with a row of the history for every change that writes something, in its savepoint; `notes` are in the order of the
    /// batch. `acts` are noted beside it: what was done and changed no row.
    pub async fn apply_noted(
        &self,
        batch: Vec<(Change, Note)>,
        acts: Vec<Note>,
        cause: Cause,
        fence: Option<Fence>,
    ) -> Result<Vec<std::result::Result<Effect, ChangeError>>> {
        let (batch, notes) = batch.into_iter().unzip();
        self.store.write(apply::Apply { batch, notes, acts, cause: Some(cause), fence, whole: false }).await
    }

    /// The same, and when one of the changes cannot be made, none is: the others fail with [`ChangeError::NotAlone`], and nothing is
    /// noted.
    pub async fn apply_whole(
        &self,
        batch: Vec<(Change, Note)>,
        acts: Vec<Note>,
        cause: Cause,
        fence: Option<Fence>,
    ) -> Result<Vec<std::result::Result<Effect, ChangeError>>> {
        let (batch, notes) = batch.into_iter().unzip();
        self.store.write(apply::Apply { batch, notes, acts, cause: Some(cause), fence, whole: true }).await
    }

    /// Checks a fence and notes its term, for a write that is not the database's own.
    pub async fn check_fence(&self, fence: Fence) -> Result<()> {
        self.store.write(fence::Check(fence)).await
    }

    /// The UUID of this database: made with it, the same in every copy of it.
    pub async fn database_id(&self) -> Result<String> {
        Ok(sqlx::query_scalar(sql::DATABASE_ID).fetch_one(&self.store.readers).await?)
    }

    /// What an address (`local@domain` or `@domain`) is. Exactly this address: +detail is the caller's.
    pub async fn lookup_recipient(&self, address: &str) -> Result<Recipient> {
        lookup::recipient(self.store, address).await
    }

    /// The account that logs in as this address; an alias domain stands for its domain.
    pub async fn lookup_login(&self, address: &str) -> Result<Option<Login>> {
        lookup::login(self.store, address).await
    }

    /// Sets a password; `SetBy::Owner` protects it from `Management::Initial`. The history says that it was done, not what.
    pub async fn set_password(&self, address: &str, password: NewPassword, by: SetBy) -> Result<()> {
        self.store.write(credential::SetPassword { address: address::lower(address), password, by }).await
    }

    /// Keeps the same password in another way (a better hash, its SCRAM record), if its hash is still `old`; false: it is
    /// not. Keeps who set it and what was declared, and is no change for planners, sessions and watchers.
    pub async fn set_hash_keeping_owner(
        &self,
        account: AccountId,
        old: String,
        new: NewPassword,
    ) -> Result<bool> {
        self.store.write(credential::Rehash { account, old, new }).await
    }

    /// What an account may send as, out of the addresses that a message claims; `None` when it is not in service.
    pub async fn identity(&self, account: AccountId, claimed: &[String]) -> Result<Option<Identity>> {
        identity::identity(self.store, account, claimed).await
    }

    /// A random number of this installation: what unknown users are told is made from it, so that it is the same tomorrow.
    pub async fn decoy_secret(&self) -> Result<i64> {
        Ok(sqlx::query_scalar(sql::DECOY_SECRET).fetch_one(&self.store.readers).await?)
    }

    /// Notes a login; written at most once an hour per account.
    pub async fn record_login(&self, account: AccountId) -> Result<()> {
        lookup::record_login(self.store, account).await
    }
}

/// A good number of changes for one [`AccountStore::apply`]: about 50 ms of the writer.
pub const BATCH: usize = 500;
