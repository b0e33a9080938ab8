//! Sources, reconcilers and platforms: from manifests to an account database, keys, certificates and published records.
//!
//! [`source`] reads, [`feed`] tells the planner's catalog, [`Operator`] runs passes, [`controller`] holds what a kind needs
//! beside rows, [`platform`] is where keys and zones live. Deciding is `mailwright_plan`; SQL and listeners are elsewhere.

pub mod accounts;
pub mod authority;
pub mod backoff;
pub mod certificate;
pub mod controller;
pub mod diff;
pub mod dkim;
pub mod feed;
pub mod kubernetes;
pub mod operator;
pub mod platform;
pub mod preview;
pub mod relay;
pub mod repository;
pub mod secrets;
pub mod serving;
pub mod source;
pub mod webhook;
pub mod workload;
pub mod zones;

mod approvals;
mod bounded;
mod facts;
mod records;

pub use operator::{KUBERNETES, Operator, Pass, PassError, STANDALONE};
pub use serving::Serving;
