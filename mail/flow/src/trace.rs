//! The trace fields that a delivery puts in front of a message: `Return-Path:` and `Received:`.
//!
//! RFC 5321 §4.4 (both fields; erratum 1683 on further clauses, which we write none of), RFC 3848 §1 and RFC 6531 §4.3
//! (names of the protocol), RFC 5322 §2.1.1 (line lengths) and §3.2.2 (comments). Whatever a client or a DNS server put
//! into a name, it starts no field and no line here.

use chrono::{DateTime, FixedOffset};
use mailwright_smtp::{AddressLiteral, ForwardPath, Helo, ReversePath, Transfer};

use crate::facts::MessageFacts;

/// What the trace fields report.
#[derive(Debug, Clone, Copy)]
pub struct Trace<'a> {
    /// The envelope sender.
    pub reverse_path: &'a ReversePath,
    /// The envelope recipients; `for` is written when there is exactly one (RFC 5321 §7.2: no blind copies revealed).
    pub recipients: &'a [ForwardPath],
    /// How the message came.
    pub transfer: &'a Transfer,
    /// Our host name.
    pub hostname: &'a str,
    /// The identifier of this message in our logs.
    pub id: &'a str,
    /// When it came.
    pub date: DateTime<FixedOffset>,
}

impl Trace<'_> {
    /// What goes in front of the message: both fields, folded, each line ended by CRLF; behind them an empty line when the
    /// message has no header, so that its text stays text.
    pub fn prefix(&self, facts: &MessageFacts) -> Vec<u8> {
        let mut prefix = self.write();
        if facts.headless || facts.size == 0 {
            prefix.extend_from_slice(b"\r\n");
        }
        prefix
    }

    /// Both fields.
    ///
    /// ```text
    /// Return-path-line  = "Return-Path:" FWS Reverse-path <CRLF>                 RFC 5321 §4.4
    /// Time-stamp-line   = "Received:" FWS Stamp <CRLF>
    /// Stamp             = From-domain By-domain Opt-info [CFWS] ";" FWS date-time
    /// From-domain       = "FROM" FWS Extended-Domain
    /// Extended-Domain   = Domain / ( ( Domain / address-literal ) FWS "(" TCP-info ")" )
    /// TCP-info          = address-literal / ( Domain FWS address-literal )
    /// Opt-info          = [Via] [With] [ID] [For]
    /// ```
    pub fn write(&self) -> Vec<u8> {
        let mut fields = format!("Return-Path: {}\r\n", self.reverse_path).into_bytes();
        fields.extend_from_slice(&self.received());
        fields
    }

    /// `Received:` alone: what a message carries that goes on to another host (RFC 5321 §4.4: the return path is written by the
    /// host that makes the final delivery).
    pub fn received(&self) -> Vec<u8> {
        let mut lines = vec![
            format!("Received: {}", self.from()),
            format!("\tby {} with {} id {}", name(self.hostname), self.protocol(), atom(self.id)),
        ];
        if let Some(tls) = &self.transfer.tls {
            lines.push(format!("\t({} {})", atom(&tls.version), atom(&tls.cipher)));
        }
        if let [ForwardPath::Mailbox(mailbox)] = self.recipients {
            lines.push(format!("\tfor <{mailbox}>"));
        }
        if let Some(last) = lines.last_mut() {
            last.push(';');
        }
        lines.push(format!("\t{}", self.date.to_rfc2822()));
        lines.iter().flat_map(|line| line.bytes().chain(*b"\r\n")).collect()
    }

    /// A name that is no domain stands in a comment, since the grammar has no other place for it.
    fn from(&self) -> String {
        let literal = AddressLiteral::Ip(self.transfer.peer.ip.to_canonical());
        let tcp_info = match &self.transfer.peer.name {
            Some(reverse) if !reverse.is_empty() => format!("({} {literal})", name(reverse)),
            _ => format!("({literal})"),
        };
        match &self.transfer.helo {
            Some(Helo::Domain(domain)) => format!("from {domain} {tcp_info}"),
            Some(Helo::Other(text)) => format!("from {literal} {tcp_info} (HELO {})", comment(text)),
            None => format!("from {literal} {tcp_info}"),
        }
    }

    /// The names IANA registered for the `with` clause. There are none for UTF8SMTP without ESMTP: the parameter needs EHLO.
    fn protocol(&self) -> String {
        let transfer = self.transfer;
        let base = match (transfer.smtputf8, transfer.lmtp, transfer.esmtp) {
            (true, true, _) => "UTF8LMTP",
            (true, false, _) => "UTF8SMTP",
            (false, true, _) => "LMTP",
            (false, false, true) => "ESMTP",
            // Only EHLO leads to TLS and AUTH; HELO behind them changes nothing about them.
            (false, false, false) if transfer.tls.is_some() || transfer.authenticated => "ESMTP",
            (false, false, false) => "SMTP",
        };
        let tls = if transfer.tls.is_some() { "S" } else { "" };
        let authenticated = if transfer.authenticated { "A" } else { "" };
        format!("{base}{tls}{authenticated}")
    }
}

/// Octets of a name from DNS or configuration (RFC 5321 §4.5.3.1.2).
const NAME_MAX: usize = 255;

/// A host name reduced to what a host name may hold.
fn name(text: &str) -> String {
    kept(text, |c| c.is_ascii_alphanumeric() || "-._".contains(c))
}

/// An identifier reduced to the letters of an atom that need no thought.
fn atom(text: &str) -> String {
    kept(text, |c| c.is_ascii_alphanumeric() || "-_.+/".contains(c))
}

/// The text of a comment: its parentheses and backslashes quoted (RFC 5322 §3.2.2).
fn comment(text: &str) -> String {
    let quoted = |c: char| if matches!(c, '(' | ')' | '\\') { vec!['\\', c] } else { vec![c] };
    kept(text, |c| c.is_ascii_graphic()).chars().flat_map(quoted).collect()
}

fn kept(text: &str, fits: impl Fn(char) -> bool) -> String {
    let text: String = text.chars().filter(|c| fits(*c)).take(NAME_MAX).collect();
    if text.is_empty() { "unknown".to_owned() } else { text }
}

#[cfg(test)]
mod tests;
