//! The account database of a pod as the operator's reconcilers see it: the management client over mutual TLS, with the leader's
//! fence on every write. Owns the translation between the two and nothing else.

use mailwright_operator::accounts::{
    Accounts, AccountsError, AccountsErrorKind, Connector, Health, Identity, Presented, Pushed, Record,
    Remote, Target,
};
use mailwright_plan::{Batch, BatchReply, Fence, ObjectRef, Observed};
use mailwright_server::management::{self, ErrorCode};
use mailwright_server::{ManagementCertificates, ManagementClient, ManagementError};

/// Connects to pods.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pods;

impl Connector for Pods {
    type Remote = Pod;

    fn connect(&self, target: Target) -> Pod {
        let identity = &target.identity;
        let certificates = ManagementCertificates {
            authority_pem: identity.ca_pem.clone(),
            chain_pem: identity.certificate_pem.clone(),
            key_pem: identity.key_pem.clone(),
        };
        let client = ManagementClient::remote(&target.address, &target.name, &certificates);
        Pod { client: client.map_err(|error| error.to_string()), fence: target.fence }
    }
}

/// One installation in another pod.
#[derive(Debug, Clone)]
pub struct Pod {
    /// Or why there can be none; every question is answered with it.
    client: Result<ManagementClient, String>,
    fence: Fence,
}

impl Pod {
    fn client(&self) -> Result<&ManagementClient, AccountsError> {
        self.client.as_ref().map_err(|error| {
            AccountsError::unreachable(format!("the operator's own certificate is not usable: {error}"))
        })
    }
}

impl Accounts for Pod {
    async fn observe(&self) -> Result<Observed, AccountsError> {
        self.client()?.observe().await.map_err(refused)
    }

    async fn observe_since(&self, change_counter: Option<u64>) -> Result<Option<Observed>, AccountsError> {
        match change_counter {
            Some(counter) => self.client()?.observe_since(counter).await.map_err(refused),
            None => self.observe().await.map(Some),
        }
    }

    async fn apply(&self, mut batch: Batch) -> Result<BatchReply, AccountsError> {
        batch.fence.get_or_insert_with(|| self.fence.clone());
        self.client()?.apply(&batch).await.map_err(refused)
    }

    async fn record_keys(&self) -> Result<Vec<ObjectRef>, AccountsError> {
        Err(elsewhere())
    }

    async fn records(&self, _: Vec<ObjectRef>) -> Result<Vec<Record>, AccountsError> {
        Err(elsewhere())
    }

    async fn records_version(&self) -> Result<Option<u64>, AccountsError> {
        Err(elsewhere())
    }

    async fn put_records(&self, _: Vec<Record>) -> Result<usize, AccountsError> {
        Err(elsewhere())
    }

    async fn forget(&self, _: Vec<ObjectRef>) -> Result<(), AccountsError> {
        Err(elsewhere())
    }
}

impl Remote for Pod {
    async fn identity(&self) -> Result<Identity, AccountsError> {
        let management::Identity { database, version, schema } =
            self.client()?.identity().await.map_err(refused)?;
        Ok(Identity { database, version, schema })
    }

    async fn serve(&self, pushed: &Pushed) -> Result<(), AccountsError> {
        let mut pushed = pushed.clone();
        pushed.fence.get_or_insert_with(|| self.fence.clone());
        let body = serde_json::to_value(&pushed)
            .map_err(|_| AccountsError::refused("what is to be pushed cannot be written as JSON"))?;
        self.client()?.put_serving(&body).await.map_err(refused)
    }

    async fn health(&self) -> Result<Health, AccountsError> {
        self.client()?.health().await.map(health).map_err(refused)
    }
}

/// Objects and their statuses are in the API server; a pod's port has no routes for them.
fn elsewhere() -> AccountsError {
    AccountsError::refused("the API server keeps the resources of a cluster, not the pod")
}

fn refused(error: ManagementError) -> AccountsError {
    let kind = match error.code {
        ErrorCode::Unreachable => AccountsErrorKind::Unreachable,
        ErrorCode::Fenced => AccountsErrorKind::Fenced,
        ErrorCode::WrongDatabase => AccountsErrorKind::WrongDatabase,
        ErrorCode::StorageFull => AccountsErrorKind::StorageFull,
        ErrorCode::NotFound | ErrorCode::Invalid | ErrorCode::Refused | ErrorCode::Internal => {
            AccountsErrorKind::Refused
        }
    };
    AccountsError::new(kind, error.message)
}

/// What is not in force is one sentence for the status, whatever it is.
fn health(health: management::Health) -> Health {
    let problems = [health.listener_error, health.config_error, health.certificate_error];
    let problems: Vec<String> = problems.into_iter().flatten().collect();
    let endpoints = health.endpoints.into_iter().map(|endpoint| mailwright_crds::mail_server::Endpoint {
        protocol: endpoint.protocol.name().to_owned(),
        address: endpoint.address.to_string(),
    });
    Health {
        endpoints: endpoints.collect(),
        listener_error: (!problems.is_empty()).then(|| problems.join("; ")),
        certificate: health
            .certificate
            .map(|shown| Presented { fingerprint: shown.fingerprint, not_after: shown.not_after }),
        queued: health.queued,
        oldest_queued: health.oldest_queued,
        config_digest: health.config_digest,
        pushed_digest: health.pushed_digest,
        change_counter: health.change_counter,
        storage_full: health.storage_full,
    }
}

#[cfg(test)]
mod tests;
