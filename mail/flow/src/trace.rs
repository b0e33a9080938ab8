//! The trace fields that a delivery puts in front of a message: `Return-Path:` and `Received:`.
//!
//! RFC 5321 §4.4.

use chrono::{DateTime, FixedOffset};
use mailwright_smtp::{ForwardPath, ReversePath, Transfer};

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
    /// Both fields, folded, each line ended by CRLF.
    pub fn write(&self) -> Vec<u8> {
        Vec::new()
    }
}
