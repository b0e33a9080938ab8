//! The golden list of metrics: a name or label that changes breaks dashboards and alerts, so it changes here too. And
//! Prometheus' own judgement of a whole page.

use std::io::Write as _;
use std::process::{Command, Stdio};

use chrono::Utc;

use super::*;

/// Every metric with its type and labels.
const GOLDEN: &str = "\
mailwright_build_info gauge {component,version}
mailwright_mailserver_certificate_expiry_timestamp_seconds gauge {mailserver}
mailwright_mailserver_queue_messages gauge {mailserver}
mailwright_mailserver_queue_oldest_timestamp_seconds gauge {mailserver}
mailwright_mailserver_reachable gauge {mailserver}
mailwright_operator_api_request_duration_seconds histogram {le,verb}
mailwright_operator_api_requests_total counter {code,resource,verb}
mailwright_operator_database_request_duration_seconds histogram {le,request}
mailwright_operator_database_requests_total counter {request,result}
mailwright_operator_definition_current gauge {resource}
mailwright_operator_dns_records gauge {requirement,state}
mailwright_operator_leader gauge {}
mailwright_operator_leader_term gauge {}
mailwright_operator_lease_failures_total counter {}
mailwright_operator_mailservers_waiting gauge {}
mailwright_operator_object_conditions gauge {condition,kind,status}
mailwright_operator_objects gauge {kind}
mailwright_operator_operations_total counter {action,result}
mailwright_operator_reconcile_duration_seconds histogram {le}
mailwright_operator_reconciles_total counter {result}
mailwright_operator_synced gauge {}
mailwright_operator_watch_restarts_total counter {resource}
process_cpu_seconds_total counter {}
process_open_fds gauge {}
process_resident_memory_bytes gauge {}
";

/// A page on which everything has happened once.
fn page() -> String {
    install();
    let took = Duration::from_millis(3);
    for result in [PassResult::Changed, PassResult::Unchanged, PassResult::Held, PassResult::Failed] {
        reconciled(result, took);
    }
    operations("create", true, 2);
    operations("disable", false, 1);
    api_request("get", "leases".to_owned(), Some(200), took);
    api_request("watch", "mailboxes".to_owned(), None, took);
    database_request("observe", "ok", took);
    watch_restarted("mailboxes");
    lease_failed();
    leader(&LeaderState { term: 7, is_leader: true, ..LeaderState::default() });
    synced(true);
    let now = Some(Utc::now());
    server(
        "mail/example",
        ServerFigures { reachable: true, queued: Some(1), oldest_queued: now, certificate_ends: now },
    );
    definition_current("mailboxes", false);
    upkeep();
    render()
}

/// The name, type and labels of each metric of a page.
fn shape(page: &str) -> String {
    let mut shape = std::collections::BTreeMap::new();
    for line in page.lines() {
        if let Some(head) = line.strip_prefix("# TYPE ") {
            let (name, type_) = head.split_once(' ').unwrap();
            let previous = shape.insert(name, (type_, std::collections::BTreeSet::new()));
            assert!(previous.is_none(), "{name} is described twice");
        }
    }
    for line in page.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let family =
            ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
        let (_, known) = shape.get_mut(family).unwrap_or_else(|| panic!("{family} has no type"));
        let labels = labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty());
        known.extend(labels.map(|label| label.split('=').next().unwrap().to_owned()));
    }
    let line = |(name, (type_, labels)): (&str, (&str, std::collections::BTreeSet<String>))| {
        format!("{name} {type_} {{{}}}\n", labels.into_iter().collect::<Vec<_>>().join(","))
    };
    shape.into_iter().map(line).collect()
}

#[test]
fn names_types_and_labels_are_as_listed() {
    assert_eq!(shape(&page()), GOLDEN);
}

#[test]
fn watches_are_counted_and_not_timed() {
    let page = page();
    assert!(page.contains("verb=\"watch\",resource=\"mailboxes\",code=\"error\""), "{page}");
    assert!(!page.contains("_duration_seconds_count{verb=\"watch\""), "{page}");
}

#[test]
fn a_server_that_is_gone_leaves_nothing_behind() {
    page();
    server("mail/gone", ServerFigures::default());
    assert!(render().contains("mail/gone"));
    forget_server("mail/gone");
    assert!(!render().contains("mail/gone"));
}

#[test]
fn who_waits_is_counted_once_and_not_after_it_is_gone() {
    let value = || {
        let page = render();
        let line =
            page.lines().find(|line| line.starts_with("mailwright_operator_mailservers_waiting ")).unwrap();
        line.rsplit(' ').next().unwrap().to_owned()
    };
    let (one, other) = (Waiting::default(), Waiting::default());
    one.begins();
    one.begins();
    other.begins();
    assert_eq!(value(), "2");
    one.over();
    one.over();
    drop(other);
    assert_eq!(value(), "0");
}

#[test]
fn prometheus_finds_no_fault() {
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        assert!(std::env::var_os("CI").is_none(), "promtool is missing (Debian: prometheus)");
        eprintln!("skipped: promtool is not installed (Debian: prometheus)");
        return;
    };
    promtool.stdin.take().unwrap().write_all(page().as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}
