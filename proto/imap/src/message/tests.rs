//! The index: structure of broken and hostile messages, and the properties that every message must keep.

use super::tree::{MAX_DEPTH, MAX_PARTS};
use super::*;
use proptest::prelude::*;

mod generated;

/// `type/subtype[body]` with what is inside in parentheses.
fn show(raw: &[u8], part: &Part) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let name = format!("{}/{}", text(&part.mime.media_type), text(&part.mime.subtype));
    match &part.content {
        Content::Leaf => format!("{name}[{}]", text(&raw[part.body.clone()]).escape_debug()),
        Content::Multipart(parts) => {
            format!("{name}({})", parts.iter().map(|p| show(raw, p)).collect::<Vec<_>>().join(" "))
        }
        Content::Message(_, inner) => format!("{name}({})", show(raw, inner)),
    }
}

fn check(raw: &str, expected: &str) {
    let index = index(raw.as_bytes());
    assert_eq!(show(raw.as_bytes(), &index.root), expected, "{raw:?}");
    keeps_its_promises(raw.as_bytes());
}

/// What holds of every message: the encoding comes back, header and body are the raw message, children lie in their parent
/// in order without overlap.
fn keeps_its_promises(raw: &[u8]) {
    let index = index(raw);
    assert_eq!(Index::decode(&index.encode()).as_ref(), Ok(&index));
    assert_eq!(index.size, raw.len());
    assert_eq!(index.root.header.start, 0);
    assert_eq!(index.root.header.end, index.root.body.start);
    assert_eq!(index.root.body.end, raw.len());
    assert_eq!(index.section(raw, &Section::default()).as_deref(), Some(raw));
    inside(&index.root, 0..raw.len());
}

fn inside(part: &Part, parent: Range<usize>) {
    assert!(parent.start <= part.header.start && part.body.end <= parent.end, "{part:?} in {parent:?}");
    assert!(part.header.start <= part.header.end && part.header.end <= part.body.start);
    assert!(part.body.start <= part.body.end);
    match &part.content {
        Content::Leaf => {}
        Content::Message(_, inner) => {
            assert_eq!((inner.header.start, inner.body.end), (part.body.start, part.body.end));
            inside(inner, part.body.clone());
        }
        Content::Multipart(parts) => {
            assert!(!parts.is_empty());
            let mut from = part.body.start;
            for child in parts {
                inside(child, from..part.body.end);
                from = child.body.end;
            }
        }
    }
}

const MULTI: &str = "Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n";

#[test]
fn plain_messages() {
    check("Subject: x\r\n\r\nhello\r\n", "text/plain[hello\\r\\n]");
    check("Subject: x\r\n", "text/plain[]");
    check("Subject: x", "text/plain[]");
    check("", "text/plain[]");
    check("\r\n", "text/plain[]");
    check("\r\nonly a body", "text/plain[only a body]");
    check("no header at all\r\n\r\nx", "text/plain[no header at all\\r\\n\\r\\nx]");
    check("Subject: x\r\nDear Alice\r\nTo: b\r\n", "text/plain[Dear Alice\\r\\nTo: b\\r\\n]");
    check("Received: x\r\n>From bob\r\nContent-Type: text/html\r\n\r\nx", "text/html[x]");
    check("Content-Type: text/html\r\n\r\n--b\r\n", "text/html[--b\\r\\n]");
}

#[test]
fn multiparts() {
    check(
        &format!("{MULTI}--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n"),
        "multipart/mixed(text/plain[one] text/plain[two])",
    );
    check(
        &format!("{MULTI}pre\r\n--b  \r\n\r\none\r\n\r\n--b--\t\r\nepi"),
        "multipart/mixed(text/plain[one\\r\\n])",
    );
    check(&format!("{MULTI}--b\r\nContent-Type: text/html\r\n\r\n\r\n--b--"), "multipart/mixed(text/html[])");
}

#[test]
fn broken_multiparts() {
    // No final delimiter, none at all, no boundary, a boundary that only looks like it.
    check(&format!("{MULTI}--b\r\n\r\none"), "multipart/mixed(text/plain[one])");
    check(&format!("{MULTI}--b\r\n\r\none\r\n--b"), "multipart/mixed(text/plain[one] text/plain[])");
    check(&format!("{MULTI}only text"), "multipart/mixed(text/plain[])");
    check("Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\none\r\n--b--", "multipart/mixed(text/plain[])");
    check(MULTI, "multipart/mixed(text/plain[])");
    check("Content-Type: multipart/mixed; boundary=b", "multipart/mixed(text/plain[])");
    check(&format!("{MULTI}--bb\r\n--b-\r\n--b x\r\n--b--\r\n"), "multipart/mixed(text/plain[])");
    check(&format!("{MULTI}--b\r\n\r\n--bb\r\n--b--\r\n"), "multipart/mixed(text/plain[--bb])");
    // Header without a blank line; delimiter where the header should be.
    check(&format!("{MULTI}--b\r\nContent-Type: text/html\r\n--b--\r\n"), "multipart/mixed(text/html[])");
    check(&format!("{MULTI}--b\r\n--b\r\n--b--\r\n"), "multipart/mixed(text/plain[])");
    check(&format!("{MULTI}--b\r\n--b\r\n\r\none\r\n--b--\r\n"), "multipart/mixed(text/plain[one])");
    check(
        &format!("{MULTI}--b\r\nContent-Type: text/html\r\n<p>\r\n--b--\r\n"),
        "multipart/mixed(text/html[<p>])",
    );
    check(
        &format!("{MULTI}--b\r\nContent-Type: message/rfc822\r\n--b--\r\n"),
        "multipart/mixed(message/rfc822(text/plain[]))",
    );
    check(
        &format!("{MULTI}--b\r\nContent-Type: message/rfc822\r\n\r\n--b--\r\n"),
        "multipart/mixed(message/rfc822(text/plain[]))",
    );
    check(&format!("{MULTI}--b\r\n{MULTI}"), "multipart/mixed(multipart/mixed(text/plain[]))");
}

