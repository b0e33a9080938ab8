//! Numbers in and out of SQLite in bulk: one text instead of a row or a parameter each.

use crate::error::{Error, Result};
use crate::message::{Row, UidRange};

/// UIDs as a JSON array.
pub(super) fn list(uids: &[u32]) -> String {
    let numbers: Vec<String> = uids.iter().map(u32::to_string).collect();
    format!("[{}]", numbers.join(","))
}

/// A text of numbers in groups of `N`, as group_concat makes it; NULL is none.
pub(super) fn groups<const N: usize>(text: Option<&str>) -> Result<Vec<[u64; N]>> {
    let damaged = || Error::Damaged("a list of numbers cannot be read".into());
    let text = text.unwrap_or_default();
    // A group of small numbers takes some 4 bytes each.
    let mut groups = Vec::with_capacity(text.len() / (4 * N));
    let mut numbers = text.split_ascii_whitespace();
    while let Some(first) = numbers.next() {
        let mut group = [0; N];
        group[0] = first.parse().map_err(|_| damaged())?;
        for slot in &mut group[1..] {
            *slot = numbers.next().and_then(|n| n.parse().ok()).ok_or_else(damaged)?;
        }
        groups.push(group);
    }
    Ok(groups)
}

/// Texts of UIDs, MODSEQs and flags that belong together in their order; the rows come out by UID.
pub(crate) fn rows_of_columns(columns: [Option<&str>; 3]) -> Result<Vec<Row>> {
    let [uids, modseqs, flags] = columns.map(|text| text.unwrap_or_default().split_ascii_whitespace());
    let damaged = || Error::Damaged("a list of numbers cannot be read".into());
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u64>().ok()).ok_or_else(damaged);
    let (mut modseqs, mut flags) = (modseqs, flags);
    let mut rows = uids
        .map(|text| {
            Ok(Row {
                uid: uid(number(Some(text))?)?,
                modseq: number(modseqs.next())?,
                flags: number(flags.next())?,
            })
        })
        .collect::<Result<Vec<Row>>>()?;
    if !rows.is_sorted_by_key(|row| row.uid) {
        rows.sort_unstable_by_key(|row| row.uid);
    }
    Ok(rows)
}

/// A text of `uid modseq flags`, ordered by UID.
pub(super) fn rows_of(text: Option<&str>) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = groups::<3>(text)?
        .into_iter()
        .map(|[id, modseq, flags]| Ok(Row { uid: uid(id)?, modseq, flags }))
        .collect::<Result<_>>()?;
    // SQLite keeps the order of the subquery without promising it.
    if !rows.is_sorted_by_key(|row| row.uid) {
        rows.sort_unstable_by_key(|row| row.uid);
    }
    Ok(rows)
}

pub(super) fn uid(number: u64) -> Result<u32> {
    u32::try_from(number).map_err(|_| Error::Damaged(format!("{number} is not a UID")))
}

/// Runs of consecutive UIDs; the input is ascending.
pub(super) fn runs(uids: impl IntoIterator<Item = u32>) -> Vec<UidRange> {
    let mut runs: Vec<UidRange> = Vec::new();
    for uid in uids {
        match runs.last_mut() {
            Some(run) if uid <= run.last.saturating_add(1) => run.last = run.last.max(uid),
            _ => runs.push(UidRange { first: uid, last: uid }),
        }
    }
    runs
}

/// Runs as JSON `[[first, last], …]`.
pub(super) fn runs_json(runs: &[UidRange]) -> String {
    let runs: Vec<String> = runs.iter().map(|run| format!("[{},{}]", run.first, run.last)).collect();
    format!("[{}]", runs.join(","))
}

/// Everything below `end` that is not in `present` (ascending).
pub(super) fn complement(present: impl IntoIterator<Item = u32>, end: u32) -> Vec<UidRange> {
    let mut gaps = Vec::new();
    let mut next = 1;
    for uid in present {
        if uid > next {
            gaps.push(UidRange { first: next, last: uid - 1 });
        }
        next = uid.saturating_add(1);
    }
    if end > next {
        gaps.push(UidRange { first: next, last: end - 1 });
    }
    gaps
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn range(first: u32, last: u32) -> UidRange {
        UidRange { first, last }
    }

    #[test]
    fn numbers_are_read_in_groups() {
        assert_eq!(groups::<2>(Some("1 2 3 4")).unwrap(), [[1, 2], [3, 4]]);
        assert!(groups::<2>(None).unwrap().is_empty() && groups::<2>(Some("")).unwrap().is_empty());
        for bad in ["1", "1 2 3", "1 x", "-1 2", "99999999999999999999 1"] {
            assert!(groups::<2>(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn rows_come_out_by_uid() {
        let rows = rows_of(Some("7 3 1 2 9 4611686018427387904")).unwrap();
        assert_eq!(rows.iter().map(|r| r.uid).collect::<Vec<_>>(), [2, 7]);
        assert_eq!(rows[0], Row { uid: 2, modseq: 9, flags: 1 << 62 });
        assert!(rows_of(Some("4294967296 1 1")).is_err());
    }

    #[test]
    fn columns_become_rows() {
        let rows = rows_of_columns([Some("7 2"), Some("3 9"), Some("1 4611686018427387904")]).unwrap();
        assert_eq!(rows, rows_of(Some("7 3 1 2 9 4611686018427387904")).unwrap());
        assert!(rows_of_columns([None, None, None]).unwrap().is_empty());
        for bad in [
            [Some("1 2"), Some("1"), Some("1 1")],
            [Some("1"), Some("x"), Some("1")],
            [Some("1"), Some("1"), None],
        ] {
            assert!(rows_of_columns(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn runs_and_gaps() {
        assert_eq!(runs([1, 2, 3, 5, 7, 8]), [range(1, 3), range(5, 5), range(7, 8)]);
        assert_eq!(runs_json(&runs([1, 2, 9])), "[[1,2],[9,9]]");
        assert_eq!(complement([2, 3, 6], 9), [range(1, 1), range(4, 5), range(7, 8)]);
        assert_eq!(complement([], 4), [range(1, 3)]);
        assert!(complement([1, 2], 3).is_empty() && complement([], 1).is_empty());
        assert_eq!(runs([u32::MAX]), [range(u32::MAX, u32::MAX)]);
        assert_eq!(list(&[]), "[]");
        assert_eq!(list(&[3, 1]), "[3,1]");
    }

    proptest! {
        #[test]
        fn runs_and_complement_cover_everything_once(present in proptest::collection::btree_set(1..60u32, 0..40)) {
            let expand = |runs: Vec<UidRange>| runs.into_iter().flat_map(|r| r.first..=r.last).collect::<Vec<_>>();
            let inside = expand(runs(present.iter().copied()));
            let outside = expand(complement(present.iter().copied(), 60));
            prop_assert!(inside.iter().copied().eq(present.iter().copied()));
            let all: BTreeSet<u32> = inside.iter().chain(&outside).copied().collect();
            prop_assert_eq!(all.len(), inside.len() + outside.len());
            prop_assert!(all.into_iter().eq(1..60));
        }

        #[test]
        fn random_text_never_panics(text in "[0-9 x]{0,60}") {
            let _ = (groups::<3>(Some(&text)), rows_of(Some(&text)));
        }
    }
}
