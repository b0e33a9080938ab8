//! Owns the requests of the leader election: a Lease of coordination.k8s.io/v1, and telling the rest of the process who
//! leads. What to ask and what an answer means is [`super::lease`].

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube_client::api::PostParams;
use kube_client::{Api, Client, Error};
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout};

use super::http::Checks;
use super::lease::{Answer, Election, Ending, Identity, LeaderState, Record, Step, Stored};
use super::metrics;
use super::options::Options;
use super::process::LEASE;

/// Takes part in the election until `stop` says true, or until leadership is lost. Give it a client of its own without
/// retries: it repeats what is worth repeating, and must not wait behind other requests.
///
/// Whoever stops a leader first ends its writers and then says `stop`, because the next leader starts at once.
pub async fn run(
    client: Client,
    options: &Options,
    tell: watch::Sender<LeaderState>,
    checks: Checks,
    mut stop: watch::Receiver<bool>,
) -> Ending {
    let mut elector = Elector::new(client, options, checks);
    loop {
        if *stop.borrow_and_update() {
            elector.election.stop(elector.now());
        }
        elector.tell(&tell);
        match elector.election.poll(elector.now(), Timestamp::now()) {
            Step::Over(ending) => {
                elector.tell(&tell);
                return ending;
            }
            Step::Wait(until) => {
                let changed = stop.wait_for(|stopped| *stopped);
                tokio::select! {
                    () = sleep_until((elector.start + until).into()) => {}
                    Ok(_) = changed => {}
                }
            }
            step => elector.ask(step).await,
        }
    }
}

struct Elector {
    election: Election,
    leases: Api<Lease>,
    place: String,
    name: String,
    start: Instant,
    /// The Lease as last seen: what others wrote into its metadata stays.
    last: Option<Lease>,
    term: u64,
    /// Where this process takes webhooks.
    webhooks: Option<SocketAddr>,
    checks: Checks,
}

/// The annotation of the Lease that says where its holder takes webhooks: the other replicas hand on what they are sent.
pub const WEBHOOKS_ANNOTATION: &str = "mailwright.dev/webhooks";

impl Elector {
    fn new(client: Client, options: &Options, checks: Checks) -> Elector {
        let now = Timestamp::now();
        let incarnation = format!("{:x}-{:x}", now.as_nanosecond(), std::process::id());
        let me = Identity { pod: options.identity.clone(), incarnation };
        // Any number does: it only spreads the looks of replicas that were started together.
        let seed = u64::try_from(now.as_nanosecond() & i128::from(u64::MAX)).unwrap_or(1);
        Elector {
            election: Election::new(me, options.lease, seed),
            leases: Api::namespaced(client, &options.namespace),
            place: format!("{}/{}", options.namespace, options.lease_name),
            name: options.lease_name.clone(),
            start: Instant::now(),
            last: None,
            term: 0,
            webhooks: options.webhook_reached,
            checks,
        }
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Tells who leads; receivers wake only when that changes.
    fn tell(&mut self, tell: &watch::Sender<LeaderState>) {
        let lead = self.election.lead().filter(|_| self.election.leads(self.now()));
        self.term = lead.map_or(self.term, |(_, term)| term);
        let until = lead.map(|(until, _)| self.start + until);
        let webhooks = if lead.is_some() { self.webhooks } else { self.last.as_ref().and_then(webhooks) };
        let new = LeaderState { term: self.term, is_leader: lead.is_some(), until, webhooks };
        let changed = tell.send_if_modified(|state| {
            let changed = (state.term, state.is_leader) != (new.term, new.is_leader);
            *state = new;
            changed
        });
        if changed {
            metrics::leader(&new);
            tracing::info!(lease = %self.place, term = new.term, leads = new.is_leader, "the leader election");
        }
    }

    async fn ask(&mut self, step: Step) {
        let patience = self.election.patience(self.now()).saturating_sub(self.now());
        let answer = match timeout(patience, self.request(&step)).await {
            Ok(Ok(answer)) => {
                self.checks.passes(LEASE);
                answer
            }
            Ok(Err(error)) => self.failed(&explain(&error, &self.place)),
            Err(_) => self.failed(&format!("no answer about the lease {} within {patience:?}", self.place)),
        };
        self.election.answer(self.now(), answer);
    }

    fn failed(&self, why: &str) -> Answer {
        metrics::lease_failed();
        self.checks.fails(LEASE, why);
        tracing::warn!("{why}");
        Answer::Failed
    }

    async fn request(&mut self, step: &Step) -> Result<Answer, Error> {
        let written = match step {
            Step::Create(record) => {
                let lease = Lease { metadata: self.metadata(None), spec: Some(spec(record)) };
                self.leases.create(&PostParams::default(), &lease).await
            }
            Step::Replace(Stored { record, version }) => {
                let lease = Lease { metadata: self.metadata(Some(version)), spec: Some(spec(record)) };
                self.leases.replace(&self.name, &PostParams::default(), &lease).await
            }
            _ => {
                self.last = self.leases.get_opt(&self.name).await?;
                return Ok(Answer::Read(self.last.as_ref().map(stored)));
            }
        };
        match written {
            Ok(lease) => {
                let version = stored(&lease).version;
                self.last = Some(lease);
                Ok(Answer::Written(version))
            }
            Err(Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(Answer::Conflict),
            Err(error) => Err(error),
        }
    }

    fn metadata(&self, version: Option<&str>) -> ObjectMeta {
        let base = match (version, &self.last) {
            (Some(_), Some(last)) => last.metadata.clone(),
            _ => ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
        };
        let mut metadata =
            ObjectMeta { resource_version: version.map(str::to_owned), managed_fields: None, ..base };
        let annotations = metadata.annotations.get_or_insert_default();
        match self.webhooks {
            Some(address) => annotations.insert(WEBHOOKS_ANNOTATION.to_owned(), address.to_string()),
            None => annotations.remove(WEBHOOKS_ANNOTATION),
        };
        metadata
    }
}

fn spec(record: &Record) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(record.holder.clone()),
        lease_duration_seconds: Some(record.duration_seconds),
        acquire_time: record.acquired.map(MicroTime),
        renew_time: record.renewed.map(MicroTime),
        lease_transitions: Some(record.transitions),
        ..LeaseSpec::default()
    }
}

