//! `mailwright fetch`: messages of a mailbox by field, as `doveadm fetch` shows them. No flag changes.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use mailwright_server::management::{FetchRequest, FetchedMessage};
use serde_json::{Map, Value, json};

use crate::args::mail::{self, PlanFormat};
use crate::connect::Connection;
use crate::terminal;

/// Reads and prints.
pub async fn run(data: &Path, options: mail::Fetch) -> Result<ExitCode> {
    let fields: Vec<Field> = options.fields.iter().map(|name| Field::parse(name)).collect::<Result<_>>()?;
    let request = FetchRequest {
        address: options.address,
        mailbox: options.mailbox,
        uids: options.uid.as_deref().map(uids).transpose()?.unwrap_or_default(),
        limit: options.limit,
        text: fields.iter().any(Field::needs_text),
    };
    let messages = Connection::open(data).await?.fetch(&request).await?;
    if messages.is_empty() {
        eprintln!("no messages");
    }
    match options.output {
        PlanFormat::Json => {
            let objects: Vec<Value> = messages.iter().map(|message| object(&fields, message)).collect();
            terminal::print(&format!("{}\n", serde_json::to_string_pretty(&objects)?));
        }
        PlanFormat::Text if fields.iter().any(Field::is_long) => {
            messages.iter().for_each(|message| terminal::print(&block(&fields, message)));
        }
        PlanFormat::Text if messages.is_empty() => {}
        PlanFormat::Text => terminal::print(&table(&fields, &messages)),
    }
    Ok(ExitCode::SUCCESS)
}

/// What is shown of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Field {
    Uid,
    Flags,
    Received,
    Size,
    Header,
    Named(String),
    Body,
    Text,
}

impl Field {
    fn parse(name: &str) -> Result<Field> {
        Ok(match name {
            "uid" => Field::Uid,
            "flags" => Field::Flags,
            "date.received" => Field::Received,
            "size" | "size.physical" => Field::Size,
            "hdr" => Field::Header,
            "body" => Field::Body,
            "text" => Field::Text,
            other => match other.strip_prefix("hdr.").filter(|name| !name.is_empty()) {
                Some(name) => Field::Named(name.to_ascii_lowercase()),
                None => bail!(
                    "there is no field {other:?}; the fields are uid, flags, date.received, size, hdr, hdr.NAME, body, text"
                ),
            },
        })
    }

    fn name(&self) -> String {
        match self {
            Field::Uid => "uid".into(),
            Field::Flags => "flags".into(),
            Field::Received => "date.received".into(),
            Field::Size => "size".into(),
            Field::Header => "hdr".into(),
            Field::Named(name) => format!("hdr.{name}"),
            Field::Body => "body".into(),
            Field::Text => "text".into(),
        }
    }

    fn needs_text(&self) -> bool {
        self.is_long() || matches!(self, Field::Named(_))
    }

    /// Whether it has lines of its own.
    fn is_long(&self) -> bool {
        matches!(self, Field::Header | Field::Body | Field::Text)
    }

