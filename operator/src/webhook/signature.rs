//! Who sent it: HMAC-SHA256 over the body (RFC 2104 §2), or a shared token. Everything is compared in constant time.

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::{Provider, Refusal, Token, text};

/// Seconds since 1970 at which a generic webhook was signed.
pub const HEADER_TIMESTAMP: &str = "x-mailwright-timestamp";
/// `sha256=` and the HMAC in hexadecimal over timestamp, a full stop and the body.
pub const HEADER_SIGNATURE: &str = "x-mailwright-signature";
/// How far a timestamp may be from our clock, either way: longer than clocks differ, shorter than a replay is of use.
pub const WINDOW: TimeDelta = TimeDelta::minutes(5);

/// Seconds since 1970 have this many digits until the year 5138.
const MAX_DIGITS: usize = 11;

/// Whether it is signed with the token.
pub(super) fn check(
    provider: Provider,
    headers: &HeaderMap,
    body: &[u8],
    token: &Token,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    let signed = match provider {
        Provider::GitHub => github(headers, body, token),
        Provider::GitLab => gitlab(headers, token),
        Provider::Gitea => gitea(headers, body, token),
        Provider::Generic => return generic(headers, body, token, now),
    };
    if signed { Ok(()) } else { Err(Refusal::Signature) }
}

/// `X-Hub-Signature-256: sha256=<hex>`. The older one with SHA-1 is not looked at.
fn github(headers: &HeaderMap, body: &[u8], token: &Token) -> bool {
    let hex = text(headers, "x-hub-signature-256").and_then(|value| value.strip_prefix("sha256="));
    fits(hex, &[body], token)
}

/// `X-Gitlab-Token` is the token itself. Comparing digests hides its length too.
fn gitlab(headers: &HeaderMap, token: &Token) -> bool {
    let given = text(headers, "x-gitlab-token").unwrap_or_default();
    let digest = |text: &[u8]| mac(token, &[text]).finalize().into_bytes();
    bool::from(digest(given.as_bytes()).ct_eq(&digest(token.bytes())))
}

/// `X-Forgejo-Signature` or `X-Gitea-Signature`, in hexadecimal without a prefix.
fn gitea(headers: &HeaderMap, body: &[u8], token: &Token) -> bool {
    let hex = text(headers, "x-forgejo-signature").or_else(|| text(headers, "x-gitea-signature"));
    fits(hex, &[body], token)
}

/// The timestamp is signed with the body, and looked at only then.
fn generic(headers: &HeaderMap, body: &[u8], token: &Token, now: DateTime<Utc>) -> Result<(), Refusal> {
    let stamp = text(headers, HEADER_TIMESTAMP).unwrap_or_default();
    let hex = text(headers, HEADER_SIGNATURE).and_then(|value| value.strip_prefix("sha256="));
    if !fits(hex, &[stamp.as_bytes(), b".", body], token) {
        return Err(Refusal::Signature);
    }
    let plain = !stamp.is_empty() && stamp.len() <= MAX_DIGITS && stamp.bytes().all(|b| b.is_ascii_digit());
    let at = stamp.parse().ok().filter(|_| plain).and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    match at {
        None => Err(Refusal::Form),
        Some(at) if (now - at).abs() > WINDOW => Err(Refusal::Stale),
        Some(_) => Ok(()),
    }
}

/// The signature of a generic webhook, for those who send one.
pub fn sign(token: &Token, at: DateTime<Utc>, body: &[u8]) -> String {
    let mac = mac(token, &[at.timestamp().to_string().as_bytes(), b".", body]).finalize().into_bytes();
    format!("sha256={}", hex(&mac))
}

/// Whether `given` is the HMAC of the parts. Without one it is computed all the same, so that time tells nothing.
fn fits(given: Option<&str>, parts: &[&[u8]], token: &Token) -> bool {
    let given = given.and_then(unhex);
    let known = given.is_some();
    let right = mac(token, parts).verify_slice(&given.unwrap_or_default()).is_ok();
    known && right
}

fn mac(token: &Token, parts: &[&[u8]]) -> Hmac<Sha256> {
    keyed(token.bytes(), parts)
}

/// An HMAC fed with the parts. A key may have any length (RFC 2104 §2); one of the block's size is used as it is.
pub(super) fn keyed(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    use sha2::Digest as _;
    const BLOCK: usize = 64;
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    match key.len() {
        ..=BLOCK => block[..key.len()].copy_from_slice(key),
        _ => block[..32].copy_from_slice(&Sha256::digest(key)),
    }
    let mut mac = Hmac::<Sha256>::new(&block);
    parts.iter().for_each(|part| mac.update(part));
    mac
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 32 bytes out of 64 digits.
fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    (0..64).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}
