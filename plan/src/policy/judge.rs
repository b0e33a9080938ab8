//! Judging: every object that is about to be in force, by every policy that is for it. A policy that fails on an object denies it:
//! what cannot be judged is not let through.

use std::cell::OnceCell;
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use mailwright_crds::{Kind, Resource};
use serde_json::Value as Json;

use super::compile::Compiled;
use super::memo::{Known, Passed, same};
use super::rules::{Rule, Rules};
use super::scene::{Around, Asked, Scene, Views};
use crate::catalog::Entry;
use crate::cel::{Evaluation, Value, evaluate};
use crate::domain::domain_of;
use crate::draft::Draft;
use crate::export::Row;
use crate::observed::{DomainDeclared, Observed};
use crate::problem::{Problem, ProblemCode, Severity};
use crate::universe::Universe;

/// The most steps of one policy over all objects of a plan: some seconds. What the usual policy takes for a million objects.
pub(super) const MAX_STEPS_OF_ALL: u64 = 100_000_000;

/// What a policy may say: what a condition of a status has room for beside others.
const MAX_MESSAGE: usize = 500;
/// As much of an expression as is shown in place of a message.
const MAX_EXPRESSION: usize = 200;

/// Judges everything that is still good.
pub(crate) fn check(draft: &Draft<'_>, universe: &Universe<'_>, rules: &Rules, problems: &mut Vec<Problem>) {
    if rules.rules.is_empty() {
        return;
    }
    let find = |name: &str| universe.domain(name);
    let court = Court::new(draft, universe.domains.keys().copied(), &find, rules);
    let memo = &draft.settings.policies.memo;
    let mut known = memo.lock();
    let mut found = Found { steps: vec![0; rules.rules.len()], ..Found::default() };
    for it in &draft.domains {
        let domain = it.declared.domain.as_str();
        court.judge(it.entry, None, Some(&it.declared), domain, &mut known, &mut found);
    }
    for it in &draft.mailboxes {
        let domain = universe.domain(domain_of(&it.declared.address));
        court.judge(it.entry, domain, domain, &it.declared.address, &mut known, &mut found);
    }
    for it in &draft.aliases {
        let domain = universe.domain(domain_of(&it.declared.address));
        court.judge(it.entry, domain, domain, &it.declared.address, &mut known, &mut found);
    }
    let mut overrun = rules.overrun.borrow_mut();
    overrun.extend((0..found.steps.len()).filter(|rule| found.steps[*rule] > MAX_STEPS_OF_ALL));
    if !overrun.is_empty() {
        known.forget();
    }
    memo.count(found.evaluations);
    problems.extend(found.problems.into_iter().filter(|(rule, _)| !overrun.contains(rule)).map(|it| it.1));
}

/// What came of a round.
#[derive(Default)]
struct Found {
    problems: Vec<(usize, Problem)>,
    /// Steps by policy.
    steps: Vec<u64>,
    evaluations: u64,
}

/// What all objects share.
struct Court<'a> {
    observed: &'a Observed,
    now: DateTime<Utc>,
    /// The domain that is served under a name.
    find: &'a dyn Fn(&str) -> Option<&'a DomainDeclared>,
    rules: &'a Rules,
    domains: HashMap<&'a str, (Option<&'a Resource>, OnceCell<Json>)>,
    servers: HashMap<&'a str, (Option<&'a Resource>, OnceCell<Json>)>,
    running: OnceCell<HashMap<(Kind, &'a str), Row<'a>>>,
}

impl<'a> Court<'a> {
    fn new(
        draft: &'a Draft<'_>,
        domains: impl Iterator<Item = &'a str>,
        find: &'a dyn Fn(&str) -> Option<&'a DomainDeclared>,
        rules: &'a Rules,
    ) -> Self {
        let mut domains: HashMap<&str, (Option<&Resource>, OnceCell<Json>)> =
            domains.map(|name| (name, (None, OnceCell::new()))).collect();
        for it in &draft.domains {
            domains.insert(&it.declared.domain, (Some(&it.entry.resource), OnceCell::new()));
        }
        let running = draft.observed.servers.iter().map(|row| row.declared.name.as_str());
        let mut servers: HashMap<&str, (Option<&Resource>, OnceCell<Json>)> =
            running.map(|name| (name, (None, OnceCell::new()))).collect();
        for it in &draft.servers {
            servers.insert(&it.declared.name, (Some(&it.entry.resource), OnceCell::new()));
        }
        let (observed, now) = (draft.observed, draft.settings.now);
        Self { observed, now, find, rules, domains, servers, running: OnceCell::new() }
    }

