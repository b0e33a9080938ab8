//! Policies: rules of the house as CEL expressions, judged with every plan, wherever it is made.
//!
//! They come from three places: a MailServer (for what is on it), the settings of a plan (a MailRepository's), and MailPolicy
//! documents beside the manifests. What a policy denies is not applied and its row stays as it is; a policy that cannot be
//! understood holds back what would change (docs/decisions/0029). Removals are not judged.

mod compile;
mod hold;
mod judge;
mod memo;
mod rules;
mod scene;
mod view;
mod vocabulary;

pub mod case;

use std::sync::Arc;

use mailwright_crds::{Policy, PolicyKind};

use crate::problem::{Problem, ProblemCode, Severity};
use crate::reference::{ObjectRef, Origin};
use memo::Memo;

pub use compile::Rejection;
pub(crate) use hold::hold;
pub(crate) use judge::check;
pub(crate) use rules::Rules;

/// Where a policy stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The object it is part of, where that is one of a plan: the MailServer.
    pub object: Option<ObjectRef>,
    /// The file and line of its expression.
    pub origin: Option<Origin>,
    /// The way to it: `spec.policies[2]`, `spec`.
    pub field: String,
}

impl Place {
    /// What is wrong with a policy, at its place.
    pub(crate) fn problem(&self, rejection: &Rejection, name: &str) -> Problem {
        Problem {
            origin: self.origin.clone(),
            object: self.object.clone(),
            field: format!("{}.{}", self.field, rejection.field),
            code: ProblemCode::PolicyInvalid,
            severity: Severity::Error,
            message: format!("policy {name}: {}", rejection.message),
            remedy: None,
        }
    }
}

/// A policy and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The policy.
    pub policy: Policy,
    /// Where it stands.
    pub place: Place,
}

/// A document that is meant to be a policy and cannot be understood: what it would say nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Broken {
    /// What to call it.
    pub name: String,
    /// Where it stands.
    pub origin: Option<Origin>,
    /// What it was for.
    pub kinds: Vec<PolicyKind>,
}

/// The policies of a plan's settings, and what is remembered of objects that have passed.
///
/// A copy shares the memory. An object passes again without being looked at when it, its domain, its server and all policies
/// are the same; whatever else was asked about makes it be judged again.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    declared: Arc<[Declared]>,
    memo: Memo,
}

impl Policies {
    /// Policies from outside what is declared: those of a MailRepository.
    pub fn new(declared: impl IntoIterator<Item = Declared>) -> Self {
        Self { declared: declared.into_iter().collect(), memo: Memo::default() }
    }

    /// The same of a specification, in the order of its list.
    pub fn of_spec(policies: &[Policy]) -> Self {
        let declared = policies.iter().enumerate().map(|(index, policy)| {
            let place = Place { field: format!("spec.policies[{index}]"), ..Place::default() };
            Declared { policy: policy.clone(), place }
        });
        Self::new(declared)
    }

    /// The policies.
    pub fn declared(&self) -> &[Declared] {
        &self.declared
    }

    /// What does not compile among them.
    pub fn problems(&self) -> Vec<Problem> {
        let wrong = |it: &Declared| {
            compile::compile(&it.policy).err().map(|why| it.place.problem(&why, it.policy.name.as_str()))
        };
        self.declared.iter().filter_map(wrong).collect()
    }

    /// A plan is made: what nothing in it asked for is forgotten.
    pub(crate) fn judged(&self) {
        self.memo.finish();
    }

    /// How many evaluations were made since these policies were made: what is remembered is not evaluated.
    pub fn evaluations(&self) -> u64 {
        self.memo.evaluations()
    }
}

/// Compiles a policy by itself: what is wrong with its text.
pub fn compiles(policy: &Policy) -> Result<(), Rejection> {
    compile::compile(policy).map(drop)
}
