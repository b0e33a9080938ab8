//! Two processes decide on stale views of one API server and die in the middle, revisions come in between, somebody edits and deletes
//! by hand. What another repository or a person made is never touched, who every revision declares is never without an object
//! once there was one, and in the end a pass writes nothing.

use super::*;

/// Seeds from here on, one run each.
const SEED: u64 = 20_261_121;
const RUNS: u64 = 60;
const EVENTS: usize = 60;
const REVISIONS: usize = 5;
const PEOPLE: usize = 6;
/// How many states back a watch may be.
const STALE: u64 = 6;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % bound.max(1)) as usize
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }
}

/// Objects by their names, as an API server has them.
type Objects = BTreeMap<String, Value>;

struct World {
    random: Random,
    /// All states, the newest last.
    states: Vec<Objects>,
    revisions: Vec<Vec<Value>>,
    head: usize,
    made: usize,
    writes: usize,
}

fn address(object: &Value) -> String {
    object["spec"]["address"].as_str().unwrap().to_owned()
}

fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap().to_owned()
}

fn is_ours(object: &Value) -> bool {
    object["metadata"]["labels"]["mailwright.dev/repository"] == "company"
}

/// The mailboxes of one revision: everybody or nobody, under one of two names, with one of two quotas; the first one always.
fn revision(random: &mut Random) -> Vec<Value> {
    let mut all = Vec::new();
    for at in 0..PEOPLE {
        if at > 0 && random.one_in(3) {
            continue;
        }
        let quota = if random.one_in(2) { json!({"quota": "1Gi"}) } else { json!({}) };
        let object = format!("{}{at}", if random.one_in(3) { "n" } else { "m" });
        let address = json!(format!("m{at}@example.test"));
        all.push(with(mailbox(&object, &quota), "/spec/address", address));
    }
    // What another repository has, and what a person made and nobody declares otherwise.
    if random.one_in(2) {
        all.push(mailbox("theirs", &json!({"quota": "9Gi"})));
    }
    all
}

impl World {
    fn new(seed: u64) -> World {
        let mut random = Random(seed);
        let revisions = (0..REVISIONS).map(|_| revision(&mut random)).collect();
        let mut theirs = with(mailbox("theirs", &json!({})), "/metadata/uid", json!("theirs"));
        theirs["metadata"]["labels"] = json!({
            "mailwright.dev/repository": "other", "mailwright.dev/repository-namespace": "mail",
        });
        let by_hand = with(mailbox("by-hand", &json!({})), "/metadata/uid", json!("by-hand"));
        let first = [theirs, by_hand].map(|object| (name(&object), object)).into();
        World { random, states: vec![first], revisions, head: 0, made: 0, writes: 0 }
    }

    fn now(&self) -> &Objects {
        &self.states[self.states.len() - 1]
    }

    fn change(&mut self, change: impl FnOnce(&mut Objects)) {
        let mut next = self.now().clone();
        change(&mut next);
        self.states.push(next);
    }

    fn case(&self, back: usize, revision: usize) -> Case {
        let seen = &self.states[self.states.len() - 1 - back.min(self.states.len() - 1)];
        let (desired, live) = (self.revisions[revision].clone(), seen.values().cloned().collect());
        let spec = json!({"guards": {"maxRemovedPercent": 100, "maxRemoved": 1000}});
        Case { desired, live, spec, ..Case::default() }
    }

