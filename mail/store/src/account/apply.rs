//! Applying a batch of changes: one transaction, a savepoint each, fenced, idempotent; or all of them or none.

use sqlx::Row;

use crate::account::{
    Change, ChangeError, Effect, Fence, alias, before, domain, fence, mailbox, new, server, sql,
};
use crate::commit::{Tx, Verb};
use crate::crash;
use crate::error::{Error, Result};
use crate::history::{Book, Cause, Note};
use crate::many::MANY;

/// What one change came to.
pub(super) type Attempt = std::result::Result<Effect, Refusal>;

/// Why a change was not made: its own fault, or the transaction's.
pub(super) enum Refusal {
    Change(ChangeError),
    Store(Error),
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        Self::Change(error)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// The row that a change is about.
pub(super) fn named<T>(found: Option<T>, name: &str) -> std::result::Result<T, ChangeError> {
    found.ok_or_else(|| ChangeError::NotFound { name: name.into() })
}

pub(super) struct Apply {
    pub(super) batch: Vec<Change>,
    /// What is noted of each change; empty without a history.
    pub(super) notes: Vec<Note>,
    /// What is noted beside the changes.
    pub(super) acts: Vec<Note>,
    pub(super) cause: Option<Cause>,
    pub(super) fence: Option<Fence>,
    /// Whether one change that is not made takes back all others.
    pub(super) whole: bool,
}

impl Verb for Apply {
    type Output = Vec<std::result::Result<Effect, ChangeError>>;

    async fn run(&self, tx: &mut Tx) -> Result<Self::Output> {
        if let Some(fence) = &self.fence {
            fence::check(tx, fence).await?;
        }
        if self.batch.iter().any(Change::needs_room) {
            tx.shared.space.take_for_accounts()?;
        }
        let mark = tx.effects.mark();
        let mut book = self.cause.clone().map(Book::new);
        tx.run(sqlx::query(sql::CHANGES_BEGIN)).await?;
        let results = self.changes(tx, &mut book).await?;
        if self.whole && results.iter().any(Result::is_err) {
            tx.effects.back_to(mark);
            tx.run(sqlx::query(sql::CHANGES_BACK)).await?;
            return Ok(results
                .into_iter()
                .map(|made| Err(made.err().unwrap_or(ChangeError::NotAlone)))
                .collect());
        }
        tx.run(sqlx::query(sql::CHANGES_END)).await?;
        if let Some(book) = &mut book {
            for act in &self.acts {
                book.act(tx, act).await?;
            }
            book.prune(tx).await?;
        }
        let written = results.iter().filter(|made| matches!(made, Ok(Effect::Written))).count();
        count(tx, i64::try_from(written).unwrap_or(i64::MAX)).await?;
        Ok(results)
    }
}

impl Apply {
    /// Makes the changes. Whatever failed may have needed a later change of the batch: again, as long as something moves.
    async fn changes(&self, tx: &mut Tx, book: &mut Option<Book>) -> Result<Vec<Made>> {
        let mut results = self.in_order(tx, book).await?;
        let mut moved = results.iter().any(Result::is_ok);
        while moved {
            moved = false;
            for (index, result) in results.iter_mut().enumerate().filter(|(_, result)| result.is_err()) {
                *result = self.one(tx, book, index).await?;
                moved |= result.is_ok();
            }
        }
        Ok(results)
    }

    /// Every change once, new rows together where there are many.
    async fn in_order(&self, tx: &mut Tx, book: &mut Option<Book>) -> Result<Vec<Made>> {
        let mut results = Vec::with_capacity(self.batch.len());
        while results.len() < self.batch.len() {
            let mut alone = 1;
            if let (Some(book), Some((changes, notes))) = (book.as_mut(), self.news(results.len())) {
                if together(tx, changes, book, notes).await? {
                    results.extend(changes.iter().map(|_| Ok(Effect::Written)));
                    continue;
                }
                alone = changes.len();
            }
            for _ in 0..alone {
                results.push(self.one(tx, book, results.len()).await?);
            }
        }
        Ok(results)
    }

    async fn one(&self, tx: &mut Tx, book: &mut Option<Book>, index: usize) -> Result<Made> {
        attempt(tx, &self.batch[index], book.as_mut().zip(self.notes.get(index))).await
    }

