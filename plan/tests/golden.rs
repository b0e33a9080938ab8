//! Plans as golden text: each file in `scenarios/` is the history of a repository, each section a commit that is planned,
//! shown and applied to a model of the database.
//!
//! A section begins with `== title`, and may go on with `| ` and words: `now +720h`, `source other`, `approve` (the
//! digest of this very plan), `password alice@example.test` (its owner changes it), `used alice@example.test 5000`,
//! `adrift alice@example.test` (nobody owns the row any more).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use std::fmt::Write as _;

use chrono::{DateTime, Duration, Utc};
use mailwright_plan::observed::{CredentialRow, SetBy};
use mailwright_plan::{Observed, plan, render, simulate};

struct History {
    observed: Observed,
    now: DateTime<Utc>,
    source: String,
    text: String,
}

fn check(name: &str, scenario: &str) {
    let mut history = History {
        observed: Observed::default(),
        now: support::start(),
        source: "git".to_owned(),
        text: String::new(),
    };
    for section in scenario.split("== ").skip(1) {
        let (header, declarations) = section.split_once('\n').unwrap();
        history.commit(header, declarations);
    }
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(name, history.text);
    });
}

impl History {
    fn commit(&mut self, header: &str, declarations: &str) {
        let (title, words) = header.split_once('|').unwrap_or((header, ""));
        let words: Vec<&str> = words.split_whitespace().collect();
        self.happen(&words);
        let catalog = support::catalog(declarations);
        let mut settings = support::settings(&self.source, self.now);
        let mut planned = plan(&catalog, &self.observed, &settings);
        if words.contains(&"approve") {
            settings.guards.approved = vec![planned.digest.clone()];
            planned = plan(&catalog, &self.observed, &settings);
        }
        let _ = writeln!(self.text, "════ {}\n{}", title.trim(), render::text(&planned, false));
        self.observed = simulate::apply(&self.observed, &planned, self.now);
        let again = plan(&catalog, &self.observed, &settings);
        assert_eq!(again.applicable().count(), 0, "{title}: a second time there is nothing to apply");
    }

    /// What happens before a commit.
    fn happen(&mut self, words: &[&str]) {
        for (index, word) in words.iter().enumerate() {
            let argument = words.get(index + 1).copied().unwrap_or_default();
            match *word {
                "now" => self.now += Duration::hours(argument.trim_matches(['+', 'h']).parse().unwrap()),
                "source" => self.source = argument.to_owned(),
                "password" => {
                    let row = self
                        .observed
                        .mailboxes
                        .iter_mut()
                        .find(|row| row.declared.address == argument)
                        .unwrap();
                    let fingerprint = row.credential.as_ref().and_then(|row| row.fingerprint.clone());
                    row.credential = Some(CredentialRow { fingerprint, set_by: SetBy::Owner });
                }
                "used" => {
                    let row = self
                        .observed
                        .mailboxes
                        .iter_mut()
                        .find(|row| row.declared.address == argument)
                        .unwrap();
                    row.used_bytes = words[index + 2].parse().unwrap();
                }
                "adrift" => {
                    let row = self
                        .observed
                        .mailboxes
                        .iter_mut()
                        .find(|row| row.declared.address == argument)
                        .unwrap();
                    row.owner = None;
                }
                _ => {}
            }
        }
    }
}

/// One test for each file, so that a failure names it.
macro_rules! scenarios {
    ($($name:ident),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                check(stringify!($name), include_str!(concat!("scenarios/", stringify!($name), ".txt")));
            }
        )+
    };
}

scenarios!(
    first_day,
    everyday,
    removal,
    guards,
    broken,
    two_sources,
    domains,
    credentials,
    wrong,
    renames,
    sending
);
