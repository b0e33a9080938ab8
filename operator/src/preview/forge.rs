//! What is asked of a forge, in its own words: open pull requests, commit statuses, comments. Requests are made and answers read
//! by pure functions, one file per forge; [`client`] sends them and decides nothing.

mod client;
mod gitea;
mod github;
mod gitlab;

use std::time::Duration;

use serde_json::Value;

use super::decide::Pull;
pub use client::Forge;

/// Pages of a list that are read. More pull requests than this are open only where nobody closes them, and a comment of ours
/// is among the first of its pull request.
const PAGES: usize = 10;

/// Whose API it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// GitHub, also one's own.
    GitHub,
    /// GitLab, also one's own.
    GitLab,
    /// Gitea and Forgejo.
    Gitea,
}

impl Provider {
    /// Where the heads of pull requests are.
    pub fn heads(self) -> &'static str {
        match self {
            Self::GitHub | Self::Gitea => "refs/pull/*/head",
            Self::GitLab => "refs/merge-requests/*/head",
        }
    }
}

/// A repository at a forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// Whose API it is.
    pub provider: Provider,
    /// Where it is, without a slash at its end: `https://git.example.test/api/v1`.
    pub base: String,
    /// The repository in it: `company/mail`, at GitLab with all its groups.
    pub project: String,
}

/// How a commit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is being planned.
    Pending,
    /// It can be merged as far as this goes.
    Success,
    /// It is wrong.
    Failure,
}

/// A comment of a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Its number.
    pub id: u64,
    /// The login of whoever wrote it.
    pub author: String,
    /// What it says.
    pub body: String,
}

/// A request, below the base of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, `PATCH`, `PUT`.
    pub method: &'static str,
    /// With a query, where there is one.
    pub path: String,
    /// As JSON.
    pub body: Option<Value>,
}

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// How long to leave it alone, when it says so.
    pub wait: Option<Duration>,
    /// Its body.
    pub body: Vec<u8>,
}

/// What a forge's silence or refusal means.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForgeError {
    /// Nobody answered, or not in time.
    #[error("{0} cannot be reached: {1}; it is tried again")]
    Unreachable(String, String),
    /// It has had enough of us for now.
    #[error("{forge} takes no more requests for {} s; previews wait", wait.as_secs())]
    Later {
        /// Who.
        forge: String,
        /// How long.
        wait: Duration,
    },
    /// The token is not one, or may not do this.
    #[error("{0} refuses the token ({1} for {2}): {remedy}", remedy = TOKEN_REMEDY)]
    Token(String, u16, String),
    /// There is nothing of this name, or the token may not know.
    #[error("{0} knows no {1}, or the token may not see it; check the repository's url and previews.apiURL")]
    Unknown(String, String),
    /// It leads elsewhere, where the token does not go.
    #[error(
        "{0} answers with a redirect, which is not followed with a token; write the final URL into previews.apiURL"
    )]
    Moved(String),
    /// It refused for a reason of its own.
    #[error("{0} refused {2} with {1}")]
    Refused(String, u16, String),
    /// What it says is not what its API says.
    #[error(
        "{0} answers {1} with something else than its API says; check previews.provider and previews.apiURL"
    )]
    Strange(String, String),
}

const TOKEN_REMEDY: &str = "the key token of previews.secretRef needs to read pull requests and to write commit statuses and comments";

impl Request {
    fn get(path: String) -> Self {
        Self { method: "GET", path, body: None }
    }

    fn with(method: &'static str, path: String, body: Value) -> Self {
        Self { method, path, body: Some(body) }
    }

    /// What is said of it in an error: the path, which holds no secret, without its query.
    fn what(&self) -> String {
        format!("{} {}", self.method, self.path.split('?').next().unwrap_or_default())
    }
}

impl Api {
    /// The `page`th page of the open pull requests into `branch`, from 1.
    pub fn pulls(&self, branch: Option<&str>, page: usize) -> Request {
        match self.provider {
            Provider::GitHub => github::pulls(self, branch, page),
            Provider::GitLab => gitlab::pulls(self, branch, page),
            Provider::Gitea => gitea::pulls(self, page),
        }
    }

    /// Reads them.
    fn read_pull(&self, value: &Value) -> Option<Pull> {
        match self.provider {
            Provider::GitHub | Provider::Gitea => github::read_pull(value),
            Provider::GitLab => gitlab::read_pull(value),
        }
    }

    /// Sets the status of a commit.
    pub fn set_status(&self, commit: &str, state: State, description: &str) -> Request {
        match self.provider {
            Provider::GitHub | Provider::Gitea => github::set_status(self, commit, state, description),
            Provider::GitLab => gitlab::set_status(self, commit, state, description),
        }
    }

