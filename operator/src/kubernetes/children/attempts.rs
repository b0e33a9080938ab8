//! When a child that failed is tried again, and what is said of it until then. Pure: the time and the random number are
//! arguments.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::decide::Live;
use super::failure::{self, Failure, Fault, Problem};
use crate::backoff;
use crate::workload::ChildKind;

/// Internal errors that one object may answer before that is said of it. What a server in trouble answers to everything is
/// over by then, as a rule: with the delays between them they take half a minute.
pub const ATTEMPTS: u32 = 5;

/// A child by its kind and name.
pub type Key = (ChildKind, String);

/// What was tried: the object that was to be written, and the one that was there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tried {
    digest: String,
    there: Option<(String, i64)>,
}

impl Tried {
    /// Writing the object of this digest over `live`.
    pub fn new(digest: &str, live: Option<&Live>) -> Tried {
        let there = live.map(|live| {
            let metadata = &live.object["metadata"];
            let uid = metadata["uid"].as_str().unwrap_or_default().to_owned();
            (uid, metadata["generation"].as_i64().unwrap_or_default())
        });
        Tried { digest: digest.to_owned(), there }
    }
}

#[derive(Debug, Clone)]
struct Held {
    tried: Tried,
    problem: Problem,
    times: u32,
    /// `None`: never by itself.
    due: Option<DateTime<Utc>>,
}

/// The children that failed.
#[derive(Debug, Clone, Default)]
pub struct Attempts {
    held: BTreeMap<Key, Held>,
}

impl Attempts {
    /// What is said of a child that is not to be tried now; `None` when it is.
    pub fn held_back(&self, key: &Key, tried: &Tried, now: DateTime<Utc>) -> Option<&Problem> {
        let held = self.held.get(key)?;
        let same = match held.due {
            Some(due) => held.tried == *tried && now < due,
            // Nothing that happens to the live object teaches the server a field.
            None => held.tried.digest == tried.digest,
        };
        same.then_some(&held.problem)
    }

    /// It failed: what is to be said of it. `None` when its namespace is going.
    pub fn failed(
        &mut self,
        key: &Key,
        namespace: &str,
        tried: Tried,
        failure: Failure,
        (now, chance): (DateTime<Utc>, f64),
    ) -> Option<Problem> {
        let before = self.held.get(key).filter(|held| held.tried.digest == tried.digest);
        let times = before.map_or(0, |held| held.times).saturating_add(1);
        let title = format!("{} {}", key.0.as_str(), key.1);
        let later = now + backoff::delay(times - 1, chance);
        let (fault, message, due) = match failure {
            Failure::NamespaceGoing => return None,
            Failure::Transient(message) => {
                (Fault::Transient, format!("{title}: {message}; it is tried again"), Some(now))
            }
            Failure::Refused(message) => {
                (Fault::Refused, failure::remedy(key.0, &key.1, namespace, &message), Some(later))
            }
            Failure::UnknownField(message) if times >= ATTEMPTS => {
                (Fault::GivenUp, failure::unknown_field(&title, &message), None)
            }
            Failure::Internal(message) if times >= ATTEMPTS => {
                (Fault::Refused, failure::failing(&title, &message), Some(later))
            }
            Failure::UnknownField(message) | Failure::Internal(message) => {
                (Fault::Transient, failure::failing(&title, &message), Some(later))
            }
        };
        let problem = Problem { child: title, fault, message };
        self.held.insert(key.clone(), Held { tried, problem: problem.clone(), times, due });
        Some(problem)
    }

    /// It worked, or there is nothing to do.
    pub fn worked(&mut self, key: &Key) {
        self.held.remove(key);
    }

    /// Somebody asks for everything anew.
    pub fn forget(&mut self) {
        self.held.clear();
    }
}

