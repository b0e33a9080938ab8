//! Signatures by OpenPGP keys (RFC 9580): which keys are given, and whether one of them made a signature at its time.
//!
//! A key counts when its own signatures say so: the newest valid self-signature tells its end and what it is for, a subkey
//! is bound by the primary key and binds itself back when it signs. A revoked key or subkey never counts, whenever the
//! signature claims to be made: a revocation is written when times are not to be believed. Signatures of third parties and
//! the web of trust are left out: the keys that are given are the ones that are trusted.

use chrono::{DateTime, Duration, Utc};
use pgp::composed::{Deserializable, DetachedSignature, SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::{KeyDetails, Tag};

use super::signature::{Claim, SignatureError};
use crate::source::Signer;

/// One file of keys: some hundred keys with the signatures of others.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Keys of one file.
const MAX_KEYS: usize = 1000;
/// How far the clock of the machine that signed may be ahead.
const MAX_AHEAD: Duration = Duration::minutes(10);
/// Characters of a user ID that are shown.
const MAX_SHOWN: usize = 200;
const BEGIN: &str = "-----BEGIN PGP ";

/// What is wrong with a file of keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// It is larger than a file of keys is.
    #[error(
        "it is larger than 4 MiB or holds more than {MAX_KEYS} keys; export less (gpg --export-options export-minimal)"
    )]
    TooLarge,
    /// A secret key must not be here.
    #[error(
        "it holds a private key; give public keys only (gpg --armor --export), and consider that one as known to others"
    )]
    Private,
    /// There is nothing to read.
    #[error("there is no armoured public key in it (gpg --armor --export ADDRESS writes one)")]
    Empty,
    /// A key cannot be read.
    #[error("key {number} cannot be read: {why}")]
    Unreadable {
        /// Counted from one.
        number: usize,
        /// What the parser said.
        why: String,
    },
}

/// Reads the public keys of one armoured file, which may hold several blocks.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<SignedPublicKey>, KeyFileError> {
    if bytes.len() > MAX_BYTES {
        return Err(KeyFileError::TooLarge);
    }
    let text = String::from_utf8_lossy(bytes);
    if text.contains("-----BEGIN PGP PRIVATE KEY BLOCK-----") {
        return Err(KeyFileError::Private);
    }
    let mut keys = Vec::new();
    for block in text.split(BEGIN).skip(1) {
        let block = format!("{BEGIN}{block}");
        let unreadable = |number: usize, why: String| {
            let why = why.chars().filter(|c| !c.is_control()).take(MAX_SHOWN).collect();
            KeyFileError::Unreadable { number: number + 1, why }
        };
        let (found, _) = SignedPublicKey::from_string_many(&block)
            .map_err(|error| unreadable(keys.len(), error.to_string()))?;
        for key in found {
            keys.push(key.map_err(|error| unreadable(keys.len(), error.to_string()))?);
            if keys.len() > MAX_KEYS {
                return Err(KeyFileError::TooLarge);
            }
        }
    }
    if keys.is_empty() { Err(KeyFileError::Empty) } else { Ok(keys) }
}

/// The fingerprints that may sign: primary keys and subkeys.
pub(super) fn fingerprints(keys: &[SignedPublicKey]) -> impl Iterator<Item = String> {
    keys.iter().flat_map(|key| {
        let subkeys = key.public_subkeys.iter().map(|subkey| subkey.key.fingerprint());
        std::iter::once(key.fingerprint()).chain(subkeys).map(|fingerprint| format!("{fingerprint:X}"))
    })
}

