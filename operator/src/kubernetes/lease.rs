//! Owns the leader election as a state machine: what to ask of the Lease, and whether this process leads. Time comes as an
//! argument, so that every rule is tried under skewed clocks. Leaves out the requests ([`super::leader`]).
//! Source: client-go, `tools/leaderelection`.
//!
//! ```text
//!            GET: free, expired, or a dead process of this pod → PUT accepted
//!  Following ───────────────────────────────────────────────────────────────► Leading ─── stop ──► Releasing
//!      │ ▲                                                                       │  ▲                  │
//!      └─┘ GET: somebody leads; 409; no answer          no renewal for 7 s, or   │  └─ PUT accepted    ▼
//!                                                       somebody else holds it   └──────────────────► Over
//! ```
//!
//! A follower counts a leader dead when it saw no renewal for the lease's whole duration **by its own clock**: clocks of
//! two machines are never compared. A leader counts its renewals from before each request was sent. So two never lead at
//! once while clocks run at rates within 7 : 10 of each other. A process that was frozen may still act on what it
//! believed before; the term is there for that: a database refuses a smaller one than it has seen.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;

use super::options::LeaseTimes;

/// No leader, however it is configured, is waited for longer than this: a mistyped Lease must not stop the election.
const LONGEST_DURATION: Duration = Duration::from_secs(300);

/// 2020-01-01T00:00:00Z. A Lease that is made anew counts its transitions from the seconds since then, so that terms go on
/// growing when somebody deletes the Lease; as an `i32` that lasts until 2088.
const FIRST_TERM_EPOCH: i64 = 1_577_836_800;

/// What the rest of the process knows of the leader election; told through a `tokio::sync::watch`, whose receivers wake
/// when `term` or `is_leader` changes and not at every renewal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeaderState {
    /// The Lease's transition number under which this process leads, or led last. It grows with every change of leader,
    /// and a database refuses what comes under a smaller one than it has seen.
    pub term: u64,
    /// Whether this process leads now. False for good once leadership was lost: the process then ends.
    pub is_leader: bool,
    /// Until when that holds without another renewal.
    pub until: Option<Instant>,
    /// Where the one that leads takes webhooks, as far as it says so.
    pub webhooks: Option<SocketAddr>,
}

impl LeaderState {
    /// Whether this process leads at that moment: right before a write this also catches a process that was frozen and
    /// whose election has not run since.
    pub fn leads_at(&self, now: Instant) -> bool {
        self.is_leader && self.until.is_none_or(|until| now < until)
    }

    /// Whether this process led and does not at that moment: another one may.
    pub fn is_deposed_at(&self, now: Instant) -> bool {
        self.term > 0 && !self.leads_at(now)
    }
}

/// Who a process is in the election. A pod that restarts its container is the same pod and another process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The pod. No two processes that run at the same time share it.
    pub pod: String,
    /// What tells this process from earlier ones of the pod.
    pub incarnation: String,
}

impl Identity {
    /// Whether `holder` is an earlier process of this pod, which is dead since this one runs.
    fn succeeds(&self, holder: &str) -> bool {
        holder
            .rsplit_once('_')
            .is_some_and(|(pod, incarnation)| pod == self.pod && incarnation != self.incarnation)
    }
}

/// As it stands in `holderIdentity`.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.pod, self.incarnation)
    }
}

/// What a Lease says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Who leads; empty when it was given back.
    pub holder: String,
    /// For how many seconds without a renewal.
    pub duration_seconds: i32,
    /// Since when, by the holder's clock. Never compared.
    pub acquired: Option<Timestamp>,
    /// The last renewal, by the holder's clock. Only whether it changes counts.
    pub renewed: Option<Timestamp>,
    /// How often the holder changed: the term.
    pub transitions: i32,
}

impl Record {
    fn duration(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.duration_seconds).unwrap_or(0)).min(LONGEST_DURATION)
    }
}

/// A Lease as the API server has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What it says.
    pub record: Record,
    /// Its `resourceVersion`, the precondition of every write.
    pub version: String,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Read the Lease, and answer with [`Answer::Read`].
    Get,
    /// Make the Lease, and answer with [`Answer::Written`].
    Create(Record),
    /// Replace the Lease if it still has this version, and answer with [`Answer::Written`].
    Replace(Stored),
    /// Nothing before this time, or until the process is asked to stop.
    Wait(Duration),
    /// The election is over for this process.
    Over(Ending),
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The Lease, if there is one.
    Read(Option<Stored>),
    /// It was written and has this version now.
    Written(String),
    /// It was not written: somebody else was faster, or it is gone.
    Conflict,
    /// Nobody knows: an error, or no answer in time.
    Failed,
}

/// How the election ended for this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It led and gave the Lease back, or it never led.
    Stopped,
    /// It led and could not give the Lease back: others take over when it expires.
    NotReleased,
    /// No renewal succeeded in time.
    Expired,
    /// The Lease names another holder.
    TakenBy(String),
    /// The Lease was deleted.
    LeaseDeleted,
}

