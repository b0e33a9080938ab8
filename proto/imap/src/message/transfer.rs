//! Content transfer encodings of RFC 2045 §6, read as tolerantly as mail programs do.

/// Undoes a Content-Transfer-Encoding (lower case); what is unknown stays as it is.
pub fn decode(encoding: Option<&[u8]>, body: &[u8]) -> Vec<u8> {
    match encoding {
        Some(b"base64") => base64(body),
        Some(b"quoted-printable") => quoted_printable(body, true),
        _ => body.to_vec(),
    }
}

/// RFC 2045 §6.8: other characters are ignored, and padding ends a group, not the text (some mail joins several).
pub fn base64(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0u32);
    for octet in text {
        let value = match octet {
            b'A'..=b'Z' => octet - b'A',
            b'a'..=b'z' => octet - b'a' + 26,
            b'0'..=b'9' => octet - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                (bits, count) = (0, 0);
                continue;
            }
            _ => continue,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    bytes
}

/// RFC 2045 §6.7; an `=` that starts no code stays. `soft` joins lines that end with `=`.
pub fn quoted_printable(text: &[u8], soft: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        if octet != b'=' {
            bytes.push(octet);
            continue;
        }
        let hex = |at: usize| after.get(at).and_then(|b| char::from(*b).to_digit(16));
        if let (Some(high), Some(low)) = (hex(0), hex(1)) {
            bytes.push((high * 16 + low) as u8);
            rest = &after[2..];
        } else if soft && let Some(tail) = soft_break(after) {
            rest = tail;
        } else {
            bytes.push(octet);
        }
    }
    bytes
}

/// White space and a line end, or the end of the text, behind `=`.
fn soft_break(after: &[u8]) -> Option<&[u8]> {
    let blanks = after.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let tail = &after[blanks..];
    let tail = tail.strip_prefix(b"\r").unwrap_or(tail);
    if tail.is_empty() { Some(tail) } else { tail.strip_prefix(b"\n") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(encoding: &str, body: &str, expected: &[u8]) {
        assert_eq!(decode(Some(encoding.as_bytes()), body.as_bytes()), expected, "{encoding} {body:?}");
    }

    #[test]
    fn base64_texts() {
        check("base64", "TWFpbHdyaWdodA==", b"Mailwright");
        check("base64", "TWFp\r\nbHdy aWdo\tdA", b"Mailwright");
        check("base64", "TQ==TQ==", b"MM");
        check("base64", "!?-", b"");
        check("base64", "", b"");
        check("base64", "T", b"");
    }

    #[test]
    fn quoted_printable_texts() {
        // RFC 2045 §6.7's example of a soft line break.
        check(
            "quoted-printable",
            "Now's the time =\r\nfor all folk to come=\r\n to the aid of their country.",
            b"Now's the time for all folk to come to the aid of their country.",
        );
        check("quoted-printable", "caf=C3=A9=3d=", "café=".as_bytes());
        check("quoted-printable", "a= \t\r\nb=\nc", b"abc");
        check("quoted-printable", "=G1 = 5=4", b"=G1 = 5=4");
    }

    #[test]
    fn other_encodings_change_nothing() {
        check("8bit", "=41 TWFp", b"=41 TWFp");
        assert_eq!(decode(None, b"=41"), b"=41");
    }

    proptest! {
        #[test]
        fn base64_comes_back(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            use ::base64::prelude::{BASE64_STANDARD, Engine};
            prop_assert_eq!(base64(BASE64_STANDARD.encode(&bytes).as_bytes()), bytes);
        }

        #[test]
        fn quoted_printable_comes_back(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let encoded: String = bytes.iter().map(|b| format!("={b:02X}")).collect();
            prop_assert_eq!(quoted_printable(encoded.as_bytes(), true), bytes);
        }
    }
}
