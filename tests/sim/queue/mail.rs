//! The messages of a history, and reading them back where they arrive: a message of ours by its Message-ID, a report by the
//! fields of RFC 3464.

use bytes::Bytes;
use mailwright_flow::queue::Policy;
use mailwright_store::{Notify, Outgoing, OutgoingRecipient, UnixTime};
use mailwright_tests::random::Random;

use super::world::{DAY, GOOD, START, World};

/// Messages of a history.
const MESSAGES: usize = 8;

/// A message that is queued in a history.
#[derive(Debug, Clone)]
pub struct Mail {
    /// When.
    pub at: UnixTime,
    /// Its name, also in its Message-ID.
    pub name: String,
    /// The envelope sender.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
    /// NOTIFY=NEVER.
    pub never: bool,
    large: bool,
    /// It was handed over, and whether that was confirmed.
    pub given: Option<bool>,
}

impl Mail {
    /// The messages of a seed.
    pub fn random(random: &mut Random, world: &World) -> Vec<Mail> {
        let domains: Vec<&String> = world.zones.keys().collect();
        let good = format!("carol@{GOOD}");
        let senders = ["alice@example.test", "alice@example.test", good.as_str(), ""];
        (0..MESSAGES)
            .map(|number| {
                let mut to: Vec<String> = (0..1 + random.below(3))
                    .map(|at| match random.below(8) {
                        0 => "bob@example.test".to_owned(),
                        1 => "nobody@example.test".to_owned(),
                        _ => format!("u{}@{}", random.below(4) + at, random.pick(&domains)),
                    })
                    .collect();
                to.sort();
                to.dedup();
                Mail {
                    at: START + random.below(2 * DAY as usize) as UnixTime,
                    name: format!("m{number}"),
                    from: (*random.pick(&senders)).to_owned(),
                    to,
                    never: random.chance(10),
                    large: random.chance(3),
                    given: None,
                }
            })
            .collect()
    }

    /// As it goes into the queue.
    pub fn outgoing(&self, now: UnixTime) -> Outgoing {
        let body = "word ".repeat(if self.large { 14_000 } else { 20 });
        let raw = format!(
            "From: <{}>\r\nMessage-ID: <{}@sim>\r\nSubject: {}\r\n\r\n{}\r\n",
            self.from,
            self.name,
            self.name,
            body.as_bytes()
                .chunks(70)
                .map(|line| std::str::from_utf8(line).unwrap())
                .collect::<Vec<_>>()
                .join("\r\n"),
        );
        let notify = match self.never {
            true => Notify { never: true, success: false, failure: false, delay: false },
            false => Notify::default(),
        };
        let recipient =
            |address: &String| OutgoingRecipient { address: address.clone(), original: None, notify };
        Outgoing {
            id: self.name.clone(),
            reverse_path: self.from.clone(),
            recipients: self.to.iter().map(recipient).collect(),
            ret: None,
            envelope_id: None,
            smtputf8: false,
            eight_bit: false,
            submitted_by: None,
            raw: Bytes::from(raw),
            next_attempt: now,
            expires: Policy::default().expires(now, self.from.is_empty()),
        }
    }
}

/// What arrived somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrived {
    /// A message of ours, by its name.
    Message(String),
    /// A report.
    Report(Report),
}

/// A report, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its own Message-ID.
    pub id: String,
    /// The message it is about.
    pub about: String,
    /// Recipient, action, status.
    pub recipients: Vec<(String, String, String)>,
}

/// Reads a message where it arrived.
pub fn read(raw: &str) -> Arrived {
    let header = raw.split("\r\n\r\n").next().unwrap_or_default();
    let id = field(header, "Message-ID").unwrap_or_default();
    if !header.contains("multipart/report") {
        let name = id.trim_start_matches('<').split('@').next().unwrap_or_default();
        return Arrived::Message(name.to_owned());
    }
    let parts: Vec<&str> = raw.split("\r\n--=_report_").collect();
    let mut recipients = Vec::new();
    for group in parts[2].split("\r\n\r\n") {
        let address = field(group, "Final-Recipient")
            .and_then(|value| value.split_once("; ").map(|(_, a)| a.to_owned()));
        if let (Some(address), Some(action), Some(status)) =
            (address, field(group, "Action"), field(group, "Status"))
        {
            recipients.push((address, action, status));
        }
    }
    let about = field(parts[3], "Message-ID").unwrap_or_default();
    Arrived::Report(Report { id, about, recipients })
}

fn field(text: &str, name: &str) -> Option<String> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(|value| value.trim().to_owned()))
}