    /// The next changes with their notes, when they are [`MANY`] of one kind and said to be new.
    fn news(&self, from: usize) -> Option<(&[Change], &[Note])> {
        let these = from..from + MANY;
        let (changes, notes) = (self.batch.get(these.clone())?, self.notes.get(these)?);
        let are_new = notes.iter().all(|note| note.action == CREATE) && new::are_alike(changes);
        are_new.then_some((changes, notes))
    }
}

type Made = std::result::Result<Effect, ChangeError>;

/// Moves the change counter and lets the watchers know after the commit.
pub(super) async fn count(tx: &mut Tx, written: i64) -> Result<()> {
    if written > 0
        && let Some(row) = tx.row(sqlx::query(sql::COUNT_CHANGES).bind(written)).await?
    {
        tx.effects.accounts.push(row.try_get(0)?);
    }
    Ok(())
}

/// New rows and their notes within one savepoint; false leaves them to be made one by one, each with an answer of its own.
async fn together(tx: &mut Tx, changes: &[Change], book: &mut Book, notes: &[Note]) -> Result<bool> {
    tx.crash_at(crash::CHANGE_BEFORE)?;
    let mark = book.mark();
    let made = match make_and_note_all(tx, changes, book, notes).await {
        Err(Error::Database(_)) => false,
        made => made?,
    };
    if made {
        tx.run(sqlx::query(sql::CHANGE_NEXT)).await?;
    } else {
        tx.run(sqlx::query(sql::CHANGE_BACK)).await?;
        book.back_to(mark);
    }
    tx.crash_at(crash::CHANGE_AFTER)?;
    Ok(made)
}

async fn make_and_note_all(tx: &mut Tx, changes: &[Change], book: &mut Book, notes: &[Note]) -> Result<bool> {
    if !new::make(tx, changes).await? {
        return Ok(false);
    }
    tx.crash_at(crash::CHANGE_MADE)?;
    book.write_many(tx, notes).await?;
    Ok(true)
}

/// One change within its savepoint. An error is the transaction's, not the change's.
async fn attempt(tx: &mut Tx, change: &Change, mut noted: Option<(&mut Book, &Note)>) -> Result<Made> {
    tx.crash_at(crash::CHANGE_BEFORE)?;
    let touched = tx.effects.touched.len();
    let mark = noted.as_ref().and_then(|(book, _)| book.mark());
    let outcome = match make_and_note(tx, change, noted.as_mut()).await {
        Ok(Effect::Unchanged) => Ok(Effect::Unchanged),
        Ok(Effect::Written) => {
            // What is noted has begun the next savepoint.
            if noted.is_none() {
                tx.run(sqlx::query(sql::CHANGE_NEXT)).await?;
            }
            Ok(Effect::Written)
        }
        Err(Refusal::Change(error)) => {
            tx.effects.touched.truncate(touched);
            tx.run(sqlx::query(sql::CHANGE_BACK)).await?;
            Err(error)
        }
        Err(Refusal::Store(error @ Error::Database(_))) => {
            tx.effects.touched.truncate(touched);
            tx.run(sqlx::query(sql::CHANGE_BACK)).await?;
            Err(ChangeError::Failed(error.to_string()))
        }
        Err(Refusal::Store(error)) => return Err(error),
    };
    if let (Err(_), Some((book, _))) = (&outcome, noted) {
        book.back_to(mark);
    }
    tx.crash_at(crash::CHANGE_AFTER)?;
    Ok(outcome)
}

/// The change and its row of the history: both, or neither.
async fn make_and_note(tx: &mut Tx, change: &Change, noted: Option<&mut (&mut Book, &Note)>) -> Attempt {
    let before = match &noted {
        // What is new has nothing before it, and most of a first plan is new.
        Some((_, note)) if note.action != CREATE => before::read(tx, change).await?,
        _ => None,
    };
    let is_new = noted.as_ref().is_some_and(|(_, note)| note.action == CREATE);
    let effect = make(tx, change, is_new).await?;
    if effect == Effect::Written {
        tx.crash_at(crash::CHANGE_MADE)?;
        if let Some((book, note)) = noted {
            book.write_and_go_on(tx, note, before.as_ref()).await?;
        }
    }
    Ok(effect)
}

/// The action of a row that was not there.
const CREATE: &str = "create";

async fn make(tx: &mut Tx, change: &Change, is_new: bool) -> Attempt {
    match change {
        Change::PutServer(row) => server::put(tx, row).await,
        Change::PutDomain(row) => domain::put(tx, row).await,
        Change::PutMailbox { row, credential } => mailbox::put(tx, row, credential.as_ref(), is_new).await,
        Change::PutAlias(row) => alias::put(tx, row).await,
        Change::DisableDomain(target) => domain::disable(tx, target).await,
        Change::DisableMailbox(target) => mailbox::disable(tx, target).await,
        Change::EnableMailbox(target) => mailbox::enable(tx, target).await,
        Change::DeleteServer(target) => server::delete(tx, target).await,
        Change::DeleteDomain(target) => domain::delete(tx, target).await,
        Change::DeleteMailbox { target, ignore_retention } => {
            mailbox::delete(tx, target, *ignore_retention).await
        }
        Change::DeleteAlias(target) => alias::delete(tx, target).await,
        Change::ReleaseServer(target) => server::release(tx, target).await,
        Change::ReleaseDomain(target) => domain::release(tx, target).await,
        Change::ReleaseMailbox(target) => mailbox::release(tx, target).await,
        Change::ReleaseAlias(target) => alias::release(tx, target).await,
    }
}
