//! LIST and LSUB: all folders and subscriptions of an account (RFC 3501 §6.3.8, §6.3.9). Wildcards are the protocol's.

use std::collections::BTreeMap;

use sqlx::Row;

use crate::account::AccountId;
use crate::error::Result;
use crate::mailbox::folder::special_use;
use crate::mailbox::name::{INBOX, inferiors};
use crate::mailbox::{Folder, FolderId, Listing, sql};
use crate::store::Store;

pub(super) async fn list(store: &Store, account: AccountId) -> Result<Listing> {
    let rows = sqlx::query(sql::LIST).bind(account.0).fetch_all(&store.readers).await?;
    let mut folders = BTreeMap::new();
    let mut subscriptions = Vec::new();
    for row in rows {
        let name: String = row.try_get(1)?;
        let Some(id) = row.try_get(0)? else {
            subscriptions.push(name);
            continue;
        };
        let special_use = special_use(row.try_get(2)?)?;
        let noselect = row.try_get(3)?;
        let folder = Folder {
            id: FolderId(id),
            name: name.clone(),
            special_use,
            subscribed: false,
            noselect,
            has_children: false,
        };
        folders.insert(name, folder);
    }
    subscriptions.sort();
    Ok(Listing { folders: finish(folders, &subscriptions), subscriptions })
}

/// Children, subscriptions, and INBOX at the top.
fn finish(folders: BTreeMap<String, Folder>, subscriptions: &[String]) -> Vec<Folder> {
    let has_children = |name: &str| {
        let (low, high) = inferiors(name);
        folders.range(low..high).next().is_some()
    };
    let mut listed: Vec<Folder> = folders
        .values()
        .map(|folder| Folder {
            has_children: has_children(&folder.name),
            subscribed: subscriptions.binary_search(&folder.name).is_ok(),
            ..folder.clone()
        })
        .collect();
    listed.sort_by_key(|folder| folder.name != INBOX);
    listed
}
