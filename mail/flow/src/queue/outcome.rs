//! What an attempt means for its recipients: delivered, again later, or failed; and whether another host is tried first.
//!
//! RFC 5321 §4.2.1 (classes of replies), §4.5.4.1 (later), RFC 3463 §3 and its IANA registry (enhanced codes), RFC 7504 §4 (521),
//! RFC 7505 §4 (5.1.10).

use mailwright_smtp::{Enhanced, Reply, client};

use super::mx::MxProblem;

/// Where in the dialog a reply came, or a connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// No reply yet: the connection was not made.
    Connect,
    /// The greeting.
    Greeting,
    /// EHLO or HELO.
    Hello,
    /// STARTTLS and the handshake.
    StartTls,
    /// AUTH at a smarthost.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA, or the first BDAT.
    Data,
    /// The end of the message.
    Message,
}

impl From<client::Stage> for Stage {
    fn from(stage: client::Stage) -> Stage {
        match stage {
            client::Stage::Greeting => Stage::Greeting,
            client::Stage::Hello => Stage::Hello,
            client::Stage::StartTls => Stage::StartTls,
            client::Stage::Auth => Stage::Auth,
            // Between two messages nothing of the next one was said.
            client::Stage::Idle | client::Stage::Mail => Stage::Mail,
            client::Stage::Rcpt => Stage::Rcpt,
            client::Stage::Data => Stage::Data,
            client::Stage::End => Stage::Message,
        }
    }
}

impl Stage {
    /// The stage in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Connect => "connecting",
            Stage::Greeting => "the greeting",
            Stage::Hello => "EHLO",
            Stage::StartTls => "STARTTLS",
            Stage::Auth => "AUTH",
            Stage::Mail => "MAIL",
            Stage::Rcpt => "RCPT",
            Stage::Data => "DATA",
            Stage::Message => "the end of the message",
        }
    }
}

/// What becomes of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The next host has it.
    Delivered,
    /// Another attempt, as the schedule says.
    Deferred(Verdict),
    /// Never.
    Failed(Verdict),
}

/// Why not, for the sender and for the queue's listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The enhanced code: `Status:` of a report (RFC 3464 §2.3.4).
    pub status: Enhanced,
    /// The reply of the other host, as it sent it; `None` when there was none.
    pub reply: Option<String>,
    /// In words.
    pub text: String,
}

impl Verdict {
    fn new(status: Enhanced, text: impl Into<String>) -> Verdict {
        Verdict { status, reply: None, text: text.into() }
    }
}

/// How far a reply reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// This recipient alone.
    Recipient,
    /// All recipients of this message at this destination.
    Message,
    /// This host: the next candidate is tried, and the outcome holds only when there is none.
    Host,
}

impl Outcome {
    /// What a reply means at a stage.
    ///
    /// 4yz and 5yz to MAIL, RCPT, DATA and the message mean what they say, except 421, which closes the session. What a host
    /// says before MAIL speaks of the host: another one may be better, and if none is, it is a matter of time. The one
    /// exception is 521 (RFC 7504 §4): the host takes no mail at all. A refused AUTH is never the sender's fault.
    pub fn of(reply: &Reply, stage: Stage) -> Outcome {
        let code = reply.code();
        if code < 300 {
            return Outcome::Delivered;
        }
        let permanent = code >= 500 && (stage >= Stage::Mail || (stage <= Stage::Hello && code == 521));
        let status = match reply.enhanced() {
            Some(enhanced) => Enhanced(if permanent { 5 } else { 4 }, enhanced.1, enhanced.2),
            None => implied(code, stage, permanent),
        };
        let verdict = Verdict {
            status,
            reply: Some(reply.to_string().replace("\r\n", "\n")),
            text: format!("the other host refused at {}", stage.as_str()),
        };
        if permanent { Outcome::Failed(verdict) } else { Outcome::Deferred(verdict) }
    }

