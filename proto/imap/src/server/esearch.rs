//! The responses to SEARCH and SORT: the old ones (RFC 3501 §7.2.5, RFC 5256 §4) and ESEARCH (RFC 4731 §3.1), and what `$`
//! remembers (RFC 5182 §2).

use super::task::Context;
use super::view::number;
use crate::grammar::Returns;
use crate::sequence::compress;

/// What was found, in the order of the response.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    uids: Vec<u32>,
    /// As the client counts; the same as `uids` for UID commands.
    shown: Vec<u32>,
    /// Of each, when the response has to tell one (RFC 7162 §3.1.5).
    modseqs: Option<Vec<u64>>,
}

impl Numbers {
    /// Leaves out what the view has lost meanwhile.
    pub(super) fn new(cx: &mut Context<'_>, uid: bool, found: Vec<u32>, modseqs: bool) -> Numbers {
        let Some(view) = cx.state.view() else { return Numbers::default() };
        let rows = found.into_iter().filter_map(|uid| {
            let place = view.place(uid)?;
            view.rows().get(place).map(|row| (place, row))
        });
        let mut numbers = Numbers { modseqs: modseqs.then(Vec::new), ..Numbers::default() };
        for (place, row) in rows {
            numbers.uids.push(row.uid);
            numbers.shown.push(if uid { row.uid } else { number(place) });
            if let Some(modseqs) = &mut numbers.modseqs {
                modseqs.push(row.modseq);
            }
        }
        numbers
    }

    /// `* SEARCH 2 5 (MODSEQ 9)`, or SORT.
    pub(super) fn write(&self, cx: &mut Context<'_>, name: &str) {
        cx.out.put("* ").put(name);
        for shown in &self.shown {
            cx.out.put(' ').put(*shown);
        }
        if let Some(modseq) = self.modseqs.as_ref().and_then(|modseqs| modseqs.iter().max()) {
            cx.out.put(" (MODSEQ ").put(*modseq).put(')');
        }
        cx.out.end();
    }

    /// `* ESEARCH (TAG "a") UID COUNT 2 ALL 2,5`: MIN, MAX and ALL only where something was found (RFC 4731 §3.1). In the
    /// order of a SORT, MIN is its first and MAX its last (RFC 5267 §3.1).
    pub(super) fn write_esearch(&self, cx: &mut Context<'_>, uid: bool, returns: Returns) {
        // "SAVE" alone asks for no response (RFC 5182 §2.1).
        if !returns.tells() {
            return;
        }
        cx.out.put("* ESEARCH (TAG ").string(cx.tag.as_bytes()).put(')');
        if uid {
            cx.out.put(" UID");
        }
        if let (true, Some(first)) = (returns.min, self.shown.first()) {
            cx.out.put(" MIN ").put(*first);
        }
        if let (true, Some(last)) = (returns.max, self.shown.last()) {
            cx.out.put(" MAX ").put(*last);
        }
        if returns.all && !self.shown.is_empty() {
            cx.out.put(" ALL ").put(compress(self.shown.iter().copied()));
        }
        if returns.count {
            cx.out.put(" COUNT ").put(self.shown.len());
        }
        if let Some(modseq) = self.modseq(returns) {
            cx.out.put(" MODSEQ ").put(modseq);
        }
        cx.out.end();
    }

    /// The highest of those that are told: of the first and the last only, if no more was asked for (RFC 7162 §3.1.10).
    fn modseq(&self, returns: Returns) -> Option<u64> {
        let modseqs = self.modseqs.as_ref()?;
        if returns.all || returns.count {
            return modseqs.iter().max().copied();
        }
        let (first, last) = (modseqs.first().filter(|_| returns.min), modseqs.last().filter(|_| returns.max));
        first.max(last).copied()
    }

    /// What `$` becomes: with MIN or MAX and nothing else only those (RFC 5182 §2.4).
    pub(super) fn to_save(&self, returns: Returns) -> Vec<u32> {
        if returns.all || returns.count || !returns.tells() {
            return self.uids.clone();
        }
        let (first, last) =
            (self.uids.first().filter(|_| returns.min), self.uids.last().filter(|_| returns.max));
        first.into_iter().chain(last).copied().collect()
    }
}

/// Remembers a result.
pub(super) fn save(cx: &mut Context<'_>, uids: &[u32]) {
    if let Some(view) = cx.state.view() {
        view.save(uids);
    }
}
