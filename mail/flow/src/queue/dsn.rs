//! Reports to the sender: what could not be delivered, what is late, what was delivered when that was asked.
//!
//! RFC 3464 §2 (message/delivery-status), RFC 6522 §3 (multipart/report), RFC 3461 §4 and §6 (what the sender asked for), RFC 3462
//! is the older form of RFC 6522. RFC 5321 §6.1: reports have the null sender, and none is made for one.

use chrono::{DateTime, FixedOffset};
use mailwright_smtp::Enhanced;

/// What is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Recipients failed for good.
    Failure,
    /// Recipients are late; attempts go on.
    Delay,
    /// Recipients were reached, and the sender had asked to know.
    Success,
}

/// What the sender wants to know of one recipient: NOTIFY (RFC 3461 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Notify {
    /// NEVER.
    pub never: bool,
    /// SUCCESS.
    pub success: bool,
    /// FAILURE.
    pub failure: bool,
    /// DELAY.
    pub delay: bool,
}

impl Default for Notify {
    /// Without the parameter: failures and delays (RFC 3461 §4.1).
    fn default() -> Notify {
        Notify { never: false, success: false, failure: true, delay: true }
    }
}

/// Whether a report is made for a recipient. Never for the null sender.
pub fn is_wanted(kind: Kind, reverse_path: &str, notify: Notify) -> bool {
    let asked = match kind {
        Kind::Failure => notify.failure,
        Kind::Delay => notify.delay,
        Kind::Success => notify.success,
    };
    asked && !notify.never && !matches!(reverse_path, "" | "<>")
}

/// What was done with a recipient that is reported as a success (RFC 3464 §2.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reached {
    /// It is in the mailbox.
    Delivered,
    /// Another host has it, which sends no reports.
    Relayed,
    /// An alias or forward sent it on.
    Expanded,
}

/// One recipient of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The address it was sent to.
    pub address: String,
    /// ORCPT as the client gave it, `rfc822;alice@example.test`, decoded from xtext.
    pub original: Option<String>,
    /// The enhanced code.
    pub status: Enhanced,
    /// The host that said so.
    pub remote: Option<String>,
    /// What it said; lines are joined.
    pub diagnostic: Option<String>,
    /// Why, in words.
    pub text: String,
    /// The last attempt.
    pub attempted: Option<DateTime<FixedOffset>>,
    /// For a success: how far it came.
    pub reached: Option<Reached>,
}

/// A report to be written.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// What is reported.
    pub kind: Kind,
    /// The name of this server.
    pub hostname: &'a str,
    /// Unique: for the Message-ID and the boundary.
    pub id: &'a str,
    /// To whom: the reverse-path of the message.
    pub to: &'a str,
    /// ENVID as the client gave it, decoded from xtext.
    pub envelope_id: Option<&'a str>,
    /// When the message came.
    pub arrived: DateTime<FixedOffset>,
    /// Now.
    pub now: DateTime<FixedOffset>,
    /// For a delay: until when attempts go on.
    pub expires: Option<DateTime<FixedOffset>>,
    /// Its recipients; those that a report is wanted for.
    pub recipients: &'a [Recipient],
    /// The message.
    pub message: &'a [u8],
    /// The whole message is returned (RET=FULL), else its header.
    pub full: bool,
    /// The message needed SMTPUTF8.
    pub smtputf8: bool,
}

/// A report: its envelope sender is the null sender, its recipient `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The recipient.
    pub to: String,
    /// The message, header and all, with CRLF.
    pub message: Vec<u8>,
    /// It has UTF-8 in its header or its status part.
    pub smtputf8: bool,
}

/// Octets of a message that are returned whole; of a larger one the header is (RFC 3461 §4.3 leaves that to the host).
pub const MAX_RETURNED: usize = 256 * 1024;

/// Octets of a returned header: enough to recognise any honest message.
pub const MAX_HEADER: usize = 64 * 1024;

/// Octets of a diagnostic that are passed on.
const MAX_DIAGNOSTIC: usize = 1000;

