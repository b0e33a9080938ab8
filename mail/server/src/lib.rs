//! Listeners, TLS, authentication and the management API; drives the protocol machines on tokio.
//!
//! [`Server`] runs the roles of one process; `smtp.rs` and `imap.rs` answer what the machines of `proto/` ask, out of
//! `mail/store` and `mail/flow`. [`Management`] is what the operator and the CLI talk to. Leaves out all protocol
//! grammar, all SQL and all deciding of what should be.

mod server;

mod http;
mod imap;
mod smtp;

pub mod auth;
pub mod config;
pub mod dkim;
pub mod files;
pub mod management;
pub mod queue;

mod connection;
mod context;
mod index;
mod listener;
mod metrics;
mod registry;
mod spool;
mod tls;
mod trust;

#[cfg(test)]
mod tests;

pub use config::{
    Certificate, Credentials, DkimAlgorithm, Dns, Endpoint, Limits, Listeners, Protocol, QueueSettings,
    Relay, RelayTls, Roles, Secret, ServerConfig, SigningKey, TlsMode,
};
pub use management::{Management, ManagementCertificates, ManagementClient, ManagementError};
pub use server::{LMTP_SOCKET, Server, StartError};
pub use trust::Trust;
