//! Whose certificate a TLS client takes where neither authorities nor names decide: on rustls with aws-lc-rs.
//!
//! Who is to be verified by authorities needs nothing of this: that is rustls' own verifier with a store of roots.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// Which server is spoken to. Names are not looked at; that the server has the key of the certificate it shows, always is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Anybody, who may be somebody in the middle: only where the alternative is no TLS at all, and in tests.
    Anybody,
    /// Whoever shows one of these very certificates: stricter than any authority, and good for one that signed itself.
    Pinned(Vec<CertificateDer<'static>>),
}

impl Trust {
    /// A client that trusts so.
    ///
    /// # Errors
    /// When the cryptography cannot do TLS, which would be an error of the build.
    pub fn client_config(self) -> Result<ClientConfig, Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Verifier { trust: self, algorithms: provider.signature_verification_algorithms };
        Ok(ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth())
    }
}

#[derive(Debug)]
struct Verifier {
    trust: Trust,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.trust {
            Trust::Pinned(leaves) if !leaves.iter().any(|leaf| leaf == end_entity) => {
                Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))
            }
            Trust::Pinned(_) | Trust::Anybody => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rustls::server::{ClientHello, ResolvesServerCert};
    use rustls::sign::CertifiedKey;
    use rustls::{ClientConnection, ServerConfig, ServerConnection};
    use rustls_pki_types::PrivateKeyDer;
    use rustls_pki_types::pem::PemObject;

    use super::*;
    use crate::config::Certificate;
    use crate::tests::{HOSTNAME, certificate};

    /// Shows one certificate and signs with the key of another: who has seen a certificate does not have its key.
    #[derive(Debug)]
    struct Shows(Arc<CertifiedKey>);

    impl ResolvesServerCert for Shows {
        fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
            Some(Arc::clone(&self.0))
        }
    }

    fn leaf(certificate: &Certificate) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(certificate.chain_pem.as_bytes()).unwrap()
    }

    /// Shakes hands in memory with a server that shows `shown` and signs with the key of `signing`.
    fn shake(trust: Trust, shown: &Certificate, signing: &Certificate) -> Result<(), Error> {
        let provider = aws_lc_rs::default_provider();
        let key = PrivateKeyDer::from_pem_slice(signing.key_pem.as_bytes()).unwrap();
        let key = provider.key_provider.load_private_key(key).unwrap();
        let shows = Shows(Arc::new(CertifiedKey::new(vec![leaf(shown)], key)));
        let config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(shows));
        let mut server = ServerConnection::new(Arc::new(config)).unwrap();
        let config = Arc::new(trust.client_config().unwrap());
        let mut client = ClientConnection::new(config, HOSTNAME.try_into().unwrap()).unwrap();
        while client.is_handshaking() {
            let mut octets = Vec::new();
            client.write_tls(&mut octets).unwrap();
            server.read_tls(&mut octets.as_slice()).unwrap();
            server.process_new_packets()?;
            octets.clear();
            server.write_tls(&mut octets).unwrap();
            client.read_tls(&mut octets.as_slice()).unwrap();
            client.process_new_packets()?;
        }
        Ok(())
    }

    #[test]
    fn a_certificate_is_taken_by_its_octets_and_its_key() {
        // The name in the certificate is another one on purpose.
        let (ours, theirs) = (certificate(&["elsewhere.example.test"]), certificate(&[HOSTNAME]));
        let pinned = |of: &[&Certificate]| Trust::Pinned(of.iter().map(|one| leaf(one)).collect());
        for (trust, shown, signing, good) in [
            (Trust::Anybody, &ours, &ours, true),
            (Trust::Anybody, &theirs, &theirs, true),
            (Trust::Anybody, &ours, &theirs, false),
            (pinned(&[&ours]), &ours, &ours, true),
            (pinned(&[&theirs, &ours]), &ours, &ours, true),
            (pinned(&[&ours]), &theirs, &theirs, false),
            (pinned(&[&ours]), &ours, &theirs, false),
            (pinned(&[]), &ours, &ours, false),
        ] {
            let shaken = shake(trust.clone(), shown, signing);
            assert_eq!(shaken.is_ok(), good, "{trust:?} {shaken:?}");
        }
    }
}
