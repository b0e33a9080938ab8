//! What must hold of every history, one promise in each file.

pub mod fate;
pub mod limits;
pub mod reports;
pub mod schedule;
