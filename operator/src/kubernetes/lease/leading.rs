//! The half of the election in which this process leads: renewing, losing, giving back.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::{Answer, Election, Ending, Record, Request, State, Step, Stored};

impl Election {
    pub(super) fn poll_leading(&mut self, now: Duration, wall: Timestamp) -> Step {
        let next = self.next;
        let (stored, until, releasing) = match &self.state {
            State::Leading { stored, until, .. } => (stored, *until, false),
            State::Releasing { stored, until } => (stored, *until, true),
            _ => return Step::Wait(now),
        };
        if now >= until {
            return self.over(if releasing { Ending::NotReleased } else { Ending::Expired });
        }
        if now < next {
            return Step::Wait(next.min(until));
        }
        let Some(Stored { record, version }) = stored else { return Step::Get };
        let record = match releasing {
            false => self.record(wall, record.acquired, record.transitions),
            // Without a holder it is free at once; the transition number stays, the next leader counts on from it.
            true => {
                Record { holder: String::new(), renewed: Some(wall), duration_seconds: 1, ..record.clone() }
            }
        };
        Step::Replace(Stored { record, version: version.clone() })
    }

    pub(super) fn answer_leading(&mut self, now: Duration, request: Request, answer: Answer) {
        let releasing = matches!(self.state, State::Releasing { .. });
        match (answer, request.record) {
            (Answer::Read(read), _) => self.check(now, read),
            (Answer::Written(_), Some(record)) if releasing && record.holder.is_empty() => {
                self.state = State::Over(Ending::Stopped);
            }
            (Answer::Written(version), Some(record)) => {
                self.renewed(now, request.sent, Stored { record, version })
            }
            (Answer::Conflict, _) => {
                self.forget();
                self.next = now;
            }
            _ => {
                self.forget();
                self.next = now + self.retry();
            }
        }
    }

    /// The Lease is this process's again for the whole time.
    fn renewed(&mut self, now: Duration, sent: Duration, renewed: Stored) {
        match &mut self.state {
            State::Leading { stored, until, .. } => {
                *stored = Some(renewed);
                *until = sent + self.times.renew_deadline;
                self.next = sent + self.times.retry;
            }
            // Asked to stop while the renewal was under way.
            State::Releasing { stored, .. } => {
                *stored = Some(renewed);
                self.next = now;
            }
            _ => {}
        }
    }

    /// The Lease was read because nobody knew whether the last write had come through.
    fn check(&mut self, now: Duration, read: Option<Stored>) {
        let releasing = matches!(self.state, State::Releasing { .. });
        let me = self.me.to_string();
        let ending = match read {
            Some(read) if read.record.holder == me => {
                if let State::Leading { stored, .. } | State::Releasing { stored, .. } = &mut self.state {
                    *stored = Some(read);
                }
                self.next = now;
                return;
            }
            _ if releasing => Ending::Stopped,
            Some(read) => Ending::TakenBy(read.record.holder),
            None => Ending::LeaseDeleted,
        };
        self.over(ending);
    }

    fn forget(&mut self) {
        if let State::Leading { stored, .. } | State::Releasing { stored, .. } = &mut self.state {
            *stored = None;
        }
    }

    fn over(&mut self, ending: Ending) -> Step {
        self.state = State::Over(ending.clone());
        Step::Over(ending)
    }
}