impl Ending {
    /// Whether leadership ended against the will of the process, which must then end with an error.
    pub fn is_loss(&self) -> bool {
        !matches!(self, Ending::Stopped | Ending::NotReleased)
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Stopped => f.write_str("the election was left"),
            Ending::NotReleased => {
                f.write_str("the lease could not be given back; another replica takes over when it expires")
            }
            Ending::Expired => f.write_str(
                "the lease could not be renewed in time; look at the API server's latency and at this pod's CPU limit",
            ),
            Ending::TakenBy(holder) => write!(f, "the lease was taken over by {holder}"),
            Ending::LeaseDeleted => f.write_str("the lease was deleted; the next leader makes a new one"),
        }
    }
}

/// One process's part in the election. Every time is the process's monotonic clock since any moment.
#[derive(Debug)]
pub struct Election {
    me: Identity,
    times: LeaseTimes,
    random: u64,
    state: State,
    request: Option<Request>,
    /// The next look at the Lease, or the next renewal.
    next: Duration,
}

#[derive(Debug)]
enum State {
    /// `seen`: the Lease when it last changed, and when this process saw that.
    Following {
        seen: Option<(Stored, Duration)>,
        current: Option<Stored>,
        decided: bool,
    },
    /// `stored`: the Lease as this process wrote it; none when the outcome of the last write is unknown.
    Leading {
        stored: Option<Stored>,
        term: u64,
        until: Duration,
    },
    /// As in `Leading`, and no longer leading.
    Releasing {
        stored: Option<Stored>,
        until: Duration,
    },
    Over(Ending),
}

/// A request under way.
#[derive(Debug)]
struct Request {
    sent: Duration,
    record: Option<Record>,
}

mod following;
mod leading;

impl Election {
    /// A candidate. `seed` decides the jitter.
    pub fn new(me: Identity, times: LeaseTimes, seed: u64) -> Election {
        let state = State::Following { seen: None, current: None, decided: true };
        Election { me, times, random: seed | 1, state, request: None, next: Duration::ZERO }
    }

    /// Whether this process leads at `now`.
    pub fn leads(&self, now: Duration) -> bool {
        matches!(self.state, State::Leading { until, .. } if now < until)
    }

    /// Until when this process leads without another renewal, and under which term.
    pub fn lead(&self) -> Option<(Duration, u64)> {
        match self.state {
            State::Leading { until, term, .. } => Some((until, term)),
            _ => None,
        }
    }

    /// The latest moment at which the answer of a request sent at `now` still helps.
    pub fn patience(&self, now: Duration) -> Duration {
        let patient = now + self.times.renew_deadline / 3;
        match self.state {
            State::Leading { until, .. } | State::Releasing { until, .. } => patient.min(until),
            _ => patient,
        }
    }

    /// The process is asked to end: a leader leads no more from here on and gives the Lease back.
    pub fn stop(&mut self, now: Duration) {
        let state = std::mem::replace(&mut self.state, State::Over(Ending::Stopped));
        self.state = match state {
            State::Leading { stored, until, .. } if now < until => {
                self.next = now;
                State::Releasing { stored, until }
            }
            State::Leading { .. } => State::Over(Ending::Expired),
            State::Following { .. } => State::Over(Ending::Stopped),
            other => other,
        };
    }

    /// What to do now. `wall` is the clock on the wall, for people who read the Lease.
    pub fn poll(&mut self, now: Duration, wall: Timestamp) -> Step {
        if self.request.is_some() {
            return Step::Wait(self.patience(now));
        }
        let step = match &self.state {
            State::Over(ending) => return Step::Over(ending.clone()),
            State::Following { .. } => self.poll_following(now, wall),
            State::Leading { .. } | State::Releasing { .. } => self.poll_leading(now, wall),
        };
        let record = match &step {
            Step::Create(record) | Step::Replace(Stored { record, .. }) => Some(record.clone()),
            Step::Get => None,
            Step::Wait(_) | Step::Over(_) => return step,
        };
        self.request = Some(Request { sent: now, record });
        step
    }

    /// What came of the request that [`Self::poll`] asked for.
    pub fn answer(&mut self, now: Duration, answer: Answer) {
        let Some(request) = self.request.take() else { return };
        match self.state {
            State::Following { .. } => self.answer_following(now, request, answer),
            State::Leading { .. } | State::Releasing { .. } => self.answer_leading(now, request, answer),
            State::Over(_) => {}
        }
    }

    /// The retry period, up to a fifth longer.
    fn retry(&mut self) -> Duration {
        // xorshift64: spread, not secrecy.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let share = (self.random % 1000) as f64 / 1000.0;
        let retry = self.times.retry.mul_f64(1.0 + LeaseTimes::JITTER * share);
        Duration::from_millis(u64::try_from(retry.as_millis()).unwrap_or(u64::MAX))
    }

    /// The record by which this process holds the Lease.
    fn record(&self, wall: Timestamp, acquired: Option<Timestamp>, transitions: i32) -> Record {
        Record {
            holder: self.me.to_string(),
            // Rounded up: a follower may wait longer than asked, never shorter.
            duration_seconds: i32::try_from(self.times.duration.as_millis().div_ceil(1000))
                .unwrap_or(i32::MAX),
            acquired: acquired.or(Some(wall)),
            renewed: Some(wall),
            transitions,
        }
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
