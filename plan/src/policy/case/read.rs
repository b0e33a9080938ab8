//! A MailPolicyTest document into tests. What is wrong is told by its way in the document.

use chrono::{DateTime, Utc};
use mailwright_crds::{API_VERSION, Kind, Resource, check_manifest};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{Case, Said, Suite, usual_now};
use crate::reference::Origin;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spec {
    #[serde(default)]
    policies: Vec<String>,
    now: Option<DateTime<Utc>>,
    #[serde(default)]
    given: Vec<Json>,
    cases: Vec<CaseSpec>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CaseSpec {
    name: String,
    object: Json,
    old_object: Option<Json>,
    expect: Expect,
    #[serde(default)]
    by: Vec<String>,
    message: Option<String>,
}

#[derive(Deserialize)]
enum Expect {
    Allowed,
    Warned,
    Denied,
}

/// Reads the whole document.
pub fn read(document: &Json, origin: Origin) -> Result<Suite, String> {
    let name = document.pointer("/metadata/name").and_then(Json::as_str).unwrap_or("unnamed").to_owned();
    let wrong = |why: String| format!("{origin}: MailPolicyTest {name}: {why}");
    let spec = document.get("spec").cloned().unwrap_or_default();
    let spec: Spec = serde_json::from_value(spec).map_err(|error| wrong(format!("spec: {error}")))?;
    let object = |at: String, value: &Json| resource(value).map_err(|why| wrong(format!("{at}: {why}")));
    let given = spec.given.iter().enumerate();
    let given: Result<Vec<Resource>, String> =
        given.map(|(index, value)| object(format!("spec.given[{index}]"), value)).collect();
    let given = given?;
    let mut cases = Vec::with_capacity(spec.cases.len());
    for (index, case) in spec.cases.into_iter().enumerate() {
        let at = format!("spec.cases[{index}]");
        let old = case.old_object.as_ref().map(|old| object(format!("{at}.oldObject"), old)).transpose()?;
        cases.push(Case {
            name: case.name,
            object: object(format!("{at}.object"), &case.object)?,
            old,
            expect: match case.expect {
                Expect::Allowed => Said::Allowed,
                Expect::Warned => Said::Warned,
                Expect::Denied => Said::Denied,
            },
            by: case.by,
            message: case.message,
        });
    }
    let (policies, now) = (spec.policies, spec.now.unwrap_or_else(usual_now));
    Ok(Suite { name, origin, policies, now, given, cases })
}

/// An object as in a manifest; `apiVersion` goes without saying.
fn resource(value: &Json) -> Result<Resource, String> {
    let mut value = value.clone();
    let kind = value.get("kind").and_then(Json::as_str).unwrap_or_default().to_owned();
    let planned = [Kind::MailServer, Kind::MailDomain, Kind::Mailbox, Kind::Alias];
    let kind = planned
        .into_iter()
        .find(|it| it.as_str() == kind)
        .ok_or("kind: write MailServer, MailDomain, Mailbox or Alias")?;
    if let Some(fields) = value.as_object_mut() {
        fields.entry("apiVersion").or_insert_with(|| json!(API_VERSION));
        let metadata = fields.entry("metadata").or_insert_with(|| json!({}));
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.entry("name").or_insert_with(|| json!("test"));
        }
    }
    check_manifest(kind, &value)
        .map_err(|wrong| wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}
