//! SUBSCRIBE and UNSUBSCRIBE (RFC 3501 §6.3.6, §6.3.7): a list of names of its own, which outlives folders.

use crate::account::AccountId;
use crate::commit::{Tx, Verb};
use crate::error::{Error, Result};
use crate::mailbox::{SUBSCRIPTIONS_MAX, sql};

pub(super) struct Subscribe {
    pub(super) account: AccountId,
    pub(super) name: String,
}

impl Verb for Subscribe {
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<()> {
        let limit = i64::try_from(SUBSCRIPTIONS_MAX).unwrap_or(i64::MAX);
        let query = sqlx::query(sql::SUBSCRIBE).bind(self.account.0).bind(self.name.clone()).bind(limit);
        match tx.row(query).await? {
            Some(_) => Ok(()),
            None => Err(Error::Limit { what: "subscriptions of an account", limit: SUBSCRIPTIONS_MAX }),
        }
    }
}

pub(super) struct Unsubscribe {
    pub(super) account: AccountId,
    pub(super) name: String,
}

impl Verb for Unsubscribe {
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<()> {
        tx.run(sqlx::query(sql::UNSUBSCRIBE).bind(self.account.0).bind(self.name.clone())).await?;
        Ok(())
    }
}