    /// `domain` is the one that an address is at, `home` the one whose server counts.
    fn judge(
        &'a self,
        entry: &'a Entry,
        domain: Option<&'a DomainDeclared>,
        home: Option<&'a DomainDeclared>,
        key: &str,
        known: &mut Known,
        found: &mut Found,
    ) {
        let server = home.map(|home| home.server.as_str());
        let (kind, labels) = (entry.resource.kind(), entry.resource.metadata().labels.as_ref());
        let overrun = self.rules.overrun.borrow();
        let is_for = |(index, rule): &(usize, &Rule)| {
            rule.compiled.policy.is_for(kind, labels)
                && rule.server.as_deref().is_none_or(|wanted| Some(wanted) == server)
                && !overrun.contains(index)
                && found.steps.get(*index).is_some_and(|steps| *steps <= MAX_STEPS_OF_ALL)
        };
        let rules: Vec<(usize, &Rule)> = self.rules.rules.iter().enumerate().filter(is_for).collect();
        if rules.is_empty() {
            return;
        }
        if let Some(passed) = known.get(&entry.resource)
            && self.still_holds(passed, domain, server)
        {
            passed.steps.iter().for_each(|(rule, steps)| found.steps[*rule] += steps);
            return;
        }
        let (views, asked) = (Views::default(), Asked::default());
        let served = |domain: &str| (self.find)(domain).is_some();
        let scene = Scene {
            resource: &entry.resource,
            old: self.old(kind, key),
            domain: self.around_domain(domain),
            server: self.around_server(server),
            now: self.now,
            served: &served,
            views: &views,
            asked: &asked,
        };
        let mut steps = Vec::with_capacity(rules.len());
        let before = found.problems.len();
        for (index, rule) in rules {
            let verdict = verdict(&rule.compiled, &scene);
            steps.push((index, verdict.steps));
            found.steps[index] += verdict.steps;
            found.evaluations += 1;
            found
                .problems
                .extend(verdict.problem.map(|(code, message)| (index, told(entry, rule, code, message))));
        }
        if found.problems.len() == before && !asked.fleeting.get() {
            self.remember(entry, domain, server, &asked, steps.into(), known);
        }
    }

    fn declared_domain(&self, domain: Option<&DomainDeclared>) -> Option<&'a Resource> {
        self.domains.get(domain?.domain.as_str())?.0
    }

    fn declared_server(&self, server: Option<&str>) -> Option<&'a Resource> {
        self.servers.get(server?)?.0
    }

    /// Whether everything that was asked about is still answered the same.
    fn still_holds(&self, passed: &Passed, domain: Option<&DomainDeclared>, server: Option<&str>) -> bool {
        let is = |was: &Option<Resource>, now: Option<&Resource>| match was {
            Some(was) => now.is_some_and(|now| same(was, now)),
            None => true,
        };
        is(&passed.domain, self.declared_domain(domain))
            && is(&passed.server, self.declared_server(server))
            && passed.external.iter().all(|(name, was)| (self.find)(name).is_none() == *was)
    }

    /// What was asked of something that only runs is not remembered: a row is no object that could be known again.
    fn remember(
        &self,
        entry: &Entry,
        domain: Option<&DomainDeclared>,
        server: Option<&str>,
        asked: &Asked,
        steps: Box<[(usize, u64)]>,
        known: &mut Known,
    ) {
        let (of_domain, of_server) = (self.declared_domain(domain), self.declared_server(server));
        if (asked.domain.get() && of_domain.is_none()) || (asked.server.get() && of_server.is_none()) {
            return;
        }
        known.remember(Passed {
            object: entry.resource.clone(),
            domain: of_domain.filter(|_| asked.domain.get()).cloned(),
            server: of_server.filter(|_| asked.server.get()).cloned(),
            external: asked.external.take().into_iter().collect(),
            steps,
            turn: 0,
        });
    }

    fn around_domain(&'a self, domain: Option<&'a DomainDeclared>) -> Around<'a> {
        let Some(name) = domain.map(|domain| domain.domain.as_str()) else { return Around::Nothing };
        match self.domains.get(name) {
            Some((Some(resource), cell)) => Around::Declared(resource, cell),
            Some((None, cell)) => self.running(Kind::MailDomain, name, cell),
            None => Around::Nothing,
        }
    }

    fn around_server(&'a self, server: Option<&str>) -> Around<'a> {
        let Some(name) = server else { return Around::Nothing };
        match self.servers.get(name) {
            Some((Some(resource), cell)) => Around::Declared(resource, cell),
            Some((None, cell)) => self.running(Kind::MailServer, name, cell),
            None => Around::Nothing,
        }
    }

    fn running(&'a self, kind: Kind, name: &str, cell: &'a OnceCell<Json>) -> Around<'a> {
        self.old(kind, name).map_or(Around::Nothing, |row| Around::Running(kind, row, cell))
    }

    /// What runs under the name of an object.
    fn old(&self, kind: Kind, key: &str) -> Option<Row<'a>> {
        self.running.get_or_init(|| rows(self.observed)).get(&(kind, key)).copied()
    }
}

