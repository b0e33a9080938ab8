//! Where what a repository declares goes: the one border between following and putting in force.
//!
//! A sink is asked again and again with the revision that is in force; it changes nothing when nothing has to change, and may be
//! cut off anywhere.

use std::future::Future;

use chrono::{DateTime, Utc};
use mailwright_crds::{ConditionType, MailRepository, ObjectRef, Reason};
use mailwright_plan::approval::Given;
use mailwright_plan::{Outcome, Plan};

use super::previews::Ground;
use crate::kubernetes::shared::Shared;
use crate::repository::{PlanRules, Revision, Trouble};

/// What is to be put in force.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    /// The MailRepository.
    pub object: &'a ObjectRef,
    /// How it is declared.
    pub repository: &'a MailRepository,
    /// What is in force or would be.
    pub revision: &'a Revision,
    /// How its plan is made and how much of it is applied.
    pub rules: &'a PlanRules,
    /// The approvals that were given, by commits and by annotation.
    pub approvals: &'a [Given],
    /// The time.
    pub now: DateTime<Utc>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Worked {
    /// What was planned.
    pub plan: Plan,
    /// What became of what is applicable, now or when it was last tried.
    pub outcomes: Vec<Outcome>,
    /// How many objects are declared.
    pub objects: usize,
    /// Why nothing, or not all, was done: the sink is away, or refuses whoever applies. Without a plan nothing is known of
    /// what would have been done.
    pub trouble: Option<Trouble>,
    /// Something failed that may work later by itself: asked again earlier than the interval says.
    pub again: bool,
}

impl Worked {
    /// Nothing could be planned.
    pub fn nothing(trouble: Trouble) -> Worked {
        Worked { again: trouble.temporary, trouble: Some(trouble), ..Worked::default() }
    }
}

/// A place that revisions are put in force in.
pub trait Sink: Send {
    /// Plans, and applies what the rules let through.
    fn work(&mut self, task: Task<'_>) -> impl Future<Output = Worked> + Send;

    /// What proposed changes are planned against after it, by the rules of this task; `None` when nothing is known.
    fn ground(&self, task: &Task<'_>) -> Option<Ground>;
}

/// The ServiceAccount in whose name is applied, in the namespace of the MailRepository.
pub fn account(shared: &Shared, task: &Task<'_>) -> Result<String, Trouble> {
    let named = task.repository.spec.service_account_name.as_ref().map(|name| name.as_str().to_owned());
    named.or_else(|| shared.options.default_service_account.clone()).ok_or_else(|| {
        let message = "serviceAccountName is missing: name the ServiceAccount of this namespace in whose name is applied, and bind it \
                       a Role that lets it change the resources of the repository";
        Trouble::lasting(ConditionType::Ready, Reason::AccessDenied, message)
    })
}
