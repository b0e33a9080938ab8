//! Which of a repository's references is meant: pure, over a list of them, wherever the list comes from.

use globset::{GlobBuilder, GlobMatcher};
use semver::Version;

use super::super::{CommitId, Reference};
use super::GitError;
use super::upload_pack::{Ask, RemoteRef};

/// The longest pattern; each is compiled, and a reference's name is not longer.
const MAX_PATTERN: usize = 250;

/// What was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen {
    /// As it is shown: `main`, `v1.2.3`, the commit's id.
    pub name: String,
    /// What is to be fetched: a commit or an annotated tag.
    pub object: CommitId,
    /// The commit, as far as the server told it.
    pub commit: CommitId,
}

/// What a server is asked about.
pub(super) fn ask(reference: &Reference) -> Ask {
    Ask::Refs(match reference {
        Reference::Commit(id) => return Ask::Commit(id.clone()),
        Reference::Semver(_) => vec!["refs/tags/".to_owned()],
        other => names(other),
    })
}

/// The full names that are tried, the best first.
fn names(reference: &Reference) -> Vec<String> {
    match reference {
        Reference::Default => vec!["HEAD".to_owned()],
        Reference::Named(name) if name.starts_with("refs/") => vec![name.clone()],
        Reference::Named(name) => vec![format!("refs/heads/{name}"), format!("refs/tags/{name}")],
        Reference::Branch(name) => vec![full(name, "refs/heads/")],
        Reference::Tag(name) => vec![full(name, "refs/tags/")],
        Reference::Semver(_) | Reference::Commit(_) => Vec::new(),
    }
}

fn full(name: &str, below: &str) -> String {
    if name.starts_with("refs/") { name.to_owned() } else { format!("{below}{name}") }
}

/// Chooses among the references that were listed.
pub(super) fn choose(reference: &Reference, refs: &[RemoteRef]) -> Result<Chosen, GitError> {
    match reference {
        Reference::Commit(id) => Ok(Chosen { name: id.to_string(), object: id.clone(), commit: id.clone() }),
        Reference::Semver(range) => {
            let mut versions: Vec<(Version, &RemoteRef)> =
                refs.iter().filter_map(|found| Some((version(&found.name)?, found))).collect();
            // `v1.0.0` and `1.0.0` are the same version; the names decide, so that the choice never wavers.
            versions.sort_by(|(a, x), (b, y)| a.cmp_precedence(b).then_with(|| x.name.cmp(&y.name)));
            let best = versions.iter().rev().find(|(version, _)| range.matches(version));
            let highest = || versions.last().map(|(_, highest)| short(&highest.name));
            let none = || GitError::NoVersion { range: range.to_string(), highest: highest() };
            best.map(|(_, found)| chosen(found)).ok_or_else(none)
        }
        other => {
            let names = names(other);
            let best = names.iter().find_map(|name| refs.iter().find(|found| found.name == *name));
            best.map(chosen).ok_or_else(|| match other {
                Reference::Default => GitError::NoDefault,
                other => GitError::NoReference(other.to_string()),
            })
        }
    }
}

fn chosen(found: &RemoteRef) -> Chosen {
    let name = short(found.target.as_ref().unwrap_or(&found.name));
    let commit = found.peeled.clone().unwrap_or_else(|| found.object.clone());
    Chosen { name, object: found.object.clone(), commit }
}

fn version(name: &str) -> Option<Version> {
    let name = name.strip_prefix("refs/tags/")?;
    Version::parse(name.strip_prefix('v').unwrap_or(name)).ok()
}

/// `main` for `refs/heads/main`.
pub(super) fn short(name: &str) -> String {
    let short = name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/"));
    short.unwrap_or(name).to_owned()
}

/// Patterns of full names, such as `refs/pull/*/head`; `*` stays within one part, `**` does not.
#[derive(Debug)]
pub(super) struct Patterns(Vec<(String, GlobMatcher)>);

impl Patterns {
    pub(super) fn new(patterns: &[String]) -> Result<Patterns, GitError> {
        let wrong = |pattern: &str| {
            let pattern: String = pattern.chars().take(MAX_PATTERN).collect();
            GitError::Refused(format!(
                "{pattern:?} is no pattern of references; write one like refs/pull/*/head"
            ))
        };
        let compile = |pattern: &String| {
            if !pattern.starts_with("refs/") || pattern.len() > MAX_PATTERN {
                return Err(wrong(pattern));
            }
            let glob = GlobBuilder::new(pattern).literal_separator(true).build();
            Ok((pattern.clone(), glob.map_err(|_| wrong(pattern))?.compile_matcher()))
        };
        patterns.iter().map(compile).collect::<Result<_, _>>().map(Patterns)
    }

    /// The beginnings that are literal: a server can look for those.
    pub(super) fn ask(&self) -> Ask {
        let literal = |(pattern, _): &(String, GlobMatcher)| {
            let end = pattern.find(['*', '?', '[', '{', '\\']).unwrap_or(pattern.len());
            pattern[..end].to_owned()
        };
        Ask::Refs(self.0.iter().map(literal).collect())
    }

    /// Names and commits of the references that match, sorted by name.
    pub(super) fn select(&self, refs: &[RemoteRef]) -> Vec<(String, CommitId)> {
        let matches = |name: &str| self.0.iter().any(|(_, glob)| glob.is_match(name));
        let mut found: Vec<_> = refs
            .iter()
            .filter(|found| matches(&found.name))
            .map(|found| (found.name.clone(), chosen(found).commit))
            .collect();
        found.sort();
        found.dedup();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: char) -> CommitId {
        CommitId::parse(&digit.to_string().repeat(40)).unwrap()
    }

