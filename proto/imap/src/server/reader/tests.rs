//! Commands from bytes, however these are cut.

use super::*;
use proptest::prelude::*;

const BOUNDS: Bounds = Bounds { line: 64, literals: 20, utf8_names: false };

/// One word per event.
fn show(event: &Event) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match event {
        Event::More => String::new(),
        Event::Command(command) => text(command),
        Event::Continue => "+".into(),
        Event::Refused(tag, why) => format!("{}!{why:?}", tag.as_deref().unwrap_or("*")),
        Event::Append(head) => format!("{} APPEND {}", head.tag, head.append.size),
        Event::Body(octets) => format!("body {}", text(octets)),
        Event::BodyEnd { rest } => format!("end {}", rest.as_ref().is_some_and(Vec::is_empty)),
    }
}

/// Feeds the input in pieces; messages of at most 30 octets are accepted.
fn events(pieces: &[&[u8]]) -> Vec<String> {
    let mut reader = Reader::new();
    let mut shown: Vec<String> = Vec::new();
    for piece in pieces {
        reader.push(piece);
        loop {
            let event = reader.next(BOUNDS);
            match &event {
                Event::More => break,
                Event::Append(head) if head.append.size <= 30 => reader.accept_message(),
                Event::Append(_) | Event::BodyEnd { .. } => reader.refuse_message(),
                _ => {}
            }
            match (shown.last_mut(), &event) {
                (Some(last), Event::Body(octets)) if last.starts_with("body") => {
                    *last += &String::from_utf8_lossy(octets)
                }
                _ => shown.push(show(&event)),
            }
        }
        assert!(reader.waiting() == 0, "everything was looked at");
        assert!(reader.command.len() <= BOUNDS.line + BOUNDS.literals + TAIL + piece.len());
    }
    shown
}

fn check(input: &str, expected: &[&str]) {
    let whole = events(&[input.as_bytes()]);
    assert_eq!(whole, expected, "{input:?}");
    let octets: Vec<&[u8]> = input.as_bytes().chunks(1).collect();
    assert_eq!(events(&octets), expected, "{input:?} octet by octet");
}

#[test]
fn commands_and_literals() {
    check("a NOOP\r\nb CHECK\r\n", &["a NOOP", "b CHECK"]);
    check("a LOGIN {3}\r\nbob {2}\r\npw\r\n", &["+", "+", "a LOGIN {3}\r\nbob {2}\r\npw"]);
    check("a LOGIN {3+}\r\nbob {2+}\r\npw\r\n", &["a LOGIN {3+}\r\nbob {2+}\r\npw"]);
    check("a X {0}\r\n\r\n", &["+", "a X {0}\r\n"]);
    check("a X {4}\r\n\r\n\r\n\r\n", &["+", "a X {4}\r\n\r\n\r\n"]);
    check("\r\n", &[""]);
    check("a NOOP", &[]);
    check("a X {-1}\r\n", &["a X {-1}"]);
    check("a X {12345678901}\r\n", &["a X {12345678901}"]);
    check("a X {}\r\n", &["a X {}"]);
}

#[test]
fn refused_lines() {
    let long = "x".repeat(100);
    check(&format!("a {long}\r\nb NOOP\r\n"), &["a!LineTooLong", "b NOOP"]);
    check(&format!("{long}\r\nb NOOP\r\n"), &["*!LineTooLong", "b NOOP"]);
    check(&format!("a {long} {{5+}}\r\nhello{long}\r\nb NOOP\r\n"), &["a!LineTooLong", "b NOOP"]);
    check(&format!("a {long} {{5}}\r\nb NOOP\r\n"), &["a!LineTooLong", "b NOOP"]);
    check("a NOOP\nb NOOP\r\n", &["a!BareLineEnd", "b NOOP"]);
    check("\n", &["*!BareLineEnd"]);
}

