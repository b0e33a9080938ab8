//! Owns self-signed certificates and the reading of certificates given in a Secret. Leaves out where they are kept
//! ([`crate::platform`]) and serving them.

use chrono::{DateTime, Datelike, Duration, TimeZone, Utc};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
};
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// How long a self-signed certificate is valid: below the 398 days at which some clients stop accepting any.
const SELF_SIGNED_DAYS: i64 = 390;
/// A self-signed certificate is made anew this long before it ends.
const RENEW_BEFORE_DAYS: i64 = 30;

/// A certificate chain with its key, both in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct PemPair {
    /// The chain, leaf first.
    pub certificate: String,
    /// The private key (PKCS #8, PKCS #1 or SEC 1).
    pub key: String,
}

impl std::fmt::Debug for PemPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PemPair").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// What a certificate says, for status and the decision to renew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The DNS names and addresses it is valid for.
    pub names: Vec<String>,
    /// Whom it names.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// When it begins.
    pub not_before: DateTime<Utc>,
    /// When it ends.
    pub not_after: DateTime<Utc>,
    /// Whether it names itself as its issuer.
    pub self_signed: bool,
    /// SHA-256 of the leaf in lower-case hexadecimal, as clients show it.
    pub fingerprint: String,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The library refused the names or has no entropy.
    #[error("cannot make a self-signed certificate: {0}")]
    Generate(String),
    /// The PEM does not hold what it should.
    #[error("{part} is not usable: {reason}; give a PEM {part}")]
    Malformed {
        /// `certificate` or `private key`.
        part: &'static str,
        /// What the decoder found.
        reason: String,
    },
    /// The key belongs to another certificate.
    #[error("the private key does not belong to the certificate; give tls.crt and tls.key of one pair")]
    Mismatch,
}

/// The names of a self-signed certificate: the host itself, and loopback, because it is for trying out.
pub fn self_signed_names(hostname: &str) -> Vec<String> {
    let mut names = vec![hostname.to_owned()];
    names.extend(
        ["localhost", "127.0.0.1", "::1"].map(String::from).into_iter().filter(|name| name != hostname),
    );
    names
}

/// Makes a self-signed certificate for `names`, valid from the day before `now` (clocks differ).
pub fn self_signed(names: &[String], now: DateTime<Utc>) -> Result<PemPair, CertificateError> {
    let failed = |error: rcgen::Error| CertificateError::Generate(error.to_string());
    let mut params = CertificateParams::new(names.to_vec()).map_err(failed)?;
    let (from, to) = (now - Duration::days(1), now + Duration::days(SELF_SIGNED_DAYS));
    params.not_before = rcgen::date_time_ymd(from.year(), from.month() as u8, from.day() as u8);
    params.not_after = rcgen::date_time_ymd(to.year(), to.month() as u8, to.day() as u8);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, names.first().map_or("mailwright", String::as_str));
    params.distinguished_name = name;
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok(PemPair { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// Whether a self-signed certificate has to be made anew: it lacks a name or ends soon.
pub fn needs_renewal(facts: &CertificateFacts, names: &[String], now: DateTime<Utc>) -> bool {
    facts.not_after - now < Duration::days(RENEW_BEFORE_DAYS)
        || names.iter().any(|name| !facts.names.contains(name))
}

/// Reads the leaf of a pair and checks that the key is its own.
pub fn inspect(pair: &PemPair) -> Result<CertificateFacts, CertificateError> {
    let malformed = |part, reason: String| CertificateError::Malformed { part, reason };
    let leaf = CertificateDer::from_pem_slice(pair.certificate.as_bytes())
        .map_err(|error| malformed("certificate", in_our_words(&error).to_owned()))?;
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes())
        .map_err(|error| malformed("private key", in_our_words(&error).to_owned()))?;
    let signer = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key)
        .map_err(|error| malformed("private key", error.to_string()))?;
    let certified = rustls::sign::CertifiedKey::new(vec![leaf.clone()], signer);
    if let Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) =
        certified.keys_match()
    {
        return Err(CertificateError::Mismatch);
    }
    facts(&leaf)
}

/// What is wrong with a PEM text. The decoder's own message repeats the text, and that may be a private key.
fn in_our_words(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => {
            "a section has no end; keep the line ends of the PEM text (`|`, not `>`)"
        }
        pem::Error::IllegalSectionStart { .. } => "a section has a malformed BEGIN line",
        pem::Error::Base64Decode(_) => "a section is not base64",
        pem::Error::NoItemsFound => "there is no section of this kind in it",
        _ => "it is not PEM",
    }
}

