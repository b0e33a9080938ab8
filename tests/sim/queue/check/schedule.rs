//! Retries follow the schedule of mail/flow: never early, never later than the step allows, never beyond the end of the lifetime.

use std::collections::BTreeMap;

use mailwright_flow::queue::{Policy, retry};
use mailwright_store::{QueueEntry, RecipientId, UnixTime};

/// Watches the queue from pass to pass.
pub struct Watch {
    policy: Policy,
    attempts: BTreeMap<RecipientId, u32>,
}

impl Watch {
    /// Of a history that begins.
    pub fn new(policy: Policy) -> Watch {
        Watch { policy, attempts: BTreeMap::new() }
    }

    /// Looks at the queue after a pass.
    pub fn look(&mut self, seed: u64, now: UnixTime, queue: &[QueueEntry]) {
        for (message, recipient) in
            queue.iter().flat_map(|entry| entry.recipients.iter().map(|r| (&entry.message, r)))
        {
            let place = format!("seed {seed}: at {now} {} {recipient:?}", message.trace);
            assert!(recipient.next_attempt > now, "{place}: due, and left in the queue");
            assert!(recipient.next_attempt <= message.expires, "{place}: beyond its lifetime");
            let lifetime = self.policy.expires(0, message.reverse_path.is_empty());
            assert_eq!(message.expires - message.queued_at, lifetime, "{place}");
            let before = self.attempts.insert(recipient.id, recipient.attempts).unwrap_or(0);
            if recipient.attempts > before {
                assert_eq!(recipient.attempts, before + 1, "{place}: tried twice at once");
                let step = retry::step(&self.policy, recipient.attempts);
                let wait = recipient.next_attempt - now;
                let last = recipient.next_attempt == message.expires;
                assert!(wait <= step && (last || wait >= step - step / 4), "{place}: waits {wait} of {step}");
            }
        }
    }
}
