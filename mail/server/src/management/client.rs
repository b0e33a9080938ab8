//! Asks the management API of a running server: over the Unix socket of its data directory, or, in another pod, over mutual TLS.

mod transport;

use std::path::Path;
use std::time::Duration;

use mailwright_plan::history::{Query, Record};
use mailwright_plan::{Batch, BatchReply, ObjectRef, Observed};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::transport::{Answer, Request, Transport};
use super::port::ManagementCertificates;
use super::wire::{
    ApproveRequest, AuthTest, AuthTested, Count, ErrorBody, ErrorCode, FetchRequest, FetchedMessage, Health,
    Identity, PasswordRequest, PurgeRequest, Purged, QueueChanged, QueueFilter, QueueListing, QueueMessage,
    ResourceRecord, SessionInfo, Stats, Status, Trace, TraceRequest,
};
use super::{ManagementError, ManagementTlsError};

/// Longest wait for an answer of the process next door: a batch of very many new passwords takes minutes to hash.
const PATIENCE: Duration = Duration::from_secs(3600);
/// Longest wait for an answer of a pod: it is asked again.
const REMOTE_PATIENCE: Duration = Duration::from_secs(30);
/// Longest wait for all rows or for a batch, beside its passwords.
const BULK_PATIENCE: Duration = Duration::from_secs(120);
/// What hashing one password may add: twenty times what it takes on one core.
const PASSWORD_PATIENCE: Duration = Duration::from_secs(2);
/// Longest wait for the question whether anybody is there.
const PROBE: Duration = Duration::from_secs(5);
/// Largest answer with rows: an observation of a million mailboxes is below it.
const MAX_ROWS: usize = 1024 * 1024 * 1024;
/// Largest answer of another kind: a full list of the queue is below it.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// A client of the management interface; each request connects anew, so it survives restarts of the server.
#[derive(Debug, Clone)]
pub struct ManagementClient {
    transport: Transport,
}

impl ManagementClient {
    /// For the server of this data directory.
    #[must_use]
    pub fn new(data_dir: &Path) -> ManagementClient {
        ManagementClient { transport: Transport::Unix(data_dir.join(super::SOCKET)) }
    }

    /// For the server at `address` (`host:port`), whose certificate must be for `name` and of the authority that `certificates`
    /// names. Connects to nobody yet.
    pub fn remote(
        address: &str,
        name: &str,
        certificates: &ManagementCertificates,
    ) -> Result<ManagementClient, ManagementTlsError> {
        Ok(ManagementClient { transport: Transport::tls(address, name, certificates)? })
    }

    /// Whether a server answers on the socket.
    pub async fn is_running(&self) -> bool {
        tokio::time::timeout(PROBE, self.status()).await.is_ok_and(|status| status.is_ok())
    }

    /// See [`super::Management::observe`].
    pub async fn observe(&self) -> Result<Observed, ManagementError> {
        self.get("/v1/observed").await
    }

    /// See [`super::Management::apply`].
    pub async fn apply(&self, batch: &Batch) -> Result<BatchReply, ManagementError> {
        let passwords = u32::try_from(batch.credentials.len()).unwrap_or(u32::MAX);
        let route = if batch.whole { "/v1/apply-whole" } else { "/v1/apply" };
        let patience = self.patience(route).saturating_add(PASSWORD_PATIENCE.saturating_mul(passwords));
        self.request_within(patience, "POST", route, Some(encode(batch)?)).await
    }

    /// See [`super::Management::observe_since`].
    pub async fn observe_since(&self, counter: u64) -> Result<Option<Observed>, ManagementError> {
        self.get(&format!("/v1/observed?since={counter}")).await
    }

    /// See [`super::Management::identity`].
    pub async fn identity(&self) -> Result<Identity, ManagementError> {
        self.get("/v1/identity").await
    }

    /// See [`super::Management::health`].
    pub async fn health(&self) -> Result<Health, ManagementError> {
        self.get("/v1/health").await
    }

