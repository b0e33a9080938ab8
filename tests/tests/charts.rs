//! What the charts say beside templates: alerts with their pages and Prometheus' own tests, a dashboard of metrics that exist,
//! schemas of values that are closed; and that the guide explains every reason. Leaves out what a cluster makes of the templates (`cluster_charts.rs`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_crds::Kind;
use mailwright_crds::condition::conditions_of;
use mailwright_tests::harness::{need, root, run};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

/// Metrics that belong to the programs around ours.
const FOREIGN: [&str; 2] = ["up", "process_resident_memory_bytes"];

/// Metrics of ours that neither a panel nor an alert shows, and why.
const UNSEEN: &[(&str, &str)] = &[
    ("mailwright_connections_total", "the open ones are shown"),
    ("mailwright_operator_synced", "a replica that is not synced is not ready, which Kubernetes shows"),
    ("mailwright_queue_delivery_seconds", "the age of the oldest says it earlier"),
    ("mailwright_queue_messages", "the operator's figure says which MailServer"),
    ("mailwright_queue_oldest_seconds", "the operator's figure says which MailServer"),
    ("mailwright_queue_reports_total", "follows from the attempts"),
    ("mailwright_store_jobs", "for mailwright-bench"),
];

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml(path: &str) -> Value {
    serde_yaml::from_str(&read(path)).unwrap()
}

/// Every alert.
fn alerts() -> Vec<Value> {
    let rules = yaml("charts/mailwright/files/rules.yaml");
    let groups = rules["groups"].as_array().unwrap().iter();
    groups.flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

fn name(alert: &Value) -> &str {
    alert["alert"].as_str().unwrap()
}

#[test]
fn prometheus_accepts_the_rules_and_each_fires_when_it_should() {
    if !need(&["promtool"]) {
        return;
    }
    let promtool = |arguments: &[&str]| run(Command::new("promtool").args(arguments).current_dir(root()));
    promtool(&["check", "rules", "--lint=all", "charts/mailwright/files/rules.yaml"]).ok().says("SUCCESS");
    promtool(&["test", "rules", "tests/charts/alerts.yaml"]).ok().says("SUCCESS");
}

#[test]
fn every_alert_is_tested_to_fire_and_to_be_silent() {
    let tests = yaml("tests/charts/alerts.yaml");
    let tests: BTreeSet<_> =
        tests["tests"].as_array().unwrap().iter().map(|test| test["name"].as_str().unwrap()).collect();
    let expected: Vec<String> = alerts()
        .iter()
        .flat_map(|alert| ["fires", "is silent"].map(|word| format!("{} {word}", name(alert))))
        .collect();
    assert_eq!(tests, expected.iter().map(String::as_str).collect());
}

#[test]
fn every_alert_has_a_page_and_every_page_an_alert() {
    let mut expected = BTreeSet::new();
    for alert in alerts() {
        let page = format!("docs/runbooks/{}.md", name(&alert));
        assert_eq!(alert["annotations"]["runbook_url"], page.as_str());
        assert!(["critical", "warning"].contains(&alert["labels"]["severity"].as_str().unwrap()), "{page}");
        let text = read(&page);
        let headings: Vec<_> = text.lines().filter(|line| line.starts_with('#')).collect();
        let title = format!("# {}", name(&alert));
        assert_eq!(
            headings,
            [&title, "## What it says", "## What people notice", "## Look", "## Do"],
            "{page}"
        );
        expected.insert(format!("{}.md", name(&alert)));
    }
    let pages = std::fs::read_dir(root().join("docs/runbooks")).unwrap();
    let pages: BTreeSet<_> = pages.map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(pages, expected);
}

/// Every metric that the sources name, histograms with the endings that Prometheus sees.
fn described() -> BTreeSet<String> {
    let mut files = vec![root().join("mail/server/src"), root().join("operator/src/kubernetes")];
    let mut found = BTreeSet::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(path).unwrap();
            let whole = |name: &String| !name.ends_with('_') && text.contains(&format!("\"{name}\""));
            found.extend(metrics_in(&text).filter(whole));
        }
    }
    found
}

/// Words that begin as our metrics do.
fn metrics_in(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("mailwright_")).map(str::to_owned).collect::<Vec<_>>().into_iter()
}

/// The metrics of one expression, without the endings of histograms.
fn used(expression: &str) -> Vec<String> {
    let labels = ["mailwright_dev_server"];
    let names = metrics_in(expression).filter(|name| !labels.contains(&name.as_str()));
    names.map(|name| name.strip_suffix("_bucket").map(str::to_owned).unwrap_or(name)).collect()
}

/// Every expression of the dashboard.
fn panels() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&read("charts/mailwright/files/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().clone();
    let targets = panels.into_iter().flat_map(|panel| {
        let title = panel["title"].as_str().unwrap().to_owned();
        panel["targets"]
            .as_array()
            .cloned()
            .unwrap_or_default()
            .into_iter()
            .map(move |target| (title.clone(), target["expr"].as_str().unwrap().to_owned()))
    });
    targets.collect()
}

