//! `application/x-www-form-urlencoded`: what GitHub sends unless its form says JSON, with the event in one field.

/// The decoded value of a field.
pub(super) fn field(body: &[u8], name: &str) -> Option<Vec<u8>> {
    let pairs = body.split(|byte| *byte == b'&');
    pairs.filter_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")).next().and_then(decode)
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        decoded.push(match first {
            b'+' => b' ',
            b'%' => {
                let (digits, after) = rest.split_at_checked(2)?;
                rest = after;
                u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?
            }
            other => *other,
        });
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_and_decoded() {
        for (body, expected) in [
            ("payload=%7B%22a%22%3A+1%7D", Some("{\"a\": 1}")),
            ("x=1&payload=a%2Bb&payload=c", Some("a+b")),
            ("payload=", Some("")),
            ("payloads=a", None),
            ("payload=%4", None),
            ("payload=%zz", None),
            ("", None),
        ] {
            let found = field(body.as_bytes(), "payload");
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{body}");
        }
    }
}
