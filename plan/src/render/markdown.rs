//! A plan as Markdown for the comment of a pull request: what would happen by risk, with the mail effects in words, what a
//! guard holds back and how it is approved, problems with links to their lines.
//!
//! Owns the form. Every text that comes out of a manifest or a row stands in a code span ([`escape`]): nothing in it is
//! markup, notifies anybody or is a command to the forge. Leaves out where it is posted. Pages are functions of their
//! arguments: the same plan has the same bytes. Too long a page is cut, section by section, and says how much ([`budget`]).

mod budget;
mod escape;

use std::fmt::Write as _;

use super::text::fields;
use super::{counts, name};
use crate::digest::short;
use crate::operation::{Action, Guard, Operation, Plan, Risk};
use crate::problem::Problem;
use crate::reference::Origin;
use budget::Section;
pub use escape::code;

/// Octets of one page. Forges take comments of 65,536 characters (GitHub's limit, the lowest); the rest is room for what
/// whoever posts it writes around it.
pub const PAGE: usize = 60_000;

/// Fields and effects shown of one operation: a list that loses hundreds of targets is not read in a comment.
const LINES: usize = 12;

/// A section of more than this is folded, unless it takes something away.
const FOLD: usize = 10;

const RISKS: [(Risk, &str, bool); 3] = [
    (Risk::Data, "Deletes or changes data", false),
    (Risk::Access, "Removes access", false),
    (Risk::None, "Adds or changes without risk", true),
];

/// What surrounds the plan on its page.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The longest that it may be, in octets; [`PAGE`] where it is 0.
    pub limit: usize,
    /// Where the files of the planned commit are shown: an URL that a path is put behind. Without it places are not links.
    pub files: Option<String>,
    /// What is said before the plan; Markdown of our own.
    pub notes: Vec<String>,
}

/// The plan as a page.
pub fn markdown(plan: &Plan, page: &Page) -> String {
    let limit = if page.limit == 0 { PAGE } else { page.limit };
    let mut out = format!("### Mail plan: {}\n\n", summary(plan));
    for note in &page.notes {
        let _ = writeln!(out, "{note}\n");
    }
    let _ = writeln!(out, "Digest {}.{}\n", code(short(&plan.digest)), approval(plan));
    let mut sections = vec![held(plan, page)];
    sections.extend(RISKS.iter().map(|(risk, title, folds)| {
        let group = plan.applicable().filter(|operation| operation.risk == *risk);
        let items: Vec<String> = group.map(|operation| write_operation(operation, page, "")).collect();
        Section { title, folded: *folds && items.len() > FOLD, items }
    }));
    sections.insert(1, problems("Errors", plan.problems.iter().filter(|it| it.is_error()), page));
    sections.push(problems("Warnings", plan.problems.iter().filter(|it| !it.is_error()), page));
    sections.push(kept(plan));
    budget::write(&mut out, &sections, limit);
    out
}

/// How many of what, in one line without anything of a manifest: also the description of a commit status.
pub fn summary(plan: &Plan) -> String {
    let mut parts: Vec<String> =
        counts(plan).iter().map(|(name, count)| format!("{count} to {name}")).collect();
    let (held, errors) = (plan.held().count(), plan.errors().count());
    if held > 0 {
        parts.push(format!("{held} held back"));
    }
    if errors > 0 {
        parts.push(format!("{errors} {}", if errors == 1 { "error" } else { "errors" }));
    }
    let drift = plan.drift().count();
    if drift > 0 {
        parts.push(format!("{drift} of them drift"));
    }
    let risk = plan.applicable().map(|operation| operation.risk).max();
    match risk {
        Some(Risk::Data) => parts.push("mail is deleted or changed".to_owned()),
        Some(Risk::Access) => parts.push("somebody loses access".to_owned()),
        _ => {}
    }
    if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") }
}

