//! What a webhook is answered, and what those who run a [`super::Receiver`] say of it: who looks at repositories, and what is told of
//! what came.

use std::net::SocketAddr;

use http::StatusCode;

use super::Refusal;

/// Who looks at repositories, of several processes that webhooks may arrive at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// This one.
    Ours,
    /// The one that takes webhooks there.
    Theirs(SocketAddr),
    /// Nobody, or nobody who can be reached.
    Nobodys,
}

/// How a receiver behaves.
pub trait Manner: Send + Sync + 'static {
    /// Who looks at repositories at this moment.
    fn turn(&self) -> Turn {
        Turn::Ours
    }

    /// A request was answered; `repository` is known when it was about one.
    fn answered(&self, _outcome: Outcome, _repository: Option<&str>) {}
}

/// The manner of a process that has no others beside it.
#[derive(Debug, Clone, Copy)]
pub struct Alone;

impl Manner for Alone {}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its repository is looked at.
    Accepted,
    /// It was here before.
    Repeated,
    /// A ping, or about something else than a push.
    Understood,
    /// It is not taken.
    Refused(Refusal),
    /// There is no such path, or nothing is sent there this way.
    Unknown,
    /// More than is taken of one repository.
    Flooded,
    /// More than is taken of all together.
    Crowded,
    /// Its body is too large.
    TooLarge,
    /// Its body did not come in time.
    TooSlow,
    /// The process that looks at repositories answered, with this.
    Relayed(StatusCode),
    /// No process looks at repositories, as far as this one knows, or it does not answer.
    Leaderless,
}

impl Outcome {
    /// In one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Repeated => "repeated",
            Outcome::Understood => "understood",
            Outcome::Refused(Refusal::Signature) => "unsigned",
            Outcome::Refused(Refusal::Stale) => "stale",
            Outcome::Refused(Refusal::Form) => "malformed",
            Outcome::Unknown => "unknown",
            Outcome::Flooded | Outcome::Crowded => "limited",
            Outcome::TooLarge => "too_large",
            Outcome::TooSlow => "too_slow",
            Outcome::Relayed(_) => "relayed",
            Outcome::Leaderless => "leaderless",
        }
    }

    /// Status and text of the answer. Who does not have the token gets no text.
    pub fn answer(self) -> (StatusCode, &'static str) {
        match self {
            Outcome::Accepted => (StatusCode::ACCEPTED, "the repository is looked at\n"),
            Outcome::Repeated => (StatusCode::OK, "this delivery was here before\n"),
            Outcome::Understood => (StatusCode::OK, "understood\n"),
            Outcome::Refused(Refusal::Signature) => (Refusal::Signature.status(), ""),
            Outcome::Refused(refusal) => (refusal.status(), refusal.reason()),
            Outcome::Unknown => (StatusCode::NOT_FOUND, ""),
            Outcome::Flooded => (
                StatusCode::TOO_MANY_REQUESTS,
                "too many webhooks; the repository is looked at all the same\n",
            ),
            Outcome::Crowded => (StatusCode::TOO_MANY_REQUESTS, ""),
            Outcome::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, ""),
            Outcome::TooSlow => (StatusCode::REQUEST_TIMEOUT, ""),
            Outcome::Relayed(status) => (status, ""),
            Outcome::Leaderless => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the replica of the operator that looks at repositories cannot be reached; send it again, or wait for the interval\n",
            ),
        }
    }
}
