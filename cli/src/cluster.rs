//! The executable as a client of a Kubernetes API server: how it finds one, what `kubectl mailwright` shows of it, and how
//! the operator reaches pods.

pub mod access;
pub mod approve;
pub mod dns;
pub mod exec;
pub mod objects;
pub mod plan;
pub mod remote;
pub mod status;
pub mod why;
