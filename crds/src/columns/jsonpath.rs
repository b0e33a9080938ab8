//! The part of kubectl's JSONPath that printer columns may use (the API server accepts "simple" paths only): fields, quoted
//! fields, indices, `[*]`, and a filter that compares one field with a text or a number.

use serde_json::Value;

/// A parsed path.
#[derive(Debug, Clone, PartialEq)]
pub struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(String),
    Index(i64),
    All,
    Where { path: Path, equal: bool, to: Value },
}

/// Why a text is not a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not begin with a dot or a bracket.
    #[error("a path begins with . or [, like .metadata.name")]
    Start,
    /// A bracket is not closed.
    #[error("a [ is not closed with ]")]
    Open,
    /// What is in the brackets is not supported.
    #[error("{0:?} is not supported in brackets: write a number, *, 'name' or ?(@.field==\"text\")")]
    Bracket(String),
    /// There is a dot without a name.
    #[error("a name is missing after a dot")]
    Name,
}

/// Reads a path like `.status.conditions[?(@.type=="Ready")].status`.
pub fn parse(text: &str) -> Result<Path, PathError> {
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let end = closing(inside).ok_or(PathError::Open)?;
            steps.push(bracket(inside[..end].trim())?);
            rest = &inside[end + 1..];
        } else if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let name = &after[..end];
            // A lone dot is the whole value; a dot before a bracket is allowed, as kubectl allows it.
            match name.is_empty() {
                true if after.is_empty() && steps.is_empty() => {}
                true if after.starts_with('[') => {}
                true => return Err(PathError::Name),
                false => steps.push(Step::Field(name.to_owned())),
            }
            rest = &after[end..];
        } else {
            return Err(PathError::Start);
        }
    }
    Ok(Path(steps))
}

/// Where the bracket closes, outside of quotes.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, ']') => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    None
}

fn bracket(text: &str) -> Result<Step, PathError> {
    let unsupported = || PathError::Bracket(text.to_owned());
    if text == "*" {
        return Ok(Step::All);
    }
    if let Some(Value::String(name)) = literal(text) {
        return Ok(Step::Field(name));
    }
    if let Ok(index) = text.parse() {
        return Ok(Step::Index(index));
    }
    let filter = text.strip_prefix("?(").and_then(|rest| rest.strip_suffix(')')).ok_or_else(unsupported)?;
    let (left, equal, right) = match (filter.split_once("!="), filter.split_once("==")) {
        (_, Some((left, right))) => (left, true, right),
        (Some((left, right)), None) => (left, false, right),
        (None, None) => return Err(unsupported()),
    };
    let path = parse(left.trim().strip_prefix('@').ok_or_else(unsupported)?)?;
    let to = literal(right.trim()).ok_or_else(unsupported)?;
    Ok(Step::Where { path, equal, to })
}

/// A text in either kind of quotes, a whole number, or a boolean.
fn literal(text: &str) -> Option<Value> {
    for quote in ['"', '\''] {
        if let Some(inside) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return (!inside.contains(quote)).then(|| Value::from(inside));
        }
    }
    match text {
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        _ if text.starts_with('?') || text == "*" => None,
        _ => text.parse::<i64>().ok().map(Value::from).filter(|_| !text.is_empty()),
    }
}

impl Path {
    /// The values it leads to.
    pub fn find<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        self.0
            .iter()
            .fold(vec![value], |values, step| values.into_iter().flat_map(|value| step.find(value)).collect())
    }
}

impl Step {
    fn find<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        match self {
            Step::Field(name) => value.get(name).into_iter().collect(),
            Step::Index(index) => at(value, *index).into_iter().collect(),
            Step::All => elements(value).collect(),
            Step::Where { path, equal, to } => {
                elements(value).filter(|element| path.find(element).contains(&to) == *equal).collect()
            }
        }
    }
}

/// The element of a list; negative numbers count from the end.
fn at(value: &Value, index: i64) -> Option<&Value> {
    let items = value.as_array()?;
    let index = if index < 0 { index.checked_add(i64::try_from(items.len()).ok()?)? } else { index };
    items.get(usize::try_from(index).ok()?)
}

fn elements(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(object) => Box::new(object.values()),
        _ => Box::new(std::iter::empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(path: &str, expected: Value) {
        let object = json!({
            "metadata": {"name": "alice", "annotations": {"mailwright.dev/reconcile": "disabled"}},
            "spec": {"targets": ["a", "b", "c"], "quota": null},
            "status": {"conditions": [
                {"type": "Ready", "status": "True", "observedGeneration": 3},
                {"type": "Accepted", "status": "False", "observedGeneration": 2},
            ]},
        });
        let found: Vec<Value> = parse(path).unwrap().find(&object).into_iter().cloned().collect();
        assert_eq!(Value::Array(found), expected, "{path}");
    }

    #[test]
    fn finds_what_printer_columns_ask_for() {
        check(".metadata.name", json!(["alice"]));
        check(".metadata.missing", json!([]));
        check(".metadata.name.deeper", json!([]));
        check("['metadata']['name']", json!(["alice"]));
        check(".metadata.annotations['mailwright.dev/reconcile']", json!(["disabled"]));
        check(".metadata.annotations[\"mailwright.dev/reconcile\"]", json!(["disabled"]));
        check(".spec.quota", json!([null]));
        check(".spec.targets", json!([["a", "b", "c"]]));
        check(".spec.targets[0]", json!(["a"]));
        check(".spec.targets[-1]", json!(["c"]));
        check(".spec.targets[3]", json!([]));
        check(".spec.targets[-4]", json!([]));
        check(".spec.targets[*]", json!(["a", "b", "c"]));
        check(".status.conditions[*].type", json!(["Ready", "Accepted"]));
        check(".status.conditions[?(@.type==\"Ready\")].status", json!(["True"]));
        check(".status.conditions[?(@.type=='Accepted')].status", json!(["False"]));
        check(".status.conditions[?(@.type == \"Gone\")].status", json!([]));
        check(".status.conditions[?(@.type!=\"Ready\")].type", json!(["Accepted"]));
        check(".status.conditions[?(@.observedGeneration==3)].type", json!(["Ready"]));
        check(".status.conditions.[0].type", json!(["Ready"]));
        check(".status[*].type", json!([]));
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        for (path, expected) in [
            ("metadata.name", PathError::Start),
            ("{.metadata.name}", PathError::Start),
            (".metadata..name", PathError::Name),
            (".metadata.", PathError::Name),
            (".a[0", PathError::Open),
            (".a['b]", PathError::Open),
            (".a[]", PathError::Bracket(String::new())),
            (".a[1:2]", PathError::Bracket("1:2".to_owned())),
            (".a[?(@.b)]", PathError::Bracket("?(@.b)".to_owned())),
            (".a[?(b==1)]", PathError::Bracket("?(b==1)".to_owned())),
            (".a[?(@.b==c)]", PathError::Bracket("?(@.b==c)".to_owned())),
        ] {
            assert_eq!(parse(path), Err(expected), "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in ".{0,40}", tail in "[\\[\\]?(@.a=\"'0-9*)!-]{0,20}") {
            for path in [parse(&text), parse(&tail), parse(&format!(".a{tail}"))].into_iter().flatten() {
                assert!(path.find(&json!({"a": [{"a": 1}]})).len() <= 4);
            }
        }
    }
}
