//! The keys of SEARCH (RFC 3501 §9 `search`, `search-key`).

use super::{Cursor, ParseError};
use crate::search::{AddressField, DateOrder, Needle, SearchKey};
use crate::server::config::{SEARCH_DEPTH, SEARCH_KEYS};
use crate::{Keyword, date, flags};

/// The arguments of SEARCH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchCommand {
    /// `RETURN (…)`; `None` asks for the old response.
    pub returns: Option<Returns>,
    /// What to look for.
    pub key: SearchKey,
}

/// `search-return-opts` (RFC 4731 §3.1, RFC 5182 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Returns {
    /// `MIN`
    pub min: bool,
    /// `MAX`
    pub max: bool,
    /// `ALL`
    pub all: bool,
    /// `COUNT`
    pub count: bool,
    /// `SAVE`
    pub save: bool,
}

impl Returns {
    /// What `RETURN ()` asks for (RFC 4731 §3.1).
    pub const DEFAULT: Returns = Returns { min: false, max: false, all: true, count: false, save: false };

    /// Whether anything is to be told.
    pub fn tells(&self) -> bool {
        self.min || self.max || self.all || self.count
    }
}

/// `[search-return-opts] [SP "CHARSET" SP astring] 1*(SP search-key)`
pub(super) fn search(cursor: &mut Cursor<'_>) -> Result<SearchCommand, ParseError> {
    let returns = returns(cursor)?;
    let mut ahead = cursor.clone();
    ahead.space()?;
    if ahead.take_while(|b| b.is_ascii_alphabetic()).eq_ignore_ascii_case(b"CHARSET") {
        charset(&mut ahead)?;
        *cursor = ahead;
    }
    Ok(SearchCommand { returns, key: keys(cursor)? })
}

/// `[SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"]` (RFC 4466 §2.6.1)
pub(super) fn returns(cursor: &mut Cursor<'_>) -> Result<Option<Returns>, ParseError> {
    let mut ahead = cursor.clone();
    ahead.space()?;
    if !ahead.take_while(|b| b.is_ascii_alphabetic()).eq_ignore_ascii_case(b"RETURN") {
        return Ok(None);
    }
    *cursor = ahead;
    cursor.space()?;
    cursor.require(b'(', "( before what to return")?;
    if cursor.take(b')') {
        return Ok(Some(Returns::DEFAULT));
    }
    let mut returns = Returns::default();
    loop {
        match cursor.atom("a return option")?.to_ascii_uppercase().as_slice() {
            b"MIN" => returns.min = true,
            b"MAX" => returns.max = true,
            b"ALL" => returns.all = true,
            b"COUNT" => returns.count = true,
            b"SAVE" => returns.save = true,
            _ => return Err(ParseError::Expected("a return option that this server knows")),
        }
        if cursor.take(b')') {
            return Ok(Some(returns));
        }
        cursor.space()?;
    }
}

/// `SP astring`: the two charsets that every text is in anyway.
pub(super) fn charset(cursor: &mut Cursor<'_>) -> Result<(), ParseError> {
    cursor.space()?;
    let charset = cursor.astring()?;
    match [b"US-ASCII".as_slice(), b"UTF-8"].iter().any(|known| known.eq_ignore_ascii_case(&charset)) {
        true => Ok(()),
        false => Err(ParseError::BadCharset),
    }
}

/// `1*(SP search-key)`
pub(super) fn keys(cursor: &mut Cursor<'_>) -> Result<SearchKey, ParseError> {
    let mut parser = Parser { cursor, keys: 0 };
    let mut keys = Vec::new();
    while parser.cursor.take(b' ') {
        keys.push(parser.key(0)?);
    }
    match keys.len() {
        0 => Err(ParseError::Expected("a search key")),
        _ => Ok(one_or_all(keys)),
    }
}

fn one_or_all(mut keys: Vec<SearchKey>) -> SearchKey {
    match (keys.pop(), keys.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            keys.extend(last);
            SearchKey::And(keys)
        }
    }
}

struct Parser<'c, 'a> {
    cursor: &'c mut Cursor<'a>,
    keys: usize,
}

impl Parser<'_, '_> {
    fn key(&mut self, depth: usize) -> Result<SearchKey, ParseError> {
        self.keys += 1;
        if self.keys > SEARCH_KEYS {
            return Err(ParseError::TooMany("search keys"));
        }
        if depth > SEARCH_DEPTH {
            return Err(ParseError::TooMany("levels of search keys"));
        }
        match self.cursor.peek() {
            Some(b'0'..=b'9' | b'*' | b'$') => return self.cursor.sequence_set().map(SearchKey::Sequence),
            Some(b'(') => return self.list(depth),
            _ => {}
        }
        let name = self.cursor.atom("a search key")?.to_ascii_uppercase();
        match name.as_slice() {
            b"NOT" => Ok(SearchKey::Not(Box::new(self.next_key(depth)?))),
            b"OR" => Ok(SearchKey::Or(Box::new(self.next_key(depth)?), Box::new(self.next_key(depth)?))),
            _ => match flag_key(&name) {
                Some(key) => Ok(key),
                None => self.with_argument(&name),
            },
        }
    }

