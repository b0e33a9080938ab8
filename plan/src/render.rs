//! Plans for people, for programs and for pull requests. All are functions of the plan alone, so equal plans have equal texts.

mod json;
mod markdown;
mod text;

pub use json::json;
pub use markdown::{PAGE, Page, code, markdown, summary};
pub use text::{problems, text};

use crate::operation::{Action, Plan};

/// What a command that showed or applied a plan exits with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Nothing to do.
    Nothing = 0,
    /// Something is declared wrongly; what is right is applied all the same.
    Error = 1,
    /// There are changes.
    Changes = 2,
    /// A guard holds something back.
    Refused = 3,
}

/// Errors come first, then guards, then changes.
pub fn exit(plan: &Plan) -> Exit {
    if plan.errors().next().is_some() {
        Exit::Error
    } else if plan.held().next().is_some() {
        Exit::Refused
    } else if !plan.operations.is_empty() {
        Exit::Changes
    } else {
        Exit::Nothing
    }
}

/// [`exit`] as a number.
pub fn exit_code(plan: &Plan) -> u8 {
    exit(plan) as u8
}

const ACTIONS: [(Action, &str); 7] = [
    (Action::Create, "create"),
    (Action::Update, "update"),
    (Action::Enable, "enable"),
    (Action::Adopt, "adopt"),
    (Action::Release, "release"),
    (Action::Disable, "disable"),
    (Action::Delete, "delete"),
];

/// How many operations of each action will be applied, those that occur.
fn counts(plan: &Plan) -> Vec<(&'static str, usize)> {
    let count = |action| plan.applicable().filter(|operation| operation.action == action).count();
    let counts = ACTIONS.iter().map(|(action, name)| (*name, count(*action)));
    counts.filter(|(_, count)| *count > 0).collect()
}

fn name(action: Action) -> &'static str {
    ACTIONS.iter().find(|(other, _)| *other == action).map_or("", |(_, name)| name)
}
