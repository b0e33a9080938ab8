//! TLS to the server that runs on this data directory: it must show the very certificate that is kept there. That is stricter
//! than any authority, and works with a certificate that the server made itself.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use mailwright_server::Trust;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Connects, with TLS from the first byte.
pub async fn connect(data: &Path, hostname: &str, address: SocketAddr) -> Result<TlsStream<TcpStream>> {
    let config = Trust::Pinned(kept(data)?).client_config()?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_without_certificates_says_so() {
        let data = tempfile::tempdir().unwrap();
        assert!(kept(data.path()).unwrap_err().to_string().contains("cannot list"));
        std::fs::create_dir(data.path().join("tls")).unwrap();
        assert!(kept(data.path()).unwrap_err().to_string().contains("no certificate"));
    }
}
