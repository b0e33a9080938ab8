//! The API server behind the proxy, and the certificate that the proxy shows in its place.

use super::Ask;
use crate::cluster::{ControlPlane, Pair};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// How many ways there are.
static MADE: AtomicUsize = AtomicUsize::new(0);

/// The way to the API server, with and without the admin's certificate.
pub struct Upstream {
    port: u16,
    as_admin: TlsConnector,
    as_said: TlsConnector,
}

impl Upstream {
    /// To that of `plane`.
    pub fn new(plane: &ControlPlane) -> Upstream {
        let port = plane.server().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        let mut roots = RootCertStore::empty();
        let (ca, _) = read(&plane.authority().pair);
        ca.into_iter().for_each(|certificate| roots.add(certificate).expect("an authority"));
        let builder = || {
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
            builder.expect("versions of TLS").with_root_certificates(roots.clone())
        };
        // A file for each: proxies are made by several tests at once.
        let file = format!("proxy-admin-{}", MADE.fetch_add(1, Ordering::Relaxed));
        let (chain, key) = read(&plane.authority().leaf(&file, "admin", Some("system:masters"), &[]));
        let as_admin = builder().with_client_auth_cert(chain, key).expect("a certificate");
        let connector = |config: ClientConfig| TlsConnector::from(Arc::new(config));
        Upstream { port, as_admin: connector(as_admin), as_said: connector(builder().with_no_client_auth()) }
    }

    /// Sends one request on a connection of its own.
    pub async fn send(&self, ask: &Ask) -> io::Result<Response<Incoming>> {
        let connector =
            if ask.headers.contains_key("authorization") { &self.as_said } else { &self.as_admin };
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let name = ServerName::try_from("127.0.0.1").map_err(io::Error::other)?;
        let stream = connector.connect(name, stream).await?;
        let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(io::Error::other)?;
        tokio::spawn(connection);
        let mut request = Request::builder().method(&ask.method).uri(&ask.uri);
        for (name, value) in &ask.headers {
            // Lines are looked at here, so they must not be compressed.
            if !["accept-encoding", "connection", "content-length", "transfer-encoding"]
                .contains(&name.as_str())
            {
                request = request.header(name, value);
            }
        }
        let request = request.body(Full::<Bytes>::new(ask.body.clone())).map_err(io::Error::other)?;
        sender.send_request(request).await.map_err(io::Error::other)
    }
}

/// What the proxy listens with.
pub fn acceptor(plane: &ControlPlane) -> TlsAcceptor {
    let file = format!("proxy-{}", MADE.fetch_add(1, Ordering::Relaxed));
    let (chain, key) = read(&plane.authority().leaf(&file, "proxy", None, &["127.0.0.1", "localhost"]));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("versions of TLS").with_no_client_auth();
    TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).expect("a certificate")))
}

fn read(pair: &Pair) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = CertificateDer::pem_file_iter(&pair.certificate).expect("a certificate");
    let chain = chain.collect::<Result<_, _>>().expect("a certificate");
    (chain, PrivateKeyDer::from_pem_file(&pair.key).expect("a key"))
}
