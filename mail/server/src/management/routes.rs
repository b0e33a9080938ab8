//! The management interface as HTTP/JSON under `/v1/`. One route, one method of [`Management`], nothing decided here but who is
//! offered which route: people on the socket all of them, an operator on the port those that it leads by.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query as Parameters, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use chrono::Utc;
use mailwright_plan::history::Query;
use mailwright_plan::{Batch, ObjectRef};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::wire::{
    ApproveRequest, AuthTest, Count, ErrorBody, ErrorCode, FetchRequest, PasswordRequest, PurgeRequest,
    QueueFilter, ResourceRecord, TraceRequest,
};
use super::{Management, ManagementError};

/// Largest request: a batch of 100,000 mailboxes is below it; what is larger is a mistake.
pub(crate) const MAX_REQUEST: usize = 256 * 1024 * 1024;

type Shared = State<Arc<Management>>;
type Reply<T> = Result<Json<T>, ManagementError>;
/// A JSON body, or our own error for one that is not.
type Body<T> = Result<Json<T>, JsonRejection>;

/// All routes, for the socket; a body beyond `max_request` bytes is refused.
pub(crate) fn router(management: Arc<Management>, max_request: usize) -> Router {
    questions()
        .route("/v1/serving", put(serving))
        .route("/v1/apply", post(apply))
        .route("/v1/apply-whole", post(apply_whole))
        .route("/v1/resources", get(resources).post(put_resources))
        .route("/v1/resources/keys", get(resource_keys))
        .route("/v1/resources/read", post(resources_of))
        .route("/v1/resources/delete", post(delete_resources))
        .route("/v1/password", post(password))
        .route("/v1/purge", post(purge))
        .route("/v1/stats", get(stats))
        .route("/v1/status", get(status))
        .route("/v1/sessions", get(sessions))
        .route("/v1/sessions/{id}", delete(kick))
        .route("/v1/reconcile", post(reconcile))
        .route("/v1/approve", post(approve))
        .route("/v1/queue/list", post(queue_list))
        .route("/v1/queue/show", post(queue_show))
        .route("/v1/queue/hold", post(queue_hold))
        .route("/v1/queue/release", post(queue_release))
        .route("/v1/queue/flush", post(queue_flush))
        .route("/v1/queue/delete", post(queue_delete))
        .route("/v1/trace", post(trace))
        .route("/v1/auth-test", post(auth_test))
        .route("/v1/fetch", post(fetch))
        .fallback(|| async { ManagementError::new(ErrorCode::NotFound, "there is no such route") })
        .layer(DefaultBodyLimit::max(max_request))
        .with_state(management)
}

/// The routes of the port. What an operator does not call is not there, and what writes takes a fence: so nobody who was deposed
/// writes anything there, and a route that is added for people stays with people.
pub(crate) fn operator_router(management: Arc<Management>, max_request: usize) -> Router {
    questions()
        .route("/v1/serving", put(fenced_serving))
        .route("/v1/apply", post(fenced_apply))
        .route("/v1/apply-whole", post(fenced_apply_whole))
        .fallback(|| async { ManagementError::new(ErrorCode::NotFound, NOT_HERE) })
        .layer(DefaultBodyLimit::max(max_request))
        .with_state(management)
}

const NOT_HERE: &str = "this port has no such route, it is the operator's; run `mailwright` in the pod, as kubectl mailwright does";

/// What changes nothing and an operator asks.
fn questions() -> Router<Arc<Management>> {
    Router::new()
        .route("/v1/observed", get(observe))
        .route("/v1/identity", get(identity))
        .route("/v1/health", get(health))
        .route("/v1/history", post(history))
}

