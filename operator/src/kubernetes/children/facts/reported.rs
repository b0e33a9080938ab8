//! What was reported about an object: the message of its newest event of certain reasons.

use k8s_openapi::api::core::v1::Event;
use k8s_openapi::jiff::Timestamp;

use crate::kubernetes::children::look::Seen;

/// The longest part of a message that is repeated.
const LONGEST: usize = 500;

/// The message of the newest event of a kind of object with one of the reasons.
pub(super) fn reported(seen: &Seen, kind: &str, reasons: &[&str]) -> Option<String> {
    let fits = |event: &&Event| {
        event.involved_object.kind.as_deref() == Some(kind)
            && event.reason.as_deref().is_some_and(|reason| reasons.contains(&reason))
    };
    let newest = seen.events.iter().filter(fits).max_by_key(|event| time(event))?;
    let message = newest.message.as_deref()?.trim();
    Some(message.char_indices().nth(LONGEST).map_or(message, |(end, _)| &message[..end]).to_owned())
}

/// When an event was last seen, in any of the three places where the versions of the API have it.
fn time(event: &Event) -> Option<Timestamp> {
    let series =
        event.series.as_ref().and_then(|series| series.last_observed_time.as_ref()).map(|time| time.0);
    series
        .or_else(|| event.last_timestamp.as_ref().map(|time| time.0))
        .or_else(|| event.event_time.as_ref().map(|time| time.0))
}