    fn found(name: &str, digit: char) -> RemoteRef {
        RemoteRef { name: name.to_owned(), object: id(digit), peeled: None, target: None }
    }

    fn refs() -> Vec<RemoteRef> {
        let target = Some("refs/heads/main".to_owned());
        let names = ["refs/tags/v1.9.0", "refs/tags/v2.0.0-rc.1", "refs/tags/1.10.0", "refs/tags/latest"];
        let mut refs = vec![
            RemoteRef { target, ..found("HEAD", 'a') },
            found("refs/heads/main", 'a'),
            found("refs/heads/both", 'b'),
            found("refs/tags/both", 'c'),
            RemoteRef { peeled: Some(id('e')), ..found("refs/tags/v1.10.0", 'd') },
            found("refs/pull/7/head", '7'),
            found("refs/pull/7/merge", '8'),
            found("refs/pull/12/head", '9'),
        ];
        refs.extend(names.into_iter().map(|name| found(name, 'f')));
        refs
    }

    #[test]
    fn references_are_chosen() {
        let semver = |range| Reference::semver(range).unwrap();
        let table = [
            (Reference::Default, "main a a"),
            (Reference::Named("both".to_owned()), "both b b"),
            (Reference::Named("refs/tags/both".to_owned()), "both c c"),
            (Reference::Named("latest".to_owned()), "latest f f"),
            (Reference::Branch("both".to_owned()), "both b b"),
            (Reference::Tag("both".to_owned()), "both c c"),
            (Reference::Tag("v1.10.0".to_owned()), "v1.10.0 d e"),
            (semver("1.x"), "v1.10.0 d e"),
            (semver("<1.10"), "v1.9.0 f f"),
            (semver(">=2.0.0-rc.0"), "v2.0.0-rc.1 f f"),
            (Reference::Commit(id('3')), &format!("{} 3 3", id('3'))),
            (
                Reference::Branch("latest".to_owned()),
                "error: there is no branch latest; it may have been deleted or renamed",
            ),
            (
                Reference::Tag("main".to_owned()),
                "error: there is no tag main; it may have been deleted or renamed",
            ),
            (
                semver("2.x"),
                "error: no tag is a version within 2.*; the highest is v2.0.0-rc.1; push a tag, or widen the range",
            ),
        ];
        for (reference, expected) in table {
            let shown = match choose(&reference, &refs()) {
                Ok(Chosen { name, object, commit }) => {
                    format!("{name} {} {}", &object.as_str()[..1], &commit.as_str()[..1])
                }
                Err(error) => format!("error: {error}"),
            };
            assert_eq!(shown, expected, "{reference}");
        }
        let none = choose(&semver("*"), &[found("refs/tags/x", 'a')]).unwrap_err().to_string();
        assert_eq!(
            none,
            "no tag is a version within *; there is none like v1.2.3; push a tag, or widen the range"
        );
        let empty = choose(&Reference::Default, &[]).unwrap_err().to_string();
        assert_eq!(empty, "the repository has no default branch; push a commit, or name a branch");
    }

    #[test]
    fn a_server_is_asked_for_little() {
        let refs = |names: &[&str]| Ask::Refs(names.iter().map(|name| (*name).to_owned()).collect());
        let table = [
            (Reference::Default, refs(&["HEAD"])),
            (Reference::Named("x".to_owned()), refs(&["refs/heads/x", "refs/tags/x"])),
            (Reference::Branch("x".to_owned()), refs(&["refs/heads/x"])),
            (Reference::Branch("refs/pull/7/head".to_owned()), refs(&["refs/pull/7/head"])),
            (Reference::Tag("x".to_owned()), refs(&["refs/tags/x"])),
            (Reference::semver("1").unwrap(), refs(&["refs/tags/"])),
            (Reference::Commit(id('a')), Ask::Commit(id('a'))),
        ];
        for (reference, expected) in table {
            assert_eq!(ask(&reference), expected, "{reference}");
        }
    }

    #[test]
    fn patterns_select_names() {
        let table: [(&[&str], &[&str], &[&str]); 5] = [
            (&["refs/pull/*/head"], &["refs/pull/"], &["refs/pull/12/head", "refs/pull/7/head"]),
            (&["refs/pull/7/*"], &["refs/pull/7/"], &["refs/pull/7/head", "refs/pull/7/merge"]),
            (&["refs/*"], &["refs/"], &[]),
            (
                &["refs/heads/main", "refs/heads/**"],
                &["refs/heads/main", "refs/heads/"],
                &["refs/heads/both", "refs/heads/main"],
            ),
            (&["refs/tags/{latest,both}"], &["refs/tags/"], &["refs/tags/both", "refs/tags/latest"]),
        ];
        for (patterns, asked, expected) in table {
            let owned: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            let patterns = Patterns::new(&owned).unwrap();
            assert_eq!(patterns.ask(), Ask::Refs(asked.iter().map(|name| (*name).to_owned()).collect()));
            let selected = patterns.select(&refs());
            let names: Vec<_> = selected.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, expected, "{owned:?}");
        }
        let peeled = Patterns::new(&["refs/tags/v1.10.0".to_owned()]).unwrap().select(&refs());
        assert_eq!(peeled, [("refs/tags/v1.10.0".to_owned(), id('e'))]);
        for wrong in ["main", "refs/[", &format!("refs/{}", "x".repeat(250))] {
            let error = Patterns::new(&[wrong.to_owned()]).unwrap_err().to_string();
            assert!(
                error.ends_with("is no pattern of references; write one like refs/pull/*/head"),
                "{error}"
            );
        }
    }
}
