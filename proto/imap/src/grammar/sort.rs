//! The arguments of SORT and THREAD (RFC 5256 §5; RFC 5957 §4 for the DISPLAY keys; RFC 5267 §3.1 for RETURN).

use super::{Cursor, ParseError, Returns, search};
use crate::search::SearchKey;
use crate::sort::{Criterion, SortBy};
use crate::thread::Algorithm;

/// Criteria of one SORT: there are nine, and each makes one more text of every message.
pub const SORT_CRITERIA: usize = 16;

/// The arguments of SORT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortCommand {
    /// `RETURN (…)`
    pub returns: Option<Returns>,
    /// The first counts most.
    pub criteria: Vec<Criterion>,
    /// What to sort.
    pub key: SearchKey,
}

/// The arguments of THREAD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadCommand {
    /// How.
    pub algorithm: Algorithm,
    /// What to thread.
    pub key: SearchKey,
}

/// `[RETURN …] SP sort-criteria SP search-criteria`
pub(super) fn sort(cursor: &mut Cursor<'_>) -> Result<SortCommand, ParseError> {
    let returns = search::returns(cursor)?;
    cursor.space()?;
    let criteria = criteria(cursor)?;
    search::charset(cursor)?;
    Ok(SortCommand { returns, criteria, key: search::keys(cursor)? })
}

/// `SP thread-alg SP search-criteria`
pub(super) fn thread(cursor: &mut Cursor<'_>) -> Result<ThreadCommand, ParseError> {
    cursor.space()?;
    let algorithm = match cursor.atom("a threading algorithm")?.to_ascii_uppercase().as_slice() {
        b"ORDEREDSUBJECT" => Algorithm::OrderedSubject,
        b"REFERENCES" => Algorithm::References,
        _ => return Err(ParseError::Expected("ORDEREDSUBJECT or REFERENCES")),
    };
    search::charset(cursor)?;
    Ok(ThreadCommand { algorithm, key: search::keys(cursor)? })
}

/// `"(" sort-criterion *(SP sort-criterion) ")"`, `sort-criterion = ["REVERSE" SP] sort-key`
fn criteria(cursor: &mut Cursor<'_>) -> Result<Vec<Criterion>, ParseError> {
    cursor.require(b'(', "( before sort criteria")?;
    let mut criteria = Vec::new();
    loop {
        if criteria.len() == SORT_CRITERIA {
            return Err(ParseError::TooMany("sort criteria"));
        }
        let mut word = cursor.atom("a sort criterion")?.to_ascii_uppercase();
        let reverse = word == b"REVERSE";
        if reverse {
            cursor.space()?;
            word = cursor.atom("a sort criterion")?.to_ascii_uppercase();
        }
        let by = sort_by(&word).ok_or(ParseError::Expected("a sort criterion that this server knows"))?;
        criteria.push(Criterion { by, reverse });
        if cursor.take(b')') {
            return Ok(criteria);
        }
        cursor.space()?;
    }
}

fn sort_by(word: &[u8]) -> Option<SortBy> {
    Some(match word {
        b"ARRIVAL" => SortBy::Arrival,
        b"CC" => SortBy::Cc,
        b"DATE" => SortBy::Date,
        b"DISPLAYFROM" => SortBy::DisplayFrom,
        b"DISPLAYTO" => SortBy::DisplayTo,
        b"FROM" => SortBy::From,
        b"SIZE" => SortBy::Size,
        b"SUBJECT" => SortBy::Subject,
        b"TO" => SortBy::To,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_sort(text: &str) -> Option<SortCommand> {
        let mut cursor = Cursor::new(text.as_bytes());
        let command = sort(&mut cursor).ok()?;
        cursor.end().ok().map(|()| command)
    }

    /// RFC 5256 §3's examples, and RFC 5267 §3.1's.
    #[test]
    fn sorts() {
        let by = |by, reverse| Criterion { by, reverse };
        let check = |text, returns: Option<Returns>, criteria: &[Criterion]| {
            let found = parse_sort(text).unwrap();
            assert_eq!((found.returns, found.criteria.as_slice()), (returns, criteria), "{text}");
        };
        check(" (SUBJECT) UTF-8 SINCE 1-Feb-1994", None, &[by(SortBy::Subject, false)]);
        check(
            " (SUBJECT REVERSE DATE) UTF-8 ALL",
            None,
            &[by(SortBy::Subject, false), by(SortBy::Date, true)],
        );
        check(
            " return (min count) (reverse displayfrom arrival) us-ascii UNDELETED",
            Some(Returns { min: true, count: true, ..Returns::default() }),
            &[by(SortBy::DisplayFrom, true), by(SortBy::Arrival, false)],
        );
        for bad in [
            "",
            " SUBJECT UTF-8 ALL",
            " () UTF-8 ALL",
            " (REVERSE) UTF-8 ALL",
            " (REVERSE REVERSE DATE) UTF-8 ALL",
            " (FOO) UTF-8 ALL",
            " (DATE) UTF-8",
            " (DATE) ALL",
            " (DATE) KOI8-R ALL",
        ] {
            assert_eq!(parse_sort(bad), None, "{bad:?}");
        }
        let many = format!(" ({}DATE) UTF-8 ALL", "DATE ".repeat(SORT_CRITERIA));
        assert_eq!(sort(&mut Cursor::new(many.as_bytes())), Err(ParseError::TooMany("sort criteria")));
    }

    #[test]
    fn threads() {
        let algorithm = |text: &str| thread(&mut Cursor::new(text.as_bytes())).map(|found| found.algorithm);
        assert_eq!(algorithm(" ORDEREDSUBJECT UTF-8 SINCE 5-MAR-2000"), Ok(Algorithm::OrderedSubject));
        assert_eq!(algorithm(" references US-ASCII TEXT \"gewp\""), Ok(Algorithm::References));
        assert_eq!(
            algorithm(" REFS US-ASCII ALL"),
            Err(ParseError::Expected("ORDEREDSUBJECT or REFERENCES"))
        );
        assert_eq!(algorithm(" REFERENCES KOI8-R ALL"), Err(ParseError::BadCharset));
        assert!(algorithm(" REFERENCES UTF-8").is_err());
    }
}
