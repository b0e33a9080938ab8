//! What operations mean for mail, in words a postmaster uses, and what could be lost by them.

use crate::observed::Observed;
use crate::operation::{Operation, Risk};
use crate::reference::Kind;
use crate::routes::Routes;
use crate::simulate::After;
use crate::{alias, domain, mailbox, server};

/// The state before the plan, and after all of it.
pub(crate) struct Views<'a> {
    pub(crate) source_id: &'a str,
    pub(crate) observed: &'a Observed,
    pub(crate) whole: &'a After<'a>,
    pub(crate) before: Routes<'a>,
    pub(crate) after: Routes<'a>,
}

/// The effect of one operation, built up sentence by sentence.
#[derive(Debug, Default)]
pub(crate) struct Effect {
    pub(crate) lines: Vec<String>,
    pub(crate) risk: Option<Risk>,
}

impl Effect {
    /// Nothing is lost by this.
    pub(crate) fn says(&mut self, line: String) {
        self.add(Risk::None, line);
    }

    /// Somebody loses access, or mail no longer reaches somebody.
    pub(crate) fn takes(&mut self, line: String) {
        self.add(Risk::Access, line);
    }

    /// Mail is lost.
    pub(crate) fn destroys(&mut self, line: String) {
        self.add(Risk::Data, line);
    }

    fn add(&mut self, risk: Risk, line: String) {
        self.risk = self.risk.max(Some(risk));
        self.lines.push(line);
    }
}

/// Where mail is handed on to: here, and to other servers.
#[derive(Debug, Default)]
pub(crate) struct Way<'a> {
    pub(crate) here: Vec<&'a str>,
    pub(crate) away: Vec<&'a str>,
}

impl<'a> Way<'a> {
    pub(crate) fn of(routes: &Routes<'_>, targets: impl IntoIterator<Item = &'a String>) -> Self {
        let targets = targets.into_iter().map(String::as_str);
        let (away, here) = targets.partition(|target| routes.is_foreign(target));
        Self { here, away }
    }

    /// Says where some mail goes. That mail leaves the installation is somebody's to know.
    pub(crate) fn say(&self, mail: String, also: &str, effect: &mut Effect) {
        let (here, away) = (list(&self.here), list(&self.away));
        match (self.here.is_empty(), self.away.is_empty()) {
            (_, true) => effect.says(format!("{mail} {also}goes to {here}")),
            (true, false) => effect.takes(format!("{mail} {also}leaves for {away}")),
            (false, false) => effect.takes(format!("{mail} {also}goes to {here} and leaves for {away}")),
        }
    }
}

impl<'a> Views<'a> {
    /// Of a state, and of what operations make of it.
    pub(crate) fn new(source_id: &'a str, observed: &'a Observed, whole: &'a After<'a>) -> Views<'a> {
        Views { source_id, observed, whole, before: Routes::new(observed), after: Routes::new(whole) }
    }
}

/// Writes effect and risk into every operation.
pub(crate) fn explain(views: &Views<'_>, operations: &mut [Operation]) {
    for operation in operations {
        let effect = match operation.change.key().0 {
            Kind::MailServer => server::effect(views, operation),
            Kind::MailDomain => domain::effect(views, operation),
            Kind::Mailbox => mailbox::effect(views, operation),
            Kind::Alias => alias::effect(views, operation),
            // No operation is about one.
            Kind::MailRepository => Effect::default(),
        };
        operation.risk = effect.risk.unwrap_or(Risk::None);
        operation.effect = effect.lines;
    }
}

/// `a`, `a and b`, `a, b and c`, `a, b and 2 more`.
pub(crate) fn list(names: &[impl AsRef<str>]) -> String {
    match names {
        [] => "nobody".to_owned(),
        [one] => one.as_ref().to_owned(),
        [one, two] => format!("{} and {}", one.as_ref(), two.as_ref()),
        [one, two, three] => format!("{}, {} and {}", one.as_ref(), two.as_ref(), three.as_ref()),
        [one, two, rest @ ..] => format!("{}, {} and {} more", one.as_ref(), two.as_ref(), rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_stay_short() {
        for (names, text) in [
            (&[][..], "nobody"),
            (&["a"], "a"),
            (&["a", "b"], "a and b"),
            (&["a", "b", "c"], "a, b and c"),
            (&["a", "b", "c", "d"], "a, b and 2 more"),
        ] {
            assert_eq!(list(names), text);
        }
    }

    #[test]
    fn the_worst_sentence_decides_the_risk() {
        let mut effect = Effect::default();
        effect.says("a".into());
        assert_eq!(effect.risk, Some(Risk::None));
        effect.destroys("b".into());
        effect.takes("c".into());
        assert_eq!(effect.risk, Some(Risk::Data));
    }
}
