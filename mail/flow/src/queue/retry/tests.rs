//! The schedule as a table, and its properties: monotone steps, bounded, over at the end of the lifetime.

use proptest::prelude::*;

use super::*;

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

#[test]
fn steps() {
    let policy = Policy::default();
    let steps: Vec<i64> = (0..10).map(|attempts| step(&policy, attempts) / MINUTE).collect();
    assert_eq!(steps, [5, 5, 10, 20, 40, 80, 160, 240, 240, 240]);
    assert_eq!(step(&policy, u32::MAX), 4 * HOUR);
    let hasty = Policy { first: Duration::ZERO, ceiling: Duration::ZERO, ..policy };
    assert_eq!(step(&hasty, 3), 1, "never at once: that would be a busy loop");
    let endless = Policy { first: Duration::MAX, ceiling: Duration::MAX, ..policy };
    assert_eq!(step(&endless, 40), i64::MAX);
}

#[test]
fn lifetimes() {
    let policy = Policy::default();
    assert_eq!(policy.expires(1000, false), 1000 + 5 * DAY);
    assert_eq!(policy.expires(1000, true), 1000 + DAY);
    let short = Policy { lifetime: Duration::from_secs(60), ..policy };
    assert_eq!(short.expires(0, true), 60, "never longer than other mail");
    for (now, late) in [(0, false), (4 * HOUR - 1, false), (4 * HOUR, true), (i64::MAX, true)] {
        assert_eq!(policy.is_late(0, now), late, "{now}");
    }
}

#[test]
fn next_attempts() {
    let policy = Policy::default();
    for (attempts, now, jitter, expected) in [
        (1, 0, 0, Next::At(300)),
        (1, 0, 75, Next::At(225)),
        (1, 0, 76, Next::At(300)),
        (7, 1000, 0, Next::At(1000 + 4 * HOUR)),
        (9, 5 * DAY - 60, 0, Next::At(5 * DAY)),
        (9, 5 * DAY, 0, Next::Expired),
        (1, 6 * DAY, 0, Next::Expired),
    ] {
        assert_eq!(next(&policy, attempts, now, 5 * DAY, jitter), expected, "{attempts} {now} {jitter}");
    }
}

/// RFC 5321 §4.5.4.1: four to five days. How often a dead host is tried in them.
#[test]
fn five_days() {
    let policy = Policy::default();
    let (mut now, mut attempts) = (0, 1);
    while let Next::At(at) = next(&policy, attempts, now, policy.expires(0, false), 0) {
        (now, attempts) = (at, attempts + 1);
    }
    assert_eq!((now, attempts), (5 * DAY, 36));
}

proptest! {
    #[test]
    fn always_later_never_beyond_the_end(
        attempts in any::<u32>(), now in 0..10 * DAY, life in 1..10 * DAY, jitter in any::<u64>(), first in 0..9000u64, ceiling in 0..90_000u64,
    ) {
        let policy = Policy { first: Duration::from_secs(first), ceiling: Duration::from_secs(ceiling), ..Policy::default() };
        match next(&policy, attempts, now, life, jitter) {
            Next::Expired => prop_assert!(now >= life),
            Next::At(at) => {
                prop_assert!(at > now && at <= life);
                let step = step(&policy, attempts);
                prop_assert!(at - now <= step);
                prop_assert!(at == life || (at - now) >= (step - step / 4).max(1));
            }
        }
    }

    #[test]
    fn steps_grow(attempts in 0..100u32, first in 1..9000u64, ceiling in 1..90_000u64) {
        let policy = Policy { first: Duration::from_secs(first), ceiling: Duration::from_secs(ceiling), ..Policy::default() };
        prop_assert!(step(&policy, attempts) <= step(&policy, attempts + 1));
        prop_assert!(step(&policy, attempts) <= i64::try_from(ceiling).unwrap());
    }

    /// Whatever the jitter, it ends, at the end of the lifetime and after a bounded number of attempts.
    #[test]
    fn it_ends(jitters in proptest::collection::vec(any::<u64>(), 1..20)) {
        let policy = Policy::default();
        let (mut now, mut attempts) = (0, 1u32);
        while let Next::At(at) = next(&policy, attempts, now, policy.expires(0, false), jitters[attempts as usize % jitters.len()]) {
            (now, attempts) = (at, attempts + 1);
            prop_assert!(attempts < 60);
        }
        prop_assert_eq!(now, 5 * DAY);
    }
}
