//! Counts what is Ready, by a watch: listing thousands of objects again and again would be a load of its own.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use kube_client::Client;
use kube_client::core::WatchEvent;
use serde_json::Value;

/// What was seen so far.
#[derive(Debug, Default)]
pub struct Progress {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    ready: BTreeSet<String>,
    last: Option<Instant>,
    unready: Value,
}

impl Progress {
    /// Objects that are Ready.
    pub fn ready(&self) -> usize {
        self.lock().ready.len()
    }

    /// When the last one became so.
    pub fn last(&self) -> Option<Instant> {
        self.lock().last
    }

    /// The status of one that was seen last and is not.
    pub fn unready(&self) -> String {
        self.lock().unready.to_string()
    }

    fn take(&self, object: &Value) {
        let mut seen = self.lock();
        let name = format!("{} {}", object["kind"], object["metadata"]["name"]);
        if !is_ready(object) {
            seen.ready.remove(&name);
            seen.unready = object["status"].clone();
        } else if seen.ready.insert(name) {
            seen.last = Some(Instant::now());
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an object's status says that its last spec is in force.
pub fn is_ready(object: &Value) -> bool {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let mut ready = conditions.filter(|condition| condition["type"] == "Ready");
    ready.next().is_some_and(|condition| condition["status"] == "True")
        && object["status"]["observedGeneration"] == object["metadata"]["generation"]
}

/// Follows a collection for as long as the runtime lives; after a break the API server tells everything anew.
pub async fn follow(client: Client, path: String, progress: Arc<Progress>) {
    loop {
        let uri = format!("{path}?watch=true&timeoutSeconds=3000");
        if let Ok(request) = http::Request::get(&uri).body(Vec::new())
            && let Ok(events) = client.request_events::<Value>(request).await
        {
            let mut events = pin!(events);
            while let Ok(Some(event)) = events.try_next().await {
                if let WatchEvent::Added(object) | WatchEvent::Modified(object) = event {
                    progress.take(&object);
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(name: &str, ready: &str, observed: i64) -> Value {
        json!({
            "kind": "Mailbox", "metadata": {"name": name, "generation": 2},
            "status": {"observedGeneration": observed, "conditions": [{"type": "Ready", "status": ready}]},
        })
    }

    #[test]
    fn ready_is_counted_once_and_taken_back() {
        let progress = Progress::default();
        assert_eq!((progress.ready(), progress.last()), (0, None));
        for (it, expected) in [
            (object("a", "False", 2), 0),
            (object("a", "True", 1), 0),
            (object("a", "True", 2), 1),
            (object("a", "True", 2), 1),
            (object("b", "True", 2), 2),
            (object("a", "False", 2), 1),
            (json!({"kind": "Mailbox", "metadata": {"name": "c"}}), 1),
        ] {
            progress.take(&it);
            assert_eq!(progress.ready(), expected, "{it}");
        }
        assert!(progress.last().is_some());
    }
}
