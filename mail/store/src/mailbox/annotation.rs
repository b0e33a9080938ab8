//! Annotations of folders and of accounts (RFC 5464 §3): small values by name, set together or not at all.

use serde_json::Value;
use sqlx::Row;

use crate::account::AccountId;
use crate::commit::{Tx, Verb};
use crate::error::{Error, Result};
use crate::mailbox::{canonical, sql};
use crate::store::Store;

/// Octets of one value: a comment, a filter, a client's settings.
pub const ANNOTATION_MAX: usize = 64 * 1024;
/// Annotations of an account and all its folders; setting one counts them.
pub const ANNOTATIONS_MAX: u64 = 1000;
/// Octets of all of them: no quota counts them, and a question for a folder's answers them at once.
pub const ANNOTATIONS_OCTETS: u64 = 1024 * 1024;

/// Whose annotations.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Account,
    /// A canonical name.
    Folder(String),
}

impl Place {
    pub(super) fn of(name: Option<&str>) -> Result<Place> {
        match name.map(canonical) {
            None => Ok(Place::Account),
            Some(Ok(name)) => Ok(Place::Folder(name)),
            Some(Err(_)) => Err(Error::NoSuchFolder),
        }
    }
}

/// All annotations of a place, by name.
pub(super) async fn annotations(
    store: &Store,
    account: AccountId,
    place: Place,
) -> Result<Vec<(String, Vec<u8>)>> {
    let rows = match place {
        Place::Account => {
            sqlx::query(sql::ACCOUNT_ANNOTATIONS).bind(account.0).fetch_all(&store.readers).await?
        }
        Place::Folder(name) => {
            let query = sqlx::query(sql::FOLDER_ANNOTATIONS).bind(account.0).bind(name);
            let rows = query.fetch_all(&store.readers).await?;
            // The folder itself is a row, its name NULL where it has no annotation.
            if rows.is_empty() {
                return Err(Error::NoSuchFolder);
            }
            rows
        }
    };
    let mut annotations = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(name) = row.try_get(0)? {
            annotations.push((name, row.try_get(1)?));
        }
    }
    Ok(annotations)
}

pub(super) struct Annotate {
    pub(super) account: AccountId,
    pub(super) place: Place,
    /// `None` removes.
    pub(super) values: Vec<(String, Option<Vec<u8>>)>,
}

impl Verb for Annotate {
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<()> {
        let folder = match &self.place {
            Place::Account => None,
            Place::Folder(name) => {
                let query = sqlx::query(sql::FOLDER_ID).bind(self.account.0).bind(name.clone());
                Some(tx.row(query).await?.ok_or(Error::NoSuchFolder)?.try_get::<i64, _>(0)?)
            }
        };
        let names = Value::from_iter(self.values.iter().map(|(name, _)| name.as_str())).to_string();
        let owner = folder.unwrap_or(self.account.0);
        let (remove, set) = match folder {
            Some(_) => (sql::REMOVE_FOLDER_ANNOTATIONS, sql::SET_FOLDER_ANNOTATION),
            None => (sql::REMOVE_ACCOUNT_ANNOTATIONS, sql::SET_ACCOUNT_ANNOTATION),
        };
        tx.run(sqlx::query(remove).bind(owner).bind(names)).await?;
        for (name, value) in &self.values {
            let Some(value) = value else { continue };
            if value.len() > ANNOTATION_MAX {
                let limit = ANNOTATION_MAX as u64;
                return Err(Error::Limit { what: "octets of an annotation", limit });
            }
            tx.run(sqlx::query(set).bind(owner).bind(name.clone()).bind(value.clone())).await?;
        }
        let row = tx.row(sqlx::query(sql::COUNT_ANNOTATIONS).bind(self.account.0)).await?;
        let row = row.ok_or(Error::NoSuchAccount)?;
        let (count, octets): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        match (count.unsigned_abs() > ANNOTATIONS_MAX, octets.unsigned_abs() > ANNOTATIONS_OCTETS) {
            (true, _) => Err(Error::Limit { what: "annotations of an account", limit: ANNOTATIONS_MAX }),
            (_, true) => {
                Err(Error::Limit { what: "octets of annotations of an account", limit: ANNOTATIONS_OCTETS })
            }
            _ => Ok(()),
        }
    }
}
