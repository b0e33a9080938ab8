//! The operator on a Kubernetes API server: one process that watches resources and keeps installations as they say.
//!
//! [`options`] is what the process is told, [`lease`] decides which of several processes leads.

pub mod lease;
pub mod options;

pub use lease::LeaderState;
pub use options::Options;