/// Who signed, when one of the keys did and may.
pub(super) fn check(keys: &[SignedPublicKey], claim: &Claim<'_>) -> Result<Signer, SignatureError> {
    let signature = parse_signature(&claim.signed.signature)?;
    let issuer = issuer(&signature);
    let unknown = || SignatureError::UnknownKey { key: issuer.clone() };
    let (key, subkey) = find(keys, &signature).ok_or_else(unknown)?;
    let shown = match subkey {
        Some(subkey) => format!("{:X}", subkey.key.fingerprint()),
        None => format!("{:X}", key.fingerprint()),
    };
    if !strong(&signature) {
        return Err(SignatureError::Weak { what: "OpenPGP and a hash before SHA-2".to_owned() });
    }
    let payload = claim.signed.payload.as_slice();
    let verified = match subkey {
        Some(subkey) => signature.verify(&subkey.key, payload),
        None => signature.verify(&key.primary_key, payload),
    };
    verified.map_err(|_| SignatureError::Wrong { key: shown.clone() })?;
    let at = made_at(&signature, claim.now)?;
    permitted(key, subkey, at, &shown)?;
    Ok(Signer { principal: principal(key), key: shown })
}

/// One signature, of the kind that covers bytes as they are.
fn parse_signature(armour: &[u8]) -> Result<Signature, SignatureError> {
    let malformed = |why: &str| SignatureError::Malformed(why.to_owned());
    let text = std::str::from_utf8(armour).map_err(|_| malformed("it is not text"))?;
    let (mut found, _) =
        DetachedSignature::from_string_many(text).map_err(|_| malformed("its armour is damaged"))?;
    let first = found.next().and_then(Result::ok).ok_or_else(|| malformed("there is no signature in it"))?;
    if found.next().is_some() {
        return Err(malformed("there is more than one in the block"));
    }
    match first.signature.typ() {
        Some(SignatureType::Binary) => Ok(first.signature),
        _ => Err(malformed("it is not one over bytes")),
    }
}

/// How the signature names its maker.
fn issuer(signature: &Signature) -> String {
    let fingerprint = signature.issuer_fingerprint().first().map(|fingerprint| format!("{fingerprint:X}"));
    let id = || signature.issuer_key_id().first().map(|id| id.to_string().to_uppercase());
    fingerprint.or_else(id).unwrap_or_else(|| "without a name".to_owned())
}

/// The key that the signature names.
fn find<'a>(
    keys: &'a [SignedPublicKey],
    signature: &Signature,
) -> Option<(&'a SignedPublicKey, Option<&'a SignedPublicSubKey>)> {
    let (fingerprints, ids) = (signature.issuer_fingerprint(), signature.issuer_key_id());
    let named = |key: &dyn KeyDetails| {
        let fingerprint = key.fingerprint();
        match fingerprints.is_empty() {
            false => fingerprints.iter().any(|named| **named == fingerprint),
            true => ids.iter().any(|named| **named == key.legacy_key_id()),
        }
    };
    keys.iter().find_map(|key| {
        if named(&key.primary_key) {
            return Some((key, None));
        }
        let subkey = key.public_subkeys.iter().find(|subkey| named(&subkey.key))?;
        Some((key, Some(subkey)))
    })
}

fn strong(signature: &Signature) -> bool {
    matches!(
        signature.hash_alg(),
        Some(
            HashAlgorithm::Sha256
                | HashAlgorithm::Sha384
                | HashAlgorithm::Sha512
                | HashAlgorithm::Sha224
                | HashAlgorithm::Sha3_256
                | HashAlgorithm::Sha3_512
        )
    )
}

/// When the signature was made, as it says itself under its own protection.
fn made_at(signature: &Signature, now: DateTime<Utc>) -> Result<DateTime<Utc>, SignatureError> {
    let created = created(signature);
    let at =
        created.ok_or_else(|| SignatureError::Malformed("it does not say when it was made".to_owned()))?;
    if at > now + MAX_AHEAD {
        return Err(SignatureError::Future { at });
    }
    match lasting(signature.signature_expiration_time().map(pgp::types::Duration::as_secs)) {
        Some(lasts) if now > at + lasts => {
            Err(SignatureError::Malformed(format!("it says that it counts until {}", at + lasts)))
        }
        _ => Ok(at),
    }
}

fn created(signature: &Signature) -> Option<DateTime<Utc>> {
    signature.created().and_then(|created| DateTime::from_timestamp(created.as_secs().into(), 0))
}

