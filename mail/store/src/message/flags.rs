//! STORE (RFC 3501 §6.4.6): flags and keywords.

use sqlx::Row as _;

use crate::commit::{Tx, Verb};
use crate::error::{Error, Result};
use crate::mailbox::{FolderId, keywords, keywords_json};
use crate::message::{FIRST_KEYWORD, FlagOp, KEYWORD_MAX, MAX_KEYWORDS, Row, StoreFlags, Stored, pack, sql};

/// Bits of the system flags.
pub(super) const SYSTEM: u64 = (1 << FIRST_KEYWORD) - 1;

pub(super) struct SetFlags {
    pub(super) folder: FolderId,
    pub(super) change: StoreFlags,
    /// Messages with a higher MODSEQ are left alone.
    pub(super) unchanged_since: Option<u64>,
}

impl Verb for SetFlags {
    type Output = Stored;

    async fn run(&self, tx: &mut Tx) -> Result<Stored> {
        let query = sqlx::query(sql::FLAGS).bind(self.folder.0).bind(pack::list(&self.change.uids));
        let row = tx.row(query).await?.ok_or(Error::NoSuchFolder)?;
        let mut table = keywords(row.try_get(0)?)?;
        let mut highest_modseq = row.try_get::<i64, _>(1)?.unsigned_abs();
        let mut rows = pack::rows_of(row.try_get(2)?)?;
        let (keep, set) = self.mask(&mut table)?;
        let limit = self.unchanged_since.unwrap_or(u64::MAX);
        let modified = rows.iter().filter(|row| row.modseq > limit).map(|row| row.uid).collect();
        let changed: Vec<u32> = rows
            .iter_mut()
            .filter(|row| row.modseq <= limit)
            .filter_map(|row| change(row, keep, set, highest_modseq + 1))
            .collect();
        if changed.is_empty() {
            // No new keyword for messages that are not there.
            return Ok(Stored { highest_modseq, rows, modified, keywords: keywords(row.try_get(0)?)? });
        }
        highest_modseq += 1;
        let query = sqlx::query(sql::SET_FLAGS)
            .bind(self.folder.0)
            .bind(pack::list(&changed))
            .bind(keep.cast_signed())
            .bind(set.cast_signed())
            .bind(keywords_json(&table));
        tx.run(query).await?;
        tx.effects.touched.push((self.folder, highest_modseq));
        Ok(Stored { highest_modseq, rows, modified, keywords: table })
    }
}

impl SetFlags {
    /// The flags that stay and those that are set.
    fn mask(&self, table: &mut Vec<String>) -> Result<(u64, u64)> {
        let StoreFlags { op, flags, keywords, .. } = &self.change;
        let known = known_bits(table);
        let named = match op {
            FlagOp::Remove => find(keywords, table),
            FlagOp::Replace | FlagOp::Add => resolve(keywords, table)?,
        };
        let flags = (flags & known) | named;
        Ok(match op {
            FlagOp::Replace => (0, flags),
            FlagOp::Add => (all_bits(), flags),
            FlagOp::Remove => (all_bits() & !flags, 0),
        })
    }
}

/// Every bit that a mask may have: the sign bit stays free.
const fn all_bits() -> u64 {
    (1 << 63) - 1
}

/// System flags and the keywords that have a name.
pub(super) fn known_bits(table: &[String]) -> u64 {
    (1u64 << (FIRST_KEYWORD as usize + table.len().min(MAX_KEYWORDS))) - 1
}

fn change(row: &mut Row, keep: u64, set: u64, modseq: u64) -> Option<u32> {
    let flags = (row.flags & keep) | set;
    (flags != row.flags).then(|| {
        *row = Row { flags, modseq, ..*row };
        row.uid
    })
}

