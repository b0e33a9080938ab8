//! The explanation as text: each object with its state, what is wrong below it, and at the end the next step for the
//! deepest fault, since what lies above only waits for that. Pure.

use mailwright_crds::Kind;
use serde_json::Value;

use super::advice::next_step;
use super::pod::{Fault, fault_of};
use super::title;
use crate::cluster::objects::text;
use crate::cluster::status::ready;

/// Warnings that are shown of each object: the last ones.
const EVENTS: usize = 3;

/// One of our objects on the way.
pub struct Link {
    /// Its kind.
    pub kind: Kind,
    /// The object.
    pub object: Value,
    /// What happened to it, the newest last.
    pub events: Vec<Value>,
    /// What runs it.
    pub parts: Vec<Part>,
    /// What it depends on and is not there.
    pub missing: Option<String>,
}

/// A Kubernetes object that runs a MailServer.
pub struct Part {
    /// What it is called here.
    pub word: &'static str,
    /// Its name.
    pub name: String,
    /// The object, if it is there.
    pub object: Option<Value>,
    /// What happened to it, the newest last.
    pub events: Vec<Value>,
}

/// The text, and whether the first object is Ready.
pub fn explain(chain: &[Link]) -> (String, bool) {
    let mut lines = Vec::new();
    let mut step = None;
    for (depth, link) in chain.iter().enumerate() {
        let (status, reason, message) = ready(&link.object);
        let well = status == "True";
        let state = if well { "is Ready".to_owned() } else { format!("is not Ready: {reason}") };
        let indent = "   ".repeat(depth.saturating_sub(1));
        let branch = if depth == 0 { String::new() } else { format!("{indent}└─ ") };
        lines.push(format!("{branch}{} {state}", title(link.kind, &link.object)));
        let indent = "   ".repeat(depth) + "  ";
        if !well {
            push(&mut lines, &indent, message);
            let others = others(&link.object);
            for other in &others {
                push(&mut lines, &indent, &other.line(message));
            }
            warnings(&mut lines, &indent, &link.events, message);
            let reasons = std::iter::once(reason).chain(others.iter().map(|other| other.reason));
            step = reasons.into_iter().find_map(|reason| next_step(link.kind, &link.object, reason)).or(step);
        }
        if let Some(missing) = &link.missing {
            push(&mut lines, &indent, missing);
        }
        let faults: Vec<(&Part, Fault)> = link
            .parts
            .iter()
            .filter_map(|part| Some((part, fault_of(part.word, &part.name, part.object.as_ref())?)))
            .collect();
        for (part, fault) in &faults {
            push(&mut lines, &indent, &format!("{} {}: {}", part.word, part.name, fault.says));
            warnings(&mut lines, &format!("{indent}  "), &part.events, message);
        }
        if !well {
            step = root(&faults).map(|fault| fault.advice.clone()).or(step);
        }
    }
    let well = chain.first().is_some_and(|link| ready(&link.object).0 == "True");
    if let Some(step) = step.filter(|_| !well) {
        lines.push(format!("\nNext: {step}"));
    }
    (lines.join("\n") + "\n", well)
}

/// A condition beside Ready that is not as it should be.
struct Other<'a> {
    type_: &'a str,
    status: &'a str,
    reason: &'a str,
    message: &'a str,
}

impl Other<'_> {
    fn line(&self, said: &str) -> String {
        let Other { type_, status, reason, message } = self;
        let message = if *message == said { String::new() } else { format!(": {message}") };
        format!("{type_} is {status}: {reason}{message}")
    }
}

fn others(object: &Value) -> Vec<Other<'_>> {
    let conditions = object["status"]["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    let wrong = conditions.iter().filter(|condition| {
        let (type_, status) = (text(condition, "/type"), text(condition, "/status"));
        // These are bad when they are true.
        let abnormal = matches!(type_, "Stalled" | "Conflict" | "DeletionBlocked");
        let good = if abnormal { "False" } else { "True" };
        !matches!(type_, "Ready" | "Reconciling") && status != good
    });
    let other = |condition| Other {
        type_: text(condition, "/type"),
        status: text(condition, "/status"),
        reason: text(condition, "/reason"),
        message: text(condition, "/message"),
    };
    wrong.map(other).collect()
}

