//! The parameters of SELECT and EXAMINE (RFC 4466 §2.4 `select-params`; RFC 7162 §7 for CONDSTORE and QRESYNC).

use super::{Cursor, ParseError};
use crate::sequence::SequenceSet;

/// What may follow the mailbox name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SelectParameters {
    /// `CONDSTORE` (RFC 7162 §3.1.8)
    pub condstore: bool,
    /// `QRESYNC (…)` (RFC 7162 §3.2.5)
    pub qresync: Option<Qresync>,
}

/// What a client remembers of the mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qresync {
    /// Without effect where it is another one now.
    pub uid_validity: u32,
    /// The last modification sequence that it knows.
    pub modseq: u64,
    /// The UIDs that it knows; `None`: all.
    pub known_uids: Option<SequenceSet>,
    /// Sequence numbers and the UIDs that they had (RFC 7162 §3.2.5.2).
    pub sequence_match: Option<(SequenceSet, SequenceSet)>,
}

/// `[SP "(" select-param *(SP select-param) ")"]`
pub(super) fn parameters(cursor: &mut Cursor<'_>) -> Result<SelectParameters, ParseError> {
    let mut parameters = SelectParameters::default();
    if !cursor.take(b' ') {
        return Ok(parameters);
    }
    cursor.require(b'(', "( before SELECT parameters")?;
    loop {
        match cursor.atom("a SELECT parameter")?.to_ascii_uppercase().as_slice() {
            b"CONDSTORE" => parameters.condstore = true,
            b"QRESYNC" => {
                cursor.space()?;
                parameters.qresync = Some(qresync(cursor)?);
            }
            _ => return Err(ParseError::Expected("a SELECT parameter that this server knows")),
        }
        if cursor.take(b')') {
            return Ok(parameters);
        }
        cursor.space()?;
    }
}

/// `"(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"`
fn qresync(cursor: &mut Cursor<'_>) -> Result<Qresync, ParseError> {
    cursor.require(b'(', "( after QRESYNC")?;
    let uid_validity = cursor.nz_number()?;
    cursor.space()?;
    let modseq = cursor.modseq()?;
    let (mut known_uids, mut sequence_match) = (None, None);
    while cursor.take(b' ') {
        if cursor.take(b'(') {
            let numbers = known_set(cursor)?;
            cursor.space()?;
            sequence_match = Some((numbers, known_set(cursor)?));
            cursor.require(b')', ") after the sequence match data")?;
            break;
        }
        if known_uids.is_some() {
            return Err(ParseError::Expected("sequence match data"));
        }
        known_uids = Some(known_set(cursor)?);
    }
    cursor.require(b')', ") after QRESYNC")?;
    Ok(Qresync { uid_validity, modseq, known_uids, sequence_match })
}

/// `sequence-set` without `*` (RFC 7162 §7 `known-uids`), and certainly without `$`.
fn known_set(cursor: &mut Cursor<'_>) -> Result<SequenceSet, ParseError> {
    let set = cursor.sequence_set()?;
    if set.is_saved() || set.has_star() {
        return Err(ParseError::Expected("a set of numbers without * and $"));
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SelectParameters, ParseError> {
        let mut cursor = Cursor::new(text.as_bytes());
        let found = parameters(&mut cursor)?;
        cursor.end().map(|()| found)
    }

    fn set(ranges: &[(u32, u32)]) -> SequenceSet {
        SequenceSet::of(ranges)
    }

    /// RFC 7162 §3.1.8 and the examples of §3.2.5.
    #[test]
    fn rfc_examples() {
        assert_eq!(parse(""), Ok(SelectParameters::default()));
        let condstore = SelectParameters { condstore: true, qresync: None };
        assert_eq!(parse(" (CONDSTORE)"), Ok(condstore));
        let check = |text: &str, uid_validity, modseq, known_uids, sequence_match| {
            let qresync = Qresync { uid_validity, modseq, known_uids, sequence_match };
            let expected = SelectParameters { condstore: false, qresync: Some(qresync) };
            assert_eq!(parse(text), Ok(expected), "{text}");
        };
        check(" (QRESYNC (3857529045 20010715194032001))", 3_857_529_045, 20_010_715_194_032_001, None, None);
        let known = set(&[(41, 41), (43, 211), (214, 541)]);
        check(
            " (QRESYNC (67890007 20050715194045000 41,43:211,214:541))",
            67_890_007,
            20_050_715_194_045_000,
            Some(known),
            None,
        );
        check(
            " (QRESYNC (67890007 90060115194045000 41:211,214:541 (1,10 41,51)))",
            67_890_007,
            90_060_115_194_045_000,
            Some(set(&[(41, 211), (214, 541)])),
            Some((set(&[(1, 1), (10, 10)]), set(&[(41, 41), (51, 51)]))),
        );
        check(" (QRESYNC (1 2 (1 9)))", 1, 2, None, Some((set(&[(1, 1)]), set(&[(9, 9)]))));
    }

    #[test]
    fn wrong_parameters() {
        for text in [
            " ",
            " ()",
            " (CONDSTORE",
            " (FOO)",
            " (QRESYNC)",
            " (QRESYNC (0 1))",
            " (QRESYNC (1))",
            " (QRESYNC (1 2 1:*))",
            " (QRESYNC (1 2 $))",
            " (QRESYNC (1 2 1 2))",
            " (QRESYNC (1 2 (1)))",
            " (QRESYNC (1 2 (1 2) 3))",
            " CONDSTORE",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
