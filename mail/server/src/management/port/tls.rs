//! The TLS of the management port: both sides show a certificate of one authority, and the client's must say that it is the
//! operator's. TLS 1.3 alone (RFC 8446 §4.4.2.4: a client without an acceptable certificate hears an alert).
//!
//! No session is resumed: a resumed handshake would not look at the client's certificate again, which may have ended or
//! lost its authority meanwhile.

use std::io::Cursor;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use x509_parser::extensions::{GeneralName, ParsedExtension};

/// The name in the certificate of those who may manage: as common name or as DNS name.
pub const OPERATOR: &str = "mailwright-operator";

/// The certificates of one side of a management connection, in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct ManagementCertificates {
    /// The authority of both sides; several while one replaces another.
    pub authority_pem: String,
    /// This side's chain, leaf first.
    pub chain_pem: String,
    /// Its private key.
    pub key_pem: String,
}

/// Shows nothing of the key.
impl std::fmt::Debug for ManagementCertificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ManagementCertificates([redacted])")
    }
}

/// Why they cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManagementTlsError {
    /// There is no authority in the file.
    #[error("the authority (ca.crt) holds no usable certificate in PEM")]
    Authority,
    /// There is no certificate in the file.
    #[error("the chain (tls.crt) holds no certificate in PEM")]
    Chain,
    /// There is no key in the file.
    #[error("the key (tls.key) is not a private key in PEM")]
    Key,
    /// TLS refuses them.
    #[error("certificate and key are not usable: {0}")]
    Unusable(String),
}

/// The parts of [`ManagementCertificates`] as TLS wants them.
pub(in crate::management) struct Parts {
    pub(in crate::management) roots: RootCertStore,
    pub(in crate::management) chain: Vec<CertificateDer<'static>>,
    pub(in crate::management) key: PrivateKeyDer<'static>,
}

impl ManagementCertificates {
    pub(in crate::management) fn parts(&self) -> Result<Parts, ManagementTlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.authority_pem).ok_or(ManagementTlsError::Authority)? {
            roots.add(certificate).map_err(|_| ManagementTlsError::Authority)?;
        }
        let chain = certificates(&self.chain_pem).ok_or(ManagementTlsError::Chain)?;
        let key =
            PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).map_err(|_| ManagementTlsError::Key)?;
        Ok(Parts { roots, chain, key })
    }

    /// The server's side: its own certificate, and who may come in.
    pub(super) fn server(&self) -> Result<rustls::ServerConfig, ManagementTlsError> {
        let Parts { roots, chain, key } = self.parts()?;
        let unusable = |error: Error| ManagementTlsError::Unusable(error.to_string());
        let provider = Arc::new(aws_lc_rs::default_provider());
        let inner = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let inner = inner.build().map_err(|_| ManagementTlsError::Authority)?;
        let mut config = with_provider(provider)?
            .with_client_cert_verifier(Arc::new(OperatorAlone { inner }))
            .with_single_cert(chain, key)
            .map_err(unusable)?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

type Builder = rustls::ConfigBuilder<rustls::ServerConfig, rustls::WantsVerifier>;

fn with_provider(provider: Arc<CryptoProvider>) -> Result<Builder, ManagementTlsError> {
    rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| ManagementTlsError::Unusable(error.to_string()))
}

/// All certificates of a PEM text; `None` when there is none, or one is broken.
fn certificates(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_reader_iter(Cursor::new(pem.as_bytes())).collect();
    found.ok().filter(|found| !found.is_empty())
}

/// Those of the authority whose certificate says that they are the operator: mail pods have certificates of it, too.
#[derive(Debug)]
struct OperatorAlone {
    inner: Arc<dyn ClientCertVerifier>,
}

impl ClientCertVerifier for OperatorAlone {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.inner.verify_client_cert(end_entity, intermediates, now)?;
        match is_operator(end_entity) {
            true => Ok(verified),
            false => Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Whether a certificate's names say so. DNS names count before the common name, which is for people (RFC 9525 §2).
fn is_operator(leaf: &CertificateDer<'_>) -> bool {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(leaf) else { return false };
    let mut names = parsed.extensions().iter().filter_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
        _ => None,
    });
    if names.any(|names| names.iter().any(|name| matches!(name, GeneralName::DNSName(OPERATOR)))) {
        return true;
    }
    let mut common = parsed.subject().iter_common_name();
    matches!((common.next(), common.next()), (Some(name), None) if name.as_str() == Ok(OPERATOR))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::management::tests::authority::{Authority, Leaf};

    #[test]
    fn only_the_operators_name_comes_in() {
        let authority = Authority::new();
        for (leaf, expected) in [
            (Leaf { common: Some(OPERATOR), names: &[], ..Leaf::client() }, true),
            (Leaf { common: None, names: &[OPERATOR], ..Leaf::client() }, true),
            (Leaf { common: Some("x"), names: &["x.example.test", OPERATOR], ..Leaf::client() }, true),
            (Leaf { common: Some("mailwright-operator.evil.example"), names: &[], ..Leaf::client() }, false),
            (Leaf { common: Some("Mailwright-Operator"), names: &[], ..Leaf::client() }, false),
            (Leaf { common: None, names: &["mailwright-operator.example.test"], ..Leaf::client() }, false),
            (Leaf { common: None, names: &[], ..Leaf::client() }, false),
        ] {
            let pair = authority.issue(&leaf);
            let der = CertificateDer::from_pem_slice(pair.chain_pem.as_bytes()).unwrap();
            assert_eq!(is_operator(&der), expected, "{leaf:?}");
        }
        assert!(!is_operator(&CertificateDer::from_slice(b"nothing")));
    }

    #[test]
    fn what_is_not_usable_names_the_file() {
        let authority = Authority::new();
        let good = authority.issue(&Leaf::server("mail-headless"));
        let other = authority.issue(&Leaf::server("mail-headless"));
        assert!(good.server().is_ok());
        let with = |change: fn(&mut ManagementCertificates)| {
            let mut pair = good.clone();
            change(&mut pair);
            pair.server().err()
        };
        assert_eq!(with(|it| it.authority_pem.clear()), Some(ManagementTlsError::Authority));
        assert_eq!(with(|it| it.chain_pem = "x".into()), Some(ManagementTlsError::Chain));
        assert_eq!(with(|it| it.key_pem = "x".into()), Some(ManagementTlsError::Key));
        let mixed = ManagementCertificates { key_pem: other.key_pem, ..good.clone() };
        assert!(matches!(mixed.server().err(), Some(ManagementTlsError::Unusable(_))));
        assert!(!format!("{good:?}").contains("PRIVATE"));
    }
}
