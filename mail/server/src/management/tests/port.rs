//! The management interface over mutual TLS: who comes in, who does not, and what strangers can use up.

use std::net::SocketAddr;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use mailwright_plan::Fence;

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
async fn the_port_answers_what_an_operator_asks() {
    let bench = Bench::new().await;
    let client = bench.operator();
    assert_eq!(client.health().await.unwrap().endpoints, bench.server.server.endpoints());
    let here = bench.server.store.accounts().database_id().await.unwrap();
    let identity = client.identity().await.unwrap();
    assert_eq!(client.history(&Default::default()).await.map(|records| records.is_empty()), Ok(true));
    assert_eq!((identity.database, identity.schema >= 6), (here, true));
}

/// Every route that writes is fenced or not there. Who comes with the operator's certificate may have been deposed.
#[tokio::test]
async fn nothing_is_written_on_the_port_without_a_fence() {
    let bench = Bench::new().await;
    bench.server.server.management().on_pushed(|| {});
    let (port, socket) = (bench.operator(), ManagementClient::new(bench.server.directory.path()));
    let empty = |fence| Batch { source_id: "kubernetes".into(), fence, ..Batch::default() };
    let fence = Some(Fence { term: 7, database: None });
    let code = |error: ManagementError| error.code;
    assert_eq!(port.apply(&empty(None)).await.map_err(code).err(), Some(ErrorCode::Invalid));
    for unfenced in [json!({}), json!({"fence": null})] {
        assert_eq!(port.put_serving(&unfenced).await.map_err(code).err(), Some(ErrorCode::Invalid));
    }
    assert!(!bench.server.directory.path().join("pushed.json").exists());
    port.apply(&empty(fence)).await.unwrap();
    port.put_serving(&json!({"fence": {"term": 7}})).await.unwrap();
    assert_eq!(
        port.put_serving(&json!({"fence": {"term": 6}})).await.map_err(code).err(),
        Some(ErrorCode::Fenced)
    );

    let nobody = "nobody@example.test";
    let all = QueueFilter::default();
    for (route, answer) in [
        ("resources", port.resources().await.map(drop)),
        ("resources, written", port.put_resources(&[]).await.map(drop)),
        ("resources, deleted", port.delete_resources(&[]).await.map(drop)),
        ("password", port.set_password(nobody, "x").await),
        ("purge", port.purge(nobody, true).await.map(drop)),
        ("reconcile", port.reconcile().await),
        ("approve", port.approve("0123456789abcdef", None).await),
        ("sessions", port.kick(4711).await),
        ("queue, held", port.queue_hold(&all).await.map(drop)),
        ("queue, released", port.queue_release(&all).await.map(drop)),
        ("queue, flushed", port.queue_flush(&all).await.map(drop)),
        ("queue, deleted", port.queue_delete(&all).await.map(drop)),
    ] {
        let error = answer.expect_err(route);
        assert_eq!(error.code, ErrorCode::NotFound, "{route}: {error}");
        assert!(error.message.contains("kubectl mailwright"), "{route}: {error}");
    }
    assert_eq!(socket.queue_hold(&all).await.map(drop).err(), None, "people come in by the socket");
    assert_eq!(
        socket.set_password(nobody, "long enough to be one").await.map_err(code).err(),
        Some(ErrorCode::NotFound)
    );
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
        let error = bench.client(&certificates).identity().await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Unreachable, "{who}: {error}");
        assert!(error.message.contains(&bench.address.to_string()), "{error}");
    }
    assert!(bench.operator().identity().await.is_ok());
}

#[tokio::test]
async fn a_client_trusts_nobody_but_the_pod_it_means() {
    let bench = Bench::new().await;
    let pair = bench.authority.issue(&Leaf::client());
    let foreign = ManagementCertificates { authority_pem: Authority::new().pem(), ..pair.clone() };
    let elsewhere =
        ManagementClient::remote(&bench.address.to_string(), "other.example.test", &pair).unwrap();
    for client in [bench.client(&foreign), elsewhere] {
        assert_eq!(client.identity().await.unwrap_err().code, ErrorCode::Unreachable);
    }
    let nobody = ManagementClient::remote("127.0.0.1:1", "localhost", &pair).unwrap();
    assert_eq!(nobody.identity().await.unwrap_err().code, ErrorCode::Unreachable);
    assert!(ManagementClient::remote("127.0.0.1:1", "no name", &pair).is_err());
}

/// Rotation: certificates and authority change while a connection is open; nothing is restarted.
#[tokio::test]
async fn new_certificates_are_in_force_without_a_restart() {
    let bench = Bench::new().await;
    let old = bench.operator();
    assert!(old.identity().await.is_ok());
    let next = Authority::new();
    write(
        bench.certificates.path(),
        &ManagementCertificates { key_pem: "torn".into(), ..next.issue(&Leaf::server("localhost")) },
    );
    tokio::time::sleep(crate::files::LOOK * 3).await;
    assert!(old.identity().await.is_ok(), "what is not usable changes nothing");
    write(bench.certificates.path(), &next.issue(&Leaf::server("localhost")));
    let new = bench.client(&next.issue(&Leaf::client()));
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while new.identity().await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "the new authority never came into force");
        tokio::time::sleep(Duration::milliseconds(50).to_std().unwrap()).await;
    }
    assert_eq!(old.identity().await.unwrap_err().code, ErrorCode::Unreachable, "the old authority is out");
}

#[tokio::test]
async fn without_certificates_the_port_is_open_and_closed_to_all() {
    let mut server = TestServer::start().await;
    let (authority, directory) = (Authority::new(), tempfile::tempdir().unwrap());
    let any = "127.0.0.1:0".parse().unwrap();
    let address = server.server.open_management(&[any], directory.path()).unwrap()[0];
    let pair = authority.issue(&Leaf::client());
    let client = ManagementClient::remote(&address.to_string(), "localhost", &pair).unwrap();
    assert_eq!(client.identity().await.unwrap_err().code, ErrorCode::Unreachable);
    write(directory.path(), &authority.issue(&Leaf::server("localhost")));
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while client.identity().await.is_err() {
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
    assert!(bench.operator().identity().await.is_ok());
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
