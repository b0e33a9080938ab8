//! ENVELOPE, BODY and BODYSTRUCTURE of any message against the grammar of RFC 3501 §9, read by a strict client.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod memory;

use memory::{Connection, account};
use proptest::prelude::*;

/// A value of a response: what stands between two spaces.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    /// An atom, NIL or a number among them.
    Atom(String),
    /// A quoted string or a literal.
    Text(Vec<u8>),
    /// Values in parentheses, and whether spaces stood between them.
    List(Vec<Value>, bool),
}

/// Reads values strictly: one space between two, none where the grammar has none.
struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn take(&mut self, octet: u8) -> bool {
        let found = self.rest.first() == Some(&octet);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    fn value(&mut self) -> Value {
        match self.rest[0] {
            b'(' => self.list(),
            b'"' => self.quoted(),
            b'{' => self.literal(),
            _ => {
                let end = self
                    .rest
                    .iter()
                    .position(|b| matches!(b, b' ' | b'(' | b')' | b'"'))
                    .unwrap_or(self.rest.len());
                assert!(end > 0, "an atom has a character: {:?}", String::from_utf8_lossy(self.rest));
                let (atom, rest) = self.rest.split_at(end);
                self.rest = rest;
                Value::Atom(String::from_utf8(atom.to_vec()).expect("an atom is ASCII"))
            }
        }
    }

    fn list(&mut self) -> Value {
        assert!(self.take(b'('));
        let (mut values, mut spaced, mut joined) = (Vec::new(), false, false);
        while !self.take(b')') {
            if !values.is_empty() {
                match self.take(b' ') {
                    true => spaced = true,
                    // Bodies of a multipart and addresses follow one another without a space.
                    false => joined = true,
                }
            }
            values.push(self.value());
        }
        Value::List(values, spaced || !joined)
    }

    fn quoted(&mut self) -> Value {
        assert!(self.take(b'"'));
        let mut text = Vec::new();
        loop {
            let octet = self.rest[0];
            self.rest = &self.rest[1..];
            match octet {
                b'"' => return Value::Text(text),
                b'\\' => {
                    assert!(matches!(self.rest[0], b'"' | b'\\'), "only quotes and backslashes are escaped");
                    text.push(self.rest[0]);
                    self.rest = &self.rest[1..];
                }
                b' '..=b'~' => text.push(octet),
                other => panic!("{other} inside quotes"),
            }
        }
    }

    fn literal(&mut self) -> Value {
        let end = self.rest.iter().position(|b| *b == b'}').expect("a literal's size ends");
        let size: usize =
            std::str::from_utf8(&self.rest[1..end]).unwrap().parse().expect("a literal has a size");
        assert_eq!(&self.rest[end + 1..end + 3], b"\r\n");
        let text = self.rest[end + 3..end + 3 + size].to_vec();
        assert!(!text.contains(&0), "CHAR8 is not NUL");
        self.rest = &self.rest[end + 3 + size..];
        Value::Text(text)
    }
}

fn list(value: &Value) -> &[Value] {
    match value {
        Value::List(values, _) => values,
        other => panic!("expected a list, got {other:?}"),
    }
}

fn is_nil(value: &Value) -> bool {
    *value == Value::Atom("NIL".to_owned())
}

fn text(value: &Value) -> &[u8] {
    match value {
        Value::Text(text) => text,
        other => panic!("expected a string, got {other:?}"),
    }
}

fn nstring(value: &Value) {
    assert!(is_nil(value) || matches!(value, Value::Text(_)), "expected a string or NIL, got {value:?}");
}

fn number(value: &Value) -> usize {
    match value {
        Value::Atom(digits) => digits.parse().unwrap_or_else(|_| panic!("expected a number, got {digits}")),
        other => panic!("expected a number, got {other:?}"),
    }
}

/// `envelope`
fn envelope(value: &Value) {
    let fields = list(value);
    assert_eq!(fields.len(), 10);
    for at in [0, 1, 8, 9] {
        nstring(&fields[at]);
    }
    for addresses in &fields[2..8] {
        if is_nil(addresses) {
            continue;
        }
        let Value::List(all, spaced) = addresses else { panic!("expected addresses, got {addresses:?}") };
        assert!(!all.is_empty() && (all.len() == 1 || !spaced), "1*address without spaces");
        let mut in_group = false;
        for address in all {
            let parts = list(address);
            assert_eq!(parts.len(), 4);
            parts.iter().for_each(nstring);
            // "NIL host indicates group syntax" (RFC 3501 §7.4.2), and groups do not nest.
            match (is_nil(&parts[2]), is_nil(&parts[3])) {
                (false, true) => {
                    assert!(!in_group, "a group inside a group");
                    in_group = true;
                }
                (true, true) => {
                    assert!(in_group, "the end of no group");
                    in_group = false;
                }
                (mailbox, _) => assert!(!mailbox, "a host without a mailbox"),
            }
        }
        assert!(!in_group, "a group without an end");
    }
}

