//! Passwords: declared ones and those that people set (DESIGN §1.4: passwords belong to people).

use crate::account::{AccountId, Credential, Effect, Management, NewCredential, NewPassword, SetBy, sql};
use crate::commit::{Query, Tx, Verb};
use crate::crash;
use crate::error::{Error, Result};
use crate::history::{Book, Cause, Note};

const SET_BY: [(SetBy, &str); 2] = [(SetBy::Declared, "declared"), (SetBy::Owner, "owner")];
const MANAGEMENT: [(Management, &str); 2] =
    [(Management::Initial, "initial"), (Management::Enforced, "enforced")];

pub(super) fn set_by(text: &str) -> Result<SetBy> {
    let found = SET_BY.iter().find(|(_, name)| *name == text);
    found.map(|(set_by, _)| *set_by).ok_or_else(|| Error::Damaged(format!("password set by {text:?}")))
}

pub(super) fn management(text: &str) -> Result<Management> {
    let found = MANAGEMENT.iter().find(|(_, name)| *name == text);
    found.map(|(management, _)| *management).ok_or_else(|| Error::Damaged(format!("management {text:?}")))
}

fn set_by_name(set_by: SetBy) -> Option<&'static str> {
    SET_BY.iter().find(|(known, _)| *known == set_by).map(|(_, name)| *name)
}

fn management_name(management: Management) -> Option<&'static str> {
    MANAGEMENT.iter().find(|(known, _)| *known == management).map(|(_, name)| *name)
}

/// What a declared credential does to the one in force.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    Nothing,
    /// Only the declaration is noted.
    Note,
    Replace,
}

fn decide(now: Option<&Credential>, new: &NewCredential) -> Decision {
    let Some(now) = now else { return Decision::Replace };
    let same_secret = now.fingerprint.as_deref() == Some(new.fingerprint.as_str());
    match (now.set_by, new.management) {
        (SetBy::Owner, Management::Enforced) => Decision::Replace,
        (SetBy::Declared, _) if !same_secret => Decision::Replace,
        _ if same_secret && now.management == Some(new.management) => Decision::Nothing,
        _ => Decision::Note,
    }
}

/// Applies a declared credential. The fingerprint tells whether the secret is the same: hashes are salted.
pub(super) async fn declare(
    tx: &mut Tx,
    account: AccountId,
    now: Option<&Credential>,
    new: Option<&NewCredential>,
) -> Result<Effect> {
    let Some(new) = new else { return Ok(Effect::Unchanged) };
    let management = management_name(new.management);
    let query = match decide(now, new) {
        Decision::Nothing => return Ok(Effect::Unchanged),
        Decision::Note => {
            sqlx::query(sql::NOTE_CREDENTIAL).bind(account.0).bind(new.fingerprint.clone()).bind(management)
        }
        Decision::Replace => sqlx::query(sql::SET_CREDENTIAL)
            .bind(account.0)
            .bind(new.hash.clone())
            .bind(set_by_name(SetBy::Declared))
            .bind(new.fingerprint.clone())
            .bind(management)
            .bind(tx.now())
            .bind(new.scram.clone()),
    };
    tx.run(query).await?;
    Ok(Effect::Written)
}

/// Binds the first password of a new account: hash, fingerprint, management, SCRAM record.
pub(super) fn bind_new(query: Query, new: Option<&NewCredential>) -> Query {
    query
        .bind(new.map(|new| new.hash.clone()))
        .bind(new.map(|new| new.fingerprint.clone()))
        .bind(new.and_then(|new| management_name(new.management)))
        .bind(new.and_then(|new| new.scram.clone()))
}

/// A person's (or an administrator's) new password.
pub(super) struct SetPassword {
    pub(super) address: String,
    pub(super) password: NewPassword,
    pub(super) by: SetBy,
}

impl Verb for SetPassword {
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<()> {
        let now = tx.now();
        let query = sqlx::query(sql::OWNER_PASSWORD)
            .bind(self.address.clone())
            .bind(self.password.hash.clone())
            .bind(set_by_name(self.by))
            .bind(now)
            .bind(self.password.scram.clone());
        if tx.run(query).await? == 0 {
            return Err(Error::NoSuchAccount);
        }
        tx.crash_at(crash::CHANGE_MADE)?;
        let note = Note {
            action: "password".into(),
            risk: "none".into(),
            kind: "Mailbox".into(),
            key: self.address.clone(),
            changes: serde_json::Value::Array(Vec::new()),
            ..Note::default()
        };
        let mut book = Book::new(Cause { actor: "passwd".into(), ..Cause::default() });
        book.write(tx, &note, None).await?;
        book.prune(tx).await?;
        super::apply::count(tx, 1).await
    }
}

/// The same password hashed anew, or its SCRAM record: nobody's session ends, no planner sees it.
pub(super) struct Rehash {
    pub(super) account: AccountId,
    pub(super) old: String,
    pub(super) new: NewPassword,
}

impl Verb for Rehash {
    type Output = bool;

    async fn run(&self, tx: &mut Tx) -> Result<bool> {
        let query = sqlx::query(sql::REHASH)
            .bind(self.account.0)
            .bind(self.old.clone())
            .bind(self.new.hash.clone())
            .bind(self.new.scram.clone());
        Ok(tx.run(query).await? > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(set_by: SetBy, fingerprint: Option<&str>, management: Management) -> Credential {
        let fingerprint = fingerprint.map(Into::into);
        Credential { set_by, fingerprint, management: Some(management), changed_at: 0 }
    }

    #[test]
    fn an_initial_password_never_replaces_the_owners() {
        use Management::{Enforced, Initial};
        use SetBy::{Declared, Owner};
        for (set_by, fingerprint, was, now, expected) in [
            (Declared, Some("one"), Initial, Initial, Decision::Nothing),
            (Declared, Some("one"), Enforced, Enforced, Decision::Nothing),
            (Declared, Some("one"), Initial, Enforced, Decision::Note),
            (Declared, Some("two"), Initial, Initial, Decision::Replace),
            (Declared, Some("two"), Enforced, Enforced, Decision::Replace),
            (Owner, Some("one"), Initial, Initial, Decision::Nothing),
            (Owner, Some("two"), Initial, Initial, Decision::Note),
            (Owner, None, Initial, Initial, Decision::Note),
            (Owner, Some("one"), Enforced, Enforced, Decision::Replace),
            (Owner, Some("one"), Enforced, Initial, Decision::Note),
        ] {
            let old = credential(set_by, fingerprint, was);
            let new =
                NewCredential { hash: "h".into(), scram: None, fingerprint: "one".into(), management: now };
            assert_eq!(decide(Some(&old), &new), expected, "{old:?} {now:?}");
            assert_eq!(decide(None, &new), Decision::Replace);
        }
    }

    #[test]
    fn names_are_read_back() {
        for (value, name) in SET_BY {
            assert_eq!((set_by(name).unwrap(), set_by_name(value)), (value, Some(name)));
        }
        for (value, name) in MANAGEMENT {
            assert_eq!((management(name).unwrap(), management_name(value)), (value, Some(name)));
        }
        assert!(set_by("nobody").is_err() && management("nobody").is_err());
    }
}
