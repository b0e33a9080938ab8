//! Makes the children of a MailServer what they should be, and says how they are.
//!
//! Deciding is [`decide()`] and pure; writing is server-side apply of whole objects under our field manager, with `force`,
//! because every field that is sent is ours: others keep theirs (annotations, injected containers, what admission adds).
//! Removing is of our own surplus only, with the uid and version that were seen. A PersistentVolumeClaim or a Secret is no
//! child and is never touched here. What a child needs beside this (its content) is `workload`'s.

pub mod attempts;
pub mod awaited;
pub mod covers;
pub mod decide;
pub mod facts;
pub mod failure;
pub mod look;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use kube_client::{Api, Client, Error};
use kube_core::params::{DeleteParams, Patch, PatchParams, Preconditions};
use kube_core::{ApiResource, DynamicObject, GroupVersionKind};
use mailwright_crds::Kind;
use serde_json::Value;

pub use self::decide::{Decision, Live, Owner, decide};
pub use self::failure::{Fault, Problem};

use self::attempts::{Attempts, Key, Tried};
use self::covers::{covers, project};
use self::failure::Failure;
use super::api;
use super::status::manager;
use crate::backoff;
use crate::workload::{Child, ChildKind};

/// The field manager of everything that is made for a MailServer.
const MANAGER: &str = manager(Kind::MailServer);

/// The longest that one request may take: a server that answers later is in trouble, and the pass is repeated.
const REQUEST: Duration = Duration::from_secs(30);

/// What came of a pass over the children of one MailServer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Requests that changed something, or tried to.
    pub written: usize,
    /// What is not as it should be.
    pub problems: Vec<Problem>,
    /// What the API server answered and the view does not show yet: what it made of what was written, and what is as it should be
    /// although the view has lost it.
    pub found: Vec<Live>,
}

impl Report {
    /// Whether another pass soon may get further.
    pub fn transient(&self) -> bool {
        self.has(Fault::Transient)
    }

    /// Whether another pass much later may get further.
    pub fn refused(&self) -> bool {
        self.has(Fault::Refused) || self.has(Fault::NotOurs)
    }

    /// A view with what is newer in the answers: a StatefulSet that was just changed is not rolled out, whatever an older view
    /// of it says.
    pub fn over(self, mut view: Vec<Live>) -> Vec<Live> {
        for found in self.found {
            match view.iter_mut().find(|seen| (seen.kind, seen.name()) == (found.kind, found.name())) {
                Some(seen) if seen.version() < found.version() => *seen = found,
                Some(_) => {}
                None => view.push(found),
            }
        }
        view
    }

    fn has(&self, fault: Fault) -> bool {
        self.problems.iter().any(|problem| problem.fault == fault)
    }
}

/// Writes the children of one MailServer, and remembers what the API server said of them.
#[derive(Clone)]
pub struct Children {
    client: Client,
    owner: Owner,
    attempts: Attempts,
    /// What the API server made of our fields, where it made something else of them.
    settled: BTreeMap<Key, Value>,
}

impl Children {
    /// For the children of `owner`.
    pub fn new(client: Client, owner: Owner) -> Children {
        Children { client, owner, attempts: Attempts::default(), settled: BTreeMap::new() }
    }

    /// Tries what was given up once more: somebody asks.
    pub fn try_anew(&mut self) {
        self.attempts.forget();
    }

    /// One pass: what is desired is made so, surplus is removed, and what is as it should be costs no request.
    ///
    /// `live` is what was last seen with our labels; it may be old. What it does not show is looked for before it is
    /// written, because something of the same name may be there without our labels.
    pub async fn apply(&mut self, desired: &[Child], live: &[Live]) -> Report {
        self.apply_at(desired, live, Utc::now()).await
    }

    async fn apply_at(&mut self, desired: &[Child], live: &[Live], now: DateTime<Utc>) -> Report {
        let mut report = Report::default();
        for child in desired {
            let seen = live.iter().find(|live| live.kind == child.kind && live.name() == child.name);
            let tried = Tried::new(child.digest().unwrap_or_default(), seen);
            let key = (child.kind, child.name.clone());
            match self.make(&key, child, seen, &tried, now, &mut report).await {
                Ok(()) => {}
                Err(failure) => self.note(&key, tried, failure, now, &mut report),
            }
        }
        let wanted =
            |live: &Live| desired.iter().any(|child| child.kind == live.kind && child.name == live.name());
        for surplus in live.iter().filter(|live| !wanted(live)) {
            if decide(&self.owner, None, Some(surplus), None) == Decision::Delete {
                self.remove(surplus, now, &mut report).await;
            }
        }
        report
    }

