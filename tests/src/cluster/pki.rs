//! The certificates of a control plane: one authority, a leaf for each part, and the key that signs service accounts' tokens.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use std::fs::Permissions;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// A certificate and its key, as files.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

/// The authority that every part of one cluster trusts.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Its own certificate and key.
    pub pair: Pair,
    dir: PathBuf,
}

impl Authority {
    /// Makes one, its files in `dir`.
    ///
    /// # Panics
    /// When a file cannot be written.
    pub fn new(dir: &Path) -> Authority {
        std::fs::create_dir_all(dir).expect("a directory for certificates");
        let mut params = params("kube-ca", None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let issuer = CertifiedIssuer::self_signed(params, key()).expect("an authority");
        let pair = write_pair(dir, "ca", &issuer.pem(), &issuer.key().serialize_pem());
        Authority { issuer, pair, dir: dir.to_path_buf() }
    }

    /// A certificate for `name` in `group`, for both ends of a connection, valid at `addresses` (names or IPs).
    ///
    /// # Panics
    /// When a file cannot be written.
    pub fn leaf(&self, file: &str, name: &str, group: Option<&str>, addresses: &[&str]) -> Pair {
        let mut params = params(name, group);
        params.subject_alt_names = addresses.iter().map(|address| alternative_name(address)).collect();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = key();
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        write_pair(&self.dir, file, &certificate.pem(), &key.serialize_pem())
    }

    /// The authority's certificate, PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }
}

/// A key pair that signs tokens: the private half, and the public half that checks them.
///
/// # Panics
/// When a file cannot be written.
pub fn token_key(dir: &Path) -> (PathBuf, PathBuf) {
    let key = key();
    (
        write(dir, "service-accounts.key", &key.serialize_pem()),
        write(dir, "service-accounts.pub", &key.public_key_pem()),
    )
}

fn key() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key")
}

fn params(name: &str, group: Option<&str>) -> CertificateParams {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    if let Some(group) = group {
        subject.push(DnType::OrganizationName, group);
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    params
}

fn alternative_name(address: &str) -> SanType {
    match address.parse::<IpAddr>() {
        Ok(ip) => SanType::IpAddress(ip),
        Err(_) => SanType::DnsName(address.try_into().expect("a name in ASCII")),
    }
}

fn write_pair(dir: &Path, name: &str, certificate: &str, key: &str) -> Pair {
    Pair {
        certificate: write(dir, &format!("{name}.crt"), certificate),
        key: write(dir, &format!("{name}.key"), key),
    }
}

fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("a file for a certificate");
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a private file");
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{need, run};
    use std::process::Command;

    #[test]
    fn another_implementation_accepts_what_was_made() {
        if !need(&["openssl"]) {
            return;
        }
        let home = tempfile::tempdir().unwrap();
        let authority = Authority::new(home.path());
        let leaf =
            authority.leaf("admin", "admin", Some("system:masters"), &["kubernetes.default", "127.0.0.1"]);
        let openssl = |arguments: &[&str]| run(Command::new("openssl").args(arguments)).ok().stdout;
        let (ca, file) = (authority.pair.certificate.to_str().unwrap(), leaf.certificate.to_str().unwrap());
        for purpose in ["sslserver", "sslclient"] {
            let said = openssl(&["verify", "-purpose", purpose, "-CAfile", ca, file]);
            assert!(said.trim_end().ends_with(": OK"), "{said}");
        }
        let text = openssl(&["x509", "-noout", "-text", "-in", file]);
        for expected in ["CN = admin", "O = system:masters", "DNS:kubernetes.default", "IP Address:127.0.0.1"]
        {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        let (private, public) = token_key(home.path());
        let derived = openssl(&["pkey", "-pubout", "-in", private.to_str().unwrap()]);
        let normalised = |pem: &str| pem.lines().collect::<Vec<_>>().join("\n");
        assert_eq!(normalised(&derived), normalised(&std::fs::read_to_string(public).unwrap()));
    }
}
