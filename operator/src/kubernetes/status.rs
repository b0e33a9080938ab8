//! Statuses on their way to the API server: server-side apply on `/status`, one field manager per kind, and no request at
//! all when what was seen is what is wanted. Deciding is [`change`] and [`judge`], pure; [`Writer`] only sends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use kube_client::api::{Patch, PatchParams};
use kube_client::{Api, Client};
use kube_core::{ApiResource, DynamicObject};
use mailwright_crds::kind::{API_VERSION, GROUP, VERSION};
use mailwright_crds::{
    AliasStatus, Kind, MailDomainStatus, MailRepositoryStatus, MailServerStatus, MailboxStatus, ObjectRef,
};
use serde_json::{Value, json};

use crate::backoff::{self, Backoff};

/// Writes under way at once: enough to hide the latency of the API server, few enough to leave it to others.
pub const CONCURRENCY: usize = 16;

/// The longest wait for one answer of the API server.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// The API of a kind.
pub fn api_resource(kind: Kind) -> ApiResource {
    ApiResource {
        group: GROUP.to_owned(),
        version: VERSION.to_owned(),
        api_version: API_VERSION.to_owned(),
        kind: kind.as_str().to_owned(),
        plural: kind.plural().to_owned(),
    }
}

/// The field manager of a kind's controller.
pub const fn manager(kind: Kind) -> &'static str {
    match kind {
        Kind::MailServer => "mailwright-mailserver",
        Kind::MailDomain => "mailwright-maildomain",
        Kind::Mailbox => "mailwright-mailbox",
        Kind::Alias => "mailwright-alias",
        Kind::MailRepository => "mailwright-mailrepository",
    }
}

/// A status to be in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Of which object.
    pub object: ObjectRef,
    /// Of which object of that name.
    pub uid: String,
    /// What it says, as text: thousands of parsed ones would take a multiple.
    pub status: Arc<str>,
}

impl Wanted {
    /// A status for the object of that name and UID.
    pub fn new(object: ObjectRef, uid: &str, status: &Value) -> Wanted {
        Wanted { object, uid: uid.to_owned(), status: status.to_string().into() }
    }

    fn value(&self) -> Value {
        serde_json::from_str(&self.status).unwrap_or_default()
    }
}

/// The status to send; `None` when what is kept says the same. What another program keeps in the status beside ours does
/// not count, nor does the order of conditions.
pub fn change(kind: Kind, kept: &Value, computed: &Value) -> Option<Value> {
    if says_the_same(kept, computed) {
        return None;
    }
    let computed = normal(kind, computed)?;
    (normal(kind, kept).as_ref() != Some(&computed)).then_some(computed)
}

/// The usual case, without taking thousands of statuses apart: equal fields, and equal conditions in whatever order.
fn says_the_same(kept: &Value, computed: &Value) -> bool {
    let (Some(kept), Some(computed)) = (kept.as_object(), computed.as_object()) else { return false };
    let given = |fields: &serde_json::Map<String, Value>| fields.values().filter(|it| !it.is_null()).count();
    let same = |(name, value): (&String, &Value)| match (name.as_str(), value, kept.get(name)) {
        (_, Value::Null, None) => true,
        ("conditions", Value::Array(all), Some(Value::Array(others))) => {
            all.len() == others.len() && all.iter().all(|condition| others.contains(condition))
        }
        (_, value, other) => other == Some(value),
    };
    given(kept) == given(computed) && computed.iter().all(same)
}

/// A status as this release would write it.
fn normal(kind: Kind, status: &Value) -> Option<Value> {
    fn through<T: serde::de::DeserializeOwned + serde::Serialize>(status: &Value) -> Option<Value> {
        serde_json::to_value(serde_json::from_value::<T>(status.clone()).ok()?).ok()
    }
    let mut status = match kind {
        Kind::MailServer => through::<MailServerStatus>(status),
        Kind::MailDomain => through::<MailDomainStatus>(status),
        Kind::Mailbox => through::<MailboxStatus>(status),
        Kind::Alias => through::<AliasStatus>(status),
        Kind::MailRepository => through::<MailRepositoryStatus>(status),
    }?;
    if let Some(fields) = status.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    if let Some(conditions) = status.get_mut("conditions").and_then(Value::as_array_mut) {
        conditions.sort_by(|a, b| a["type"].as_str().cmp(&b["type"].as_str()));
    }
    Some(status)
}

/// What an error of the API server means for a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// The object is gone, or another has its name: nothing to do.
    Gone,
    /// A moment's trouble, or a refusal that somebody may mend (a policy, a webhook): again, later and later.
    Later,
    /// It will be refused as long as it is the same.
    Refused,
}

