//! Sending steps to the API server in the name of a ServiceAccount, and what its answers mean. No decision is made here.

use std::time::Duration;

use kube_client::{Api, Client};
use kube_core::DynamicObject;
use kube_core::params::{DeleteParams, Patch, PatchParams, Preconditions};
use mailwright_crds::{ObjectRef, Resource};
use mailwright_plan::FailureReason;
use serde_json::{Value, json};

use super::decide::merge_patch;
use super::desired::{Claim, Desired, spec};
use crate::kubernetes::api::within;
use crate::kubernetes::status::api_resource;

/// What the field manager of what a repository declares begins with. Each has one of its own, so that one that makes an object notices
/// that another made it in between.
pub const MANAGER: &str = "mailwright-repository";

/// The longest name of a field manager that API servers take.
const LONGEST_MANAGER: usize = 128;

/// The longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// The longest message of an API server that is repeated.
const LONGEST: usize = 400;

/// Why a step was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind it is, for programs.
    pub reason: FailureReason,
    /// In words, with what to do.
    pub message: String,
    /// Whether it may pass by itself.
    pub temporary: bool,
    /// Whether the ServiceAccount lacks a right.
    pub forbidden: bool,
}

impl Refusal {
    /// Another process leads.
    pub fn deposed() -> Refusal {
        let message = "this operator does not lead any more".to_owned();
        Refusal { reason: FailureReason::Conflict, message, temporary: true, forbidden: false }
    }

    /// It could not be asked whether the object is there and whose it is.
    pub fn unsure() -> Refusal {
        let message = "the API server does not say whether it is still there and the repository's; nothing is removed before it does";
        Refusal {
            reason: FailureReason::Database,
            message: message.to_owned(),
            temporary: true,
            forbidden: false,
        }
    }

    /// The address of an object goes on as another one, which could not be written.
    pub fn needed(heir: &ObjectRef) -> Refusal {
        let message = format!("its address goes on as {heir}, which is not there yet; it stays until then");
        Refusal { reason: FailureReason::NotAlone, message, temporary: true, forbidden: false }
    }

    /// It was written, and somebody made it otherwise at once.
    pub fn insisted(field: &str) -> Refusal {
        let message = format!(
            "{field} is changed by somebody else as soon as it is written; look for an admission webhook or another controller"
        );
        Refusal { reason: FailureReason::Conflict, message, temporary: false, forbidden: false }
    }
}

/// Writes as one ServiceAccount.
#[derive(Clone)]
pub struct Hand {
    client: Client,
    /// `namespace/name` of the ServiceAccount, for messages.
    account: String,
    dry_run: bool,
}

impl Hand {
    /// Writes by this client, which asks in the name of that account.
    pub fn new(client: Client, account: String) -> Hand {
        Hand { client, account, dry_run: false }
    }

    /// The same that only asks what would be refused.
    pub fn dry(self) -> Hand {
        Hand { dry_run: true, ..self }
    }

    /// Whether nothing is written.
    pub fn is_dry(&self) -> bool {
        self.dry_run
    }

    fn api(&self, object: &ObjectRef) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &object.namespace, &api_resource(object.kind))
    }

    /// Makes or changes an object; what stands there then.
    pub async fn write(
        &self,
        desired: &Desired,
        claim: &Claim,
        revision: &str,
        uid: Option<&str>,
    ) -> Result<DynamicObject, Refusal> {
        let api = self.api(&desired.object);
        let manifest = desired.manifest(claim, revision, uid);
        let manager = manager(claim);
        // What is made is taken from nobody; what is there is as it was seen, and the repository's in every field.
        let force = uid.is_some();
        let parameters = PatchParams { dry_run: self.dry_run, force, ..PatchParams::apply(&manager) };
        let patch = Patch::Apply(&manifest);
        let name = &desired.object.name;
        let written = within(PATIENCE, api.patch(name, &parameters, &patch)).await;
        let written = written.map_err(|error| self.refusal("patch", desired, &error))?;
        let Some(rest) = leftover(desired, &written) else { return Ok(written) };
        // Fields that others set are theirs as far as server-side apply goes; the repository says that they are not there.
        let parameters =
            PatchParams { dry_run: self.dry_run, field_manager: Some(manager), ..PatchParams::default() };
        let uid = written.metadata.uid.clone();
        let body = match self.dry_run {
            true => json!({"spec": rest}),
            false => json!({"metadata": {"uid": uid}, "spec": rest}),
        };
        let patched = within(PATIENCE, api.patch(name, &parameters, &Patch::Merge(&body))).await;
        match patched {
            // A dry run of a new object leaves nothing to patch.
            Err(kube_client::Error::Api(status)) if self.dry_run && status.code == 404 => Ok(written),
            patched => patched.map_err(|error| self.refusal("patch", desired, &error)),
        }
    }

    /// Removes the object of this UID; one that is gone is as good.
    pub async fn delete(&self, object: &ObjectRef, uid: &str) -> Result<(), Refusal> {
        let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
        let parameters = DeleteParams {
            dry_run: self.dry_run,
            preconditions: Some(preconditions),
            ..DeleteParams::default()
        };
        match within(PATIENCE, self.api(object).delete(&object.name, &parameters)).await {
            Ok(_) => Ok(()),
            Err(kube_client::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(judge(&error, &self.account, "delete", object, None)),
        }
    }

    fn refusal(&self, verb: &str, desired: &Desired, error: &kube_client::Error) -> Refusal {
        judge(error, &self.account, verb, &desired.object, hash_of(&desired.resource).as_deref())
    }
}

