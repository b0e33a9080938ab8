//! Two controllers and a database under seeds: requests fail before or after they were carried out, another controller leads between a
//! look and a write, processes die, nobody says who may what, revisions come while something is under way.
//!
//! At every moment: rows of others are as they were, an account that every revision declares is in service once it was, and who leads no more
//! writes nothing after its successor did. In the end: the state is that of an undisturbed pass, and one more pass writes nothing.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use mailwright_crds::{Kind, ObjectRef};
use mailwright_operator::accounts::{Accounts, AccountsError, AccountsErrorKind, Record};
use mailwright_operator::kubernetes::database::Database;
use mailwright_operator::operator::{Absence, KUBERNETES, ReadWhole, Removal};
use mailwright_operator::repository::Revision;
use mailwright_operator::source::Snapshot;
use mailwright_plan::right::{Denied, Right};
use mailwright_plan::{Batch, BatchReply, Observed, simulate};
use mailwright_tests::installation::now;
use mailwright_tests::manifests::Manifests;
use mailwright_tests::random::Random;

use super::{approved, controller, read, rows, watched};

/// Seeds from here on, one run each.
const SEED: u64 = 20_261_123;
const RUNS: u64 = 8;
/// What happens in a run.
const EVENTS: usize = 40;
const REVISIONS: usize = 4;

/// Rows in memory behind the fence that the store has.
#[derive(Debug, Default)]
struct Rows {
    observed: Observed,
    term: u64,
    /// The terms of all batches that were carried out, in their order.
    written: Vec<u64>,
}

/// What goes wrong with the next requests, and whose requests they are.
#[derive(Debug, Clone)]
struct Faulty {
    rows: Arc<Mutex<Rows>>,
    random: Arc<Mutex<Random>>,
    percent: usize,
}

impl Faulty {
    fn fails(&self) -> bool {
        self.random.lock().unwrap().chance(self.percent)
    }

    fn lost() -> AccountsError {
        AccountsError::unreachable("the connection broke")
    }

    fn calm(&self) -> Faulty {
        Faulty { percent: 0, ..self.clone() }
    }

    fn observed(&self) -> Observed {
        self.rows.lock().unwrap().observed.clone()
    }
}

impl Accounts for Faulty {
    async fn observe(&self) -> Result<Observed, AccountsError> {
        tokio::task::yield_now().await;
        if self.fails() {
            return Err(Faulty::lost());
        }
        Ok(self.observed())
    }

    async fn apply(&self, batch: Batch) -> Result<BatchReply, AccountsError> {
        tokio::task::yield_now().await;
        if self.fails() {
            return Err(Faulty::lost());
        }
        let reply = {
            let mut rows = self.rows.lock().unwrap();
            let term = batch.fence.as_ref().map_or(rows.term, |fence| fence.term);
            if term < rows.term {
                return Err(AccountsError::new(AccountsErrorKind::Fenced, "a newer leader has written"));
            }
            rows.term = term;
            let before = rows.observed.clone();
            let reply = simulate::apply_batch(&mut rows.observed, &batch, now());
            if rows.observed != before {
                rows.observed.change_counter += 1;
                rows.written.push(term);
            }
            reply
        };
        match self.fails() {
            true => Err(Faulty::lost()),
            false => Ok(reply),
        }
    }

    async fn record_keys(&self) -> Result<Vec<ObjectRef>, AccountsError> {
        Ok(Vec::new())
    }

    async fn records(&self, _: Vec<ObjectRef>) -> Result<Vec<Record>, AccountsError> {
        Ok(Vec::new())
    }

    async fn records_version(&self) -> Result<Option<u64>, AccountsError> {
        Ok(None)
    }

    async fn put_records(&self, _: Vec<Record>) -> Result<usize, AccountsError> {
        Ok(0)
    }

    async fn forget(&self, _: Vec<ObjectRef>) -> Result<(), AccountsError> {
        Ok(())
    }
}

/// An API server that sometimes says nothing, and sometimes no.
struct Moody {
    random: Arc<Mutex<Random>>,
}

impl Absence for Moody {
    async fn verify(&self, removals: &[Removal]) -> Vec<bool> {
        vec![true; removals.len()]
    }

    async fn denied(&self, rights: &BTreeSet<Right>) -> Result<Denied, String> {
        let mut random = self.random.lock().unwrap();
        if random.chance(15) {
            return Err("the API server does not answer".to_owned());
        }
        let missing = rights.iter().filter(|_| random.chance(10));
        let rights = missing.map(|right| (right.clone(), "make a RoleBinding".to_owned())).collect();
        Ok(Denied { who: "default/deployer".to_owned(), rights })
    }
}

/// A process: the sink with what it knows, its term and the revision that it has seen.
struct Process {
    sink: Database<Faulty>,
    term: u64,
    revision: usize,
}

struct World {
    random: Arc<Mutex<Random>>,
    accounts: Faulty,
    snapshots: Vec<Snapshot>,
    /// The revision that a fetch finds now.
    head: usize,
    term: u64,
    processes: Vec<Process>,
    /// Addresses of mailboxes that are enabled in every revision.
    always: BTreeSet<String>,
    seen: BTreeSet<String>,
    others: serde_json::Value,
}

fn enabled(observed: &Observed) -> BTreeSet<String> {
    let rows = observed.mailboxes.iter().filter(|row| row.removed_at.is_none() && row.declared.enabled);
    rows.map(|row| row.declared.address.clone()).collect()
}

