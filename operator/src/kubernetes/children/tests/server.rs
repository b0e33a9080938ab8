//! An API server as small as a test needs: objects by path, server-side apply as replacement, preconditions of DELETE,
//! failures on demand, a log of requests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use kube_client::{Client, Config};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::super::Live;
use crate::workload::ChildKind;

#[derive(Default)]
struct Held {
    objects: BTreeMap<String, Value>,
    requests: Vec<String>,
    /// How often a request still fails, and with what.
    failures: BTreeMap<String, (u16, u32, String)>,
    /// What an admission webhook makes of a value in `data`.
    rewritten: Option<(String, String)>,
    namespace_goes: bool,
    version: u64,
}

/// The server; it ends with the test's runtime.
pub(super) struct Server {
    held: Arc<Mutex<Held>>,
    uri: String,
}

impl Server {
    pub(super) async fn start() -> Server {
        let held = Arc::new(Mutex::new(Held::default()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&held));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Server { held, uri }
    }

    pub(super) fn client(&self) -> Client {
        client(&self.uri)
    }

    /// A client of a server that does not run.
    pub(super) async fn nowhere() -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        client(&format!("http://{}", listener.local_addr().unwrap()))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap()
    }

    /// The requests since the last question.
    pub(super) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.held().requests)
    }

    pub(super) fn put(&self, path: &str, object: Value) {
        self.held().put(path, object);
    }

    pub(super) fn object(&self, path: &str) -> Option<Value> {
        self.held().objects.get(path).cloned()
    }

    /// Everything there is, as a watch would have told it.
    pub(super) fn live(&self) -> Vec<Live> {
        let held = self.held();
        let live = |object: &Value| Some(Live { kind: ChildKind::of(object)?, object: object.clone() });
        held.objects.values().filter_map(live).collect()
    }

    pub(super) fn fail(&self, method: &str, path: &str, code: u16, times: u32) {
        let said = (code, times, format!("the test says {code}"));
        self.held().failures.insert(format!("{method} {path}"), said);
    }

    pub(super) fn fail_saying(&self, method: &str, path: &str, code: u16, message: &str) {
        let said = (code, u32::MAX, message.to_owned());
        self.held().failures.insert(format!("{method} {path}"), said);
    }

    pub(super) fn rewrite(&self, field: &str, value: &str) {
        self.held().rewritten = Some((field.to_owned(), value.to_owned()));
    }

    pub(super) fn namespace_goes(&self) {
        self.held().namespace_goes = true;
    }
}

fn client(uri: &str) -> Client {
    // The client is built with TLS, which wants a provider even where there is none.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut config = Config::new(uri.parse().unwrap());
    // One request of the client is one request of the server.
    config.default_retry = false;
    Client::try_from(config).unwrap()
}

impl Held {
    fn put(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["uid"] = json!(path);
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.objects.insert(path.to_owned(), object.clone());
        object
    }

    fn patch(&mut self, path: &str, body: &[u8]) -> Response {
        if self.namespace_goes {
            return refused(403, json!([{"reason": "NamespaceTerminating"}]));
        }
        let mut object: Value = serde_json::from_slice(body).unwrap();
        if let Some((field, value)) = &self.rewritten {
            object["data"][field] = json!(value);
        }
        axum::Json(self.put(path, object)).into_response()
    }

    fn delete(&mut self, path: &str, body: &[u8]) -> Response {
        let Some(object) = self.objects.get(path) else { return refused(404, json!([])) };
        let wanted: Value = serde_json::from_slice(body).unwrap();
        let wanted = &wanted["preconditions"];
        if ["uid", "resourceVersion"].iter().any(|field| wanted[field] != object["metadata"][field]) {
            return refused(409, json!([]));
        }
        self.objects.remove(path);
        axum::Json(json!({"kind": "Status", "apiVersion": "v1", "status": "Success"})).into_response()
    }
}

async fn answer(State(held): State<Arc<Mutex<Held>>>, method: Method, uri: Uri, body: Bytes) -> Response {
    let mut held = held.lock().unwrap();
    let request = format!("{method} {}", uri.path());
    held.requests.push(request.clone());
    if let Some((code, times, message)) = held.failures.get_mut(&request).filter(|(_, times, _)| *times > 0) {
        *times -= 1;
        return refused_saying(*code, json!([]), message);
    }
    match method.as_str() {
        "GET" if uri.path().ends_with("/events") => {
            let (kind, version, metadata) = ("EventList", "v1", json!({}));
            axum::Json(json!({"kind": kind, "apiVersion": version, "metadata": metadata, "items": []}))
                .into_response()
        }
        "GET" => match held.objects.get(uri.path()) {
            Some(object) => axum::Json(object.clone()).into_response(),
            None => refused(404, json!([])),
        },
        "PATCH" => {
            let query = uri.query().unwrap_or_default();
            assert!(
                query.contains("fieldManager=mailwright-mailserver") && query.contains("force=true"),
                "{query}"
            );
            held.patch(uri.path(), &body)
        }
        "DELETE" => held.delete(uri.path(), &body),
        _ => refused(405, json!([])),
    }
}

fn refused(code: u16, causes: Value) -> Response {
    refused_saying(code, causes, &format!("the test says {code}"))
}

fn refused_saying(code: u16, causes: Value, message: &str) -> Response {
    let reason = if code == 404 { "NotFound" } else { "Test" };
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
        "message": message, "details": {"causes": causes}});
    (StatusCode::from_u16(code).unwrap(), axum::Json(status)).into_response()
}
