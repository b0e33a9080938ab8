//! VANISHED (EARLIER) (RFC 7162 §3.2.10.1): which of the UIDs that a client knows are gone.

use super::view::{View, write_vanished};
use crate::grammar::Qresync;
use crate::response::Out;
use crate::sequence::SequenceSet;
use std::ops::RangeInclusive;

/// Pairs of sequence match data that are looked at: clients send some ten, each a step back in time.
const MATCH_PAIRS: usize = 1000;

/// Of what vanished, that which the client may know: among its UIDs, and above the last message for which its number and UID
/// still belong together, for up to there it knows the mailbox as it is (RFC 7162 §3.2.5.2).
pub(super) fn known(view: &View, qresync: &Qresync, gone: Vec<RangeInclusive<u32>>) -> Vec<(u32, u32)> {
    let floor = match &qresync.sequence_match {
        Some((numbers, uids)) => last_match(view, numbers, uids),
        None => 0,
    };
    let above = gone.into_iter().filter(|range| *range.end() > floor);
    let above = above.map(|range| (*range.start().max(&(floor + 1)), *range.end())).collect();
    match &qresync.known_uids {
        Some(set) => intersection(above, &set.ranges(u32::MAX)),
        None => above,
    }
}

/// Of what vanished, that which a UID FETCH asked for (RFC 7162 §3.2.6).
pub(super) fn asked(view: &View, set: &SequenceSet, gone: Vec<RangeInclusive<u32>>) -> Vec<(u32, u32)> {
    let gone = gone.into_iter().map(|range| (*range.start(), *range.end())).collect();
    // What `*` was when the client heard of it last may be gone, too.
    let asked = if set.is_saved() { view.saved().to_vec() } else { set.ranges(u32::MAX) };
    intersection(gone, &asked)
}

/// Writes the ranges, without messages that the client still counts: their VANISHED is to come.
pub(super) fn write_earlier(out: &mut Out, view: &View, ranges: Vec<(u32, u32)>) {
    let mut gone = Vec::with_capacity(ranges.len());
    for (low, high) in ranges {
        let mut next = low;
        for row in &view.rows()[view.rows().partition_point(|row| row.uid < low)..] {
            if row.uid > high {
                break;
            }
            if next < row.uid {
                gone.push((next, row.uid - 1));
            }
            next = row.uid.saturating_add(1);
        }
        if next <= high {
            gone.push((next, high));
        }
    }
    write_vanished(out, "VANISHED (EARLIER)", gone.into_iter());
}

fn last_match(view: &View, numbers: &SequenceSet, uids: &SequenceSet) -> u32 {
    let each = |set: &SequenceSet| set.ranges(u32::MAX).into_iter().flat_map(|(low, high)| low..=high);
    let pairs = each(numbers).zip(each(uids)).take(MATCH_PAIRS);
    let same =
        |(number, uid): &(u32, u32)| view.rows().get(*number as usize - 1).is_some_and(|row| row.uid == *uid);
    pairs.take_while(same).last().map_or(0, |(_, uid)| uid)
}

/// Both are ascending and do not overlap.
fn intersection(left: Vec<(u32, u32)>, right: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut common = Vec::new();
    let mut right = right.iter().peekable();
    for (low, high) in left {
        while let Some((first, last)) = right.peek() {
            if *last < low {
                right.next();
                continue;
            }
            if *first > high {
                break;
            }
            common.push((low.max(*first), high.min(*last)));
            if *last > high {
                break;
            }
            right.next();
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MailboxName;
    use crate::response::tests::written;
    use crate::server::ask::{Row, Selected};
    use crate::server::modes::Modes;
    use proptest::prelude::*;

    fn view(uids: &[u32]) -> View {
        let rows = uids.iter().map(|uid| Row { uid: *uid, modseq: 1, flags: 0 }).collect();
        let selected = Selected { uid_validity: 1, rows, ..Selected::default() };
        View::new(MailboxName::inbox(), false, Modes::default(), selected)
    }

    type Ranges<'a> = &'a [(u32, u32)];

    fn qresync(known: Option<Ranges<'_>>, sequence_match: Option<(Ranges<'_>, Ranges<'_>)>) -> Qresync {
        let sequence_match = sequence_match.map(|(n, u)| (SequenceSet::of(n), SequenceSet::of(u)));
        Qresync { uid_validity: 1, modseq: 1, known_uids: known.map(SequenceSet::of), sequence_match }
    }

    #[test]
    fn only_what_the_client_knows() {
        let view = view(&[5, 9, 12]);
        let gone = || vec![1..=4, 6..=8, 10..=11];
        let check = |qresync: Qresync, expected: &[(u32, u32)]| {
            assert_eq!(known(&view, &qresync, gone()), expected, "{qresync:?}");
        };
        check(qresync(None, None), &[(1, 4), (6, 8), (10, 11)]);
        check(qresync(Some(&[(3, 7), (11, 20)]), None), &[(3, 4), (6, 7), (11, 11)]);
        // The client's number 1 is UID 5 still, its number 4 was 9 and is not any more.
        check(qresync(None, Some((&[(1, 1), (4, 4)], &[(5, 5), (9, 9)]))), &[(6, 8), (10, 11)]);
        check(qresync(None, Some((&[(2, 2)], &[(9, 9)]))), &[(10, 11)]);
        check(qresync(None, Some((&[(1, u32::MAX)], &[(7, u32::MAX)]))), &[(1, 4), (6, 8), (10, 11)]);
    }

    #[test]
    fn what_is_still_counted_is_not_told() {
        let view = view(&[5, 9, 12]);
        let text = written(|out| write_earlier(out, &view, vec![(1, 6), (9, 9), (12, 14)]));
        assert_eq!(text, "* VANISHED (EARLIER) 1:4,6,13:14\r\n");
        assert_eq!(written(|out| write_earlier(out, &view, vec![(9, 9)])), "");
    }

    proptest! {
        #[test]
        fn intersections(left in prop::collection::btree_set(1u32..40, 0..20), right in prop::collection::btree_set(1u32..40, 0..20)) {
            let ranges = |set: &std::collections::BTreeSet<u32>| {
                SequenceSet::of(&set.iter().map(|n| (*n, *n)).collect::<Vec<_>>()).ranges(0)
            };
            let found: Vec<u32> =
                intersection(ranges(&left), &ranges(&right)).into_iter().flat_map(|(a, b)| a..=b).collect();
            let expected: Vec<u32> = left.intersection(&right).copied().collect();
            prop_assert_eq!(found, expected);
        }
    }
}
