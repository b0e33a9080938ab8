//! Octets of a SASL exchange and their form on the wire (RFC 4954 §4). What they mean is the driver's affair: a mechanism
//! knows passwords, and these machines know none.

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine};

/// Octets of a SASL message. Debugging shows how many, never which: most of them are a password.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SaslData(Vec<u8>);

impl SaslData {
    /// The octets.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The octets, taken.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Decodes a line of an exchange (RFC 4954 §4: base64, padded, nothing else).
    pub(crate) fn decode(text: &[u8]) -> Option<SaslData> {
        BASE64_STANDARD.decode(text).ok().map(SaslData)
    }

    pub(crate) fn encode(&self) -> String {
        BASE64_STANDARD.encode(&self.0)
    }
}

impl From<Vec<u8>> for SaslData {
    fn from(octets: Vec<u8>) -> SaslData {
        SaslData(octets)
    }
}

impl From<&[u8]> for SaslData {
    fn from(octets: &[u8]) -> SaslData {
        SaslData(octets.to_vec())
    }
}

impl fmt::Debug for SaslData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} octets]", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_shown() {
        let data = SaslData::from(&b"\0alice\0hush"[..]);
        assert_eq!(format!("{data:?}"), "[11 octets]");
        assert_eq!(data.encode(), "AGFsaWNlAGh1c2g=");
        assert_eq!(SaslData::decode(b"AGFsaWNlAGh1c2g="), Some(data));
        assert_eq!(SaslData::decode(b""), Some(SaslData::default()));
        for bad in [&b"A"[..], b"AGFsaWNlAGh1c2g", b"AGFs aWNl", b"*", b"\xff"] {
            assert_eq!(SaslData::decode(bad), None);
        }
    }
}