    /// No host can be tried at all.
    pub fn of_problem(problem: MxProblem) -> Outcome {
        let verdict = |status| Verdict::new(status, problem.to_string());
        match problem {
            MxProblem::NullMx => Outcome::Failed(verdict(Enhanced(5, 1, 10))),
            MxProblem::NoSuchDomain => Outcome::Failed(verdict(Enhanced(5, 1, 2))),
            MxProblem::NoHost => Outcome::Failed(verdict(Enhanced(5, 4, 4))),
            MxProblem::PointsToUs => Outcome::Failed(verdict(Enhanced(5, 4, 6))),
            MxProblem::Temporary => Outcome::Deferred(verdict(Enhanced(4, 4, 3))),
        }
    }

    /// A connection failed, stalled or brought garbage. After the final dot nobody knows whether the other host has the message:
    /// it is sent again, since twice is better than never (RFC 5321 §6.1, §4.5.4.1).
    pub fn lost(stage: Stage, what: &str) -> Outcome {
        let status = if stage == Stage::Connect { Enhanced(4, 4, 1) } else { Enhanced(4, 4, 2) };
        Outcome::Deferred(Verdict::new(status, format!("{what} at {}", stage.as_str())))
    }

    /// The other host cannot take what the message needs, and we do not convert it.
    pub fn unsupported(what: Unsupported) -> Outcome {
        let (status, text) = match what {
            Unsupported::SmtpUtf8 => (Enhanced(5, 6, 7), "the other host takes no addresses beyond ASCII"),
            Unsupported::EightBit => (Enhanced(5, 6, 3), "the other host takes no 8-bit text"),
            Unsupported::Size => (Enhanced(5, 3, 4), "the message is larger than the other host takes"),
        };
        Outcome::Failed(Verdict::new(status, text))
    }

    /// The end of the lifetime, with what the last attempt said.
    pub fn expired(last: Option<&Verdict>) -> Outcome {
        let text = match last {
            Some(last) => format!("the message could not be delivered in time; last: {}", last.text),
            None => "the message could not be delivered in time".to_owned(),
        };
        let reply = last.and_then(|last| last.reply.clone());
        Outcome::Failed(Verdict { status: Enhanced(5, 4, 7), reply, text })
    }

    /// What it says, unless it was delivered.
    pub fn verdict(&self) -> Option<&Verdict> {
        match self {
            Outcome::Delivered => None,
            Outcome::Deferred(verdict) | Outcome::Failed(verdict) => Some(verdict),
        }
    }
}

/// What the other host does not offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsupported {
    /// RFC 6531 §3.2.
    SmtpUtf8,
    /// RFC 6152 §3.
    EightBit,
    /// RFC 1870 §6.
    Size,
}

/// How far a reply at this stage reaches.
pub fn scope(reply: &Reply, stage: Stage) -> Scope {
    match stage {
        _ if reply.code() == 421 || stage < Stage::Mail => Scope::Host,
        Stage::Rcpt => Scope::Recipient,
        _ => Scope::Message,
    }
}

/// The code of a reply that has none.
fn implied(code: u16, stage: Stage, permanent: bool) -> Enhanced {
    let class = if permanent { 5 } else { 4 };
    match (code, stage) {
        (552, _) => Enhanced(class, 2, 2),
        (452, _) => Enhanced(class, 3, 1),
        (421, _) => Enhanced(class, 3, 2),
        (521, _) => Enhanced(class, 3, 2),
        (556, _) => Enhanced(class, 1, 10),
        (550 | 551 | 553, Stage::Rcpt) => Enhanced(class, 1, 1),
        (530 | 534 | 535 | 538, _) | (_, Stage::Auth | Stage::StartTls) => Enhanced(class, 7, 0),
        (554, Stage::Message) => Enhanced(class, 6, 0),
        (500..=504, _) => Enhanced(class, 5, 0),
        _ => Enhanced(class, 0, 0),
    }
}

#[cfg(test)]
mod tests;
