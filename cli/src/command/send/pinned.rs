//! TLS to the server that runs on this data directory: it must show the very certificate that is kept there. That is stricter
//! than any authority, and works with a certificate that the server made itself.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Connects, with TLS from the first byte.
pub async fn connect(data: &Path, hostname: &str, address: SocketAddr) -> Result<TlsStream<TcpStream>> {
    let config = ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned::new(kept(data)?)?))
        .with_no_client_auth();
    let name = ServerName::try_from(hostname.to_owned()).context("the server's name is no host name")?;
    let stream = TcpStream::connect(address).await.with_context(|| format!("cannot reach {address}"))?;
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    connected.context("the server shows another certificate than the one in the data directory")
}

/// The leaf certificates in the data directory.
fn kept(data: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let directory = data.join("tls");
    let mut leaves = Vec::new();
    for entry in
        std::fs::read_dir(&directory).with_context(|| format!("cannot list {}", directory.display()))?
    {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "crt") {
            leaves.extend(CertificateDer::from_pem_file(&path));
        }
    }
    if leaves.is_empty() {
        bail!("there is no certificate in {} yet", directory.display());
    }
    Ok(leaves)
}

#[derive(Debug)]
struct Pinned {
    leaves: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Pinned {
    fn new(leaves: Vec<CertificateDer<'static>>) -> Result<Pinned> {
        let provider =
            rustls::crypto::CryptoProvider::get_default().context("no cryptography is installed")?;
        Ok(Pinned { leaves, algorithms: provider.signature_verification_algorithms })
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.leaves.iter().any(|leaf| leaf.as_ref() == end_entity.as_ref()) {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_certificate_of_the_data_directory_is_taken() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let certificate = |octets: &[u8]| CertificateDer::from(octets.to_vec());
        let pinned = Pinned::new(vec![certificate(b"ours")]).unwrap();
        let name = ServerName::try_from("mail.example.test").unwrap();
        let verify = |octets: &[u8]| {
            pinned.verify_server_cert(&certificate(octets), &[], &name, &[], UnixTime::now()).is_ok()
        };
        assert!(verify(b"ours") && !verify(b"theirs"));
    }

    #[test]
    fn a_directory_without_certificates_says_so() {
        let data = tempfile::tempdir().unwrap();
        assert!(kept(data.path()).unwrap_err().to_string().contains("cannot list"));
        std::fs::create_dir(data.path().join("tls")).unwrap();
        assert!(kept(data.path()).unwrap_err().to_string().contains("no certificate"));
    }
}
