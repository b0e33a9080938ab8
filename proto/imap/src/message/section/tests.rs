//! Part numbers and sections: the tree that RFC 3501 §6.4.5 draws, and single-part messages.

use super::*;
use crate::message::index;

/// The example of RFC 3501 §6.4.5: 1 text, 2 octet-stream, 3 message (3.1, 3.2), 4 multipart (4.1 image, 4.2 message (4.2.1
/// text, 4.2.2 multipart (4.2.2.1, 4.2.2.2))).
const RFC_TREE: &str = "Subject: outer\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\npreamble\r\n\
--a\r\nContent-Type: text/plain\r\n\r\nONE\r\n\
--a\r\nContent-Type: application/octet-stream\r\n\r\nTWO\r\n\
--a\r\nContent-Type: message/rfc822\r\n\r\nSubject: third\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
--b\r\n\r\nTHREE-ONE\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\nTHREE-TWO\r\n--b--\r\n\
--a\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n\
--c\r\nContent-Type: image/gif\r\nContent-ID: <gif>\r\n\r\nFOUR-ONE\r\n\
--c\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\nContent-Type: multipart/mixed; boundary=d\r\n\r\n\
--d\r\nContent-Type: text/plain\r\n\r\n421\r\n\
--d\r\nContent-Type: multipart/alternative; boundary=e\r\n\r\n\
--e\r\nContent-Type: text/plain\r\n\r\n4221\r\n--e\r\nContent-Type: text/richtext\r\n\r\n4222\r\n--e--\r\n\
--d--\r\n--c--\r\n--a--\r\nepilogue\r\n";

const SINGLE: &str = "From: a@x.test\r\nSubject: s\r\n\r\nbody\r\n";

fn section(part: &[u32], text: Option<SectionText>) -> Section {
    Section { part: part.to_vec(), text }
}

fn check(raw: &str, part: &[u32], text: Option<SectionText>, expected: Option<&str>) {
    let found = index(raw.as_bytes()).section(raw.as_bytes(), &section(part, text.clone()));
    let found = found.map(|octets| String::from_utf8_lossy(&octets).into_owned());
    assert_eq!(found.as_deref(), expected, "{part:?} {text:?}");
}

#[test]
fn the_parts_of_the_rfc() {
    for (part, expected) in [
        (&[1][..], "ONE"),
        (&[2], "TWO"),
        (&[3, 1], "THREE-ONE"),
        (&[3, 2], "THREE-TWO"),
        (&[4, 1], "FOUR-ONE"),
        (&[4, 2, 1], "421"),
        (&[4, 2, 2, 1], "4221"),
        (&[4, 2, 2, 2], "4222"),
    ] {
        check(RFC_TREE, part, None, Some(expected));
    }
    for part in [&[5][..], &[0], &[1, 1], &[3, 3], &[4, 1, 1], &[4, 2, 2, 3], &[4, 2, 2, 1, 1], &[u32::MAX]] {
        check(RFC_TREE, part, None, None);
    }
}

#[test]
fn headers_texts_and_mime_headers() {
    use SectionText::{Fields, Header, Mime, Text};
    check(RFC_TREE, &[4, 1], Some(Mime), Some("Content-Type: image/gif\r\nContent-ID: <gif>\r\n\r\n"));
    check(RFC_TREE, &[3, 1], Some(Mime), Some("\r\n"));
    check(
        RFC_TREE,
        &[3],
        Some(Header),
        Some("Subject: third\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"),
    );
    check(RFC_TREE, &[4, 2], Some(Fields(vec![b"SUBJECT".to_vec()])), Some("Subject: inner\r\n\r\n"));
    let inner_text =
        "--b\r\n\r\nTHREE-ONE\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\nTHREE-TWO\r\n--b--";
    check(RFC_TREE, &[3], Some(Text), Some(inner_text));
    check(RFC_TREE, &[1], Some(Header), None);
    check(RFC_TREE, &[4], Some(Text), None);
    check(RFC_TREE, &[9], Some(Mime), None);
}

#[test]
fn a_message_without_parts_has_part_one() {
    use SectionText::{FieldsNot, Header, Mime, Text};
    check(SINGLE, &[], None, Some(SINGLE));
    check(SINGLE, &[], Some(Header), Some("From: a@x.test\r\nSubject: s\r\n\r\n"));
    check(SINGLE, &[], Some(Text), Some("body\r\n"));
    check(SINGLE, &[1], None, Some("body\r\n"));
    check(SINGLE, &[1], Some(Mime), Some("From: a@x.test\r\nSubject: s\r\n\r\n"));
    check(SINGLE, &[1], Some(Text), None);
    check(SINGLE, &[1, 1], None, None);
    check(SINGLE, &[2], None, None);
    check(SINGLE, &[], Some(FieldsNot(vec![b"from".to_vec()])), Some("Subject: s\r\n\r\n"));
}

#[test]
fn a_message_that_is_a_message() {
    let raw = "Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ntext\r\n";
    check(raw, &[1], None, Some("Subject: in\r\n\r\ntext\r\n"));
    check(raw, &[1], Some(SectionText::Header), Some("Subject: in\r\n\r\n"));
    check(raw, &[1, 1], None, Some("text\r\n"));
    check(raw, &[1, 1, 1], None, None);
}

#[test]
fn only_the_headers_of_the_message_need_no_body() {
    assert!(section(&[], Some(SectionText::Header)).is_header());
    assert!(section(&[], Some(SectionText::Fields(vec![]))).is_header());
    assert!(!section(&[1], Some(SectionText::Header)).is_header());
    assert!(!section(&[], Some(SectionText::Text)).is_header());
    assert!(!section(&[], None).is_header());
}

#[test]
fn raw_bytes_of_another_message_are_refused() {
    let index = index(RFC_TREE.as_bytes());
    assert_eq!(index.section(b"short", &section(&[4, 2, 2, 2], None)), None);
    assert_eq!(index.section(b"short", &section(&[], Some(SectionText::Header))), None);
}