/// Where the holder of a Lease takes webhooks.
fn webhooks(lease: &Lease) -> Option<SocketAddr> {
    let held = lease.spec.as_ref()?.holder_identity.as_deref().is_some_and(|holder| !holder.is_empty());
    let address = lease.metadata.annotations.as_ref()?.get(WEBHOOKS_ANNOTATION)?;
    address.parse().ok().filter(|_| held)
}

fn stored(lease: &Lease) -> Stored {
    let spec = lease.spec.clone().unwrap_or_default();
    let record = Record {
        holder: spec.holder_identity.unwrap_or_default(),
        duration_seconds: spec.lease_duration_seconds.unwrap_or_default(),
        acquired: spec.acquire_time.map(|time| time.0),
        renewed: spec.renew_time.map(|time| time.0),
        transitions: spec.lease_transitions.unwrap_or_default(),
    };
    Stored { record, version: lease.metadata.resource_version.clone().unwrap_or_default() }
}

/// What a failed request means, and what to do where something can be done.
fn explain(error: &Error, place: &str) -> String {
    match error {
        Error::Api(status) if status.code == 403 => format!(
            "the API server forbids the lease {place}: {}; the operator's Role needs get, create and update on leases of \
             coordination.k8s.io (`helm upgrade` puts it back)",
            status.message
        ),
        Error::Api(status) if status.code == 401 => {
            format!(
                "the API server does not know this operator: {}; is its service account still there?",
                status.message
            )
        }
        error => format!("the lease {place} could not be read or written: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use kube_client::core::Status;

    use super::*;

    #[test]
    fn a_lease_survives_the_way_there_and_back() {
        let time = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        for record in [
            Record::default(),
            Record {
                holder: "op-a_1".to_owned(),
                duration_seconds: 10,
                acquired: time("2026-01-02T03:04:05.678901Z"),
                renewed: time("2026-01-02T03:04:06Z"),
                transitions: 7,
            },
        ] {
            let metadata = ObjectMeta { resource_version: Some("5".to_owned()), ..ObjectMeta::default() };
            let lease = Lease { metadata, spec: Some(spec(&record)) };
            let text = serde_json::to_string(&lease).unwrap();
            let lease: Lease = serde_json::from_str(&text).unwrap();
            assert_eq!(stored(&lease), Stored { record, version: "5".to_owned() });
        }
    }

    #[test]
    fn a_lease_without_a_spec_is_free() {
        assert_eq!(stored(&Lease::default()), Stored { record: Record::default(), version: String::new() });
    }

    #[test]
    fn who_holds_a_lease_says_where_webhooks_are_taken() {
        for (holder, annotation, expected) in [
            ("op-a_1", "10.0.0.7:9292", Some("10.0.0.7:9292")),
            ("op-a_1", "[fd00::7]:9292", Some("[fd00::7]:9292")),
            ("", "10.0.0.7:9292", None),
            ("op-a_1", "example.test:80", None),
            ("op-a_1", "", None),
        ] {
            let annotations = [(WEBHOOKS_ANNOTATION.to_owned(), annotation.to_owned())];
            let record = Record { holder: holder.to_owned(), ..Record::default() };
            let metadata = ObjectMeta { annotations: Some(annotations.into()), ..ObjectMeta::default() };
            let lease = Lease { metadata, spec: Some(spec(&record)) };
            let found = webhooks(&lease).map(|address| address.to_string());
            assert_eq!(found.as_deref(), expected, "{holder} {annotation}");
        }
        assert_eq!(webhooks(&Lease::default()), None);
    }

    #[test]
    fn refusals_say_what_to_do() {
        let refusal = |code, message: &str| {
            Error::Api(Box::new(Status { code, message: message.to_owned(), ..Status::default() }))
        };
        for (error, says) in [
            (refusal(403, "no"), "needs get, create and update on leases"),
            (refusal(401, "no"), "service account"),
            (refusal(500, "etcd is away"), "etcd is away"),
        ] {
            let said = explain(&error, "mailwright/mailwright-operator");
            assert!(said.contains(says), "{said}");
        }
    }
}
