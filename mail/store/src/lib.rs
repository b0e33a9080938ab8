//! Accounts, mailboxes, messages and blobs in one database; the only place with SQL.
