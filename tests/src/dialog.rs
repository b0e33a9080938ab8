//! Transcripts: dialogues with a line-based server, kept as files and run against a state machine or a socket.
//!
//! A transcript is read line by line. Blank lines and lines that begin with `#` say nothing. Otherwise:
//!
//! ```text
//! C: text        the client sends the text and CRLF
//! C- text        the client sends the text alone
//! S: pattern     the server's next line matches
//! S+ pattern     one of the server's next lines matches; lines before it are passed over
//! S. closed      the server has nothing more to say and closes the connection
//! = words        a directive, handed to whoever runs the transcript (`= starttls`, `= wait 300`, `= only machine`)
//! ```
//! With a digit (`C2:`, `S2+`, `=2 …`) a line belongs to another connection, opened at its first use; without one to
//! connection 1. In texts and patterns `\r \n \t \0 \\ \xHH` stand for octets, `\{80 text}` for eighty times the text; in
//! patterns `…` stands for any run of characters of the line.
//!
//! Nothing here knows a protocol: SMTP and IMAP share it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

pub use self::pattern::Pattern;
pub use self::script::{Action, Script, Step};
pub use self::socket::{Socket, Stream};

mod pattern;
mod script;
mod socket;

/// Lines of traffic that a failure shows.
const SHOWN: usize = 12;

/// One connection to what is tested.
pub trait Peer {
    /// Sends octets as the client.
    fn send(&mut self, octets: &[u8]) -> Result<(), String>;

    /// The server's next line with its line end; `None` when the server closed the connection.
    fn line(&mut self) -> Result<Option<Vec<u8>>, String>;

    /// A directive of the transcript.
    fn directive(&mut self, words: &str) -> Result<(), String>;
}

/// A transcript that did not go as written, or was not written right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The transcript.
    pub name: String,
    /// The line of the transcript.
    pub line: usize,
    /// What went wrong.
    pub message: String,
    /// The last lines of traffic.
    pub traffic: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.name, self.line, self.message)?;
        self.traffic.iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

impl std::error::Error for Failure {}

/// Runs one transcript; `open` opens a connection by its number.
pub fn run<P: Peer>(script: &Script, mut open: impl FnMut(u8) -> Result<P, String>) -> Result<(), Failure> {
    let mut peers: BTreeMap<u8, P> = BTreeMap::new();
    let mut traffic = Vec::new();
    for step in &script.steps {
        let fail = |message: String, traffic: &[String]| Failure {
            name: script.name.clone(),
            line: step.line,
            message,
            traffic: traffic[traffic.len().saturating_sub(SHOWN)..].to_vec(),
        };
        if let std::collections::btree_map::Entry::Vacant(vacant) = peers.entry(step.connection) {
            vacant.insert(open(step.connection).map_err(|message| fail(message, &traffic))?);
        }
        if let Some(peer) = peers.get_mut(&step.connection) {
            perform(peer, step, &mut traffic).map_err(|message| fail(message, &traffic))?;
        }
    }
    Ok(())
}

fn perform(peer: &mut impl Peer, step: &Step, traffic: &mut Vec<String>) -> Result<(), String> {
    match &step.action {
        Action::Send(octets) => {
            traffic.push(format!("C: {}", shown(octets)));
            peer.send(octets)
        }
        Action::Expect(pattern) => match next(peer, traffic)? {
            Some(line) if pattern.matches(&line) => Ok(()),
            Some(line) => Err(format!("expected {pattern}, got {line}")),
            None => Err(format!("expected {pattern}, got the end of the connection")),
        },
        Action::Find(pattern) => loop {
            match next(peer, traffic)? {
                Some(line) if pattern.matches(&line) => return Ok(()),
                Some(_) => {}
                None => return Err(format!("no line matched {pattern} before the end of the connection")),
            }
        },
        Action::Closed => match next(peer, traffic)? {
            None => Ok(()),
            Some(line) => Err(format!("expected the end of the connection, got {line}")),
        },
        Action::Directive(words) => peer.directive(words),
    }
}

/// The next line without its end, which must be CRLF and nothing less.
fn next(peer: &mut impl Peer, traffic: &mut Vec<String>) -> Result<Option<String>, String> {
    let Some(octets) = peer.line()? else { return Ok(None) };
    traffic.push(format!("S: {}", shown(&octets)));
    let line = octets.strip_suffix(b"\r\n").ok_or("the server's line does not end in CRLF")?;
    Ok(Some(String::from_utf8_lossy(line).into_owned()))
}

fn shown(octets: &[u8]) -> String {
    let mut text: String = octets.trim_ascii_end().iter().take(200).copied().map(char::from).collect();
    if octets.len() > 200 {
        text.push_str(" …");
    }
    text.escape_debug().to_string()
}

/// Runs every transcript (`*.txt`) of a directory that `wanted` wants, and reports all that fail; the number of those run.
pub fn run_all<P: Peer>(
    directory: &Path,
    wanted: impl Fn(&Script) -> bool,
    mut open: impl FnMut(&Script, u8) -> Result<P, String>,
) -> Result<usize, String> {
    let mut failures = Vec::new();
    let mut count = 0;
    for script in Script::load_all(directory)? {
        if wanted(&script) {
            count += 1;
            failures.extend(run(&script, |connection| open(&script, connection)).err());
        }
    }
    if failures.is_empty() {
        return Ok(count);
    }
    Err(failures.iter().map(|failure| format!("{failure}\n")).collect())
}

#[cfg(test)]
mod tests;