/// The field manager of one repository.
fn manager(claim: &Claim) -> String {
    let whole = format!("{MANAGER}/{}/{}", claim.namespace, claim.name);
    match whole.len() {
        0..=LONGEST_MANAGER => whole,
        _ => format!("{MANAGER}/{}", &blake3::hash(whole.as_bytes()).to_hex()[..32]),
    }
}

/// What of the spec is otherwise than declared, as a merge patch.
fn leftover(desired: &Desired, written: &DynamicObject) -> Option<Value> {
    let value = serde_json::to_value(written).ok()?;
    let live = Resource::from_value(desired.object.kind, value).ok()?;
    merge_patch(&spec(&live), &spec(&desired.resource))
}

/// The one value of a declaration that is never repeated.
fn hash_of(resource: &Resource) -> Option<String> {
    let hash = spec(resource).pointer("/credentials/passwordHash")?.as_str()?.to_owned();
    Some(hash)
}

/// What an answer of the API server means. Pure.
fn judge(
    error: &kube_client::Error,
    account: &str,
    verb: &str,
    object: &ObjectRef,
    secret: Option<&str>,
) -> Refusal {
    let kube_client::Error::Api(status) = error else {
        let message = "the API server does not answer; it is tried again".to_owned();
        return Refusal { reason: FailureReason::Database, message, temporary: true, forbidden: false };
    };
    let said = cut(&secret.map_or(status.message.clone(), |secret| status.message.replace(secret, "…")));
    let plural = object.kind.plural();
    let (reason, message, temporary, forbidden) = match status.code {
        403 if status.message.contains("cannot impersonate") => (
            FailureReason::Conflict,
            format!(
                "the operator may not act as ServiceAccount {account}; name it in repositories.serviceAccounts of the chart"
            ),
            false,
            true,
        ),
        403 if status.message.contains("cannot") => (
            FailureReason::Conflict,
            format!(
                "ServiceAccount {account} may not {verb} {plural} in namespace {}; bind a Role that lets it get, create, patch and \
                 delete them",
                object.namespace
            ),
            false,
            true,
        ),
        401 | 403 => (FailureReason::Conflict, format!("the API server refuses it: {said}"), false, false),
        404 => (
            FailureReason::NotFound,
            format!("namespace {} does not exist; make it", object.namespace),
            false,
            false,
        ),
        409 => (
            FailureReason::Conflict,
            "it was changed or made anew at the same time; it is tried again".to_owned(),
            true,
            false,
        ),
        408 | 429 => {
            (FailureReason::Database, "the API server is busy; it is tried again".to_owned(), true, false)
        }
        400..=499 => (FailureReason::Database, format!("the API server refuses it: {said}"), false, false),
        _ => {
            (FailureReason::Database, "the API server has trouble; it is tried again".to_owned(), true, false)
        }
    };
    Refusal { reason, message, temporary, forbidden }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use kube_core::Status;
    use mailwright_crds::Kind;

    use super::*;

    #[test]
    fn every_answer_says_whose_turn_it_is() {
        let object = ObjectRef { kind: Kind::Mailbox, namespace: "sales".into(), name: "alice".into() };
        let impersonate = "serviceaccounts \"deployer\" is forbidden: User \"op\" cannot impersonate resource \"serviceaccounts\"";
        let lacks =
            "mailboxes.mailwright.dev \"alice\" is forbidden: User \"x\" cannot patch resource \"mailboxes\"";
        for (code, message, says, temporary, forbidden) in [
            (403, impersonate, "repositories.serviceAccounts of the chart", false, true),
            (
                403,
                lacks,
                "mail/deployer may not patch mailboxes in namespace sales; bind a Role",
                false,
                true,
            ),
            (
                403,
                "ValidatingAdmissionPolicy denied request: not now",
                "refuses it: ValidatingAdmissionPolicy",
                false,
                false,
            ),
            (404, "namespaces \"sales\" not found", "namespace sales does not exist", false, false),
            (409, "the object has been modified", "tried again", true, false),
            (
                422,
                "spec.address: Invalid value: is immutable, not hash-0",
                "is immutable, not …",
                false,
                false,
            ),
            (429, "too many", "busy", true, false),
            (500, "etcdserver: leader changed", "tried again", true, false),
            (503, "unavailable", "tried again", true, false),
        ] {
            let error = kube_client::Error::Api(Status { code, ..Status::failure(message, "") }.boxed());
            let found = judge(&error, "mail/deployer", "patch", &object, Some("hash-0"));
            assert!(found.message.contains(says), "{code}: {}", found.message);
            assert_eq!((found.temporary, found.forbidden), (temporary, forbidden), "{code} {message}");
            assert!(!found.message.contains("hash-0"), "{}", found.message);
        }
        let claim = |name: &str| Claim { name: name.to_owned(), namespace: "mail".to_owned() };
        assert_eq!(manager(&claim("company")), "mailwright-repository/mail/company");
        let long = [manager(&claim(&"x".repeat(253))), manager(&claim(&"y".repeat(253)))];
        assert!(long[0] != long[1] && long.iter().all(|it| it.len() <= LONGEST_MANAGER), "{long:?}");
        let silent = judge(&kube_client::Error::Service("x".into()), "a/b", "patch", &object, None);
        assert!(silent.temporary && silent.message.contains("does not answer"), "{}", silent.message);
        assert_eq!(cut(&"é".repeat(LONGEST + 1)).chars().count(), LONGEST + 1);
    }
}