    /// See [`super::Management::put_serving`]; the JSON of a [`super::Pushed`].
    pub async fn put_serving(&self, pushed: &Value) -> Result<(), ManagementError> {
        self.request("PUT", "/v1/serving", Some(encode(pushed)?)).await
    }

    /// See [`super::Management::resources`].
    pub async fn resources(&self) -> Result<Vec<ResourceRecord>, ManagementError> {
        self.get("/v1/resources").await
    }

    /// See [`super::Management::resource_keys`].
    pub async fn resource_keys(&self) -> Result<Vec<ObjectRef>, ManagementError> {
        self.get("/v1/resources/keys").await
    }

    /// See [`super::Management::resources_of`].
    pub async fn resources_of(&self, objects: &[ObjectRef]) -> Result<Vec<ResourceRecord>, ManagementError> {
        self.post("/v1/resources/read", objects).await
    }

    /// See [`super::Management::put_resources`].
    pub async fn put_resources(&self, records: &[ResourceRecord]) -> Result<usize, ManagementError> {
        self.post("/v1/resources", records).await.map(|Count { count }| count)
    }

    /// See [`super::Management::delete_resources`].
    pub async fn delete_resources(&self, objects: &[ObjectRef]) -> Result<usize, ManagementError> {
        self.post("/v1/resources/delete", objects).await.map(|Count { count }| count)
    }

    /// See [`super::Management::set_password`].
    pub async fn set_password(&self, address: &str, password: &str) -> Result<(), ManagementError> {
        let request = PasswordRequest { address: address.to_owned(), password: password.to_owned() };
        self.post("/v1/password", &request).await
    }

    /// See [`super::Management::purge`].
    pub async fn purge(&self, address: &str, force: bool) -> Result<Purged, ManagementError> {
        self.post("/v1/purge", &PurgeRequest { address: address.to_owned(), force }).await
    }

    /// See [`super::Management::stats`].
    pub async fn stats(&self) -> Result<Stats, ManagementError> {
        self.get("/v1/stats").await
    }

    /// See [`super::Management::status`].
    pub async fn status(&self) -> Result<Status, ManagementError> {
        self.get("/v1/status").await
    }

    /// See [`super::Management::sessions`].
    pub async fn sessions(&self) -> Result<Vec<SessionInfo>, ManagementError> {
        self.get("/v1/sessions").await
    }

    /// See [`super::Management::kick`].
    pub async fn kick(&self, id: u64) -> Result<(), ManagementError> {
        self.request("DELETE", &format!("/v1/sessions/{id}"), None).await
    }

    /// See [`super::Management::reconcile`].
    pub async fn reconcile(&self) -> Result<(), ManagementError> {
        self.post("/v1/reconcile", &()).await
    }

    /// See [`super::Management::queue_list`].
    pub async fn queue_list(&self, filter: &QueueFilter) -> Result<QueueListing, ManagementError> {
        self.post("/v1/queue/list", filter).await
    }

    /// See [`super::Management::queue_show`].
    pub async fn queue_show(&self, id: &str) -> Result<QueueMessage, ManagementError> {
        self.post("/v1/queue/show", id).await
    }

    /// See [`super::Management::queue_hold`].
    pub async fn queue_hold(&self, filter: &QueueFilter) -> Result<QueueChanged, ManagementError> {
        self.post("/v1/queue/hold", filter).await
    }

    /// See [`super::Management::queue_release`].
    pub async fn queue_release(&self, filter: &QueueFilter) -> Result<QueueChanged, ManagementError> {
        self.post("/v1/queue/release", filter).await
    }

    /// See [`super::Management::queue_flush`].
    pub async fn queue_flush(&self, filter: &QueueFilter) -> Result<QueueChanged, ManagementError> {
        self.post("/v1/queue/flush", filter).await
    }

    /// See [`super::Management::queue_delete`].
    pub async fn queue_delete(&self, filter: &QueueFilter) -> Result<QueueChanged, ManagementError> {
        self.post("/v1/queue/delete", filter).await
    }

