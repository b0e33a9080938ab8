//! What SORT compares (RFC 5256 §3, RFC 5957 §3): the criteria and the values that a message's index gives them.
//!
//! Leaves out the order of equals, which is that of the sequence numbers, and fetching.

use crate::date;
use crate::message::address::Address;
use crate::message::{Index, encoded_word, subject};
use crate::search::fold;
use std::cmp::Reverse;

/// `sort-key` of RFC 5256 §5, and those of RFC 5957 §4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortBy {
    /// `ARRIVAL`: the internal date.
    Arrival,
    /// `CC`: the first address' mailbox.
    Cc,
    /// `DATE`: the Date field in UTC.
    Date,
    /// `DISPLAYFROM`
    DisplayFrom,
    /// `DISPLAYTO`
    DisplayTo,
    /// `FROM`
    From,
    /// `SIZE`
    Size,
    /// `SUBJECT`: the base subject.
    Subject,
    /// `TO`
    To,
}

/// `sort-criterion` of RFC 5256 §5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Criterion {
    /// What counts.
    pub by: SortBy,
    /// `REVERSE`
    pub reverse: bool,
}

/// What one message has for all criteria; values of the same criteria compare.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SortValue(Vec<Directed>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Directed {
    Up(Value),
    Down(Reverse<Value>),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Number(i64),
    Text(String),
}

impl SortValue {
    /// The values of a message.
    pub fn new(criteria: &[Criterion], internal_date: i64, size: u64, index: &Index) -> SortValue {
        let value = |criterion: &Criterion| {
            let value = value(criterion.by, internal_date, size, index);
            if criterion.reverse { Directed::Down(Reverse(value)) } else { Directed::Up(value) }
        };
        SortValue(criteria.iter().map(value).collect())
    }

    /// Octets that it holds.
    pub fn memory(&self) -> usize {
        let text = |directed: &Directed| match directed {
            Directed::Up(Value::Text(text)) | Directed::Down(Reverse(Value::Text(text))) => text.len(),
            _ => 0,
        };
        self.0.iter().map(text).sum::<usize>() + self.0.len() * size_of::<Directed>()
    }
}

fn value(by: SortBy, internal_date: i64, size: u64, index: &Index) -> Value {
    let envelope = &index.envelope;
    match by {
        SortBy::Arrival => Value::Number(internal_date),
        SortBy::Date => Value::Number(sent_date(internal_date, index)),
        SortBy::Size => Value::Number(i64::try_from(size).unwrap_or(i64::MAX)),
        SortBy::Cc => Value::Text(mailbox(&envelope.cc)),
        SortBy::From => Value::Text(mailbox(&envelope.from)),
        SortBy::To => Value::Text(mailbox(&envelope.to)),
        SortBy::DisplayFrom => Value::Text(display(&envelope.from)),
        SortBy::DisplayTo => Value::Text(display(&envelope.to)),
        SortBy::Subject => Value::Text(subject::key(envelope.subject.as_deref()).0),
    }
}

/// When a message was sent: its Date field in UTC, and where that cannot be read its internal date (RFC 5256 §2.2).
pub fn sent_date(internal_date: i64, index: &Index) -> i64 {
    index.envelope.date.as_deref().and_then(date::parse_field).unwrap_or(internal_date)
}

/// `addr-mailbox` of the first address; a group's name counts, as it stands there (RFC 5256 §3).
fn mailbox(list: &[Address]) -> String {
    let first = list.first().and_then(|address| address.mailbox.as_deref());
    first.map(|mailbox| fold(&encoded_word::decode(mailbox))).unwrap_or_default()
}

/// The first address as people see it: its name, or else `mailbox@host` (RFC 5957 §3).
fn display(list: &[Address]) -> String {
    let Some(first) = list.first() else { return String::new() };
    if let Some(name) = first.name.as_deref().filter(|name| !name.is_empty()) {
        return fold(&encoded_word::decode(name));
    }
    let text = |part: &Option<Vec<u8>>| part.as_deref().map(encoded_word::decode).unwrap_or_default();
    match &first.host {
        Some(_) => fold(&format!("{}@{}", text(&first.mailbox), text(&first.host))),
        None => fold(&text(&first.mailbox)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message;

    fn index(header: &str) -> Index {
        message::index(format!("{header}\r\n\r\n").as_bytes())
    }

    /// Which of the two headers comes first.
    fn check(by: SortBy, first: &str, second: &str) {
        for reverse in [false, true] {
            let value = |header| SortValue::new(&[Criterion { by, reverse }], 7, 9, &index(header));
            let expected = if reverse { std::cmp::Ordering::Greater } else { std::cmp::Ordering::Less };
            assert_eq!(value(first).cmp(&value(second)), expected, "{by:?} {first:?} {second:?} {reverse}");
        }
    }

    #[test]
    fn orders() {
        check(SortBy::Subject, "Subject: Re: apple", "Subject: Banana");
        check(SortBy::Subject, "X: none", "Subject: a");
        check(SortBy::From, "From: Zoe <anna@x.test>", "From: Anna <zoe@x.test>");
        check(SortBy::DisplayFrom, "From: Anna <zoe@x.test>", "From: Zoe <anna@x.test>");
        check(SortBy::DisplayFrom, "From: b@x.test", "From: =?utf-8?q?C=C3=A9line?= <a@x.test>");
        check(SortBy::DisplayTo, "To: a@a.test", "To: a@b.test");
        check(SortBy::Cc, "Cc: a@x.test, z@x.test", "Cc: B@x.test");
        check(SortBy::To, "X: none", "To: a@x.test");
        // The same hour in zones from east to west.
        check(
            SortBy::Date,
            "Date: Mon, 7 Feb 1994 21:52:25 +0200",
            "Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)",
        );
    }

    #[test]
    fn numbers_and_several_criteria() {
        let by = |by, reverse| Criterion { by, reverse };
        let criteria = [by(SortBy::Size, true), by(SortBy::Arrival, false)];
        let value = |date, size| SortValue::new(&criteria, date, size, &index("X: y"));
        assert!(value(5, 10) < value(1, 9));
        assert!(value(1, 10) < value(5, 10));
        assert_eq!(value(1, 1), value(1, 1));
        assert!(value(1, 1).memory() > 0);
    }

    #[test]
    fn a_date_that_cannot_be_read_is_the_internal_one() {
        assert_eq!(sent_date(7, &index("Date: yesterday")), 7);
        assert_eq!(sent_date(7, &index("X: y")), 7);
        assert_eq!(sent_date(7, &index("Date: Thu, 1 Jan 1970 00:01:00 +0000")), 60);
    }
}
