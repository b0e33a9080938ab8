//! The policies of one plan: those of its settings, of documents and of the servers, compiled; and those that cannot be, with
//! what they hold back.

use std::cell::RefCell;
use std::collections::BTreeSet;

use mailwright_crds::{Kind, MAX_POLICIES, Policy, PolicyKind};

use super::compile::{Compiled, Rejection, compile};
use super::{Declared, Place};
use crate::draft::Draft;
use crate::problem::Problem;

/// Everything that objects are judged with.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pub(super) rules: Vec<Rule>,
    pub(super) stopped: Vec<Stopped>,
    /// Rules that used up their steps: from then on they are stopped.
    pub(super) overrun: RefCell<BTreeSet<usize>>,
}

/// A policy and what it is for.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) compiled: Compiled,
    /// Only what is on this server.
    pub(super) server: Option<String>,
    pub(super) place: Place,
}

/// A policy that nobody can judge with: what it is for must not change until it is mended.
#[derive(Debug, Clone)]
pub(super) struct Stopped {
    pub(super) name: String,
    pub(super) kinds: Vec<PolicyKind>,
    /// The policy, as far as it was understood.
    pub(super) policy: Option<Policy>,
    pub(super) server: Option<String>,
    pub(super) why: String,
}

impl Rules {
    /// The policies of a plan, and what is wrong with them. Servers with a wrong policy are among the objects with problems: once they
    /// are frozen, [`Rules::of_servers`] takes what is in force.
    pub(crate) fn new(draft: &Draft<'_>) -> (Rules, Vec<Problem>) {
        let (mut rules, mut problems) = (Rules::default(), Vec::new());
        let documents: Vec<&Declared> = draft.catalog.policies().collect();
        for declared in
            draft.settings.policies.declared().iter().chain(documents.iter().copied().take(MAX_POLICIES))
        {
            rules.take(declared, &mut problems);
        }
        for surplus in documents.iter().skip(MAX_POLICIES) {
            let message =
                format!("there are more than {MAX_POLICIES} MailPolicy documents; join some of them");
            let why = Rejection { field: "expression", message };
            problems.push(surplus.place.problem(&why, surplus.policy.name.as_str()));
            rules.stop(&surplus.policy, why.message);
        }
        for broken in draft.catalog.broken_policies() {
            let at = broken.origin.as_ref().map(|origin| origin.at()).unwrap_or_default();
            let why = format!("the MailPolicy{at} cannot be understood");
            let (name, kinds) = (broken.name.clone(), broken.kinds.clone());
            rules.stopped.push(Stopped { name, kinds, policy: None, server: None, why });
        }
        for candidate in &draft.servers {
            for declared in declared_by(candidate) {
                if let Err(why) = compile(&declared.policy) {
                    problems.push(declared.place.problem(&why, declared.policy.name.as_str()));
                }
            }
        }
        (rules, problems)
    }

    /// Takes in the policies of the servers: as they are declared, or, of a server that stays as it is, as they are in force.
    pub(crate) fn of_servers(&mut self, draft: &Draft<'_>) {
        for candidate in &draft.servers {
            for declared in declared_by(candidate) {
                if let Ok(compiled) = compile(&declared.policy) {
                    let server = Some(candidate.declared.name.clone());
                    self.rules.push(Rule { compiled, server, place: declared.place });
                }
            }
        }
        for row in &draft.observed.servers {
            let name = &row.declared.name;
            if !draft.standing(Kind::MailServer, name, row.owner.as_deref()).stays() {
                continue;
            }
            for policy in row.declared.policies.values() {
                let server = Some(name.clone());
                match compile(policy) {
                    Ok(compiled) => self.rules.push(Rule { compiled, server, place: Place::default() }),
                    Err(why) => {
                        self.stop(policy, why.message);
                        self.stopped
                            .iter_mut()
                            .last()
                            .into_iter()
                            .for_each(|it| it.server.clone_from(&server));
                    }
                }
            }
        }
        draft.settings.policies.memo.begin(self.fingerprint());
    }

    fn take(&mut self, declared: &Declared, problems: &mut Vec<Problem>) {
        match compile(&declared.policy) {
            Ok(compiled) => self.rules.push(Rule { compiled, server: None, place: declared.place.clone() }),
            Err(why) => {
                problems.push(declared.place.problem(&why, declared.policy.name.as_str()));
                self.stop(&declared.policy, why.message);
            }
        }
    }

    fn stop(&mut self, policy: &Policy, why: String) {
        let (name, kinds) = (policy.name.as_str().to_owned(), policy.kinds.clone());
        // Labels that cannot be labels choose nothing, and were meant to choose something.
        let policy = policy.wrong_label().is_none().then(|| policy.clone());
        self.stopped.push(Stopped { name, kinds, policy, server: None, why });
    }

    /// Tells these policies from all others.
    fn fingerprint(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for rule in &self.rules {
            // Plain data always has a JSON form.
            hasher.update(&serde_json::to_vec(&(&rule.compiled.policy, &rule.server)).unwrap_or_default());
        }
        hasher.finalize()
    }
}

fn declared_by<'a>(
    candidate: &'a crate::draft::Candidate<'a, crate::observed::ServerDeclared>,
) -> impl Iterator<Item = Declared> + 'a {
    let policies = match &candidate.entry.resource {
        mailwright_crds::Resource::MailServer(server) => server.spec.policies.as_slice(),
        _ => &[],
    };
    policies.iter().enumerate().map(|(index, policy)| {
        let field = format!("spec.policies[{index}]");
        let origin = candidate.entry.place(&format!("{field}.expression")).known();
        let place = Place { object: Some(candidate.object.clone()), origin, field };
        Declared { policy: policy.clone(), place }
    })
}
