//! Clients of TLS: one that takes whatever certificate is shown, because who the server is, is asked elsewhere, and one that
//! asks just that.

use super::PATIENCE;
use mailwright_server::Trust;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{self, Result};
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;

/// TLS over `stream`.
pub fn over(stream: TcpStream) -> Result<StreamOwned<ClientConnection, TcpStream>> {
    let name = ServerName::try_from("mail.example.test").map_err(io::Error::other)?;
    let connection = ClientConnection::new(Arc::new(config()?), name).map_err(io::Error::other)?;
    Ok(StreamOwned::new(connection, stream))
}

/// The same for a client that brings its own streams.
pub fn config() -> Result<ClientConfig> {
    Trust::Anybody.client_config().map_err(io::Error::other)
}

/// What the server of this `name` shows on a port under TLS, its own certificate first (RFC 8446 §4.4.2), if it can be
/// traced to the authority `ca`, which is PEM; otherwise an error.
pub fn shown(server: IpAddr, port: u16, name: &str, ca: &str) -> Result<Vec<Vec<u8>>> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(ca.as_bytes()) {
        roots.add(root.map_err(io::Error::other)?).map_err(io::Error::other)?;
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(io::Error::other)?.with_root_certificates(roots);
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let mut connection =
        ClientConnection::new(Arc::new(builder.with_no_client_auth()), name).map_err(io::Error::other)?;
    let mut stream = TcpStream::connect((server, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    let chain = connection.peer_certificates().unwrap_or_default();
    Ok(chain.iter().map(|one| one.to_vec()).collect())
}
