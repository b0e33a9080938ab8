//! Webhooks: a forge says that something was pushed, and the repository is looked at now instead of at the next interval.
//!
//! [`judge`] is pure: provider, headers, body and token in, a [`Verdict`] out. [`Receiver`] holds the repositories with
//! their unguessable paths and answers HTTP; of several replicas the one that looks at repositories
//! decides ([`Turn`]). A webhook decides nothing about what is applied: it only says when to look, and a lost one costs waiting for the
//! interval.

mod again;
mod answer;
mod event;
mod form;
mod place;
mod rate;
mod receiver;
mod relay;
mod replay;
mod signature;

use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};
use zeroize::Zeroizing;

use crate::source::SecretValue;

pub use again::Again;
pub use answer::{Alone, Manner, Outcome, Turn};
pub use mailwright_crds::mail_repository::WebhookProvider as Provider;
pub use place::{Key, path};
pub use receiver::{Delivery, Hook, Receiver};
pub use signature::{HEADER_SIGNATURE, HEADER_TIMESTAMP, WINDOW, sign};

/// The secret that both sides know.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Zeroizing<Vec<u8>>);

impl Token {
    /// The token of a Secret, without the line break that editors leave at its end. `None` when nothing is left: with an empty
    /// token anyone could sign.
    pub fn new(value: &SecretValue) -> Option<Token> {
        let text = value.expose().trim_ascii_end();
        (!text.is_empty()).then(|| Token(Zeroizing::new(text.to_vec())))
    }

    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What was pushed, as far as the forge says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Push {
    /// Full names of references (`refs/heads/main`); empty when it does not say.
    pub references: Vec<String>,
    /// The commit that they are at now.
    pub commit: Option<String>,
    /// The name of this delivery.
    pub delivery: Option<String>,
}

/// What a request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Something was pushed.
    Accepted(Push),
    /// The forge tries whether anyone answers.
    Ping,
    /// It is from the forge, and about something else.
    Ignored,
    /// It is not taken.
    Refused(Refusal),
}

/// Why a request is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No signature or token that fits. Answered like a path that does not exist.
    Signature,
    /// Signed, but too long ago or ahead of time.
    Stale,
    /// Signed, but not to be understood.
    Form,
}

impl Refusal {
    /// The answer.
    pub fn status(self) -> StatusCode {
        match self {
            Refusal::Signature => StatusCode::NOT_FOUND,
            Refusal::Stale => StatusCode::FORBIDDEN,
            Refusal::Form => StatusCode::BAD_REQUEST,
        }
    }

    /// Why, and what to do; for the log, and for those who have the token.
    pub fn reason(self) -> &'static str {
        match self {
            Refusal::Signature => {
                "the signature or token does not fit; give the forge the token of the repository's webhook Secret"
            }
            Refusal::Stale => "the timestamp is too far from this server's clock; set both clocks, sign anew",
            Refusal::Form => "the body is no event that this provider sends; check spec.webhook.provider",
        }
    }
}

/// Decides about one request that was received at `now`.
pub fn judge(
    provider: Provider,
    headers: &HeaderMap,
    body: &[u8],
    token: &Token,
    now: DateTime<Utc>,
) -> Verdict {
    if let Err(refusal) = signature::check(provider, headers, body, token, now) {
        return Verdict::Refused(refusal);
    }
    event::read(provider, headers, body)
}

/// The text of a header, when it is there once.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests;
