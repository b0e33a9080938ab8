//! A plan as text: grouped by what could be lost, then what is held back and how to let it through, then problems.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::{counts, name};
use crate::digest::short;
use crate::operation::{Action, FieldChange, Guard, Operation, Plan, Risk};
use crate::problem::Problem;

const GROUPS: [(Risk, &str); 3] = [
    (Risk::Access, "Removes access"),
    (Risk::Data, "Changes data"),
    (Risk::None, "Adds or changes without risk"),
];

/// Writes lines, in colour when asked.
struct Pen {
    out: String,
    colour: bool,
}

#[derive(Clone, Copy)]
enum Ink {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
}

impl Pen {
    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn inked(&self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Bold => "1",
            Ink::Dim => "2",
            Ink::Red => "31",
            Ink::Green => "32",
            Ink::Yellow => "33",
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn heading(&mut self, text: &str) {
        let heading = self.inked(Ink::Bold, text);
        self.line("");
        self.line(&heading);
    }
}

/// The whole plan, ending in one line with the digest.
pub fn text(plan: &Plan, colour: bool) -> String {
    let mut pen = Pen { out: String::new(), colour };
    pen.line(&pen.inked(Ink::Bold, &header(plan)));
    for (risk, title) in GROUPS {
        let group: Vec<&Operation> = plan.applicable().filter(|operation| operation.risk == risk).collect();
        if !group.is_empty() {
            pen.heading(title);
            group.into_iter().for_each(|operation| write_operation(&mut pen, operation, "  "));
        }
    }
    write_held(&mut pen, plan);
    if !plan.kept.is_empty() {
        pen.heading("Kept as it is");
        for kept in &plan.kept {
            pen.line(&format!("  = {}  {}: {}", kept.object, kept.subject, kept.reason));
        }
    }
    write_problems(&mut pen, &plan.problems);
    pen.line("");
    pen.line(&footer(plan));
    pen.out
}

/// Problems alone, one line each; those that follow from the same fault share one.
pub fn problems(problems: &[Problem], colour: bool) -> String {
    let mut pen = Pen { out: String::new(), colour };
    let mut followers: HashMap<&str, usize> = HashMap::new();
    for cause in problems.iter().filter_map(Problem::cause) {
        *followers.entry(cause).or_default() += 1;
    }
    for problem in problems {
        let more = match problem.cause().map(|cause| followers.remove(cause)) {
            None | Some(Some(1)) => String::new(),
            Some(Some(count)) => format!(" (and {} more for the same reason)", count - 1),
            Some(None) => continue,
        };
        let ink = if problem.is_error() { Ink::Red } else { Ink::Yellow };
        pen.line(&pen.inked(ink, &format!("{problem}{more}")));
    }
    pen.out
}

fn header(plan: &Plan) -> String {
    let counts = counts(plan);
    let (held, source) = (plan.held().count(), &plan.source_id);
    if counts.is_empty() && held == 0 {
        return format!("Plan for {source}: nothing to do");
    }
    let mut parts: Vec<String> = counts.iter().map(|(name, count)| format!("{count} to {name}")).collect();
    if held > 0 {
        parts.push(format!("{held} held back"));
    }
    format!("Plan for {source}: {}", parts.join(", "))
}

fn footer(plan: &Plan) -> String {
    let plural = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let errors = plan.errors().count();
    let warnings = plan.problems.len() - errors;
    let mut line = plural(plan.operations.len(), "operation");
    let held = plan.held().count();
    if held > 0 {
        let _ = write!(line, ", {held} of them held back");
    }
    let drift = plan.drift().count();
    if drift > 0 {
        let _ = write!(line, ", {drift} of them drift");
    }
    if errors > 0 {
        let _ = write!(line, ", {}", plural(errors, "error"));
    }
    if warnings > 0 {
        let _ = write!(line, ", {}", plural(warnings, "warning"));
    }
    let _ = write!(line, ". Digest {}", short(&plan.digest));
    line
}

fn write_operation(pen: &mut Pen, operation: &Operation, indent: &str) {
    let (symbol, ink) = match (operation.risk, operation.action) {
        (Risk::Data, _) => ("!", Ink::Red),
        (_, Action::Create) => ("+", Ink::Green),
        (_, Action::Delete | Action::Disable) => ("-", Ink::Red),
        _ => ("~", Ink::Yellow),
    };
    let head = format!("{symbol} {}", name(operation.action));
    let drift = if operation.drift { "  (drift: changed behind the manifests' back)" } else { "" };
    let head = pen.inked(ink, &head);
    pen.line(&format!("{indent}{head} {}  {}{drift}", operation.object, operation.subject));
    for line in fields(&operation.changes, operation.action) {
        let line = pen.inked(Ink::Dim, &line);
        pen.line(&format!("{indent}    {line}"));
    }
    for effect in &operation.effect {
        pen.line(&format!("{indent}    {effect}"));
    }
}

/// One line for each field; elements that come to a list, or go from it, share one.
pub(super) fn fields(changes: &[FieldChange], action: Action) -> Vec<String> {
    let mut lines: Vec<(String, String)> = Vec::new();
    for FieldChange { field, from, to } in changes {
        let (head, value) = match (field.strip_suffix("[]"), from, to) {
            (Some(list), Some(gone), _) => (format!("{list}: - "), gone.to_string()),
            (Some(list), None, new) if action == Action::Create => {
                (format!("{list}: "), new.clone().unwrap_or_default().to_string())
            }
            (Some(list), None, new) => (format!("{list}: + "), new.clone().unwrap_or_default().to_string()),
            (None, None, Some(to)) => (format!("{field}: "), to.to_string()),
            (None, Some(from), Some(to)) => (format!("{field}: {from} → "), to.to_string()),
            (None, from, None) => {
                (format!("{field}: {} → ", from.as_deref().unwrap_or("?")), "(not set)".to_owned())
            }
        };
        match lines.last_mut().filter(|(last, _)| *last == head && field.ends_with("[]")) {
            Some((_, values)) => {
                values.push_str(", ");
                values.push_str(&value);
            }
            None => lines.push((head, value)),
        }
    }
    lines.into_iter().map(|(head, value)| head + &value).collect()
}

/// Held operations under the guard that holds them, with what lets them through.
fn write_held(pen: &mut Pen, plan: &Plan) {
    let mut guards: Vec<&Guard> = Vec::new();
    for guard in plan.held().filter_map(|operation| operation.held.as_deref()) {
        if !guards.contains(&guard) {
            guards.push(guard);
        }
    }
    if !guards.is_empty() {
        pen.heading("Held back");
    }
    if let Some(complaint) = plan.approval.complaint(&plan.digest) {
        pen.line(&format!("  {}", pen.inked(Ink::Yellow, &complaint)));
    }
    for guard in guards {
        let line = pen.inked(Ink::Yellow, &format!("{guard}; {}", plan.remedy(guard)));
        pen.line(&format!("  {line}"));
        let held = plan.held().filter(|operation| operation.held.as_deref() == Some(guard));
        held.for_each(|operation| write_operation(pen, operation, "    "));
    }
}

fn write_problems(pen: &mut Pen, list: &[Problem]) {
    if list.is_empty() {
        return;
    }
    pen.heading("Problems");
    for line in problems(list, pen.colour).lines() {
        pen.line(&format!("  {line}"));
    }
}
