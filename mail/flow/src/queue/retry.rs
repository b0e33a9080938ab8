//! When a recipient is tried again, and when nobody tries any more.
//!
//! RFC 5321 §4.5.4.1: retries are spaced, at least 30 minutes apart once the first attempts failed, and go on for 4–5 days. The
//! first retries here are closer, since most temporary refusals are greylisting, which is over within minutes.

use std::time::Duration;

use super::UnixTime;

/// The schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Until the first retry; doubled for each further one.
    pub first: Duration,
    /// The longest time between two attempts.
    pub ceiling: Duration,
    /// How long a message is tried.
    pub lifetime: Duration,
    /// How long a message of the null sender is tried: nobody waits for its bounce.
    pub null_lifetime: Duration,
    /// After which time the sender is told, once, that the message is late.
    pub delay_warning: Duration,
}

impl Policy {
    /// Greylisting asks for a minute up to five (RFC 6647 §3).
    pub const FIRST: Duration = Duration::from_secs(5 * 60);
    /// Six attempts a day: a host that was away for a weekend gets its mail within hours.
    pub const CEILING: Duration = Duration::from_secs(4 * 3600);
    /// RFC 5321 §4.5.4.1: "at least 4-5 days".
    pub const LIFETIME: Duration = Duration::from_secs(5 * 24 * 3600);
    /// A report that nobody took for a day is of no use any more; forged senders make most of these.
    pub const NULL_LIFETIME: Duration = Duration::from_secs(24 * 3600);
    /// People notice a missing answer within half a day of work.
    pub const DELAY_WARNING: Duration = Duration::from_secs(4 * 3600);

    /// When the queue gives up on a message that it has since `queued`.
    pub fn expires(&self, queued: UnixTime, null_sender: bool) -> UnixTime {
        let lifetime = match null_sender {
            true => self.null_lifetime.min(self.lifetime),
            false => self.lifetime,
        };
        queued.saturating_add(seconds(lifetime))
    }

    /// Whether a recipient that was just deferred is late enough for a warning.
    pub fn is_late(&self, queued: UnixTime, now: UnixTime) -> bool {
        now >= queued.saturating_add(seconds(self.delay_warning))
    }
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            first: Policy::FIRST,
            ceiling: Policy::CEILING,
            lifetime: Policy::LIFETIME,
            null_lifetime: Policy::NULL_LIFETIME,
            delay_warning: Policy::DELAY_WARNING,
        }
    }
}

/// What follows a deferral.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Another attempt.
    At(UnixTime),
    /// The time is over: the recipient failed ([`super::Outcome::expired`]).
    Expired,
}

/// The next attempt after the `attempts`-th one was deferred at `now`. Its time lies in the last quarter of the step, where
/// `jitter` (any number) says, so that what failed together is not tried together for ever. The last attempt is at the
/// end of the lifetime.
pub fn next(policy: &Policy, attempts: u32, now: UnixTime, expires: UnixTime, jitter: u64) -> Next {
    if now >= expires {
        return Next::Expired;
    }
    let step = step(policy, attempts);
    let early = i64::try_from(jitter % (step.unsigned_abs() / 4 + 1)).unwrap_or(0);
    Next::At(now.saturating_add((step - early).max(1)).min(expires))
}

/// Seconds between this attempt and the next, without jitter.
pub fn step(policy: &Policy, attempts: u32) -> i64 {
    let doublings = attempts.saturating_sub(1).min(32);
    let step = seconds(policy.first).saturating_mul(1i64 << doublings);
    step.min(seconds(policy.ceiling)).max(1)
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
