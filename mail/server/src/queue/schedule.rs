//! Which message goes next to which destination, and how many connections each may have: the queue's memory of what it has
//! taken on. Plain data under the runner's lock; connections and decisions are elsewhere.
//!
//! A destination begins with few connections and earns more by success, so that one that is down is not met by twenty
//! attempts at once, and one that is fast is soon at its limit.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use tokio::sync::Notify;

/// Connections that a destination has before anything succeeded; Postfix begins with as many.
const FIRST: usize = 5;
/// Messages that may wait for one destination while others have mail too: the store is then asked for other destinations,
/// so that a slow one never fills the queue's memory.
pub(super) const CROWDED: usize = 500;

/// Where mail goes: everything with one key can share a connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Destination {
    /// The hosts of a domain, lower case.
    Domain(String),
    /// The smarthost.
    Relay,
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Domain(domain) => f.write_str(domain),
            Destination::Relay => f.write_str("the smarthost"),
        }
    }
}

/// What waits, by destination.
pub(super) struct Schedule<J> {
    lanes: HashMap<Destination, Lane<J>>,
}

struct Lane<J> {
    waiting: VecDeque<J>,
    /// Connections, those that are being made included.
    workers: usize,
    /// Of them, those that wait for something to do.
    idle: usize,
    /// Those that have a connection on which a host waits.
    connected: usize,
    /// Connections that it has earned.
    allowed: usize,
    wake: Arc<Notify>,
}

impl<J> Default for Lane<J> {
    fn default() -> Lane<J> {
        Lane {
            waiting: VecDeque::new(),
            workers: 0,
            idle: 0,
            connected: 0,
            allowed: FIRST,
            wake: Arc::default(),
        }
    }
}

impl<J> Default for Schedule<J> {
    fn default() -> Schedule<J> {
        Schedule { lanes: HashMap::new() }
    }
}

impl<J> Schedule<J> {
    /// Adds a message; true when a worker must be started for it (it is counted already).
    pub(super) fn push(&mut self, destination: &Destination, job: J, most: usize) -> bool {
        let lane = self.lanes.entry(destination.clone()).or_default();
        lane.waiting.push_back(job);
        if lane.idle > 0 {
            lane.wake.notify_one();
        }
        lane.wants_worker(most)
    }

    /// The next message for a worker that is free.
    pub(super) fn take(&mut self, destination: &Destination) -> Option<J> {
        self.lanes.get_mut(destination)?.waiting.pop_front()
    }

    /// A message went through: the destination may have one connection more. True when a worker must be started for it.
    pub(super) fn succeeded(&mut self, destination: &Destination, most: usize) -> bool {
        let Some(lane) = self.lanes.get_mut(destination) else { return false };
        lane.allowed = (lane.allowed + 1).min(most.max(1));
        lane.wants_worker(most)
    }

    /// A worker has a connection.
    pub(super) fn connected(&mut self, destination: &Destination) {
        if let Some(lane) = self.lanes.get_mut(destination) {
            lane.connected += 1;
        }
    }

    /// A worker has none any more.
    pub(super) fn disconnected(&mut self, destination: &Destination) {
        if let Some(lane) = self.lanes.get_mut(destination) {
            lane.connected = lane.connected.saturating_sub(1);
        }
    }

    /// A further connection was refused while others hold: the destination has as many as it wants. The message goes back
    /// to the head of the line and the worker is counted out. Without others the message comes back.
    pub(super) fn retreat(&mut self, destination: &Destination, job: J) -> Result<(), J> {
        let Some(lane) = self.lanes.get_mut(destination).filter(|lane| lane.connected > 0) else {
            return Err(job);
        };
        lane.waiting.push_front(job);
        lane.workers = lane.workers.saturating_sub(1);
        lane.allowed = lane.connected;
        lane.wake.notify_one();
        Ok(())
    }

    /// No host took a connection: everything that waits comes out, and the next attempt begins small.
    pub(super) fn failed(&mut self, destination: &Destination) -> Vec<J> {
        let Some(lane) = self.lanes.get_mut(destination) else { return Vec::new() };
        lane.allowed = FIRST;
        lane.waiting.drain(..).collect()
    }

    /// A worker begins to wait; it is woken by what this answers.
    pub(super) fn rest(&mut self, destination: &Destination) -> Option<Arc<Notify>> {
        let lane = self.lanes.get_mut(destination)?;
        lane.idle += 1;
        Some(Arc::clone(&lane.wake))
    }

    /// The worker does not wait any more.
    pub(super) fn resume(&mut self, destination: &Destination) {
        if let Some(lane) = self.lanes.get_mut(destination) {
            lane.idle = lane.idle.saturating_sub(1);
        }
    }

    /// A worker wants to end: a message that came meanwhile keeps it.
    pub(super) fn leave(&mut self, destination: &Destination) -> Option<J> {
        let lane = self.lanes.get_mut(destination)?;
        if let Some(job) = lane.waiting.pop_front() {
            return Some(job);
        }
        lane.workers = lane.workers.saturating_sub(1);
        if lane.workers == 0 {
            self.lanes.remove(destination);
        }
        None
    }

