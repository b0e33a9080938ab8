//! The selected mailbox as this session has told it to the client: sequence numbers are made here and nowhere else.
//!
//! A message that another session expunged keeps its number until EXPUNGE may be sent (RFC 3501 §7.4.1); new messages get
//! theirs when EXISTS is sent.

use super::ask::{Changes, Row, Selected};
use super::modes::Modes;
use crate::MailboxName;
use crate::flags::{self, MAX_KEYWORDS, RECENT};
use crate::response::{Code, Condition, Out};
use crate::sequence::{self, SequenceSet};
use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};

#[derive(Debug)]
pub(super) struct View {
    pub name: MailboxName,
    pub read_only: bool,
    /// What the client switched on.
    pub modes: Modes,
    uid_validity: u32,
    uid_next: u32,
    modseq: u64,
    /// Ascending by UID; the place in it is the sequence number less one.
    rows: Vec<Row>,
    keywords: Vec<String>,
    /// UIDs that are gone and whose EXPUNGE was not sent yet.
    gone: BTreeSet<u32>,
    /// What EXISTS and RECENT said last.
    told: (usize, usize),
    /// The UIDs that `$` means (RFC 5182 §2), as ascending ranges.
    saved: Vec<(u32, u32)>,
}

impl View {
    pub(super) fn new(name: MailboxName, read_only: bool, modes: Modes, selected: Selected) -> View {
        let mut view = View {
            name,
            read_only,
            modes,
            uid_validity: selected.uid_validity,
            uid_next: selected.uid_next,
            modseq: selected.highest_modseq,
            rows: Vec::new(),
            keywords: known_keywords(selected.keywords),
            gone: BTreeSet::new(),
            told: (0, 0),
            saved: Vec::new(),
        };
        view.rows.reserve_exact(selected.rows.len());
        view.append(selected.rows.into_iter(), selected.first_recent);
        view
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(super) fn keywords(&self) -> &[String] {
        &self.keywords
    }

    /// RFC 3501 §2.3.1.1
    pub(super) fn uid_validity(&self) -> u32 {
        self.uid_validity
    }

    /// The modification sequence that is known.
    pub(super) fn modseq(&self) -> u64 {
        self.modseq
    }

    pub(super) fn exists(&self) -> u32 {
        u32::try_from(self.rows.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn last_uid(&self) -> u32 {
        self.rows.last().map_or(0, |row| row.uid)
    }

    pub(super) fn has_gone(&self) -> bool {
        !self.gone.is_empty()
    }

    /// The place of a message in the rows.
    pub(super) fn place(&self, uid: u32) -> Option<usize> {
        self.rows.binary_search_by_key(&uid, |row| row.uid).ok()
    }

    /// The places that a set of UIDs names: those that are there (RFC 3501 §6.4.8: a UID without a message is ignored).
    pub(super) fn places_of_uids(&self, set: &SequenceSet) -> Vec<Range<usize>> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        let place = |uid: u32| self.rows.partition_point(|row| row.uid < uid);
        let ranges =
            if set.is_saved() { self.saved.clone() } else { set.ranges(self.last_uid()) }.into_iter();
        let after = |high: u32| high.checked_add(1).map_or(self.rows.len(), place);
        ranges.map(|(low, high)| place(low)..after(high)).filter(|range| !range.is_empty()).collect()
    }

    /// The places that sequence numbers name, or `None` where a number has no message (RFC 3501 §9 `seq-number`). In an empty
    /// mailbox `*` is nothing rather than an error: clients ask for `1:*`.
    pub(super) fn places_of_numbers(&self, set: &SequenceSet) -> Option<Vec<Range<usize>>> {
        if set.is_saved() {
            return Some(self.places_of_uids(set));
        }
        let exists = self.exists();
        if exists == 0 {
            return set.largest_number().is_none_or(|number| number <= 1).then(Vec::new);
        }
        if set.largest_number().is_some_and(|number| number > exists) {
            return None;
        }
        Some(set.ranges(exists).into_iter().map(|(low, high)| low as usize - 1..high as usize).collect())
    }

    /// What `$` means from now on.
    pub(super) fn save(&mut self, uids: &[u32]) {
        let mut uids = uids.to_vec();
        uids.sort_unstable();
        self.saved.clear();
        for uid in uids {
            match self.saved.last_mut() {
                Some((_, high)) if uid <= high.saturating_add(1) => *high = uid,
                _ => self.saved.push((uid, uid)),
            }
        }
    }

    /// See [`View::save`].
    pub(super) fn saved(&self) -> &[(u32, u32)] {
        &self.saved
    }

    pub(super) fn uids(&self, places: &[Range<usize>]) -> Vec<u32> {
        places.iter().flat_map(|range| &self.rows[range.clone()]).map(|row| row.uid).collect()
    }

    /// The answer to SELECT (RFC 3501 §6.3.1).
    pub(super) fn announce(&mut self, out: &mut Out) {
        self.write_flags(out);
        self.write_counts(out, true);
        let unseen = self.rows.iter().position(|row| row.flags & flags::SEEN == 0);
        let ok = |out: &mut Out, code: Code, text: &str| out.status("*", Condition::Ok, Some(&code), text);
        // IMAP4rev2 has neither UNSEEN nor RECENT (RFC 9051 §A).
        if let Some(place) = unseen.filter(|_| !self.modes.rev2) {
            ok(out, Code::Unseen(number(place)), "First unseen message");
        }
        ok(out, Code::UidValidity(self.uid_validity), "UIDs are valid");
        ok(out, Code::UidNext(self.uid_next), "Predicted next UID");
        ok(out, Code::HighestModseq(self.modseq), "Highest");
    }

    /// FLAGS and PERMANENTFLAGS (RFC 3501 §7.2.6, §7.1).
    fn write_flags(&self, out: &mut Out) {
        let names = flags::names(!RECENT, &self.keywords).collect::<Vec<_>>().join(" ");
        out.untagged(format_args!("FLAGS ({names})"));
        let permanent = match (self.read_only, self.keywords.len() < MAX_KEYWORDS) {
            (true, _) => String::new(),
            (false, true) => format!("{names} \\*"),
            (false, false) => names,
        };
        out.status("*", Condition::Ok, Some(&Code::PermanentFlags(permanent)), "Flags permitted");
    }

    /// EXISTS and RECENT, each if it changed.
    pub(super) fn write_counts(&mut self, out: &mut Out, always: bool) {
        let recent = self.rows.iter().filter(|row| row.flags & RECENT != 0).count();
        let now = (self.rows.len(), recent);
        if always || now.0 != self.told.0 {
            out.untagged(format_args!("{} EXISTS", now.0));
        }
        if (always || now.1 != self.told.1) && !self.modes.rev2 {
            out.untagged(format_args!("{} RECENT", now.1));
        }
        self.told = now;
    }

    /// `n FETCH (UID u FLAGS (…))` for a message whose flags changed.
    pub(super) fn write_update(&self, out: &mut Out, place: usize, uid: bool) {
        let Some(row) = self.rows.get(place) else { return };
        out.put("* ").put(number(place)).put(" FETCH (");
        if uid {
            out.put("UID ").put(row.uid).put(' ');
        }
        self.write_row_flags(out, row);
        if self.modes.condstore {
            out.put(" MODSEQ (").put(row.modseq).put(')');
        }
        out.put(')').end();
    }

    /// `n FETCH (UID u MODSEQ (m))`: what a silent STORE made of a message (RFC 7162 §3.1.3).
    pub(super) fn write_modseq(&self, out: &mut Out, place: usize) {
        let Some(row) = self.rows.get(place) else { return };
        out.untagged(format_args!("{} FETCH (UID {} MODSEQ ({}))", number(place), row.uid, row.modseq));
    }

    /// `FLAGS (…)`
    pub(super) fn write_row_flags(&self, out: &mut Out, row: &Row) {
        let hidden = if self.modes.rev2 { RECENT } else { 0 };
        out.put("FLAGS ").list(flags::names(row.flags & !hidden, &self.keywords), |out, name| {
            out.put(name);
        });
    }

    /// Takes changes in; the places whose flags are not what the client knows, ascending. A new keyword is told at once,
    /// before it is used.
    pub(super) fn apply(&mut self, changes: Changes, out: &mut Out) -> Vec<usize> {
        self.modseq = self.modseq.max(changes.highest_modseq);
        let vanished = merged(changes.vanished);
        let is_gone = |uid: u32| {
            let at = vanished.partition_point(|range| *range.end() < uid);
            vanished.get(at).is_some_and(|range| range.contains(&uid))
        };
        let last = self.last_uid();
        let (known, new): (Vec<Row>, Vec<Row>) = changes.rows.into_iter().partition(|row| row.uid <= last);
        let updated = self.update(&known, changes.keywords, out);
        self.append(new.into_iter().filter(|row| !is_gone(row.uid)), changes.first_recent);
        for range in &vanished {
            let rows = &self.rows[self.rows.partition_point(|row| row.uid < *range.start())..];
            self.gone.extend(rows.iter().map(|row| row.uid).take_while(|uid| uid <= range.end()));
        }
        updated
    }

    /// Takes new flags of known messages in; the places where they differ from before, ascending.
    pub(super) fn update(&mut self, rows: &[Row], keywords: Vec<String>, out: &mut Out) -> Vec<usize> {
        let keywords = known_keywords(keywords);
        if keywords != self.keywords && !keywords.is_empty() {
            self.keywords = keywords;
            self.write_flags(out);
        }
        let mut places: Vec<usize> = Vec::new();
        for row in rows {
            let Some(place) = self.place(row.uid) else { continue };
            let known = &mut self.rows[place];
            let flags = (row.flags & !RECENT) | (known.flags & RECENT);
            let modseq = std::mem::replace(&mut known.modseq, row.modseq);
            // Flags that went there and back are news for a client that knows MODSEQs.
            if known.flags != flags || (self.modes.condstore && modseq != row.modseq) {
                known.flags = flags;
                places.push(place);
            }
        }
        places.sort_unstable();
        places.dedup();
        places
    }

    /// New messages; out of order ones are a store's bug and left out, for numbers must not move.
    fn append(&mut self, rows: impl Iterator<Item = Row>, first_recent: u32) {
        for row in rows {
            if row.uid <= self.last_uid() {
                continue;
            }
            let recent = if row.uid >= first_recent && first_recent != u32::MAX { RECENT } else { 0 };
            self.rows.push(Row { flags: (row.flags & !RECENT) | recent, ..row });
            self.uid_next = self.uid_next.max(row.uid.saturating_add(1));
        }
    }

    /// Messages that are gone; their EXPUNGE comes with [`View::expunge`].
    pub(super) fn vanish(&mut self, uids: impl IntoIterator<Item = u32>) {
        for uid in uids {
            if self.place(uid).is_some() {
                self.gone.insert(uid);
            }
        }
    }

    /// Sends EXPUNGE for what is gone, from the end, so that no number moves before it is named (RFC 3501 §7.4.1).
    pub(super) fn expunge(&mut self, out: &mut Out) {
        if self.gone.is_empty() {
            return;
        }
        let gone = std::mem::take(&mut self.gone);
        if self.modes.qresync {
            write_vanished(out, "VANISHED", gone.iter().map(|uid| (*uid, *uid)));
        } else {
            for (place, row) in self.rows.iter().enumerate().rev() {
                if gone.contains(&row.uid) {
                    out.untagged(format_args!("{} EXPUNGE", number(place)));
                }
            }
        }
        self.rows.retain(|row| !gone.contains(&row.uid));
        // EXPUNGE told the client to count one less itself; RECENT it cannot know.
        self.told.0 = self.told.0.saturating_sub(gone.len());
    }
}

/// Ranges of one VANISHED response: a line that clients with buffers of 8 KiB can read.
const VANISHED_RANGES: usize = 350;

/// `* VANISHED 1:3,7` (RFC 7162 §3.2.10), on several lines where there is much; the ranges are ascending.
pub(super) fn write_vanished(out: &mut Out, name: &str, ranges: impl Iterator<Item = (u32, u32)>) {
    let mut merged: Vec<(u32, u32)> = Vec::new();
    for (low, high) in ranges {
        match merged.last_mut() {
            Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
            _ => merged.push((low, high)),
        }
    }
    for chunk in merged.chunks(VANISHED_RANGES) {
        out.put("* ").put(name).put(' ').put(sequence::written(chunk)).end();
    }
}

/// The ranges in order, without those that another covers.
fn merged(mut ranges: Vec<RangeInclusive<u32>>) -> Vec<RangeInclusive<u32>> {
    ranges.sort_unstable_by_key(|range| *range.start());
    let mut merged: Vec<RangeInclusive<u32>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start() <= last.end() => *last = *last.start()..=*last.end().max(range.end()),
            _ => merged.push(range),
        }
    }
    merged
}

/// The sequence number of a place.
pub(super) fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX).saturating_add(1)
}

/// Keywords that can be written; a name that is no atom would break the line that it stands in.
fn known_keywords(names: Vec<String>) -> Vec<String> {
    let valid = |name: String| match crate::Keyword::new(&name) {
        Ok(_) => name,
        Err(_) => "$Invalid".to_owned(),
    };
    names.into_iter().take(MAX_KEYWORDS).map(valid).collect()
}

#[cfg(test)]
mod tests;
