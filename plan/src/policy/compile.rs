//! From a declared policy to one that can be judged with: read, checked against the schemas, once for each plan.

use mailwright_crds::policy::Expression;
use mailwright_crds::{Policy, PolicyAction};

use super::vocabulary;
use crate::cel::{self, Expr, Type};

/// Why a policy cannot be judged with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The field of the policy: `expression`.
    pub field: &'static str,
    /// What is wrong.
    pub message: String,
}

/// A policy that can be judged with.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(super) policy: Policy,
    pub(super) expression: Expr,
    /// What makes the message, when it is made.
    pub(super) message: Option<Expr>,
}

impl Compiled {
    pub(super) fn name(&self) -> &str {
        self.policy.name.as_str()
    }

    pub(super) fn denies(&self) -> bool {
        self.policy.action == PolicyAction::Deny
    }
}

/// Compiles a policy, or says the first thing that is wrong with it.
pub(crate) fn compile(policy: &Policy) -> Result<Compiled, Rejection> {
    if let Some(refusal) = policy.wrong_label() {
        return Err(Rejection { field: "matchLabels", message: refusal.message });
    }
    let truth = (Type::Bool, "the expression of a policy is true or false");
    let expression = read(policy, "expression", &policy.expression, truth)?;
    let text = (Type::Text, "a messageExpression makes a text");
    let message = policy.message_expression.as_ref();
    let message = message.map(|it| read(policy, "messageExpression", it, text)).transpose()?;
    Ok(Compiled { policy: policy.clone(), expression, message })
}

fn read(
    policy: &Policy,
    field: &'static str,
    text: &Expression,
    (wanted, why): (Type, &str),
) -> Result<Expr, Rejection> {
    let reject = |fault: cel::Fault| Rejection { field, message: fault.to_string() };
    let expression = cel::parse(text.as_str()).map_err(reject)?;
    let found = vocabulary::world(&policy.kinds, |world| cel::check(&expression, world)).map_err(reject)?;
    match found.fits(&wanted) {
        true => Ok(expression),
        false => Err(Rejection { field, message: format!("{why}, and this one is {}", found.what()) }),
    }
}
