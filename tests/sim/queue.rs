//! The queue over five virtual days: the real store and the real runner, name servers and hosts that fail in every way, and
//! deaths of this process at the store's crash points. What must hold is in `check/`, a file for each promise.
//!
//! A failure prints its seed; `MAILWRIGHT_SIM_SEED=n` runs that one alone, `MAILWRIGHT_SIM_SEEDS=n` runs more.

mod check;
mod life;
mod mail;
mod peer;
mod world;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use mailwright_flow::queue::Policy;
use mailwright_tests::random::Random;

use self::check::schedule::Watch;
use self::life::Life;
use self::mail::Mail;
use self::world::{DAY, World};

/// Seeds of one run.
const SEEDS: u64 = 100;
/// Seeds at once: SQLite and its checks keep a core busy each.
const THREADS: usize = 2;
/// Deaths in one history at most; afterwards the process lives, so that the history ends.
const DEATHS: usize = 6;
/// Steps of the clock in one history: a retry schedule has 36, and eight messages have one each.
const STEPS: usize = 3000;

#[test]
fn every_message_ends_delivered_or_bounced() {
    let seeds = match std::env::var("MAILWRIGHT_SIM_SEED") {
        Ok(seed) => seed.parse().map(|seed| seed..seed + 1).expect("a seed is a number"),
        Err(_) => {
            let count = std::env::var("MAILWRIGHT_SIM_SEEDS").ok().and_then(|count| count.parse().ok());
            0..count.unwrap_or(SEEDS)
        }
    };
    let next = AtomicU64::new(seeds.start);
    let died = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !seeds.contains(&seed) {
                        break;
                    }
                    let points = history(seed);
                    died.lock().unwrap().extend(points);
                }
            });
        }
    });
    if seeds.end - seeds.start >= SEEDS {
        let died = died.into_inner().unwrap();
        for point in ["job.before", "job.after", "commit.before", "commit.after"] {
            assert!(died.contains(point), "nobody died at {point}: {died:?}");
        }
    }
}

/// One history; answers where the process died in it.
fn history(seed: u64) -> BTreeSet<&'static str> {
    let mut random = Random::new(seed);
    let world = Arc::new(World::random(&mut random));
    let mut mails = Mail::random(&mut random, &world);
    let data = world::directory();
    let mut watch = Watch::new(Policy::default());
    let mut life = Life::begin(data.path(), &world, None, seed).expect("the first life opens");
    life.accounts();
    let mut steps = 0;
    loop {
        steps += 1;
        assert!(steps < STEPS, "seed {seed}: the history does not end: {:?}", life.queue());
        let now = world.now();
        let mut alive = true;
        for mail in mails.iter_mut().filter(|mail| mail.given.is_none() && mail.at <= now) {
            mail.given = Some(life.enqueue(mail, now));
        }
        alive &= life.pass();
        if !alive {
            world.log().lives += 1;
            let fuse = (world.log().lives < DEATHS).then(|| random.below(60));
            life = reborn(data.path(), &world, life, fuse, seed);
            continue;
        }
        let queue = life.queue();
        watch.look(seed, now, &queue);
        let coming = mails.iter().filter(|mail| mail.given.is_none()).map(|mail| mail.at).min();
        let due = life.next_due();
        let Some(next) = coming.into_iter().chain(due).min() else {
            assert!(queue.is_empty(), "seed {seed}: left behind: {queue:?}");
            break;
        };
        assert!(next < world::START + 20 * DAY, "seed {seed}: it is tried for ever: {queue:?}");
        world.set(next.max(now + 1));
        // Some lives are cut short.
        if world.log().lives < DEATHS && random.chance(4) {
            world.log().lives += 1;
            let fuse = Some(random.below(60));
            life = reborn(data.path(), &world, life, fuse, seed);
        }
    }
    // What is looked at now is what is on disk; nobody dies while looking.
    let life = reborn(data.path(), &world, life, None, seed);
    let inboxes = life.inboxes();
    let problems = life.problems();
    assert_eq!(problems, Vec::<String>::new(), "seed {seed}: the store is not sound");
    let log = world.log();
    check::fate::check(seed, &world, &mails, &log, &inboxes);
    check::reports::check(seed, &mails, &log, &inboxes);
    check::limits::check(seed, &log);
    log.died.clone()
}

/// The next life, however often it dies while it opens.
fn reborn(
    data: &std::path::Path,
    world: &Arc<World>,
    life: Life,
    mut fuse: Option<usize>,
    seed: u64,
) -> Life {
    drop(life);
    loop {
        match Life::begin(data, world, fuse, seed) {
            Some(life) => return life,
            None => {
                world.log().lives += 1;
                fuse = None;
            }
        }
    }
}
