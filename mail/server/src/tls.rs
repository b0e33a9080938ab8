//! Certificates and the TLS acceptor: rustls on aws-lc-rs, one certificate per SNI name, replaced while running.
//! A handshake takes the set that is in force when it begins; connections that are open keep theirs.

use std::collections::HashMap;
use std::io::{self, Cursor};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256, Sha384, Sha512};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use x509_parser::extensions::{GeneralName, ParsedExtension};

use crate::auth::sasl::Bindings;
use crate::config::Certificate;

/// The certificates in force, shared by every listener.
pub(crate) struct TlsSettings {
    acceptor: Acceptor,
}

/// Shakes hands, and knows which certificate it shows to whom.
pub(crate) struct Acceptor {
    resolver: Arc<Resolver>,
    tls: TlsAcceptor,
}

/// Why a certificate cannot be used, for [`crate::StartError::Certificate`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CertificateError {
    #[error("the chain is not PEM; expected -----BEGIN CERTIFICATE-----")]
    Chain,
    #[error("the key is not PEM; expected -----BEGIN PRIVATE KEY-----")]
    Key,
    #[error("the key does not fit the certificate or is of an unknown kind: {0}")]
    Mismatch(String),
    #[error("the leaf certificate is damaged")]
    Leaf,
}

/// A parsed set of certificates.
pub(crate) struct CertificateSet {
    /// By lower-case name; a wildcard by its name from the dot on (`.example.test`).
    by_name: HashMap<String, Arc<CertifiedKey>>,
    default: Arc<CertifiedKey>,
}

#[derive(Default)]
struct Resolver {
    set: ArcSwapOption<CertificateSet>,
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Resolver")
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.set.load().as_ref().map(|set| set.choose(hello.server_name()))
    }
}

impl CertificateSet {
    /// Parses the certificates; `Err` carries the position (from 1) of the first that is not usable. `Ok(None)` when
    /// there are none.
    pub(crate) fn parse(
        certificates: &[Certificate],
    ) -> Result<Option<CertificateSet>, (usize, CertificateError)> {
        let provider = aws_lc_rs::default_provider();
        let mut by_name = HashMap::new();
        let mut default = None;
        for (index, certificate) in certificates.iter().enumerate() {
            let position = index + 1;
            let (key, names) = parse(certificate, &provider).map_err(|error| (position, error))?;
            let key = Arc::new(key);
            default.get_or_insert_with(|| Arc::clone(&key));
            for name in names {
                by_name.entry(name).or_insert_with(|| Arc::clone(&key));
            }
        }
        Ok(default.map(|default| CertificateSet { by_name, default }))
    }

    /// The certificate of a name: its own, a wildcard's, else the first.
    fn choose(&self, name: Option<&str>) -> Arc<CertifiedKey> {
        let Some(name) = name.map(str::to_ascii_lowercase) else {
            return Arc::clone(&self.default);
        };
        let wildcard = || name.find('.').and_then(|dot| self.by_name.get(&name[dot..]));
        Arc::clone(self.by_name.get(&name).or_else(wildcard).unwrap_or(&self.default))
    }
}

impl TlsSettings {
    pub(crate) fn new() -> Result<TlsSettings, rustls::Error> {
        let resolver = Arc::new(Resolver::default());
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&resolver) as Arc<dyn ResolvesServerCert>);
        Ok(TlsSettings { acceptor: Acceptor { resolver, tls: TlsAcceptor::from(Arc::new(config)) } })
    }

    /// Puts another set into force, for handshakes from now on.
    pub(crate) fn replace(&self, set: Option<CertificateSet>) {
        self.acceptor.resolver.set.store(set.map(Arc::new));
    }

    /// What those are shown who ask for no name: the leaf's SHA-256, and when it ends (Unix time).
    pub(crate) fn presented(&self) -> Option<(Vec<u8>, i64)> {
        let set = self.acceptor.resolver.set.load_full()?;
        let leaf = set.default.cert.first()?;
        let (_, parsed) = x509_parser::parse_x509_certificate(leaf).ok()?;
        Some((Sha256::digest(leaf).to_vec(), parsed.validity().not_after.timestamp()))
    }

    pub(crate) fn acceptor(&self) -> &Acceptor {
        &self.acceptor
    }
}

impl Acceptor {
    /// Shakes hands as the server.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.tls.accept(stream).await
    }

    /// What binds a login to this connection. A certificate that was replaced during the handshake makes one login with
    /// tls-server-end-point fail, no more.
    pub(crate) fn bindings(&self, session: &rustls::ServerConnection) -> Bindings {
        let certificate = self.resolver.set.load().as_ref().map(|set| set.choose(session.server_name()));
        let leaf = certificate.as_ref().and_then(|certificate| certificate.cert.first());
        Bindings { exporter: exporter(session), end_point: leaf.and_then(end_point) }
    }
}

/// tls-exporter (RFC 9266 §2). On TLS 1.2 it is sound only with the extended master secret, of which rustls does not tell.
fn exporter(session: &rustls::ServerConnection) -> Option<[u8; 32]> {
    if session.protocol_version() != Some(rustls::ProtocolVersion::TLSv1_3) {
        return None;
    }
    session.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).ok()
}

