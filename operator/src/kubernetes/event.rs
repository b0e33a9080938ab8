//! Events (events.k8s.io/v1) on transitions of `Ready`, never on a repetition. What is worth one is decided by [`of`], pure;
//! the recorder of kube-runtime counts equal ones in one object.

use kube_client::Client;
use kube_runtime::events::{Event, EventType, Recorder, Reporter};
use mailwright_crds::kind::API_VERSION;
use mailwright_crds::{Kind, ObjectRef};
use serde_json::Value;

/// Who speaks.
const CONTROLLER: &str = "mailwright.dev/operator";

/// The most octets of a note (events.k8s.io/v1 takes 1,024).
const LONGEST_NOTE: usize = 1000;

/// What an event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Whether somebody should look.
    pub warning: bool,
    /// The reason of `Ready`.
    pub reason: String,
    /// Its message, cut to what an event takes.
    pub note: String,
}

/// What the MailServer tells for all that belongs to it.
const TOLD_ONCE: [&str; 2] = ["DatabaseUnreachable", "PendingApply"];

/// Nobody should look because of it: it is over within a minute or says something else then.
const EXPECTED: &str = "ConfigurationPending";

/// The event of a change of status; `None` when `Ready` says what it said, when a Mailbox or Alias merely became ready, and
/// when it waits for the database as all others: ten thousand of them would be ten thousand events.
pub fn of(kind: Kind, before: &Value, after: &Value) -> Option<Said> {
    let (was, is) = (ready(before), ready(after)?);
    if was.as_ref().is_some_and(|was| was.0 == is.0 && was.1 == is.1) {
        return None;
    }
    let warning = is.0 == "False" && is.1 != EXPECTED;
    let waits = |it: &Ready| it.0 == "False" && TOLD_ONCE.contains(&it.1.as_str());
    let is_wrong = |it: &Ready| it.0 == "False" && !waits(it);
    let told = match kind {
        Kind::MailServer | Kind::MailRepository => true,
        Kind::MailDomain => !waits(&is),
        Kind::Mailbox | Kind::Alias => is_wrong(&is) || (!waits(&is) && was.as_ref().is_some_and(is_wrong)),
    };
    if !told {
        return None;
    }
    let note = if is.2.is_empty() { format!("Ready is {}", is.0) } else { is.2 };
    Some(Said { warning, reason: is.1, note: cut(note) })
}

/// Status, reason and message of `Ready`.
type Ready = (String, String, String);

fn ready(status: &Value) -> Option<Ready> {
    let conditions = status.get("conditions")?.as_array()?;
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready")?;
    let text = |field: &str| ready.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some((text("status"), text("reason"), text("message")))
}

/// What an event takes of a note.
pub fn cut(mut note: String) -> String {
    if note.len() > LONGEST_NOTE {
        let end = (0..=LONGEST_NOTE).rev().find(|&at| note.is_char_boundary(at)).unwrap_or_default();
        note.truncate(end);
        note.push('…');
    }
    note
}

/// What writes the events of this process.
pub fn recorder(client: Client, instance: &str) -> Recorder {
    let reporter = Reporter { controller: CONTROLLER.to_owned(), instance: Some(instance.to_owned()) };
    Recorder::new(client, reporter)
}

/// Tells events to the API server.
#[derive(Clone)]
pub struct Teller {
    recorder: Recorder,
}

impl Teller {
    /// A teller of this process.
    pub fn new(client: Client, instance: &str) -> Teller {
        Teller { recorder: recorder(client, instance) }
    }

    /// Tells one. Events are hints: one that cannot be told is dropped.
    pub async fn tell(&self, object: ObjectRef, uid: String, said: Said) {
        let reference = k8s_openapi::api::core::v1::ObjectReference {
            api_version: Some(API_VERSION.to_owned()),
            kind: Some(object.kind.as_str().to_owned()),
            namespace: Some(object.namespace.to_string()),
            name: Some(object.name.to_string()),
            uid: Some(uid),
            ..Default::default()
        };
        let event = Event {
            type_: if said.warning { EventType::Warning } else { EventType::Normal },
            reason: said.reason,
            note: Some(said.note),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, &reference).await {
            tracing::debug!(%object, %error, "an event could not be told");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(status: &str, reason: &str, message: &str) -> Value {
        json!({"conditions": [
            {"type": "Accepted", "status": "True", "reason": "x"},
            {"type": "Ready", "status": status, "reason": reason, "message": message},
        ]})
    }

    #[test]
    fn only_transitions_are_told() {
        let (good, bad, worse) = (
            status("True", "Reconciled", ""),
            status("False", "Invalid", "why"),
            status("False", "Conflict", "who"),
        );
        let waits = status("False", "DatabaseUnreachable", "no answer");
        let loads = status("False", "ConfigurationPending", "soon");
        for (kind, before, after, expected) in [
            (Kind::Mailbox, &Value::Null, &good, None),
            (Kind::Alias, &Value::Null, &good, None),
            (Kind::MailDomain, &Value::Null, &good, Some((false, "Reconciled", "Ready is True"))),
            (Kind::Mailbox, &good, &good, None),
            (Kind::Mailbox, &good, &bad, Some((true, "Invalid", "why"))),
            (Kind::Mailbox, &Value::Null, &bad, Some((true, "Invalid", "why"))),
            (Kind::Mailbox, &bad, &status("False", "Invalid", "other words"), None),
            (Kind::Mailbox, &bad, &worse, Some((true, "Conflict", "who"))),
            (Kind::Mailbox, &bad, &good, Some((false, "Reconciled", "Ready is True"))),
            (Kind::Mailbox, &good, &Value::Null, None),
            (Kind::Mailbox, &Value::Null, &waits, None),
            (Kind::MailDomain, &good, &waits, None),
            (Kind::Alias, &waits, &good, None),
            (Kind::MailServer, &good, &waits, Some((true, "DatabaseUnreachable", "no answer"))),
            (Kind::MailServer, &good, &loads, Some((false, "ConfigurationPending", "soon"))),
            (Kind::Mailbox, &waits, &bad, Some((true, "Invalid", "why"))),
        ] {
            let said = of(kind, before, after);
            let said = said.as_ref().map(|said| (said.warning, said.reason.as_str(), said.note.as_str()));
            assert_eq!(said, expected, "{kind} {before} {after}");
        }
    }

    #[test]
    fn long_notes_are_cut_between_characters() {
        let said = of(Kind::Alias, &Value::Null, &status("False", "Invalid", &"ü".repeat(900))).unwrap();
        assert!(said.note.len() <= 1024 && said.note.ends_with("ü…"), "{}", said.note.len());
    }
}
