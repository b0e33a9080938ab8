//! The making of authorities and of the certificates they sign. Leaves out when ([`super::decide`]).

use chrono::{DateTime, Datelike, Timelike, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};

use super::{AUTHORITY_LIFE, CLOCK_SKEW, LEAF_LIFE, Leaf};
use crate::certificate::{self, CertificateError, PemPair};

/// The beginning of an authority's name; what follows tells one from its successor.
const AUTHORITY_NAME: &str = "Mailwright management";

/// Makes an authority that can sign leaves and nothing else.
pub fn make_authority(now: DateTime<Utc>) -> Result<PemPair, CertificateError> {
    let key = KeyPair::generate().map_err(failed)?;
    // Named after its key, so that no two have the same name.
    let digest = blake3::hash(key.public_key_raw()).to_hex();
    let mut params = authority_params(&format!("{AUTHORITY_NAME} {}", &digest[..16]));
    set_life(&mut params, now - CLOCK_SKEW, now + AUTHORITY_LIFE);
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok(PemPair { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// Makes a leaf and signs it. It never outlives the authority.
pub fn issue(authority: &PemPair, leaf: &Leaf, now: DateTime<Utc>) -> Result<PemPair, CertificateError> {
    let facts = certificate::inspect(authority)?;
    let common_name = facts.subject.strip_prefix("CN=").unwrap_or(&facts.subject);
    let signer = KeyPair::from_pem(&authority.key)
        .map_err(|_| CertificateError::Generate("the authority's key is not PKCS #8".into()))?;
    let issuer = Issuer::new(authority_params(common_name), signer);
    let mut params = CertificateParams::new(leaf.names()).map_err(failed)?;
    params.distinguished_name = named(&leaf.common_name());
    set_life(&mut params, now - CLOCK_SKEW, (now + LEAF_LIFE).min(facts.not_after));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![match leaf {
        Leaf::Operator => ExtendedKeyUsagePurpose::ClientAuth,
        Leaf::Server { .. } => ExtendedKeyUsagePurpose::ServerAuth,
    }];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
    Ok(PemPair { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// What an authority says of itself; its key identifier follows from its key.
fn authority_params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn failed(error: rcgen::Error) -> CertificateError {
    CertificateError::Generate(error.to_string())
}

/// Sets when a certificate begins and ends. rcgen's own constructor knows days only; the seconds of the day are added.
fn set_life(params: &mut CertificateParams, from: DateTime<Utc>, to: DateTime<Utc>) {
    let seconds =
        |at: DateTime<Utc>| std::time::Duration::from_secs(u64::from(at.num_seconds_from_midnight()));
    params.not_before =
        rcgen::date_time_ymd(from.year(), from.month() as u8, from.day() as u8) + seconds(from);
    params.not_after = rcgen::date_time_ymd(to.year(), to.month() as u8, to.day() as u8) + seconds(to);
}
