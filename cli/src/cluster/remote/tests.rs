//! A pod's server on loopback, asked as the operator asks.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use chrono::Utc;
use mailwright_crds::mail_domain::DkimAlgorithm;
use mailwright_operator::accounts::{ClientIdentity, PushedKey};
use mailwright_operator::authority::{Leaf, issue, make_authority};
use mailwright_operator::relay::RelayLogin;
use mailwright_server::management::read_pushed;
use mailwright_server::{Roles, Server, ServerConfig};
use mailwright_store::{Options, Store};

use super::*;

/// A pod, and the operator's certificate.
struct Bench {
    server: Server,
    store: Arc<Store>,
    directory: tempfile::TempDir,
    address: SocketAddr,
    identity: Arc<ClientIdentity>,
}

fn write(directory: &Path, name: &str, text: &str) {
    std::fs::write(directory.join(name), text).unwrap();
}

impl Bench {
    /// With the certificates that the operator's own authority makes for it.
    async fn new() -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let store = Arc::new(Store::open(&data, Options::default()).await.unwrap());
        let config = ServerConfig::new("mail.example.test").any_port();
        let mut server = Server::start(config, Roles::NONE, Arc::clone(&store), &data).await.unwrap();
        let authority = make_authority(Utc::now()).unwrap();
        let leaf = Leaf::Server { namespace: "default".into(), name: "mail".into() };
        let pod = issue(&authority, &leaf, Utc::now()).unwrap();
        for (name, text) in
            [("ca.crt", &authority.certificate), ("tls.crt", &pod.certificate), ("tls.key", &pod.key)]
        {
            write(directory.path(), name, text);
        }
        let any = "127.0.0.1:0".parse().unwrap();
        let address = server.open_management(&[any], directory.path()).unwrap()[0];
        let own = issue(&authority, &Leaf::Operator, Utc::now()).unwrap();
        let identity = Arc::new(ClientIdentity {
            ca_pem: authority.certificate,
            certificate_pem: own.certificate,
            key_pem: own.key,
        });
        Bench { server, store, directory, address, identity }
    }

    fn pod(&self, term: u64, database: Option<&str>) -> Pod {
        Pods.connect(Target {
            server: "default/mail".into(),
            address: self.address.to_string(),
            name: "mail-0.mail-headless.default.svc".into(),
            identity: Arc::clone(&self.identity),
            fence: Fence { term, database: database.map(str::to_owned) },
        })
    }
}

fn kind<T>(answer: Result<T, AccountsError>) -> Option<AccountsErrorKind> {
    answer.err().map(|error| error.kind)
}

fn batch() -> Batch {
    Batch { source_id: "kubernetes".into(), ..Batch::default() }
}

fn pushed() -> Pushed {
    let key =
        PushedKey { selector: "s1".into(), algorithm: DkimAlgorithm::Rsa2048, private_pem: "the key".into() };
    let login = RelayLogin {
        host: "smtp.example.org".into(),
        secret: "default/relay".into(),
        username: "mail".into(),
        password: "hush".into(),
    };
    Pushed {
        fence: None,
        dkim: [("example.test".to_owned(), vec![key])].into(),
        mta_sts: [("example.test".to_owned(), "version: STSv1".to_owned())].into(),
        relay_login: Some(login),
    }
}

#[tokio::test]
async fn a_pod_is_asked_like_a_process_next_door() {
    let bench = Bench::new().await;
    let pod = bench.pod(1, None);
    let identity = pod.identity().await.unwrap();
    assert_eq!(identity.database, bench.store.accounts().database_id().await.unwrap());
    let observed = pod.observe().await.unwrap();
    assert_eq!(pod.observe_since(Some(observed.change_counter)).await.unwrap(), None);
    assert_eq!(pod.observe_since(None).await.unwrap(), Some(observed));
    assert_eq!(pod.apply(batch()).await.unwrap().outcomes, []);
    assert_eq!(
        kind(pod.records(Vec::new()).await),
        Some(AccountsErrorKind::Refused),
        "the API server has them"
    );
}

#[tokio::test]
async fn every_write_carries_the_fence() {
    let bench = Bench::new().await;
    bench.server.management().on_pushed(|| {});
    let here = bench.store.accounts().database_id().await.unwrap();
    for (term, database, expected) in [
        (2, None, None),
        (1, None, Some(AccountsErrorKind::Fenced)),
        (2, Some("another"), Some(AccountsErrorKind::WrongDatabase)),
        (3, Some(here.as_str()), None),
        (2, Some(here.as_str()), Some(AccountsErrorKind::Fenced)),
    ] {
        let pod = bench.pod(term, database);
        assert_eq!(kind(pod.apply(batch()).await), expected, "{term} {database:?}");
        assert_eq!(kind(pod.serve(&pushed()).await), expected, "{term} {database:?}");
    }
}

/// The operator's words and the server's are two types: what one writes the other reads, and both name it by one digest.
#[tokio::test]
async fn what_is_pushed_arrives() {
    let bench = Bench::new().await;
    bench.server.management().on_pushed(|| {});
    let pod = bench.pod(1, None);
    pod.serve(&pushed()).await.unwrap();
    let kept = read_pushed(&bench.directory.path().join("data")).unwrap().unwrap();
    assert_eq!(kept.dkim["example.test"][0].private_pem, "the key");
    assert_eq!(kept.mta_sts["example.test"], "version: STSv1");
    let login = kept.relay_login.unwrap();
    assert_eq!((login.secret.as_str(), login.password.as_str()), ("default/relay", "hush"));
    let health = pod.health().await.unwrap();
    let sent = serde_json::to_vec(&pushed()).unwrap();
    assert_eq!(health.pushed_digest, Some(digest(&sent)));
    assert_eq!((health.storage_full, health.queued, health.listener_error), (false, 0, None));
}

fn digest(bytes: &[u8]) -> String {
    management::digest(bytes)
}

#[tokio::test]
async fn who_cannot_be_reached_is_told_from_who_refuses() {
    let bench = Bench::new().await;
    let nobody = Pods.connect(Target { address: "127.0.0.1:1".into(), ..target(&bench) });
    assert_eq!(kind(nobody.observe().await), Some(AccountsErrorKind::Unreachable));
    let other = Pods.connect(Target { name: "other-0.other-headless.default.svc".into(), ..target(&bench) });
    assert_eq!(kind(other.observe().await), Some(AccountsErrorKind::Unreachable));
    let broken = ClientIdentity { key_pem: "hush".into(), ..(*bench.identity).clone() };
    let broken = Pods.connect(Target { identity: Arc::new(broken), ..target(&bench) });
    let error = broken.identity().await.unwrap_err();
    assert_eq!(error.kind, AccountsErrorKind::Unreachable);
    assert!(error.message.contains("tls.key") && !error.message.contains("hush"), "{error}");
    let refused = bench.pod(1, None).serve(&pushed()).await;
    assert_eq!(kind(refused), Some(AccountsErrorKind::Refused), "nobody puts it in force");
}

fn target(bench: &Bench) -> Target {
    Target {
        server: "default/mail".into(),
        address: bench.address.to_string(),
        name: "mail-0.mail-headless.default.svc".into(),
        identity: Arc::clone(&bench.identity),
        fence: Fence::default(),
    }
}
