//! The comparison itself: does an installed definition know everything that this binary's types have? Fields, words of
//! enumerations, rules and the status subresource; more than ours is fine, since one release upgrades definitions before
//! operators.

use std::collections::BTreeSet;

use mailwright_crds::Kind;
use mailwright_crds::kind::{GROUP, PACKAGE_VERSION, VERSION, VERSION_ANNOTATION};
use serde_json::Value;

/// As many missing things are named; the rest is counted.
const NAMED: usize = 4;

/// What an installed definition is to this binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As new, or newer.
    Current,
    /// Not installed.
    Missing,
    /// Older: it lacks these.
    Outdated {
        /// The version it says it is of.
        installed: Option<String>,
        /// Paths into the schema.
        lacks: Vec<String>,
    },
    /// It could not be read, for this reason.
    Unknown(String),
}

impl Verdict {
    /// Whether reconciling may rely on it. What could not be read counts as it was: the API server is asked again.
    pub fn is_current(&self) -> bool {
        matches!(self, Verdict::Current | Verdict::Unknown(_))
    }

    /// What is wrong with the definition of a kind.
    pub fn explain(&self, kind: Kind) -> Option<String> {
        let name = format!("{}.{GROUP}", kind.plural());
        match self {
            Verdict::Current | Verdict::Unknown(_) => None,
            Verdict::Missing => Some(format!("{name} is not installed")),
            Verdict::Outdated { installed, lacks } => {
                let version =
                    installed.as_ref().map_or(String::new(), |version| format!(" (of version {version})"));
                let named = lacks.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
                let more = match lacks.len().saturating_sub(NAMED) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                Some(format!("{name}{version} lacks {named}{more}"))
            }
        }
    }
}

/// Judges the definition `installed` by `ours`.
pub fn judge(installed: &Value, ours: &Value) -> Verdict {
    let says = installed["metadata"]["annotations"][VERSION_ANNOTATION].as_str().map(str::to_owned);
    let mut lacks = Vec::new();
    match (version(installed), version(ours)) {
        (Some(theirs), Some(ours)) => {
            if theirs["served"] != Value::Bool(true) {
                lacks.push(format!("serving {VERSION}"));
            }
            if theirs["subresources"]["status"].is_null() && !ours["subresources"]["status"].is_null() {
                lacks.push("the status subresource".to_owned());
            }
            // A newer release may have dropped what was deprecated.
            if !says.as_deref().is_some_and(is_newer) {
                let schema = |version: &Value| version["schema"]["openAPIV3Schema"].clone();
                missing(&schema(theirs), &schema(ours), "", &mut lacks);
            }
        }
        _ => lacks.push(format!("version {VERSION}")),
    }
    if lacks.is_empty() { Verdict::Current } else { Verdict::Outdated { installed: says, lacks } }
}

fn version(definition: &Value) -> Option<&Value> {
    definition["spec"]["versions"].as_array()?.iter().find(|version| version["name"] == VERSION)
}

/// Whether a version is later than this binary's, by the numbers of semantic versions.
fn is_newer(version: &str) -> bool {
    numbers(version) > numbers(PACKAGE_VERSION)
}

fn numbers(version: &str) -> Vec<u64> {
    let release = version.split(['-', '+']).next().unwrap_or_default();
    release.split('.').map_while(|number| number.parse().ok()).collect()
}

/// Collects what of `ours` is not in `theirs`.
fn missing(theirs: &Value, ours: &Value, path: &str, lacks: &mut Vec<String>) {
    for (name, ours) in ours["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match theirs["properties"].get(name) {
            Some(theirs) => missing(theirs, ours, &path, lacks),
            None => lacks.push(path),
        }
    }
    for (inner, mark) in [("items", "[]"), ("additionalProperties", ".*")] {
        if ours[inner].is_object() {
            missing(&theirs[inner], &ours[inner], &format!("{path}{mark}"), lacks);
        }
    }
    let words = |schema: &Value| -> BTreeSet<String> {
        schema["enum"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|word| word.as_str().unwrap_or_default().to_owned())
            .collect()
    };
    // Without an enumeration everything is allowed.
    if !theirs["enum"].is_null() {
        lacks.extend(words(ours).difference(&words(theirs)).map(|word| format!("{path}={word}")));
    }
    let rules = |schema: &Value| -> BTreeSet<String> {
        let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
        rules.map(|rule| rule["rule"].as_str().unwrap_or_default().to_owned()).collect()
    };
    if !rules(ours).is_subset(&rules(theirs)) {
        let place = if path.is_empty() { "the object" } else { path };
        lacks.push(format!("a rule on {place}"));
    }
}

#[cfg(test)]
mod tests {
    use mailwright_crds::schema;
    use serde_json::json;

