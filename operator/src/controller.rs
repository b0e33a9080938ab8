//! One file per kind that needs more than rows of the account database: what a pass observes on the platform, decides
//! and does for it. Aliases need nothing more.

pub mod mail_domain;
pub mod mail_server;
pub mod mailbox;