/// The fault that the others come from: that of the pod, unless the pod waits for its volume.
fn root<'a>(faults: &'a [(&Part, Fault)]) -> Option<&'a Fault> {
    let of = |word: &str| faults.iter().find(|(part, _)| part.word == word).map(|(_, fault)| fault);
    let waits = of("pod").is_some_and(|fault| fault.says.contains("PersistentVolumeClaim"));
    let claim = of("volume claim").filter(|_| waits);
    claim.or_else(|| faults.first().map(|(_, fault)| fault))
}

/// The last warnings, without what `said` says already and without repetitions.
fn warnings(lines: &mut Vec<String>, indent: &str, events: &[Value], said: &str) {
    let mut warnings: Vec<&Value> = Vec::new();
    for event in events.iter().filter(|event| event["type"] == "Warning" && text(event, "/message") != said) {
        warnings.retain(|other| text(other, "/message") != text(event, "/message"));
        warnings.push(event);
    }
    for event in warnings.iter().skip(warnings.len().saturating_sub(EVENTS)) {
        let (reason, message) = (text(event, "/reason"), text(event, "/message"));
        push(lines, indent, &format!("event {} {reason}: {message}", time_of(event)));
    }
}

/// When an event happened last.
pub fn time_of(event: &Value) -> &str {
    let places = ["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"];
    places.into_iter().map(|place| text(event, place)).find(|time| !time.is_empty()).unwrap_or_default()
}