#[cfg(test)]
mod tests {
    use chrono::{Duration, TimeZone as _};
    use serde_json::json;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        Utc.timestamp_opt(1_800_000_000 + second, 0).unwrap()
    }

    fn key() -> Key {
        (ChildKind::StatefulSet, "mail".to_owned())
    }

    fn live(uid: &str, generation: i64) -> Live {
        let object = json!({"metadata": {"uid": uid, "generation": generation}});
        Live { kind: ChildKind::StatefulSet, object }
    }

    fn fail(attempts: &mut Attempts, tried: &Tried, failure: Failure, second: i64) -> Fault {
        attempts.failed(&key(), "post", tried.clone(), failure, (at(second), 0.0)).unwrap().fault
    }

    fn refused() -> Failure {
        Failure::Refused("no".to_owned())
    }

    #[test]
    fn a_refused_child_waits_longer_each_time_and_is_tried_at_once_when_anything_changed() {
        let mut attempts = Attempts::default();
        let there = live("u", 1);
        let tried = Tried::new("d", Some(&there));
        for (second, due) in [(0, 1), (1, 3), (3, 7), (7, 15)] {
            assert_eq!(fail(&mut attempts, &tried, refused(), second), Fault::Refused);
            let said = |tried: &Tried, at| attempts.held_back(&key(), tried, at).map(|problem| problem.fault);
            assert_eq!(said(&tried, at(due) - Duration::milliseconds(1)), Some(Fault::Refused), "{second}");
            assert_eq!(said(&tried, at(due)), None, "{second}");
            for changed in [
                Tried::new("e", Some(&there)),
                Tried::new("d", None),
                Tried::new("d", Some(&live("v", 1))),
                Tried::new("d", Some(&live("u", 2))),
            ] {
                assert_eq!(said(&changed, at(second)), None, "{changed:?}");
            }
        }
    }

    #[test]
    fn an_unknown_field_is_given_up_and_a_failing_server_is_not() {
        let unknown = || Failure::UnknownField("x: field not declared in schema".to_owned());
        let internal = || Failure::Internal("etcdserver: leader changed".to_owned());
        let cases: [(&dyn Fn() -> Failure, Fault, bool); 2] =
            [(&unknown, Fault::GivenUp, true), (&internal, Fault::Refused, false)];
        for (failure, last, for_ever) in cases {
            let mut attempts = Attempts::default();
            let tried = Tried::new("d", None);
            let faults: Vec<Fault> =
                (0..ATTEMPTS).map(|n| fail(&mut attempts, &tried, failure(), i64::from(n) * 100)).collect();
            let (end, start) = faults.split_last().unwrap();
            assert!(start.iter().all(|fault| *fault == Fault::Transient), "{faults:?}");
            assert_eq!(*end, last);
            let much_later = at(100_000);
            assert_eq!(attempts.held_back(&key(), &tried, much_later).is_some(), for_ever);
            // Given up is given up whatever becomes of the live object, until the desired one changes.
            let appeared = Tried::new("d", Some(&live("u", 1)));
            assert_eq!(attempts.held_back(&key(), &appeared, much_later).is_some(), for_ever);
            assert!(attempts.held_back(&key(), &Tried::new("e", None), at(0)).is_none());
            assert_eq!(
                fail(&mut attempts, &Tried::new("e", None), failure(), 0),
                Fault::Transient,
                "from one"
            );
        }
    }

    #[test]
    fn what_passes_is_tried_in_the_next_pass_and_what_worked_is_forgotten() {
        let mut attempts = Attempts::default();
        let tried = Tried::new("d", None);
        let moment = Failure::Transient("conflict".to_owned());
        assert_eq!(fail(&mut attempts, &tried, moment, 0), Fault::Transient);
        assert!(attempts.held_back(&key(), &tried, at(0)).is_none());
        let forgets: [&dyn Fn(&mut Attempts); 2] =
            [&|attempts| attempts.worked(&key()), &|attempts| attempts.forget()];
        for forget in forgets {
            fail(&mut attempts, &tried, refused(), 0);
            assert!(attempts.held_back(&key(), &tried, at(0)).is_some());
            forget(&mut attempts);
            assert!(attempts.held_back(&key(), &tried, at(0)).is_none());
        }
        let going = attempts.failed(&key(), "post", tried, Failure::NamespaceGoing, (at(0), 0.0));
        assert_eq!(going, None);
    }
}
