//! Where a repository is and which part of it is read. A location never holds a password: it is shown in statuses and logs.

use crate::scalar::{Refusal, Scalar, quote, scalar_traits};
use crate::schema::matches;

/// The place of a repository: an https, http, ssh or file URL, or `user@host:path`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryUrl(String);

impl RepositoryUrl {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scalar for RepositoryUrl {
    const WHAT: &'static str = "the URL of a Git repository";
    // Without a user but for ssh, where it is no secret, and without a query, where tokens hide.
    const PATTERN: &'static str = "^(https?://([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\\[[0-9A-Fa-f:.]+\\])(:[0-9]{1,5})?/[!-\"$->@-~]+|\
        ssh://([A-Za-z0-9_][A-Za-z0-9._-]*@)?([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\\[[0-9A-Fa-f:.]+\\])(:[0-9]{1,5})?/[!-~]+|\
        file:///[^\\x00-\\x1F\\x7F]*|\
        ([A-Za-z0-9_][A-Za-z0-9._-]*@)[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?:[!-,.-~][!-~]*|\
        [A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?:[!-,.0-~][!-~]*)$";
    const MAX_LENGTH: u32 = 1024;
    const RULES: &'static [(&'static str, &'static str)] = &[];

    fn parse(text: &str) -> Result<RepositoryUrl, Refusal> {
        let length = text.chars().count();
        if length > Self::MAX_LENGTH as usize {
            return Err(Refusal::new(format!(
                "a repository's URL has at most {} characters, this one {length}",
                Self::MAX_LENGTH
            )));
        }
        if matches(Self::PATTERN, text) {
            return Ok(RepositoryUrl(text.to_owned()));
        }
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        let web = scheme == "https" || scheme == "http";
        let authority = rest.split('/').next().unwrap_or_default();
        Err(match scheme {
            _ if web && (authority.contains('@') || rest.contains(['?', '#'])) => {
                Refusal::new("a repository's URL holds no user, password or query (it is not shown)")
                    .remedy("put the credentials into a Secret and name it in secretRef")
            }
            "git" | "ftp" | "ftps" | "rsync" => {
                Refusal::new(format!("nothing is fetched over {scheme}, which anybody on the way can change"))
                    .remedy("use https or ssh")
            }
            _ => Refusal::new("this is not the URL of a Git repository (it is not shown: it may hold a password)")
                .remedy("write one like https://git.example.org/mail.git, ssh://git@git.example.org/mail.git or file:///srv/mail.git"),
        })
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

scalar_traits!(RepositoryUrl);

/// A path within a repository: `mail/`, `clusters/production`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryPath(String);

impl RepositoryPath {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scalar for RepositoryPath {
    const WHAT: &'static str = "a path within the repository";
    const PATTERN: &'static str = "^[^\\x00-\\x1F\\x7F\\\\/][^\\x00-\\x1F\\x7F\\\\]*$";
    const MAX_LENGTH: u32 = 1024;
    const RULES: &'static [(&'static str, &'static str)] = &[(
        "self.split('/').all(part, !(part in ['.', '..', '.git']))",
        "must be a path below the root of the repository, like mail/accounts, without the parts . and ..",
    )];

    fn parse(text: &str) -> Result<RepositoryPath, Refusal> {
        let length = text.chars().count();
        if length > Self::MAX_LENGTH as usize {
            return Err(Refusal::new(format!(
                "a path has at most {} characters, this one {length}",
                Self::MAX_LENGTH
            )));
        }
        if matches(Self::PATTERN, text) && !text.split('/').any(|part| [".", "..", ".git"].contains(&part)) {
            return Ok(RepositoryPath(text.to_owned()));
        }
        let refusal = Refusal::new(format!("{} is not a path below the root of the repository", quote(text)));
        let inner = text.trim_start_matches("./").trim_start_matches('/');
        Err(match inner != text && RepositoryPath::parse(inner).is_ok() {
            true => refusal.remedy(format!("write {inner}")),
            false if text.is_empty() || text == "." || text == "/" || text == "./" => {
                refusal.remedy("leave the field out for the whole repository")
            }
            false => refusal.remedy("write one like mail/accounts, without the parts . and .."),
        })
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

scalar_traits!(RepositoryPath);