    fn next_key(&mut self, depth: usize) -> Result<SearchKey, ParseError> {
        self.cursor.space()?;
        self.key(depth + 1)
    }

    /// `"(" search-key *(SP search-key) ")"`
    fn list(&mut self, depth: usize) -> Result<SearchKey, ParseError> {
        self.cursor.require(b'(', "(")?;
        let mut keys = vec![self.key(depth + 1)?];
        while !self.cursor.take(b')') {
            keys.push(self.next_key(depth)?);
        }
        Ok(one_or_all(keys))
    }

    fn with_argument(&mut self, name: &[u8]) -> Result<SearchKey, ParseError> {
        if let Some((sent, order)) = date_key(name) {
            self.cursor.space()?;
            return Ok(SearchKey::Date { sent, order, day: self.date()? });
        }
        Ok(match name {
            b"BCC" => SearchKey::Address(AddressField::Bcc, self.text()?),
            b"CC" => SearchKey::Address(AddressField::Cc, self.text()?),
            b"FROM" => SearchKey::Address(AddressField::From, self.text()?),
            b"TO" => SearchKey::Address(AddressField::To, self.text()?),
            b"SUBJECT" => SearchKey::Subject(self.text()?),
            b"BODY" => SearchKey::Body(self.text()?),
            b"TEXT" => SearchKey::Text(self.text()?),
            b"HEADER" => {
                self.cursor.space()?;
                SearchKey::Header { name: self.cursor.astring()?.into_owned(), text: self.text()? }
            }
            b"KEYWORD" | b"UNKEYWORD" => {
                self.cursor.space()?;
                let keyword = String::from_utf8_lossy(self.cursor.atom("a keyword")?);
                let keyword =
                    Keyword::new(&keyword).map_err(|_| ParseError::Expected("a shorter keyword"))?;
                SearchKey::Keyword { name: keyword.as_str().to_owned(), set: name == b"KEYWORD" }
            }
            b"LARGER" | b"SMALLER" => {
                self.cursor.space()?;
                SearchKey::Size { larger: name == b"LARGER", size: self.cursor.number()? }
            }
            b"SAVEDBEFORE" => self.saved(DateOrder::Before)?,
            b"SAVEDON" => self.saved(DateOrder::On)?,
            b"SAVEDSINCE" => self.saved(DateOrder::Since)?,
            // Every mailbox has them here (RFC 8514 §4.3).
            b"SAVEDATESUPPORTED" => SearchKey::All,
            b"EMAILID" => SearchKey::EmailId(self.object_id(b'E')?),
            b"THREADID" => SearchKey::ThreadId(self.object_id(b'T')?),
            // RFC 5032 §2: seconds, at least one.
            b"OLDER" | b"YOUNGER" => {
                self.cursor.space()?;
                let seconds = self.cursor.nz_number()?;
                SearchKey::Within { older: name == b"OLDER", seconds, now: 0 }
            }
            b"MODSEQ" => {
                self.cursor.space()?;
                self.entry()?;
                SearchKey::Modseq(self.cursor.modseq()?)
            }
            b"UID" => {
                self.cursor.space()?;
                SearchKey::Uid(self.cursor.sequence_set()?)
            }
            _ => return Err(ParseError::Expected("a search key that this server knows")),
        })
    }

    /// `[entry-name SP entry-type-req SP]` (RFC 7162 §3.1.5): flags have one modification sequence, whichever is named.
    fn entry(&mut self) -> Result<(), ParseError> {
        if self.cursor.peek() != Some(b'"') {
            return Ok(());
        }
        let entry = self.cursor.string()?;
        if !entry.to_ascii_lowercase().starts_with(b"/flags/") {
            return Err(ParseError::Expected("an entry name as in \"/flags/\\\\Draft\""));
        }
        self.cursor.space()?;
        match self.cursor.atom("an entry type")?.to_ascii_lowercase().as_slice() {
            b"priv" | b"shared" | b"all" => self.cursor.space(),
            _ => Err(ParseError::Expected("priv, shared or all")),
        }
    }

    /// An astring in UTF-8, of which US-ASCII is a part: clients leave the charset out.
    fn text(&mut self) -> Result<Needle, ParseError> {
        self.cursor.space()?;
        let octets = self.cursor.astring()?;
        let text = std::str::from_utf8(&octets).map_err(|_| ParseError::Expected("text in UTF-8"))?;
        Ok(Needle::new(text))
    }