    /// The `page`th page of the comments of a pull request, from 1; `None` when the pages before were all.
    pub fn comments(&self, number: u64, page: usize) -> Option<Request> {
        match self.provider {
            Provider::GitHub => Some(github::comments(self, number, page)),
            Provider::GitLab => Some(gitlab::comments(self, number, page)),
            Provider::Gitea => gitea::comments(self, number, page),
        }
    }

    fn read_comment(&self, value: &Value) -> Option<Comment> {
        match self.provider {
            Provider::GitHub | Provider::Gitea => github::read_comment(value),
            Provider::GitLab => gitlab::read_comment(value),
        }
    }

    /// Writes a comment.
    pub fn create_comment(&self, number: u64, body: &str) -> Request {
        match self.provider {
            Provider::GitHub | Provider::Gitea => github::create_comment(self, number, body),
            Provider::GitLab => gitlab::create_comment(self, number, body),
        }
    }

    /// Writes it anew.
    pub fn edit_comment(&self, number: u64, comment: u64, body: &str) -> Request {
        match self.provider {
            Provider::GitHub | Provider::Gitea => github::edit_comment(self, comment, body),
            Provider::GitLab => gitlab::edit_comment(self, number, comment, body),
        }
    }

    /// Who asks.
    pub fn me(&self) -> Request {
        Request::get("/user".to_owned())
    }

    fn read_me(&self, value: &Value) -> Option<String> {
        let field = if self.provider == Provider::GitLab { "username" } else { "login" };
        value[field].as_str().map(str::to_owned)
    }

    /// The headers that carry the token, and those that choose the form of answers.
    pub fn headers(&self, token: &str) -> Vec<(&'static str, String)> {
        match self.provider {
            Provider::GitHub => github::headers(token),
            Provider::GitLab => vec![("PRIVATE-TOKEN", token.to_owned())],
            Provider::Gitea => vec![("Authorization", format!("token {token}"))],
        }
    }

    /// How many there are on a full page: a page with fewer is the last one. `None` where the server decides.
    fn full(&self) -> Option<usize> {
        (self.provider != Provider::Gitea).then_some(github::PER_PAGE)
    }

    /// Where the files of a commit are shown to people.
    pub fn files(&self, commit: &str) -> String {
        let Self { base, project, .. } = self;
        match self.provider {
            Provider::GitHub => match base.strip_suffix("/api/v3") {
                Some(own) => format!("{own}/{project}/blob/{commit}"),
                None => format!("{}/{project}/blob/{commit}", base.replacen("//api.", "//", 1)),
            },
            Provider::GitLab => {
                format!("{}/{project}/-/blob/{commit}", base.strip_suffix("/api/v4").unwrap_or(base))
            }
            Provider::Gitea => {
                format!("{}/{project}/src/commit/{commit}", base.strip_suffix("/api/v1").unwrap_or(base))
            }
        }
    }

    /// What an answer means: its JSON, or why there is none.
    pub fn judge(&self, request: &Request, answer: &Answer) -> Result<Value, ForgeError> {
        let (forge, what) = (self.base.clone(), request.what());
        match answer.status {
            200..=299 => serde_json::from_slice(&answer.body).map_err(|_| ForgeError::Strange(forge, what)),
            300..=399 => Err(ForgeError::Moved(forge)),
            429 => Err(ForgeError::Later { forge, wait: answer.wait.map_or(DEFAULT_WAIT, bounded) }),
            403 | 503 if answer.wait.is_some() => {
                Err(ForgeError::Later { forge, wait: answer.wait.map_or(DEFAULT_WAIT, bounded) })
            }
            status @ (401 | 403) => Err(ForgeError::Token(forge, status, what)),
            404 | 410 => Err(ForgeError::Unknown(forge, what)),
            status => Err(ForgeError::Refused(forge, status, what)),
        }
    }
}

/// Where a forge says "too much" and not for how long.
const DEFAULT_WAIT: Duration = Duration::from_secs(60);
/// A forge that says "at once" is not asked in a circle.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// GitHub counts by the hour; whoever says more is asked again after this all the same.
const LONGEST_WAIT: Duration = Duration::from_secs(2 * 3600);

fn bounded(wait: Duration) -> Duration {
    wait.clamp(SHORTEST_WAIT, LONGEST_WAIT)
}

/// Text for one part of a path: everything that is not unreserved is encoded (RFC 3986 §2.3).
fn part(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests;
