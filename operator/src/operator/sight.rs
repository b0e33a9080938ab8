//! What an operator has seen of the account database, and what moved there since it planned last.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use mailwright_plan::nearby::Moved;
use mailwright_plan::{Change, Observed, Operation, Plan};

use crate::accounts::{Accounts, AccountsError};

/// How long rows may be changed unseen: reading a hundred thousand of them takes a second, which is nothing in five minutes.
const DRIFT_AFTER: TimeDelta = TimeDelta::minutes(5);

/// More rows than this are read together with all others.
const FEW: usize = 2_000;

/// The rows as they were read last.
#[derive(Debug, Default)]
pub(super) struct Sight {
    observed: Option<Arc<Observed>>,
    moved: Moved,
    /// Whether to look again, whatever the change counter says.
    doubtful: bool,
    /// When every row was last read, whatever the change counter said.
    read_whole: Option<DateTime<Utc>>,
}

/// What a batch wrote, as far as it is known.
#[derive(Debug, Clone, Default)]
pub(super) struct Written {
    /// The only addresses whose rows it wrote; `None` when it may have written others.
    addresses: Option<BTreeSet<String>>,
    /// By how much it moved the change counter.
    pub(super) count: Option<u64>,
}

impl Written {
    /// By these operations, before anything came of them.
    pub(super) fn by(operations: &[&Operation]) -> Written {
        let address = |operation: &&Operation| match &operation.change {
            Change::PutMailbox { declared, .. } => Some(declared.address.clone()),
            Change::PutAlias { declared, .. } => Some(declared.address.clone()),
            _ => None,
        };
        let few = operations.len() <= FEW;
        let addresses = few.then(|| operations.iter().map(address).collect()).flatten();
        Written { addresses, count: Some(0) }
    }

    /// One batch more.
    pub(super) fn add(&mut self, count: Option<u64>) {
        self.count = self.count.zip(count).map(|(all, count)| all + count);
    }
}

impl Sight {
    /// What was seen last.
    pub(super) fn last(&self) -> Option<&Arc<Observed>> {
        self.observed.as_ref()
    }

    /// Forgets everything: it is another database now.
    pub(super) fn forget(&mut self) {
        *self = Sight { read_whole: self.read_whole, ..Sight::default() };
    }

    /// What moved since this was asked last.
    pub(super) fn take_moved(&mut self) -> Moved {
        std::mem::replace(&mut self.moved, Moved::none())
    }

    /// Doubts what was seen when that is long ago: SQL behind the back of the database's owner moves no counter.
    pub(super) fn doubt(&mut self, now: DateTime<Utc>) {
        if self.read_whole.is_none_or(|at| now - at >= DRIFT_AFTER || now < at) {
            self.read_whole = Some(now);
            self.doubtful = true;
        }
    }

    /// What runs; read again only when something was written since.
    pub(super) async fn look(&mut self, accounts: &impl Accounts) -> Result<Arc<Observed>, AccountsError> {
        let known = self.observed.as_ref().filter(|_| !self.doubtful);
        let known = known.map(|observed| observed.change_counter);
        let read = match accounts.observe_since(known).await? {
            None if known.is_none() => Some(accounts.observe().await?),
            read => read,
        };
        if let Some(observed) = read {
            let since = match &self.observed {
                Some(before) => Moved::between(before, &observed),
                None => Moved::Everything,
            };
            self.moved = self.take_moved().and(since);
            self.observed = Some(Arc::new(observed));
            self.doubtful = false;
        }
        Ok(self.observed.clone().unwrap_or_default())
    }

    /// What runs after a write of our own: of few rows they alone are read, unless somebody else wrote meanwhile.
    pub(super) async fn look_after(
        &mut self,
        accounts: &impl Accounts,
        plan: &Plan,
        written: Written,
    ) -> Result<Arc<Observed>, AccountsError> {
        let before = self.observed.as_ref().map(|observed| observed.change_counter);
        let expected = before.zip(written.count).map(|(before, count)| before + count);
        let part = match &written.addresses {
            Some(addresses) if expected.is_some() => accounts.observe_addresses(addresses).await?,
            _ => None,
        };
        if let (Some(part), Some(addresses), Some(observed)) = (part, &written.addresses, &mut self.observed)
            && Some(part.change_counter) == expected
            && Arc::make_mut(observed).take_in(addresses, part)
        {
            return Ok(Arc::clone(observed));
        }
        let mut observed = accounts.observe().await?;
        observed.share(plan);
        if Some(observed.change_counter) == expected {
            self.observed = Some(Arc::new(observed));
            return Ok(self.observed.clone().unwrap_or_default());
        }
        let since = self.observed.as_ref().map(|before| Moved::between(before, &observed));
        self.moved = self.take_moved().and(since.unwrap_or_default());
        self.observed = Some(Arc::new(observed));
        Ok(self.observed.clone().unwrap_or_default())
    }
}
