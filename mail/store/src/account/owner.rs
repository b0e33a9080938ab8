//! Ownership columns, and the rule that two sources never fight over a row.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::account::{AliasRow, ChangeError, DomainRow, MailboxRow, Ownership, ServerRow};
use crate::commit::Query;
use crate::error::Result;

/// Reads the six ownership columns from `first` on.
pub(crate) fn read(row: &SqliteRow, first: usize) -> Result<Option<Ownership>> {
    let Some(managed_by) = row.try_get::<Option<String>, _>(first)? else { return Ok(None) };
    Ok(Some(Ownership {
        managed_by,
        object: row.try_get::<Option<String>, _>(first + 1)?.unwrap_or_default(),
        origin_file: row.try_get::<Option<String>, _>(first + 2)?.unwrap_or_default(),
        origin_line: row.try_get::<Option<u32>, _>(first + 3)?.unwrap_or_default(),
        applied: row.try_get(first + 4)?,
        former: row.try_get(first + 5)?,
    }))
}

/// Binds the six ownership columns.
pub(crate) fn bind(query: Query, owner: Option<&Ownership>) -> Query {
    query
        .bind(owner.map(|o| o.managed_by.clone()))
        .bind(owner.map(|o| o.object.clone()))
        .bind(owner.map(|o| o.origin_file.clone()))
        .bind(owner.map(|o| i64::from(o.origin_line)))
        .bind(owner.and_then(|o| o.applied.clone()))
        .bind(owner.and_then(|o| o.former.clone()))
}

/// A declared row with its owner.
pub(super) trait Owned: Clone + PartialEq {
    fn owner_mut(&mut self) -> Option<&mut Ownership>;
}

macro_rules! owned {
    ($($row:ty),*) => {$(
        impl Owned for $row {
            fn owner_mut(&mut self) -> Option<&mut Ownership> {
                self.owner.as_mut()
            }
        }
    )*};
}
owned!(ServerRow, DomainRow, MailboxRow, AliasRow);

/// Equal but for the line of the declaration, which moves with every edit above it.
pub(super) fn same<R: Owned>(now: &R, new: &R) -> bool {
    let mut new = new.clone();
    let mut now = now.clone();
    if let (Some(now), Some(new)) = (now.owner_mut(), new.owner_mut()) {
        new.origin_line = now.origin_line;
    }
    now == new
}

/// A declared row may be written over an unmanaged one, its own, or one of the source that it names as the former one: what
/// was decided when that source had it does not hold for another.
pub(crate) fn may_put(
    name: &str,
    now: Option<&Ownership>,
    new: Option<&Ownership>,
) -> Result<(), ChangeError> {
    match (now, new) {
        (Some(now), Some(new)) if now.managed_by == new.managed_by => Ok(()),
        (Some(now), Some(new)) if new.former.as_ref() == Some(&now.managed_by) => Ok(()),
        (Some(now), _) => Err(conflict(name, now)),
        (None, _) => Ok(()),
    }
}

/// A source changes its own rows and unmanaged ones; an administrator (None) any.
pub(crate) fn may_change(name: &str, now: Option<&Ownership>, by: Option<&str>) -> Result<(), ChangeError> {
    match (now, by) {
        (Some(now), Some(by)) if now.managed_by != by => Err(conflict(name, now)),
        _ => Ok(()),
    }
}

fn conflict(name: &str, now: &Ownership) -> ChangeError {
    ChangeError::Conflict { name: name.into(), managed_by: now.managed_by.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(source: &str) -> Ownership {
        Ownership {
            managed_by: source.into(),
            object: "a/b".into(),
            origin_file: "f".into(),
            origin_line: 1,
            applied: None,
            former: None,
        }
    }

    #[test]
    fn the_first_source_keeps_the_row() {
        let (a, b) = (owner("a"), owner("b"));
        assert!(may_put("x", None, Some(&a)).is_ok() && may_put("x", None, None).is_ok());
        assert!(may_put("x", Some(&a), Some(&a)).is_ok());
        let conflict = ChangeError::Conflict { name: "x".into(), managed_by: "a".into() };
        assert_eq!(may_put("x", Some(&a), Some(&b)), Err(conflict.clone()));
        let takes_from = |source: &str| Ownership { former: Some(source.into()), ..owner("b") };
        assert!(may_put("x", Some(&a), Some(&takes_from("a"))).is_ok());
        assert_eq!(may_put("x", Some(&a), Some(&takes_from("c"))), Err(conflict.clone()));
        assert_eq!(may_put("x", Some(&a), None), Err(conflict.clone()));
        assert_eq!(may_change("x", Some(&a), Some("b")), Err(conflict));
        assert!(may_change("x", Some(&a), Some("a")).is_ok());
        assert!(may_change("x", Some(&a), None).is_ok() && may_change("x", None, Some("b")).is_ok());
    }
}
