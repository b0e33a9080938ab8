//! Errors of opening and of every mail operation; account changes have their own per-change [`crate::ChangeError`].

use std::path::PathBuf;

use crate::mailbox::NameError;

/// The result of a store operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the directory.
    #[error("{dir} is in use by another mailwright process; stop it or choose another --data directory")]
    Locked {
        /// The data directory.
        dir: PathBuf,
    },
    /// The directory or one of its files cannot be used.
    #[error("cannot use {path}: {source}")]
    Io {
        /// What was touched.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A later release changed the schema in a way that this program does not understand.
    #[error("the database needs a release that knows schema {needs}; this one knows {known}: upgrade")]
    TooNew {
        /// What the database asks for.
        needs: i64,
        /// What this program knows.
        known: i64,
    },
    /// A migration failed.
    #[error("cannot migrate the database: {0}; run the release that wrote it, or restore a backup")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// SQLite could not open or read the database.
    #[error("cannot open the database: {0}")]
    Database(#[from] sqlx::Error),
}

/// Why a store operation failed. Nothing of the operation was written when one of these is returned.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk or the database's own limit is full: a temporary failure, free some space.
    #[error("no space left in the store; free disk space")]
    NoSpace,
    /// The account's quota does not allow it.
    #[error("the account is over its quota")]
    OverQuota,
    /// The account does not exist (any more).
    #[error("no such account")]
    NoSuchAccount,
    /// The mailbox does not exist (any more).
    #[error("no such mailbox")]
    NoSuchFolder,
    /// A mailbox of this name exists.
    #[error("a mailbox of this name exists")]
    FolderExists,
    /// Another mailbox of the account has the special use (RFC 6154 §3).
    #[error("another mailbox has this special use")]
    SpecialUseTaken,
    /// The mailbox holds no messages, only inferiors (RFC 3501 §7.2.2 \Noselect).
    #[error("the mailbox cannot be selected")]
    NotSelectable,
    /// The mailbox has inferiors and is \Noselect already (RFC 3501 §6.3.4).
    #[error("the mailbox has inferior mailboxes; delete those first")]
    HasInferiors,
    /// INBOX cannot be deleted, a mailbox cannot move below itself (RFC 3501 §6.3.4, §6.3.5).
    #[error("not possible: {0}")]
    Cannot(&'static str),
    /// The mailbox name is not acceptable.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A limit of the account is reached.
    #[error("limit reached: {what} ({limit})")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How many are allowed.
        limit: u64,
    },
    /// The batch's fence is older than one that was seen: another leader has taken over.
    #[error("fenced: epoch {seen} was seen, this batch is older; another leader is in charge")]
    Fenced {
        /// The highest epoch seen.
        seen: u64,
    },
    /// The batch's fence names another database: this one was replaced, or the address leads elsewhere.
    #[error("this is database {database}, and the batch is meant for {meant}; nothing was written")]
    WrongDatabase {
        /// The one that the writer knows.
        meant: String,
        /// The one that is here.
        database: String,
    },
    /// The crash hook fired; this instance writes no more.
    #[error("crashed at a simulated crash point")]
    Crashed,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The database and the blobs disagree: a bug or a damaged disk; run the integrity check.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// A blob file could not be read or written.
    #[error("blob file: {0}")]
    Io(#[from] std::io::Error),
    /// SQLite failed in a way that is none of the above.
    #[error("database: {0}")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|e| e.code()).and_then(|c| c.parse::<u32>().ok());
        match code {
            Some(code) if is_no_space(code) => Error::NoSpace,
            _ => Error::Database(error),
        }
    }
}

/// Keeps "disk full" recognisable when a blob file cannot be written.
pub(crate) fn blob_error(error: std::io::Error) -> Error {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => Error::NoSpace,
        _ => Error::Io(error),
    }
}

/// Whether an SQLite error means that its caller should wait and try again (SQLITE_BUSY, SQLITE_LOCKED).
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|e| e.code()).and_then(|c| c.parse::<u32>().ok());
    matches!(code.map(|c| c & 0xff), Some(5 | 6))
}

/// SQLITE_FULL, and the SQLITE_IOERR_* that a write reports on a full disk: WRITE, FSYNC, DIR_FSYNC, TRUNCATE,
/// SHMOPEN, SHMSIZE, SHMMAP (the shared memory of the WAL grows, too). Read errors are not about space.
fn is_no_space(code: u32) -> bool {
    const IOERR: u32 = 10;
    let write = [3, 4, 5, 6, 18, 19, 21].map(|detail| IOERR | (detail << 8));
    code & 0xff == 13 || write.contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_and_failed_writes_are_no_space() {
        for (code, expected) in
            [(13, true), (778, true), (1034, true), (4874, true), (266, false), (5, false), (19, false)]
        {
            assert_eq!(is_no_space(code), expected, "code {code}");
        }
    }

    #[test]
    fn a_full_disk_is_told_from_other_file_errors() {
        assert!(matches!(blob_error(std::io::ErrorKind::StorageFull.into()), Error::NoSpace));
        assert!(matches!(blob_error(std::io::ErrorKind::PermissionDenied.into()), Error::Io(_)));
    }
}
