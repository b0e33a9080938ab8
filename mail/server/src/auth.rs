//! Who may log in.
pub mod hash;