    async fn make(
        &mut self,
        key: &Key,
        child: &Child,
        seen: Option<&Live>,
        tried: &Tried,
        now: DateTime<Utc>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let mut decision = decide(&self.owner, Some(child), seen, self.settled.get(key));
        if decision == Decision::Keep {
            self.attempts.worked(key);
            return Ok(());
        }
        if let Some(problem) = self.attempts.held_back(key, tried, now) {
            report.problems.push(problem.clone());
            return Ok(());
        }
        if seen.is_none() {
            let found = self.get(child).await.map_err(|error| failure::classify(&error))?;
            decision = decide(&self.owner, Some(child), found.as_ref(), self.settled.get(key));
            if decision == Decision::Keep {
                report.found.extend(found);
            }
        }
        match decision {
            Decision::Apply => {
                report.written += 1;
                let made = self.patch(child).await.map_err(|error| failure::classify(&error))?;
                self.attempts.worked(key);
                self.settle(key, child, &made);
                report.found.push(Live { kind: child.kind, object: made });
            }
            Decision::Wait(message) => report.problems.push(problem(child, Fault::Transient, message)),
            Decision::Refuse(message) => report.problems.push(problem(child, Fault::NotOurs, message)),
            Decision::Keep | Decision::Delete => {}
        }
        Ok(())
    }

    async fn remove(&mut self, surplus: &Live, now: DateTime<Utc>, report: &mut Report) {
        let key = (surplus.kind, surplus.name().to_owned());
        let tried = Tried::new("", Some(surplus));
        if let Some(problem) = self.attempts.held_back(&key, &tried, now) {
            report.problems.push(problem.clone());
            return;
        }
        report.written += 1;
        match self.delete(surplus).await {
            Ok(()) => self.attempts.worked(&key),
            Err(error) => self.note(&key, tried, failure::classify(&error), now, report),
        }
    }

    /// Remembers what became of an object, if it is not what was asked for.
    fn settle(&mut self, key: &Key, child: &Child, made: &Value) {
        if covers(made, &child.object) {
            self.settled.remove(key);
            return;
        }
        let (kind, name) = (key.0.as_str(), &key.1);
        tracing::warn!(kind, name, "another writer changed what was applied; it has the last word");
        self.settled.insert(key.clone(), project(made, &child.object));
    }

    fn note(&mut self, key: &Key, tried: Tried, failure: Failure, now: DateTime<Utc>, report: &mut Report) {
        let moment = (now, backoff::chance());
        report.problems.extend(self.attempts.failed(key, &self.owner.namespace, tried, failure, moment));
    }

    async fn get(&self, child: &Child) -> Result<Option<Live>, Error> {
        let api = self.api(child.kind);
        let found = timely(api.get_opt(&child.name)).await?;
        Ok(found.map(|object| Live::of(child.kind, &object)))
    }

    async fn patch(&self, child: &Child) -> Result<Value, Error> {
        let api = self.api(child.kind);
        let parameters = PatchParams::apply(MANAGER).force();
        let made = timely(api.patch(&child.name, &parameters, &Patch::Apply(&child.object))).await?;
        serde_json::to_value(made).map_err(Error::SerdeError)
    }

    /// Removes exactly what was seen. One that is gone already is fine.
    async fn delete(&self, live: &Live) -> Result<(), Error> {
        let text = |field: &str| live.object["metadata"][field].as_str().map(str::to_owned);
        let preconditions = Preconditions { uid: text("uid"), resource_version: text("resourceVersion") };
        let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::background() };
        let api = self.api(live.kind);
        match timely(api.delete(live.name(), &parameters)).await {
            Err(Error::Api(status)) if status.code == 404 => Ok(()),
            other => other.map(drop),
        }
    }

    fn api(&self, kind: ChildKind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.owner.namespace, &resource(kind))
    }
}

/// What a kind is called in requests.
pub fn resource(kind: ChildKind) -> ApiResource {
    let gvk = GroupVersionKind::gvk(kind.group(), kind.version(), kind.as_str());
    ApiResource::from_gvk_with_plural(&gvk, kind.plural())
}

fn problem(child: &Child, fault: Fault, message: String) -> Problem {
    Problem { child: child.title(), fault, message }
}

/// A request that takes too long has failed: what came of it is seen in the next pass.
async fn timely<T>(request: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    api::within(REQUEST, request).await
}

#[cfg(test)]
mod tests;
