//! Owns the making and reading of DKIM key pairs: RSA-2048 (RFC 8301 §3.2) and Ed25519 (RFC 8463 §4), as PKCS #8 PEM.
//! Leaves out where they are kept ([`crate::platform`]) and the DNS record made of them (`mailwright_plan::dns`).

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailwright_crds::mail_domain::DkimAlgorithm;

/// A private key that signs for one domain under one selector.
#[derive(Clone)]
pub struct DkimKey {
    /// The selector: the label in front of `_domainkey` (RFC 6376 §3.1).
    pub selector: String,
    /// The algorithm of the key.
    pub algorithm: DkimAlgorithm,
    /// The public half as it is published in `p=`: SubjectPublicKeyInfo for RSA (RFC 6376 §3.6.1), the bare
    /// 32 octets for Ed25519 (RFC 8463 §4.2).
    pub public: Vec<u8>,
    /// PKCS #8 in PEM. Never logged: [`DkimKey`] has no `Debug` of its own making that shows it.
    pub private_pem: String,
}

impl std::fmt::Debug for DkimKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DkimKey").field("selector", &self.selector).finish_non_exhaustive()
    }
}

/// What can go wrong with a key.
#[derive(Debug, thiserror::Error)]
pub enum DkimError {
    /// The library could not make a key; the system has no entropy.
    #[error("cannot generate a {0:?} key: the cryptographic library refused")]
    Generate(DkimAlgorithm),
    /// A stored key is not what we wrote.
    #[error(
        "the DKIM key {selector} is damaged: {reason}; restore it from a backup, or delete it to get a new one (and publish its record)"
    )]
    Damaged {
        /// The selector of the damaged key.
        selector: String,
        /// What the decoder found.
        reason: &'static str,
    },
}

/// Makes a new key. RSA takes up to a second of CPU: call it off the event loop.
pub fn generate(selector: String, algorithm: DkimAlgorithm) -> Result<DkimKey, DkimError> {
    let failed = |_| DkimError::Generate(algorithm);
    let (pkcs8, public) = match algorithm {
        DkimAlgorithm::Rsa2048 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
            let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
            (der.as_ref().to_vec(), rsa_public(&pair).map_err(failed)?)
        }
        DkimAlgorithm::Ed25519 => {
            let pair = Ed25519KeyPair::generate().map_err(failed)?;
            let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
            (der.as_ref().to_vec(), pair.public_key().as_ref().to_vec())
        }
    };
    Ok(DkimKey { selector, algorithm, public, private_pem: pem_encode("PRIVATE KEY", &pkcs8) })
}

/// Reads a key that [`generate`] made, and derives its public half again.
pub fn parse(selector: String, algorithm: DkimAlgorithm, pem: &str) -> Result<DkimKey, DkimError> {
    let damaged = |reason| DkimError::Damaged { selector: selector.clone(), reason };
    let der = pem_decode(pem).ok_or_else(|| damaged("it is not PEM"))?;
    let public = match algorithm {
        DkimAlgorithm::Rsa2048 => {
            let pair =
                RsaKeyPair::from_pkcs8(&der).map_err(|_| damaged("it is not an RSA key in PKCS #8"))?;
            rsa_public(&pair).map_err(|_| damaged("its public half cannot be computed"))?
        }
        DkimAlgorithm::Ed25519 => {
            let pair = Ed25519KeyPair::from_pkcs8(&der)
                .map_err(|_| damaged("it is not an Ed25519 key in PKCS #8"))?;
            pair.public_key().as_ref().to_vec()
        }
    };
    Ok(DkimKey { selector, algorithm, public, private_pem: pem.to_owned() })
}

/// The selector of a key made on a day: `202611r` and `202611e`. The month tells an operator the key's age at a glance
/// and leaves room for a successor beside it.
pub fn selector(algorithm: DkimAlgorithm, year_month: &str) -> String {
    let suffix = match algorithm {
        DkimAlgorithm::Rsa2048 => 'r',
        DkimAlgorithm::Ed25519 => 'e',
    };
    format!("{year_month}{suffix}")
}

fn rsa_public(pair: &RsaKeyPair) -> Result<Vec<u8>, aws_lc_rs::error::Unspecified> {
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der()?;
    Ok(der.as_ref().to_vec())
}

/// RFC 7468 §2: base64 in lines of 64 between two labels.
fn pem_encode(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap_or_default()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn pem_decode(pem: &str) -> Option<Vec<u8>> {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    pem.starts_with("-----BEGIN ").then(|| STANDARD.decode(body.trim()).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_being_written_and_read() {
        for algorithm in [DkimAlgorithm::Rsa2048, DkimAlgorithm::Ed25519] {
            let made = generate("s1".into(), algorithm).unwrap();
            let read = parse("s1".into(), algorithm, &made.private_pem).unwrap();
            assert_eq!(made.public, read.public);
            assert!(made.private_pem.lines().all(|line| line.len() <= 64));
            assert!(!format!("{made:?}").contains("PRIVATE"));
        }
    }

    #[test]
    fn public_halves_have_the_published_form() {
        let rsa = generate("r".into(), DkimAlgorithm::Rsa2048).unwrap();
        assert!(rsa.public.len() > 256 && rsa.public.starts_with(&[0x30, 0x82]), "SubjectPublicKeyInfo");
        assert_eq!(generate("e".into(), DkimAlgorithm::Ed25519).unwrap().public.len(), 32);
    }

    #[test]
    fn a_damaged_key_says_what_to_do() {
        for pem in [
            "",
            "-----BEGIN PRIVATE KEY-----\n!!\n-----END PRIVATE KEY-----\n",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n",
        ] {
            let error = parse("s1".into(), DkimAlgorithm::Ed25519, pem).unwrap_err().to_string();
            assert!(error.contains("s1") && error.contains("restore"), "{error}");
        }
    }

    #[test]
    fn selectors_tell_the_month() {
        assert_eq!(selector(DkimAlgorithm::Rsa2048, "202611"), "202611r");
        assert_eq!(selector(DkimAlgorithm::Ed25519, "202611"), "202611e");
    }
}
