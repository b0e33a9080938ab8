//! Sources, reconcilers and platforms.

pub mod source;
