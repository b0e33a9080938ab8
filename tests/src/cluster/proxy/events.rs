//! The events of a watch, line by line, and what a fault makes of them. Pure.

use super::rule::Fault;
use serde_json::{Value, json};
use std::time::Duration;

/// What is to be done next with the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Waits.
    Wait(Duration),
    /// Sends this line, its end included.
    Send(Vec<u8>),
    /// Ends the watch.
    End,
}

/// How one watch is treated.
#[derive(Debug)]
pub struct Events {
    fault: Option<Fault>,
    seen: usize,
}

/// For so long everything is lost before the watch says so.
const BLIND: Duration = Duration::from_millis(500);

impl Events {
    /// For one watch.
    pub fn new(fault: Option<Fault>) -> Events {
        Events { fault, seen: 0 }
    }

    /// What becomes of one line.
    pub fn line(&mut self, line: &[u8]) -> Vec<Step> {
        let is_change = is_change(line);
        self.seen += usize::from(is_change);
        let send = Step::Send(line.to_vec());
        match self.fault {
            Some(Fault::RepeatEvents) if is_change => vec![send.clone(), send],
            Some(Fault::DelayEvents(time)) => vec![Step::Wait(time), send],
            Some(Fault::LoseEvents(after)) if is_change && self.seen > after => {
                vec![Step::Wait(BLIND), Step::Send(gone()), Step::End]
            }
            _ => vec![send],
        }
    }
}

fn is_change(line: &[u8]) -> bool {
    kind(line).is_some_and(|kind| ["ADDED", "MODIFIED", "DELETED"].contains(&kind.as_str()))
}

fn kind(line: &[u8]) -> Option<String> {
    Some(serde_json::from_slice::<Value>(line).ok()?["type"].as_str()?.to_owned())
}

/// Whether this is the bookmark that ends the initial state of a streaming list, and the version that it says.
pub fn initial_end(line: &[u8]) -> Option<String> {
    let event: Value = serde_json::from_slice(line).ok()?;
    let metadata = &event["object"]["metadata"];
    let ends = event["type"] == "BOOKMARK" && metadata["annotations"]["k8s.io/initial-events-end"] == "true";
    ends.then(|| metadata["resourceVersion"].as_str().map(str::to_owned)).flatten()
}

/// The event that says that the server no longer knows what the client has missed.
fn gone() -> Vec<u8> {
    let status = status(410, "Expired", "too old resource version");
    format!("{}\n", json!({"type": "ERROR", "object": status})).into_bytes()
}

/// An answer of the API server that refuses.
pub fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": format!("{message} (injected)"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: &str, name: &str) -> Vec<u8> {
        format!("{}\n", json!({"type": kind, "object": {"metadata": {"name": name}}})).into_bytes()
    }

    /// What is sent of four events, by name, with `-` for a wait and `!` for the error.
    fn check(fault: Option<Fault>, expected: &str) {
        let mut events = Events::new(fault);
        let lines = [line("ADDED", "a"), line("MODIFIED", "b"), line("BOOKMARK", "c"), line("DELETED", "d")];
        let mut seen = String::new();
        for step in lines.iter().flat_map(|line| events.line(line)) {
            match step {
                Step::Wait(_) => seen.push('-'),
                Step::End => return assert_eq!(seen, expected, "{fault:?}"),
                Step::Send(line) => {
                    let event: Value = serde_json::from_slice(&line).unwrap();
                    let name = event["object"]["metadata"]["name"].as_str().unwrap_or("!");
                    seen.push_str(if event["object"]["code"] == 410 { "!" } else { name });
                }
            }
        }
        assert_eq!(seen, expected, "{fault:?}");
    }

    #[test]
    fn each_fault_leaves_its_mark() {
        check(None, "abcd");
        check(Some(Fault::RepeatEvents), "aabbcdd");
        check(Some(Fault::DelayEvents(Duration::from_secs(1))), "-a-b-c-d");
        check(Some(Fault::LoseEvents(1)), "a-!");
        check(Some(Fault::LoseEvents(0)), "-!");
        check(Some(Fault::LoseEvents(9)), "abcd");
    }

    #[test]
    fn the_end_of_a_streaming_list_is_told() {
        let annotated = json!({"k8s.io/initial-events-end": "true"});
        let event = |kind: &str, annotations: &Value| {
            let metadata = json!({"resourceVersion": "17", "annotations": annotations});
            json!({"type": kind, "object": {"metadata": metadata}}).to_string().into_bytes()
        };
        assert_eq!(initial_end(&event("BOOKMARK", &annotated)), Some("17".to_owned()));
        assert_eq!(initial_end(&event("BOOKMARK", &json!({}))), None);
        assert_eq!(initial_end(&event("ADDED", &annotated)), None);
        assert_eq!(initial_end(b"no JSON"), None);
    }
}