impl IntoResponse for ManagementError {
    fn into_response(self) -> Response {
        let status = match self.code {
            ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::Invalid => StatusCode::BAD_REQUEST,
            ErrorCode::Refused | ErrorCode::WrongDatabase => StatusCode::CONFLICT,
            ErrorCode::Fenced => StatusCode::PRECONDITION_FAILED,
            ErrorCode::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
            ErrorCode::Unreachable | ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        match self.code {
            ErrorCode::Internal => tracing::error!(error = self.message, "a management request failed"),
            ErrorCode::Fenced => {
                tracing::warn!(error = self.message, "a write of an older leader was refused")
            }
            _ => {}
        }
        (status, Json(ErrorBody { code: self.code, message: self.message })).into_response()
    }
}

/// The body of a request. The parser's message names the place and never repeats a value, which may be a password.
fn body<T: DeserializeOwned>(body: Body<T>) -> Result<T, ManagementError> {
    body.map(|Json(value)| value).map_err(|rejection| {
        let message = match &rejection {
            JsonRejection::JsonDataError(_) | JsonRejection::JsonSyntaxError(_) => {
                "the body is not what this route takes; are CLI and server of one version?"
            }
            JsonRejection::MissingJsonContentType(_) => "the body must be application/json",
            _ => "the body is too large or incomplete",
        };
        ManagementError::new(ErrorCode::Invalid, message)
    })
}

/// What may be asked of `/v1/observed`.
#[derive(Deserialize)]
struct Since {
    since: Option<u64>,
}

async fn observe(
    State(management): Shared,
    since: Result<Parameters<Since>, QueryRejection>,
) -> Result<Response, ManagementError> {
    let Parameters(Since { since }) = since.map_err(|_| {
        ManagementError::new(ErrorCode::Invalid, "since= takes the change counter of an earlier answer")
    })?;
    Ok(match management.observe_since(since).await? {
        Some(observed) => Json(observed).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

async fn identity(State(management): Shared) -> Reply<impl Serialize> {
    management.identity().await.map(Json)
}

async fn health(State(management): Shared) -> Reply<impl Serialize> {
    management.health().await.map(Json)
}

async fn serving(State(management): Shared, pushed: Body<Value>) -> Reply<()> {
    management.put_serving(body(pushed)?).await.map(Json)
}

async fn apply(State(management): Shared, batch: Body<Batch>) -> Reply<impl Serialize> {
    management.apply(body(batch)?).await.map(Json)
}

async fn apply_whole(State(management): Shared, batch: Body<Batch>) -> Reply<impl Serialize> {
    management.apply(Batch { whole: true, ..body(batch)? }).await.map(Json)
}

async fn fenced_serving(state: Shared, pushed: Body<Value>) -> Reply<()> {
    let pushed = body(pushed)?;
    fenced(pushed.get("fence").is_some_and(|fence| !fence.is_null()))?;
    serving(state, Ok(Json(pushed))).await
}

async fn fenced_apply(state: Shared, batch: Body<Batch>) -> Reply<impl Serialize> {
    let batch = body(batch)?;
    fenced(batch.fence.is_some())?;
    apply(state, Ok(Json(batch))).await
}

async fn fenced_apply_whole(state: Shared, batch: Body<Batch>) -> Reply<impl Serialize> {
    let batch = body(batch)?;
    fenced(batch.fence.is_some())?;
    apply_whole(state, Ok(Json(batch))).await
}

/// Without a fence nobody could be told from who led before.
fn fenced(is_fenced: bool) -> Result<(), ManagementError> {
    let message = "a write on this port carries the leader's fence: its term, and the database that it means";
    if is_fenced { Ok(()) } else { Err(ManagementError::new(ErrorCode::Invalid, message)) }
}

async fn resources(State(management): Shared) -> Reply<impl Serialize> {
    management.resources().await.map(Json)
}

async fn resource_keys(State(management): Shared) -> Reply<impl Serialize> {
    management.resource_keys().await.map(Json)
}

async fn resources_of(State(management): Shared, objects: Body<Vec<ObjectRef>>) -> Reply<impl Serialize> {
    management.resources_of(&body(objects)?).await.map(Json)
}

async fn put_resources(State(management): Shared, records: Body<Vec<ResourceRecord>>) -> Reply<Count> {
    let count = management.put_resources(body(records)?).await?;
    Ok(Json(Count { count }))
}

async fn delete_resources(State(management): Shared, objects: Body<Vec<ObjectRef>>) -> Reply<Count> {
    let count = management.delete_resources(body(objects)?).await?;
    Ok(Json(Count { count }))
}

async fn password(State(management): Shared, request: Body<PasswordRequest>) -> Reply<()> {
    let PasswordRequest { address, password } = body(request)?;
    management.set_password(&address, &password).await.map(Json)
}

async fn purge(State(management): Shared, request: Body<PurgeRequest>) -> Reply<impl Serialize> {
    let PurgeRequest { address, force } = body(request)?;
    management.purge(&address, force, Utc::now()).await.map(Json)
}

async fn stats(State(management): Shared) -> Reply<impl Serialize> {
    management.stats().await.map(Json)
}

async fn status(State(management): Shared) -> Reply<impl Serialize> {
    management.status().map(Json).ok_or(ManagementError::new(ErrorCode::Refused, "no server runs here"))
}

async fn sessions(State(management): Shared) -> Reply<impl Serialize> {
    Ok(Json(management.sessions()))
}

async fn kick(State(management): Shared, Path(id): Path<u64>) -> Reply<()> {
    if management.kick(id) {
        Ok(Json(()))
    } else {
        Err(ManagementError::new(ErrorCode::NotFound, format!("there is no session {id}")))
    }
}

async fn trace(State(management): Shared, request: Body<TraceRequest>) -> Reply<impl Serialize> {
    management.trace(&body(request)?).await.map(Json)
}

async fn auth_test(State(management): Shared, request: Body<AuthTest>) -> Reply<impl Serialize> {
    management.auth_test(body(request)?).await.map(Json)
}

async fn fetch(State(management): Shared, request: Body<FetchRequest>) -> Reply<impl Serialize> {
    management.fetch(&body(request)?).await.map(Json)
}

async fn reconcile(State(management): Shared) -> Reply<()> {
    management.reconcile().map(Json)
}

async fn history(State(management): Shared, query: Body<Query>) -> Reply<impl Serialize> {
    management.history(&body(query)?).await.map(Json)
}

async fn approve(State(management): Shared, request: Body<ApproveRequest>) -> Reply<()> {
    let ApproveRequest { digest, by } = body(request)?;
    management.approve(&digest, by).await.map(Json)
}

async fn queue_list(State(management): Shared, filter: Body<QueueFilter>) -> Reply<impl Serialize> {
    management.queue_list(&body(filter)?).await.map(Json)
}

async fn queue_show(State(management): Shared, id: Body<String>) -> Reply<impl Serialize> {
    management.queue_show(&body(id)?).await.map(Json)
}

async fn queue_hold(State(management): Shared, filter: Body<QueueFilter>) -> Reply<impl Serialize> {
    management.queue_hold(&body(filter)?).await.map(Json)
}

async fn queue_release(State(management): Shared, filter: Body<QueueFilter>) -> Reply<impl Serialize> {
    management.queue_release(&body(filter)?).await.map(Json)
}

async fn queue_flush(State(management): Shared, filter: Body<QueueFilter>) -> Reply<impl Serialize> {
    management.queue_flush(&body(filter)?).await.map(Json)
}

async fn queue_delete(State(management): Shared, filter: Body<QueueFilter>) -> Reply<impl Serialize> {
    management.queue_delete(&body(filter)?).await.map(Json)
}
