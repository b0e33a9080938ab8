//! Each rule of the election by itself: a script of what the Lease says and what is asked of it.

use super::*;

const DEADLINE: u64 = 7_000;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn wall(second: i64) -> Timestamp {
    Timestamp::from_second(FIRST_TERM_EPOCH + second).unwrap()
}

fn identity(incarnation: &str) -> Identity {
    Identity { pod: "op-a".to_owned(), incarnation: incarnation.to_owned() }
}

fn candidate() -> Election {
    Election::new(identity("2"), LeaseTimes::default(), 7)
}

/// A Lease held by `holder`, renewed at that second.
fn held(holder: &str, transitions: i32, renewed: i64, version: &str) -> Stored {
    let record = Record {
        holder: holder.to_owned(),
        duration_seconds: 10,
        acquired: Some(wall(0)),
        renewed: Some(wall(renewed)),
        transitions,
    };
    Stored { record, version: version.to_owned() }
}

/// Reads the Lease at `at` and answers what is done then.
fn reads(election: &mut Election, at: u64, lease: Option<Stored>) -> Step {
    assert_eq!(election.poll(ms(at), wall(500)), Step::Get, "at {at}");
    election.answer(ms(at), Answer::Read(lease));
    election.poll(ms(at), wall(500))
}

/// A candidate that leads since 0 under term 4.
fn leader() -> Election {
    let mut election = candidate();
    let step = reads(&mut election, 0, Some(held("", 3, 1, "10")));
    assert!(matches!(step, Step::Replace(_)), "{step:?}");
    election.answer(ms(50), Answer::Written("11".to_owned()));
    assert!(election.leads(ms(50)));
    election
}

#[test]
fn a_lease_that_is_not_there_is_made() {
    let mut election = candidate();
    let Step::Create(record) = reads(&mut election, 0, None) else { panic!() };
    assert_eq!((record.holder.as_str(), record.duration_seconds), ("op-a_2", 10));
    assert_eq!(record.transitions, 500, "terms begin at the seconds since 2020");
    assert!(!election.leads(ms(0)));
    election.answer(ms(20), Answer::Written("1".to_owned()));
    assert!(election.leads(ms(20)));
    assert_eq!(election.lead(), Some((ms(DEADLINE), 500)), "counted from before the request");
}

#[test]
fn who_may_take_a_lease_that_somebody_holds() {
    // (what the Lease says first, how long it stays like that, the term of the take-over)
    let table: &[(&str, u64, Option<i32>)] = &[
        ("", 0, Some(5)),
        ("op-b_1", 0, None),
        ("op-b_1", 9_999, None),
        ("op-b_1", 10_000, Some(5)),
        ("op-a_1", 0, Some(5)),
        ("op-a_2", 0, Some(4)),
        // Not one of ours by its form: waited for like any other.
        ("op-a", 0, None),
        ("somebody", 9_000, None),
    ];
    for (holder, later, expected) in table {
        let mut election = candidate();
        let mut step = reads(&mut election, 0, Some(held(holder, 4, 1, "10")));
        if *later > 0 {
            assert!(matches!(step, Step::Wait(_)), "{holder}: {step:?}");
            step = reads(&mut election, *later, Some(held(holder, 4, 1, "10")));
        }
        let taken = match &step {
            Step::Replace(Stored { record, version }) => {
                assert_eq!((record.holder.as_str(), version.as_str()), ("op-a_2", "10"));
                Some(record.transitions)
            }
            _ => None,
        };
        assert_eq!(taken, *expected, "{holder} after {later} ms: {step:?}");
    }
}

#[test]
fn a_renewal_counts_from_when_it_was_seen_not_from_what_it_says() {
    let mut election = candidate();
    reads(&mut election, 0, Some(held("op-b_1", 4, 1, "10")));
    // Changed, although its time lies in the past.
    reads(&mut election, 9_000, Some(held("op-b_1", 4, -100, "11")));
    let step = reads(&mut election, 18_999, Some(held("op-b_1", 4, -100, "11")));
    assert!(matches!(step, Step::Wait(at) if at <= ms(19_000)), "looks again when it expires: {step:?}");
    let step = reads(&mut election, 19_000, Some(held("op-b_1", 4, -100, "11")));
    assert!(matches!(step, Step::Replace(_)), "{step:?}");
}

