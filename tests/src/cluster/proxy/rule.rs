//! Which requests are treated badly, and how. Pure: the same seed and the same requests in the same order give the same faults.

use crate::random::Random;
use std::time::Duration;

/// The verbs that change something.
pub const WRITES: &[&str] = &["create", "update", "patch", "delete", "deletecollection"];

/// What can happen to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is refused with this status (409, 422, 500, …) and not passed on.
    Refuse(u16),
    /// It is refused with 429 and told to come back after this many seconds.
    TooMany(u64),
    /// It is not passed on, and the connection is closed after this time without an answer.
    Silence(Duration),
    /// The connection is closed at once.
    Drop,
    /// It is passed on and takes effect, but the answer is lost.
    LoseAnswer,
    /// It is passed on and takes effect, but there is no answer for this time, and none after it.
    KeepAnswer(Duration),
    /// It is refused as some versions refuse a field that the schema does not have: with 500, and words about it.
    UnknownField,
    /// Its answer comes late.
    Delay(Duration),
    /// Every event of a watch comes twice.
    RepeatEvents,
    /// Every event of a watch comes this late.
    DelayEvents(Duration),
    /// The events of a watch after this many are lost; once some were, it ends with 410, which says that the client has missed
    /// something and must list again.
    LoseEvents(usize),
    /// A list, or the initial state of a watch, is an older one; what happened since follows by the watch after it.
    StaleState,
    /// The same, but what happened since comes this late.
    StaleFor(Duration),
}

/// What a request asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// As RBAC calls it: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: &'static str,
    /// `mailboxes`, `mailboxes/status`; empty for what is no resource.
    pub resource: String,
    /// Empty for lists over all namespaces and for cluster-wide objects.
    pub namespace: String,
    /// Empty for collections.
    pub name: String,
}

impl Asked {
    /// Whether it changes something.
    pub fn is_write(&self) -> bool {
        WRITES.contains(&self.verb)
    }

