//! Sequence numbers: what a client counts from the responses is what the view means.

use super::*;
use crate::flags::{DELETED, FLAGGED, SEEN};
use crate::response::tests::written;
use crate::sequence::Bound;
use proptest::prelude::*;

fn row(uid: u32, flags: u64) -> Row {
    Row { uid, modseq: 1, flags }
}

fn view(uids: &[u32]) -> View {
    let rows = uids.iter().map(|uid| row(*uid, 0)).collect();
    let selected =
        Selected { uid_validity: 7, uid_next: 100, rows, first_recent: u32::MAX, ..Selected::default() };
    let mut view = View::new(MailboxName::inbox(), false, Modes::default(), selected);
    view.write_counts(&mut Out::default(), true);
    view
}

fn changes(rows: Vec<Row>, vanished: Vec<u32>) -> Changes {
    let vanished = vanished.into_iter().map(|uid| uid..=uid).collect();
    Changes { rows, vanished, first_recent: u32::MAX, ..Changes::default() }
}

fn set(ranges: &[(u32, u32)]) -> SequenceSet {
    let bound = |number| if number == 0 { Bound::Largest } else { Bound::Number(number) };
    SequenceSet::new(ranges.iter().map(|(low, high)| (bound(*low), bound(*high))).collect())
}

/// RFC 3501 §6.3.1's responses, in its order.
#[test]
fn select_answers() {
    let selected = Selected {
        uid_validity: 3857529045,
        uid_next: 4392,
        highest_modseq: 715_194_045_007,
        rows: vec![row(1, SEEN), row(5, 0), row(9, 1 << 5)],
        keywords: vec!["$Junk".into()],
        first_recent: 9,
        ..Selected::default()
    };
    let mut view = View::new(MailboxName::inbox(), false, Modes::default(), selected.clone());
    assert_eq!(
        written(|out| view.announce(out)),
        "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Junk)\r\n\
         * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Junk \\*)] Flags permitted\r\n\
         * 3 EXISTS\r\n* 1 RECENT\r\n* OK [UNSEEN 2] First unseen message\r\n\
         * OK [UIDVALIDITY 3857529045] UIDs are valid\r\n* OK [UIDNEXT 4392] Predicted next UID\r\n\
         * OK [HIGHESTMODSEQ 715194045007] Highest\r\n"
    );
    let mut view = View::new(MailboxName::inbox(), true, Modes::default(), selected);
    assert!(written(|out| view.announce(out)).contains("* OK [PERMANENTFLAGS ()]"));
}

#[test]
fn a_full_keyword_table_takes_no_new_ones() {
    let keywords: Vec<String> = (0..MAX_KEYWORDS).map(|n| format!("k{n}")).collect();
    let selected = Selected { keywords, ..Selected::default() };
    let mut view = View::new(MailboxName::inbox(), false, Modes::default(), selected);
    let answer = written(|out| view.announce(out));
    assert!(answer.contains("k57)] Flags permitted"), "{answer}");
}

#[test]
#[allow(clippy::single_range_in_vec_init, reason = "one range is what is meant")]
fn sets_name_places() {
    let view = view(&[3, 5, 9]);
    for (ranges, uids, numbers) in [
        (&[(1, 0)][..], vec![0..3], Some(vec![0..3])),
        (&[(5, 5)], vec![1..2], None),
        (&[(10, 0)], vec![2..3], None),
        (&[(0, 0)], vec![2..3], Some(vec![2..3])),
        (&[(1, 2)], vec![], Some(vec![0..2])),
        (&[(3, 3), (1, 1)], vec![0..1], Some(vec![0..1, 2..3])),
        (&[(4, u32::MAX)], vec![1..3], None),
    ] {
        assert_eq!(view.places_of_uids(&set(ranges)), uids, "UIDs {ranges:?}");
        assert_eq!(view.places_of_numbers(&set(ranges)), numbers, "numbers {ranges:?}");
    }
    assert_eq!(view.uids(&[0..1, 2..3]), [3, 9]);
}

#[test]
fn an_empty_mailbox_has_no_places() {
    let view = view(&[]);
    assert_eq!(view.places_of_numbers(&set(&[(1, 0)])), Some(vec![]));
    assert_eq!(view.places_of_numbers(&set(&[(2, 2)])), None);
    assert!(view.places_of_uids(&set(&[(1, 0)])).is_empty());
}

