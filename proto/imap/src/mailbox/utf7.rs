//! Modified UTF-7, the wire form of mailbox names (RFC 3501 §5.1.3).
//!
//! `&` shifts to BASE64 of UTF-16 with `,` for `/` and without padding, `-` shifts back, `&-` is `&`. Every text has one wire
//! form only: BASE64 of what could stand for itself, padding bits and idle shifts are refused, so that two spellings never
//! name one mailbox.

/// The BASE64 alphabet of RFC 3501 §5.1.3: RFC 2045's with `,` in place of `/`.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// The wire form of a text (RFC 3501 §5.1.3).
pub fn encode(text: &str) -> String {
    let mut wire = String::with_capacity(text.len());
    let mut shifted: Vec<u16> = Vec::new();
    for c in text.chars() {
        if !matches!(c, ' '..='~') {
            shifted.extend_from_slice(c.encode_utf16(&mut [0; 2]));
            continue;
        }
        flush(&mut shifted, &mut wire);
        wire.push(c);
        if c == '&' {
            wire.push('-');
        }
    }
    flush(&mut shifted, &mut wire);
    wire
}

/// The text of a wire form, or `None` where it is not the one that [`encode`] writes.
pub fn decode(wire: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(wire.len());
    let mut rest = wire;
    while let Some((&first, after)) = rest.split_first() {
        match first {
            b'&' => {
                let end = after.iter().position(|b| *b == b'-')?;
                decode_shifted(&after[..end], &mut text)?;
                rest = &after[end + 1..];
            }
            b' '..=b'~' => {
                text.push(char::from(first));
                rest = after;
            }
            _ => return None,
        }
    }
    (encode(&text).as_bytes() == wire).then_some(text)
}

/// Ends a shifted run: BASE64 of the UTF-16 units in network order.
fn flush(shifted: &mut Vec<u16>, wire: &mut String) {
    if shifted.is_empty() {
        return;
    }
    wire.push('&');
    let (mut bits, mut count) = (0u32, 0u32);
    for unit in shifted.drain(..) {
        bits = (bits << 16) | u32::from(unit);
        count += 16;
        while count >= 6 {
            count -= 6;
            wire.push(letter(bits >> count));
        }
        bits &= (1 << count) - 1;
    }
    if count > 0 {
        wire.push(letter(bits << (6 - count)));
    }
    wire.push('-');
}

fn letter(bits: u32) -> char {
    char::from(ALPHABET[(bits & 63) as usize])
}

/// The UTF-16 between `&` and `-`; nothing between them is `&` itself.
fn decode_shifted(base64: &[u8], text: &mut String) -> Option<()> {
    if base64.is_empty() {
        text.push('&');
        return Some(());
    }
    let (mut bits, mut count) = (0u32, 0u32);
    let mut units = Vec::with_capacity(base64.len() * 6 / 16);
    for octet in base64 {
        let value = ALPHABET.iter().position(|a| a == octet)?;
        bits = (bits << 6) | u32::try_from(value).ok()?;
        count += 6;
        if count >= 16 {
            count -= 16;
            units.push(u16::try_from(bits >> count).ok()?);
            bits &= (1 << count) - 1;
        }
    }
    for c in char::decode_utf16(units) {
        text.push(c.ok()?);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, wire: &str) {
        assert_eq!(encode(text), wire, "encode {text:?}");
        assert_eq!(decode(wire.as_bytes()).as_deref(), Some(text), "decode {wire:?}");
    }

    /// The example of RFC 3501 §5.1.3 and RFC 2152's, in the modified alphabet.
    #[test]
    fn known_answers() {
        check("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-");
        check("☺!", "&Jjo-!");
        check("Hi Mom ☺!", "Hi Mom &Jjo-!");
        check("A≢Α.", "A&ImIDkQ-.");
        check("&", "&-");
        check("Tom & Jerry", "Tom &- Jerry");
        check("Entwürfe", "Entw&APw-rfe");
        check("Папка", "&BB8EMAQ,BDoEMA-");
        check("😀", "&2D3eAA-");
        check("", "");
    }

    /// What RFC 3501 §5.1.3 forbids: its two `&Jjo!` examples, superfluous shifts, encoded ASCII.
    #[test]
    fn other_spellings_are_refused() {
        for wire in [
            "&Jjo!",
            "&U,BTFw-&ZeVnLIqe-",
            "&AGE-",
            "&",
            "&Jjo",
            "&Jjp-",
            "&Jj-",
            "&J-",
            "&2D0-",
            "&3gDYPQ-",
            "&AAA=-",
            "Entwürfe",
            "tab\there",
            "&Jjo/-",
        ] {
            assert_eq!(decode(wire.as_bytes()), None, "{wire:?}");
        }
    }

    proptest! {
        #[test]
        fn there_and_back(text in "\\PC*") {
            prop_assert_eq!(decode(encode(&text).as_bytes()), Some(text));
        }

        #[test]
        fn any_octets_are_decided(wire in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Some(text) = decode(&wire) {
                prop_assert_eq!(encode(&text).into_bytes(), wire);
            }
        }
    }
}