/// Zero means without end.
fn lasting(seconds: Option<u32>) -> Option<Duration> {
    seconds.filter(|seconds| *seconds > 0).map(|seconds| Duration::seconds(seconds.into()))
}

/// Whether the key, and the subkey if there is one, could sign at that time.
fn permitted(
    key: &SignedPublicKey,
    subkey: Option<&SignedPublicSubKey>,
    at: DateTime<Utc>,
    shown: &str,
) -> Result<(), SignatureError> {
    let primary = &key.primary_key;
    let revoked = || SignatureError::Revoked { key: shown.to_owned() };
    let not_for_signing = || SignatureError::NotForSigning { key: shown.to_owned() };
    if key.details.revocation_signatures.iter().any(|found| found.verify_key(primary).is_ok()) {
        return Err(revoked());
    }
    let own = newest(self_signatures(key)).ok_or_else(not_for_signing)?;
    alive(primary, own, at, shown)?;
    let Some(subkey) = subkey else {
        // A key that says nothing of its use is for everything it can do, as to GnuPG.
        let flags = own.key_flags();
        let silent =
            !(flags.certify() || flags.encrypt_comms() || flags.encrypt_storage() || flags.authentication());
        return if flags.sign() || silent { Ok(()) } else { Err(not_for_signing()) };
    };
    let valid =
        subkey.signatures.iter().filter(|found| found.verify_subkey_binding(primary, &subkey.key).is_ok());
    let (revocations, bindings): (Vec<&Signature>, Vec<&Signature>) =
        valid.partition(|found| found.typ() == Some(SignatureType::SubkeyRevocation));
    if !revocations.is_empty() {
        return Err(revoked());
    }
    let binding = newest(bindings).ok_or_else(not_for_signing)?;
    alive(&subkey.key, binding, at, shown)?;
    // Without the way back, someone could bind the signing subkey of another to a key of their own.
    let back = binding.embedded_signature();
    let bound = back.is_some_and(|back| back.verify_primary_key_binding(&subkey.key, primary).is_ok());
    if binding.key_flags().sign() && bound { Ok(()) } else { Err(not_for_signing()) }
}

/// The valid signatures of a key over itself: over its user IDs, and directly.
fn self_signatures(key: &SignedPublicKey) -> Vec<&Signature> {
    let primary = &key.primary_key;
    let users = key.details.users.iter().flat_map(|user| {
        let own = user.signatures.iter().filter(|found| {
            found.typ() != Some(SignatureType::CertRevocation)
                && found.verify_certification(primary, Tag::UserId, &user.id).is_ok()
        });
        own.collect::<Vec<_>>()
    });
    let direct = key.details.direct_signatures.iter().filter(|found| found.verify_key(primary).is_ok());
    users.chain(direct).collect()
}

/// The last word of the key's owner.
fn newest(signatures: Vec<&Signature>) -> Option<&Signature> {
    signatures.into_iter().max_by_key(|found| created(found))
}

fn alive(
    key: &dyn KeyDetails,
    own: &Signature,
    at: DateTime<Utc>,
    shown: &str,
) -> Result<(), SignatureError> {
    let from = DateTime::from_timestamp(key.created_at().as_secs().into(), 0).unwrap_or_default();
    if at < from {
        return Err(SignatureError::NotYet { key: shown.to_owned(), from });
    }
    match lasting(own.key_expiration_time().map(pgp::types::Duration::as_secs)) {
        Some(lasts) if at >= from + lasts => {
            Err(SignatureError::Expired { key: shown.to_owned(), until: from + lasts })
        }
        _ => Ok(()),
    }
}

/// The user ID that the key calls its first.
fn principal(key: &SignedPublicKey) -> String {
    let users = &key.details.users;
    let user = users.iter().find(|user| user.is_primary()).or_else(|| users.first());
    let name = user
        .map_or_else(|| "no user ID".to_owned(), |user| String::from_utf8_lossy(user.id.id()).into_owned());
    name.chars().filter(|c| !c.is_control()).take(MAX_SHOWN).collect()
}