/// How what is held back is let through, where that can be.
fn approval(plan: &Plan) -> String {
    let approvable =
        plan.held().any(|operation| operation.held.as_deref().is_some_and(Guard::can_be_approved));
    if !approvable {
        return String::new();
    }
    let digest = short(&plan.digest);
    format!(
        " What is held back and may be approved is let through by an approval of exactly this digest: {} at the end of a \
         commit message of the followed branch, {}, or the annotation {} of the MailRepository. It ends when the plan changes.",
        code(&format!("Mailwright-Approve: {digest}")),
        code(&format!("mailwright approve {digest}")),
        code(&format!("mailwright.dev/approve: {digest}")),
    )
}

/// Held operations under the guard that holds them.
fn held(plan: &Plan, page: &Page) -> Section {
    let mut guards: Vec<&Guard> = Vec::new();
    for guard in plan.held().filter_map(|operation| operation.held.as_deref()) {
        if !guards.contains(&guard) {
            guards.push(guard);
        }
    }
    let mut items = Vec::new();
    for guard in guards {
        let remedy = match plan.can_be_approved(guard) {
            true => "can be approved".to_owned(),
            false => code(&plan.remedy(guard)),
        };
        items.push(format!("- {}; {remedy}\n", code(&guard.to_string())));
        let held = plan.held().filter(|operation| operation.held.as_deref() == Some(guard));
        items.extend(held.map(|operation| write_operation(operation, page, "  ")));
    }
    Section { title: "Held back", folded: false, items }
}

fn kept(plan: &Plan) -> Section {
    let line = |kept: &crate::operation::Kept| {
        format!("- {} {}: {}\n", code(&kept.object.to_string()), code(&kept.subject), code(&kept.reason))
    };
    let items: Vec<String> = plan.kept.iter().map(line).collect();
    Section { title: "Kept as it is", folded: items.len() > FOLD, items }
}

fn problems<'a>(title: &'static str, list: impl Iterator<Item = &'a Problem>, page: &Page) -> Section {
    let line = |problem: &Problem| {
        let place = problem.origin.as_ref().map(|origin| format!("{}: ", place(origin, page)));
        let bare = Problem { origin: None, ..problem.clone() };
        let said = match problem.origin {
            Some(_) => Problem { object: None, ..bare }.to_string(),
            None => bare.to_string(),
        };
        format!("- {}{}\n", place.unwrap_or_default(), code(&said))
    };
    Section { title, folded: false, items: list.map(line).collect() }
}

fn write_operation(operation: &Operation, page: &Page, indent: &str) -> String {
    let at = operation.origin.clone().and_then(Origin::known);
    let at = match (at, operation.action) {
        (None, _) => String::new(),
        // The planned commit has no such line any more.
        (Some(origin), Action::Disable | Action::Delete | Action::Release) => {
            format!(" was at {}", code(&origin.to_string()))
        }
        (Some(origin), _) => format!(" at {}", place(&origin, page)),
    };
    let drift = if operation.drift { " (drift: changed behind the manifests' back)" } else { "" };
    let mut out = format!(
        "{indent}- **{}**{drift} {} {}{at}\n",
        name(operation.action),
        code(&operation.object.to_string()),
        code(&operation.subject),
    );
    let fields = fields(&operation.changes, operation.action);
    let lines: Vec<&String> = fields.iter().chain(&operation.effect).collect();
    // Effects are what it means for people, so of many lines it is the fields that go.
    let spare = lines.len().saturating_sub(LINES);
    for line in lines.iter().take(fields.len().saturating_sub(spare)) {
        let _ = writeln!(out, "{indent}  - {}", code(line));
    }
    let effects = &operation.effect[..operation.effect.len().min(LINES)];
    for line in effects {
        let _ = writeln!(out, "{indent}  - {}", code(line));
    }
    if spare > 0 {
        let _ = writeln!(out, "{indent}  - and {spare} more lines");
    }
    out
}

/// `file:line`, a link where there is something to link to.
fn place(origin: &Origin, page: &Page) -> String {
    let text = code(&origin.to_string());
    match &page.files {
        None => text,
        Some(base) => {
            let line = if origin.line > 0 { format!("#L{}", origin.line) } else { String::new() };
            format!("[{text}]({}/{}{line})", base.trim_end_matches('/'), escape::path(&origin.file))
        }
    }
}