#[test]
fn changes_of_others() {
    let mut view = view(&[1, 2, 3]);
    let mut out = Out::default();
    let updated = view.apply(changes(vec![row(2, SEEN), row(3, 0), row(4, FLAGGED)], vec![1]), &mut out);
    assert_eq!(updated, [1]);
    assert!(out.is_empty());
    assert_eq!(written(|out| view.write_update(out, 1, true)), "* 2 FETCH (UID 2 FLAGS (\\Seen))\r\n");
    assert_eq!(written(|out| view.write_counts(out, false)), "* 4 EXISTS\r\n");
    assert_eq!(view.rows().len(), 4, "the expunged message keeps its number");
    assert_eq!(written(|out| view.expunge(out)), "* 1 EXPUNGE\r\n");
    assert_eq!(written(|out| view.write_counts(out, false)), "");
    assert_eq!(view.place(2), Some(0));
    let again = view.apply(changes(vec![row(1, SEEN), row(2, SEEN)], vec![1, 77]), &mut Out::default());
    assert!(again.is_empty() && !view.has_gone());
}

#[test]
fn a_new_keyword_is_told_before_it_is_used() {
    let mut view = view(&[1]);
    let new = Changes { keywords: vec!["$New".into()], ..changes(vec![row(1, 1 << 5)], vec![]) };
    let text = written(|out| {
        view.apply(new, out);
        view.write_update(out, 0, false);
    });
    assert!(text.starts_with("* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $New)\r\n"), "{text}");
    assert!(text.ends_with("* 1 FETCH (FLAGS ($New))\r\n"), "{text}");
}

#[test]
fn recent_stays_with_the_session() {
    let mut view = view(&[1]);
    let new = Changes { first_recent: 3, ..changes(vec![row(2, 0), row(3, 0)], vec![]) };
    view.apply(new, &mut Out::default());
    assert_eq!(view.rows()[1].flags & RECENT, 0);
    assert_eq!(view.rows()[2].flags & RECENT, RECENT);
    assert_eq!(view.update(&[row(3, SEEN)], vec![], &mut Out::default()), [2]);
    assert_eq!(view.rows()[2].flags, SEEN | RECENT);
    assert_eq!(written(|out| view.write_counts(out, false)), "* 3 EXISTS\r\n* 1 RECENT\r\n");
}

/// A client that counts: applies EXISTS and EXPUNGE to a list of UIDs.
fn count(client: &mut Vec<u32>, view: &View, text: &str) {
    for line in text.lines() {
        let mut words = line.split(' ').skip(1);
        let (number, word) = (words.next().unwrap(), words.next().unwrap());
        match (number.parse::<usize>(), word) {
            (Ok(number), "EXPUNGE") => drop(client.remove(number - 1)),
            (Ok(number), "EXISTS") => {
                assert!(number >= client.len());
                client.extend(view.rows()[client.len()..number].iter().map(|row| row.uid));
            }
            _ => {}
        }
    }
}

/// As wide as UIDs go: only what the view holds costs anything.
#[test]
fn wide_ranges_vanish_at_once() {
    for (vanished, left) in [
        (vec![1..=u32::MAX], &[][..]),
        (vec![0..=2, 4..=u32::MAX], &[3][..]),
        (vec![6..=u32::MAX, 0..=0, 7..=8, 2..=2], &[1, 3, 5][..]),
        (vec![100..=u32::MAX; 1000], &[1, 2, 3, 5, 9][..]),
        (vec![], &[1, 2, 3, 5, 9][..]),
    ] {
        let mut view = view(&[1, 2, 3, 5, 9]);
        let rows = vec![row(3, SEEN)];
        let news = Changes { rows, vanished, first_recent: u32::MAX, ..Changes::default() };
        written(|out| {
            view.apply(news, out);
            view.expunge(out);
        });
        assert_eq!(view.rows().iter().map(|row| row.uid).collect::<Vec<_>>(), left);
    }
    let mut view = view(&[1]);
    let news = Changes {
        rows: vec![row(2, 0), row(3, 0)],
        vanished: vec![3..=7],
        first_recent: u32::MAX,
        ..Changes::default()
    };
    written(|out| drop(view.apply(news, out)));
    assert_eq!(view.rows().iter().map(|row| row.uid).collect::<Vec<_>>(), [1, 2]);
}

proptest! {
    #[test]
    fn clients_count_the_same(
        start in 0u32..10,
        steps in proptest::collection::vec((any::<bool>(), 0u32..4, proptest::collection::vec(1u32..30, 0..5)), 0..15),
    ) {
        let uids: Vec<u32> = (1..=start).collect();
        let mut view = view(&uids);
        let mut client = uids;
        let mut next = start + 1;
        for (may_expunge, arrived, vanished) in steps {
            let rows = (next..next + arrived).map(|uid| row(uid, DELETED)).collect();
            next += arrived;
            let text = written(|out| {
                view.apply(changes(rows, vanished), out);
                if may_expunge {
                    view.expunge(out);
                }
                view.write_counts(out, false);
            });
            count(&mut client, &view, &text);
            let expected: Vec<u32> = view.rows().iter().map(|row| row.uid).collect();
            prop_assert_eq!(&client, &expected);
        }
    }
}
