//! One `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`: AES-256-GCM with a nonce of 32 bytes and the path as additional data.

use aes_gcm::aead::consts::U32;
use aes_gcm::aes::Aes256;
use aes_gcm::{AeadInOut, AesGcm, KeyInit, Nonce, Tag};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::key::DataKey;
use crate::source::yaml::{self, Value};

/// How every encrypted value begins.
const BEGIN: &str = "ENC[AES256_GCM,";

/// Whether a text looks like an encrypted value.
pub(super) fn is_sealed(text: &str) -> bool {
    text.starts_with(BEGIN)
}

/// What a value was before it was encrypted.
#[derive(Debug, PartialEq)]
pub(super) enum Opened {
    /// A value of a manifest.
    Value(Value),
    /// A comment, which the older versions of `sops` keep in lists.
    Comment,
}

/// Why a value does not open; never shows any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    /// Not `ENC[…]` as `sops` writes it.
    Form,
    /// The tag does not fit: another key, another path, or a changed byte.
    Tag,
    /// A type that is not known, or a text that does not fit it.
    Type,
    /// Bytes that are no text.
    Binary,
}

/// The parts of a value.
struct Sealed<'a> {
    data: Vec<u8>,
    nonce: Vec<u8>,
    tag: Vec<u8>,
    kind: &'a str,
}

/// Decrypts a value; `path` is the additional data.
pub(super) fn open(text: &str, key: &DataKey, path: &str) -> Result<Opened, Damage> {
    let Sealed { data, nonce, tag, kind } = parse(text).ok_or(Damage::Form)?;
    let plain = decrypt(data, &nonce, &tag, key, path)?;
    let text = String::from_utf8(Vec::from(plain)).map_err(|error| {
        drop(Zeroizing::new(error.into_bytes()));
        Damage::Binary
    })?;
    typed(kind, text)
}

fn parse(text: &str) -> Option<Sealed<'_>> {
    let inner = text.strip_prefix(BEGIN)?.strip_suffix(']')?;
    let mut parts = inner.split(',');
    let mut part = |name: &str| parts.next()?.strip_prefix(name)?.strip_prefix(':');
    let (data, nonce, tag, kind) = (part("data")?, part("iv")?, part("tag")?, part("type")?);
    let bytes = |text: &str| STANDARD.decode(text).ok();
    let sealed = Sealed { data: bytes(data)?, nonce: bytes(nonce)?, tag: bytes(tag)?, kind };
    parts.next().is_none().then_some(sealed)
}

/// Decrypts in the very bytes that the text will be, so that no copy is left behind.
fn decrypt(data: Vec<u8>, nonce: &[u8], tag: &[u8], key: &DataKey, path: &str) -> Result<Box<[u8]>, Damage> {
    let cipher = AesGcm::<Aes256, U32>::new_from_slice(key.as_slice()).map_err(|_| Damage::Tag)?;
    let nonce = Nonce::<U32>::try_from(nonce).map_err(|_| Damage::Form)?;
    let tag = Tag::try_from(tag).map_err(|_| Damage::Form)?;
    let mut data = data.into_boxed_slice();
    cipher
        .decrypt_inout_detached(&nonce, path.as_bytes(), data.as_mut().into(), &tag)
        .map_err(|_| Damage::Tag)?;
    Ok(data)
}

fn typed(kind: &str, text: String) -> Result<Opened, Damage> {
    let value = match (kind, text.as_str()) {
        ("bool", "True" | "true" | "TRUE" | "t" | "T" | "1") => Value::Bool(true),
        ("bool", "False" | "false" | "FALSE" | "f" | "F" | "0") => Value::Bool(false),
        ("int", text) if text.parse::<i64>().is_err() => return Err(Damage::Type),
        ("int" | "float", text) => yaml::number(text).ok_or(Damage::Type)?,
        // A time is text to whoever reads manifests.
        ("str" | "bytes" | "time", _) => return Ok(Opened::Value(Value::String(text.into_boxed_str()))),
        ("comment", _) => {
            drop(Zeroizing::new(text));
            return Ok(Opened::Comment);
        }
        _ => return Err(Damage::Type),
    };
    drop(Zeroizing::new(text));
    Ok(Opened::Value(value))
}
