//! The executable as a client of a Kubernetes API server: how it finds one, and what `kubectl mailwright` shows of it.

pub mod access;
pub mod remote;
