//! From what was declared to what the mail server is told.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::args::Listen;
use mailwright_crds::mail_domain::DkimAlgorithm as Algorithm;
use mailwright_crds::network::Resolver;
use mailwright_operator::Serving;
use mailwright_operator::dkim::DkimKey;
use mailwright_plan::observed::{self, RelayTls as DeclaredTls, ServerDeclared};
use mailwright_server::{
    Certificate, Credentials, DkimAlgorithm, Dns, Limits, Listeners, QueueSettings, Relay, RelayTls, Secret,
    ServerConfig, SigningKey,
};

/// The server's settings as the manifests declared them.
pub fn config(serving: &Serving, listen: &Listen) -> ServerConfig {
    let declared = &serving.server;
    let certificate = serving.certificate.as_ref();
    let certificate = certificate
        .map(|pair| Certificate { chain_pem: pair.certificate.clone(), key_pem: pair.key.clone() });
    let keys = |keys: &Vec<DkimKey>| keys.iter().map(signing_key).collect();
    ServerConfig {
        bind: listen.addresses(),
        lmtp_socket: listen.lmtp_socket.clone(),
        listeners: listeners(declared),
        limits: Limits {
            message_size: declared.limits.message_size,
            recipients_per_message: declared.limits.recipients_per_message,
            connections: declared.limits.connections,
            connections_per_address: declared.limits.connections_per_address,
            ..Limits::default()
        },
        certificates: certificate.into_iter().collect(),
        mta_sts: serving.mta_sts.clone(),
        trusted_networks: declared.trusted_networks.iter().filter_map(|network| trusted(network)).collect(),
        plaintext_on_loopback: declared.auth.plaintext_on_loopback,
        relay: declared.relay.as_ref().map(|relay| self::relay(relay, serving)),
        dns: Dns { resolvers: declared.dns.resolvers.iter().filter_map(|text| resolver(text)).collect() },
        queue: QueueSettings {
            remote_port: declared.queue.remote_port,
            lifetime: Duration::from_secs(declared.queue.lifetime),
            delay_warning: Duration::from_secs(declared.queue.delay_warning),
            ..QueueSettings::default()
        },
        dkim: serving.dkim.iter().map(|(domain, of)| (domain.clone(), keys(of))).collect(),
        ..ServerConfig::new(declared.hostname.clone())
    }
}

/// A protocol that a row of an earlier release does not name has its default: the upgrade opens submission by itself, as a
/// manifest without `listeners` says.
fn listeners(declared: &ServerDeclared) -> Listeners {
    let default = Listeners::default();
    let port = |protocol: &str, default: Option<u16>| match declared.listeners.get(protocol) {
        Some(listener) => listener.enabled.then_some(listener.port),
        None => default,
    };
    Listeners {
        smtp: port("smtp", default.smtp),
        submission: port("submission", default.submission),
        submissions: port("submissions", default.submissions),
        lmtp: port("lmtp", default.lmtp),
        imap: port("imap", default.imap),
        imaps: port("imaps", default.imaps),
        http: port("http", default.http),
    }
}

/// One address is a network of its own.
fn trusted(text: &str) -> Option<ipnet::IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(ipnet::IpNet::from))
}

fn resolver(text: &str) -> Option<SocketAddr> {
    text.parse::<Resolver>().ok().map(|resolver| resolver.address())
}

/// A smarthost that wants a login which is not there yet is told nothing else: it refuses, and the queue says so.
fn relay(relay: &observed::Relay, serving: &Serving) -> Relay {
    let login = serving.relay_login.as_ref();
    Relay {
        host: relay.host.clone(),
        port: relay.port,
        tls: match relay.tls {
            DeclaredTls::Opportunistic => RelayTls::Opportunistic,
            DeclaredTls::StartTls => RelayTls::StartTls,
            DeclaredTls::Implicit => RelayTls::Implicit,
            DeclaredTls::None => RelayTls::None,
        },
        credentials: login.map(|login| Credentials {
            username: login.username.clone(),
            password: Secret::new(login.password.clone()),
        }),
    }
}

