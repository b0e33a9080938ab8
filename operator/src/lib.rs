//! Sources, reconcilers and platforms.
