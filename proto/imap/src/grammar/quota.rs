//! GETQUOTA and SETQUOTA (RFC 9208 §7).

use super::{Command, Cursor, ParseError};
use crate::server::config::FETCH_ITEMS;

/// `"GETQUOTA" SP quota-root-name`
pub(super) fn get_quota(cursor: &mut Cursor<'_>) -> Result<Command, ParseError> {
    cursor.space()?;
    Ok(Command::GetQuota { root: cursor.astring()?.into_owned() })
}

/// `"SETQUOTA" SP quota-root-name SP setquota-list`: read to be refused, for quotas are declared elsewhere.
pub(super) fn set_quota(cursor: &mut Cursor<'_>) -> Result<Command, ParseError> {
    cursor.space()?;
    cursor.astring()?;
    cursor.space()?;
    cursor.require(b'(', "( before limits")?;
    for at in 0..FETCH_ITEMS {
        if cursor.take(b')') {
            return Ok(Command::SetQuota);
        }
        if at > 0 {
            cursor.space()?;
        }
        cursor.atom("a resource")?;
        cursor.space()?;
        cursor.number()?;
    }
    Err(ParseError::TooMany("limits"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::parse;

    fn check(text: &str, expected: Option<Command>) {
        assert_eq!(parse(format!("a {text}").as_bytes(), false).command.ok(), expected, "{text:?}");
    }

    #[test]
    fn quotas() {
        check("GETQUOTA \"\"", Some(Command::GetQuota { root: Vec::new() }));
        check("GETQUOTA \"!partition/sda4\"", Some(Command::GetQuota { root: b"!partition/sda4".to_vec() }));
        check("GETQUOTA", None);
        check("SETQUOTA \"\" (STORAGE 512)", Some(Command::SetQuota));
        check("SETQUOTA \"\" (STORAGE 512 MESSAGE 3)", Some(Command::SetQuota));
        check("SETQUOTA \"\" ()", Some(Command::SetQuota));
        check("SETQUOTA \"\" (STORAGE)", None);
        check("SETQUOTA \"\"", None);
        check(&format!("SETQUOTA \"\" ({})", ["X 1"; 101].join(" ")), None);
    }
}
