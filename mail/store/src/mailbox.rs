//! Folders of an account ("mailboxes" in RFC 3501 §5.1): names, hierarchy, subscriptions, status, selecting.
//!
//! Names are UTF-8 here; modified UTF-7 is the protocol's affair. The hierarchy separator is `/`. `INBOX` is
//! case-insensitive as a first component, everything else is compared exactly. Every superior of a folder exists, if
//! only as \Noselect.

use crate::account::AccountId;
use crate::error::Result;
use crate::store::MailStore;

mod create;
mod delete;
mod folder;
mod list;
mod name;
mod rename;
mod select;
mod sql;
mod status;
mod subscribe;

pub use folder::{Folder, FolderId, Listing, Selected, SpecialUse, Status};
pub use name::{DEPTH_MAX, FOLDERS_MAX, NAME_MAX, NameError, SUBSCRIPTIONS_MAX};

pub(crate) use folder::{first_folders, keywords, keywords_json};
pub(crate) use name::canonical;

impl MailStore<'_> {
    /// All folders and subscriptions of an account.
    pub async fn list(&self, account: AccountId) -> Result<Listing> {
        list::list(self.store, account).await
    }

    /// Makes a folder and its missing superiors (RFC 3501 §6.3.3); a trailing `/` is dropped.
    pub async fn create(&self, account: AccountId, name: &str) -> Result<FolderId> {
        let name = canonical(name.strip_suffix('/').unwrap_or(name))?;
        self.store.write(create::Create { account, name }).await
    }

    /// RFC 3501 §6.3.4: with inferiors the mail goes and the name stays as \Noselect; INBOX is refused.
    pub async fn delete(&self, account: AccountId, name: &str) -> Result<()> {
        let Ok(name) = canonical(name) else { return Err(crate::Error::NoSuchFolder) };
        self.store.write(delete::Delete { account, name }).await
    }

    /// RFC 3501 §6.3.5: inferiors follow; renaming INBOX moves its messages to a new folder.
    pub async fn rename(&self, account: AccountId, from: &str, to: &str) -> Result<()> {
        let Ok(from) = canonical(from) else { return Err(crate::Error::NoSuchFolder) };
        let to = canonical(to.strip_suffix('/').unwrap_or(to))?;
        self.store.write(rename::Rename { account, from, to }).await
    }

    /// Adds a name to the subscription list; it need not exist.
    pub async fn subscribe(&self, account: AccountId, name: &str) -> Result<()> {
        self.store.write(subscribe::Subscribe { account, name: canonical(name)? }).await
    }

    /// Takes a name off the subscription list.
    pub async fn unsubscribe(&self, account: AccountId, name: &str) -> Result<()> {
        let Ok(name) = canonical(name) else { return Ok(()) };
        self.store.write(subscribe::Unsubscribe { account, name }).await
    }

    /// STATUS by name.
    pub async fn status(&self, account: AccountId, name: &str) -> Result<Status> {
        status::status(self.store, account, name).await
    }

    /// Opens a folder. `claim_recent` (SELECT, not EXAMINE) takes the \Recent messages for this session.
    pub async fn select(&self, account: AccountId, name: &str, claim_recent: bool) -> Result<Selected> {
        select::select(self.store, account, name, claim_recent).await
    }

    /// Bytes used and allowed (None: no limit).
    pub async fn usage(&self, account: AccountId) -> Result<(u64, Option<u64>)> {
        status::usage(self.store, account).await
    }
}
