//! How much of a plan is applied: all that no guard holds, all or nothing, or nothing.

use mailwright_plan::operation::Guard;
use mailwright_plan::{Operation, Plan};

/// What of a plan is applied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Gate {
    /// Whatever is right and not held; the rest keeps its last good state.
    #[default]
    Everything,
    /// All of it, or nothing as long as anything is wrong or held.
    Whole,
    /// Nothing, ever: it is planned and told.
    Nothing,
}

impl Gate {
    /// Whether something of this plan is applied.
    pub fn lets_through(self, plan: &Plan) -> bool {
        match self {
            Gate::Everything => true,
            Gate::Whole => plan.errors().next().is_none() && held(plan).next().is_none(),
            Gate::Nothing => false,
        }
    }
}

/// What a guard or a missing approval holds back. Drift that is only to be told is left alone, not held back.
pub(crate) fn held(plan: &Plan) -> impl Iterator<Item = &Operation> {
    plan.held().filter(|operation| operation.held.as_deref() != Some(&Guard::Drift))
}