/// Judges an error. A field that the installed definition does not have is answered by 500 in some versions, with words
/// about the schema: that is a refusal for good.
pub fn judge(error: &kube_client::Error) -> Judged {
    match error {
        kube_client::Error::Api(status) => match status.code {
            404 => Judged::Gone,
            409 if status.message.contains("uid") => Judged::Gone,
            500 if status.message.contains("schema") || status.message.contains("typed patch") => {
                Judged::Refused
            }
            _ => Judged::Later,
        },
        kube_client::Error::SerdeError(_) | kube_client::Error::BuildRequest(_) => Judged::Refused,
        _ => Judged::Later,
    }
}

/// What came of a round of writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// Statuses written.
    pub written: usize,
    /// Statuses that are not in force yet.
    pub failed: usize,
}

/// Sends statuses.
pub struct Writer {
    client: Client,
    tried: Mutex<Tried>,
}

/// What did not work, by object and digest of what was sent: another status is tried at once.
#[derive(Debug, Default)]
struct Tried {
    backoff: Backoff<Key>,
    refused: BTreeMap<ObjectRef, blake3::Hash>,
}

type Key = (ObjectRef, [u8; 32]);

impl Writer {
    /// A writer that has sent nothing yet.
    pub fn new(client: Client) -> Writer {
        Writer { client, tried: Mutex::default() }
    }

    /// Sends what is not in force, as long as `go_on` says so. Each answer is handed to `answered` at once.
    pub async fn write(
        &self,
        wanted: Vec<Wanted>,
        now: DateTime<Utc>,
        go_on: &(impl Fn() -> bool + Sync),
        answered: &(impl Fn(Kind, DynamicObject) + Sync),
    ) -> Round {
        let due = wanted.into_iter().filter(|wanted| self.is_due(wanted, now));
        let sent = futures::stream::iter(due)
            .map(|wanted| async move {
                if !go_on() {
                    return None;
                }
                let answer = self.send(&wanted).await;
                Some((wanted, answer))
            })
            .buffer_unordered(CONCURRENCY);
        let mut sent = std::pin::pin!(sent);
        let mut round = Round::default();
        while let Some(done) = sent.next().await {
            let Some((wanted, answer)) = done else { continue };
            match answer {
                Ok(object) => {
                    round.written += 1;
                    self.settle(&wanted, &object, now);
                    answered(wanted.object.kind, object);
                }
                Err(error) => round.failed += usize::from(self.note(&wanted, &error, now)),
            }
        }
        round
    }

    /// When a write that failed is to be tried again.
    pub fn next_due(&self) -> Option<DateTime<Utc>> {
        self.lock().backoff.next_due()
    }

    /// Whether the last status of an object was taken, as far as this writer knows.
    pub fn is_settled(&self, object: &ObjectRef) -> bool {
        let tried = self.lock();
        !tried.refused.contains_key(object) && !tried.backoff.any(|key| key.0 == *object)
    }

