//! The reference page of a kind, in Markdown.

use serde_json::Value;

use super::example;
use super::fields::{Field, fields, rules};
use crate::condition::conditions_of;
use crate::kind::{API_VERSION, Kind};
use crate::schema::{SCALARS, schema};

/// The whole page.
pub(super) fn page(kind: Kind) -> String {
    let schema = schema(kind);
    let mut page = String::from("<!-- Generated from crds/src by `cargo xtask generate`. Do not edit. -->\n");
    page += &head(kind, schema);
    page += &format!("## Example\n\n```yaml\n{}```\n\n", example(kind));
    let spec = fields(&schema["properties"]["spec"]);
    page += &format!("## spec\n\n{}\n", table(&spec));
    page += &rule_list(&schema["properties"]["spec"]);
    let status = fields(&schema["properties"]["status"]);
    page += &format!("## status\n\nWritten by Mailwright.\n\n{}\n", table(&status));
    page += &conditions(kind);
    page += &types(&spec);
    page
}

fn head(kind: Kind, schema: &Value) -> String {
    let description = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    format!(
        "# {kind}\n\n{description}\n\n`apiVersion: {API_VERSION}`, `kind: {kind}`; namespaced. Names for `mailwright get` and \
         `kubectl get`: `{}`, `{}`, `{}`, and together with the other kinds `mail`.\n\n",
        kind.plural(),
        kind.singular(),
        kind.short_name(),
    )
}

fn table(fields: &[Field]) -> String {
    let mut text = String::from("| field | type | default | meaning |\n|---|---|---|---|\n");
    for field in fields {
        let cells =
            [format!("`{}`", field.path), field.type_.clone(), field.default.clone(), field.meaning.clone()];
        let cells = cells.map(|cell| cell.replace('|', "\\|").replace('\n', " "));
        text += &format!("| {} |\n", cells.join(" | ").trim_end());
    }
    text
}

fn rule_list(schema: &Value) -> String {
    let rules = rules(schema);
    let mut text = String::from("### Rules\n\n");
    for rule in rules {
        let place = if rule.path.is_empty() { "spec".to_owned() } else { format!("spec.{}", rule.path) };
        let when = if rule.transition { " (when it is changed)" } else { "" };
        text += &format!("- `{place}`{when}: {}.\n", rule.message);
    }
    text + "\n"
}

fn conditions(kind: Kind) -> String {
    let mut text = String::from("### Conditions\n\n| type | meaning | reasons |\n|---|---|---|\n");
    for info in conditions_of(kind) {
        let reasons: Vec<String> = info.reasons.iter().map(|reason| format!("`{reason}`")).collect();
        text += &format!("| `{}` | {} | {} |\n", info.type_, info.type_.meaning(), reasons.join(", "));
    }
    text += "\n| reason | meaning |\n|---|---|\n";
    let mut reasons: Vec<_> = conditions_of(kind).iter().flat_map(|info| info.reasons).collect();
    reasons.sort_by_key(|reason| reason.as_str());
    reasons.dedup();
    for reason in reasons {
        text += &format!("| `{reason}` | {} |\n", reason.meaning());
    }
    text + "\n"
}

/// What the scalar types that occur in the spec look like.
fn types(fields: &[Field]) -> String {
    let used = SCALARS.iter().filter(|scalar| {
        fields.iter().any(|field| {
            let inner = field.type_.trim_start_matches("list of: ").trim_start_matches("mapping of: ");
            inner.split(',').next() == Some(scalar.name)
        })
    });
    let mut text = String::from("## Types\n\n| type | looks like | at most |\n|---|---|---|\n");
    for scalar in used {
        let rules: Vec<&str> = scalar.rules.iter().map(|(_, message)| *message).collect();
        let beside = if rules.is_empty() { String::new() } else { format!("; {}", rules.join("; ")) };
        text +=
            &format!("| {} | {}{beside} | {} characters |\n", scalar.name, scalar.looks, scalar.max_length);
    }
    text
}
