//! The operator on a Kubernetes API server: one process that watches resources and keeps installations as they say.
//!
//! [`options`] is what the process is told. [`process`] runs what every replica does (health, metrics, the election by
//! [`leader`] and [`lease`], a look at the installed definitions by [`crd`]) around the work of the one that leads.
//! [`keyring`] holds keys and the Secrets that resources refer to ([`secret`]).
//! [`children`] writes what a MailServer runs on.

pub mod api;
pub mod apis;
pub mod children;
pub mod client;
pub mod crd;
pub mod dkim;
pub mod http;
pub mod kept;
pub mod keyring;
pub mod leader;
pub mod lease;
pub mod management;
pub mod metrics;
pub mod names;
pub mod options;
pub mod process;
pub mod published;
pub mod secret;
pub mod timed;

pub use lease::LeaderState;
pub use options::Options;