#[test]
fn alerts_and_panels_use_metrics_that_exist_and_leave_out_those_that_are_listed() {
    let described = described();
    let alerts = alerts();
    let rules =
        alerts.iter().map(|alert| (name(alert).to_owned(), alert["expr"].as_str().unwrap().to_owned()));
    let mut seen = BTreeSet::new();
    for (place, expression) in rules.chain(panels()) {
        let names = used(&expression);
        let foreign = FOREIGN.iter().any(|name| expression.contains(name));
        assert!(foreign || !names.is_empty(), "{place} looks at nothing: {expression}");
        for name in names {
            assert!(described.contains(&name), "{place} uses {name}, which nothing writes");
            seen.insert(name);
        }
    }
    let unseen: BTreeSet<_> = described.difference(&seen).map(String::as_str).collect();
    assert_eq!(unseen, UNSEEN.iter().map(|(name, _)| *name).collect());
}

#[test]
fn prometheus_parses_every_panel() {
    if !need(&["promtool"]) {
        return;
    }
    // Grafana's variables, as Grafana would fill them in.
    let filled = |expression: &str| {
        expression.replace("$namespace", "mail|mailwright").replace("$__rate_interval", "5m")
    };
    let rules: Vec<Value> = panels()
        .iter()
        .enumerate()
        .map(|(number, (_, expression))| serde_json::json!({"record": format!("panel:{number}"), "expr": filled(expression)}))
        .collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    let groups = serde_json::json!({"groups": [{"name": "panels", "rules": rules}]});
    std::fs::write(file.path(), groups.to_string()).unwrap();
    run(Command::new("promtool").args(["check", "rules"]).arg(file.path())).ok().says("SUCCESS");
}

/// Every path to a leaf of the values, `image.repository`.
fn leaves(path: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value.as_object() {
        Some(object) if !object.is_empty() => {
            for (key, value) in object {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                leaves(&path, value, found);
            }
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

/// The schema of one value, references followed.
fn schema_of<'a>(schema: &'a Value, path: &str) -> Option<&'a Value> {
    let resolve = |mut at: &'a Value| {
        while let Some(reference) = at["$ref"].as_str() {
            at = schema.pointer(reference.strip_prefix('#')?)?;
        }
        Some(at)
    };
    path.split('.').try_fold(resolve(schema)?, |at, key| {
        let next = at["properties"]
            .get(key)
            .or_else(|| at.get("additionalProperties").filter(|it| it.is_object()))?;
        resolve(next)
    })
}

#[test]
fn every_value_has_a_schema_and_the_schemas_are_closed() {
    for chart in ["charts/mailwright", "charts/mailwright-crds"] {
        let schema: Value = serde_json::from_str(&read(&format!("{chart}/values.schema.json"))).unwrap();
        let mut found = BTreeSet::new();
        leaves("", &yaml(&format!("{chart}/values.yaml")), &mut found);
        assert!(!found.is_empty());
        for path in found {
            assert!(schema_of(&schema, &path).is_some(), "{chart}: {path} is in no schema");
        }
        assert_eq!(schema["additionalProperties"], false, "{chart}");
        closed(chart, &schema);
    }
}

/// An object with named properties takes no others.
fn closed(place: &str, schema: &Value) {
    match schema {
        Value::Object(object) => {
            if object.get("properties").is_some_and(Value::is_object) && object.contains_key("type") {
                assert_eq!(schema["additionalProperties"], false, "{place}");
            }
            object.iter().for_each(|(key, value)| closed(&format!("{place}/{key}"), value));
        }
        Value::Array(items) => items.iter().for_each(|item| closed(place, item)),
        _ => {}
    }
}

/// The reasons that a row of the guide explains, in its order, and those that ask for nothing.
fn explained() -> (Vec<String>, BTreeSet<String>) {
    let guide = read("docs/kubernetes.md");
    let part = guide.split("\n### By reason\n").nth(1).expect("the guide explains reasons");
    let rows =
        part.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split_once("` | ")?.0.to_owned()));
    let fine = part.split("These ask for nothing: ").nth(1).unwrap();
    let fine = fine.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    (rows.collect(), fine)
}

#[test]
fn the_guide_explains_every_reason_and_no_other() {
    let (rows, fine) = explained();
    let mut sorted = rows.clone();
    sorted.sort_by_key(|reason| reason.to_lowercase());
    assert_eq!(rows, sorted);
    let mut found: BTreeSet<_> = rows.iter().cloned().collect();
    assert_eq!(found.len(), rows.len(), "each once");
    assert!(found.is_disjoint(&fine), "{:?}", found.intersection(&fine).collect::<Vec<_>>());
    found.extend(fine);
    let reasons = Kind::ALL.into_iter().flat_map(conditions_of).flat_map(|info| info.reasons);
    let expected: BTreeSet<_> = reasons.map(ToString::to_string).collect();
    assert_eq!(found, expected);
}

/// A heading as GitHub makes an anchor of it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn links_between_the_pages_lead_somewhere() {
    let pages = std::fs::read_dir(root().join("docs/runbooks")).unwrap();
    let pages = pages.map(|page| format!("docs/runbooks/{}", page.unwrap().file_name().to_str().unwrap()));
    let more = ["docs/kubernetes.md", "examples/kubernetes/README.md", "charts/mailwright/README.md"];
    for page in pages.chain(more.map(str::to_owned)) {
        let text = read(&page);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (path, part) = link.split_once('#').unwrap_or((link, ""));
            let folder = root().join(&page);
            let target = if path.is_empty() { folder } else { folder.parent().unwrap().join(path) };
            assert!(target.exists(), "{page} links to {link}");
            let headings = || std::fs::read_to_string(&target).unwrap();
            let found = part.is_empty()
                || headings().lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == part);
            assert!(found, "{page} links to {link}");
        }
    }
}
