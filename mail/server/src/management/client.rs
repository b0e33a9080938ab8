//! Asks the management API of a running server over the Unix socket of its data directory.
//!
//! HTTP/1.1 as far as this one server needs it (RFC 9112 §3, §6.2): one request per connection, `Content-Length` both ways. A
//! general HTTP client would be the largest dependency of the CLI.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mailwright_plan::{Batch, BatchReply, ObjectRef, Observed};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::ManagementError;
use super::wire::{
    AuthTest, AuthTested, Count, ErrorBody, ErrorCode, FetchRequest, FetchedMessage, PasswordRequest,
    PurgeRequest, Purged, QueueChanged, QueueFilter, QueueListing, QueueMessage, ResourceRecord, SessionInfo,
    Stats, Status, Trace, TraceRequest,
};

/// Longest wait for an answer: a batch of very many new passwords takes minutes to hash.
const PATIENCE: Duration = Duration::from_secs(3600);
/// Longest wait for the question whether anybody is there.
const PROBE: Duration = Duration::from_secs(5);
/// Largest answer: an observation of a million mailboxes is below it.
const MAX_ANSWER: u64 = 1024 * 1024 * 1024;

/// A client of the management socket; each request opens it anew, so it survives restarts of the server.
#[derive(Debug, Clone)]
pub struct ManagementClient {
    socket: PathBuf,
}

impl ManagementClient {
    /// For the server of this data directory.
    #[must_use]
    pub fn new(data_dir: &Path) -> ManagementClient {
        ManagementClient { socket: data_dir.join(super::SOCKET) }
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
        self.post("/v1/apply", batch).await
    }

    /// See [`super::Management::resources`].
    pub async fn resources(&self) -> Result<Vec<ResourceRecord>, ManagementError> {
        self.get("/v1/resources").await
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
        let body = serde_json::to_vec(body).map_err(|error| ManagementError::internal(error.to_string()))?;
        self.request("POST", path, Some(body)).await
    }

    async fn request<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<T, ManagementError> {
        let exchange = tokio::time::timeout(PATIENCE, self.exchange(method, path, body.unwrap_or_default()));
        let answer = exchange.await.map_err(|_| self.unreachable("it does not answer"))?;
        let answer = answer.map_err(|error| self.unreachable(&error.to_string()))?;
        let (status, body) = parse(&answer).ok_or_else(|| self.unreachable("the answer was cut off"))?;
        if (200..300).contains(&status) {
            return serde_json::from_slice(body).map_err(|error| {
                let message = format!(
                    "the server's answer is not understood ({error}); are CLI and server of one version?"
                );
                ManagementError::internal(message)
            });
        }
        Err(match serde_json::from_slice::<ErrorBody>(body) {
            Ok(ErrorBody { code, message }) => ManagementError { code, message },
            Err(_) => ManagementError::internal(format!("the server answered with status {status}")),
        })
    }

    async fn exchange(&self, method: &str, path: &str, body: Vec<u8>) -> std::io::Result<Vec<u8>> {
        let mut stream = UnixStream::connect(&self.socket).await?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        // A server that refuses a body early answers and stops reading: its answer is worth more than our error.
        let sent = stream.write_all(&body).await;
        let mut answer = Vec::new();
        stream.take(MAX_ANSWER).read_to_end(&mut answer).await?;
        if answer.is_empty() {
            sent?;
        }
        Ok(answer)
    }

    fn unreachable(&self, why: &str) -> ManagementError {
        let message = format!(
            "no running mailwright answers at {} ({why}); start one with `mailwright up` or `mailwright serve`, or name its \
             data directory with --data",
            self.socket.display()
        );
        ManagementError::new(ErrorCode::Unreachable, message)
    }
}

/// Status and body of a complete answer.
fn parse(answer: &[u8]) -> Option<(u16, &[u8])> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let body = &answer[end + 4..];
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    })?;
    (body.len() == length).then_some((status, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_taken_whole_or_not_at_all() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", Some((200, "{}"))),
            ("HTTP/1.1 404 Not Found\r\nA: b\r\nContent-Length:0\r\n\r\n", Some((404, ""))),
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}", None),
            ("HTTP/1.1 200 OK\r\n\r\n{}", None),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n", None),
            ("SSH-2.0\r\n\r\n", None),
            ("", None),
        ] {
            let expected = expected.map(|(status, body)| (status, body.as_bytes()));
            assert_eq!(parse(answer.as_bytes()), expected, "{answer:?}");
        }
    }

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
