//! The queue against a small model: random operations, and after each the same recipients in the same states.

use std::collections::BTreeMap;

use mailwright_store::{Due, QueueFilter, QueueId, QueueState, Settled, Settlement};
use proptest::prelude::*;

use crate::queue::outgoing;
use crate::support::*;

const ADDRESSES: [&str; 4] = ["a@x.test", "b@x.test", "c@y.test", "d@z.test"];
const LEASE: i64 = 600;

#[derive(Debug, Clone)]
enum Operation {
    Enqueue(Vec<usize>, i64, bool),
    Due(usize, Option<usize>),
    /// Settles one of the leases that were handed out, however old; how each recipient ends.
    Settle(usize, u8),
    GiveBack(usize),
    Hold(usize),
    Release(usize),
    Flush(usize),
    Delete(usize),
    Pass(i64),
    Reopen,
}

fn operation() -> impl Strategy<Value = Operation> {
    let who = || 0..ADDRESSES.len();
    prop_oneof![
        5 => (proptest::collection::vec(who(), 1..4), 0..400i64, any::<bool>())
            .prop_map(|(to, later, big)| Operation::Enqueue(to, later, big)),
        5 => (1..6usize, proptest::option::of(who())).prop_map(|(n, busy)| Operation::Due(n, busy)),
        5 => (0..8usize, any::<u8>()).prop_map(|(n, how)| Operation::Settle(n, how)),
        1 => (0..8usize).prop_map(Operation::GiveBack),
        1 => who().prop_map(Operation::Hold),
        1 => who().prop_map(Operation::Release),
        1 => who().prop_map(Operation::Flush),
        1 => who().prop_map(Operation::Delete),
        3 => (1..500i64).prop_map(Operation::Pass),
        1 => Just(Operation::Reopen),
    ]
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    message: i64,
    address: &'static str,
    held: bool,
    attempts: u32,
    next: i64,
    lease: Option<(i64, i64)>,
}

#[derive(Default)]
struct Model {
    now: i64,
    /// By recipient.
    entries: BTreeMap<i64, Entry>,
    given: Vec<Due>,
}

fn domain(address: &str) -> &str {
    address.split_once('@').unwrap().1
}

impl Model {
    fn state(&self, entry: &Entry) -> QueueState {
        match entry.lease {
            Some((_, until)) if until > self.now => QueueState::Active,
            _ if entry.held => QueueState::Held,
            _ if entry.attempts == 0 => QueueState::Queued,
            _ => QueueState::Deferred,
        }
    }

    fn is_due(&self, entry: &Entry, busy: Option<usize>) -> bool {
        let free = entry.lease.is_none_or(|(_, until)| until <= self.now);
        let busy = busy.is_some_and(|who| domain(ADDRESSES[who]) == domain(entry.address));
        free && !entry.held && !busy && entry.next <= self.now
    }

    /// Recipients of an address.
    fn of(&mut self, who: usize) -> impl Iterator<Item = &mut Entry> {
        self.entries.values_mut().filter(move |entry| entry.address == ADDRESSES[who])
    }

    fn settle(&mut self, due: &Due, results: &[(i64, Settled)]) -> (bool, Vec<i64>) {
        let lost = |entry: Option<&Entry>| entry.and_then(|e| e.lease).map(|l| l.0) != Some(due.lease.0);
        let gone: Vec<i64> = results.iter().map(|r| r.0).filter(|id| lost(self.entries.get(id))).collect();
        let complete = results.iter().all(|(id, result)| *result == Settled::Done || !gone.contains(id));
        for (id, result) in results {
            match result {
                Settled::Done => drop(self.entries.remove(id)),
                Settled::Failed { .. } if complete => drop(self.entries.remove(id)),
                Settled::Deferred { next_attempt, .. } if complete => {
                    let entry = self.entries.get_mut(id).unwrap();
                    entry.attempts += 1;
                    entry.next = *next_attempt;
                    entry.lease = None;
                }
                _ => {}
            }
        }
        (complete, gone)
    }
}

struct Run {
    home: Home,
    model: Model,
    enqueued: usize,
}