/// Adds text whose line breaks are kept within the indentation.
fn push(lines: &mut Vec<String>, indent: &str, text: &str) {
    lines.extend(text.lines().map(|line| format!("{indent}{line}")));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn link(kind: Kind, name: &str, reason: &str, message: &str) -> Link {
        let status = if reason == "Reconciled" { "True" } else { "False" };
        let object = json!({
            "metadata": {"namespace": "mail", "name": name, "generation": 1},
            "status": {"observedGeneration": 1, "conditions": [
                {"type": "Ready", "status": status, "reason": reason, "message": message},
                {"type": "Conflict", "status": "False", "reason": "NoConflict", "message": ""},
            ]},
        });
        Link { kind, object, events: Vec::new(), parts: Vec::new(), missing: None }
    }

    #[test]
    fn what_is_ready_is_said_with_what_it_rests_on() {
        let chain = [
            link(Kind::MailDomain, "example", "Reconciled", ""),
            link(Kind::MailServer, "main", "Reconciled", ""),
        ];
        let (text, well) = explain(&chain);
        assert!(well);
        assert_eq!(text, "maildomain mail/example is Ready\n└─ mailserver mail/main is Ready\n");
    }

    #[test]
    fn the_deepest_fault_gives_the_next_step() {
        let event = json!({"type": "Warning", "reason": "FailedScheduling", "message": "0/1 nodes", "lastTimestamp": "T"});
        let normal = json!({"type": "Normal", "reason": "Pulled", "message": "x"});
        let pod = json!({"status": {"conditions": [
            {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"},
        ]}});
        let part =
            Part { word: "pod", name: "main-0".to_owned(), object: Some(pod), events: vec![normal, event] };
        let chain = [
            link(Kind::Mailbox, "alice", "DependencyNotReady", "its MailDomain is not Ready"),
            link(Kind::MailDomain, "example", "DependencyNotReady", "its MailServer is not Ready"),
            Link {
                parts: vec![part],
                ..link(Kind::MailServer, "main", "PodNotReady", "the pod is not ready\nfor 3 min")
            },
        ];
        let (text, well) = explain(&chain);
        assert!(!well);
        assert_eq!(
            text,
            "mailbox mail/alice is not Ready: DependencyNotReady\n\
             \x20 its MailDomain is not Ready\n\
             └─ maildomain mail/example is not Ready: DependencyNotReady\n\
             \x20    its MailServer is not Ready\n\
             \x20  └─ mailserver mail/main is not Ready: PodNotReady\n\
             \x20       the pod is not ready\n\
             \x20       for 3 min\n\
             \x20       pod main-0: no node takes it: 0/1 nodes are available\n\
             \x20         event T FailedScheduling: 0/1 nodes\n\
             \n\
             Next: compare spec.template (resources, nodeSelector, tolerations, affinity) with `kubectl describe nodes`\n"
        );
    }

    #[test]
    fn a_pod_that_waits_for_its_volume_is_not_the_root() {
        let part = |word: &'static str, object: Value| Part {
            word,
            name: "main-0".to_owned(),
            object: Some(object),
            events: Vec::new(),
        };
        let pod = |message: &str| {
            let condition = json!({"type": "PodScheduled", "status": "False", "message": message});
            part("pod", json!({"status": {"conditions": [condition]}}))
        };
        let claim = || part("volume claim", json!({"status": {"phase": "Pending"}}));
        for (message, next) in [
            ("0/1 nodes: Insufficient cpu", "compare spec.template"),
            ("pod has unbound immediate PersistentVolumeClaims", "`kubectl get storageclass`"),
        ] {
            let server = Link {
                parts: vec![pod(message), claim()],
                ..link(Kind::MailServer, "main", "DependencyNotReady", "waiting")
            };
            let (text, _) = explain(&[server]);
            assert!(text.contains(&format!("\nNext: {next}")), "{text}");
        }
    }

    #[test]
    fn nothing_is_said_twice() {
        let event =
            |message: &str| json!({"type": "Warning", "reason": "R", "message": message, "eventTime": "t"});
        let mut alice = link(Kind::Mailbox, "alice", "Invalid", "wrong");
        alice.events = vec![event("wrong"), event("other"), event("other")];
        alice.object["status"]["conditions"][1] =
            json!({"type": "Accepted", "status": "False", "reason": "Invalid", "message": "wrong"});
        let (text, _) = explain(&[alice]);
        assert_eq!(text.matches("wrong").count(), 1, "{text}");
        assert_eq!(text.matches("other").count(), 1, "{text}");
        assert!(text.contains("  Accepted is False: Invalid\n"), "{text}");
    }

    #[test]
    fn a_fault_of_its_own_is_not_blamed_on_what_is_well() {
        let alice = Link { missing: None, ..link(Kind::Mailbox, "alice", "Suspended", "it is suspended") };
        let (text, _) = explain(&[alice, link(Kind::MailDomain, "example", "Reconciled", "")]);
        assert!(
            text.ends_with("Next: kubectl annotate -n mail mailbox/alice mailwright.dev/reconcile-\n"),
            "{text}"
        );
    }

    #[test]
    fn other_conditions_are_told_by_their_polarity() {
        let mut alice = link(Kind::Mailbox, "alice", "Invalid", "wrong");
        alice.object["status"]["conditions"] = json!([
            {"type": "Ready", "status": "False", "reason": "Invalid", "message": "wrong"},
            {"type": "Accepted", "status": "True", "reason": "Reconciled", "message": ""},
            {"type": "CredentialsReady", "status": "False", "reason": "SecretNotFound", "message": "no Secret"},
            {"type": "Conflict", "status": "True", "reason": "DuplicateAddress", "message": "twice"},
            {"type": "Stalled", "status": "True", "reason": "Invalid", "message": "s"},
        ]);
        let (text, _) = explain(&[alice]);
        assert!(!text.contains("Accepted"), "{text}");
        for line in [
            "CredentialsReady is False: SecretNotFound: no Secret",
            "Conflict is True: DuplicateAddress: twice",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        let alice = Link {
            missing: Some("no MailDomain declares example.test".to_owned()),
            ..link(Kind::Mailbox, "alice", "DomainNotFound", "no domain")
        };
        let (text, _) = explain(&[alice]);
        assert!(text.contains("  no MailDomain declares example.test\n"), "{text}");
        assert!(text.contains("Next: declare a MailDomain"), "{text}");
    }

    #[test]
    fn a_reason_without_a_step_leaves_it_to_another_condition() {
        let mut alice = link(Kind::Mailbox, "alice", "DependencyNotReady", "it is not accepted");
        alice.object["status"]["conditions"][1] = json!({"type": "Accepted", "status": "False", "reason": "DomainNotFound", "message": "no domain"});
        let (text, _) = explain(&[alice]);
        assert!(text.contains("Next: declare a MailDomain"), "{text}");
    }

    #[test]
    fn only_the_last_warnings_are_shown() {
        let event =
            |n: usize| json!({"type": "Warning", "reason": "R", "message": n.to_string(), "eventTime": "t"});
        let alice =
            Link { events: (0..9).map(event).collect(), ..link(Kind::Mailbox, "alice", "Invalid", "wrong") };
        let (text, _) = explain(&[alice]);
        assert_eq!(text.matches("event t R").count(), EVENTS);
        assert!(text.contains("R: 8") && !text.contains("R: 5"), "{text}");
    }
}