/// Writes the report.
///
/// ```text
/// multipart/report; report-type=delivery-status                               RFC 6522 §3
///   text/plain                       in words
///   message/delivery-status          RFC 3464 §2.1, or message/global-delivery-status RFC 6533 §3
///   message/rfc822 or text/rfc822-headers (message/global…)                   what came
/// ```
pub fn build(report: &Report<'_>) -> Notice {
    let utf8 = report.smtputf8;
    let boundary = boundary(report);
    let mut out = String::new();
    header(&mut out, report, &boundary);
    out.push_str(&format!("--{boundary}\r\n"));
    out.push_str("Content-Type: text/plain; charset=utf-8\r\n");
    out.push_str("Content-Transfer-Encoding: 8bit\r\n\r\n");
    words(&mut out, report);
    out.push_str(&format!("\r\n--{boundary}\r\n"));
    out.push_str(match utf8 {
        true => {
            "Content-Type: message/global-delivery-status; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        }
        false => "Content-Type: message/delivery-status\r\n\r\n",
    });
    status(&mut out, report);
    let mut message = out.into_bytes();
    message.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
    returned(&mut message, report);
    message.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    Notice { to: report.to.to_owned(), message, smtputf8: utf8 }
}

/// A line that the returned message has nowhere, whoever wrote it (RFC 2046 §5.1.1).
fn boundary(report: &Report<'_>) -> String {
    let mut boundary = format!("=_report_{}", token(report.id));
    let occurs =
        |boundary: &str| report.message.windows(boundary.len()).any(|part| part == boundary.as_bytes());
    while occurs(&boundary) {
        boundary.push('_');
    }
    boundary
}

fn header(out: &mut String, report: &Report<'_>, boundary: &str) {
    let hostname = clean(report.hostname);
    let subject = match report.kind {
        Kind::Failure => "Your message could not be delivered",
        Kind::Delay => "Your message is delayed",
        Kind::Success => "Your message was delivered",
    };
    let fields = [
        format!("Date: {}", report.now.to_rfc2822()),
        format!("From: Mail Delivery System <postmaster@{hostname}>"),
        format!("To: <{}>", clean(report.to)),
        format!("Subject: {subject}"),
        format!("Message-ID: <{}@{hostname}>", token(report.id)),
        // RFC 3834 §5: nobody answers this by machine.
        "Auto-Submitted: auto-replied".to_owned(),
        "MIME-Version: 1.0".to_owned(),
        format!("Content-Type: multipart/report; report-type={};\r\n\tboundary=\"{boundary}\"", {
            if report.smtputf8 { "global-delivery-status" } else { "delivery-status" }
        }),
        "Content-Transfer-Encoding: 8bit".to_owned(),
    ];
    for field in fields {
        out.push_str(&field);
        out.push_str("\r\n");
    }
    out.push_str("\r\n");
}

/// The part for people.
fn words(out: &mut String, report: &Report<'_>) {
    out.push_str(&format!("This is the mail system of {}.\r\n\r\n", clean(report.hostname)));
    out.push_str(match report.kind {
        Kind::Failure => {
            "Your message could not be delivered to the recipients below, and is not tried any more.\r\n"
        }
        Kind::Delay => {
            "Your message has not been delivered to the recipients below yet. You need not send it again:\r\nattempts go on"
        }
        Kind::Success => "Your message reached the recipients below, as you asked to be told.\r\n",
    });
    if report.kind == Kind::Delay {
        match &report.expires {
            Some(expires) => out.push_str(&format!(" until {}.\r\n", expires.to_rfc2822())),
            None => out.push_str(".\r\n"),
        }
    }
    for recipient in report.recipients {
        out.push_str(&format!("\r\n<{}>\r\n    {}\r\n", clean(&recipient.address), clean(&recipient.text)));
        if let Some(diagnostic) = &recipient.diagnostic {
            let host = recipient.remote.as_deref().unwrap_or("The other host");
            out.push_str(&format!("    {} said: {}\r\n", clean(host), diagnostic_line(diagnostic)));
        }
    }
}

/// The fields for programs: per message, then per recipient (RFC 3464 §2.2, §2.3).
fn status(out: &mut String, report: &Report<'_>) {
    if let Some(id) = report.envelope_id {
        out.push_str(&format!("Original-Envelope-Id: {}\r\n", clean(id)));
    }
    out.push_str(&format!("Reporting-MTA: dns; {}\r\n", clean(report.hostname)));
    out.push_str(&format!("Arrival-Date: {}\r\n", report.arrived.to_rfc2822()));
    for recipient in report.recipients {
        out.push_str("\r\n");
        per_recipient(out, report, recipient);
    }
}

fn per_recipient(out: &mut String, report: &Report<'_>, recipient: &Recipient) {
    let kind = if recipient.address.is_ascii() { "rfc822" } else { "utf-8" };
    if let Some(original) = &recipient.original {
        // `addr-type ";" address`: RFC 3464 §2.3.1 writes a space behind the semicolon.
        let original = clean(original);
        match original.split_once(';') {
            Some((kind, address)) => {
                out.push_str(&format!("Original-Recipient: {}; {}\r\n", kind.trim(), address.trim()));
            }
            None => out.push_str(&format!("Original-Recipient: rfc822; {original}\r\n")),
        }
    }
    out.push_str(&format!("Final-Recipient: {kind}; {}\r\n", clean(&recipient.address)));
    let action = match (report.kind, recipient.reached) {
        (Kind::Failure, _) => "failed",
        (Kind::Delay, _) => "delayed",
        (Kind::Success, Some(Reached::Relayed)) => "relayed",
        (Kind::Success, Some(Reached::Expanded)) => "expanded",
        (Kind::Success, _) => "delivered",
    };
    out.push_str(&format!("Action: {action}\r\nStatus: {}\r\n", recipient.status));
    if let Some(remote) = &recipient.remote {
        out.push_str(&format!("Remote-MTA: dns; {}\r\n", clean(remote)));
    }
    if let Some(diagnostic) = &recipient.diagnostic {
        out.push_str(&fold(&format!("Diagnostic-Code: smtp; {}", diagnostic_line(diagnostic))));
    }
    if let Some(attempted) = &recipient.attempted {
        out.push_str(&format!("Last-Attempt-Date: {}\r\n", attempted.to_rfc2822()));
    }
    if let (Kind::Delay, Some(expires)) = (report.kind, &report.expires) {
        out.push_str(&format!("Will-Retry-Until: {}\r\n", expires.to_rfc2822()));
    }
}

/// The message that came, or its header (RFC 6522 §3: the third part; RFC 3461 §4.3).
fn returned(out: &mut Vec<u8>, report: &Report<'_>) {
    let full = report.full && report.message.len() <= MAX_RETURNED;
    let message = match full {
        true => report.message,
        false => header_of(report.message),
    };
    let kind = match (full, report.smtputf8) {
        (true, true) => "message/global",
        (true, false) => "message/rfc822",
        (false, true) => "message/global-headers",
        (false, false) => "text/rfc822-headers",
    };
    let eight_bit = message.iter().any(|b| !b.is_ascii());
    out.extend_from_slice(format!("Content-Type: {kind}\r\n").as_bytes());
    if eight_bit {
        out.extend_from_slice(b"Content-Transfer-Encoding: 8bit\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(message);
    if !message.ends_with(b"\n") {
        out.extend_from_slice(b"\r\n");
    }
}

/// The header without the empty line, cut at a line end when it is too long.
fn header_of(message: &[u8]) -> &[u8] {
    let end = crate::header::body_offset(message);
    let header = &message[..end];
    let header = header.strip_suffix(b"\r\n\r\n").map_or(header, |kept| &header[..kept.len() + 2]);
    if header.len() <= MAX_HEADER {
        return header;
    }
    let end = header[..MAX_HEADER].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    &header[..end]
}

/// One line, however the other host wrote it, without what could start another field.
fn diagnostic_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    clean(&words.join(" ")).chars().take(MAX_DIAGNOSTIC).collect()
}

fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn token(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).take(48).collect()
}

/// A field folded at spaces (RFC 5322 §2.2.3).
fn fold(field: &str) -> String {
    let mut out = String::new();
    let mut room = LINE;
    for word in field.split(' ') {
        if !out.is_empty() {
            let fits = word.len() < room;
            out.push_str(if fits { " " } else { "\r\n " });
            room = if fits { room - 1 } else { LINE - 1 };
        }
        out.push_str(word);
        room = room.saturating_sub(word.len());
    }
    out.push_str("\r\n");
    out
}

/// RFC 5322 §2.1.1: lines should be no longer than 78.
const LINE: usize = 78;

#[cfg(test)]
mod tests;