    /// Of a method and a path with its query.
    pub fn new(method: &str, uri: &str) -> Asked {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let mut words = path.split('/').filter(|word| !word.is_empty());
        // `/api/v1` or `/apis/<group>/<version>`.
        let words: Vec<&str> = match words.next() {
            Some("api") => words.skip(1).collect(),
            Some("apis") => words.skip(2).collect(),
            _ => Vec::new(),
        };
        let (namespace, rest) = match words.as_slice() {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() && *rest != ["status"] => {
                (*namespace, rest)
            }
            all => ("", all),
        };
        let (resource, name) = match rest {
            [plural, name, sub, ..] => (format!("{plural}/{sub}"), *name),
            [plural, name] => ((*plural).to_owned(), *name),
            [plural] => ((*plural).to_owned(), ""),
            [] => (String::new(), ""),
        };
        let watches = query.split('&').any(|pair| pair == "watch=true" || pair == "watch=1");
        let verb = match (method, name.is_empty()) {
            ("GET", _) if watches => "watch",
            ("GET", true) => "list",
            ("GET", false) => "get",
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            ("DELETE", true) => "deletecollection",
            ("DELETE", false) => "delete",
            _ => "other",
        };
        Asked { verb, resource, namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

/// A fault and the requests that meet it.
#[derive(Debug, Clone)]
pub struct Rule {
    verbs: Vec<&'static str>,
    resources: Vec<&'static str>,
    except: Vec<&'static str>,
    names: Vec<&'static str>,
    percent: usize,
    surely: usize,
    left: Option<usize>,
    fault: Fault,
}

impl Rule {
    /// `fault` for every request.
    pub fn new(fault: Fault) -> Rule {
        let (verbs, resources, except, names) = Default::default();
        Rule { verbs, resources, except, names, percent: 100, surely: 0, left: None, fault }
    }

    /// Only these verbs.
    #[must_use]
    pub fn verbs(mut self, verbs: &[&'static str]) -> Rule {
        self.verbs = verbs.to_vec();
        self
    }

    /// Only these resources, subresources written `mailboxes/status`.
    #[must_use]
    pub fn resources(mut self, resources: &[&'static str]) -> Rule {
        self.resources = resources.to_vec();
        self
    }

    /// Not these resources.
    #[must_use]
    pub fn except(mut self, resources: &[&'static str]) -> Rule {
        self.except = resources.to_vec();
        self
    }

    /// Only objects of these names.
    #[must_use]
    pub fn names(mut self, names: &[&'static str]) -> Rule {
        self.names = names.to_vec();
        self
    }

    /// Only so many of a hundred.
    #[must_use]
    pub fn percent(mut self, percent: usize) -> Rule {
        self.percent = percent;
        self
    }

    /// The first so many whatever chance says: how many requests there are is the machine's.
    #[must_use]
    pub fn surely(mut self, surely: usize) -> Rule {
        self.surely = surely;
        self
    }

    /// Only so many in all.
    #[must_use]
    pub fn times(mut self, times: usize) -> Rule {
        self.left = Some(times);
        self
    }

    fn is_for(&self, asked: &Asked) -> bool {
        let has = |list: &[&str], word: &str| list.is_empty() || list.contains(&word);
        let fits = match self.fault {
            Fault::RepeatEvents | Fault::DelayEvents(_) | Fault::LoseEvents(_) => asked.verb == "watch",
            Fault::StaleState | Fault::StaleFor(_) => ["watch", "list"].contains(&asked.verb),
            _ => true,
        };
        fits && !asked.resource.is_empty()
            && self.left != Some(0)
            && has(&self.verbs, asked.verb)
            && has(&self.resources, &asked.resource)
            && !self.except.contains(&asked.resource.as_str())
            && has(&self.names, &asked.name)
    }
}

/// All rules of a proxy, the first one that applies being right.
#[derive(Debug)]
pub struct Rules {
    rules: Vec<Rule>,
    random: Random,
}

impl Rules {
    /// None yet.
    pub fn new(seed: u64) -> Rules {
        Rules { rules: Vec::new(), random: Random::new(seed) }
    }

    /// Adds one after the others.
    pub fn add(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    /// Removes all.
    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// What happens to a request.
    pub fn verdict(&mut self, asked: &Asked) -> Option<Fault> {
        for rule in self.rules.iter_mut().filter(|rule| rule.is_for(asked)) {
            let surely = rule.surely > 0;
            rule.surely = rule.surely.saturating_sub(1);
            if surely || self.random.chance(rule.percent) {
                rule.left = rule.left.map(|left| left - 1);
                return Some(rule.fault);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_understood() {
        let boxes = "/apis/mailwright.dev/v1alpha1/namespaces/mail/mailboxes";
        for (method, uri, verb, resource, namespace, name) in [
            ("GET", boxes.to_owned(), "list", "mailboxes", "mail", ""),
            ("GET", format!("{boxes}?allowWatchBookmarks=true&watch=true"), "watch", "mailboxes", "mail", ""),
            ("GET", format!("{boxes}/alice"), "get", "mailboxes", "mail", "alice"),
            (
                "PATCH",
                format!("{boxes}/alice/status?force=true"),
                "patch",
                "mailboxes/status",
                "mail",
                "alice",
            ),
            ("DELETE", boxes.to_owned(), "deletecollection", "mailboxes", "mail", ""),
            ("GET", "/apis/mailwright.dev/v1alpha1/mailboxes".to_owned(), "list", "mailboxes", "", ""),
            ("POST", "/api/v1/namespaces/mail/secrets".to_owned(), "create", "secrets", "mail", ""),
            ("GET", "/api/v1/namespaces/mail".to_owned(), "get", "namespaces", "", "mail"),
            ("PUT", "/api/v1/namespaces/mail/status".to_owned(), "update", "namespaces/status", "", "mail"),
            ("GET", "/api/v1/nodes/one".to_owned(), "get", "nodes", "", "one"),
            ("GET", "/readyz".to_owned(), "list", "", "", ""),
        ] {
            let expected =
                Asked { verb, resource: resource.into(), namespace: namespace.into(), name: name.into() };
            assert_eq!(Asked::new(method, &uri), expected, "{method} {uri}");
        }
    }

    #[test]
    fn a_rule_is_for_what_it_names() {
        let patch =
            Asked::new("PATCH", "/apis/mailwright.dev/v1alpha1/namespaces/mail/mailboxes/alice/status");
        let watch = Asked::new("GET", "/apis/mailwright.dev/v1alpha1/mailboxes?watch=1");
        let conflict = Rule::new(Fault::Refuse(409));
        for (rule, asked, expected) in [
            (conflict.clone(), &patch, true),
            (conflict.clone().verbs(&["patch"]).resources(&["mailboxes/status"]), &patch, true),
            (conflict.clone().resources(&["mailboxes"]), &patch, false),
            (conflict.clone().verbs(&["create"]), &patch, false),
            (conflict.clone().except(&["mailboxes/status"]), &patch, false),
            (conflict.clone().except(&["mailboxes"]).names(&["alice"]), &patch, true),
            (conflict.clone().names(&["bob"]), &patch, false),
            (conflict.clone().percent(0), &patch, false),
            (conflict.clone().percent(0).surely(1), &patch, true),
            (conflict.times(0), &patch, false),
            (Rule::new(Fault::LoseEvents(1)), &patch, false),
            (Rule::new(Fault::LoseEvents(1)), &watch, true),
        ] {
            let mut rules = Rules::new(1);
            rules.add(rule.clone());
            assert_eq!(rules.verdict(asked).is_some(), expected, "{rule:?} {asked:?}");
        }
        assert!(!Rule::new(Fault::Drop).is_for(&Asked::new("GET", "/readyz")));
    }

    #[test]
    fn a_seed_decides_and_a_count_ends() {
        let asked = Asked::new("GET", "/api/v1/nodes");
        let verdicts = |seed| {
            let mut rules = Rules::new(seed);
            rules.add(Rule::new(Fault::Refuse(500)).percent(30));
            (0..200).map(|_| rules.verdict(&asked).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(verdicts(7), verdicts(7));
        assert_ne!(verdicts(7), verdicts(8));
        let hits = verdicts(7).into_iter().filter(|hit| *hit).count();
        assert!((30..90).contains(&hits), "{hits} of 200");
        let mut rules = Rules::new(7);
        rules.add(Rule::new(Fault::Drop).times(2));
        assert_eq!((0..5).filter(|_| rules.verdict(&asked).is_some()).count(), 2);
    }
}
