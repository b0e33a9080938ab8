//! The state of an installation as a file that may leave it: what a planner needs to know, and nothing that is derived from a
//! secret. With it a plan is made where there is no way to the installation, as in CI.
//!
//! It is [`Observed`] without the fingerprints of passwords, in which the only thing that is secret-derived is: whether a
//! declared password is another one than before cannot be told from it. Addresses, names, quotas and how much mail each
//! mailbox holds are in it, so it is as confidential as the manifests.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::digest::canonical;
use crate::observed::Observed;

/// What the file says it is.
const FORMAT: &str = "mailwright-state";

/// The version of the format that is written and read. Fields may be added to a version; what they mean never changes in it.
const VERSION: u32 = 1;

/// The longest file that is read: a million mailboxes are below it.
pub const LONGEST: usize = 1 << 30;

/// In place of a fingerprint: there is one, and it is not told.
pub const BLINDED: &str = "blinded";

/// A state with what it is a state of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    format: String,
    version: u32,
    /// The program that wrote it.
    pub program: String,
    /// When it was true.
    pub taken_at: DateTime<Utc>,
    /// The database that it is of; `None` where there was none yet.
    pub database: Option<String>,
    /// The rows.
    pub observed: Observed,
    /// What finds out that it was changed or cut off; no protection against somebody who means to.
    checksum: String,
}

/// Why a file is no state that can be planned against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateError {
    /// It is something else.
    Other,
    /// It is of a version that this program does not know.
    Version {
        /// The version.
        version: u64,
        /// The program that wrote it.
        program: String,
    },
    /// It was cut off or changed.
    Damaged(String),
    /// It is longer than any state.
    TooLong,
}

impl std::fmt::Display for StateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Other => f.write_str(
                "this is no state of an installation; make one with `mailwright snapshot -o FILE`",
            ),
            Self::Version { version, program } => write!(
                f,
                "it is of version {version}, written by mailwright {program}, and this is mailwright {}, which reads version \
                 {VERSION}: use the same release on both sides",
                env!("CARGO_PKG_VERSION")
            ),
            Self::Damaged(why) => {
                write!(f, "it is damaged ({why}); make it again with `mailwright snapshot -o FILE`")
            }
            Self::TooLong => write!(f, "it is longer than {LONGEST} octets, which no state is"),
        }
    }
}

impl std::error::Error for StateError {}

/// What every version says of itself.
#[derive(Deserialize)]
struct Header {
    format: String,
    version: u64,
    #[serde(default)]
    program: String,
}

impl State {
    /// What runs, without what is derived from secrets.
    pub fn of(observed: &Observed, database: Option<String>, taken_at: DateTime<Utc>) -> Self {
        let observed = blinded(observed.clone());
        let checksum = checksum(&observed);
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            taken_at,
            database,
            observed,
            checksum,
        }
    }

    /// The text of its file.
    pub fn write(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Reads a file. What a fingerprint somebody left in it says is not believed.
    pub fn read(text: &str) -> Result<Self, StateError> {
        if text.len() > LONGEST {
            return Err(StateError::TooLong);
        }
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| match text.contains(FORMAT) {
                true => StateError::Damaged(error.to_string()),
                false => StateError::Other,
            })?;
        let header = Header::deserialize(&value).ok().filter(|header| header.format == FORMAT);
        let Header { version, program, .. } = header.ok_or(StateError::Other)?;
        if version != u64::from(VERSION) {
            // It is printed, and it may be anything.
            let program = program.chars().filter(char::is_ascii_graphic).take(32).collect();
            return Err(StateError::Version { version, program });
        }
        let mut state: Self =
            serde_json::from_value(value).map_err(|error| StateError::Damaged(error.to_string()))?;
        if state.checksum != checksum(&state.observed) {
            return Err(StateError::Damaged("its checksum is of another content".to_owned()));
        }
        state.observed = blinded(state.observed);
        Ok(state)
    }
}

/// The rows without what is derived from passwords.
pub fn blinded(mut observed: Observed) -> Observed {
    for credential in observed.mailboxes.iter_mut().filter_map(|row| row.credential.as_mut()) {
        if let Some(fingerprint) = &mut credential.fingerprint {
            BLINDED.clone_into(fingerprint);
        }
    }
    observed
}

fn checksum(observed: &Observed) -> String {
    let value = serde_json::to_value(observed).unwrap_or_default();
    blake3::hash(canonical(&value).as_bytes()).to_hex().to_string()
}
