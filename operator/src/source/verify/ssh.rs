//! Signatures by SSH keys (OpenSSH PROTOCOL.sshsig) against a file of allowed signers.
//!
//! The verdict is Git's, which asks `ssh-keygen -Y find-principals` and `-Y verify` in the namespace "git", with three
//! exceptions on the strict side: a negated principal that is the committer refuses, a certificate with critical
//! options is refused, and so are RSA keys below 2048 bits.

use chrono::{DateTime, Utc};
use signature::Verifier;
use ssh_key::certificate::{CertType, Certificate};
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, HashAlg, Signature, SshSig};

use super::allowed_signers::Entry;
use super::pattern::{self, Match};
use super::signature::{Claim, SignatureError};
use crate::source::Signer;

/// What Git signs in, so that a signature over something else is never taken for one of a commit.
const NAMESPACE: &str = "git";
/// RSA below this can be broken by those who want to (NIST SP 800-131A).
const MIN_RSA_BITS: usize = 2048;

/// Who signed, when one of the entries allows it.
pub(super) fn check(entries: &[Entry], claim: &Claim<'_>) -> Result<Signer, SignatureError> {
    let signature = parse(&claim.signed.signature)?;
    if signature.namespace() != NAMESPACE {
        return Err(SignatureError::Namespace {
            namespace: signature.namespace().chars().take(40).collect(),
        });
    }
    let (signer_key, certificate) = match signature.public_key() {
        KeyData::Certificate(certificate) => (certificate.public_key(), Some(certificate.as_ref())),
        key => (key, None),
    };
    let key = signer_key.fingerprint(HashAlg::Sha256).to_string();
    strong(signer_key, signature.signature())?;
    let trusted = certificate.map_or(signer_key, Certificate::signature_key);
    let known: Vec<&Entry> = entries
        .iter()
        .filter(|entry| entry.authority == certificate.is_some() && entry.key == *trusted)
        .collect();
    if known.is_empty() {
        let key = certificate.map_or(key, |_| trusted.fingerprint(HashAlg::Sha256).to_string());
        return Err(SignatureError::UnknownKey { key });
    }
    let data = SshSig::signed_data(NAMESPACE, signature.hash_alg(), &claim.signed.payload);
    let data = data.map_err(|error| SignatureError::Malformed(error.to_string()))?;
    signer_key
        .verify(&data, signature.signature())
        .map_err(|_| SignatureError::Wrong { key: key.clone() })?;
    // One line that allows it is enough; otherwise the first says why not.
    let mut refusal = None;
    for entry in known {
        match allow(entry, certificate, &key, claim) {
            Ok(principal) => return Ok(Signer { principal, key }),
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    Err(refusal.unwrap_or(SignatureError::UnknownKey { key }))
}

/// The fields that are signed along with the payload are rebuilt, so a reserved field with content would not verify.
fn parse(armour: &[u8]) -> Result<SshSig, SignatureError> {
    let text = armour.trim_ascii();
    SshSig::from_pem(text).map_err(|error| SignatureError::Malformed(error.to_string()))
}

/// SHA-1 and short RSA keys are no evidence.
fn strong(key: &KeyData, signature: &Signature) -> Result<(), SignatureError> {
    let weak = |what: &str| Err(SignatureError::Weak { what: what.to_owned() });
    match (key, signature.algorithm()) {
        (KeyData::Rsa(_), Algorithm::Rsa { hash: None }) => weak("RSA with SHA-1"),
        (KeyData::Rsa(rsa), _) if rsa.key_size() < MIN_RSA_BITS as u32 => weak("an RSA key below 2048 bits"),
        (KeyData::Dsa(_), _) => weak("DSA"),
        _ => Ok(()),
    }
}

/// The principal that an entry gives to a signature that is mathematically right.
fn allow(
    entry: &Entry,
    certificate: Option<&Certificate>,
    key: &str,
    claim: &Claim<'_>,
) -> Result<String, SignatureError> {
    let (line, at) = (entry.line, claim.judged_at());
    if let Some(namespaces) = &entry.namespaces
        && pattern::list(NAMESPACE, namespaces) != Match::Yes
    {
        return Err(SignatureError::NotForGit { key: key.to_owned(), line });
    }
    within(entry.valid_after, entry.valid_before, at, key)?;
    let negated = || SignatureError::NotFor { key: key.to_owned(), line, address: claim.address.to_owned() };
    let committer = entry.stands_for(claim.address);
    if committer == Match::Negated {
        return Err(negated());
    }
    let Some(certificate) = certificate else {
        let principal = if committer == Match::Yes { claim.address } else { entry.first_principal() };
        return Ok(principal.to_owned());
    };
    certified(entry, certificate, at, key)?;
    let names = certificate.valid_principals().iter();
    let mut allowed = names.filter(|name| entry.stands_for(name) == Match::Yes);
    let first = allowed.next().ok_or_else(|| SignatureError::Certificate {
        why: format!("none of its principals is among those of line {line}"),
    })?;
    let is_committer = *first == claim.address || allowed.any(|name| *name == claim.address);
    Ok(if is_committer { claim.address.to_owned() } else { first.clone() })
}

fn within(
    after: Option<DateTime<Utc>>,
    before: Option<DateTime<Utc>>,
    at: DateTime<Utc>,
    key: &str,
) -> Result<(), SignatureError> {
    match (after, before) {
        (Some(from), _) if at < from => Err(SignatureError::NotYet { key: key.to_owned(), from }),
        (_, Some(until)) if at > until => Err(SignatureError::Expired { key: key.to_owned(), until }),
        _ => Ok(()),
    }
}

/// A certificate of a user, signed by the entry's key, at its time, without conditions that nobody here can check.
fn certified(
    entry: &Entry,
    certificate: &Certificate,
    at: DateTime<Utc>,
    key: &str,
) -> Result<(), SignatureError> {
    let refuse = |why: &str| Err(SignatureError::Certificate { why: why.to_owned() });
    if certificate.cert_type() != CertType::User {
        return refuse("it is one of a host");
    }
    if !certificate.critical_options().is_empty() {
        return refuse("it has critical options, which mean nothing for a commit; issue one without");
    }
    strong(&entry.key, certificate.signature())?;
    let time = |seconds: u64| i64::try_from(seconds).ok().and_then(|at| DateTime::from_timestamp(at, 0));
    // An end that no calendar reaches is no end; so OpenSSH writes "forever".
    let last = time(certificate.valid_before()).map(|end| end - chrono::Duration::seconds(1));
    within(time(certificate.valid_after()), last, at, key)?;
    let seconds = u64::try_from(at.timestamp()).unwrap_or_default();
    let authority = [entry.key.fingerprint(HashAlg::Sha256)];
    match certificate.validate_at(seconds, &authority) {
        Ok(()) => Ok(()),
        Err(_) => refuse("the signature of its authority is wrong"),
    }
}
