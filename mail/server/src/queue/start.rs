//! The queue of a running server: its settings out of the server's, its beginning, reload and end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mailwright_flow::queue::mx::Ourselves;
use mailwright_flow::queue::retry::Policy;
use mailwright_store::Store;

use super::internet::Internet;
use super::net::Security;
use super::runner::{RelayHost, Runner, RunnerSettings};
use crate::config::{RelayTls, ServerConfig};

/// How long a connection is kept for the next message: as long as Postfix keeps one, and short enough for hosts that count
/// them.
const KEEP: Duration = Duration::from_secs(2);

/// The queue of a server.
pub(crate) type Queue = Runner<Internet>;

/// Begins to send; the task ends with [`Runner::stop`].
pub(crate) fn start(config: &ServerConfig, store: &Arc<Store>) -> Result<Queue, rustls::Error> {
    let mut seed = [0; 8];
    // Without randomness the order of equal hosts is the same each time, which is no reason not to send.
    let _ = aws_lc_rs::rand::fill(&mut seed);
    let clock = Arc::new(|| chrono::Utc::now().timestamp());
    let net = Internet::new(config)?;
    let queue = Runner::new(Arc::clone(store), net, settings(config), clock, u64::from_le_bytes(seed));
    let running = queue.clone();
    tokio::spawn(async move { running.run().await });
    Ok(queue)
}

/// Another configuration, for connections made from now on.
pub(crate) fn reload(queue: &Queue, config: &ServerConfig) {
    queue.net().configure(config);
    queue.configure(settings(config));
    queue.forget_failures();
}

fn settings(config: &ServerConfig) -> RunnerSettings {
    let relay = config.relay.as_ref().map(|relay| RelayHost {
        host: relay.host.clone(),
        port: relay.port,
        security: match relay.tls {
            RelayTls::Opportunistic => Security::Opportunistic,
            RelayTls::StartTls => Security::StartTls,
            RelayTls::Implicit => Security::Implicit,
            RelayTls::None => Security::Plain,
        },
    });
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    RunnerSettings {
        hostname: config.hostname.clone(),
        ours: ourselves(config),
        relay,
        remote_port: config.queue.remote_port,
        policy: Policy {
            lifetime: config.queue.lifetime,
            delay_warning: config.queue.delay_warning,
            ..Policy::default()
        },
        per_destination: count(config.queue.max_connections_per_destination),
        connections: count(config.queue.max_connections),
        keep: KEEP,
    }
}

/// What mail must not be sent to: our name, and our own MX port on the addresses that are certainly ours.
fn ourselves(config: &ServerConfig) -> Ourselves {
    let own = |ip: &IpAddr| match ip {
        IpAddr::V4(v4) if v4.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(v6) if v6.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => *ip,
    };
    let addresses = config
        .listeners
        .smtp
        .into_iter()
        .filter(|port| *port != 0)
        .flat_map(|port| config.bind.iter().map(move |ip| SocketAddr::new(own(ip), port)));
    Ourselves { names: vec![config.hostname.clone()], addresses: addresses.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Credentials, Relay, Secret};

    #[test]
    fn the_queue_gets_what_was_configured() {
        let mut config = ServerConfig::new("mail.example.test");
        config.queue.remote_port = 2526;
        config.queue.lifetime = Duration::from_secs(60);
        for (tls, security) in [
            (RelayTls::Opportunistic, Security::Opportunistic),
            (RelayTls::StartTls, Security::StartTls),
            (RelayTls::Implicit, Security::Implicit),
            (RelayTls::None, Security::Plain),
        ] {
            let credentials = Credentials { username: "mail".into(), password: Secret::new("hush") };
            let host = "relay.example.test".to_owned();
            config.relay = Some(Relay { host: host.clone(), port: 587, tls, credentials: Some(credentials) });
            let settings = settings(&config);
            assert_eq!(settings.relay, Some(RelayHost { host, port: 587, security }));
            assert_eq!((settings.remote_port, settings.policy.lifetime.as_secs()), (2526, 60));
            assert!(!format!("{settings:?}").contains("hush"));
        }
    }

    #[test]
    fn our_own_port_is_known_by_address_and_name() {
        let mut config = ServerConfig::new("mail.example.test");
        config.bind = vec!["0.0.0.0".parse().unwrap(), "::".parse().unwrap(), "192.0.2.1".parse().unwrap()];
        let ours = ourselves(&config);
        assert_eq!(ours.names, ["mail.example.test"]);
        let addresses: Vec<String> = ours.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["127.0.0.1:2525", "[::1]:2525", "192.0.2.1:2525"]);
        config.listeners.smtp = Some(0);
        assert!(ourselves(&config).addresses.is_empty());
    }
}
