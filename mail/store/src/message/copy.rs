//! COPY (RFC 3501 §6.4.7) and MOVE (RFC 6851 §3.1) within an account: rows, never bytes.

use sqlx::Row;

use crate::account::AccountId;
use crate::commit::{Tx, Verb};
use crate::error::{Error, Result};
use crate::mailbox::{FolderId, keywords, keywords_json};
use crate::message::append::{Target, target};
use crate::message::flags::translate;
use crate::message::pack::{groups, uid};
use crate::message::{Copied, MAX_TRANSFER, remove, sql};

pub(super) struct Copy {
    pub(super) source: FolderId,
    /// JSON.
    pub(super) uids: String,
    pub(super) name: String,
    /// A move.
    pub(super) remove: bool,
}

impl Verb for Copy {
    type Output = Copied;

    async fn run(&self, tx: &mut Tx) -> Result<Copied> {
        let query = sqlx::query(sql::SOURCE).bind(self.source.0).bind(self.uids.clone());
        let source = tx.row(query).await?.ok_or(Error::NoSuchFolder)?;
        let account = AccountId(source.try_get(0)?);
        let names = keywords(source.try_get(1)?)?;
        let messages = groups::<3>(source.try_get(2)?)?;
        let mut target = target(tx, account, &self.name).await?;
        let (folder, uid_validity) = (target.folder, target.uid_validity);
        let mut copied =
            Copied { folder, uid_validity, uids: Vec::with_capacity(messages.len()), source_modseq: 0 };
        if messages.is_empty() {
            return Ok(copied);
        }
        let bytes = if self.remove { 0 } else { messages.iter().map(|m| m[2]).sum::<u64>().cast_signed() };
        if messages.len() > MAX_TRANSFER {
            let limit = MAX_TRANSFER as u64;
            return Err(Error::Limit { what: "messages of one COPY or MOVE", limit });
        }
        target.takes(messages.len())?;
        if !self.remove {
            target.account_takes(messages.len())?;
            target.has_room_for(bytes)?;
        }
        let mut rows = Vec::with_capacity(messages.len());
        let mut next = target.uid_next;
        for [number, flags, _] in messages {
            let flags = translate(flags, &names, &mut target.keywords);
            rows.push(format!("[{number},{next},{flags}]"));
            copied.uids.push((uid(number)?, next));
            next = next.checked_add(1).ok_or(Error::Cannot("the mailbox has no UIDs left"))?;
        }
        self.write(tx, account, &target, bytes, &rows).await?;
        if self.remove {
            copied.source_modseq =
                remove::remove(tx, self.source, copied.uids.iter().map(|pair| pair.0)).await?;
        }
        Ok(copied)
    }
}

impl Copy {
    async fn write(
        &self,
        tx: &mut Tx,
        account: AccountId,
        target: &Target,
        bytes: i64,
        rows: &[String],
    ) -> Result<()> {
        let now = tx.now();
        let query = sqlx::query(sql::COPY)
            .bind(self.source.0)
            .bind(target.folder.0)
            .bind(format!("[{}]", rows.join(",")))
            .bind(rows.len() as i64)
            .bind(bytes)
            .bind(account.0)
            .bind(keywords_json(&target.keywords))
            .bind(now);
        tx.run(query).await?;
        tx.effects.touched.push((target.folder, target.modseq + 1));
        Ok(())
    }
}