    use super::*;

    fn schema_at<'a>(definition: &'a mut Value, pointer: &str) -> &'a mut Value {
        definition.pointer_mut(&format!("/spec/versions/0/schema/openAPIV3Schema{pointer}")).unwrap()
    }

    /// Judges our own definition of Mailbox after somebody has changed it.
    fn check(change: impl FnOnce(&mut Value), lacks: &[&str]) {
        let mut installed = schema::crd(Kind::Mailbox).clone();
        change(&mut installed);
        let found = match judge(&installed, schema::crd(Kind::Mailbox)) {
            Verdict::Current => Vec::new(),
            Verdict::Outdated { lacks, .. } => lacks,
            other => panic!("{other:?}"),
        };
        assert_eq!(found, lacks);
    }

    #[test]
    fn every_definition_covers_itself() {
        for kind in Kind::ALL {
            assert_eq!(judge(schema::crd(kind), schema::crd(kind)), Verdict::Current, "{kind}");
        }
    }

    #[test]
    fn what_an_older_definition_lacks_is_named() {
        let remove = |pointer: &'static str, name: &'static str| {
            move |installed: &mut Value| {
                schema_at(installed, pointer).as_object_mut().unwrap().remove(name).unwrap();
            }
        };
        check(remove("/properties/spec/properties", "quota"), &["spec.quota"]);
        check(
            remove("/properties/spec/properties/forward/properties", "keepCopy"),
            &["spec.forward.keepCopy"],
        );
        check(
            remove("/properties/status/properties/conditions/items/properties", "reason"),
            &["status.conditions[].reason"],
        );
        check(
            |installed| {
                *schema_at(installed, "/properties/spec/properties/deletionPolicy/enum") = json!(["Retain"])
            },
            &["spec.deletionPolicy=Delete", "spec.deletionPolicy=Disable"],
        );
        check(
            |installed| {
                installed["spec"]["versions"][0].as_object_mut().unwrap().remove("subresources");
            },
            &["the status subresource"],
        );
        check(|installed| installed["spec"]["versions"][0]["served"] = json!(false), &["serving v1alpha1"]);
        check(|installed| installed["spec"]["versions"][0]["name"] = json!("v1"), &["version v1alpha1"]);
        check(|installed| *installed = json!({}), &["version v1alpha1"]);
    }

    #[test]
    fn an_older_rule_is_a_missing_one() {
        let mut installed = schema::crd(Kind::Mailbox).clone();
        let spec = schema_at(&mut installed, "/properties/spec");
        assert!(spec["x-kubernetes-validations"].is_array(), "the example has rules");
        spec["x-kubernetes-validations"][0]["rule"] = json!("true");
        let Verdict::Outdated { lacks, .. } = judge(&installed, schema::crd(Kind::Mailbox)) else { panic!() };
        assert_eq!(lacks, ["a rule on spec"]);
    }

    #[test]
    fn more_than_ours_is_fine() {
        check(
            |installed| {
                let spec = schema_at(installed, "/properties/spec/properties");
                spec["later"] = json!({"type": "string"});
                let spec = schema_at(installed, "/properties/spec");
                let rules = spec["x-kubernetes-validations"].as_array_mut().unwrap();
                rules.push(json!({"rule": "self.later != ''"}));
            },
            &[],
        );
    }

    #[test]
    fn a_newer_release_may_drop_things() {
        let drop_quota = |version: &'static str| {
            move |installed: &mut Value| {
                installed["metadata"]["annotations"][VERSION_ANNOTATION] = json!(version);
                schema_at(installed, "/properties/spec/properties").as_object_mut().unwrap().remove("quota");
            }
        };
        check(drop_quota("99.0.0"), &[]);
        check(drop_quota(PACKAGE_VERSION), &["spec.quota"]);
        check(drop_quota("0.0.9"), &["spec.quota"]);
        check(drop_quota("nonsense"), &["spec.quota"]);
    }

    #[test]
    fn versions_compare_by_number() {
        for (version, newer) in [
            ("0.0.9", false),
            (PACKAGE_VERSION, false),
            ("0.10.0", true),
            ("100", true),
            ("", false),
            ("v1", false),
        ] {
            assert_eq!(is_newer(version), newer, "{version}");
        }
    }

    #[test]
    fn a_long_list_is_cut() {
        let lacks = (0..6).map(|n| format!("spec.f{n}")).collect();
        let verdict = Verdict::Outdated { installed: Some("0.0.1".to_owned()), lacks };
        assert_eq!(
            verdict.explain(Kind::Alias).unwrap(),
            "aliases.mailwright.dev (of version 0.0.1) lacks spec.f0, spec.f1, spec.f2, spec.f3 and 2 more"
        );
    }
}