impl Run {
    async fn step(mut self, operation: Operation) -> Self {
        let filter =
            |who: usize| QueueFilter { recipient: Some(ADDRESSES[who].into()), ..Default::default() };
        let queue = self.home.store.queue();
        let now = self.model.now;
        match operation {
            Operation::Enqueue(to, later, big) => {
                self.enqueued += 1;
                let raw = if big { large((self.enqueued % 3) as u8) } else { message(self.enqueued) };
                let addresses: Vec<&str> = to.iter().map(|who| ADDRESSES[*who]).collect();
                let mut given = outgoing(&addresses, raw);
                given.next_attempt = now + later;
                let id = queue.enqueue(given).await.unwrap();
                let entry = queue.show(id).await.unwrap().unwrap();
                for (recipient, who) in entry.recipients.iter().zip(&to) {
                    let entry = Entry {
                        message: id.0,
                        address: ADDRESSES[*who],
                        held: false,
                        attempts: 0,
                        next: now + later,
                        lease: None,
                    };
                    self.model.entries.insert(recipient.id.0, entry);
                }
            }
            Operation::Due(limit, busy) => self.due(limit, busy).await,
            Operation::Settle(which, how) => self.settle(which, how).await,
            Operation::GiveBack(which) => {
                let Some(due) = self.model.given.get(which).cloned() else { return self };
                let ids: Vec<_> = due.recipients.iter().map(|r| r.id).collect();
                queue.give_back(due.lease, &ids).await.unwrap();
                for id in ids {
                    if let Some(entry) = self.model.entries.get_mut(&id.0)
                        && entry.lease.is_some_and(|lease| lease.0 == due.lease.0)
                    {
                        entry.lease = None;
                    }
                }
            }
            Operation::Hold(who) => {
                queue.hold(&filter(who)).await.unwrap();
                self.model.of(who).for_each(|entry| entry.held = true);
            }
            Operation::Release(who) => {
                queue.release(&filter(who)).await.unwrap();
                for entry in self.model.of(who).filter(|entry| entry.held) {
                    (entry.held, entry.next) = (false, entry.next.min(now));
                }
            }
            Operation::Flush(who) => {
                queue.flush(&filter(who)).await.unwrap();
                for entry in self.model.of(who).filter(|entry| !entry.held) {
                    entry.next = entry.next.min(now);
                }
            }
            Operation::Delete(who) => {
                queue.delete(&filter(who)).await.unwrap();
                self.model.entries.retain(|_, entry| entry.address != ADDRESSES[who]);
            }
            Operation::Pass(seconds) => {
                self.home.pass(seconds);
                self.model.now += seconds;
            }
            Operation::Reopen => {
                self.home = self.home.reopened().await;
                self.model.entries.values_mut().for_each(|entry| entry.lease = None);
                self.model.given.clear();
            }
        }
        self
    }

    async fn due(&mut self, limit: usize, busy: Option<usize>) {
        let now = self.model.now;
        let domains: Vec<String> = busy.map(|who| domain(ADDRESSES[who]).to_owned()).into_iter().collect();
        let found = self.home.store.queue().due(now, limit, now + LEASE, &domains).await.unwrap();
        let waiting = self.model.entries.values().filter(|entry| self.model.is_due(entry, busy)).count();
        let taken: usize = found.iter().map(|due| due.recipients.len()).sum();
        assert_eq!(taken, waiting.min(limit), "as many as there are");
        let messages: Vec<QueueId> = found.iter().map(|due| due.message.id).collect();
        assert!(messages.iter().all(|id| messages.iter().filter(|other| *other == id).count() == 1));
        for due in &found {
            for recipient in &due.recipients {
                let entry = self.model.entries.get(&recipient.id.0).unwrap().clone();
                assert!(self.model.is_due(&entry, busy), "{entry:?} at {now}");
                assert_eq!((entry.message, entry.attempts), (due.message.id.0, recipient.attempts));
                let lease = Some((due.lease.0, now + LEASE));
                self.model.entries.insert(recipient.id.0, Entry { lease, ..entry });
            }
        }
        self.model.given.extend(found);
    }

    async fn settle(&mut self, which: usize, how: u8) {
        if which >= self.model.given.len() {
            return;
        }
        let due = self.model.given.swap_remove(which);
        let results: Vec<_> = due
            .recipients
            .iter()
            .enumerate()
            .map(|(i, recipient)| {
                let result = match (how >> (2 * (i % 4))) & 3 {
                    0 | 1 => Settled::Done,
                    2 => Settled::Failed { reply: "no".into() },
                    _ => Settled::Deferred {
                        next_attempt: self.model.now + 100,
                        reply: "later".into(),
                        delay_reported: false,
                    },
                };
                (recipient.id, result)
            })
            .collect();
        let settlement = Settlement {
            lease: due.lease,
            message: due.message.id,
            results: results.clone(),
            delivery: None,
        };
        let outcome = self.home.store.queue().settle(settlement).await.unwrap();
        let results: Vec<_> = results.into_iter().map(|(id, result)| (id.0, result)).collect();
        let (complete, lost) = self.model.settle(&due, &results);
        assert_eq!(outcome.complete, complete);
        assert_eq!(outcome.lost.iter().map(|id| id.0).collect::<Vec<_>>(), lost);
    }

    async fn compare(&self) {
        let queue = self.home.store.queue();
        let mut found = BTreeMap::new();
        for entry in queue.list(&QueueFilter::default()).await.unwrap() {
            for recipient in entry.recipients {
                let facts = (entry.message.id.0, recipient.address, recipient.state, recipient.attempts);
                found.insert(recipient.id.0, (facts, recipient.next_attempt));
            }
        }
        let expected: BTreeMap<_, _> = self
            .model
            .entries
            .iter()
            .map(|(id, e)| {
                let facts = (e.message, e.address.to_owned(), self.model.state(e), e.attempts);
                (*id, (facts, e.next))
            })
            .collect();
        assert_eq!(found, expected);
        let stats = queue.stats().await.unwrap();
        let count =
            |state| self.model.entries.values().filter(|e| self.model.state(e) == state).count() as u64;
        let counts = QueueState::ALL.map(count);
        assert_eq!([stats.queued, stats.active, stats.deferred, stats.held], counts);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_queue_is_its_model(operations in proptest::collection::vec(operation(), 1..40)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let home = Home::new().await;
            let mut run = Run { home, model: Model { now: START, ..Model::default() }, enqueued: 0 };
            for operation in operations {
                run = run.step(operation).await;
                run.compare().await;
            }
            run.home.sound().await;
        });
    }
}
