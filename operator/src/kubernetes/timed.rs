//! Counts and times what goes to account databases, whatever the way there is. Owns no request: it hands each one on.

use std::future::Future;
use std::time::Instant;

use mailwright_plan::{Batch, BatchReply, ObjectRef, Observed};

use super::metrics;
use crate::accounts::{
    Accounts, AccountsError, AccountsErrorKind, Connector, Health, Identity, Pushed, Record, Remote, Target,
};

/// A connector, or a way that it made, whose requests are counted and timed.
#[derive(Debug, Clone)]
pub struct Timed<T>(pub T);

impl<C: Connector> Connector for Timed<C> {
    type Remote = Timed<C::Remote>;

    fn connect(&self, target: Target) -> Timed<C::Remote> {
        Timed(self.0.connect(target))
    }
}

async fn timed<T>(
    request: &'static str,
    answer: impl Future<Output = Result<T, AccountsError>>,
) -> Result<T, AccountsError> {
    let start = Instant::now();
    let answer = answer.await;
    let result = answer.as_ref().map_or_else(|error| word(error.kind), |_| "ok");
    metrics::database_request(request, result, start.elapsed());
    answer
}

/// The label of a failure.
fn word(kind: AccountsErrorKind) -> &'static str {
    match kind {
        AccountsErrorKind::Unreachable => "unreachable",
        AccountsErrorKind::Fenced => "fenced",
        AccountsErrorKind::WrongDatabase => "wrong_database",
        AccountsErrorKind::StorageFull => "storage_full",
        AccountsErrorKind::Refused => "refused",
    }
}

impl<A: Accounts> Accounts for Timed<A> {
    async fn observe(&self) -> Result<Observed, AccountsError> {
        timed("observe", self.0.observe()).await
    }

    async fn observe_since(&self, change_counter: Option<u64>) -> Result<Option<Observed>, AccountsError> {
        timed("observe", self.0.observe_since(change_counter)).await
    }

    async fn apply(&self, batch: Batch) -> Result<BatchReply, AccountsError> {
        timed("apply", self.0.apply(batch)).await
    }

    async fn record_keys(&self) -> Result<Vec<ObjectRef>, AccountsError> {
        timed("record_keys", self.0.record_keys()).await
    }

    async fn records(&self, objects: Vec<ObjectRef>) -> Result<Vec<Record>, AccountsError> {
        timed("records", self.0.records(objects)).await
    }

    async fn records_version(&self) -> Result<Option<u64>, AccountsError> {
        timed("records_version", self.0.records_version()).await
    }

    async fn put_records(&self, records: Vec<Record>) -> Result<usize, AccountsError> {
        timed("put_records", self.0.put_records(records)).await
    }

    async fn forget(&self, objects: Vec<ObjectRef>) -> Result<(), AccountsError> {
        timed("forget", self.0.forget(objects)).await
    }
}

impl<R: Remote> Remote for Timed<R> {
    async fn identity(&self) -> Result<Identity, AccountsError> {
        timed("identity", self.0.identity()).await
    }

    async fn serve(&self, pushed: &Pushed) -> Result<(), AccountsError> {
        timed("serve", self.0.serve(pushed)).await
    }

    async fn health(&self) -> Result<Health, AccountsError> {
        timed("health", self.0.health()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers health and refuses all else.
    #[derive(Clone)]
    struct Grumpy;

    fn no<T>() -> Result<T, AccountsError> {
        Err(AccountsError::new(AccountsErrorKind::Fenced, "no"))
    }

    impl Accounts for Grumpy {
        async fn observe(&self) -> Result<Observed, AccountsError> {
            no()
        }
        async fn apply(&self, _: Batch) -> Result<BatchReply, AccountsError> {
            no()
        }
        async fn record_keys(&self) -> Result<Vec<ObjectRef>, AccountsError> {
            no()
        }
        async fn records(&self, _: Vec<ObjectRef>) -> Result<Vec<Record>, AccountsError> {
            no()
        }
        async fn records_version(&self) -> Result<Option<u64>, AccountsError> {
            no()
        }
        async fn put_records(&self, _: Vec<Record>) -> Result<usize, AccountsError> {
            no()
        }
        async fn forget(&self, _: Vec<ObjectRef>) -> Result<(), AccountsError> {
            no()
        }
    }

    impl Remote for Grumpy {
        async fn identity(&self) -> Result<Identity, AccountsError> {
            no()
        }
        async fn serve(&self, _: &Pushed) -> Result<(), AccountsError> {
            no()
        }
        async fn health(&self) -> Result<Health, AccountsError> {
            Ok(Health { queued: 3, ..Health::default() })
        }
    }

    #[tokio::test]
    async fn every_request_is_counted_with_its_result_and_handed_on() {
        metrics::install();
        let remote = Timed(Grumpy);
        assert_eq!(remote.health().await.unwrap().queued, 3);
        let failures = [
            ("observe", remote.observe().await.err()),
            ("observe", remote.observe_since(Some(1)).await.err()),
            ("record_keys", remote.record_keys().await.err()),
            ("records", remote.records(Vec::new()).await.err()),
            ("records_version", remote.records_version().await.err()),
            ("put_records", remote.put_records(Vec::new()).await.err()),
            ("forget", remote.forget(Vec::new()).await.err()),
            ("identity", remote.identity().await.err()),
            ("serve", remote.serve(&Pushed::default()).await.err()),
        ];
        let page = metrics::render();
        for (request, error) in failures {
            assert_eq!(error.unwrap().kind, AccountsErrorKind::Fenced, "{request}");
            let line = format!(
                "mailwright_operator_database_requests_total{{request=\"{request}\",result=\"fenced\"}}"
            );
            assert!(page.contains(&line), "{line} is not in {page}");
        }
        assert!(page.contains("requests_total{request=\"health\",result=\"ok\"}"), "{page}");
    }

    #[test]
    fn every_failure_has_a_word_of_its_own() {
        let kinds = [
            AccountsErrorKind::Unreachable,
            AccountsErrorKind::Fenced,
            AccountsErrorKind::WrongDatabase,
            AccountsErrorKind::StorageFull,
            AccountsErrorKind::Refused,
        ];
        let words: std::collections::BTreeSet<_> = kinds.into_iter().map(word).collect();
        assert_eq!(words.len(), kinds.len());
    }
}
