//! The management interface over mutual TLS: who comes in, who does not, and what strangers can use up.

use std::net::SocketAddr;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::authority::{Authority, Leaf};
use super::*;
use crate::tests::{PATIENCE, TestServer};

/// A server with the port open, and the authority of both sides.
struct Bench {
    server: TestServer,
    address: SocketAddr,
    authority: Authority,
    certificates: tempfile::TempDir,
}

fn write(directory: &Path, pair: &ManagementCertificates) {
    for (name, text) in
        [("ca.crt", &pair.authority_pem), ("tls.crt", &pair.chain_pem), ("tls.key", &pair.key_pem)]
    {
        std::fs::write(directory.join(name), text).unwrap();
    }
}

impl Bench {
    async fn new() -> Bench {
        let mut server = TestServer::start().await;
        let authority = Authority::new();
        let certificates = tempfile::tempdir().unwrap();
        write(certificates.path(), &authority.issue(&Leaf::server("localhost")));
        let any = "127.0.0.1:0".parse().unwrap();
        let address = server.server.open_management(&[any], certificates.path()).unwrap()[0];
        Bench { server, address, authority, certificates }
    }

    fn client(&self, certificates: &ManagementCertificates) -> ManagementClient {
        ManagementClient::remote(&self.address.to_string(), "localhost", certificates).unwrap()
    }

    fn operator(&self) -> ManagementClient {
        self.client(&self.authority.issue(&Leaf::client()))
    }
}

#[tokio::test]
async fn the_port_offers_what_the_socket_offers() {
    let bench = Bench::new().await;
    let client = bench.operator();
    let status = client.status().await.unwrap();
    assert_eq!(status.endpoints, bench.server.server.endpoints());
    assert_eq!(client.stats().await.unwrap().mailboxes, 4);
    let here = bench.server.store.accounts().database_id().await.unwrap();
    let identity = client.identity().await.unwrap();
    assert_eq!((identity.database, identity.schema >= 6), (here, true));
    assert_eq!(client.kick(4711).await.unwrap_err().code, ErrorCode::NotFound);
}

#[tokio::test]
async fn only_the_operator_comes_in() {
    let bench = Bench::new().await;
    let (ours, foreign) = (&bench.authority, Authority::new());
    let trusting =
        |pair: ManagementCertificates| ManagementCertificates { authority_pem: ours.pem(), ..pair };
    for (who, certificates) in [
        ("another authority's", trusting(foreign.issue(&Leaf::client()))),
        ("an expired one", ours.issue(&Leaf { expired: true, ..Leaf::client() })),
        ("another name's", ours.issue(&Leaf { common: Some("mail-1"), ..Leaf::client() })),
        ("a pod's own", ours.issue(&Leaf { common: Some(OPERATOR), ..Leaf::server("localhost") })),
    ] {
        let error = bench.client(&certificates).status().await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Unreachable, "{who}: {error}");
        assert!(error.message.contains(&bench.address.to_string()), "{error}");
    }
    assert!(bench.operator().status().await.is_ok());
}

#[tokio::test]
async fn a_client_trusts_nobody_but_the_pod_it_means() {
    let bench = Bench::new().await;
    let pair = bench.authority.issue(&Leaf::client());
    let foreign = ManagementCertificates { authority_pem: Authority::new().pem(), ..pair.clone() };
    let elsewhere =
        ManagementClient::remote(&bench.address.to_string(), "other.example.test", &pair).unwrap();
    for client in [bench.client(&foreign), elsewhere] {
        assert_eq!(client.status().await.unwrap_err().code, ErrorCode::Unreachable);
    }
    let nobody = ManagementClient::remote("127.0.0.1:1", "localhost", &pair).unwrap();
    assert_eq!(nobody.status().await.unwrap_err().code, ErrorCode::Unreachable);
    assert!(ManagementClient::remote("127.0.0.1:1", "no name", &pair).is_err());
}

/// Rotation: certificates and authority change while a connection is open; nothing is restarted.
#[tokio::test]
async fn new_certificates_are_in_force_without_a_restart() {
    let bench = Bench::new().await;
    let old = bench.operator();
    assert!(old.status().await.is_ok());
    let next = Authority::new();
    write(
        bench.certificates.path(),
        &ManagementCertificates { key_pem: "torn".into(), ..next.issue(&Leaf::server("localhost")) },
    );
    tokio::time::sleep(crate::files::LOOK * 3).await;
    assert!(old.status().await.is_ok(), "what is not usable changes nothing");
    write(bench.certificates.path(), &next.issue(&Leaf::server("localhost")));
    let new = bench.client(&next.issue(&Leaf::client()));
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while new.status().await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "the new authority never came into force");
        tokio::time::sleep(Duration::milliseconds(50).to_std().unwrap()).await;
    }
    assert_eq!(old.status().await.unwrap_err().code, ErrorCode::Unreachable, "the old authority is out");
}

#[tokio::test]
async fn without_certificates_the_port_is_open_and_closed_to_all() {
    let mut server = TestServer::start().await;
    let (authority, directory) = (Authority::new(), tempfile::tempdir().unwrap());
    let any = "127.0.0.1:0".parse().unwrap();
    let address = server.server.open_management(&[any], directory.path()).unwrap()[0];
    let pair = authority.issue(&Leaf::client());
    let client = ManagementClient::remote(&address.to_string(), "localhost", &pair).unwrap();
    assert_eq!(client.status().await.unwrap_err().code, ErrorCode::Unreachable);
    write(directory.path(), &authority.issue(&Leaf::server("localhost")));
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while client.status().await.is_err() {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(crate::files::LOOK / 5).await;
    }
}

/// Strangers that connect and say nothing hold places of handshakes, never the operator's.
#[tokio::test]
async fn silent_strangers_do_not_keep_the_operator_out() {
    let bench = Bench::new().await;
    let mut strangers = Vec::new();
    for _ in 0..100 {
        strangers.push(TcpStream::connect(bench.address).await.unwrap());
    }
    assert!(bench.operator().status().await.is_ok());
    let mut closed = 0;
    for stranger in &mut strangers {
        let read =
            tokio::time::timeout(std::time::Duration::from_millis(20), stranger.read(&mut [0; 8])).await;
        closed += usize::from(read.is_ok());
    }
    assert!(closed >= 100 - 17, "most of them gave up their places: {closed}");
}

#[tokio::test]
async fn what_is_not_tls_is_closed() {
    let bench = Bench::new().await;
    let mut stream = TcpStream::connect(bench.address).await.unwrap();
    stream.write_all(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
    assert!(read.is_err() || !answer.starts_with(b"HTTP"), "{answer:?}");
    let observed = ManagementClient::new(bench.server.directory.path()).status().await;
    assert!(observed.is_ok(), "the socket beside it serves on");
}
