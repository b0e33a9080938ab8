//! Flags as STORE and APPEND write them (RFC 3501 §9 `store-att-flags`, `flag-list`).

use super::{Cursor, FlagList, ParseError};
use crate::flags::{self, MAX_KEYWORDS, SYSTEM_NAMES};
use crate::{Keyword, StoreOperation};

/// `[SP "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")"]` (RFC 7162 §7 `store-modifier`)
pub(super) fn modifiers(cursor: &mut Cursor<'_>) -> Result<Option<u64>, ParseError> {
    let mut ahead = cursor.clone();
    if !ahead.take(b' ') || !ahead.take(b'(') {
        return Ok(None);
    }
    *cursor = ahead;
    if !cursor.atom("a STORE modifier")?.eq_ignore_ascii_case(b"UNCHANGEDSINCE") {
        return Err(ParseError::Expected("a STORE modifier that this server knows"));
    }
    cursor.space()?;
    let unchanged_since = cursor.modseq()?;
    cursor.require(b')', ") after STORE modifiers")?;
    Ok(Some(unchanged_since))
}

/// `SP ["+" / "-"] "FLAGS" [".SILENT"]`
pub(super) fn operation(cursor: &mut Cursor<'_>) -> Result<(StoreOperation, bool), ParseError> {
    cursor.space()?;
    let operation = match cursor.peek() {
        Some(b'+') => StoreOperation::Add,
        Some(b'-') => StoreOperation::Remove,
        _ => StoreOperation::Replace,
    };
    if operation != StoreOperation::Replace {
        let _ = cursor.take(b'+') || cursor.take(b'-');
    }
    let name = cursor.take_while(|b| b.is_ascii_alphabetic() || b == b'.');
    match name.to_ascii_uppercase().as_slice() {
        b"FLAGS" => Ok((operation, false)),
        b"FLAGS.SILENT" => Ok((operation, true)),
        _ => Err(ParseError::Expected("FLAGS, +FLAGS or -FLAGS")),
    }
}

/// `flag-list / (flag *(SP flag))`: parentheses may be left out in STORE.
pub(super) fn flags(cursor: &mut Cursor<'_>) -> Result<FlagList, ParseError> {
    if cursor.peek() == Some(b'(') {
        return flag_list(cursor);
    }
    let mut list = FlagList::default();
    loop {
        flag(cursor, &mut list)?;
        if !cursor.take(b' ') {
            return Ok(list);
        }
    }
}

/// `flag-list = "(" [flag *(SP flag)] ")"`
pub(super) fn flag_list(cursor: &mut Cursor<'_>) -> Result<FlagList, ParseError> {
    cursor.require(b'(', "( before flags")?;
    let mut list = FlagList::default();
    if cursor.take(b')') {
        return Ok(list);
    }
    loop {
        flag(cursor, &mut list)?;
        if cursor.take(b')') {
            return Ok(list);
        }
        cursor.space()?;
    }
}

/// `\Recent` is no flag that a client can set (RFC 3501 §2.3.2, and §9 `flag` does not have it); other names with a backslash
/// are for later standards.
fn flag(cursor: &mut Cursor<'_>, list: &mut FlagList) -> Result<(), ParseError> {
    if cursor.take(b'\\') {
        let name = cursor.atom("a flag")?;
        let known = SYSTEM_NAMES.iter().find(|(known, _)| known.as_bytes()[1..].eq_ignore_ascii_case(name));
        match known {
            Some((_, bit)) => list.system |= bit,
            None if name.eq_ignore_ascii_case(b"Recent") => {
                return Err(ParseError::Expected("a flag that a client may set, \\Recent is not"));
            }
            None => return Err(ParseError::Expected("a flag that this server knows")),
        }
        return Ok(());
    }
    let name = String::from_utf8_lossy(cursor.atom("a flag")?);
    let keyword = Keyword::new(&name).map_err(|_| ParseError::Expected("a shorter keyword"))?;
    if !list.keywords.contains(&keyword) {
        if list.keywords.len() == MAX_KEYWORDS {
            return Err(ParseError::TooMany("keywords"));
        }
        list.keywords.push(keyword);
    }
    debug_assert_eq!(list.system & flags::RECENT, 0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::{DELETED, SEEN};

    fn check(text: &str, system: u64, keywords: &[&str]) {
        let mut cursor = Cursor::new(text.as_bytes());
        let list = flags(&mut cursor).expect(text);
        assert_eq!(cursor.end(), Ok(()), "{text:?}");
        assert_eq!(list.system, system, "{text:?}");
        assert_eq!(list.keywords.iter().map(Keyword::as_str).collect::<Vec<_>>(), keywords, "{text:?}");
    }

    #[test]
    fn lists() {
        check("()", 0, &[]);
        check("(\\Seen \\deleted)", SEEN | DELETED, &[]);
        check("\\SEEN", SEEN, &[]);
        check("\\Seen $Junk", SEEN, &["$Junk"]);
        check("($Forwarded Work $FORWARDED)", 0, &["$Forwarded", "Work"]);
    }

    #[test]
    fn wrong_lists() {
        for text in [
            "",
            "(",
            "(\\Seen",
            "(\\Seen  \\Draft)",
            "\\Foo",
            "(\\)",
            "\\*",
            "\\Recent",
            "(\\Seen \\RECENT)",
            "\"quoted\"",
            "(\\Seen]",
        ] {
            assert!(flags(&mut Cursor::new(text.as_bytes())).is_err(), "{text:?}");
        }
        let many: Vec<String> = (0..=MAX_KEYWORDS).map(|n| format!("k{n}")).collect();
        let many = format!("({})", many.join(" "));
        assert_eq!(flags(&mut Cursor::new(many.as_bytes())), Err(ParseError::TooMany("keywords")));
    }

    #[test]
    fn unchanged_since() {
        for (text, expected) in [
            (" (UNCHANGEDSINCE 320162338) +FLAGS", Some(Some(320_162_338))),
            (" (unchangedsince 0) FLAGS", Some(Some(0))),
            (" FLAGS", Some(None)),
            (" (UNCHANGEDSINCE 9223372036854775808) FLAGS", None),
            (" (UNCHANGEDSINCE) FLAGS", None),
            (" (CHANGEDSINCE 1) FLAGS", None),
            (" (UNCHANGEDSINCE 1 FLAGS", None),
        ] {
            assert_eq!(modifiers(&mut Cursor::new(text.as_bytes())).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn operations() {
        use StoreOperation::{Add, Remove, Replace};
        for (text, expected) in [
            (" FLAGS", Some((Replace, false))),
            (" +flags", Some((Add, false))),
            (" -FLAGS.SILENT", Some((Remove, true))),
            (" flags.silent", Some((Replace, true))),
            (" ++FLAGS", None),
            (" FLAG", None),
            ("FLAGS", None),
            (" + FLAGS", None),
        ] {
            assert_eq!(operation(&mut Cursor::new(text.as_bytes())).ok(), expected, "{text:?}");
        }
    }
}
