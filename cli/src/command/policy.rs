//! `mailwright policy`: tests of policies as documents, and one expression tried on a file. Judging is the planner's; here files are
//! read and results are shown.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use mailwright_crds::{API_VERSION, Kind, Policy, PolicyKind, Resource, check_manifest};
use mailwright_operator::source::{Content, Options, Severity, Snapshot, Source};
use mailwright_plan::Origin;
use mailwright_plan::policy::case::{self, Report, Said, Suite};
use mailwright_plan::policy::{self, Declared, Place};
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::args::PlanFormat;
use crate::args::policy::{PolicyCommand, PolicyEval, PolicyTest};
use crate::terminal;

/// The largest file for `eval`: some thousands of objects.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Runs a subcommand.
pub fn run(command: PolicyCommand) -> Result<ExitCode> {
    match command {
        PolicyCommand::Test(options) => test(&options),
        PolicyCommand::Eval(options) => eval(&options),
    }
}

fn test(options: &PolicyTest) -> Result<ExitCode> {
    let snapshot = Source::open(&options.directory, Options::default())?.load()?.unwrap_or_default();
    let wrong = snapshot.problems.iter().filter(|problem| problem.severity == Severity::Error);
    let mut wrong: Vec<String> = wrong.map(ToString::to_string).collect();
    let policies = policies(&snapshot);
    for it in &policies {
        if let Err(why) = policy::compiles(&it.policy) {
            let at = it.place.origin.as_ref().map(|origin| format!("{origin}: ")).unwrap_or_default();
            wrong.push(format!("{at}policy {}: {}: {}", it.policy.name, why.field, why.message));
        }
    }
    let mut reports = Vec::new();
    for suite in suites(&snapshot) {
        match suite {
            Ok(suite) => {
                let known =
                    |name: &&String| !policies.iter().any(|it| it.policy.name.as_str() == name.as_str());
                let unknown = suite.policies.iter().find(known);
                wrong.extend(unknown.map(|name| format!("{}: there is no policy {name}", suite.origin)));
                reports.extend(case::run(&suite, &policies));
            }
            Err(why) => wrong.push(why),
        }
    }
    let failed = reports.iter().filter(|report| !report.passed).count();
    match options.output {
        PlanFormat::Json => {
            let all = json!({"passed": failed == 0 && wrong.is_empty(), "errors": wrong, "cases": reports});
            terminal::print(&format!("{}\n", serde_json::to_string_pretty(&all)?));
        }
        PlanFormat::Text => {
            terminal::print(&format!("{}\n", table(&reports)));
            wrong.iter().for_each(|why| eprintln!("{why}"));
            let passed = reports.len() - failed;
            let counts = format!("{} policies, {passed} cases passed, {failed} failed\n", policies.len());
            terminal::print(&counts);
        }
    }
    if reports.is_empty() && wrong.is_empty() {
        bail!("{} has no tests; write a document of kind MailPolicyTest", options.directory);
    }
    Ok(if failed == 0 && wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every policy of a directory: documents, and those of servers and repositories, which count as if they were documents.
fn policies(snapshot: &Snapshot) -> Vec<Declared> {
    let mut found = Vec::new();
    for object in &snapshot.objects {
        let place = |field: String| {
            let line = object.lines.get(&format!("{field}.expression"));
            let origin = Origin::new(object.origin.file.clone(), line.unwrap_or(object.origin.line));
            Place { object: None, origin: Some(origin), field }
        };
        let listed = |policies: &[Policy]| {
            let each = policies.iter().enumerate();
            each.map(|(index, policy)| Declared {
                policy: policy.clone(),
                place: place(format!("spec.policies[{index}]")),
            })
            .collect::<Vec<_>>()
        };
        match &object.content {
            Content::Policy(policy) => {
                found.push(Declared { policy: Policy::clone(policy), place: place("spec".to_owned()) });
            }
            Content::Resource(resource) => {
                if let Resource::MailServer(server) = resource.as_ref() {
                    found.extend(listed(&server.spec.policies));
                }
            }
            _ => {}
        }
    }
    found
}

fn suites(snapshot: &Snapshot) -> impl Iterator<Item = Result<Suite, String>> + '_ {
    snapshot.objects.iter().filter_map(|object| match &object.content {
        Content::PolicyTest(document) => Some(case::read(document, object.origin.clone())),
        _ => None,
    })
}

fn table(reports: &[Report]) -> String {
    let row = |report: &Report| {
        let result = if report.passed { "ok" } else { "FAILED" };
        let why = report.why.clone().unwrap_or_default();
        vec![report.suite.clone(), report.case.clone(), report.found.to_string(), result.to_owned(), why]
    };
    terminal::boxed_table(&["TEST", "CASE", "SAID", "RESULT", "WHY"], reports.iter().map(row).collect())
}

fn eval(options: &PolicyEval) -> Result<ExitCode> {
    let size = std::fs::metadata(&options.file).with_context(|| options.file.display().to_string())?.len();
    if size > MAX_FILE {
        bail!("{} has {size} bytes; {MAX_FILE} are read at most", options.file.display());
    }
    let text = std::fs::read_to_string(&options.file).with_context(|| options.file.display().to_string())?;
    let objects = objects(&text)?;
    let judged: Vec<(&Resource, PolicyKind)> =
        objects.iter().filter_map(|it| Some((it, kind(it)?))).collect();
    if judged.is_empty() {
        bail!("{} has no Mailbox, Alias or MailDomain to judge", options.file.display());
    }
    let now = chrono::Utc::now();
    let mut results = Vec::new();
    for (object, kind) in judged {
        let policy = json!({"name": "expression", "kinds": [kind], "expression": options.expression, "message": "false"});
        let policy: Policy = serde_json::from_value(policy).context("the expression")?;
        if let Err(why) = policy::compiles(&policy) {
            bail!("the expression is wrong {}", why.message);
        }
        let declared = Declared { policy, place: Place::default() };
        let (said, problems) = case::judge(object, None, &objects, &[declared], now);
        let why = problems.first().map(|problem| problem.message.clone());
        let failed = why.clone().filter(|why| !why.starts_with("false"));
        results.push((object.object_ref().to_string(), said == Said::Allowed, failed));
    }
    let all = results.iter().all(|(_, holds, _)| *holds);
    match options.output {
        PlanFormat::Json => {
            let rows = results
                .iter()
                .map(|(object, holds, error)| json!({"object": object, "holds": holds, "error": error}));
            terminal::print(&format!("{}\n", serde_json::to_string_pretty(&rows.collect::<Vec<_>>())?));
        }
        PlanFormat::Text => {
            for (object, holds, error) in &results {
                let said = error.clone().unwrap_or_else(|| holds.to_string());
                terminal::print(&format!("{object}: {said}\n"));
            }
        }
    }
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn kind(resource: &Resource) -> Option<PolicyKind> {
    PolicyKind::ALL.iter().copied().find(|it| it.kind() == resource.kind())
}

/// The objects of a file that a plan is made of; all else is passed over.
fn objects(text: &str) -> Result<Vec<Resource>> {
    let mut found = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        let value = Value::deserialize(document)?;
        let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
        let ours = value.get("apiVersion").and_then(Value::as_str) == Some(API_VERSION);
        let kinds = [Kind::MailServer, Kind::MailDomain, Kind::Mailbox, Kind::Alias];
        let Some(kind) = kinds.into_iter().find(|it| ours && it.as_str() == kind) else { continue };
        match check_manifest(kind, &value) {
            Ok(resource) => found.push(resource),
            Err(wrong) => bail!("{}", wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
        }
    }
    Ok(found)
}
