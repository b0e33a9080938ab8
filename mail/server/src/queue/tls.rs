//! TLS towards other servers, on rustls with aws-lc-rs.
//!
//! Between mail servers encryption is opportunistic: any certificate is taken, because the alternative is no encryption at
//! all (RFC 7435 §3, RFC 3207 §4.1). Towards a smarthost that gets our credentials the certificate is verified against the
//! system's roots; `SSL_CERT_FILE` or `SSL_CERT_DIR` name others, as for OpenSSL.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::trust::Trust;

/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Both ways of connecting.
pub(crate) struct ClientTls {
    any: TlsConnector,
    /// Made when it is first wanted: reading the system's roots takes a while.
    verified: OnceLock<Result<TlsConnector, String>>,
}

impl ClientTls {
    pub(crate) fn new() -> Result<ClientTls, rustls::Error> {
        let any = TlsConnector::from(Arc::new(Trust::Anybody.client_config()?));
        Ok(ClientTls { any, verified: OnceLock::new() })
    }

    /// Shakes hands as the client; answers the stream, or why there is none.
    pub(crate) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
        verified: bool,
    ) -> Result<Box<TlsStream<TcpStream>>, String> {
        let connector = if verified {
            let connector =
                self.verified.get_or_init(|| verifying(rustls_native_certs::load_native_certs().certs));
            connector.as_ref().map_err(Clone::clone)?
        } else {
            &self.any
        };
        let name = ServerName::try_from(host.trim_end_matches('.').to_owned())
            .map_err(|_| format!("{host} is not a name that a certificate could have"))?;
        match tokio::time::timeout(PATIENCE, connector.connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no TLS handshake within {} s", PATIENCE.as_secs())),
        }
    }

    /// Trusts these roots instead of the system's.
    #[cfg(test)]
    pub(crate) fn trusting(roots: Vec<CertificateDer<'static>>) -> ClientTls {
        let tls = ClientTls::new().unwrap();
        assert!(tls.verified.set(verifying(roots)).is_ok());
        tls
    }
}

fn verifying(certificates: Vec<CertificateDer<'static>>) -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(certificates);
    if usable == 0 {
        return Err(
            "the system has no root certificates; install ca-certificates or set SSL_CERT_FILE".into()
        );
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Protocol and cipher suite, for the log.
pub(crate) fn describe(stream: &TlsStream<TcpStream>) -> String {
    let session = stream.get_ref().1;
    let version = match session.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLS",
    };
    match session.negotiated_cipher_suite() {
        Some(suite) => format!("{version} {:?}", suite.suite()),
        None => version.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::pem::PemObject;
    use tokio::net::TcpListener;

    use super::*;
    use crate::config::Certificate;
    use crate::tests::{HOSTNAME, certificate};
    use crate::tls::{CertificateSet, TlsSettings};

    /// A handshake with a server that has this certificate.
    async fn shake(
        tls: &ClientTls,
        theirs: &Certificate,
        host: &str,
        verified: bool,
    ) -> Result<String, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let settings = TlsSettings::new().unwrap();
        settings.replace(CertificateSet::parse(std::slice::from_ref(theirs)).ok().flatten());
        let server = tokio::spawn(async move { settings.acceptor().accept(server).await.is_ok() });
        let stream = tls.connect(host, client, verified).await;
        let described = stream.map(|stream| describe(&stream));
        let _ = server.await;
        described
    }

    #[tokio::test]
    async fn any_certificate_will_do_between_servers_and_only_a_good_one_for_credentials() {
        let (ours, other) = (certificate(&[HOSTNAME]), certificate(&[HOSTNAME]));
        let root = CertificateDer::from_pem_slice(ours.chain_pem.as_bytes()).unwrap();
        let tls = ClientTls::trusting(vec![root]);
        for (theirs, host, verified, good) in [
            (&ours, HOSTNAME, true, true),
            (&other, HOSTNAME, true, false),
            (&ours, "elsewhere.example", true, false),
            (&other, HOSTNAME, false, true),
            (&other, "elsewhere.example", false, true),
            (&other, "192.0.2.1", false, true),
            (&ours, "not a name", false, false),
        ] {
            let shaken = shake(&tls, theirs, host, verified).await;
            assert_eq!(shaken.is_ok(), good, "{host} {verified} {shaken:?}");
            if let Ok(described) = shaken {
                assert!(described.starts_with("TLSv1.3 TLS13_"), "{described}");
            }
        }
    }

    #[tokio::test]
    async fn without_roots_nothing_is_verified() {
        let tls = ClientTls::trusting(Vec::new());
        let error = shake(&tls, &certificate(&[HOSTNAME]), HOSTNAME, true).await.unwrap_err();
        assert!(error.contains("SSL_CERT_FILE"), "{error}");
    }
}
