//! The virtual world: its clock, its zones, its hosts with their faults, and the log of what happened at the hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard};

use mailwright_flow::queue::mx::{AddressAnswer, Exchange, MxAnswer};
use mailwright_store::UnixTime;
use mailwright_tests::random::Random;

/// When histories begin.
pub const START: UnixTime = 1_795_000_000;
/// Seconds.
pub const DAY: UnixTime = 24 * 3600;
/// Our own name.
pub const OURS: &str = "mx.example.test";
/// A domain that always takes mail: reports to its people always arrive.
pub const GOOD: &str = "good.test";
/// Domains beside it.
const DOMAINS: usize = 5;

/// The world of one history.
pub struct World {
    now: AtomicI64,
    /// What name servers say.
    pub zones: BTreeMap<String, Zone>,
    hosts: BTreeMap<String, Vec<IpAddr>>,
    faults: BTreeMap<IpAddr, Fault>,
    log: Mutex<Log>,
}

/// A domain.
pub struct Zone {
    mx: MxAnswer,
    /// SERVFAIL until then.
    dark_until: UnixTime,
    /// What must become of its mail.
    pub expect: Expect,
}

/// What must become of mail for a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// It arrives.
    Arrives,
    /// It comes back with this status.
    Bounces(&'static str),
    /// One or the other.
    Either,
}

/// How a host fails, until when.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// Where in the dialog.
    pub point: Point,
    /// How.
    pub kind: Kind,
    /// Only recipients with an even number.
    pub partial: bool,
    until: UnixTime,
}

/// Where in the dialog a host fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    Connect,
    Greeting,
    Hello,
    Mail,
    Rcpt,
    Data,
    /// Behind the final dot, the message is thrown away.
    Before,
    /// Behind the final dot, the message is kept.
    After,
}

/// How it fails there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Stall,
    Garbage,
    Later,
    Never,
    Drop,
}

/// A message that a host took for one recipient.
#[derive(Debug, Clone)]
pub struct Taken {
    pub recipient: String,
    pub reverse_path: String,
    pub raw: String,
    /// The host said so.
    pub told: bool,
    /// In which life of ours.
    pub life: usize,
}

/// What happened.
#[derive(Debug, Default)]
pub struct Log {
    pub taken: Vec<Taken>,
    /// Connections to a host, now and at most.
    pub open: BTreeMap<String, (usize, usize)>,
    /// Lives that ended.
    pub lives: usize,
    /// Crash points at which they ended.
    pub died: BTreeSet<&'static str>,
}

impl World {
    /// Zones and hosts as the seed has them.
    pub fn random(random: &mut Random) -> World {
        let mut world = World {
            now: AtomicI64::new(START),
            zones: BTreeMap::new(),
            hosts: BTreeMap::new(),
            faults: BTreeMap::new(),
            log: Mutex::default(),
        };
        world.host("mx.good.test", 1, None);
        world.zone(GOOD, &[(10, "mx.good.test")], 0, Expect::Arrives);
        for number in 0..DOMAINS {
            world.domain(random, number);
        }
        world
    }

    fn domain(&mut self, random: &mut Random, number: usize) {
        let domain = format!("d{number}.test");
        let (a, b) = (format!("mx1.{domain}"), format!("mx2.{domain}"));
        let ip = 10 + 2 * number as u8;
        let until = START + random.below(8 * DAY as usize) as UnixTime;
        match random.below(10) {
            0 => self.plain(&domain, MxAnswer::NoSuchDomain, "5.1.2"),
            1 => self.plain(&domain, records(&[(0, ".")]), "5.1.10"),
            2 => self.plain(&domain, records(&[(10, OURS), (20, &b)]), "5.4.6"),
            3 => self.plain(&domain, records(&[(10, &a)]), "5.4.4"),
            4 => {
                self.host(&a, ip, None);
                self.zone(&domain, &[(10, &a)], until, Expect::Either);
            }
            5 => {
                self.host(&domain, ip, None);
                let zone = Zone { mx: MxAnswer::NoRecords, dark_until: 0, expect: Expect::Arrives };
                self.zones.insert(domain, zone);
            }
            6 => {
                // The first host is down for ever, the second is well.
                let fault =
                    Fault { point: Point::Connect, kind: Kind::Drop, partial: false, until: UnixTime::MAX };
                self.host(&a, ip, Some(fault));
                self.host(&b, ip + 1, None);
                self.zone(&domain, &[(10, &a), (20, &b)], 0, Expect::Arrives);
            }
            _ => {
                let fault = Fault { until, ..fault(random) };
                self.host(&a, ip, Some(fault));
                self.zone(&domain, &[(10, &a)], 0, Expect::Either);
            }
        }
    }

    fn plain(&mut self, domain: &str, mx: MxAnswer, status: &'static str) {
        let zone = Zone { mx, dark_until: 0, expect: Expect::Bounces(status) };
        self.zones.insert(domain.to_owned(), zone);
    }

    fn zone(&mut self, domain: &str, mx: &[(u16, &str)], dark_until: UnixTime, expect: Expect) {
        self.zones.insert(domain.to_owned(), Zone { mx: records(mx), dark_until, expect });
    }

    fn host(&mut self, name: &str, number: u8, fault: Option<Fault>) {
        let ip = IpAddr::V4(Ipv4Addr::new(192, 0, 2, number));
        self.hosts.insert(name.to_owned(), vec![ip]);
        self.faults.extend(fault.map(|fault| (ip, fault)));
    }

    pub fn now(&self) -> UnixTime {
        self.now.load(Ordering::SeqCst)
    }

    pub fn set(&self, now: UnixTime) {
        self.now.store(now, Ordering::SeqCst);
    }

    pub fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// MX records, as they are answered now.
    pub fn mx(&self, domain: &str) -> MxAnswer {
        match self.zones.get(domain) {
            None => MxAnswer::NoSuchDomain,
            Some(zone) if self.now() < zone.dark_until => MxAnswer::Failed,
            Some(zone) => zone.mx.clone(),
        }
    }

    pub fn addresses(&self, host: &str) -> AddressAnswer {
        self.hosts.get(host).map_or(AddressAnswer::None, |ips| AddressAnswer::Addresses(ips.clone()))
    }

    /// How a host fails now.
    pub fn fault(&self, ip: IpAddr) -> Option<Fault> {
        self.faults.get(&ip).copied().filter(|fault| self.now() < fault.until)
    }
}

fn records(list: &[(u16, &str)]) -> MxAnswer {
    let exchange =
        |(preference, host): &(u16, &str)| Exchange { preference: *preference, host: (*host).to_owned() };
    MxAnswer::Records(list.iter().map(exchange).collect())
}

fn fault(random: &mut Random) -> Fault {
    use Point::{After, Before, Connect, Data, Greeting, Hello, Rcpt};
    let point = *random.pick(&[Connect, Greeting, Hello, Point::Mail, Rcpt, Data, Before, After]);
    let kind = *random.pick(&[Kind::Stall, Kind::Garbage, Kind::Later, Kind::Never, Kind::Drop]);
    Fault { point, kind, partial: random.chance(50), until: 0 }
}

/// A directory in memory where there is one: what is tested is order, not the disk.
pub fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}