#[test]
fn refused_literals() {
    check("a X {21}\r\nb NOOP\r\n", &["a!LiteralTooBig", "b NOOP"]);
    check("a X {4294967295}\r\nb NOOP\r\n", &["a!LiteralTooBig", "b NOOP"]);
    check("a X {21+}\r\n123456789012345678901 y\r\nb NOOP\r\n", &["a!LiteralTooBig", "b NOOP"]);
    check("a X {15+}\r\n123456789012345 {6}\r\nb NOOP\r\n", &["a!LiteralTooBig", "b NOOP"]);
    check(
        "a X {15+}\r\n123456789012345 {6+}\r\nb C\r\n\r {3+}\r\nxyz\r\nb NOOP\r\n",
        &["a!LiteralTooBig", "b NOOP"],
    );
}

#[test]
fn messages() {
    check("a APPEND INBOX {5}\r\nhello\r\nb NOOP\r\n", &["a APPEND 5", "body hello", "end true", "b NOOP"]);
    check("a APPEND {5}\r\nINBOX {5+}\r\nhello\r\n", &["+", "a APPEND 5", "body hello", "end true"]);
    check("a APPEND INBOX {0+}\r\n\r\n", &["a APPEND 0", "end true"]);
    check(
        "a APPEND INBOX {5}\r\nhello x\r\nb NOOP\r\n",
        &["a APPEND 5", "body hello", "end false", "b NOOP"],
    );
    check(
        "a APPEND INBOX {5+}\r\nhello {3+}\r\nb N\r\nb NOOP\r\n",
        &["a APPEND 5", "body hello", "end false", "b NOOP"],
    );
    check("a APPEND INBOX {31}\r\nb NOOP\r\n", &["a APPEND 31", "b NOOP"]);
    check(
        &format!("a APPEND INBOX {{31+}}\r\n{}\r\nb NOOP\r\n", "\n".repeat(31)),
        &["a APPEND 31", "b NOOP"],
    );
    check("a APPEND INBOX {5}\r\nhello\nb NOOP\r\n", &["a APPEND 5", "body hello", "end false", "b NOOP"]);
}

#[test]
fn raw_lines() {
    let mut reader = Reader::new();
    reader.push(b"DO");
    assert_eq!(reader.raw_line(8), RawLine::More);
    reader.push(b"NE\r\nx {5}\r\nbare\n0123456789\r\n0123456789");
    assert_eq!(reader.raw_line(8), RawLine::Line(b"DONE".to_vec()));
    assert_eq!(reader.raw_line(8), RawLine::Line(b"x {5}".to_vec()));
    assert_eq!(reader.raw_line(8), RawLine::Bare);
    assert_eq!(reader.raw_line(8), RawLine::TooLong);
    assert_eq!(reader.raw_line(8), RawLine::TooLong);
    reader.push(b"\r\nok\r\n");
    assert_eq!(reader.raw_line(8), RawLine::Line(b"ok".to_vec()));
}

#[test]
fn the_tag_of_a_line_that_is_too_long_does_not_depend_on_the_pieces() {
    let tag = "0123456789".repeat(20);
    let line = format!("{tag} NOOP\r\n");
    let (head, rest) = line.as_bytes().split_at(150);
    assert_eq!(events(&[line.as_bytes()]), events(&[head, rest]));
}

fn pieces() -> impl Strategy<Value = Vec<String>> {
    let piece = prop_oneof![
        Just("a NOOP\r\n"),
        Just("a X {3}\r\n"),
        Just("a X {3+}\r\n"),
        Just("abc"),
        Just(" {30+}\r\n"),
        Just("\r\n"),
        Just("\n"),
        Just("{"),
        Just("a APPEND INBOX {9}\r\n"),
        Just("a APPEND INBOX {40+}\r\n"),
        Just("0123456789012345678901234567890123456789"),
    ];
    proptest::collection::vec(piece.prop_map(str::to_owned), 0..20)
}

proptest! {
    #[test]
    fn cutting_the_input_elsewhere_changes_nothing(pieces in pieces(), size in 1usize..20) {
        let input = pieces.concat();
        let pieces: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
        let chunks: Vec<&[u8]> = input.as_bytes().chunks(size).collect();
        prop_assert_eq!(events(&pieces), events(&chunks));
    }
}