/// Reads a certificate without its key.
pub fn describe(certificate: &str) -> Result<CertificateFacts, CertificateError> {
    let leaf = CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(|error| {
        CertificateError::Malformed { part: "certificate", reason: in_our_words(&error).to_owned() }
    })?;
    facts(&leaf)
}

fn facts(leaf: &CertificateDer<'_>) -> Result<CertificateFacts, CertificateError> {
    let malformed = |reason: String| CertificateError::Malformed { part: "certificate", reason };
    let (_, parsed) =
        x509_parser::parse_x509_certificate(leaf).map_err(|error| malformed(error.to_string()))?;
    let names = parsed
        .subject_alternative_name()
        .ok()
        .flatten()
        .map(|extension| extension.value.general_names.iter().filter_map(name_text).collect())
        .unwrap_or_default();
    let time = |time: x509_parser::time::ASN1Time| {
        Utc.timestamp_opt(time.timestamp(), 0)
            .single()
            .ok_or_else(|| malformed("a date is out of range".into()))
    };
    let (not_before, not_after) = (time(parsed.validity().not_before)?, time(parsed.validity().not_after)?);
    let (subject, issuer) = (parsed.subject().to_string(), parsed.issuer().to_string());
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, leaf);
    let fingerprint = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let self_signed = parsed.subject() == parsed.issuer();
    Ok(CertificateFacts { names, subject, issuer, not_before, not_after, self_signed, fingerprint })
}

fn name_text(name: &x509_parser::extensions::GeneralName<'_>) -> Option<String> {
    use x509_parser::extensions::GeneralName;
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(octets) => match octets.len() {
            4 => <[u8; 4]>::try_from(*octets).ok().map(|o| std::net::Ipv4Addr::from(o).to_string()),
            16 => <[u8; 16]>::try_from(*octets).ok().map(|o| std::net::Ipv6Addr::from(o).to_string()),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 20, 12, 0, 0).unwrap()
    }

    #[test]
    fn a_self_signed_certificate_names_the_host_and_loopback() {
        let names = self_signed_names("mail.example.test");
        let facts = inspect(&self_signed(&names, now()).unwrap()).unwrap();
        assert_eq!(facts.names, ["mail.example.test", "localhost", "127.0.0.1", "::1"]);
        assert_eq!(facts.fingerprint.len(), 64);
        assert!(facts.not_after > now() + Duration::days(SELF_SIGNED_DAYS - 2));
        assert!(facts.not_after < now() + Duration::days(398));
    }

    #[test]
    fn renewal_is_due_when_a_name_is_missing_or_the_end_is_near() {
        let names = self_signed_names("mail.example.test");
        let facts = inspect(&self_signed(&names, now()).unwrap()).unwrap();
        assert!(!needs_renewal(&facts, &names, now()));
        assert!(needs_renewal(&facts, &["other.example.test".to_owned()], now()));
        assert!(needs_renewal(
            &facts,
            &names,
            now() + Duration::days(SELF_SIGNED_DAYS - RENEW_BEFORE_DAYS + 1)
        ));
    }

    #[test]
    fn no_error_repeats_a_key() {
        let pair = self_signed(&self_signed_names("localhost"), now()).unwrap();
        let folded = pair.key.replace('\n', " ");
        let cut = pair.key[..pair.key.len() - 10].to_owned();
        let damaged = pair.key.replacen("\nM", "\n!", 1);
        for key in [folded, cut, damaged, pair.certificate.clone()] {
            let error = inspect(&PemPair { certificate: pair.certificate.clone(), key }).unwrap_err();
            for text in [error.to_string(), format!("{error:?}")] {
                assert!(text.len() < 200 && !text.contains("MIG") && !text.contains("77, 73, 71"), "{text}");
            }
        }
    }

    #[test]
    fn a_foreign_key_and_broken_pem_are_told_apart() {
        let names = self_signed_names("localhost");
        let (one, two) = (self_signed(&names, now()).unwrap(), self_signed(&names, now()).unwrap());
        let mixed = PemPair { certificate: one.certificate.clone(), key: two.key };
        assert!(matches!(inspect(&mixed), Err(CertificateError::Mismatch)));
        let broken = PemPair { certificate: "x".into(), key: one.key.clone() };
        assert!(matches!(inspect(&broken), Err(CertificateError::Malformed { part: "certificate", .. })));
        let broken = PemPair { certificate: one.certificate, key: "x".into() };
        assert!(matches!(inspect(&broken), Err(CertificateError::Malformed { part: "private key", .. })));
    }
}