/// `body-fld-param`
fn parameters(value: &Value) {
    if !is_nil(value) {
        let all = list(value);
        assert!(!all.is_empty() && all.len().is_multiple_of(2));
        all.iter().for_each(|each| drop(text(each).to_vec()));
    }
}

/// `body-fld-dsp SP body-fld-lang SP body-fld-loc`
fn extension(values: &[Value]) {
    assert_eq!(values.len(), 3);
    if !is_nil(&values[0]) {
        let disposition = list(&values[0]);
        assert_eq!(disposition.len(), 2);
        text(&disposition[0]);
        parameters(&disposition[1]);
    }
    match &values[1] {
        Value::List(tags, _) => {
            assert!(!tags.is_empty() && tags.iter().all(|tag| matches!(tag, Value::Text(_))))
        }
        other => nstring(other),
    }
    nstring(&values[2]);
}

/// `body`; the octets that it has.
fn body(value: &Value, extended: bool) -> usize {
    let values = list(value);
    let bodies = values.iter().take_while(|value| matches!(value, Value::List(..))).count();
    if bodies > 0 {
        let sum = values[..bodies].iter().map(|value| body(value, extended)).sum();
        text(&values[bodies]);
        match extended {
            true => {
                parameters(&values[bodies + 1]);
                extension(&values[bodies + 2..]);
            }
            false => assert_eq!(values.len(), bodies + 1),
        }
        return sum;
    }
    let (media, subtype) = (text(&values[0]), text(&values[1]));
    assert!(media == media.to_ascii_uppercase() && subtype == subtype.to_ascii_uppercase());
    parameters(&values[2]);
    nstring(&values[3]);
    nstring(&values[4]);
    text(&values[5]);
    let octets = number(&values[6]);
    let fixed = match (media, subtype) {
        (b"TEXT", _) => {
            assert!(number(&values[7]) <= octets);
            8
        }
        (b"MESSAGE", b"RFC822") => {
            envelope(&values[7]);
            assert!(body(&values[8], extended) <= octets, "what is inside is not larger");
            assert!(number(&values[9]) <= octets);
            10
        }
        (b"MULTIPART", _) => panic!("a multipart without bodies"),
        _ => 7,
    };
    match extended {
        true => {
            nstring(&values[fixed]);
            extension(&values[fixed + 1..]);
        }
        false => assert_eq!(values.len(), fixed),
    }
    octets
}

fn check(raw: &[u8]) {
    let account = account(&[]);
    account.borrow_mut().deliver("INBOX", raw);
    let mut alice = Connection::selected(&account);
    let answer = alice.exchange(b"a FETCH 1 (ENVELOPE BODY BODYSTRUCTURE)\r\n");
    let rest = answer.strip_prefix(b"* 1 FETCH ").expect("a FETCH response");
    let mut reader = Reader { rest };
    let items = reader.value();
    assert_eq!(reader.rest, b"\r\na OK FETCH completed\r\n");
    let items = list(&items);
    assert_eq!(items.len(), 6);
    envelope(&items[1]);
    let plain = body(&items[3], false);
    assert_eq!(body(&items[5], true), plain);
    assert!(plain <= raw.len(), "parts are not larger than the message");
}

fn lines() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("--a"),
        Just("--a--"),
        Just("--b"),
        Just("--b--"),
        Just(""),
        Just("text"),
        Just("Subject: \"s\\"),
        Just("From: =?utf-8?q?=C3=BC?= <a@b.test>, \"x\\\"y\" <>"),
        Just("To: g: a, b@c;, h:;"),
        Just("Cc: ("),
        Just("Date:"),
        Just("Content-Type: multipart/mixed; boundary=a"),
        Just("Content-Type: multipart/digest; boundary=b"),
        Just("Content-Type: message/rfc822"),
        Just("Content-Type: text/ü; x=\"\u{7f}\t\"; y="),
        Just("Content-Disposition: attachment; filename=\"a\\\\b\""),
        Just("Content-Language: de, en"),
        Just("Content-ID: <ü>"),
        Just("Content-Transfer-Encoding: \"\""),
    ];
    proptest::collection::vec(line, 0..30).prop_map(|lines| lines.join("\r\n"))
}

#[test]
fn known_messages() {
    for raw in [
        "",
        "\r\n",
        "Subject: x\r\n\r\ny\r\n",
        "To: a:b@c.test,d\r\n\r\n",
        "Content-Type: multipart/mixed\r\n\r\n",
    ] {
        check(raw.as_bytes());
    }
    check(&[b"Subject: ".as_slice(), &[b'x'; 5000], b"\r\nTo: \xff\x00\xfe\r\n\r\n"].concat());
}

proptest! {
    #[test]
    fn any_structure(raw in lines()) {
        check(raw.as_bytes());
    }

    #[test]
    fn any_octets(raw in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b':'), Just(b'"')], 0..200)) {
        check(&raw);
    }
}
