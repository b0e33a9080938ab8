//! What a pass does once the account database answers: plan and apply, keys and certificates, children, what is pushed to the
//! pod, statuses.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use mailwright_crds::{Condition, ConditionType, MailServer, ObjectRef, Reason, condition};
use mailwright_plan::observed::Owner;
use mailwright_plan::status::{DatabaseProblem, Facts};
use mailwright_plan::{Action, Observed, Verdict};
use serde_json::{Value, json};

use super::{Done, Installation, configuration, reach};
use crate::accounts::{AccountsErrorKind, Connector, Pushed, PushedKey, Remote as _};
use crate::kubernetes::absence::Verifier;
use crate::kubernetes::shared::{Changes, View};
use crate::kubernetes::status::Round;
use crate::kubernetes::{finalizer, metrics};
use crate::operator::{KUBERNETES, Listening, PassError, Work};
use crate::platform::kubernetes;
use crate::serving::Serving;

impl<C: Connector> Installation<C> {
    /// The whole of a pass; whether nothing is left to be tried again soon.
    pub(super) async fn reconcile(
        &mut self,
        server: &MailServer,
        view: &View,
        now: DateTime<Utc>,
    ) -> Result<Done, DatabaseProblem> {
        let observed = self.operator.observe().await.map_err(|error| reach::problem(&error))?;
        let owned = self.shared.own(&self.key, owned(&observed));
        if view.owned.as_ref() != Some(&owned) {
            // Members are chosen by whose rows are here; that is news, and the bell rings when they are chosen anew.
            return Ok(Done { settled: true, ..Done::default() });
        }
        let verifier = Verifier::new(Arc::clone(&self.shared), self.key.clone());
        let work = self.operator.work(now, &verifier).await;
        let mut work = work.map_err(|error| DatabaseProblem::Failed(error.to_string()))?;
        if let Some(trouble) = &work.trouble {
            match trouble.kind {
                AccountsErrorKind::StorageFull => {}
                AccountsErrorKind::Fenced => {
                    // Somebody else leads, and statuses are theirs to write.
                    tracing::error!(server = %self.key, %trouble, "the database refuses this operator's term");
                    return Ok(Done::default());
                }
                _ => return Err(reach::problem(trouble)),
            }
        }
        self.shared.own(&self.key, self::owned(&work.observed));
        self.shared.tell_counter(&self.key, work.observed.change_counter);
        self.note(&work);
        let mut settled = true;
        self.platform.set_domains(kubernetes::domains(self.operator.catalog(), &work.observed));
        let mut facts = match self.operator.ensure(&work.observed, now).await {
            Ok(facts) => facts,
            Err(error) => {
                tracing::warn!(server = %self.key, %error, "keys and certificates are not all as they should be");
                settled = false;
                self.facts.clone()
            }
        };
        facts.database_problem = work.trouble.take().as_ref().map(reach::problem);
        settled &= facts.database_problem.is_none();
        settled &= self.push(&work.observed).await;
        self.listen(&mut facts).await;
        self.tend(server, &mut facts, now).await;
        let (written, health) = (self.workloads.configuration(), self.health.as_ref());
        facts.configuration_pending = configuration::pending(&self.key.name, written, health);
        let round = self.put(&work, &facts, view, now).await;
        self.facts = facts;
        Ok(Done {
            settled: settled && round.failed == 0,
            changed: round.written > 0 || work.news().next().is_some(),
            held: work.plan.held().count() > 0,
        })
    }

    /// Says what was done.
    fn note(&mut self, work: &Work) {
        for outcome in work.news() {
            let ok = outcome.verdict == Verdict::Applied;
            metrics::operations(word(outcome.action), ok, 1);
            tracing::debug!(server = %self.key, object = %outcome.object, verdict = ?outcome.verdict, "applied");
        }
        let held = work.plan.held().count();
        if held == 0 {
            self.held.clear();
        } else if self.held != work.plan.digest {
            self.held.clone_from(&work.plan.digest);
            tracing::warn!(server = %self.key, held, digest = work.plan.digest, "a guard holds operations back");
        }
    }