fn rows(observed: &Observed) -> HashMap<(Kind, &str), Row<'_>> {
    let domains = observed.domains.iter().filter(|row| row.removed_at.is_none());
    let domains = domains.map(|row| ((Kind::MailDomain, row.declared.domain.as_str()), Row::Domain(row)));
    let mailboxes = observed.mailboxes.iter().filter(|row| row.removed_at.is_none());
    let mailboxes = mailboxes.map(|row| ((Kind::Mailbox, row.declared.address.as_str()), Row::Mailbox(row)));
    let aliases = observed.aliases.iter();
    let aliases = aliases.map(|row| ((Kind::Alias, row.declared.address.as_str()), Row::Alias(row)));
    let servers = observed.servers.iter();
    let servers = servers.map(|row| ((Kind::MailServer, row.declared.name.as_str()), Row::Server(row)));
    servers.chain(domains).chain(mailboxes).chain(aliases).collect()
}

/// What one policy says of one object.
pub(super) struct Verdict {
    pub(super) problem: Option<(ProblemCode, String)>,
    pub(super) steps: u64,
}

pub(super) fn verdict<'a>(compiled: &'a Compiled, scene: &Scene<'a>) -> Verdict {
    let Evaluation { value, mut steps } = evaluate(&compiled.expression, scene);
    let problem = match value {
        Ok(Value::Bool(true)) => None,
        Ok(Value::Bool(false)) => {
            let (message, more) = message(compiled, scene);
            steps += more;
            Some((ProblemCode::PolicyViolation, message))
        }
        Ok(other) => {
            let why = format!("the expression is {} and neither true nor false", other.what());
            Some((ProblemCode::PolicyInvalid, why))
        }
        Err(fault) => Some((ProblemCode::PolicyInvalid, fault.to_string())),
    };
    Verdict { problem, steps }
}

/// What the policy says to people.
fn message<'a>(compiled: &'a Compiled, scene: &Scene<'a>) -> (String, u64) {
    if let Some(expression) = &compiled.message {
        let Evaluation { value, steps } = evaluate(expression, scene);
        let made = value.ok().as_ref().and_then(Value::as_text).map(one_line);
        if let Some(text) = made.filter(|text| !text.is_empty()) {
            return (text, steps);
        }
    }
    let said = compiled.policy.message.as_ref().map(|message| message.as_str().to_owned());
    let shown = || {
        let words: Vec<&str> = compiled.policy.expression.as_str().split_whitespace().collect();
        let text: String = words.join(" ").chars().take(MAX_EXPRESSION).collect();
        format!("this does not hold: {text}")
    };
    (said.unwrap_or_else(shown), 0)
}

fn one_line(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(MAX_MESSAGE).collect::<String>().trim().to_owned()
}

fn told(entry: &Entry, rule: &Rule, code: ProblemCode, message: String) -> Problem {
    let name = rule.compiled.name();
    let at = rule.place.origin.as_ref().map(|origin| origin.at()).unwrap_or_default();
    let (message, remedy) = match code {
        ProblemCode::PolicyViolation => (format!("{message} (policy {name}{at})"), None),
        _ => {
            let remedy = "the policy is to allow for what an object may leave out; until it does, nothing is changed here";
            (format!("policy {name}{at} fails here, {message}"), Some(remedy.to_owned()))
        }
    };
    Problem {
        origin: entry.origin.clone().known(),
        object: Some(entry.object()),
        field: String::new(),
        code,
        severity: if rule.compiled.denies() { Severity::Error } else { Severity::Warning },
        message,
        remedy,
    }
}
