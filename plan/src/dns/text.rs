//! Character strings as zone files write them.

/// RFC 1035 §3.3: a character string has at most 255 octets.
const MAX_STRING: usize = 255;

/// A text as one or more character strings, which readers join again (RFC 7208 §3.3, RFC 6376 §3.6.2.2).
pub(super) fn txt(text: &str) -> String {
    let strings: Vec<String> = text.as_bytes().chunks(MAX_STRING).map(quoted).collect();
    if strings.is_empty() { "\"\"".to_owned() } else { strings.join(" ") }
}

/// RFC 1035 §5.1: quotes and backslashes are escaped, what is not printable ASCII is `\DDD`.
pub(super) fn quoted(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() + 2);
    text.push('"');
    for octet in octets {
        match octet {
            b'"' | b'\\' => text.extend(['\\', char::from(*octet)]),
            b' '..=b'~' => text.push(char::from(*octet)),
            _ => text.push_str(&format!("\\{octet:03}")),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads character strings back as a name server does.
    fn read(value: &str) -> (Vec<usize>, Vec<u8>) {
        let (mut lengths, mut all) = (Vec::new(), Vec::new());
        let mut bytes = value.bytes().peekable();
        while let Some(byte) = bytes.next() {
            assert!(byte == b'"' || byte == b' ');
            if byte == b' ' {
                continue;
            }
            let start = all.len();
            loop {
                match bytes.next().unwrap() {
                    b'"' => break,
                    b'\\' if bytes.peek().unwrap().is_ascii_digit() => {
                        let digits: String = bytes.by_ref().take(3).map(char::from).collect();
                        all.push(digits.parse().unwrap());
                    }
                    b'\\' => all.push(bytes.next().unwrap()),
                    other => all.push(other),
                }
            }
            lengths.push(all.len() - start);
        }
        (lengths, all)
    }

    #[test]
    fn known_texts() {
        for (text, expected) in [
            ("", r#""""#),
            ("v=spf1 -all", r#""v=spf1 -all""#),
            (r#"a"b\c"#, r#""a\"b\\c""#),
            ("é;", r#""\195\169;""#),
            ("tab\there", r#""tab\009here""#),
        ] {
            assert_eq!(txt(text), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn texts_come_back_in_strings_of_255(text in "\\PC{0,900}") {
            let (lengths, all) = read(&txt(&text));
            proptest::prop_assert_eq!(all, text.as_bytes());
            proptest::prop_assert!(lengths.iter().all(|length| *length <= 255));
        }

        #[test]
        fn any_octets_come_back(octets in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..255)) {
            proptest::prop_assert_eq!(read(&quoted(&octets)).1, octets);
        }
    }
}
