//! What of a repository is followed: a branch, a tag, the newest of a range of versions, or one commit. Names are as
//! `git check-ref-format` has them.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::scalar::{Refusal, Scalar, quote, scalar_traits};
use crate::schema::matches;

/// Longer than any name that a file system keeps.
pub(super) const MAX_REFERENCE: u32 = 255;

/// What is followed.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new(
        "[has(self.branch), has(self.tag), has(self.semver), has(self.commit)].filter(it, it).size() == 1")
    .message("needs exactly one of branch, tag, semver and commit"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reference {
    /// A branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<RefName>,
    /// A tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<RefName>,
    /// The tag with the highest version of this range. Tags may begin with a v.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub semver: Option<VersionRange>,
    /// One commit and no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitId>,
}

/// The name of a branch or a tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefName(String);

impl RefName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What no pattern says about the name of a reference.
pub(super) const RULE: (&str, &str) = (
    "!self.contains('..') && !self.contains('@{') && !self.endsWith('.') && !self.startsWith('-') && self != '@' && \
     self.split('/').all(part, part != '' && !part.startsWith('.') && !part.endsWith('.lock'))",
    "must be a name that Git takes for a reference, like main or release/1.x",
);

/// The same.
pub(super) fn is_ref_name(text: &str) -> bool {
    let part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    !text.contains("..")
        && !text.contains("@{")
        && !text.ends_with('.')
        && !text.starts_with('-')
        && text != "@"
        && text.split('/').all(part)
}

impl Scalar for RefName {
    const WHAT: &'static str = "the name of a branch or tag";
    const PATTERN: &'static str = "^[^\\x00-\\x20\\x7F~^:?*\\[\\\\]+$";
    const MAX_LENGTH: u32 = MAX_REFERENCE;
    const RULES: &'static [(&'static str, &'static str)] = &[RULE];

    fn parse(text: &str) -> Result<RefName, Refusal> {
        if text.chars().count() > MAX_REFERENCE as usize
            || !matches(Self::PATTERN, text)
            || !is_ref_name(text)
        {
            return Err(Refusal::new(format!(
                "{} is no name that Git takes for a branch or tag",
                quote(text)
            ))
            .remedy("write it as `git branch` or `git tag` shows it, like main or release/1.x"));
        }
        Ok(RefName(text.to_owned()))
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

scalar_traits!(RefName);

/// A range of versions: `>=1.2, <2`, `^1.4`, `~2.1`, `1.x`, `*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionRange(String);

impl VersionRange {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scalar for VersionRange {
    const WHAT: &'static str = "a range of versions";
    const PATTERN: &'static str = "^(\\*|(=|>|>=|<|<=|~|\\^)? ?(0|[1-9][0-9]{0,8})(\\.(0|[1-9][0-9]{0,8}|[*xX])){0,2}\
        (, ?(=|>|>=|<|<=|~|\\^)? ?(0|[1-9][0-9]{0,8})(\\.(0|[1-9][0-9]{0,8}|[*xX])){0,2}){0,7})$";
    const MAX_LENGTH: u32 = 128;
    const RULES: &'static [(&'static str, &'static str)] = &[(
        "!self.matches('[.][*xX][.][0-9]')",
        "a version has no number after a wildcard: write 1.* or 1.2.*",
    )];

    fn parse(text: &str) -> Result<VersionRange, Refusal> {
        let fits = text.chars().count() <= Self::MAX_LENGTH as usize && matches(Self::PATTERN, text);
        if !fits || matches("[.][*xX][.][0-9]", text) {
            return Err(Refusal::new(format!("{} is not a range of versions", quote(text)))
                .remedy("write one like \">=1.2, <2\", \"^1.4\", \"~2.1\" or \"*\""));
        }
        Ok(VersionRange(text.to_owned()))
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

scalar_traits!(VersionRange);

/// The whole name of a commit, of either hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(String);

impl CommitId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scalar for CommitId {
    const WHAT: &'static str = "a commit";
    const PATTERN: &'static str = "^[0-9a-f]{40}([0-9a-f]{24})?$";
    const MIN_LENGTH: u32 = 40;
    const MAX_LENGTH: u32 = 64;
    const RULES: &'static [(&'static str, &'static str)] = &[];

    fn parse(text: &str) -> Result<CommitId, Refusal> {
        if !matches(Self::PATTERN, text) {
            return Err(Refusal::new(format!("{} is not the whole name of a commit", quote(text)))
                .remedy("write the 40 (or 64) lower-case hexadecimal digits that `git rev-parse` prints"));
        }
        Ok(CommitId(text.to_owned()))
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

scalar_traits!(CommitId);