    /// See [`super::Management::history`].
    pub async fn history(&self, query: &Query) -> Result<Vec<Record>, ManagementError> {
        self.post("/v1/history", query).await
    }

    /// See [`super::Management::approve`].
    pub async fn approve(&self, digest: &str, by: Option<String>) -> Result<(), ManagementError> {
        self.post("/v1/approve", &ApproveRequest { digest: digest.to_owned(), by }).await
    }

    /// Where mail would go.
    pub async fn trace(&self, request: &TraceRequest) -> Result<Trace, ManagementError> {
        self.post("/v1/trace", request).await
    }

    /// Whether a password is right.
    pub async fn auth_test(&self, test: &AuthTest) -> Result<AuthTested, ManagementError> {
        self.post("/v1/auth-test", test).await
    }

    /// Messages of a mailbox.
    pub async fn fetch(&self, request: &FetchRequest) -> Result<Vec<FetchedMessage>, ManagementError> {
        self.post("/v1/fetch", request).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ManagementError> {
        self.request("GET", path, None).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + ?Sized),
    ) -> Result<T, ManagementError> {
        self.request("POST", path, Some(encode(body)?)).await
    }

    async fn request<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<T, ManagementError> {
        self.request_within(self.patience(path), method, path, body).await
    }

    async fn request_within<T: DeserializeOwned>(
        &self,
        patience: Duration,
        method: &str,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<T, ManagementError> {
        let body = body.unwrap_or_default();
        let most = if is_bulk(path) { MAX_ROWS } else { MAX_ANSWER };
        let request = Request { method, path, body: &body, most };
        let exchange = tokio::time::timeout(patience, self.transport.exchange(request));
        let answer = exchange.await.map_err(|_| self.unreachable("it does not answer"))?;
        let Answer { status, body } = answer.map_err(|error| self.unreachable(&error.to_string()))?;
        if (200..300).contains(&status) {
            let body = if body.is_empty() { b"null" } else { body.as_slice() };
            return serde_json::from_slice(body).map_err(|error| {
                let message = format!(
                    "the server's answer is not understood ({error}); are CLI and server of one version?"
                );
                ManagementError::internal(message)
            });
        }
        Err(match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(ErrorBody { code, message }) => ManagementError { code, message },
            Err(_) => ManagementError::internal(format!("the server answered with status {status}")),
        })
    }

    fn patience(&self, path: &str) -> Duration {
        match &self.transport {
            Transport::Unix(_) => PATIENCE,
            Transport::Tls(_) if is_bulk(path) => BULK_PATIENCE,
            Transport::Tls(_) => REMOTE_PATIENCE,
        }
    }

    fn unreachable(&self, why: &str) -> ManagementError {
        let place = self.transport.place();
        let message = match &self.transport {
            Transport::Unix(_) => format!(
                "no running mailwright answers at {place} ({why}); start one with `mailwright up` or `mailwright serve`, or \
                 name its data directory with --data"
            ),
            Transport::Tls(_) => format!("the mail server at {place} does not answer ({why})"),
        };
        ManagementError::new(ErrorCode::Unreachable, message)
    }
}

/// Whether rows of the whole installation go one way or the other.
fn is_bulk(path: &str) -> bool {
    let route = path.split('?').next().unwrap_or(path);
    route.starts_with("/v1/resources")
        || matches!(route, "/v1/observed" | "/v1/apply" | "/v1/apply-whole" | "/v1/fetch")
}

fn encode(body: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, ManagementError> {
    serde_json::to_vec(body).map_err(|error| ManagementError::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_missing_server_is_said_with_the_remedy() {
        let directory = tempfile::tempdir().unwrap();
        let client = ManagementClient::new(directory.path());
        assert!(!client.is_running().await);
        let error = client.stats().await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Unreachable);
        assert!(error.message.contains("mailwright up"), "{error}");
    }
}
