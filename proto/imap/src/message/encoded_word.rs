//! Header texts as people read them: encoded words (RFC 2047 §2) and the charsets behind them.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// Decodes bytes of a named charset; an unknown name, or none, is UTF-8 where it is UTF-8 and else windows-1252.
pub fn decode_charset(charset: Option<&[u8]>, bytes: &[u8]) -> String {
    let encoding = charset.and_then(Encoding::for_label).filter(|e| *e != WINDOWS_1252 && *e != UTF_8);
    match (encoding, std::str::from_utf8(bytes)) {
        // us-ascii is a label of windows-1252: mail that says so and holds UTF-8 means UTF-8.
        (None, Ok(text)) => text.to_owned(),
        (None, Err(_)) if charset.and_then(Encoding::for_label) == Some(UTF_8) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
        (None, Err(_)) => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
        (Some(encoding), _) => encoding.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

/// Decodes the encoded words of an unfolded text. Neighbours of one charset are put together before they are decoded, for
/// real mail splits characters between them.
pub fn decode(text: &[u8]) -> String {
    let mut decoded = String::new();
    let mut pending: Option<(Vec<u8>, Vec<u8>)> = None;
    let mut rest = text;
    while !rest.is_empty() {
        let gap = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
        if let Some((charset, bytes, after)) = word(&rest[gap..]) {
            match &mut pending {
                Some((open, collected)) if open.eq_ignore_ascii_case(charset) => collected.extend(bytes),
                _ => {
                    let apart = pending.is_none();
                    flush(&mut pending, &mut decoded);
                    // White space between two encoded words goes, other white space stays (RFC 2047 §6.2).
                    if apart {
                        decoded.push_str(&decode_charset(None, &rest[..gap]));
                    }
                    pending = Some((charset.to_vec(), bytes));
                }
            }
            rest = after;
            continue;
        }
        flush(&mut pending, &mut decoded);
        // Plain text up to what may be the next encoded word.
        let from = gap.min(rest.len() - 1) + 1;
        let next = rest[from..].windows(2).position(|w| w == b"=?").map_or(rest.len(), |at| from + at);
        let end = next - rest[..next].iter().rev().take_while(|b| b.is_ascii_whitespace()).count();
        let end = if end < from || next == rest.len() { next } else { end };
        decoded.push_str(&decode_charset(None, &rest[..end]));
        rest = &rest[end..];
    }
    flush(&mut pending, &mut decoded);
    decoded
}

fn flush(pending: &mut Option<(Vec<u8>, Vec<u8>)>, decoded: &mut String) {
    if let Some((charset, bytes)) = pending.take() {
        decoded.push_str(&decode_charset(Some(&charset), &bytes));
    }
}

/// `=?charset?encoding?text?=` at the front (RFC 2047 §2): charset without language (RFC 2231 §5), octets, what follows.
fn word(text: &[u8]) -> Option<(&[u8], Vec<u8>, &[u8])> {
    let inner = text.strip_prefix(b"=?")?;
    let charset_end = inner.iter().position(|b| *b == b'?')?;
    let (charset, rest) = (&inner[..charset_end], &inner[charset_end + 1..]);
    let (encoding, rest) = rest.split_first()?;
    let rest = rest.strip_prefix(b"?")?;
    let end = rest.windows(2).position(|w| w == b"?=")?;
    let encoded = &rest[..end];
    if charset.is_empty() || charset.iter().any(u8::is_ascii_whitespace) {
        return None;
    }
    let bytes = match encoding.to_ascii_uppercase() {
        b'B' => super::transfer::base64(encoded),
        b'Q' => {
            let spaced: Vec<u8> = encoded.iter().map(|b| if *b == b'_' { b' ' } else { *b }).collect();
            super::transfer::quoted_printable(&spaced, false)
        }
        _ => return None,
    };
    let charset = charset.split(|b| *b == b'*').next().unwrap_or(charset);
    Some((charset, bytes, &rest[end + 2..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(decode(text.as_bytes()), expected, "{text:?}");
    }

    /// The examples of RFC 2047 §8.
    #[test]
    fn rfc_2047_examples() {
        check("=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>");
        check("=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?= <keld@dkuug.dk>", "Keld Jørn Simonsen <keld@dkuug.dk>");
        check(
            "=?ISO-8859-1?Q?Andr=E9?= Pirard <PIRARD@vm1.ulg.ac.be>",
            "André Pirard <PIRARD@vm1.ulg.ac.be>",
        );
        check(
            "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?= =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
            "If you can read this you understand the example.",
        );
        check("(=?ISO-8859-1?Q?a?=)", "(a)");
        check("(=?ISO-8859-1?Q?a?= b)", "(a b)");
        check("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)");
        check("(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)");
        check("(=?ISO-8859-1?Q?a_b?=)", "(a b)");
        check("(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)");
    }

    #[test]
    fn real_mail() {
        check("plain", "plain");
        check("", "");
        check("a  b ", "a  b ");
        check("=?utf-8?B?4pg=?= =?UTF-8?B?ug==?=", "☺");
        check("=?utf-8*en?q?caf=C3=A9?=", "café");
        check("Re: =?utf-8?q?=C3=A4?= und =?utf-8?q?=C3=B6?=", "Re: ä und ö");
        check("=?koi8-r?B?8NLJ18XU?=", "Привет");
        check("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本");
        check("=?x-unknown?q?caf=E9?=", "café");
        check("raw ünïcode", "raw ünïcode");
    }

    #[test]
    fn what_is_no_encoded_word_stays() {
        for text in [
            "=?",
            "=?utf-8",
            "=?utf-8?q",
            "=?utf-8?q?open",
            "=?utf-8?x?a?=",
            "=??q?a?=",
            "a =? b =?",
            "=?=?=?",
        ] {
            check(text, text);
        }
        assert_eq!(decode(b"caf\xe9"), "café");
    }

    proptest! {
        #[test]
        fn text_without_words_is_unchanged(text in "[a-z =.?ä]{0,30}") {
            prop_assume!(!text.contains("?="));
            prop_assert_eq!(decode(text.as_bytes()), text);
        }

        #[test]
        fn any_octets_end(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let decoded = decode(&bytes);
            prop_assert!(decoded.len() <= bytes.len() * 4 + 4);
        }
    }
}
