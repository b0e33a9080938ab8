//! The parameters with which a sender asks for delivery status notifications, and the encoding of their values.
//!
//! RFC 3461 §4 (xtext, NOTIFY, ORCPT, RET, ENVID), RFC 6533 §3 (`utf-8` addresses).

use std::fmt;

/// Characters of an envelope identifier before encoding (RFC 3461 §4.4).
pub const ENVELOPE_ID_MAX: usize = 100;
/// Octets of an original recipient with its type (RFC 3461 §4.2).
pub const ORIGINAL_MAX: usize = 500;

/// How much of the message a notification of failure returns (RFC 3461 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ret {
    /// `FULL`: all of it.
    Full,
    /// `HDRS`: its header.
    Headers,
}

impl Ret {
    /// The value of `RET=`, in any case.
    pub fn parse(value: &str) -> Option<Ret> {
        match value.to_ascii_uppercase().as_str() {
            "FULL" => Some(Ret::Full),
            "HDRS" => Some(Ret::Headers),
            _ => None,
        }
    }
}

impl fmt::Display for Ret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ret::Full => "FULL",
            Ret::Headers => "HDRS",
        })
    }
}

/// What the sender wants to be told about one recipient (RFC 3461 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Notify {
    /// `NEVER`: nothing.
    Never,
    /// Any of the others; at least one is set.
    On {
        /// `SUCCESS`.
        success: bool,
        /// `FAILURE`.
        failure: bool,
        /// `DELAY`.
        delay: bool,
    },
}

impl Notify {
    /// ```text
    /// notify-esmtp-value = "NEVER" / 1#notify-list-element                  RFC 3461 §4.1
    /// notify-list-element = "SUCCESS" / "FAILURE" / "DELAY"
    /// ```
    pub fn parse(value: &str) -> Option<Notify> {
        if value.eq_ignore_ascii_case("NEVER") {
            return Some(Notify::Never);
        }
        let (mut success, mut failure, mut delay) = (false, false, false);
        for element in value.split(',') {
            match element.to_ascii_uppercase().as_str() {
                "SUCCESS" => success = true,
                "FAILURE" => failure = true,
                "DELAY" => delay = true,
                _ => return None,
            }
        }
        Some(Notify::On { success, failure, delay })
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Notify::On { success, failure, delay } = *self else { return f.write_str("NEVER") };
        let chosen = [(success, "SUCCESS"), (failure, "FAILURE"), (delay, "DELAY")];
        let words: Vec<&str> = chosen.into_iter().filter(|(set, _)| *set).map(|(_, word)| word).collect();
        f.write_str(&words.join(","))
    }
}

/// The address that the sender gave before anyone redirected it (RFC 3461 §4.2), decoded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OriginalRecipient {
    address_type: String,
    address: String,
}

impl OriginalRecipient {
    /// Of an address of mail: type `rfc822`, or `utf-8` for one that is not ASCII (RFC 6533 §3).
    pub fn of_mail(address: &str) -> OriginalRecipient {
        let address_type = if address.is_ascii() { "rfc822" } else { "utf-8" };
        OriginalRecipient { address_type: address_type.to_owned(), address: address.to_owned() }
    }

    /// ```text
    /// original-recipient-address = addr-type ";" xtext                      RFC 3461 §4.2
    /// addr-type = atom
    /// ```
    pub fn parse(value: &str) -> Option<OriginalRecipient> {
        if value.len() > ORIGINAL_MAX {
            return None;
        }
        let (address_type, address) = value.split_once(';')?;
        let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
        if address_type.is_empty() || !address_type.chars().all(atom) {
            return None;
        }
        let address = decode_xtext(address).filter(|address| !address.is_empty())?;
        Some(OriginalRecipient { address_type: address_type.to_ascii_lowercase(), address })
    }

    /// `rfc822`, in lower case.
    pub fn address_type(&self) -> &str {
        &self.address_type
    }

    /// The address.
    pub fn address(&self) -> &str {
        &self.address
    }
}

/// Writes the value of `ORCPT=`.
impl fmt::Display for OriginalRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};{}", self.address_type, encode_xtext(&self.address))
    }
}

/// ```text
/// xtext = *( xchar / hexchar )                                             RFC 3461 §4
/// xchar = any ASCII CHAR between "!" (33) and "~" (126) inclusive, except for "+" and "="
/// hexchar = ASCII "+" immediately followed by two upper case hexadecimal digits
/// ```
pub fn encode_xtext(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'+' | b'=' => out.push_str(&format!("+{byte:02X}")),
            b'!'..=b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("+{byte:02X}")),
        }
    }
    out
}