/// The rows of the cluster's own objects.
fn of_others(observed: &Observed) -> serde_json::Value {
    let mut others = observed.clone();
    let is_theirs = |owner: Option<&mailwright_plan::observed::Owner>| {
        owner.is_some_and(|owner| owner.managed_by == KUBERNETES)
    };
    others.servers.retain(|row| is_theirs(row.owner.as_deref()));
    others.domains.retain(|row| is_theirs(row.owner.as_deref()));
    others.mailboxes.retain(|row| is_theirs(row.owner.as_deref()));
    others.aliases.retain(|row| is_theirs(row.owner.as_deref()));
    rows(&others)
}

impl World {
    async fn new(seed: u64, home: &std::path::Path) -> World {
        let mut random = Random::new(seed);
        let places: Vec<PathBuf> = (0..REVISIONS).map(|number| home.join(number.to_string())).collect();
        places.iter().for_each(|place| Manifests::random(&mut random).write(place, 2));
        let snapshots: Vec<Snapshot> = places.iter().map(|place| read(place)).collect();
        let mut always: Option<BTreeSet<String>> = None;
        for snapshot in &snapshots {
            let rows = enabled(&undisturbed(&snapshots[0], snapshot, Observed::default()).await);
            always = Some(always.map_or(rows.clone(), |known| known.intersection(&rows).cloned().collect()));
        }
        let random = Arc::new(Mutex::new(random));
        let accounts = Faulty { rows: Arc::default(), random: Arc::clone(&random), percent: 12 };
        watched(accounts.calm(), &snapshots[0], &[Kind::MailServer]).await.unwrap();
        let others = of_others(&accounts.observed());
        let mut world = World {
            random,
            accounts,
            snapshots,
            head: 0,
            term: 1,
            processes: Vec::new(),
            always: always.unwrap_or_default(),
            seen: BTreeSet::new(),
            others,
        };
        world.processes = (0..2).map(|_| world.process(1)).collect();
        world
    }

    fn process(&self, term: u64) -> Process {
        let sink = controller(self.accounts.clone(), Some(term), &self.snapshots[self.head]);
        Process { sink, term, revision: self.head }
    }

    fn below(&self, bound: usize) -> usize {
        self.random.lock().unwrap().below(bound)
    }

    async fn event(&mut self) {
        let who = self.below(2);
        match self.below(10) {
            0 => self.head = self.below(REVISIONS),
            1 => self.processes[who] = self.process(self.processes[who].term),
            2 => {
                self.term += 1;
                self.processes[who] = self.process(self.term);
            }
            3 => {
                // Both believe that they lead, and their looks and writes come between each other.
                let [one, two] = &mut self.processes[..] else { return };
                let moody = Moody { random: Arc::clone(&self.random) };
                let _ = tokio::join!(approved(&mut one.sink, &moody), approved(&mut two.sink, &moody));
            }
            _ => {
                let process = &mut self.processes[who];
                if process.revision != self.head {
                    let snapshot = self.snapshots[self.head].clone();
                    process.sink.take(&Revision { snapshot, taken: None, verified: false });
                    process.revision = self.head;
                }
                let moody = Moody { random: Arc::clone(&self.random) };
                let _ = approved(&mut self.processes[who].sink, &moody).await;
            }
        }
    }

    fn check(&mut self, place: &str) {
        let observed = self.accounts.observed();
        assert_eq!(of_others(&observed), self.others, "{place}: rows of others");
        let now_enabled = enabled(&observed);
        for address in self.seen.iter().filter(|address| self.always.contains(*address)) {
            assert!(now_enabled.contains(address), "{place}: {address} went out of service");
        }
        self.seen.extend(now_enabled);
        let written = self.accounts.rows.lock().unwrap().written.clone();
        assert!(written.is_sorted(), "{place}: a deposed controller wrote: {written:?}");
    }
}

/// What one pass leads to without any fault.
async fn undisturbed(server: &Snapshot, snapshot: &Snapshot, before: Observed) -> Observed {
    let rows = Arc::new(Mutex::new(Rows { observed: before, ..Rows::default() }));
    let accounts = Faulty { rows, random: Arc::new(Mutex::new(Random::new(0))), percent: 0 };
    watched(accounts.clone(), server, &[Kind::MailServer]).await.unwrap();
    approved(&mut controller(accounts.clone(), None, snapshot), &ReadWhole).await.unwrap();
    accounts.observed()
}

#[tokio::test]
async fn faults_in_any_order_end_in_the_same_state() {
    let (mut writes, mut terms) = (0, 0);
    for seed in SEED..SEED + RUNS {
        let home = tempfile::tempdir().unwrap();
        let mut world = World::new(seed, home.path()).await;
        for event in 0..EVENTS {
            world.event().await;
            world.check(&format!("seed {seed}, event {event}"));
        }
        let calm = world.accounts.calm();
        let (first, last) = (&world.snapshots[0], &world.snapshots[world.head]);
        let mut sink = controller(calm.clone(), Some(world.term + 1), last);
        let expected = undisturbed(first, last, calm.observed()).await;
        approved(&mut sink, &ReadWhole).await.unwrap();
        assert_eq!(rows(&calm.observed()), rows(&expected), "seed {seed}");
        let enabled_now = enabled(&calm.observed());
        let declared = enabled(&undisturbed(first, last, Observed::default()).await);
        assert!(enabled_now.is_superset(&declared), "seed {seed}: everybody who is declared is served");
        let before = calm.rows.lock().unwrap().written.len();
        let again =
            approved(&mut controller(calm.clone(), Some(world.term + 1), last), &ReadWhole).await.unwrap();
        assert_eq!(again.plan.operations.len(), 0, "seed {seed}: {:?}", again.plan.operations);
        assert_eq!(calm.rows.lock().unwrap().written.len(), before, "seed {seed}");
        writes += before;
        terms += world.term;
    }
    println!("{RUNS} runs from seed {SEED}: {writes} writes under {terms} terms");
    assert!(writes > 40, "{writes}");
}
