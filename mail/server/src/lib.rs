//! Listeners, TLS, authentication and the management API; drives the protocol machines on tokio.
pub mod auth;