#[test]
fn an_outer_delimiter_ends_what_is_inside() {
    let inner = "Content-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\n\r\nin";
    check(
        &format!("{MULTI}--b\r\n{inner}\r\n--b\r\n\r\nafter\r\n--b--\r\n"),
        "multipart/mixed(multipart/alternative(text/plain[in]) text/plain[after])",
    );
    check(
        &format!("{MULTI}--b\r\nContent-Type: message/rfc822\r\n\r\n{inner}\r\n--b--\r\n--i\r\nnot me"),
        "multipart/mixed(message/rfc822(multipart/alternative(text/plain[in])))",
    );
}

#[test]
fn digests_hold_messages() {
    check(
        "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: x\r\n\r\nt\r\n--b\r\nContent-Type: text/plain\r\n\r\np\r\n--b--\r\n",
        "multipart/digest(message/rfc822(text/plain[t]) text/plain[p])",
    );
}

#[test]
fn nesting_is_bounded() {
    let mut raw = String::new();
    for level in 0..MAX_DEPTH * 3 {
        raw += &format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n");
    }
    let mut part = &index(raw.as_bytes()).root;
    let mut depth = 0;
    while let Content::Multipart(parts) = &part.content {
        part = &parts[0];
        depth += 1;
    }
    assert_eq!(depth, MAX_DEPTH);
    assert!(part.mime.is(b"application", b"octet-stream"));
    keeps_its_promises(raw.as_bytes());
    keeps_its_promises("Content-Type: message/rfc822\r\n\r\n".repeat(MAX_DEPTH * 3).as_bytes());
}

#[test]
fn parts_are_bounded() {
    let raw = format!("{MULTI}{}", "--b\r\n\r\nx\r\n".repeat(MAX_PARTS * 3));
    let index = index(raw.as_bytes());
    let Content::Multipart(parts) = &index.root.content else { panic!("{:?}", index.root.content) };
    assert_eq!(parts.len(), MAX_PARTS - 1);
    keeps_its_promises(raw.as_bytes());
}

#[test]
fn lines_are_counted() {
    for (body, lines) in [("", 0), ("x", 0), ("x\r\n", 1), ("x\r\ny", 1), ("\r\n\r\n", 2)] {
        assert_eq!(index(format!("S: x\r\n\r\n{body}").as_bytes()).root.lines, lines, "{body:?}");
    }
}

#[test]
fn index_of_another_version_is_refused() {
    let mut bytes = index(b"Subject: x\r\n\r\n").encode();
    bytes[0] = 0;
    assert_eq!(Index::decode(&bytes), Err(DecodeError::Malformed));
    assert_eq!(Index::decode(b""), Err(DecodeError::Malformed));
}

/// Lines that make structure, mixed at will.
fn lines() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("--a"),
        Just("--a--"),
        Just("--b"),
        Just("--b--"),
        Just(""),
        Just("text"),
        Just("Subject: s"),
        Just(" folded"),
        Just("Content-Type: multipart/mixed; boundary=a"),
        Just("Content-Type: multipart/digest; boundary=b"),
        Just("Content-Type: message/rfc822"),
        Just("Content-Type: text/html; charset=x"),
        Just("To: x@y.test, g: z;"),
        Just("Content-Disposition: attachment; filename=f"),
        Just("Content-Language: de, en"),
    ];
    proptest::collection::vec(line, 0..40).prop_map(|lines| lines.join("\r\n"))
}

proptest! {
    #[test]
    fn any_structure_keeps_its_promises(raw in lines()) {
        keeps_its_promises(raw.as_bytes());
    }

    #[test]
    fn any_octets_keep_their_promises(raw in proptest::collection::vec(any::<u8>(), 0..300)) {
        keeps_its_promises(&raw);
    }

    #[test]
    fn truncated_and_changed_indexes_never_panic(raw in lines(), cut in any::<usize>(), flip in any::<(usize, u8)>()) {
        let mut bytes = index(raw.as_bytes()).encode();
        let cut = cut % bytes.len();
        prop_assert_eq!(Index::decode(&bytes[..cut]), Err(DecodeError::Malformed));
        let at = flip.0 % bytes.len();
        bytes[at] ^= flip.1;
        if let Ok(index) = Index::decode(&bytes) {
            prop_assert_eq!(Index::decode(&index.encode()), Ok(index));
        }
    }

    #[test]
    fn random_bytes_are_no_index(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(index) = Index::decode(&bytes) {
            prop_assert_eq!(bytes[0], index.encode()[0]);
        }
    }
}
