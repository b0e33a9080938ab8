//! The API server asked directly, object by object: what loops of the bench and tests that look often use, where running kubectl
//! each time would cost more than what is looked at.

use super::Kubeconfig;
use kube_client::config::{Config, KubeConfigOptions, Kubeconfig as File};
use kube_client::{Client, Error};
use serde_json::Value;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Somebody with a kubeconfig, asking for JSON and waiting for it.
#[derive(Clone)]
pub struct Api {
    runtime: Arc<Runtime>,
    client: Client,
}

/// A refusal, or a connection that failed (code 0).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP's status.
    pub code: u16,
    /// What it says.
    pub message: String,
}

impl Api {
    /// Who `config` says.
    ///
    /// # Panics
    /// When the file is no kubeconfig.
    pub fn new(config: &Kubeconfig) -> Api {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = Arc::new(runtime.expect("a runtime"));
        let client = runtime.block_on(client(config));
        Api { runtime, client }
    }

    /// One object or list by its path (`/api/v1/namespaces/mail/pods/example-0`), `None` when it is not there.
    pub fn get(&self, path: &str) -> Result<Option<Value>, Refusal> {
        match self.ask("GET", path, "", None) {
            Err(refusal) if refusal.code == 404 => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// The items of a list by its path.
    pub fn list(&self, path: &str) -> Result<Vec<Value>, Refusal> {
        let list = self.get(path)?;
        Ok(list.and_then(|mut list| list["items"].as_array_mut().map(std::mem::take)).unwrap_or_default())
    }

    /// Creates an object in the collection at `path`.
    pub fn create(&self, path: &str, object: &Value) -> Result<Value, Refusal> {
        self.ask("POST", path, "application/json", Some(object))
    }

    /// Puts this in the place of the object at `path`.
    pub fn replace(&self, path: &str, object: &Value) -> Result<Value, Refusal> {
        self.ask("PUT", path, "application/json", Some(object))
    }

    /// Changes these fields of the object at `path`.
    pub fn patch(&self, path: &str, fields: &Value) -> Result<Value, Refusal> {
        self.ask("PATCH", path, "application/merge-patch+json", Some(fields))
    }

    /// Deletes the object at `path` with these options.
    pub fn delete(&self, path: &str, options: &Value) -> Result<Value, Refusal> {
        self.ask("DELETE", path, "application/json", Some(options))
    }

    /// The client itself, for those who are async already.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    fn ask(&self, method: &str, path: &str, content: &str, body: Option<&Value>) -> Result<Value, Refusal> {
        let bytes = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = http::Request::builder().method(method).uri(path).header("content-type", content);
        let request = request.body(bytes).expect("a request");
        self.runtime.block_on(self.client.request::<Value>(request)).map_err(Refusal::from)
    }
}

/// A client for a runtime of the test's own.
///
/// # Panics
/// When the file is no kubeconfig.
pub async fn client(config: &Kubeconfig) -> Client {
    let file = File::read_from(config.path()).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
    Client::try_from(config.expect("a kubeconfig that says enough")).expect("a client")
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        match error {
            Error::Api(status) => Refusal { code: status.code, message: status.message.clone() },
            other => Refusal { code: 0, message: other.to_string() },
        }
    }
}
