//! Hex and base64 as stored password hashes use them: with or without padding, with passlib's `.` for `+`.
//! Leaves out crypt(3)'s own alphabet, which `crypt.rs` needs in one direction only.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::HashError;

/// Standard alphabet, padding accepted but not required: PHC strings omit it, Dovecot's digests carry it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Decodes base64; `.` stands for `+` as in passlib's adapted alphabet.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text.replace('.', "+")).ok()
}

/// Decodes hexadecimal of either case.
pub(super) fn hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    text.as_bytes().chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

/// Undoes a `.HEX` or `.B64` suffix around a hash that is text itself.
pub(super) fn text(encoding: Option<&str>, body: &str) -> Result<String, HashError> {
    let malformed =
        HashError::Malformed { scheme: "{SCHEME}", what: "the body is not in the prefix's encoding" };
    match encoding {
        None => Ok(body.to_owned()),
        Some(name) => bytes(name, body).and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(malformed),
    }
}

/// Decodes a body by the name of a Dovecot encoding suffix.
pub(super) fn bytes(encoding: &str, body: &str) -> Option<Vec<u8>> {
    match encoding {
        "HEX" => hex(body),
        "B64" | "BASE64" => base64(body),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_strict() {
        for (input, expected) in [
            ("", Some(vec![])),
            ("00fFa9", Some(vec![0, 255, 0xa9])),
            ("0", None),
            ("0g", None),
            ("é", None),
            ("+1", None),
        ] {
            assert_eq!(hex(input), expected, "{input:?}");
        }
    }

    #[test]
    fn base64_takes_every_dialect() {
        for (input, expected) in [
            ("+/+/", Some(vec![0xfb, 0xff, 0xbf])),
            ("././", Some(vec![0xfb, 0xff, 0xbf])),
            ("YQ==", Some(b"a".to_vec())),
            ("YQ", Some(b"a".to_vec())),
            ("Y", None),
            ("a b", None),
        ] {
            assert_eq!(base64(input), expected, "{input:?}");
        }
    }
}
