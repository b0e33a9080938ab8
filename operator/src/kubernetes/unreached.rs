//! Statuses while the account database cannot be used: the MailServer says why, and an object whose present generation
//! nobody has looked at says that it waits. Everything else keeps the status it has: it is served on. Pure.

use chrono::{DateTime, Utc};
use mailwright_crds::{Condition, ConditionStatus, ConditionType, MailServerStatus, Reason, condition};
use mailwright_plan::status::{AspectFacts, DatabaseProblem, Facts};
use serde::Deserialize as _;
use serde_json::{Value, json};

/// The status of a MailServer whose database has a problem.
pub fn server(kept: &Value, generation: Option<i64>, facts: &Facts, now: DateTime<Utc>) -> Value {
    let mut status = MailServerStatus::deserialize(kept).unwrap_or_default();
    let (reason, message) = match &facts.database_problem {
        Some(DatabaseProblem::Failed(why)) => (Reason::DatabaseFailed, why.clone()),
        Some(DatabaseProblem::Unreachable(why)) => (Reason::DatabaseUnreachable, why.clone()),
        Some(DatabaseProblem::Replaced(why)) => (Reason::DatabaseReplaced, why.clone()),
        Some(DatabaseProblem::StorageFull(why)) => (Reason::StorageFull, why.clone()),
        None => (Reason::DatabaseUnreachable, String::new()),
    };
    let stalled = reason == Reason::DatabaseReplaced;
    let mut set = |type_, status_: bool, reason, message: String| {
        let condition = Condition::new(type_, status_, reason, message, now).observed(generation);
        condition::set(&mut status.conditions, condition);
    };
    // A pod that is not there explains a database that does not answer.
    match &facts.workloads {
        Some(pod) if !pod.ready && reason == Reason::DatabaseUnreachable => {
            set(ConditionType::Ready, false, pod.reason, pod.message.clone());
        }
        _ => set(ConditionType::Ready, false, Reason::DependencyNotReady, message.clone()),
    }
    set(ConditionType::DatabaseReady, false, reason, message.clone());
    if stalled {
        set(ConditionType::Stalled, true, reason, message);
    } else {
        set(ConditionType::Reconciling, true, reason, message);
    }
    for (type_, aspect) in
        [(ConditionType::WorkloadsAvailable, &facts.workloads), (ConditionType::AddressReady, &facts.address)]
    {
        if let Some(AspectFacts { ready, reason, message }) = aspect {
            set(type_, *ready, *reason, message.clone());
        }
    }
    let gone = if stalled { ConditionType::Reconciling } else { ConditionType::Stalled };
    status.conditions.retain(|condition| condition.type_ != gone);
    status.observed_generation = generation.unwrap_or(1);
    if facts.address.is_some() {
        status.addresses = facts.addresses.clone();
    }
    if facts.database_id.is_some() {
        status.database_id = facts.database_id.clone();
    }
    json!(status)
}

/// The status of any other object whose present generation nobody has looked at; `None` when it keeps the one it has.
pub fn object(kept: &Value, generation: Option<i64>, server: &str, now: DateTime<Utc>) -> Option<Value> {
    let observed = kept.get("observedGeneration").and_then(Value::as_i64).unwrap_or(-1);
    let generation = generation?;
    if observed >= generation {
        return None;
    }
    let list = kept.get("conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut conditions: Vec<Condition> =
        list.into_iter().filter_map(|value| serde_json::from_value(value).ok()).collect();
    let message = format!("the account database of {server} does not answer; this is taken up when it does");
    for (type_, status) in
        [(ConditionType::Ready, ConditionStatus::False), (ConditionType::Reconciling, ConditionStatus::True)]
    {
        let condition = Condition::new(type_, status, Reason::DatabaseUnreachable, message.clone(), now);
        condition::set(&mut conditions, condition.observed(Some(generation)));
    }
    let mut status = if kept.is_object() { kept.clone() } else { json!({}) };
    status["observedGeneration"] = json!(generation);
    status["conditions"] = json!(conditions);
    Some(status)
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;

    fn at(second: u32) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 20, 12, 0, second).unwrap()
    }

    fn words(status: &Value) -> Vec<String> {
        let conditions = status["conditions"].as_array().unwrap();
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        conditions
            .iter()
            .map(|it| format!("{}={}/{}", word(&it["type"]), word(&it["status"]), word(&it["reason"])))
            .collect()
    }

    #[test]
    fn what_was_looked_at_keeps_its_status() {
        let kept = json!({"observedGeneration": 3, "conditions": []});
        for (generation, waits) in [(Some(3), false), (Some(4), true), (Some(2), false), (None, false)] {
            assert_eq!(object(&kept, generation, "a/mail", at(0)).is_some(), waits, "{generation:?}");
        }
        let first = object(&Value::Null, Some(1), "a/mail", at(0)).unwrap();
        assert_eq!(
            words(&first),
            ["Ready=False/DatabaseUnreachable", "Reconciling=True/DatabaseUnreachable"]
        );
        assert_eq!(first["observedGeneration"], 1);
        assert_eq!(object(&first, Some(1), "a/mail", at(5)), None, "once said, it is said");
    }

    #[test]
    fn a_server_says_what_is_wrong_and_does_not_tick() {
        let problem = |problem| Facts { database_problem: Some(problem), ..Facts::default() };
        for (problem, ready, other) in [
            (problem(DatabaseProblem::Unreachable("x".into())), "DatabaseUnreachable", "Reconciling=True"),
            (problem(DatabaseProblem::Replaced("x".into())), "DatabaseReplaced", "Stalled=True"),
            (problem(DatabaseProblem::Failed("x".into())), "DatabaseFailed", "Reconciling=True"),
            (problem(DatabaseProblem::StorageFull("x".into())), "StorageFull", "Reconciling=True"),
        ] {
            let kept = json!({"observedGeneration": 1, "databaseID": "d", "conditions": [], "endpoints": []});
            let first = server(&kept, Some(2), &problem, at(0));
            let expected = [
                "Ready=False/DependencyNotReady".to_owned(),
                format!("DatabaseReady=False/{ready}"),
                format!("{other}/{ready}"),
            ];
            assert_eq!(words(&first), expected);
            assert_eq!((&first["databaseID"], &first["observedGeneration"]), (&json!("d"), &json!(2)));
            assert_eq!(server(&first, Some(2), &problem, at(9)), first);
        }
    }
    #[test]
    fn a_pod_that_is_not_there_explains_a_database_that_does_not_answer() {
        let pod = AspectFacts { ready: false, reason: Reason::VolumeNotBound, message: "make it".into() };
        for (problem, ready) in [
            (DatabaseProblem::Unreachable("x".into()), "Ready=False/VolumeNotBound"),
            (DatabaseProblem::Replaced("x".into()), "Ready=False/DependencyNotReady"),
        ] {
            let facts =
                Facts { database_problem: Some(problem), workloads: Some(pod.clone()), ..Facts::default() };
            let status = server(&Value::Null, Some(1), &facts, at(0));
            assert_eq!(words(&status)[0], ready);
        }
    }
}
