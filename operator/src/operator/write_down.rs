//! What a pass writes down when statuses are kept beside the accounts: the records of those of whom it says something else than
//! before. Leaves out what a record is made of ([`crate::records`]) and what a status says (`plan/`).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use mailwright_plan::ObjectRef;
use mailwright_plan::status::{Facts, Statuses, Subject};

use super::{Operator, PassError, Work};
use crate::accounts::{Accounts, AccountsError, Record};
use crate::platform::Platform;
use crate::records::{self, Ledger, Said};

impl<A: Accounts, P: Platform + Clone + 'static> Operator<A, P> {
    /// Answers how many records were written or forgotten. `told` are the facts that the kept statuses were made of.
    pub(super) async fn write_down(
        &mut self,
        work: &Work,
        facts: &Facts,
        told: Option<&Facts>,
        now: DateTime<Utc>,
    ) -> Result<usize, PassError> {
        let version = self.accounts.records_version().await?;
        let known = self.ledger.take().filter(|ledger| ledger.is_current(version));
        let mut ledger = match known {
            Some(ledger) => ledger,
            None => Ledger::new(self.accounts.record_keys().await?, version),
        };
        // Whoever has no news has the status that is kept, as long as the rest is as it was.
        let is_known = ledger.is_told() && told == Some(facts);
        let scope = work.near.as_ref().filter(|_| is_known);
        for page in ledger.unread(&self.feed.catalog, scope).chunks(records::PAGE) {
            ledger.number(&self.feed.catalog, &self.accounts.records(page.to_vec()).await?);
        }
        ledger.tell(&mut self.feed.catalog, scope, now);
        let written = self.write_changed(&mut ledger, work, facts, scope, now).await?;
        self.ledger = Some(ledger);
        Ok(written)
    }

    /// Writes the records of those whose status says something else than before, page by page.
    async fn write_changed(
        &self,
        ledger: &mut Ledger,
        work: &Work,
        facts: &Facts,
        scope: Option<&BTreeSet<ObjectRef>>,
        now: DateTime<Utc>,
    ) -> Result<usize, PassError> {
        let plain = self.input(work, facts, DateTime::UNIX_EPOCH);
        let changed = ledger.changed(&Statuses::new(&plain), scope);
        let input = self.input(work, facts, now);
        let statuses = Statuses::new(&input);
        let mut written = 0;
        let (mut ready, mut before): (Vec<Record>, &[_]) = (Vec::new(), &[]);
        let mut pages = changed.chunks(records::PAGE);
        loop {
            // A page is made while the one before it is written.
            let page = pages.next();
            let moves = !ready.is_empty();
            let put = async { if moves { self.accounts.put_records(ready).await } else { Ok(0) } };
            let make = self.records_of(ledger, &statuses, page.unwrap_or(&[]));
            let (put, made) = futures::future::join(put, make).await;
            written += put?;
            if moves {
                ledger.wrote();
            }
            before.iter().for_each(|(subject, said): &(Subject<'_>, _)| ledger.kept(&subject.object, *said));
            ready = made?;
            before = match page {
                Some(page) => page,
                None => break,
            };
        }
        let forgotten = ledger.forget(&statuses, &work.plan, scope);
        if !forgotten.is_empty() {
            written += forgotten.len();
            self.accounts.forget(forgotten).await?;
            ledger.wrote();
        }
        Ok(written)
    }

    /// The records of a page, as far as they differ from those that are kept.
    async fn records_of(
        &self,
        ledger: &Ledger,
        statuses: &Statuses<'_>,
        page: &[(Subject<'_>, Said)],
    ) -> Result<Vec<Record>, AccountsError> {
        let objects: Vec<ObjectRef> = page
            .iter()
            .map(|(subject, _)| &subject.object)
            .filter(|it| ledger.is_kept(it))
            .cloned()
            .collect();
        let kept = if objects.is_empty() { Vec::new() } else { self.accounts.records(objects).await? };
        let kept: BTreeMap<&ObjectRef, &Record> = kept.iter().map(|it| (&it.object, it)).collect();
        let record = |(subject, _): &(Subject<'_>, _)| {
            let before = kept.get(&subject.object).copied();
            let status = statuses.of(subject, before.map(|record| &record.status));
            ledger.record(subject, before, status).filter(|record| before != Some(record))
        };
        Ok(page.iter().filter_map(record).collect())
    }
}