    fn value(&self, message: &FetchedMessage) -> Value {
        let text = message.text.as_deref().unwrap_or_default();
        let (header, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        match self {
            Field::Uid => json!(message.uid),
            Field::Flags => json!(message.flags),
            Field::Received => json!(message.received),
            Field::Size => json!(message.size),
            Field::Header => json!(header),
            Field::Named(name) => json!(header_field(header, name)),
            Field::Body => json!(body),
            Field::Text => json!(text),
        }
    }

    fn shown(&self, message: &FetchedMessage) -> String {
        match self {
            Field::Flags => message.flags.join(" "),
            Field::Received => message.received.format("%Y-%m-%d %H:%M:%S").to_string(),
            field => match field.value(message) {
                Value::String(text) => text.replace("\r\n", "\n"),
                Value::Null => String::new(),
                value => value.to_string(),
            },
        }
    }
}

/// The first field of a name, unfolded (RFC 5322 §2.2.3).
fn header_field(header: &str, name: &str) -> Option<String> {
    let mut lines = header.split("\r\n").skip_while(|line| {
        let (found, _) = line.split_once(':').unwrap_or(("", ""));
        !found.trim_end().eq_ignore_ascii_case(name)
    });
    let (_, first) = lines.next()?.split_once(':')?;
    let folded = lines.take_while(|line| line.starts_with([' ', '\t']));
    Some(std::iter::once(first).chain(folded).collect::<String>().trim().to_owned())
}

fn object(fields: &[Field], message: &FetchedMessage) -> Value {
    let pairs = fields.iter().map(|field| (field.name(), field.value(message)));
    Value::Object(pairs.collect::<Map<_, _>>())
}

/// Messages one under the other, each field by name, a form feed after each message as doveadm does.
fn block(fields: &[Field], message: &FetchedMessage) -> String {
    let mut text = String::new();
    for field in fields {
        let separator = if field.is_long() { "\n" } else { " " };
        text.push_str(&format!(
            "{}:{separator}{}\n",
            field.name(),
            field.shown(message).trim_end_matches('\n')
        ));
    }
    text + "\x0c\n"
}

fn table(fields: &[Field], messages: &[FetchedMessage]) -> String {
    let header: Vec<String> = fields.iter().map(|field| field.name().to_uppercase()).collect();
    let rows: Vec<Vec<String>> =
        messages.iter().map(|message| fields.iter().map(|field| field.shown(message)).collect()).collect();
    terminal::plain_table(&header, &rows)
}

/// Reads `1,3,5:8`. A range is no longer than an answer, so that a slip does not fill memory.
fn uids(text: &str) -> Result<Vec<u32>> {
    let wrong = || anyhow::anyhow!("{text:?} are no UIDs; write 7, or 1:10, or 1,3,5:8");
    let mut uids = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once(':').unwrap_or((part, part));
        let (first, last): (u32, u32) =
            (first.parse().map_err(|_| wrong())?, last.parse().map_err(|_| wrong())?);
        if first == 0 || last < first || (last - first) as usize + uids.len() > MOST_UIDS {
            return Err(wrong());
        }
        uids.extend(first..=last);
    }
    Ok(uids)
}

/// UIDs of one command: several times what one answer holds.
const MOST_UIDS: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> FetchedMessage {
        let text =
            "Received: a\r\nSubject: one\r\n two\r\nFROM : Bob <bob@example.org>\r\n\r\nbody\r\nlines\r\n";
        FetchedMessage {
            uid: 7,
            flags: vec!["\\Seen".into(), "$Label".into()],
            received: chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
            size: 90,
            text: Some(text.into()),
        }
    }

    fn fields(names: &[&str]) -> Vec<Field> {
        names.iter().map(|name| Field::parse(name).unwrap()).collect()
    }

    #[test]
    fn short_fields_are_a_table() {
        assert_eq!(
            table(&fields(&["uid", "flags", "date.received", "hdr.subject", "hdr.none"]), &[message()]),
            "UID   FLAGS          DATE.RECEIVED         HDR.SUBJECT   HDR.NONE\n\
             7     \\Seen $Label   2027-01-15 08:00:00   one two\n"
        );
    }

    #[test]
    fn long_fields_are_blocks_and_programs_get_names() {
        let fields = fields(&["uid", "body"]);
        assert_eq!(block(&fields, &message()), "uid: 7\nbody:\nbody\nlines\n\x0c\n");
        assert_eq!(object(&fields, &message()), json!({"uid": 7, "body": "body\r\nlines\r\n"}));
    }

    #[test]
    fn header_fields_are_found_and_unfolded() {
        let message = message();
        for (name, expected) in
            [("hdr.from", Some("Bob <bob@example.org>")), ("hdr.Subject", Some("one two")), ("hdr.to", None)]
        {
            let field = Field::parse(name).unwrap();
            assert_eq!(field.value(&message), json!(expected), "{name}");
        }
        assert!(Field::parse("subject").unwrap_err().to_string().contains("hdr.NAME"));
        assert!(Field::parse("hdr.").is_err());
    }

    #[test]
    fn uids_are_numbers_and_ranges() {
        assert_eq!(uids("1,3,5:8").unwrap(), [1, 3, 5, 6, 7, 8]);
        for wrong in ["", "0", "a", "5:1", "1:", "1:4000000000"] {
            assert!(uids(wrong).is_err(), "{wrong}");
        }
    }
}
