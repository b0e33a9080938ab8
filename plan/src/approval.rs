//! Who lets a plan through: the mode of a source, approvals as they were given, and which of them names this plan.
//!
//! An approval is a digest and nothing else. It dies by itself when the plan changes, because the plan's digest then is
//! another; that is all there is to revoking one. Leaves out what a guard holds (`guard`) and where approvals come from.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::{self, SHORT, short};

/// The trailer of a commit that approves a plan: `Mailwright-Approve: <digest>`.
pub const TRAILER: &str = "Mailwright-Approve";

/// Characters of a whole digest.
const WHOLE: usize = 64;

/// Approvals that are looked at for one plan. Two plans of two people are everyday; a list of hundreds is somebody guessing.
pub const MAX_APPROVALS: usize = 64;

/// What it takes for a plan to be applied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Approval {
    /// Guards hold, and only other manifests let go what they hold: no approval counts.
    Never,
    /// Guards hold until their plan is approved; everything else is applied at once.
    #[default]
    OnGuard,
    /// Nothing at all is applied before its plan is approved, a new mailbox as little as a removal: whoever approves sees the
    /// whole plan and approves the whole plan.
    Always,
}

/// The way an approval came.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "via", rename_all = "camelCase")]
pub enum Via {
    /// `--approve` on the command line of the program that applies.
    Flag,
    /// `mailwright approve`, told to a running process.
    Command,
    /// A trailer of a commit.
    Trailer {
        /// The commit.
        commit: String,
    },
    /// The annotation `mailwright.dev/approve`.
    Annotation {
        /// The object that carries it, as `mailserver mail/main`.
        object: String,
    },
}

/// One approval as it was given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Given {
    /// The digest, or at least its first 16 characters.
    pub digest: String,
    /// Who gave it, as far as the way it came tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// How it was given.
    #[serde(flatten)]
    pub via: Via,
}

impl From<String> for Given {
    /// An approval on the command line.
    fn from(digest: String) -> Self {
        Self { digest, by: None, via: Via::Flag }
    }
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.via {
            Via::Flag => f.write_str("--approve")?,
            Via::Command => f.write_str("mailwright approve")?,
            Via::Trailer { commit } => write!(f, "trailer of commit {}", commit.get(..12).unwrap_or(commit))?,
            Via::Annotation { object } => write!(f, "annotation of {object}")?,
        }
        match &self.by {
            Some(by) => write!(f, " by {by}"),
            None => Ok(()),
        }
    }
}

/// Why a text approves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    /// It would name too many plans.
    #[error(
        "{given} names no plan: give the digest that the plan prints, at least its first {SHORT} characters"
    )]
    TooShort {
        /// What was given.
        given: String,
    },
    /// It is no digest.
    #[error(
        "what was given is no digest of a plan: give the 16 to 64 hexadecimal digits that the plan prints"
    )]
    NotADigest,
}

/// The digest in an approval as it was typed: lower case, without blanks around it.
pub fn parse(text: &str) -> Result<String, ApprovalError> {
    let text = text.trim();
    if text.is_empty() || text.len() > WHOLE || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(ApprovalError::NotADigest);
    }
    if text.len() < SHORT {
        return Err(ApprovalError::TooShort { given: text.to_owned() });
    }
    Ok(text.to_ascii_lowercase())
}

/// What approvals came to for one plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Standing {
    /// The mode the plan was made in.
    pub mode: Approval,
    /// The approval that names this plan and lets go what can be let go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
    /// Approvals that name another plan, while this one waits for its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stale: Vec<String>,
}

impl Standing {
    /// What to say to those who approved something else; `None` when nobody did.
    pub fn complaint(&self, digest: &str) -> Option<String> {
        let stale: Vec<String> = self.stale.iter().map(|given| format!("{}…", short(given))).collect();
        (!stale.is_empty()).then(|| {
            format!(
                "approved {}, but the plan is {}… now: what changed since has to be looked at and approved again",
                stale.join(" and "),
                short(digest)
            )
        })
    }
}

/// Which of the approvals names the plan of this digest.
pub fn accepted<'a>(mode: Approval, approved: &'a [String], digest: &str) -> Option<&'a str> {
    if mode == Approval::Never {
        return None;
    }
    let mut candidates = approved.iter().take(MAX_APPROVALS).map(String::as_str);
    candidates.find(|approval| digest::approves(approval, digest))
}

/// The approvals that are digests at all; another text is not repeated to anybody.
pub fn readable(approved: &[String]) -> Vec<String> {
    approved.iter().take(MAX_APPROVALS).filter_map(|approval| parse(approval).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_approves_is_a_digest_and_long_enough() {
        let whole = "0123456789ABCDEF".repeat(4);
        for (text, expected) in [
            ("0123456789abcdef", Ok("0123456789abcdef".to_owned())),
            (" 0123456789ABCDEF01\n", Ok("0123456789abcdef01".to_owned())),
            (whole.as_str(), Ok(whole.to_lowercase())),
            ("0123456789abcde", Err(ApprovalError::TooShort { given: "0123456789abcde".into() })),
            ("", Err(ApprovalError::NotADigest)),
            ("the plan of yesterday", Err(ApprovalError::NotADigest)),
            ("0123456789abcdeg", Err(ApprovalError::NotADigest)),
            (&format!("{whole}0"), Err(ApprovalError::NotADigest)),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn an_approval_names_one_plan() {
        let digest = "0123456789abcdef".repeat(4);
        let other = "fedcba9876543210".to_owned();
        let short = digest[..16].to_owned();
        for (mode, approved, expected) in [
            (Approval::OnGuard, vec![], None),
            (Approval::OnGuard, vec![other.clone()], None),
            (Approval::OnGuard, vec![other.clone(), short.clone()], Some(short.as_str())),
            (Approval::Always, vec![digest.clone()], Some(digest.as_str())),
            (Approval::Never, vec![digest.clone(), short.clone()], None),
            (Approval::Always, vec![digest[..15].to_owned()], None),
        ] {
            assert_eq!(accepted(mode, &approved, &digest), expected, "{mode:?} {approved:?}");
        }
        let beyond: Vec<String> = std::iter::repeat_n(other, MAX_APPROVALS).chain([short]).collect();
        assert_eq!(accepted(Approval::OnGuard, &beyond, &digest), None);
    }

    #[test]
    fn who_approved_and_how_is_told_and_travels() {
        let given = |via, by: Option<&str>| Given {
            digest: "0123456789abcdef".into(),
            by: by.map(str::to_owned),
            via,
        };
        let commit = "1a2b3c4d5e6f7081920a1b2c3d4e5f6071829300".to_owned();
        for (given, text) in [
            (Given::from("0123456789abcdef".to_owned()), "--approve"),
            (given(Via::Command, Some("uid 1000")), "mailwright approve by uid 1000"),
            (
                given(Via::Trailer { commit }, Some("alice <alice@example.test>")),
                "trailer of commit 1a2b3c4d5e6f by alice <alice@example.test>",
            ),
            (
                given(Via::Annotation { object: "mailserver mail/main".into() }, None),
                "annotation of mailserver mail/main",
            ),
        ] {
            assert_eq!(given.to_string(), text);
            let wire = serde_json::to_string(&given).unwrap();
            assert_eq!(serde_json::from_str::<Given>(&wire).unwrap(), given, "{wire}");
        }
    }
}