/// tls-server-end-point (RFC 5929 §4.1): the certificate's hash by the function of its signature, SHA-256 for the broken ones;
/// undefined for signatures without one hash function (Ed25519).
fn end_point(leaf: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (_, parsed) = x509_parser::parse_x509_certificate(leaf).ok()?;
    let algorithm = parsed.signature_algorithm.algorithm.to_id_string();
    let digest = match algorithm.as_str() {
        // md5WithRSAEncryption, sha1WithRSAEncryption, ecdsa-with-SHA1; sha256WithRSAEncryption, ecdsa-with-SHA256.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.10045.4.1"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.3.2" => Sha256::digest(leaf).to_vec(),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Sha384::digest(leaf).to_vec(),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Sha512::digest(leaf).to_vec(),
        _ => return None,
    };
    Some(digest)
}

fn parse(
    certificate: &Certificate,
    provider: &CryptoProvider,
) -> Result<(CertifiedKey, Vec<String>), CertificateError> {
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_reader_iter(Cursor::new(certificate.chain_pem.as_bytes()))
            .collect::<Result<_, _>>()
            .map_err(|_| CertificateError::Chain)?;
    let leaf = chain.first().ok_or(CertificateError::Chain)?;
    let names = names(leaf)?;
    let key =
        PrivateKeyDer::from_pem_slice(certificate.key_pem.as_bytes()).map_err(|_| CertificateError::Key)?;
    let key = CertifiedKey::from_der(chain, key, provider)
        .map_err(|error| CertificateError::Mismatch(error.to_string()))?;
    Ok((key, names))
}

/// The DNS names of a certificate as [`CertificateSet`] keys.
fn names(leaf: &CertificateDer<'_>) -> Result<Vec<String>, CertificateError> {
    let (_, parsed) = x509_parser::parse_x509_certificate(leaf).map_err(|_| CertificateError::Leaf)?;
    let mut names = Vec::new();
    for extension in parsed.extensions() {
        let ParsedExtension::SubjectAlternativeName(alternatives) = extension.parsed_extension() else {
            continue;
        };
        for name in &alternatives.general_names {
            if let GeneralName::DNSName(name) = name {
                names.push(name.strip_prefix('*').unwrap_or(name).to_ascii_lowercase());
            }
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::certificate;

    fn der(certificate: &Certificate) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(certificate.chain_pem.as_bytes()).unwrap()
    }

    #[test]
    fn certificates_are_chosen_by_name() {
        let all = [certificate(&["mail.example.test", "imap.example.test"]), certificate(&["*.example.org"])];
        let set = CertificateSet::parse(&all).ok().flatten().unwrap();
        for (name, expected) in [
            (None, 0),
            (Some("mail.example.test"), 0),
            (Some("IMAP.Example.Test"), 0),
            (Some("mail.example.org"), 1),
            (Some("a.b.example.org"), 0),
            (Some("example.org"), 0),
            (Some("elsewhere.example"), 0),
        ] {
            assert_eq!(set.choose(name).cert[0], der(&all[expected]), "{name:?}");
        }
    }

    #[test]
    fn certificates_are_bound_by_the_hash_of_their_signature() {
        for (algorithm, expected) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, Some(32)),
            (&rcgen::PKCS_ECDSA_P384_SHA384, Some(48)),
            (&rcgen::PKCS_RSA_SHA256, Some(32)),
            (&rcgen::PKCS_ED25519, None),
        ] {
            let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let parameters = rcgen::CertificateParams::new(vec!["mail.example.test".to_owned()]).unwrap();
            let certificate = parameters.self_signed(&key).unwrap();
            let bound = end_point(certificate.der());
            assert_eq!(bound.as_ref().map(Vec::len), expected, "{algorithm:?}");
            if expected == Some(32) {
                assert_eq!(bound.unwrap(), Sha256::digest(certificate.der()).to_vec());
            }
        }
        assert_eq!(end_point(&CertificateDer::from_slice(b"no certificate")), None);
    }

    #[test]
    fn bad_certificates_name_their_position_and_fault() {
        let good = certificate(&["mail.example.test"]);
        let other = certificate(&["mail.example.test"]);
        let with = |chain: &str, key: &str| Certificate { chain_pem: chain.into(), key_pem: key.into() };
        for (bad, expected) in [
            (with("", &good.key_pem), CertificateError::Chain),
            (with("garbage", &good.key_pem), CertificateError::Chain),
            (with(&good.chain_pem, ""), CertificateError::Key),
            (
                with("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &good.key_pem),
                CertificateError::Leaf,
            ),
        ] {
            let error = CertificateSet::parse(&[good.clone(), bad]).err();
            assert_eq!(error, Some((2, expected)));
        }
        let mismatch = CertificateSet::parse(&[with(&good.chain_pem, &other.key_pem)]).err();
        assert!(matches!(mismatch, Some((1, CertificateError::Mismatch(_)))), "{mismatch:?}");
        assert!(matches!(CertificateSet::parse(&[]), Ok(None)));
    }
}
