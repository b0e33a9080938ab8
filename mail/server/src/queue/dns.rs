//! Questions to DNS for the queue, by hickory: MX and addresses, from the configured resolvers or the system's.
//!
//! Answers are kept as long as their TTL says (TTL 0: not at all) and absences as long as their SOA says, by hickory's cache
//! (RFC 2308 §5). An answer that is not one (SERVFAIL, REFUSED, a timeout) is a failure and never an absence, so that
//! no mail is returned because a name server had a bad day.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use mailwright_flow::queue::mx::{AddressAnswer, Exchange, MxAnswer};

/// How long one server may take for one answer; a recursive resolver that needs longer has given up itself.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How often a question is asked again.
const ATTEMPTS: usize = 2;
/// How long a question may take over all servers and attempts.
const PATIENCE: Duration = Duration::from_secs(30);
/// Answers that are kept: a busy server's destinations, a few MiB.
const CACHE: u64 = 8192;
/// Records of one answer that are looked at. Honest hosts and domains have fewer; RFC 5321 §5.1 allows a limit.
const MAX_RECORDS: usize = 32;

/// A resolver with its cache.
pub(crate) struct Resolver(TokioResolver);

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found<T> {
    /// Records of that type.
    Records(Vec<T>),
    /// The name exists and has no such record.
    NoData,
    /// The name does not exist.
    NoSuchName,
    /// No answer, with the reason for the log.
    Failed(String),
}

impl Resolver {
    /// Asks `servers`, in their order of speed; without any, those of the system.
    pub(crate) fn new(servers: &[SocketAddr]) -> Result<Resolver, String> {
        Resolver::patient(servers, TIMEOUT)
    }

    fn patient(servers: &[SocketAddr], timeout: Duration) -> Result<Resolver, String> {
        let mut builder = if servers.is_empty() {
            TokioResolver::builder_tokio()
                .map_err(|error| format!("cannot read /etc/resolv.conf: {error}"))?
        } else {
            let servers = servers.iter().map(server).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            TokioResolver::builder_with_config(config, Default::default())
        };
        options(builder.options_mut());
        builder.options_mut().timeout = timeout;
        builder.build().map(Resolver).map_err(|error| error.to_string())
    }

    /// The MX records of a domain.
    pub(crate) async fn mx(&self, domain: &str) -> MxAnswer {
        let take = |data: &RData| match data {
            RData::MX(mx) => Some(Exchange { preference: mx.preference, host: text(&mx.exchange) }),
            _ => None,
        };
        match self.lookup(domain, RecordType::MX, take).await {
            Found::Records(records) => MxAnswer::Records(records),
            Found::NoData => MxAnswer::NoRecords,
            Found::NoSuchName => MxAnswer::NoSuchDomain,
            Found::Failed(reason) => {
                tracing::info!(domain, reason, "no answer from DNS about MX");
                MxAnswer::Failed
            }
        }
    }

    /// The addresses of a host, of both families.
    pub(crate) async fn addresses(&self, host: &str) -> AddressAnswer {
        let v6 = self.lookup(host, RecordType::AAAA, |data| match data {
            RData::AAAA(address) => Some(IpAddr::V6(address.0)),
            _ => None,
        });
        let v4 = self.lookup(host, RecordType::A, |data| match data {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            _ => None,
        });
        let (v6, v4) = tokio::join!(v6, v4);
        match both(v6, v4) {
            Found::Records(addresses) => AddressAnswer::Addresses(addresses),
            Found::NoData | Found::NoSuchName => AddressAnswer::None,
            Found::Failed(reason) => {
                tracing::info!(host, reason, "no answer from DNS about addresses");
                AddressAnswer::Failed
            }
        }
    }

    async fn lookup<T>(&self, name: &str, kind: RecordType, take: impl Fn(&RData) -> Option<T>) -> Found<T> {
        let mut fqdn = match Name::from_utf8(name) {
            Ok(name) => name,
            // What cannot be a name has no records.
            Err(_) => return Found::NoSuchName,
        };
        // No search list: a mail domain is complete (RFC 5321 §2.3.5).
        fqdn.set_fqdn(true);
        match tokio::time::timeout(PATIENCE, self.0.lookup(fqdn, kind)).await {
            Ok(Ok(lookup)) => {
                let records = lookup.answers().iter().filter_map(|record| take(&record.data));
                let records: Vec<T> = records.take(MAX_RECORDS).collect();
                if records.is_empty() { Found::NoData } else { Found::Records(records) }
            }
            Ok(Err(error)) => absent(&error).unwrap_or_else(|| Found::Failed(error.to_string())),
            Err(_) => Found::Failed(format!("no answer within {} s", PATIENCE.as_secs())),
        }
    }
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut connections {
        connection.port = address.port();
    }
    NameServerConfig::new(address.ip(), true, connections)
}