    /// `date = date-text / DQUOTE date-text DQUOTE`
    fn saved(&mut self, order: DateOrder) -> Result<SearchKey, ParseError> {
        self.cursor.space()?;
        Ok(SearchKey::SaveDate { order, day: self.date()? })
    }

    /// `objectid = 1*255(ALPHA / DIGIT / "_" / "-")` (RFC 8474 §7); `None` for one that was never given.
    fn object_id(&mut self, kind: u8) -> Result<Option<[u8; 16]>, ParseError> {
        self.cursor.space()?;
        let name = self.cursor.astring()?;
        let valid = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-');
        if name.is_empty() || name.len() > 255 || !name.iter().all(valid) {
            return Err(ParseError::Expected("an object identifier"));
        }
        let digits = name.strip_prefix(&[kind]).filter(|digits| digits.len() == 32);
        let number = digits.and_then(|digits| {
            let lower = digits.iter().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'));
            let text = std::str::from_utf8(digits).ok().filter(|_| lower)?;
            u128::from_str_radix(text, 16).ok()
        });
        Ok(number.map(u128::to_be_bytes))
    }

    fn date(&mut self) -> Result<i64, ParseError> {
        date::parse_date(&self.cursor.astring()?).ok_or(ParseError::Expected("a date as in 1-Feb-1994"))
    }
}

fn flag_key(name: &[u8]) -> Option<SearchKey> {
    let (mask, set) = match name {
        b"ALL" => return Some(SearchKey::All),
        b"NEW" => {
            let recent = SearchKey::Flags { mask: flags::RECENT, set: true };
            return Some(SearchKey::And(vec![recent, SearchKey::Flags { mask: flags::SEEN, set: false }]));
        }
        b"ANSWERED" => (flags::ANSWERED, true),
        b"DELETED" => (flags::DELETED, true),
        b"DRAFT" => (flags::DRAFT, true),
        b"FLAGGED" => (flags::FLAGGED, true),
        b"OLD" => (flags::RECENT, false),
        b"RECENT" => (flags::RECENT, true),
        b"SEEN" => (flags::SEEN, true),
        b"UNANSWERED" => (flags::ANSWERED, false),
        b"UNDELETED" => (flags::DELETED, false),
        b"UNDRAFT" => (flags::DRAFT, false),
        b"UNFLAGGED" => (flags::FLAGGED, false),
        b"UNSEEN" => (flags::SEEN, false),
        _ => return None,
    };
    Some(SearchKey::Flags { mask, set })
}

