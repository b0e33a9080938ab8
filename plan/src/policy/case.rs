//! Tests of policies as documents: objects, what runs before them, and what the policies are to say. Each case is planned as it
//! would be planned anywhere, so that a test cannot say something else than the installation does.

mod read;

use chrono::{DateTime, TimeZone as _, Utc};
use mailwright_crds::{Kind, ObjectRef, Resource, check_manifest};
use serde::Serialize;
use serde_json::json;

use super::{Declared, Policies};
use crate::catalog::{Catalog, Entry};
use crate::domain::domain_of;
use crate::observed::Observed;
use crate::planner::plan;
use crate::problem::{Problem, ProblemCode};
use crate::reference::Origin;
use crate::settings::Settings;
use crate::simulate;

pub use read::read;

/// A document of tests.
#[derive(Debug, Clone)]
pub struct Suite {
    /// What it is called.
    pub name: String,
    /// Where it stands.
    pub origin: Origin,
    /// Only these policies are judged with; all when empty.
    pub policies: Vec<String>,
    /// The time of the judgement.
    pub now: DateTime<Utc>,
    /// Servers, domains and mailboxes around the objects. What is not given is made up.
    pub given: Vec<Resource>,
    /// The cases.
    pub cases: Vec<Case>,
}

/// One object and what is to be said of it.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The object.
    pub object: Resource,
    /// What runs before.
    pub old: Option<Resource>,
    /// What the policies are to say.
    pub expect: Said,
    /// The policies that are to say it; any when empty.
    pub by: Vec<String>,
    /// What is to be in a message.
    pub message: Option<String>,
}

/// What policies say of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Said {
    /// Nothing.
    Allowed,
    /// It is applied with a warning.
    Warned,
    /// It is not applied.
    Denied,
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self, f)
    }
}

/// What came of one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The document.
    pub suite: String,
    /// The case.
    pub case: String,
    /// Whether everything is as expected.
    pub passed: bool,
    /// What was expected.
    pub expected: Said,
    /// What was said.
    pub found: Said,
    /// All messages of policies.
    pub messages: Vec<String>,
    /// Why it is not as expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The time of a judgement that names none: a test says the same every day.
pub fn usual_now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).single().unwrap_or_default()
}

/// Runs the cases of a document.
pub fn run(suite: &Suite, policies: &[Declared]) -> Vec<Report> {
    let chosen = |it: &&Declared| {
        suite.policies.is_empty() || suite.policies.iter().any(|name| name == it.policy.name.as_str())
    };
    let chosen: Vec<Declared> = policies.iter().filter(chosen).cloned().collect();
    suite.cases.iter().map(|case| report(suite, case, &chosen)).collect()
}

/// What policies say of one object among others, in a plan like any other.
pub fn judge(
    object: &Resource,
    old: Option<&Resource>,
    given: &[Resource],
    policies: &[Declared],
    now: DateTime<Utc>,
) -> (Said, Vec<Problem>) {
    let around = around(object, given);
    let mut settings = Settings::new("test", now);
    let observed = old.map_or_else(Observed::default, |old| {
        let catalog = catalog(around.iter().chain([old]));
        simulate::apply(&Observed::default(), &plan(&catalog, &Observed::default(), &settings), now)
    });
    settings.policies = Policies::new(policies.iter().cloned());
    let planned = plan(&catalog(around.iter().chain([object])), &observed, &settings);
    let codes = [ProblemCode::PolicyViolation, ProblemCode::PolicyInvalid];
    let own = |it: &Problem| codes.contains(&it.code) && it.object.as_ref() == Some(&object.object_ref());
    let problems: Vec<Problem> = planned.problems.into_iter().filter(own).collect();
    let said = match (problems.is_empty(), problems.iter().any(Problem::is_error)) {
        (true, _) => Said::Allowed,
        (false, true) => Said::Denied,
        (false, false) => Said::Warned,
    };
    (said, problems)
}

fn report(suite: &Suite, case: &Case, policies: &[Declared]) -> Report {
    let (found, problems) = judge(&case.object, case.old.as_ref(), &suite.given, policies, suite.now);
    let messages: Vec<String> = problems.iter().map(|problem| problem.message.clone()).collect();
    let names = |name: &str| {
        messages
            .iter()
            .any(|it| it.contains(&format!("policy {name} ")) || it.contains(&format!("policy {name})")))
    };
    let why = if found != case.expect {
        Some(match messages.first() {
            Some(first) => format!("{found} and not {}: {first}", case.expect),
            None => format!("{found} and not {}", case.expect),
        })
    } else if let Some(missing) = case.by.iter().find(|name| !names(name)) {
        Some(format!("policy {missing} says nothing"))
    } else {
        let wanted =
            case.message.as_ref().filter(|wanted| !messages.iter().any(|it| it.contains(wanted.as_str())));
        wanted.map(|wanted| format!("no message has {wanted:?} in it: {}", messages.join("; ")))
    };
    Report {
        suite: suite.name.clone(),
        case: case.name.clone(),
        passed: why.is_none(),
        expected: case.expect,
        found,
        messages,
        why,
    }
}

/// What is given, and a server and a domain for the object where none are.
fn around(object: &Resource, given: &[Resource]) -> Vec<Resource> {
    let mut around: Vec<Resource> = given.to_vec();
    let has = |kind: Kind| given.iter().any(|it| it.kind() == kind);
    let made = |kind: Kind, name: &str, spec: serde_json::Value| {
        let metadata = json!({"name": name, "namespace": object.namespace()});
        let manifest = json!({
            "apiVersion": mailwright_crds::API_VERSION, "kind": kind.as_str(), "metadata": metadata, "spec": spec,
        });
        check_manifest(kind, &manifest).ok()
    };
    let server = given.iter().find(|it| it.kind() == Kind::MailServer);
    let server_name = server.map_or("mail", Resource::name).to_owned();
    if !has(Kind::MailServer) {
        around.extend(made(Kind::MailServer, "mail", json!({"hostname": "mail.example.test"})));
    }
    let address = match object {
        Resource::Mailbox(mailbox) => mailbox.spec.address.as_str(),
        Resource::Alias(alias) => alias.spec.address.as_str(),
        _ => return around,
    };
    let domain = domain_of(address);
    let served = |it: &Resource| matches!(it, Resource::MailDomain(it) if it.spec.domain.as_str() == domain);
    if !given.iter().any(served) {
        let spec = json!({"serverRef": {"name": server_name}, "domain": domain});
        around.extend(made(Kind::MailDomain, &domain.replace('.', "-"), spec));
    }
    around
}

/// Objects in no file; of two with one name the later one counts.
fn catalog<'a>(objects: impl Iterator<Item = &'a Resource>) -> Catalog {
    let mut catalog = Catalog::new();
    for object in objects {
        let reference: ObjectRef = object.object_ref();
        catalog.delete(&reference);
        catalog.apply(Entry::new(object.clone(), Origin::default()));
    }
    catalog
}