    /// Sends one, whatever came of those before it.
    pub async fn send(&self, wanted: &Wanted) -> Result<DynamicObject, kube_client::Error> {
        let kind = wanted.object.kind;
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &wanted.object.namespace, &api_resource(kind));
        let body = json!({
            "apiVersion": API_VERSION,
            "kind": kind.as_str(),
            "metadata": {"name": wanted.object.name, "uid": wanted.uid},
            "status": wanted.value(),
        });
        let params = PatchParams::apply(manager(kind)).force();
        let patch = Patch::Apply(&body);
        let request = api.patch_status(&wanted.object.name, &params, &patch);
        super::api::within(PATIENCE, request).await
    }

    fn is_due(&self, wanted: &Wanted, now: DateTime<Utc>) -> bool {
        let tried = self.lock();
        let digest = digest(&wanted.status);
        tried.refused.get(&wanted.object) != Some(&digest)
            && tried.backoff.is_due(&(wanted.object.clone(), *digest.as_bytes()), now)
    }

    /// A status that was taken but reads differently (another program insists on its own) is not sent again and again.
    fn settle(&self, wanted: &Wanted, object: &DynamicObject, now: DateTime<Utc>) {
        let kept = object.data.get("status").unwrap_or(&Value::Null);
        let mut tried = self.lock();
        let of_object = |key: &Key| key.0 == wanted.object;
        tried.refused.remove(&wanted.object);
        if change(wanted.object.kind, kept, &wanted.value()).is_some() {
            let key = (wanted.object.clone(), *digest(&wanted.status).as_bytes());
            tried.backoff.failed(key, now, backoff::chance());
        } else {
            tried.backoff.retain(|key| !of_object(key));
        }
    }

    /// Remembers a failure; whether the status is still to be written.
    fn note(&self, wanted: &Wanted, error: &kube_client::Error, now: DateTime<Utc>) -> bool {
        let mut tried = self.lock();
        let digest = digest(&wanted.status);
        tried.backoff.retain(|key| key.0 != wanted.object || key.1 == *digest.as_bytes());
        match judge(error) {
            Judged::Gone => return false,
            Judged::Refused => {
                tracing::error!(object = %wanted.object, %error, "the API server refuses the status; are the definitions as new as the operator?");
                tried.refused.insert(wanted.object.clone(), digest);
            }
            Judged::Later => {
                if let kube_client::Error::Api(status) = error
                    && matches!(status.code, 400 | 413 | 415 | 422)
                {
                    tracing::warn!(object = %wanted.object, %error, "the API server refuses the status; it is tried again seldom");
                }
                tracing::debug!(object = %wanted.object, %error, "the status could not be written and will be");
                tried.backoff.failed((wanted.object.clone(), *digest.as_bytes()), now, backoff::chance());
            }
        }
        true
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Tried> {
        self.tried.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What a status says. The time of a transition is that of the pass as long as no status is in force: it makes no other one.
fn digest(status: &str) -> blake3::Hash {
    let Ok(mut timeless) = serde_json::from_str::<Value>(status) else {
        return blake3::hash(status.as_bytes());
    };
    for condition in timeless.get_mut("conditions").and_then(Value::as_array_mut).into_iter().flatten() {
        condition.as_object_mut().map(|fields| fields.remove("lastTransitionTime"));
    }
    blake3::hash(timeless.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use kube_core::Status;

    use super::*;

    fn condition(type_: &str, time: &str) -> Value {
        json!({"type": type_, "status": "True", "reason": "Reconciled", "message": "", "lastTransitionTime": time})
    }

    const NOON: &str = "2026-11-20T12:00:00Z";

    #[test]
    fn what_says_the_same_is_not_sent() {
        let status =
            |conditions: Value| json!({"observedGeneration": 1, "conditions": conditions, "accountID": 7});
        let (ready, accepted) = (condition("Ready", NOON), condition("Accepted", NOON));
        let wanted = status(json!([ready, accepted]));
        for (kept, differs, what) in [
            (wanted.clone(), false, "the same"),
            (status(json!([accepted, ready])), false, "another order"),
            (
                status(json!([accepted, ready, condition("FromElsewhere", NOON)])),
                false,
                "somebody else's condition",
            ),
            (status(json!([ready])), true, "one is missing"),
            (status(json!([ready, condition("Accepted", "2026-11-20T12:00:01Z")])), true, "another time"),
            (json!({"observedGeneration": -1}), true, "the first status"),
            (Value::Null, true, "no status"),
            (json!("rubbish"), true, "rubbish"),
        ] {
            assert_eq!(change(Kind::Mailbox, &kept, &wanted).is_some(), differs, "{what}");
        }
        let mut with_null = wanted.clone();
        with_null["lastHandledReconcileAt"] = Value::Null;
        assert_eq!(change(Kind::Mailbox, &wanted, &with_null), None);
    }

    #[test]
    fn a_status_is_the_same_one_at_another_time() {
        let status = |time: &str, generation: i64| json!({"observedGeneration": generation, "conditions": [condition("Ready", time)]});
        let noon = digest(&status(NOON, 1).to_string());
        assert_eq!(noon, digest(&status("2026-11-20T12:00:05Z", 1).to_string()));
        assert_ne!(noon, digest(&status(NOON, 2).to_string()));
    }

    #[test]
    fn errors_are_judged() {
        for (code, message, expected) in [
            (404, "not found", Judged::Gone),
            (409, "Precondition failed: UID in precondition: x, UID in object meta: y uid", Judged::Gone),
            (409, "the object has been modified", Judged::Later),
            (422, "invalid", Judged::Later),
            (400, "bad", Judged::Later),
            (
                500,
                "failed to create typed patch object: .status.new: field not declared in schema",
                Judged::Refused,
            ),
            (500, "etcdserver: leader changed", Judged::Later),
            (429, "too many requests", Judged::Later),
            (503, "unavailable", Judged::Later),
            (403, "forbidden", Judged::Later),
        ] {
            let error = kube_client::Error::Api(Status { code, ..Status::failure(message, "") }.boxed());
            assert_eq!(judge(&error), expected, "{code} {message}");
        }
        assert_eq!(judge(&kube_client::Error::Service("timeout".into())), Judged::Later);
    }
}
