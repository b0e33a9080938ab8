//! What is followed: a branch, a tag, the highest tag of a range, or one commit.

use std::fmt;

use semver::VersionReq;

/// What of a repository is followed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Reference {
    /// The remote's default branch.
    #[default]
    Default,
    /// A branch of this name, else a tag; or a full name (`refs/…`).
    Named(String),
    /// A branch.
    Branch(String),
    /// A tag; an annotated one leads to its commit.
    Tag(String),
    /// The highest tag whose name is a version (`v1.2.3` or `1.2.3`) within the range.
    Semver(VersionReq),
    /// One commit, which never moves.
    Commit(CommitId),
}

/// A commit, as 40 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommitId(String);

/// What is wrong with the name of a revision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Not a version range.
    #[error("{0:?} is not a range of versions; write one like \">=1.2.0, <2.0.0\", \"1.x\" or \"~1.4\"")]
    Range(String),
    /// Not a whole commit id.
    #[error("{0:?} is not a commit; write all of its 40 hexadecimal digits")]
    Commit(String),
}

impl Reference {
    /// A range of versions; comparators are separated by commas or spaces.
    pub fn semver(range: &str) -> Result<Reference, ReferenceError> {
        let wrong = || ReferenceError::Range(range.chars().take(100).collect());
        let mut commas = String::new();
        for word in range.split([',', ' ']).filter(|word| !word.is_empty()) {
            let goes_on = commas.is_empty() || commas.ends_with(['<', '>', '=', '~', '^']);
            commas = commas + if goes_on { "" } else { "," } + word;
        }
        let parsed = VersionReq::parse(&commas).map_err(|_| wrong())?;
        if commas.is_empty() { Err(wrong()) } else { Ok(Reference::Semver(parsed)) }
    }

    /// One commit by its whole id.
    pub fn commit(id: &str) -> Result<Reference, ReferenceError> {
        let found = CommitId::parse(&id.to_ascii_lowercase()).map(Reference::Commit);
        found.ok_or_else(|| ReferenceError::Commit(id.chars().take(100).collect()))
    }
}

/// As it is told to people, and as the name of a cache.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Default => f.write_str("the default branch"),
            Reference::Named(name) => write!(f, "branch or tag {name}"),
            Reference::Branch(name) => write!(f, "branch {name}"),
            Reference::Tag(name) => write!(f, "tag {name}"),
            Reference::Semver(range) => write!(f, "a tag within {range}"),
            Reference::Commit(id) => write!(f, "commit {id}"),
        }
    }
}

impl CommitId {
    /// Exactly 40 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<CommitId> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (text.len() == 40 && text.bytes().all(hex)).then(|| CommitId(text.to_owned()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_written_with_commas_or_spaces() {
        let table = [
            (">=1.2.0, <2.0.0", Some(">=1.2.0, <2.0.0")),
            (">=1.2.0 <2.0.0", Some(">=1.2.0, <2.0.0")),
            (">= 1.2.0 < 2.0.0", Some(">=1.2.0, <2.0.0")),
            ("1.x", Some("1.*")),
            ("~1.4", Some("~1.4")),
            ("1.2.3", Some("^1.2.3")),
            ("*", Some("*")),
            ("", None),
            ("one", None),
            ("1.0 || 2.0", None),
            (">=1.0 -", None),
        ];
        for (text, expected) in table {
            let read = Reference::semver(text);
            let shown = match &read {
                Ok(Reference::Semver(range)) => Some(range.to_string()),
                _ => None,
            };
            assert_eq!(shown.as_deref(), expected, "{text}");
            let told = read.map_err(|error| error.to_string().contains("is not a range of versions; write"));
            assert!(told.is_ok() || told == Err(true));
        }
    }

    #[test]
    fn commits_are_named_whole() {
        let id = "1d3fcd5ced445d1abc402225c0b8a1299641f497";
        assert_eq!(Reference::commit(id), Ok(Reference::Commit(CommitId(id.to_owned()))));
        assert_eq!(Reference::commit(&id.to_uppercase()), Reference::commit(id));
        for wrong in ["", "main", &id[..39], &format!("{id}0"), "g".repeat(40).as_str()] {
            let error = Reference::commit(wrong).unwrap_err().to_string();
            assert!(error.ends_with("is not a commit; write all of its 40 hexadecimal digits"), "{error}");
        }
    }

    #[test]
    fn a_reference_is_told_in_words() {
        let commit = Reference::commit(&"a".repeat(40)).unwrap();
        let table = [
            (Reference::Default, "the default branch".to_owned()),
            (Reference::Named("x".to_owned()), "branch or tag x".to_owned()),
            (Reference::Branch("main".to_owned()), "branch main".to_owned()),
            (Reference::Tag("v1".to_owned()), "tag v1".to_owned()),
            (Reference::semver("1.x").unwrap(), "a tag within 1.*".to_owned()),
            (commit, format!("commit {}", "a".repeat(40))),
        ];
        for (reference, expected) in table {
            assert_eq!(reference.to_string(), expected);
        }
    }
}