fn date_key(name: &[u8]) -> Option<(bool, DateOrder)> {
    Some(match name {
        b"BEFORE" => (false, DateOrder::Before),
        b"ON" => (false, DateOrder::On),
        b"SINCE" => (false, DateOrder::Since),
        b"SENTBEFORE" => (true, DateOrder::Before),
        b"SENTON" => (true, DateOrder::On),
        b"SENTSINCE" => (true, DateOrder::Since),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sequence::{Bound, SequenceSet};

    fn parse(text: &str) -> Result<SearchKey, ParseError> {
        let mut cursor = Cursor::new(text.as_bytes());
        let search = search(&mut cursor)?;
        cursor.end()?;
        assert_eq!(search.returns, None, "{text:?}");
        Ok(search.key)
    }

    fn check_returns(text: &str, expected: Option<Returns>) {
        let found = search(&mut Cursor::new(text.as_bytes()));
        assert_eq!(found.ok().and_then(|search| search.returns), expected, "{text:?}");
    }

    /// RFC 4731 §3.1 and RFC 5182 §2.4's examples.
    #[test]
    fn return_options() {
        let none = Returns::default();
        check_returns(" ALL", None);
        check_returns(" RETURN () SINCE 1-Feb-1994", Some(Returns::DEFAULT));
        check_returns(" RETURN (MIN COUNT) FLAGGED", Some(Returns { min: true, count: true, ..none }));
        check_returns(
            " return (save max all) CHARSET UTF-8 $",
            Some(Returns { max: true, all: true, save: true, ..none }),
        );
        for bad in [" RETURN", " RETURN ALL", " RETURN (FOO) ALL", " RETURN (MIN) ", " RETURN (MIN"] {
            assert!(search(&mut Cursor::new(bad.as_bytes())).is_err(), "{bad:?}");
        }
    }

    /// RFC 7162 §3.1.5's examples, and RFC 5032 §3.
    #[test]
    fn modseq_and_within() {
        check(" MODSEQ 620162338", SearchKey::Modseq(620_162_338));
        check(" MODSEQ \"/flags/\\\\draft\" all 620162338", SearchKey::Modseq(620_162_338));
        check(" YOUNGER 259200", SearchKey::Within { older: false, seconds: 259_200, now: 0 });
        check(" older 1", SearchKey::Within { older: true, seconds: 1, now: 0 });
        check(" SAVEDON 1-Feb-1994", SearchKey::SaveDate { order: DateOrder::On, day: 8797 });
        check(" SAVEDATESUPPORTED", SearchKey::All);
        check(&format!(" EMAILID E{}", "0f".repeat(16)), SearchKey::EmailId(Some([15; 16])));
        check(" THREADID Tx", SearchKey::ThreadId(None));
        for bad in [" EMAILID", " EMAILID \"a b\"", " SAVEDON x"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        check(" $", SearchKey::Sequence(SequenceSet::saved()));
        check(" UID $", SearchKey::Uid(SequenceSet::saved()));
        for bad in [" MODSEQ", " MODSEQ x", " MODSEQ \"x\" all 1", " OLDER 0", " YOUNGER", " $,1"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    fn check(text: &str, expected: SearchKey) {
        assert_eq!(parse(text), Ok(expected), "{text:?}");
    }

    fn flag(mask: u64, set: bool) -> SearchKey {
        SearchKey::Flags { mask, set }
    }

    #[test]
    fn every_key() {
        let needle = Needle::new;
        check(" ALL", SearchKey::All);
        check(" unseen", flag(flags::SEEN, false));
        check(" OLD", flag(flags::RECENT, false));
        check(" NEW", SearchKey::And(vec![flag(flags::RECENT, true), flag(flags::SEEN, false)]));
        check(" FROM \"Smith\"", SearchKey::Address(AddressField::From, needle("smith")));
        check(" TEXT {6}\r\nAB\r\nCD", SearchKey::Text(needle("ab\r\ncd")));
        check(
            " HEADER Message-ID <1@x>",
            SearchKey::Header { name: b"Message-ID".to_vec(), text: needle("<1@x>") },
        );
        check(" KEYWORD $Junk", SearchKey::Keyword { name: "$Junk".into(), set: true });
        check(" UNKEYWORD x", SearchKey::Keyword { name: "x".into(), set: false });
        check(" LARGER 10", SearchKey::Size { larger: true, size: 10 });
        check(
            " SENTSINCE \"1-Feb-1994\"",
            SearchKey::Date { sent: true, order: DateOrder::Since, day: 8797 },
        );
        check(" BEFORE 1-Feb-1994", SearchKey::Date { sent: false, order: DateOrder::Before, day: 8797 });
        let set = |low| SequenceSet::new(vec![(Bound::Number(low), Bound::Largest)]);
        check(" 2:*", SearchKey::Sequence(set(2)));
        check(" UID 7:*", SearchKey::Uid(set(7)));
    }

    #[test]
    fn combinations() {
        check(" SEEN DRAFT", SearchKey::And(vec![flag(flags::SEEN, true), flag(flags::DRAFT, true)]));
        check(" NOT (SEEN)", SearchKey::Not(Box::new(flag(flags::SEEN, true))));
        check(
            " OR (SEEN DRAFT) NOT DELETED",
            SearchKey::Or(
                Box::new(SearchKey::And(vec![flag(flags::SEEN, true), flag(flags::DRAFT, true)])),
                Box::new(SearchKey::Not(Box::new(flag(flags::DELETED, true)))),
            ),
        );
    }

    #[test]
    fn charsets() {
        check(" CHARSET utf-8 SUBJECT \"grün\"", SearchKey::Subject(Needle::new("GRÜN")));
        check(" charset \"US-ASCII\" ALL", SearchKey::All);
        assert_eq!(parse(" CHARSET KOI8-R ALL"), Err(ParseError::BadCharset));
        let mut cursor = Cursor::new(b" SUBJECT {1}\r\n\xff");
        assert_eq!(search(&mut cursor), Err(ParseError::Expected("text in UTF-8")));
    }

    #[test]
    fn wrong_keys() {
        for text in [
            "",
            " ",
            " FOO",
            " NOT",
            " OR SEEN",
            " (",
            " ()",
            " (SEEN",
            " SEEN  DRAFT",
            " FROM",
            " BEFORE yesterday",
            " LARGER x",
            " UID",
            " UID 0",
            " HEADER x",
            " CHARSET",
            " CHARSET UTF-8",
            " ALL)",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn nesting_and_number_are_bounded() {
        assert_eq!(
            parse(&format!(" {}ALL", "NOT ".repeat(60_000))),
            Err(ParseError::TooMany("levels of search keys"))
        );
        assert_eq!(
            parse(&format!(" {}", "(".repeat(60_000))),
            Err(ParseError::TooMany("levels of search keys"))
        );
        assert_eq!(parse(&" ALL".repeat(SEARCH_KEYS + 1)), Err(ParseError::TooMany("search keys")));
        assert!(parse(&format!(" {}ALL", "NOT ".repeat(SEARCH_DEPTH))).is_ok());
    }
}