    /// Tells the pod what it needs beside rows, when it has not been told.
    async fn push(&mut self, observed: &Arc<Observed>) -> bool {
        let Some(remote) = self.operator.accounts().clone() else { return false };
        let serving = match self.operator.serving_of(observed).await {
            Ok(Some(serving)) => serving,
            Ok(None) => return true,
            Err(error) => return self.failed("what the server needs cannot be read", &error),
        };
        let mut pushed = pushed(serving);
        let digest = blake3::hash(serde_json::to_string(&pushed).unwrap_or_default().as_bytes());
        let has = self.health.as_ref().and_then(|health| health.pushed_digest.clone());
        if self.pushed == Some((digest, has.clone())) && has.is_some() {
            return true;
        }
        pushed.fence = self.way.fence();
        match remote.serve(&pushed).await {
            Ok(()) => {
                let health = reach::health(&remote).await.ok();
                self.pushed = Some((digest, health.and_then(|health| health.pushed_digest)));
                true
            }
            Err(error) => self.failed("keys and policies cannot be pushed", &PassError::Accounts(error)),
        }
    }

    fn failed(&self, what: &str, error: &PassError) -> bool {
        tracing::warn!(server = %self.key, %error, "{what}; it is tried again");
        false
    }

    /// What the running server says of itself.
    async fn listen(&mut self, facts: &mut Facts) {
        let Some(remote) = self.operator.accounts().as_ref() else { return };
        match reach::health(remote).await {
            Ok(health) => {
                facts.endpoints.clone_from(&health.endpoints);
                facts.listener_error.clone_from(&health.listener_error);
                let listening =
                    Listening { endpoints: health.endpoints.clone(), error: health.listener_error.clone() };
                self.operator.set_listening(listening);
                self.health = Some(health);
            }
            Err(error) => tracing::debug!(server = %self.key, %error, "the server does not say how it is"),
        }
    }

    /// Puts the statuses in force. Thousands of them are looked at one by one; only those that differ are held.
    async fn put(&mut self, work: &Work, facts: &Facts, view: &View, now: DateTime<Utc>) -> Round {
        let mut changes = Changes::default();
        let previous = |object: &ObjectRef| Some(self.kept(object));
        self.operator.statuses(work, facts, now, previous, |object, kept, mut status| {
            let Some(seen) = self.fed.get(&object) else { return };
            if seen.is_terminating() && finalizer::is_held(seen.metadata()) {
                blocked(&mut status, kept.as_ref(), seen.generation(), now);
            }
            self.shared.compare(&mut changes, object, kept.unwrap_or_default(), &status);
        });
        let slot = Arc::clone(&self.slot);
        self.shared.put(changes, now, || !std::ptr::eq(Arc::as_ptr(&slot.view()), view)).await
    }
}

/// A MailDomain that waits for its addresses to go says so.
fn blocked(status: &mut Value, previous: Option<&Value>, generation: Option<i64>, now: DateTime<Utc>) {
    let conditions = |status: &Value| -> Vec<Condition> {
        let list = status.get("conditions").and_then(Value::as_array).cloned().unwrap_or_default();
        list.into_iter().filter_map(|value| serde_json::from_value(value).ok()).collect()
    };
    let mut all = conditions(status);
    let kept = previous.map(conditions).unwrap_or_default();
    all.extend(condition::find(&kept, ConditionType::DeletionBlocked).cloned());
    let message = "it is deleted once no Mailbox and no Alias of the domain is declared any more";
    let blocked = Condition::new(ConditionType::DeletionBlocked, true, Reason::AddressesExist, message, now);
    condition::set(&mut all, blocked.observed(generation));
    status["conditions"] = json!(all);
}

/// An action as a label of a metric.
fn word(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Disable => "disable",
        Action::Enable => "enable",
        Action::Delete => "delete",
        Action::Adopt => "adopt",
        Action::Release => "release",
    }
}

/// The objects that the rows of this source belong to.
fn owned(observed: &Observed) -> BTreeSet<ObjectRef> {
    let owner = |owner: Option<&Owner>| {
        owner.filter(|owner| owner.managed_by == KUBERNETES).map(|owner| owner.object.clone())
    };
    let domains = observed.domains.iter().filter_map(|row| owner(row.owner.as_deref()));
    let mailboxes = observed.mailboxes.iter().filter_map(|row| owner(row.owner.as_deref()));
    let aliases = observed.aliases.iter().filter_map(|row| owner(row.owner.as_deref()));
    domains.chain(mailboxes).chain(aliases).collect()
}

fn pushed(serving: Serving) -> Pushed {
    let keys = |keys: Vec<crate::dkim::DkimKey>| {
        let key = |key: crate::dkim::DkimKey| PushedKey {
            selector: key.selector,
            algorithm: key.algorithm,
            private_pem: key.private_pem,
        };
        keys.into_iter().map(key).collect()
    };
    Pushed {
        fence: None,
        dkim: serving.dkim.into_iter().map(|(domain, all)| (domain, keys(all))).collect(),
        mta_sts: serving.mta_sts,
        relay_login: serving.relay_login,
    }
}