fn signing_key(key: &DkimKey) -> SigningKey {
    SigningKey {
        selector: key.selector.clone(),
        algorithm: match key.algorithm {
            Algorithm::Rsa2048 => DkimAlgorithm::RsaSha256,
            Algorithm::Ed25519 => DkimAlgorithm::Ed25519Sha256,
        },
        pem: Secret::new(key.private_pem.clone()),
    }
}

#[cfg(test)]
mod tests {

    use mailwright_operator::relay::RelayLogin;
    use serde_json::{Value, json};

    use super::*;

    fn serving(fields: Value) -> Serving {
        let mut row = json!({
            "name": "default/mail", "hostname": "mail.example.test", "listeners": {}, "tls": "selfSigned",
            "limits": {"messageSize": 1, "recipientsPerMessage": 2, "connections": 3, "connectionsPerAddress": 4},
        });
        for (key, value) in fields.as_object().unwrap() {
            row[key] = value.clone();
        }
        Serving {
            server: serde_json::from_value(row).unwrap(),
            certificate: None,
            domains: Vec::new(),
            mta_sts: Default::default(),
            relay_login: None,
            dkim: Default::default(),
            login_example: None,
        }
    }

    fn told(serving: &Serving) -> ServerConfig {
        config(serving, &Listen { bind: Vec::new(), lmtp_socket: None })
    }

    #[test]
    fn a_row_of_the_release_before_gives_the_defaults() {
        let told = told(&serving(json!({"listeners": {"smtp": {"enabled": true, "port": 25}}})));
        assert_eq!(told.listeners, Listeners { smtp: Some(25), ..Listeners::default() });
        assert_eq!((told.relay, told.trusted_networks.len(), told.plaintext_on_loopback), (None, 0, false));
        assert_eq!(told.queue, QueueSettings::default());
        assert_eq!((told.hostname.as_str(), told.limits.message_size), ("mail.example.test", 1));
    }

    #[test]
    fn everything_declared_arrives() {
        let mut serving = serving(json!({
            "listeners": {"lmtp": {"enabled": true, "port": 24}, "submission": {"enabled": false, "port": 587}},
            "trustedNetworks": ["10.42.0.0/16", "192.0.2.7", "2001:db8::/32"],
            "auth": {"plaintextOnLoopback": true},
            "dns": {"resolvers": ["192.0.2.53", "[::1]:5353"]},
            "queue": {"lifetime": 60, "delayWarning": 30, "remotePort": 2525},
            "relay": {"host": "smtp.example.org", "port": 465, "tls": "Implicit",
                "credentials": {"secretRef": {"name": "relay"}}},
        }));
        let [host, secret, username, password] =
            ["smtp.example.org", "default/relay", "mail", "hush"].map(str::to_owned);
        serving.relay_login = Some(RelayLogin { host, secret, username, password });
        let key = DkimKey {
            selector: "s1".into(),
            algorithm: Algorithm::Ed25519,
            public: vec![],
            private_pem: "PEM".into(),
        };
        serving.dkim.insert("example.test".into(), vec![key]);
        let told = told(&serving);
        assert_eq!((told.listeners.lmtp, told.listeners.submission), (Some(24), None));
        let networks: Vec<String> = told.trusted_networks.iter().map(ToString::to_string).collect();
        assert_eq!(networks, ["10.42.0.0/16", "192.0.2.7/32", "2001:db8::/32"]);
        let resolvers: Vec<String> = told.dns.resolvers.iter().map(ToString::to_string).collect();
        assert_eq!(resolvers, ["192.0.2.53:53", "[::1]:5353"]);
        assert_eq!((told.queue.lifetime.as_secs(), told.queue.remote_port), (60, 2525));
        let relay = told.relay.as_ref().unwrap();
        assert_eq!(
            (relay.host.as_str(), relay.port, relay.tls),
            ("smtp.example.org", 465, RelayTls::Implicit)
        );
        let credentials = relay.credentials.as_ref().unwrap();
        assert_eq!((credentials.username.as_str(), credentials.password.reveal()), ("mail", "hush"));
        assert_eq!(told.dkim["example.test"][0].algorithm, DkimAlgorithm::Ed25519Sha256);
        assert!(told.plaintext_on_loopback && !format!("{told:?}").contains("hush"));
    }
}
