//! SCRAM's messages as the server reads and writes them (RFC 5802 §5, §7; RFC 7677).
//!
//! ```text
//! client-first-message = gs2-cbind-flag "," [ "a=" saslname ] "," client-first-message-bare
//! client-first-message-bare = [reserved-mext ","] username "," nonce ["," extensions]
//! server-first-message = nonce "," salt "," iteration-count
//! client-final-message = channel-binding "," nonce ["," extensions] "," proof
//! server-final-message = verifier
//! ```

use base64::Engine;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use super::super::Bindings;
use super::is_same;
use crate::auth::scram::{Key, Record};

/// SCRAM's base64 has no line breaks and is padded (RFC 5802 §7).
pub(super) const BASE64: GeneralPurpose = STANDARD;
/// Longest nonce of a client: 18 octets in base64 are 24; libraries use up to 64.
const MAX_NONCE: usize = 256;

/// What was offered to the client.
pub(super) struct Offered {
    /// The mechanism is -PLUS.
    pub(super) plus: bool,
    /// The connection's; -PLUS was offered when one is usable.
    pub(super) bindings: Bindings,
    pub(super) nonce: String,
}

/// A client-first-message, and what it is answered with.
pub(super) struct ClientFirst {
    user: String,
    bare: String,
    nonce: String,
    /// What the client must repeat in `c=`, with the binding's data.
    binding: Vec<u8>,
}

/// A server-first-message that was sent.
pub(super) struct ServerFirst {
    first: ClientFirst,
    message: String,
    record: Record,
}

/// The proof does not fit the record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WrongProof;

impl Offered {
    /// Reads a client-first-message; `None` when it is malformed, asks for what is not there, or would be a downgrade.
    pub(super) fn client_first(self, message: &[u8]) -> Option<ClientFirst> {
        let message = std::str::from_utf8(message).ok()?;
        let mut fields = message.splitn(3, ',');
        let (flag, authzid, bare) = (fields.next()?, fields.next()?, fields.next()?);
        let data = self.binding_data(flag)?;
        let mut attributes = bare.split(',');
        // A mandatory extension (`m=`) stands here; none is known.
        let user = name(attributes.next()?.strip_prefix("n=")?)?;
        let client_nonce = attributes.next()?.strip_prefix("r=")?;
        if !is_nonce(client_nonce) || client_nonce.len() > MAX_NONCE {
            return None;
        }
        let authzid = match authzid {
            "" => String::new(),
            given => name(given.strip_prefix("a=")?)?,
        };
        if !is_same(&authzid, &user) {
            return None;
        }
        let header = &message[..message.len() - bare.len()];
        let binding = [header.as_bytes(), &data].concat();
        let nonce = format!("{client_nonce}{}", self.nonce);
        Some(ClientFirst { user, bare: bare.to_owned(), nonce, binding })
    }

    /// The channel binding data of a gs2-cbind-flag (RFC 5802 §6).
    fn binding_data(&self, flag: &str) -> Option<Vec<u8>> {
        match (flag, self.plus) {
            ("n", false) => Some(Vec::new()),
            // The client can, and believes that we cannot. If we can, somebody between us took -PLUS from our list.
            ("y", false) if !self.bindings.is_usable() => Some(Vec::new()),
            (flag, true) => match flag.strip_prefix("p=")? {
                "tls-exporter" => self.bindings.exporter.map(|data| data.to_vec()),
                "tls-server-end-point" => self.bindings.end_point.clone(),
                // tls-unique is not safe without the extended master secret and not defined for TLS 1.3 (RFC 9266 §1).
                _ => None,
            },
            _ => None,
        }
    }
}

impl ClientFirst {
    pub(super) fn user(&self) -> &str {
        &self.user
    }

    pub(super) fn answer(self, record: Record) -> ServerFirst {
        let salt = BASE64.encode(&record.salt);
        let message = format!("r={},s={salt},i={}", self.nonce, record.iterations);
        ServerFirst { first: self, message, record }
    }
}

impl ServerFirst {
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// Checks a client-final-message and answers the server-final-message; `None` when it is malformed. One that is bound to
    /// another channel or exchange proves nothing (RFC 5802 §7, channel-bindings-dont-match): the login fails as with a wrong
    /// password, for its grammar is right.
    pub(super) fn client_final(&self, message: &[u8]) -> Option<Result<String, WrongProof>> {
        let message = std::str::from_utf8(message).ok()?;
        let (without_proof, proof) = message.rsplit_once(",p=")?;
        let mut attributes = without_proof.split(',');
        let binding = BASE64.decode(attributes.next()?.strip_prefix("c=")?).ok()?;
        let nonce = attributes.next()?.strip_prefix("r=")?;
        let is_ours = nonce.as_bytes().ct_eq(self.first.nonce.as_bytes());
        let proof: Key = BASE64.decode(proof).ok()?.try_into().ok()?;
        if !bool::from(binding.ct_eq(&self.first.binding) & is_ours) {
            return Some(Err(WrongProof));
        }
        let auth_message = format!("{},{},{without_proof}", self.first.bare, self.message);
        Some(match self.record.accepts(&proof, &auth_message) {
            true => Ok(format!("v={}", BASE64.encode(self.record.signature(&auth_message)))),
            false => Err(WrongProof),
        })
    }
}

/// A saslname: `=2C` is a comma, `=3D` an equals sign, no other `=` (RFC 5802 §5.1).
fn name(text: &str) -> Option<String> {
    let mut pieces = text.split('=');
    let mut name = pieces.next()?.to_owned();
    for piece in pieces {
        let (code, rest) = (piece.get(..2)?, piece.get(2..)?);
        name.push(match code {
            "2C" => ',',
            "3D" => '=',
            _ => return None,
        });
        name.push_str(rest);
    }
    (!name.is_empty() && !name.contains('\0')).then_some(name)
}

/// `printable`: %x21-2B / %x2D-7E.
fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded() {
        for (text, expected) in [
            ("user", Some("user")),
            ("a=2Cb=3Dc", Some("a,b=c")),
            ("=3D", Some("=")),
            ("a=2c", None),
            ("a=", None),
            ("a=é", None),
            ("", None),
            ("a\0b", None),
        ] {
            assert_eq!(name(text).as_deref(), expected, "{text}");
        }
    }
}
