//! A routing decision told step by step: what was looked up, what was found, where it leads, and the reply RCPT would get.
//! `mailwright trace` prints it. It comes out of the same [`Expander`] that decides on real mail.

use std::fmt;

use crate::reason::Reason;
use crate::route::{Decision, Expander, Key, Lookup, RemoteTarget, Skipped, Step};

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// What was looked up.
    pub key: String,
    /// What was found, in words.
    pub found: String,
}

/// The whole decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The lookups in their order.
    pub steps: Vec<Explained>,
    /// The decision.
    pub decision: Decision,
}

/// Watches an expansion: hand it every answer before the expander gets it.
#[derive(Debug, Clone, Default)]
pub struct Recorder {
    steps: Vec<Explained>,
}

impl Recorder {
    /// Notes an answer.
    pub fn note(&mut self, key: &Key, lookup: &Lookup) {
        self.steps.push(Explained { key: key.to_string(), found: words(lookup) });
    }

    /// The explanation, once the expander has decided.
    pub fn finish(self, decision: Decision) -> Explanation {
        Explanation { steps: self.steps, decision }
    }
}

/// Runs an expansion against lookups that are in memory; a driver with a database uses [`Recorder`].
pub fn explain(mut expander: Expander, mut lookup: impl FnMut(&Key) -> Lookup) -> Explanation {
    let mut recorder = Recorder::default();
    loop {
        match expander.step() {
            Step::Done(decision) => return recorder.finish(decision),
            Step::Lookup(key) => {
                let found = lookup(&key);
                recorder.note(&key, &found);
                expander.answer(found);
            }
        }
    }
}

impl Explanation {
    /// The reply that RCPT gets.
    pub fn reply(&self) -> String {
        match &self.decision {
            Decision::Deliver { .. } => "250 2.1.5 recipient ok".to_owned(),
            Decision::Reject(reason) => reason.reply().to_string(),
        }
    }
}

fn words(lookup: &Lookup) -> String {
    match lookup {
        Lookup::Mailbox { enabled: false, .. } => "a mailbox that is disabled".to_owned(),
        Lookup::Mailbox { forward, keep_copy, .. } if !forward.is_empty() => {
            let kept = if *keep_copy { "and keeps a copy" } else { "and keeps none" };
            format!("a mailbox that forwards to {} {kept}", forward.join(", "))
        }
        Lookup::Mailbox { quota, .. } => match quota.takes(0) {
            true => "a mailbox".to_owned(),
            false => "a mailbox that is full".to_owned(),
        },
        Lookup::Alias { enabled: false, .. } => "an alias that is disabled".to_owned(),
        Lookup::Alias { targets, .. } => format!("an alias of {}", targets.join(", ")),
        Lookup::DomainAlias { domain } => format!("its domain is another name of {domain}"),
        Lookup::NoSuchAddress => "no such address in this domain".to_owned(),
        Lookup::NoSuchDomain => "not a domain of this server".to_owned(),
        Lookup::ParkedDomain => "a domain that takes no mail".to_owned(),
    }
}

/// The steps and the result as lines for people.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Explained { key, found } in &self.steps {
            writeln!(f, "{key}: {found}")?;
        }
        match &self.decision {
            Decision::Reject(Reason::NoRelay) => {
                writeln!(f, "refused: not ours, and the sender may not relay")
            }
            Decision::Reject(reason) => writeln!(f, "refused: {reason}"),
            Decision::Deliver { accounts, remote, deferred, skipped, .. } => {
                if !accounts.is_empty() {
                    writeln!(f, "stored in {} mailbox(es)", accounts.len())?;
                }
                for RemoteTarget { address, via } in remote {
                    match via.is_empty() {
                        true => writeln!(f, "queued for {address}")?,
                        false => writeln!(f, "queued for {address} by way of {}", via.join(", "))?,
                    }
                }
                for address in deferred {
                    writeln!(f, "queued for {address}, whose mailbox is full")?;
                }
                for Skipped { address, reason } in skipped {
                    writeln!(f, "nothing for {address}: {reason}")?;
                }
                Ok(())
            }
        }?;
        writeln!(f, "reply: {}", self.reply())
    }
}

#[cfg(test)]
mod tests;