    /// Carries out a step as the API server does; whether it was taken.
    fn send(&mut self, case: &Case, operation: &Operation, step: &Step) -> bool {
        let object = operation.object.name.to_string();
        let there = self.now().get(&object).cloned();
        let uid_of = |value: &Value| value["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        match step {
            Step::Delete { uid, .. } => {
                if there.is_none_or(|there| uid_of(&there) != *uid) {
                    return true;
                }
                self.change(|objects| drop(objects.remove(&object)));
            }
            Step::Write { desired, uid } => {
                // What is made is taken from nobody, and what is changed is what was seen.
                let expected = there.as_ref().map(uid_of);
                if *uid != expected && !(uid.is_none() && there.as_ref().is_some_and(is_ours)) {
                    return false;
                }
                self.made += 1;
                let kept = expected.unwrap_or_else(|| format!("u{}", self.made));
                let value = with(written(&case.desired[*desired]), "/metadata/uid", json!(kept));
                self.change(|objects| drop(objects.insert(object, value)));
            }
        }
        self.writes += 1;
        true
    }

    /// One pass on a view so many states old, which ends after so many steps.
    fn pass(&mut self, back: usize, revision: usize, steps: usize) {
        let case = self.case(back, revision);
        let mut decision = case.decide();
        let asked = decision.questions();
        let answer = |object: ObjectRef| {
            let ours = self.now().get(object.name.as_str()).filter(|found| is_ours(found));
            let uid = ours.map(|found| found["metadata"]["uid"].as_str().unwrap().to_owned());
            // Now and then the API server does not say.
            let silent = back + steps == 7;
            (object, (!silent).then_some(Owned { uid }))
        };
        decision.believe(&asked.into_iter().map(answer).collect());
        let mut refused = BTreeSet::new();
        for (operation, step) in decision.plan.operations.iter().zip(&decision.steps).take(steps) {
            let waits = matches!(step, Step::Delete { heir: Some(heir), .. } if refused.contains(heir))
                || decision.unsure.contains(&operation.object);
            if operation.held.is_none() && !waits && !self.send(&case, operation, step) {
                refused.insert(operation.object.clone());
            }
        }
    }

    fn event(&mut self) {
        let (back, steps) = (self.random.below(STALE), self.random.below(12));
        match self.random.below(8) {
            0 => self.head = self.random.below(REVISIONS as u64),
            // Somebody edits by hand.
            1 => {
                let object = format!("m{}", self.random.below(PEOPLE as u64));
                self.change(|objects| {
                    if let Some(found) = objects.get_mut(&object) {
                        found["spec"]["quota"] = json!("7Gi");
                    }
                });
            }
            // A process that leads no more has still to notice a revision.
            2 => {
                let old = self.random.below(REVISIONS as u64);
                self.pass(back, old, steps);
            }
            _ => self.pass(back, self.head, steps),
        }
    }

    fn check(&self, place: &str) {
        for name in ["theirs", "by-hand"] {
            assert_eq!(self.now().get(name), self.states[0].get(name), "{place}: {name} is not ours");
        }
        let has = |objects: &Objects| objects.values().any(|it| address(it) == "m0@example.test");
        let had = self.states.iter().position(has);
        let without = had.and_then(|from| self.states[from..].iter().position(|it| !has(it)));
        assert_eq!(without, None, "{place}: who every revision declares was without an object");
    }
}

#[test]
fn stale_views_deaths_and_two_processes_end_in_what_is_declared() {
    let mut writes = 0;
    for seed in SEED..SEED + RUNS {
        let mut world = World::new(seed);
        for event in 0..EVENTS {
            world.event();
            world.check(&format!("seed {seed}, event {event}"));
        }
        let whole = usize::MAX;
        world.pass(0, world.head, whole);
        world.pass(0, world.head, whole);
        world.check(&format!("seed {seed}, in the end"));
        let left = world.case(0, world.head).decide();
        assert_eq!(said(&left), "", "seed {seed}: a pass over what is declared writes nothing");
        let ours: BTreeSet<String> = world.now().values().filter(|it| is_ours(it)).map(name).collect();
        let declared = world.revisions[world.head].iter().map(name).filter(|name| name != "theirs");
        assert_eq!(ours, declared.collect(), "seed {seed}");
        writes += world.writes;
    }
    assert!(writes > 600, "{writes}");
    println!("{RUNS} runs from seed {SEED}: {writes} writes");
}
