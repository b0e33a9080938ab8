//! Owns what one operator process is told: which namespaces it watches, who it is, which image mail pods run, where it
//! listens, how it reaches mail pods from outside the cluster. Leaves out the command line that says it (`cli`) and every
//! setting of an installation (a MailServer says those).

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The Lease that two replicas of the operator share, in the operator's namespace.
pub const LEASE_NAME: &str = "mailwright-operator";

/// The namespace of the operator where nobody names one; the chart installs there.
pub const NAMESPACE: &str = "mailwright";

/// Port of `/metrics`, `/livez` and `/readyz`.
pub const PORT: u16 = 8080;

/// What one operator process is told.
#[derive(Debug, Clone)]
pub struct Options {
    /// The namespaces whose resources are reconciled; empty is all of them, which takes a ClusterRole.
    pub watch_namespaces: BTreeSet<String>,
    /// The operator's own namespace: its Lease, its certificate authority.
    pub namespace: String,
    /// This process among the replicas: the pod's name, or anything that no other process has.
    pub identity: String,
    /// The image of mail pods whose MailServer names none. Normally that of the operator itself.
    pub image: String,
    /// The Lease of the leader election.
    pub lease_name: String,
    /// How long the leader leads without a word.
    pub lease: LeaseTimes,
    /// Where `/metrics`, `/livez` and `/readyz` are served.
    pub listen: SocketAddr,
    /// Where the management API of a MailServer (`namespace/name`) is reached, instead of its headless Service: for an
    /// operator that runs outside the cluster.
    pub management_endpoints: BTreeMap<String, String>,
    /// Where copies of followed repositories are kept; losing them costs a fetch.
    pub cache: PathBuf,
    /// The ServiceAccount that applies for a MailRepository that names none, in its own namespace. Without one such a
    /// MailRepository is refused.
    pub default_service_account: Option<String>,
    /// Where webhooks of forges are taken; without it none are.
    pub webhook_listen: Option<SocketAddr>,
    /// Where the other replicas reach that listener, to hand on what they are sent while this one leads.
    pub webhook_reached: Option<SocketAddr>,
}

impl Options {
    /// Everything as in a pod of the chart, for the process of this name and this image.
    pub fn new(identity: impl Into<String>, image: impl Into<String>) -> Options {
        Options {
            watch_namespaces: BTreeSet::new(),
            namespace: NAMESPACE.to_owned(),
            identity: identity.into(),
            image: image.into(),
            lease_name: LEASE_NAME.to_owned(),
            lease: LeaseTimes::default(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)),
            management_endpoints: BTreeMap::new(),
            cache: std::env::temp_dir().join("mailwright"),
            default_service_account: None,
            webhook_listen: None,
            webhook_reached: None,
        }
    }
}

/// The durations of the leader election. A follower takes over `duration` after it last saw the leader renew, so the
/// three must be in this order, or two processes could believe at once that they lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTimes {
    /// A follower takes over when it saw no renewal for this long.
    pub duration: Duration,
    /// A leader that could not renew for this long leads no more.
    pub renew_deadline: Duration,
    /// Time between two looks at the Lease.
    pub retry: Duration,
}

impl LeaseTimes {
    /// A follower looks at most this much later than [`Self::retry`] says, so that two never look in step.
    pub const JITTER: f64 = 0.2;

    /// Why these durations cannot keep two leaders apart; client-go refuses the same.
    pub fn check(&self) -> Result<(), LeaseTimesError> {
        let slowest_retry = self.retry.mul_f64(1.0 + Self::JITTER);
        if self.renew_deadline >= self.duration {
            return Err(LeaseTimesError::DeadlineTooLong(*self));
        }
        if self.retry.is_zero() || slowest_retry >= self.renew_deadline {
            return Err(LeaseTimesError::RetryTooLong(*self));
        }
        Ok(())
    }
}

/// A killed leader is replaced within `duration` + two jittered retries: 13.6 s.
impl Default for LeaseTimes {
    fn default() -> Self {
        LeaseTimes {
            duration: Duration::from_secs(10),
            renew_deadline: Duration::from_secs(7),
            retry: Duration::from_millis(1500),
        }
    }
}

/// Durations of a Lease that contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeaseTimesError {
    /// The leader would go on after another took over.
    #[error(
        "the renew deadline ({:?}) must be shorter than the lease's duration ({:?}), or two operators would lead at once",
        .0.renew_deadline, .0.duration
    )]
    DeadlineTooLong(LeaseTimes),
    /// The leader would give up after one failed request.
    #[error(
        "the retry period ({:?}) must be longer than zero and, with a fifth for jitter, shorter than the renew deadline \
         ({:?})",
        .0.retry, .0.renew_deadline
    )]
    RetryTooLong(LeaseTimes),
}

/// `namespace/name=host:port`: where one MailServer's management API is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagementEndpoint {
    /// The MailServer, `namespace/name`.
    pub server: String,
    /// Host and port.
    pub address: String,
}

impl FromStr for ManagementEndpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hint =
            || format!("{text:?}: write namespace/name=host:port, such as mail/example=127.0.0.1:9443");
        let (server, address) = text.split_once('=').ok_or_else(hint)?;
        let (namespace, name) = server.split_once('/').ok_or_else(hint)?;
        let (host, port) = address.rsplit_once(':').ok_or_else(hint)?;
        let named = |part: &str| !part.is_empty() && !part.contains('/');
        let numbered = port.parse::<u16>().is_ok_and(|port| port != 0);
        if !named(namespace) || !named(name) || !named(host) || !numbered {
            return Err(hint());
        }
        Ok(ManagementEndpoint { server: server.to_owned(), address: address.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_durations_of_a_lease_are_in_order() {
        let times = |duration, renew_deadline, retry| LeaseTimes {
            duration: Duration::from_millis(duration),
            renew_deadline: Duration::from_millis(renew_deadline),
            retry: Duration::from_millis(retry),
        };
        assert_eq!(LeaseTimes::default().check(), Ok(()));
        for (bad, says) in [
            (
                times(7_000, 7_000, 1_500),
                "the renew deadline (7s) must be shorter than the lease's duration (7s)",
            ),
            (times(10_000, 7_000, 6_000), "the retry period (6s) must be longer than zero"),
            (times(10_000, 7_000, 0), "the retry period (0ns) must be longer than zero"),
        ] {
            let said = bad.check().unwrap_err().to_string();
            assert!(said.starts_with(says), "{said}");
        }
    }

    #[test]
    fn a_killed_leader_is_replaced_in_time() {
        let times = LeaseTimes::default();
        let slowest = times.duration + 2 * times.retry.mul_f64(1.0 + LeaseTimes::JITTER);
        assert!(slowest <= Duration::from_secs(15), "{slowest:?}");
    }

    #[test]
    fn endpoints_name_a_server_and_an_address() {
        for (text, server, address) in [
            ("mail/example=127.0.0.1:9443", "mail/example", "127.0.0.1:9443"),
            ("mail/example=[::1]:9443", "mail/example", "[::1]:9443"),
            ("a/b=pod.example.test:1", "a/b", "pod.example.test:1"),
        ] {
            let expected = ManagementEndpoint { server: server.to_owned(), address: address.to_owned() };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in [
            "",
            "mail=1.2.3.4:5",
            "mail/example",
            "/b=h:1",
            "a/=h:1",
            "a/b=h",
            "a/b=:1",
            "a/b=h:0",
            "a/b=h:x",
            "a/b/c=h:1",
        ] {
            assert!(
                text.parse::<ManagementEndpoint>().unwrap_err().contains("namespace/name=host:port"),
                "{text}"
            );
        }
    }
}
