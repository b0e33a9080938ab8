//! A transcript as steps.

use std::path::Path;

use super::Failure;
use super::pattern::{Pattern, octets};

/// A transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its file name.
    pub name: String,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// One line of a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Where it stands.
    pub line: usize,
    /// The connection it belongs to.
    pub connection: u8,
    /// What it says.
    pub action: Action,
}

/// What happens in a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The client sends.
    Send(Vec<u8>),
    /// The next line of the server.
    Expect(Pattern),
    /// One of the next lines of the server.
    Find(Pattern),
    /// The server closes the connection.
    Closed,
    /// For whoever runs the transcript.
    Directive(String),
}

impl Script {
    /// Reads a transcript.
    pub fn parse(name: &str, text: &str) -> Result<Script, Failure> {
        let mut steps = Vec::new();
        for (at, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let step = step(at + 1, line).map_err(|message| Failure {
                name: name.to_owned(),
                line: at + 1,
                message,
                traffic: Vec::new(),
            })?;
            steps.push(step);
        }
        Ok(Script { name: name.to_owned(), steps })
    }

    /// Reads every `*.txt` of a directory, by name.
    pub fn load_all(directory: &Path) -> Result<Vec<Script>, String> {
        let inside = |error: std::io::Error| format!("{}: {error}", directory.display());
        let mut scripts = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(inside)? {
            let path = entry.map_err(inside)?.path();
            if path.extension().is_some_and(|extension| extension == "txt") {
                let text = std::fs::read_to_string(&path).map_err(inside)?;
                let name =
                    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                scripts.push(Script::parse(&name, &text).map_err(|failure| failure.to_string())?);
            }
        }
        scripts.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(scripts)
    }

    /// The words of the directives that begin with `first`, without it.
    pub fn directives<'a>(&'a self, first: &'a str) -> impl Iterator<Item = &'a str> {
        self.steps.iter().filter_map(move |step| match &step.action {
            Action::Directive(words) => words.strip_prefix(first)?.strip_prefix(' '),
            _ => None,
        })
    }

    /// False when the transcript says `= only …` of something else.
    pub fn runs_on(&self, place: &str) -> bool {
        self.directives("only").all(|only| only == place)
    }
}

fn step(line: usize, text: &str) -> Result<Step, String> {
    let mut chars = text.chars();
    let who = chars.next();
    let digit = chars.clone().next().and_then(|c| c.to_digit(10)).map(|digit| digit as u8);
    if digit.is_some() {
        chars.next();
    }
    let rest = chars.as_str();
    let (kind, rest) = match who {
        Some('=') => (' ', rest),
        _ => (chars.next().unwrap_or(' '), chars.as_str()),
    };
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    let action = match (who, kind) {
        (Some('C'), ':') => Action::Send([octets(rest)?.as_slice(), b"\r\n"].concat()),
        (Some('C'), '-') => Action::Send(octets(rest)?),
        (Some('S'), ':') => Action::Expect(Pattern::parse(rest)?),
        (Some('S'), '+') => Action::Find(Pattern::parse(rest)?),
        (Some('S'), '.') if rest == "closed" => Action::Closed,
        (Some('='), _) => Action::Directive(rest.trim().to_owned()),
        _ => return Err(format!("no line of a transcript: {text}")),
    };
    Ok(Step { line, connection: digit.unwrap_or(1), action })
}