/// The bits of these keywords; new ones are added to the table. Keywords compare without case (RFC 9051 §2.3.2).
pub(super) fn resolve(keywords: &[String], table: &mut Vec<String>) -> Result<u64> {
    let mut bits = 0;
    for keyword in keywords {
        let at = match table.iter().position(|known| known.eq_ignore_ascii_case(keyword)) {
            Some(at) => at,
            None if keyword.len() > KEYWORD_MAX => {
                return Err(Error::Limit { what: "bytes of a keyword", limit: KEYWORD_MAX as u64 });
            }
            None if table.len() >= MAX_KEYWORDS => {
                return Err(Error::Limit { what: "keywords of a mailbox", limit: MAX_KEYWORDS as u64 });
            }
            None => {
                table.push(keyword.clone());
                table.len() - 1
            }
        };
        bits |= 1 << (FIRST_KEYWORD as usize + at);
    }
    Ok(bits)
}

/// The bits of those keywords that are in the table.
fn find(keywords: &[String], table: &[String]) -> u64 {
    let bit = |keyword: &String| table.iter().position(|known| known.eq_ignore_ascii_case(keyword));
    keywords.iter().filter_map(bit).fold(0, |bits, at| bits | 1 << (FIRST_KEYWORD as usize + at))
}

/// Flags of one folder as those of another. Keywords for which the other has no room are dropped (RFC 3501 §6.4.7: COPY
/// SHOULD preserve the flags).
pub(super) fn translate(flags: u64, from: &[String], to: &mut Vec<String>) -> u64 {
    let mut translated = flags & SYSTEM;
    for (at, keyword) in from.iter().enumerate() {
        if flags & (1 << (FIRST_KEYWORD as usize + at)) != 0 {
            translated |= resolve(std::slice::from_ref(keyword), to).unwrap_or_default();
        }
    }
    translated
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn keywords_get_bits_in_order_and_compare_without_case() {
        let mut table = names(&["one"]);
        assert_eq!(resolve(&names(&["ONE", "two", "Two"]), &mut table).unwrap(), 0b110_0000);
        assert_eq!(table, ["one", "two"]);
        assert_eq!(find(&names(&["TWO", "three"]), &table), 0b100_0000);
        assert_eq!(known_bits(&table), 0b111_1111);
    }

    #[test]
    fn the_table_is_full_at_58_and_names_are_bounded() {
        let mut table: Vec<String> = (0..MAX_KEYWORDS).map(|i| format!("k{i}")).collect();
        assert_eq!(resolve(&names(&["k57"]), &mut table).unwrap(), 1 << 62);
        assert_eq!(known_bits(&table), all_bits());
        let full = resolve(&names(&["more"]), &mut table);
        assert!(matches!(full, Err(Error::Limit { limit: 58, .. })));
        let long = resolve(&["x".repeat(KEYWORD_MAX + 1)], &mut Vec::new());
        assert!(matches!(long, Err(Error::Limit { limit: 255, .. })));
        assert_eq!(translate(SYSTEM | 1 << 5, &names(&["new"]), &mut table), SYSTEM);
    }

    #[test]
    fn copies_keep_their_keywords_by_name() {
        let mut to = names(&["b"]);
        assert_eq!(translate(0b110_0001, &names(&["a", "b"]), &mut to), 0b110_0001);
        assert_eq!(to, ["b", "a"]);
    }

    #[test]
    fn operations_as_masks() {
        let apply = |op, flags| {
            let change = StoreFlags { uids: vec![1], op, flags, keywords: Vec::new() };
            let (keep, set) = SetFlags { folder: FolderId(1), change, unchanged_since: None }
                .mask(&mut Vec::new())
                .unwrap();
            (0b1010 & keep) | set
        };
        assert_eq!(apply(FlagOp::Replace, 0b0101), 0b0101);
        assert_eq!(apply(FlagOp::Add, 0b0101), 0b1111);
        assert_eq!(apply(FlagOp::Remove, 0b0110), 0b1000);
        assert_eq!(apply(FlagOp::Add, 1 << 20), 0b1010, "bits without a name are ignored");
    }
}
