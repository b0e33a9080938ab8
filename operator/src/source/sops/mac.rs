//! The MAC over all values of a file: SHA-512 of them in their order, in hexadecimal, encrypted under the data key.

use std::borrow::Cow;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha512};
use subtle::ConstantTimeEq as _;

use super::key::DataKey;
use super::value::{self, Opened};
use super::{KEY, fault, timestamp};
use crate::source::yaml::{Fault, Mark, Node, Value};

/// What the hash begins with when only encrypted values are in it: SHA-256 of the word `sops`.
const ONLY_ENCRYPTED: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b, 0x0b,
    0x97, 0x5b, 0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];

/// The MAC that the file says it has.
#[derive(Debug)]
pub(super) struct Mac {
    /// `ENC[…]`.
    pub text: String,
    pub mark: Mark,
    /// When the file was written, which is the additional data.
    pub modified: String,
}

impl Mac {
    /// Compares it with the values that are there.
    pub(super) fn check(&self, key: &DataKey, computed: &str) -> Result<(), Fault> {
        let text = self.text.ends_with(",type:str]");
        let told = match value::open(&self.text, key, &self.modified) {
            Ok(Opened::Value(Value::String(told))) if text => told,
            _ => {
                let remedy = "restore the sops block of the last good commit, or encrypt the file again";
                return Err(fault(self.mark, &[KEY, "mac"], "the MAC is damaged", remedy));
            }
        };
        if bool::from(told.as_bytes().ct_eq(computed.as_bytes())) {
            return Ok(());
        }
        let message = "the MAC does not fit: a value was changed, added, moved or removed without sops";
        let remedy = "restore the file from the last good commit and change it with sops edit";
        Err(fault(self.mark, &[KEY, "mac"], message, remedy))
    }
}

/// The hash while values are added to it.
pub(super) struct Sum(Sha512);

impl Sum {
    pub(super) fn new(only_encrypted: bool) -> Sum {
        let mut hash = Sha512::new();
        if only_encrypted {
            hash.update(ONLY_ENCRYPTED);
        }
        Sum(hash)
    }

    /// Adds a value as `sops` renders it; nothing is not counted.
    pub(super) fn add(&mut self, node: &Node) {
        match &node.value {
            Value::Bool(true) => self.0.update("True"),
            Value::Bool(false) => self.0.update("False"),
            Value::Number(_, text) => self.0.update(rendered(text).as_bytes()),
            Value::String(text) if node.plain => self.0.update(rendered(text).as_bytes()),
            Value::String(text) => self.0.update(text.as_bytes()),
            Value::Null | Value::Sequence(_) | Value::Mapping(_) => {}
        }
    }

    /// The hash in capitals.
    pub(super) fn finish(self) -> String {
        self.0.finalize().iter().fold(String::new(), |mut shown, byte| {
            let _ = write!(shown, "{byte:02X}");
            shown
        })
    }
}

/// A text without quotes as the reader of `sops` (go-yaml 3, `resolve.go`) understands and renders it.
fn rendered(text: &str) -> Cow<'_, str> {
    let first = text.as_bytes().first().copied().unwrap_or_default();
    if !(first.is_ascii_digit() || b"+-.".contains(&first)) {
        return Cow::Borrowed(text);
    }
    if let Some(time) = timestamp::rewritten(text) {
        return Cow::Owned(time);
    }
    let plain = text.replace('_', "");
    if let Some(whole) = integer(&plain) {
        return Cow::Owned(whole.to_string());
    }
    let is_float = plain.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    match plain.parse::<f64>() {
        Ok(value) if is_float => Cow::Owned(value.to_string()),
        _ => Cow::Borrowed(text),
    }
}

/// Integers with the prefixes of Go: `0x`, `0o`, `0b`, and `0` for octal.
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let prefixed = |small: &str, radix| {
        let digits = digits.strip_prefix(small).or_else(|| digits.strip_prefix(&small.to_uppercase()))?;
        u64::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with('+'))
    };
    let octal = || {
        let digits = digits.strip_prefix('0').filter(|digits| !digits.is_empty())?;
        u64::from_str_radix(digits, 8).ok().filter(|_| !digits.starts_with('+'))
    };
    let decimal = || {
        let digits = digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(digits)?;
        digits.parse().ok().filter(|_| digits == "0" || !digits.starts_with('0'))
    };
    let value = prefixed("0x", 16)
        .or_else(|| prefixed("0o", 8))
        .or_else(|| prefixed("0b", 2))
        .or_else(octal)
        .or_else(decimal)?;
    Some(if negative { -i128::from(value) } else { i128::from(value) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What go-yaml makes of texts without quotes.
    #[test]
    fn texts_without_quotes_are_rendered_as_sops_does() {
        for (text, expected) in [
            ("word", "word"),
            ("12", "12"),
            ("+12", "12"),
            ("-0", "0"),
            ("0644", "420"),
            ("089", "89"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("0b101", "5"),
            ("1_000", "1000"),
            ("18446744073709551615", "18446744073709551615"),
            ("36893488147419103232", "36893488147419103000"),
            ("1.50", "1.5"),
            (".5", "0.5"),
            ("1.", "1"),
            ("1e3", "1000"),
            ("1e-7", "0.0000001"),
            ("1e21", "1000000000000000000000"),
            ("-0.0", "-0"),
            ("2001-12-14", "2001-12-14T00:00:00Z"),
            ("10.0.0.1", "10.0.0.1"),
            ("+inf", "+inf"),
            ("1 GiB", "1 GiB"),
            ("1Gi", "1Gi"),
            ("", ""),
        ] {
            assert_eq!(rendered(text), expected, "{text}");
        }
    }
}
