//! What was reported about a Service that waits for its load balancer, and when that is read again. A cluster without a
//! provider of load balancers never gives an address, and nothing new is reported there either: reading it every few seconds
//! for ever would cost the API server a list each time. Pure: the time and the random number are arguments.

use chrono::{DateTime, Utc};
use k8s_openapi::api::core::v1::{Event, Service};

use crate::backoff::Backoff;

/// A Service in one of its versions, by uid and resource version: one that changed is asked about at once.
type Version = (String, String);

/// The reports that were read last.
#[derive(Debug, Default)]
pub struct Awaited {
    backoff: Backoff<Version>,
    of: Option<Version>,
    events: Vec<Event>,
}

impl Awaited {
    /// Whether the reports of a Service are to be read now.
    pub fn is_due(&self, service: &Service, now: DateTime<Utc>) -> bool {
        let version = version(service);
        self.of.as_ref() != Some(&version) || self.backoff.is_due(&version, now)
    }

    /// They were read; the next time is later.
    pub fn read(&mut self, service: &Service, events: Vec<Event>, (now, chance): (DateTime<Utc>, f64)) {
        let version = version(service);
        self.backoff.retain(|known| *known == version);
        self.backoff.failed(version.clone(), now, chance);
        (self.of, self.events) = (Some(version), events);
    }

    /// What they said.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Whether the Service of this moment waits and there is nothing to read about it yet.
    pub fn is_patient(&self, now: DateTime<Utc>) -> bool {
        self.of.as_ref().is_some_and(|version| !self.backoff.is_due(version, now))
    }

    /// It waits no more.
    pub fn over(&mut self) {
        *self = Awaited::default();
    }
}

fn version(service: &Service) -> Version {
    let metadata = &service.metadata;
    (metadata.uid.clone().unwrap_or_default(), metadata.resource_version.clone().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use chrono::{Duration, TimeZone as _};
    use serde_json::json;

    use super::*;
    use crate::backoff::LONGEST;

    fn at(second: i64) -> DateTime<Utc> {
        Utc.timestamp_opt(1_800_000_000 + second, 0).unwrap()
    }

    fn service(version: &str) -> Service {
        let metadata = json!({"name": "mail", "uid": "u", "resourceVersion": version});
        serde_json::from_value(json!({"metadata": metadata})).unwrap()
    }

    fn events(message: &str) -> Vec<Event> {
        let event = json!({"metadata": {}, "involvedObject": {}, "message": message});
        vec![serde_json::from_value(event).unwrap()]
    }

    /// The times at which somebody who looks every five seconds for an hour reads.
    fn reads(awaited: &mut Awaited, chance: f64) -> Vec<i64> {
        let looks = (0..3600).step_by(5);
        let due = looks.filter(|second| {
            let due = awaited.is_due(&service("1"), at(*second));
            if due {
                assert!(!awaited.is_patient(at(*second)), "{second}");
                awaited.read(&service("1"), events("no provider"), (at(*second), chance));
                assert!(awaited.is_patient(at(*second)), "{second}");
            }
            due
        });
        due.collect()
    }

    #[test]
    fn an_address_that_never_comes_is_asked_about_ever_more_seldom() {
        for chance in [0.0, 0.999] {
            let mut awaited = Awaited::default();
            let reads = reads(&mut awaited, chance);
            assert_eq!(reads[..3], [0, 5, 10], "{chance}: the first ones come soon");
            assert!(reads.len() <= 25, "{chance}: {reads:?}");
            let longest = reads.windows(2).map(|two| two[1] - two[0]).max().unwrap();
            assert!(longest <= (LONGEST + Duration::seconds(5)).num_seconds(), "{chance}: {longest}");
            assert_eq!(awaited.events(), events("no provider"), "what was said stays said");
        }
    }

    #[test]
    fn a_service_that_changed_is_asked_about_at_once_and_from_the_beginning() {
        let mut awaited = Awaited::default();
        reads(&mut awaited, 0.0);
        let now = at(3600);
        assert!(!awaited.is_due(&service("1"), now) && awaited.is_due(&service("2"), now));
        awaited.read(&service("2"), Vec::new(), (now, 0.0));
        assert_eq!(awaited.events(), []);
        assert!(!awaited.is_due(&service("2"), now) && awaited.is_due(&service("2"), at(3601)));
        assert!(awaited.is_due(&service("1"), now), "its time is over");
        awaited.over();
        assert!(!awaited.is_patient(now) && awaited.is_due(&service("2"), now));
    }
}