/// The text that was encoded; `None` when it is not xtext, not UTF-8, or holds a control character: a value that is written
/// into a notification must not start a line there.
pub fn decode_xtext(xtext: &str) -> Option<String> {
    let mut out = Vec::with_capacity(xtext.len());
    let mut bytes = xtext.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => {
                let mut digit = || bytes.next().filter(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'));
                let digits = [digit()?, digit()?];
                out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
            }
            b'=' => return None,
            b'!'..=b'~' => out.push(byte),
            _ => return None,
        }
    }
    String::from_utf8(out).ok().filter(|text| !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn xtext() {
        for (text, encoded) in [
            ("", ""),
            ("QQ314159", "QQ314159"),
            ("a+b=c", "a+2Bb+3Dc"),
            ("a b", "a+20b"),
            ("é@b", "+C3+A9@b"),
        ] {
            assert_eq!(encode_xtext(text), encoded);
            assert_eq!(decode_xtext(encoded).as_deref(), Some(text));
        }
        for bad in ["+", "+2", "+2b", "+GG", "a=b", "a b", "é", "+FF", "+0D+0A", "+00"] {
            assert_eq!(decode_xtext(bad), None, "{bad}");
        }
    }

    #[test]
    fn notify() {
        let on = |success, failure, delay| Some(Notify::On { success, failure, delay });
        for (text, expected) in [
            ("NEVER", Some(Notify::Never)),
            ("never", Some(Notify::Never)),
            ("SUCCESS", on(true, false, false)),
            ("success,FAILURE", on(true, true, false)),
            ("DELAY,FAILURE,SUCCESS", on(true, true, true)),
            ("FAILURE,FAILURE", on(false, true, false)),
            ("NEVER,SUCCESS", None),
            ("", None),
            ("SUCCESS,", None),
            ("SUCCESS, FAILURE", None),
            ("ALWAYS", None),
        ] {
            assert_eq!(Notify::parse(text), expected, "{text}");
        }
        assert_eq!(Notify::parse("delay,success").unwrap().to_string(), "SUCCESS,DELAY");
        assert_eq!(Notify::Never.to_string(), "NEVER");
    }

    /// RFC 3461 §10: the values of its examples.
    #[test]
    fn original_recipients() {
        for (value, kind, address) in [
            ("rfc822;Bob@Example.COM", "rfc822", "Bob@Example.COM"),
            ("RFC822;George@Tax-ME.GOV", "rfc822", "George@Tax-ME.GOV"),
            ("rfc822;a+2Bb@example.test", "rfc822", "a+b@example.test"),
            ("x400;/C=us", "x400", ""),
            ("x400;/C+3Dus", "x400", "/C=us"),
        ] {
            let parsed = OriginalRecipient::parse(value);
            if address.is_empty() {
                assert_eq!(parsed, None, "{value}");
                continue;
            }
            let parsed = parsed.unwrap();
            assert_eq!((parsed.address_type(), parsed.address()), (kind, address));
            assert_eq!(OriginalRecipient::parse(&parsed.to_string()), Some(parsed));
        }
        for bad in ["", ";a", "rfc822", "rfc822;", "rfc 822;a", &format!("rfc822;{}", "a".repeat(500))] {
            assert_eq!(OriginalRecipient::parse(bad), None, "{bad}");
        }
        assert_eq!(OriginalRecipient::of_mail("é@b").to_string(), "utf-8;+C3+A9@b");
        assert_eq!(OriginalRecipient::of_mail("a+b@c").to_string(), "rfc822;a+2Bb@c");
    }

    #[test]
    fn ret() {
        for (value, expected) in [("FULL", Some(Ret::Full)), ("hdrs", Some(Ret::Headers)), ("ALL", None)] {
            assert_eq!(Ret::parse(value), expected);
        }
        assert_eq!((Ret::Full.to_string(), Ret::Headers.to_string()), ("FULL".into(), "HDRS".into()));
    }

    proptest! {
        #[test]
        fn there_and_back(text in "\\PC{0,80}") {
            prop_assume!(!text.chars().any(char::is_control));
            prop_assert_eq!(decode_xtext(&encode_xtext(&text)), Some(text));
        }

        #[test]
        fn any_text(text in "\\PC{0,60}") {
            let _ = (decode_xtext(&text), OriginalRecipient::parse(&text), Notify::parse(&text), Ret::parse(&text));
        }
    }
}
