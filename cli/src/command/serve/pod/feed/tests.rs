//! What is good is taken, what is not is told and changes nothing, and the last good survives a restart.

use std::net::IpAddr;

use chrono::Utc;
use mailwright_operator::certificate;
use serde_json::{Value, json};

use super::*;

/// A pod's volumes and its data directory.
struct Volumes {
    directory: tempfile::TempDir,
}

/// A configuration file.
fn file(change: impl FnOnce(&mut Value)) -> String {
    let mut server = json!({
        "name": "default/mail", "hostname": "mail.example.test", "tls": {"secretName": "mail-tls"},
        "listeners": {"smtp": {"enabled": true, "port": 2525}, "http": {"enabled": true, "port": 8080}},
        "limits": {"messageSize": 1, "recipientsPerMessage": 2, "connections": 3, "connectionsPerAddress": 4},
        "relay": {"host": "smtp.example.org", "port": 587, "tls": "StartTLS",
            "credentials": {"secretRef": {"name": "relay"}}},
    });
    change(&mut server);
    json!({"version": 1, "server": server, "later": "is passed over"}).to_string()
}

impl Volumes {
    fn new() -> Volumes {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("tls")).unwrap();
        Volumes { directory }
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.path().join(name), text).unwrap();
    }

    fn pair(&self, name: &str) -> PemPair {
        let pair = certificate::self_signed(&[name.to_owned()], Utc::now()).unwrap();
        self.write("tls/tls.crt", &pair.certificate);
        self.write("tls/tls.key", &pair.key);
        pair
    }

    fn feed(&self) -> Feed {
        let path = |name: &str| self.directory.path().join(name);
        let listen = Listen { bind: vec!["127.0.0.1".parse::<IpAddr>().unwrap()], lmtp_socket: None };
        Feed::new(&path("data"), &path("server.json"), Some(&path("tls")), listen)
    }
}

/// Two looks: a change is taken when it stands still.
fn look(feed: &mut Feed) -> bool {
    feed.look();
    feed.look();
    feed.take_change()
}

#[test]
fn the_first_look_gives_everything() {
    let volumes = Volumes::new();
    volumes.write("server.json", &file(|_| {}));
    let pair = volumes.pair("mail.example.test");
    let mut feed = volumes.feed();
    let config = feed.first().unwrap();
    assert_eq!((config.hostname.as_str(), config.listeners.smtp), ("mail.example.test", Some(2525)));
    assert_eq!(config.certificates[0].chain_pem, pair.certificate);
    assert!(config.lenient && config.relay.unwrap().credentials.is_none());
    let digest = digest(file(|_| {}).as_bytes());
    assert_eq!(feed.facts(), Facts { config_digest: Some(digest), ..Facts::default() });
    assert!(!look(&mut feed), "nothing changed");
}

#[test]
fn what_is_not_usable_is_told_and_changes_nothing() {
    let volumes = Volumes::new();
    volumes.write("server.json", &file(|_| {}));
    let pair = volumes.pair("mail.example.test");
    let mut feed = volumes.feed();
    let good = feed.first().unwrap();
    let digest = feed.facts().config_digest;
    for (text, told) in [
        ("", "EOF"),
        ("{\"version\": 1}", "missing field `server`"),
        ("{\"server\": {}}", "missing field `version`"),
        ("{\"version\": 2, \"server\": \"unheard of\"}", "version 2, this program reads 1"),
        ("[]", "invalid"),
        (&file(|server| server["limits"] = json!("none")), "invalid type"),
    ] {
        volumes.write("server.json", text);
        assert!(look(&mut feed), "{text}");
        let error = feed.facts().config_error.unwrap();
        assert!(error.contains(told), "{text}: {error}");
        assert_eq!((feed.config().unwrap(), feed.facts().config_digest), (good.clone(), digest.clone()));
    }
    std::fs::remove_file(volumes.directory.path().join("server.json")).unwrap();
    assert!(look(&mut feed) && feed.facts().config_error.unwrap().contains("not there"));
    volumes.write("server.json", &file(|server| server["hostname"] = json!("mx.example.test")));
    assert!(look(&mut feed));
    assert_eq!(
        (feed.config().unwrap().hostname.as_str(), feed.facts().config_error),
        ("mx.example.test", None)
    );

    for (name, text) in [("tls/tls.key", "hush"), ("tls/tls.crt", "x")] {
        volumes.write(name, text);
        assert!(look(&mut feed));
        let error = feed.facts().certificate_error.unwrap();
        assert!(!error.contains("hush"), "{error}");
        assert_eq!(feed.config().unwrap().certificates[0].chain_pem, pair.certificate);
    }
    let renewed = volumes.pair("mail.example.test");
    assert!(look(&mut feed));
    assert_eq!(feed.config().unwrap().certificates[0].chain_pem, renewed.certificate);
    assert_eq!(feed.facts().certificate_error, None);
}

#[test]
fn a_start_without_the_file_uses_the_last_good_one() {
    let volumes = Volumes::new();
    let error = volumes.feed().first().unwrap_err().to_string();
    assert!(error.contains("not there") && error.contains("nothing to serve"), "{error}");
    volumes.write("server.json", &file(|_| {}));
    let mut feed = volumes.feed();
    let config = feed.first().unwrap();
    assert!(config.certificates.is_empty());
    assert!(feed.facts().certificate_error.unwrap().contains("tls.crt: it is not there"));
    volumes.write("server.json", "{");
    let mut again = volumes.feed();
    assert_eq!(again.first().unwrap(), config);
    let facts = again.facts();
    assert!(facts.config_error.is_some() && facts.config_digest == feed.facts().config_digest);
}

#[test]
fn what_was_pushed_is_served_with() {
    let volumes = Volumes::new();
    volumes.write("server.json", &file(|_| {}));
    let mut feed = volumes.feed();
    feed.first().unwrap();
    let push = |host: &str, secret: &str| {
        let body = json!({
            "dkim": {"example.test": [{"selector": "s1", "algorithm": "RSA2048", "privatePem": "hush"}]},
            "mtaSts": {"example.test": "version: STSv1"},
            "relayLogin": {"host": host, "secret": secret, "username": "mail", "password": "hush2"},
        });
        volumes.write("data/pushed.json", &body.to_string());
    };
    for (host, secret, given) in [
        ("smtp.example.org", "default/relay", true),
        ("smtp.example.net", "default/relay", false),
        ("smtp.example.org", "default/other", false),
        ("smtp.example.org", "other/relay", false),
    ] {
        push(host, secret);
        feed.read_pushed();
        assert!(feed.take_change(), "{host} {secret}");
        let config = feed.config().unwrap();
        assert_eq!(config.mta_sts["example.test"], "version: STSv1");
        assert_eq!(config.dkim["example.test"][0].pem.reveal(), "hush");
        let login = config.relay.clone().unwrap().credentials;
        assert_eq!(login.is_some(), given, "{host} {secret}: no password goes where it was not given for");
        assert!(!format!("{config:?}").contains("hush"));
    }
    feed.read_pushed();
    assert!(!feed.take_change());
    volumes.write("data/pushed.json", "{");
    feed.read_pushed();
    assert!(!feed.take_change() && feed.config().unwrap().dkim.len() == 1, "the last good stays");
}
