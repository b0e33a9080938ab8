//! Verified commits: who signed a revision, and whether it may follow the last one. Pure: what was read comes in.
//!
//! Owns the modes, the keys that are believed (SSH and OpenPGP), the rewind protection, and the words of a refusal. It
//! leaves out reading objects (`git`) and keeping what was taken last, which is [`Last`], given and handed back.
//!
//! A signature is judged at the time that the commit gives, with the keys that are believed now: a commit in a window of
//! validity that has closed stays good, but a key that was taken out signs nothing new.

mod allowed_signers;
mod judge;
mod keys;
mod last;
mod openpgp;
mod pattern;
mod refusal;
mod signature;
mod ssh;

pub use allowed_signers::LineError;
pub use judge::{Read, Since, Taken, judge};
pub use keys::{ALLOWED_SIGNERS, Keys, KeysError, OPENPGP_SUFFIX};
pub use last::{Last, LastError};
pub use openpgp::KeyFileError;
pub use refusal::{Reason, Refused};

/// What must be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// The commit that is taken.
    Head,
    /// The annotated tag that names it.
    Tag,
    /// Both.
    TagAndHead,
    /// Every commit since the last one that was verified, on all sides of merges.
    #[default]
    Range,
}

/// How revisions are verified.
#[derive(Debug, Clone, Default)]
pub struct Verification {
    /// What must be signed.
    pub mode: Mode,
    /// By whom.
    pub keys: Keys,
}

/// Commits that are looked at between two revisions: some years of a busy repository. More, and a person should look.
pub const MAX_COMMITS: usize = 10_000;