fn options(options: &mut ResolverOpts) {
    options.attempts = ATTEMPTS;
    options.cache_size = CACHE;
    options.edns0 = true;
    options.use_hosts_file = ResolveHosts::Always;
}

/// Whether an error says that there is no such record or name.
fn absent<T>(error: &NetError) -> Option<Found<T>> {
    let NetError::Dns(DnsError::NoRecordsFound(answer)) = error else { return None };
    match answer.response_code {
        ResponseCode::NXDomain => Some(Found::NoSuchName),
        ResponseCode::NoError => Some(Found::NoData),
        _ => None,
    }
}

/// The addresses of both families. One that cannot be learned now only matters when there is no other.
fn both(v6: Found<IpAddr>, v4: Found<IpAddr>) -> Found<IpAddr> {
    match (v6, v4) {
        (Found::Records(mut v6), Found::Records(v4)) => {
            v6.extend(v4);
            Found::Records(v6)
        }
        (Found::Records(found), _) | (_, Found::Records(found)) => Found::Records(found),
        (Found::Failed(why), _) | (_, Found::Failed(why)) => Found::Failed(why),
        (Found::NoSuchName, _) | (_, Found::NoSuchName) => Found::NoSuchName,
        (Found::NoData, Found::NoData) => Found::NoData,
    }
}

/// A name as mail hosts are compared: lower case, without the last dot; the root is empty.
fn text(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use hickory_resolver::net::NoRecords;
    use hickory_resolver::proto::op::Query;

    use super::*;

    #[test]
    fn only_an_answer_is_an_absence() {
        let none = |code| NetError::Dns(DnsError::NoRecordsFound(NoRecords::new(Query::default(), code)));
        for (error, expected) in [
            (none(ResponseCode::NXDomain), Some(Found::NoSuchName)),
            (none(ResponseCode::NoError), Some(Found::NoData)),
            (none(ResponseCode::ServFail), None),
            (none(ResponseCode::Refused), None),
            (NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail)), None),
            (NetError::Timeout, None),
            (NetError::NoConnections, None),
        ] {
            assert_eq!(absent::<()>(&error), expected, "{error}");
        }
    }

    #[test]
    fn either_family_is_enough() {
        let six = || Found::Records(vec!["2001:db8::1".parse().unwrap()]);
        let four = || Found::Records(vec!["192.0.2.1".parse().unwrap()]);
        let both_found = Found::Records(vec!["2001:db8::1".parse().unwrap(), "192.0.2.1".parse().unwrap()]);
        let failed = || Found::Failed("SERVFAIL".to_owned());
        for (v6, v4, expected) in [
            (six(), four(), both_found),
            (six(), Found::NoData, six()),
            (failed(), four(), four()),
            (failed(), Found::NoData, failed()),
            (Found::NoData, failed(), failed()),
            (Found::NoSuchName, Found::NoSuchName, Found::NoSuchName),
            (Found::NoData, Found::NoData, Found::NoData),
        ] {
            assert_eq!(both(v6.clone(), v4.clone()), expected, "{v6:?} {v4:?}");
        }
    }

    #[test]
    fn names_compare_in_one_form() {
        for (name, expected) in [("MX1.Example.Test.", "mx1.example.test"), (".", ""), ("mx", "mx")] {
            assert_eq!(text(&Name::from_utf8(name).unwrap()), expected);
        }
    }

    #[tokio::test]
    async fn what_is_no_name_has_no_records_and_a_dead_server_is_no_absence() {
        let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let resolver = Resolver::patient(&[port], Duration::from_millis(50)).unwrap();
        assert_eq!(resolver.mx(&"a".repeat(300)).await, MxAnswer::NoSuchDomain);
        assert_eq!(resolver.mx("example.test").await, MxAnswer::Failed);
        assert_eq!(resolver.addresses("mx.example.test").await, AddressAnswer::Failed);
    }
}