#[test]
fn a_version_that_changes_without_a_renewal_does_not_keep_a_leader_alive() {
    let mut election = candidate();
    reads(&mut election, 0, Some(held("op-b_1", 4, 1, "10")));
    let step = reads(&mut election, 10_000, Some(held("op-b_1", 4, 1, "99")));
    assert!(matches!(step, Step::Replace(Stored { version, .. }) if version == "99"));
}

#[test]
fn the_longer_of_two_durations_is_waited_for_within_reason() {
    for (seconds, expires) in [(1, 10_000), (30, 30_000), (i32::MAX, 300_000), (-5, 10_000)] {
        let lease = || {
            let mut lease = held("op-b_1", 4, 1, "10");
            lease.record.duration_seconds = seconds;
            Some(lease)
        };
        let mut election = candidate();
        reads(&mut election, 0, lease());
        let early = reads(&mut election, expires - 1, lease());
        assert!(matches!(early, Step::Wait(_)), "{seconds}: {early:?}");
        let step = reads(&mut election, expires, lease());
        assert!(matches!(step, Step::Replace(_)), "{seconds}: {step:?}");
    }
}

#[test]
fn a_deleted_lease_is_made_anew_when_its_holder_must_have_noticed() {
    let mut election = candidate();
    reads(&mut election, 0, Some(held("op-b_1", 600, 1, "10")));
    assert!(matches!(reads(&mut election, 5_000, None), Step::Wait(_)));
    let Step::Create(record) = reads(&mut election, 10_000, None) else { panic!() };
    assert_eq!(record.transitions, 601, "more than was seen, although the clock on the wall says 500");
}

#[test]
fn followers_look_every_retry_with_jitter() {
    let mut election = candidate();
    let mut at = 0;
    for round in 0..5 {
        let lease = held("op-b_1", 4, round, "10");
        let Step::Wait(next) = reads(&mut election, at, Some(lease)) else { panic!() };
        let gap = next.as_millis() as u64 - at;
        assert!((1_500..=1_800).contains(&gap), "{gap}");
        assert_eq!(election.poll(next - ms(1), wall(0)), Step::Wait(next));
        at += gap;
    }
}

#[test]
fn a_request_under_way_is_the_only_one() {
    let mut election = candidate();
    assert_eq!(election.poll(ms(0), wall(0)), Step::Get);
    assert!(matches!(election.poll(ms(1), wall(0)), Step::Wait(_)));
    election.answer(ms(2), Answer::Failed);
    assert!(matches!(election.poll(ms(3), wall(0)), Step::Wait(next) if next >= ms(1_502)));
}

#[test]
fn losing_the_race_is_following() {
    for answer in [Answer::Conflict, Answer::Failed] {
        let mut election = candidate();
        reads(&mut election, 0, Some(held("", 3, 1, "10")));
        election.answer(ms(10), answer);
        assert!(!election.leads(ms(10)));
        assert!(matches!(election.poll(ms(10), wall(0)), Step::Wait(_)));
    }
}

#[test]
fn a_leader_renews_with_what_it_wrote_last() {
    let mut election = leader();
    assert_eq!(election.poll(ms(100), wall(0)), Step::Wait(ms(1_500)));
    let Step::Replace(Stored { record, version }) = election.poll(ms(1_500), wall(502)) else { panic!() };
    assert_eq!((record.transitions, record.renewed, version.as_str()), (4, Some(wall(502)), "11"));
    assert_eq!(record.acquired, Some(wall(500)), "stays when it was acquired");
    election.answer(ms(1_600), Answer::Written("12".to_owned()));
    assert_eq!(election.lead(), Some((ms(1_500 + DEADLINE), 4)));
}

#[test]
fn a_leader_without_an_answer_reads_first_and_goes_on() {
    let mut election = leader();
    assert!(matches!(election.poll(ms(1_500), wall(0)), Step::Replace(_)));
    election.answer(ms(3_800), Answer::Failed);
    let Step::Wait(next) = election.poll(ms(3_800), wall(0)) else { panic!() };
    let at = next.as_millis() as u64;
    let Step::Replace(Stored { version, .. }) = reads(&mut election, at, Some(held("op-a_2", 4, 9, "12")))
    else {
        panic!()
    };
    assert_eq!(version, "12", "the renewal had come through");
    election.answer(next, Answer::Written("13".to_owned()));
    assert!(election.leads(next + ms(DEADLINE - 1)));
}

