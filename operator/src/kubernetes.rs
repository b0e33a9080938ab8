//! The operator on a Kubernetes API server: one process that watches resources and keeps installations as they say.
//!
//! [`options`] is what the process is told. [`process`] runs what every replica does (health, metrics, the election by
//! [`leader`] and [`lease`], a look at the installed definitions by [`crd`]) around the work of the one that leads.
//! [`work`] is that work: [`watch`] tells [`world`], [`chief`] chooses who belongs where and wakes one [`installation`] per
//! MailServer, and the [`lobby`] for those that belong to none; [`caretaker`] holds MailDomains that have addresses.
//!
//! An installation asks [`absence`] before anything goes out of service, has [`children`] write what its MailServer runs on,
//! and [`status`] what came of it; [`keyring`] holds keys and the Secrets that resources refer to ([`secret`]), and
//! [`management`] the certificates by which pods are reached. Planning and applying is [`crate::operator`]'s.
//!
//! [`repository`] follows the Git repositories that MailRepositories describe and puts what they declare in force.

pub mod absence;
pub mod api;
pub mod apis;
pub mod binding;
pub mod caretaker;
pub mod chief;
pub mod children;
pub mod client;
pub mod crd;
pub mod database;
pub mod dkim;
pub mod event;
pub mod finalizer;
pub mod http;
pub mod installation;
pub mod kept;
pub mod keyring;
pub mod leader;
pub mod lease;
pub mod lobby;
pub mod management;
pub mod metrics;
pub mod names;
pub mod options;
pub mod process;
pub mod published;
pub mod repository;
pub mod secret;
pub mod shared;
pub mod status;
pub mod timed;
pub mod unreached;
pub mod watch;
pub mod work;
pub mod workloads;
pub mod world;

pub use lease::LeaderState;
pub use options::Options;
