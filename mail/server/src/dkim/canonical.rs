//! The relaxed forms of header and body (RFC 6376 §3.4.2, §3.4.4): what hosts on the way may change does not count.

use aws_lc_rs::digest::{Context, SHA256};

/// Octets that are collected before they are hashed.
const CHUNK: usize = 16 * 1024;

/// Appends a field: its name in lower case, unfolded, runs of white space as one space, none at the ends, CRLF.
pub(super) fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend(name.iter().map(u8::to_ascii_lowercase));
    out.push(b':');
    let mut gap = false;
    let start = out.len();
    for octet in value {
        match octet {
            b'\r' | b'\n' => {}
            b' ' | b'\t' => gap = true,
            octet => {
                if gap && out.len() > start {
                    out.push(b' ');
                }
                gap = false;
                out.push(*octet);
            }
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// The SHA-256 of a body in relaxed form: white space at line ends goes, runs of it are one space, empty lines at the end do
/// not count, and the last line is ended. An empty body is empty.
pub(super) fn body_hash(body: &[u8]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    let mut out = Vec::with_capacity(CHUNK + 1024);
    let mut empty_lines = 0usize;
    for line in body.split_inclusive(|b| *b == b'\n') {
        let line = trim_end(line);
        if line.is_empty() {
            empty_lines += 1;
            continue;
        }
        for _ in 0..std::mem::take(&mut empty_lines) {
            out.extend_from_slice(b"\r\n");
            flush(&mut context, &mut out, CHUNK);
        }
        squeeze(&mut out, line);
        out.extend_from_slice(b"\r\n");
        flush(&mut context, &mut out, CHUNK);
    }
    flush(&mut context, &mut out, 0);
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

fn flush(context: &mut Context, out: &mut Vec<u8>, above: usize) {
    if out.len() > above {
        context.update(out);
        out.clear();
    }
}

/// Without its line end and the white space before it.
fn trim_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let end = line.iter().rposition(|b| !is_blank(b)).map_or(0, |at| at + 1);
    &line[..end]
}

/// Appends a line, runs of white space as one space. Most lines have no run, so pieces are copied, not octets.
fn squeeze(out: &mut Vec<u8>, line: &[u8]) {
    let mut rest = line;
    while let Some(blank) = rest.iter().position(is_blank) {
        out.extend_from_slice(&rest[..blank]);
        out.push(b' ');
        let next = rest[blank..].iter().position(|b| !is_blank(b)).map_or(rest.len(), |at| blank + at);
        rest = &rest[next..];
    }
    out.extend_from_slice(rest);
}

fn is_blank(octet: &u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::digest;
    use proptest::prelude::*;

    use super::*;

    fn check_field(value: &str, expected: &str) {
        let mut out = Vec::new();
        field(&mut out, b"SubJect", value.as_bytes());
        assert_eq!(String::from_utf8(out).unwrap(), format!("subject:{expected}\r\n"), "{value:?}");
    }

    /// RFC 6376 §3.4.5 has the first two.
    #[test]
    fn fields() {
        check_field(" X ", "X");
        check_field(" Y\t\r\n\tZ  ", "Y Z");
        check_field("", "");
        check_field(" \t", "");
        check_field(" a\r\n b\r\n \r\n c", "a b c");
        check_field(" Grüße  an\talle", "Grüße an alle");
    }

    fn check_body(body: &str, canonical: &str) {
        let expected = digest(&SHA256, canonical.as_bytes());
        assert_eq!(body_hash(body.as_bytes()), expected.as_ref(), "{body:?}");
    }

    /// RFC 6376 §3.4.5 has the first one, §3.4.4 the hash of the empty body.
    #[test]
    fn bodies() {
        check_body(" C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n");
        check_body("", "");
        check_body("\r\n", "");
        check_body("\r\n\r\n \t\r\n", "");
        check_body("a", "a\r\n");
        check_body("a\r\n", "a\r\n");
        check_body("\r\n\r\na\r\n\r\nb\r\n\r\n", "\r\n\r\na\r\n\r\nb\r\n");
        check_body(" a\t\tb \r\n", " a b\r\n");
        check_body(&"x  y\r\n".repeat(9000), &"x y\r\n".repeat(9000));
        let empty = [0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14];
        assert_eq!(body_hash(b"\r\n")[..8], empty);
    }

    proptest! {
        /// What does not count does not count: more white space, more empty lines at the end.
        #[test]
        fn relaxed(words in proptest::collection::vec("[a-z]{1,4}", 0..20), gaps in proptest::collection::vec("[ \t]{1,3}", 20)) {
            let tight = words.join(" \r\n");
            let mut loose = String::new();
            for (word, gap) in words.iter().zip(&gaps) {
                loose.push_str(word);
                loose.push_str(gap);
                loose.push_str("\r\n");
            }
            loose.push_str("\r\n \r\n");
            prop_assert_eq!(body_hash(tight.as_bytes()), body_hash(loose.as_bytes()));
        }
    }
}
