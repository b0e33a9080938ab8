//! The rows of folders that were opened lately: opening one again reads what changed since then and not everything.
//!
//! A folder's rows at a MODSEQ never change, because every change takes the next one; so what is kept is right for as long
//! as the folder's MODSEQ is the same, whoever wrote meanwhile. Leaves out writing: nothing here is ever stored.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::mailbox::FolderId;
use crate::message::{Changes, Row};

/// Rows that are kept of all folders together: 24 bytes each, so 12 MB. Ten thousand messages are much for one folder, and
/// fifty such folders in use at a time are many for one server of this size.
const MAX_ROWS: usize = 500_000;

/// What is kept.
#[derive(Default)]
pub(crate) struct Snapshots {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    folders: HashMap<FolderId, Kept>,
    /// Of all folders.
    rows: usize,
    /// Counts uses; the folder with the oldest one goes first.
    uses: u64,
}

struct Kept {
    modseq: u64,
    rows: Arc<Vec<Row>>,
    used: u64,
}

impl Snapshots {
    /// The rows of a folder, and at which MODSEQ.
    pub(super) fn get(&self, folder: FolderId) -> Option<(u64, Arc<Vec<Row>>)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.uses += 1;
        let used = state.uses;
        let kept = state.folders.get_mut(&folder)?;
        kept.used = used;
        Some((kept.modseq, Arc::clone(&kept.rows)))
    }

    /// Keeps rows, unless later ones are kept or they are too many for everybody else.
    pub(super) fn put(&self, folder: FolderId, modseq: u64, rows: &Arc<Vec<Row>>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.len() > MAX_ROWS / 4 || state.folders.get(&folder).is_some_and(|kept| kept.modseq > modseq) {
            return;
        }
        state.uses += 1;
        let kept = Kept { modseq, rows: Arc::clone(rows), used: state.uses };
        state.rows += rows.len();
        if let Some(before) = state.folders.insert(folder, kept) {
            state.rows -= before.rows.len();
        }
        while state.rows > MAX_ROWS {
            let oldest = state.folders.iter().min_by_key(|(_, kept)| kept.used).map(|(folder, _)| *folder);
            let Some(gone) = oldest.and_then(|folder| state.folders.remove(&folder)) else { break };
            state.rows -= gone.rows.len();
        }
    }
}

/// Rows as they are after these changes; both are ascending by UID.
pub(super) fn merge(rows: &[Row], changes: &Changes) -> Vec<Row> {
    let gone = |uid: u32| {
        let at = changes.vanished.partition_point(|range| range.last < uid);
        changes.vanished.get(at).is_some_and(|range| range.first <= uid)
    };
    let mut merged = Vec::with_capacity(rows.len() + changes.rows.len());
    let mut changed = changes.rows.iter().peekable();
    for row in rows {
        while let Some(new) = changed.next_if(|new| new.uid < row.uid) {
            merged.push(*new);
        }
        match changed.next_if(|new| new.uid == row.uid) {
            Some(new) => merged.push(*new),
            None if gone(row.uid) => {}
            None => merged.push(*row),
        }
    }
    merged.extend(changed);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::UidRange;

    fn row(uid: u32, modseq: u64) -> Row {
        Row { uid, modseq, flags: 0 }
    }

    fn rows(uids: &[u32]) -> Vec<Row> {
        uids.iter().map(|uid| row(*uid, 1)).collect()
    }

    #[test]
    fn changes_are_merged_by_uid() {
        let changes = Changes {
            highest_modseq: 9,
            uid_next: 12,
            rows: vec![row(3, 9), row(10, 8), row(11, 9)],
            vanished: vec![UidRange { first: 1, last: 2 }, UidRange { first: 5, last: 6 }],
            keywords: Vec::new(),
        };
        let merged = merge(&rows(&[1, 3, 4, 6, 7]), &changes);
        assert_eq!(merged, [row(3, 9), row(4, 1), row(7, 1), row(10, 8), row(11, 9)]);
        assert_eq!(merge(&[], &changes), changes.rows);
    }

    #[test]
    fn later_rows_stay_and_the_least_used_folder_goes() {
        let snapshots = Snapshots::default();
        let (small, large) = (Arc::new(rows(&[1])), Arc::new(rows(&vec![1; MAX_ROWS / 4])));
        snapshots.put(FolderId(1), 5, &small);
        snapshots.put(FolderId(1), 4, &large);
        assert_eq!(snapshots.get(FolderId(1)).unwrap().0, 5);
        for folder in 2..6 {
            snapshots.put(FolderId(folder), 1, &large);
            snapshots.get(FolderId(1));
        }
        assert!(snapshots.get(FolderId(1)).is_some() && snapshots.get(FolderId(2)).is_none());
        assert!(snapshots.get(FolderId(5)).is_some());
        snapshots.put(FolderId(9), 1, &Arc::new(rows(&vec![1; MAX_ROWS / 4 + 1])));
        assert!(snapshots.get(FolderId(9)).is_none(), "one folder does not drive the others out");
    }
}
