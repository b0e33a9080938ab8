//! Folders of an account ("mailboxes" in RFC 3501 §5.1): names, hierarchy, subscriptions, status, selecting.
//!
//! Names are UTF-8 here; modified UTF-7 is the protocol's affair. The hierarchy separator is `/`. `INBOX` is
//! case-insensitive as a first component, everything else is compared exactly. Every superior of a folder exists, if
//! only as \Noselect.

use crate::account::AccountId;
use crate::error::Result;
use crate::store::MailStore;

mod annotation;
mod create;
mod delete;
mod folder;
mod list;
mod name;
mod recent;
mod rename;
mod select;
mod snapshot;
mod sql;
mod status;
mod subscribe;

pub use annotation::{ANNOTATION_MAX, ANNOTATIONS_MAX, ANNOTATIONS_OCTETS};
pub use folder::{Folder, FolderId, Listing, Quota, Selected, SpecialUse, Status};
pub use name::{DEPTH_MAX, FOLDERS_MAX, NAME_MAX, NameError, SUBSCRIPTIONS_MAX};

pub(crate) use folder::{first_folders, keywords, keywords_json};
pub(crate) use name::canonical;
pub(crate) use recent::Claims;
pub(crate) use snapshot::Snapshots;

impl MailStore<'_> {
    /// All folders and subscriptions of an account.
    pub async fn list(&self, account: AccountId) -> Result<Listing> {
        list::list(self.store, account).await
    }

    /// Makes a folder and its missing superiors (RFC 3501 §6.3.3); a trailing `/` is dropped.
    pub async fn create(&self, account: AccountId, name: &str) -> Result<FolderId> {
        let name = canonical(name.strip_suffix('/').unwrap_or(name))?;
        self.store.write(create::Create { account, name, special_use: None }).await
    }

    /// [`MailStore::create`] for a special use, which no other folder of the account may have (RFC 6154 §3).
    pub async fn create_for(&self, account: AccountId, name: &str, special: SpecialUse) -> Result<FolderId> {
        let name = canonical(name.strip_suffix('/').unwrap_or(name))?;
        self.store.write(create::Create { account, name, special_use: Some(special) }).await
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

    /// A folder that messages can be in, by name. Far cheaper than its status.
    pub async fn find(&self, account: AccountId, name: &str) -> Result<FolderId> {
        select::find(self.store, account, name).await
    }

    /// Opens a folder. `claim_recent` (SELECT, not EXAMINE) takes the \Recent messages for this session.
    pub async fn select(&self, account: AccountId, name: &str, claim_recent: bool) -> Result<Selected> {
        select::select(self.store, account, name, claim_recent).await
    }

    /// Annotations of a folder, or of the account itself (RFC 5464 §3).
    pub async fn annotations(
        &self,
        account: AccountId,
        name: Option<&str>,
    ) -> Result<Vec<(String, Vec<u8>)>> {
        annotation::annotations(self.store, account, annotation::Place::of(name)?).await
    }

    /// Sets annotations of a folder or of the account, all or none; `None` removes one.
    pub async fn annotate(
        &self,
        account: AccountId,
        name: Option<&str>,
        values: Vec<(String, Option<Vec<u8>>)>,
    ) -> Result<()> {
        let octets = values.iter().filter_map(|(_, value)| value.as_ref()).map(|value| value.len() as u64);
        // Removing makes room, so it may use the reserve.
        match octets.sum() {
            0 => {}
            octets => self.store.shared.space.take(octets)?,
        }
        let place = annotation::Place::of(name)?;
        self.store.write(annotation::Annotate { account, place, values }).await
    }

    /// What an account uses of what it may.
    pub async fn quota(&self, account: AccountId) -> Result<Quota> {
        status::quota(self.store, account).await
    }

    /// Bytes used and allowed (None: no limit).
    pub async fn usage(&self, account: AccountId) -> Result<(u64, Option<u64>)> {
        status::usage(self.store, account).await
    }
}