#[test]
fn how_leadership_is_lost() {
    let reading = |read: Option<Stored>| {
        let mut election = leader();
        election.poll(ms(1_500), wall(0));
        election.answer(ms(1_510), Answer::Conflict);
        let step = reads(&mut election, 1_510, read);
        assert!(!election.leads(ms(1_510)));
        step
    };
    let taken = reading(Some(held("op-b_1", 5, 9, "12")));
    assert_eq!(taken, Step::Over(Ending::TakenBy("op-b_1".to_owned())));
    assert_eq!(reading(None), Step::Over(Ending::LeaseDeleted));

    let mut silent = leader();
    assert!(silent.leads(ms(DEADLINE - 1)));
    assert!(!silent.leads(ms(DEADLINE)), "even before anything runs again");
    assert_eq!(silent.poll(ms(DEADLINE), wall(0)), Step::Over(Ending::Expired));
    assert_eq!(silent.poll(ms(DEADLINE + 1), wall(0)), Step::Over(Ending::Expired), "for good");
}

#[test]
fn a_leader_that_stops_gives_the_lease_back() {
    let mut election = leader();
    election.stop(ms(900));
    assert!(!election.leads(ms(900)), "before anything is sent");
    let Step::Replace(Stored { record, version }) = election.poll(ms(900), wall(600)) else { panic!() };
    assert_eq!((record.holder.as_str(), record.transitions, version.as_str()), ("", 4, "11"));
    election.answer(ms(950), Answer::Written("12".to_owned()));
    assert_eq!(election.poll(ms(950), wall(0)), Step::Over(Ending::Stopped));
}

#[test]
fn a_stop_during_a_renewal_waits_for_it_and_then_gives_back() {
    let mut election = leader();
    assert!(matches!(election.poll(ms(1_500), wall(0)), Step::Replace(_)));
    election.stop(ms(1_550));
    assert!(!election.leads(ms(1_550)));
    assert!(matches!(election.poll(ms(1_550), wall(0)), Step::Wait(_)));
    election.answer(ms(1_600), Answer::Written("12".to_owned()));
    let Step::Replace(Stored { record, version }) = election.poll(ms(1_600), wall(0)) else { panic!() };
    assert_eq!((record.holder.as_str(), version.as_str()), ("", "12"));
}

#[test]
fn a_stop_that_cannot_give_back_ends_all_the_same() {
    let mut election = leader();
    election.stop(ms(0));
    assert!(matches!(election.poll(ms(0), wall(0)), Step::Replace(_)));
    election.answer(ms(2_000), Answer::Failed);
    assert_eq!(election.poll(ms(DEADLINE), wall(0)), Step::Over(Ending::NotReleased));

    let mut overtaken = leader();
    overtaken.stop(ms(0));
    overtaken.poll(ms(0), wall(0));
    overtaken.answer(ms(10), Answer::Conflict);
    assert_eq!(reads(&mut overtaken, 10, Some(held("op-b_1", 5, 1, "12"))), Step::Over(Ending::Stopped));

    let mut follower = candidate();
    follower.stop(ms(0));
    assert_eq!(follower.poll(ms(0), wall(0)), Step::Over(Ending::Stopped));
}

#[test]
fn only_a_loss_is_an_error() {
    for (ending, loss, says) in [
        (Ending::Stopped, false, "left"),
        (Ending::NotReleased, false, "when it expires"),
        (Ending::Expired, true, "CPU limit"),
        (Ending::TakenBy("op-b_1".into()), true, "op-b_1"),
        (Ending::LeaseDeleted, true, "deleted"),
    ] {
        assert_eq!(ending.is_loss(), loss, "{ending}");
        assert!(ending.to_string().contains(says), "{ending}");
    }
}

#[test]
fn a_frozen_process_is_caught_by_its_clock() {
    let now = Instant::now();
    let state = LeaderState { term: 3, is_leader: true, until: Some(now + ms(10)), webhooks: None };
    assert!(state.leads_at(now) && !state.leads_at(now + ms(10)));
    assert!(!LeaderState { is_leader: false, ..state }.leads_at(now));
    assert!(!state.is_deposed_at(now) && state.is_deposed_at(now + ms(10)));
    assert!(LeaderState { is_leader: false, ..state }.is_deposed_at(now));
    assert!(!LeaderState::default().is_deposed_at(now), "who never led was not deposed");
}
