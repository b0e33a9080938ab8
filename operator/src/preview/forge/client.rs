//! Sends requests to a forge and hands answers on. The token goes to the API's own origin and nowhere else: redirects are not
//! followed. Answers, times and pages have limits.

use std::fmt;
use std::io::Read as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Method;
use reqwest::blocking::{Client, Response};
use reqwest::redirect::Policy;

use super::super::decide::Pull;
use super::{Answer, Api, Comment, ForgeError, PAGES, Request, State};
use crate::source::SecretValue;
use crate::source::tls;

/// One request from beginning to end: a forge that is slower is down.
const TIMEOUT: Duration = Duration::from_secs(20);
/// A hundred pull requests with long descriptions are below this.
const MAX_ANSWER: u64 = 16 * 1024 * 1024;

/// A forge that is spoken to.
pub struct Forge {
    api: Api,
    client: Client,
    token: SecretValue,
    me: Option<String>,
}

impl fmt::Debug for Forge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forge").field("api", &self.api).finish_non_exhaustive()
    }
}

impl Forge {
    /// A forge; nobody is asked yet. `ca` is PEM of certificate authorities beside the system's.
    pub fn new(api: Api, token: SecretValue, ca: Option<&SecretValue>) -> Result<Self, ForgeError> {
        let unusable = |why: String| ForgeError::Unreachable(api.base.clone(), why);
        let config = tls(ca).map_err(|error| unusable(error.to_string()))?;
        let client = Client::builder()
            .tls_backend_preconfigured(config)
            .user_agent(concat!("mailwright/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            .redirect(Policy::none())
            .build()
            .map_err(|error| unusable(error.without_url().to_string()))?;
        Ok(Self { api, client, token, me: None })
    }

    /// What it is asked.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The open pull requests into `branch`.
    pub fn pulls(&self, branch: Option<&str>) -> Result<Vec<Pull>, ForgeError> {
        let mut pulls = Vec::new();
        for page in 1..=PAGES {
            let request = self.api.pulls(branch, page);
            let (found, last) = self.list(&request, |value| self.api.read_pull(value))?;
            pulls.extend(found);
            if last {
                break;
            }
        }
        Ok(pulls)
    }

    /// Sets the status of a commit. GitLab refuses one that is so already, which is what was wanted.
    pub fn set_status(&self, commit: &str, state: State, description: &str) -> Result<(), ForgeError> {
        let request = self.api.set_status(commit, state, description);
        let answer = self.send(&request)?;
        let text = String::from_utf8_lossy(&answer.body);
        if answer.status == 400 && text.contains("Cannot transition status") {
            return Ok(());
        }
        self.api.judge(&request, &answer).map(drop)
    }

    /// Our comment at a pull request, by its mark and its author: anybody can write the mark.
    pub fn find_comment(&mut self, number: u64, mark: &str) -> Result<Option<u64>, ForgeError> {
        let Some(me) = self.me()? else { return Ok(None) };
        for page in 1..=PAGES {
            let Some(request) = self.api.comments(number, page) else { break };
            let (comments, last) = self.list(&request, |value| self.api.read_comment(value))?;
            let ours = |comment: &&Comment| comment.author == me && comment.body.starts_with(mark);
            if let Some(comment) = comments.iter().find(ours) {
                return Ok(Some(comment.id));
            }
            if last {
                break;
            }
        }
        Ok(None)
    }

    /// Writes a comment anew; `false` when it is not there any more.
    pub fn edit_comment(&self, number: u64, comment: u64, body: &str) -> Result<bool, ForgeError> {
        match self.ask(&self.api.edit_comment(number, comment, body)) {
            Ok(_) => Ok(true),
            Err(ForgeError::Unknown(..)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes a comment; its number.
    pub fn create_comment(&self, number: u64, body: &str) -> Result<u64, ForgeError> {
        let request = self.api.create_comment(number, body);
        let value = self.ask(&request)?;
        value["id"].as_u64().ok_or_else(|| ForgeError::Strange(self.api.base.clone(), request.what()))
    }

    /// Who asks; `None` for a token that is nobody's, as those of apps are.
    fn me(&mut self) -> Result<Option<String>, ForgeError> {
        if self.me.is_none() {
            let request = self.api.me();
            self.me = match self.ask(&request) {
                Ok(value) => self.api.read_me(&value),
                Err(ForgeError::Token(_, 403, _) | ForgeError::Unknown(..)) => None,
                Err(error) => return Err(error),
            };
        }
        Ok(self.me.clone())
    }

    /// A page of a list, and whether it is the last one. What cannot be understood (a ghost's comment) is passed over.
    fn list<T>(
        &self,
        request: &Request,
        read: impl Fn(&serde_json::Value) -> Option<T>,
    ) -> Result<(Vec<T>, bool), ForgeError> {
        let value = self.ask(request)?;
        let strange = || ForgeError::Strange(self.api.base.clone(), request.what());
        let values = value.as_array().ok_or_else(strange)?;
        let last = self.api.full().map_or(values.is_empty(), |full| values.len() < full);
        Ok((values.iter().filter_map(read).collect(), last))
    }

    fn ask(&self, request: &Request) -> Result<serde_json::Value, ForgeError> {
        self.api.judge(request, &self.send(request)?)
    }

    fn send(&self, request: &Request) -> Result<Answer, ForgeError> {
        // The reason alone: with the URL would come whatever somebody put into it.
        let failed = |error: reqwest::Error| {
            let why =
                if error.is_timeout() { "no answer in time".to_owned() } else { root(&error.without_url()) };
            ForgeError::Unreachable(self.api.base.clone(), why)
        };
        let method = Method::from_bytes(request.method.as_bytes()).unwrap_or(Method::GET);
        let mut builder = self.client.request(method, format!("{}{}", self.api.base, request.path));
        let token = String::from_utf8_lossy(self.token.expose()).trim().to_owned();
        for (name, value) in self.api.headers(&token) {
            builder = builder.header(name, value);
        }
        if let Some(body) = &request.body {
            builder = builder.json(body);
        }
        let response = builder.send().map_err(failed)?;
        let (status, wait) = (response.status().as_u16(), wait(&response));
        let mut body = Vec::new();
        let read = response.take(MAX_ANSWER + 1).read_to_end(&mut body);
        if read.is_err() || body.len() as u64 > MAX_ANSWER {
            let why = "its answer ends early, or is too long".to_owned();
            return Err(ForgeError::Unreachable(self.api.base.clone(), why));
        }
        Ok(Answer { status, wait, body })
    }
}

/// What is at the bottom of an error.
fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// How long an answer asks us to wait: `Retry-After` in seconds (RFC 9110 §10.2.3), or when the hour's requests are used up, the
/// moment of GitHub's and GitLab's new ones.
fn wait(response: &Response) -> Option<Duration> {
    let number = |name: &str| response.headers().get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    if let Some(seconds) = number("retry-after") {
        return Some(Duration::from_secs(seconds));
    }
    let used_up = number("x-ratelimit-remaining").or_else(|| number("ratelimit-remaining")) == Some(0);
    let reset = number("x-ratelimit-reset").or_else(|| number("ratelimit-reset")).filter(|_| used_up)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(Duration::from_secs(reset.saturating_sub(now)))
}
