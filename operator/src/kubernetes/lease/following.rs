//! The half of the election in which somebody else leads, or nobody: when to look, and when to take over.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::{Answer, Election, FIRST_TERM_EPOCH, Record, Request, State, Step, Stored};

impl Election {
    pub(super) fn poll_following(&mut self, now: Duration, wall: Timestamp) -> Step {
        let State::Following { decided, .. } = &mut self.state else { return Step::Wait(now) };
        if std::mem::replace(decided, true) {
            return if now < self.next { Step::Wait(self.next) } else { Step::Get };
        }
        // The Lease was read just now.
        let step = self.take_over(now, wall);
        let expires = self.expires();
        step.unwrap_or_else(|| {
            let mut next = now + self.retry();
            if let Some(expires) = expires.filter(|expires| *expires > now) {
                next = next.min(expires);
            }
            self.next = next;
            Step::Wait(next)
        })
    }

    pub(super) fn answer_following(&mut self, now: Duration, request: Request, answer: Answer) {
        match (answer, request.record) {
            (Answer::Read(read), _) => self.saw(now, read),
            (Answer::Written(version), Some(record)) => {
                let until = request.sent + self.times.renew_deadline;
                self.next = request.sent + self.times.retry;
                let term = u64::try_from(record.transitions).unwrap_or(0);
                self.state = State::Leading { stored: Some(Stored { record, version }), term, until };
            }
            _ => self.next = now + self.retry(),
        }
    }

    /// Remembers what the Lease says, and since when it says that.
    fn saw(&mut self, now: Duration, read: Option<Stored>) {
        let State::Following { seen, current, decided } = &mut self.state else { return };
        if let Some(read) = &read
            && seen.as_ref().is_none_or(|(before, _)| before.record != read.record)
        {
            *seen = Some((read.clone(), now));
        }
        *current = read;
        *decided = false;
    }

    /// The write by which this process becomes the leader, if nobody leads.
    fn take_over(&self, now: Duration, wall: Timestamp) -> Option<Step> {
        let State::Following { seen, current, .. } = &self.state else { return None };
        let first =
            i32::try_from(wall.as_second().saturating_sub(FIRST_TERM_EPOCH)).unwrap_or(i32::MAX).max(0);
        let Some(current) = current else {
            // Somebody deleted it: whoever held it may still believe to lead for as long as it said.
            let waits = self.expires().is_some_and(|expires| now < expires);
            let last = seen.as_ref().map_or(0, |(stored, _)| stored.record.transitions.saturating_add(1));
            return (!waits).then(|| Step::Create(self.record(wall, None, first.max(last))));
        };
        let record = &current.record;
        let replace =
            |record: Record| Some(Step::Replace(Stored { record, version: current.version.clone() }));
        if record.holder == self.me.to_string() {
            // A take-over of this process whose answer was lost.
            return replace(self.record(wall, record.acquired, record.transitions));
        }
        let free = record.holder.is_empty() || self.me.succeeds(&record.holder);
        let expired = self.expires().is_none_or(|expires| now >= expires);
        let next_term = record.transitions.max(0).saturating_add(1);
        (free || expired).then(|| replace(self.record(wall, None, next_term))).flatten()
    }

    /// When the holder that was seen last is dead, by this process's clock.
    fn expires(&self) -> Option<Duration> {
        let State::Following { seen: Some((stored, at)), .. } = &self.state else { return None };
        let given_back = stored.record.holder.is_empty();
        (!given_back).then(|| *at + stored.record.duration().max(self.times.duration))
    }
}