    /// Everything that waits, of all destinations.
    pub(super) fn drain(&mut self) -> Vec<J> {
        self.lanes.values_mut().flat_map(|lane| lane.waiting.drain(..)).collect()
    }

    /// Domains for which enough waits here.
    pub(super) fn crowded(&self) -> Vec<String> {
        let crowded = self.lanes.iter().filter(|(_, lane)| lane.waiting.len() >= CROWDED);
        let domain = |destination: &Destination| match destination {
            Destination::Domain(domain) => Some(domain.clone()),
            Destination::Relay => None,
        };
        crowded.filter_map(|(destination, _)| domain(destination)).collect()
    }

    /// Destinations that have work or connections.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.lanes.len()
    }
}

impl<J> Lane<J> {
    /// Counts another worker when there is more to do than those that are free can begin with.
    fn wants_worker(&mut self, most: usize) -> bool {
        let wanted = self.waiting.len() > self.idle && self.workers < self.allowed.min(most.max(1));
        self.workers += usize::from(wanted);
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(domain: &str) -> Destination {
        Destination::Domain(domain.to_owned())
    }

    #[test]
    fn connections_are_few_at_first_and_earned() {
        let (mut schedule, there) = (Schedule::default(), to("example.org"));
        let started = (0..30).filter(|job| schedule.push(&there, *job, 20)).count();
        assert_eq!(started, FIRST);
        let earned = (0..100).filter(|_| schedule.succeeded(&there, 20)).count();
        assert_eq!(FIRST + earned, 20, "and never more than the limit");
        for (most, expected) in [(1, 1), (3, 3), (0, 1)] {
            let mut schedule = Schedule::default();
            assert_eq!((0..30).filter(|job| schedule.push(&there, *job, most)).count(), expected, "{most}");
        }
    }

    #[test]
    fn messages_leave_in_their_order_and_the_last_worker_takes_the_lane_along() {
        let (mut schedule, there) = (Schedule::default(), to("example.org"));
        assert!(schedule.push(&there, 1, 20));
        assert!(schedule.push(&there, 2, 20));
        assert_eq!(
            (schedule.take(&there), schedule.take(&there), schedule.take(&there)),
            (Some(1), Some(2), None)
        );
        schedule.push(&there, 3, 2);
        assert_eq!(schedule.leave(&there), Some(3), "what came meanwhile is not left behind");
        assert_eq!((schedule.leave(&there), schedule.leave(&there)), (None, None));
        assert_eq!(schedule.len(), 0);
        assert_eq!(schedule.take(&there), None);
    }

    #[tokio::test]
    async fn a_free_worker_is_woken_before_another_is_started() {
        let (mut schedule, there) = (Schedule::default(), to("example.org"));
        assert!(schedule.push(&there, 1, 20));
        assert_eq!(schedule.take(&there), Some(1));
        let wake = schedule.rest(&there).unwrap();
        assert!(!schedule.push(&there, 2, 20), "one waits already");
        wake.notified().await;
        schedule.resume(&there);
        assert!(schedule.push(&there, 3, 20), "nobody waits any more");
    }

    #[test]
    fn a_destination_that_is_down_gives_everything_back_and_begins_small() {
        let (mut schedule, there) = (Schedule::default(), to("example.org"));
        for job in 0..10 {
            schedule.push(&there, job, 20);
        }
        while schedule.succeeded(&there, 20) {}
        assert_eq!(schedule.failed(&there), (0..10).collect::<Vec<_>>());
        assert!(!schedule.push(&there, 11, 20), "more workers than it has earned are there still");
        assert_eq!(schedule.failed(&to("elsewhere.example")), Vec::<i32>::new());
    }

    #[test]
    fn a_refused_further_connection_leaves_the_work_to_those_that_hold() {
        let (mut schedule, there) = (Schedule::default(), to("example.org"));
        for job in 0..4 {
            schedule.push(&there, job, 20);
        }
        let (first, second) = (schedule.take(&there).unwrap(), schedule.take(&there).unwrap());
        assert_eq!(schedule.retreat(&there, second), Err(1), "nobody holds one");
        schedule.connected(&there);
        assert_eq!(schedule.retreat(&there, second), Ok(()));
        assert_eq!((first, schedule.take(&there)), (0, Some(1)), "it is first in the line");
        assert!(!schedule.push(&there, 9, 20), "one connection is what it wants");
        schedule.disconnected(&there);
        assert_eq!(schedule.retreat(&there, 5), Err(5));
    }

    #[test]
    fn a_crowded_destination_is_named_and_the_smarthost_never() {
        let mut schedule = Schedule::default();
        for job in 0..CROWDED {
            assert!(schedule.crowded().is_empty());
            schedule.push(&to("slow.example"), job, 20);
            schedule.push(&Destination::Relay, job, 20);
        }
        assert_eq!(schedule.crowded(), ["slow.example"]);
        assert_eq!(schedule.drain().len(), 2 * CROWDED);
        assert!(schedule.crowded().is_empty());
    }
}
