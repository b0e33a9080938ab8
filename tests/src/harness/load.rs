//! People who send numbered messages while something happens to the server, trying again as a mail server does, and somebody
//! who looks on. Owns sending, noting and counting; leaves out how a connection is made and what happens meanwhile.

use super::wire::Wire;
use std::collections::BTreeMap;
use std::io::Result;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two attempts that fail.
const AGAIN: Duration = Duration::from_millis(20);

/// What came of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// 250 after the message.
    Accepted,
    /// Refused, or the connection ended, before the message was complete: it is sent again.
    Refused,
    /// The message was complete and nothing was said: nobody knows. It is sent again, as RFC 5321 §4.5.4.2 wants it.
    Doubt,
}

/// Where messages go, and how.
pub struct Route<'a> {
    /// The sender.
    pub from: &'a str,
    /// The recipients.
    pub to: &'a [&'a str],
    /// A session in which MAIL may be said.
    pub open: &'a (dyn Fn() -> Result<Wire> + Sync),
    /// Between two messages.
    pub pause: Duration,
}

/// What was sent so far.
#[derive(Default)]
pub struct Load {
    stop: AtomicBool,
    accepted: Mutex<Vec<(Instant, String)>>,
    doubted: Mutex<Vec<String>>,
    refused: AtomicUsize,
}

impl Load {
    /// Sends `<who>-0`, `<who>-1` and so on until told to stop, each until it is accepted.
    pub fn keep_sending(&self, who: &str, route: &Route<'_>) {
        let mut number = 0;
        while !self.is_over() {
            let id = format!("{who}-{number}");
            match send(route, &id) {
                End::Accepted => {
                    self.accepted.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), id));
                    number += 1;
                    std::thread::sleep(route.pause);
                }
                End::Refused => {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(AGAIN);
                }
                End::Doubt => self.doubted.lock().unwrap_or_else(PoisonError::into_inner).push(id),
            }
        }
    }

    /// Looks at the INBOX of `login` until told to stop; being sent away is no error, mail that is gone is.
    pub fn keep_reading(&self, login: &str, open: impl Fn() -> Result<Wire>) {
        let mut seen = 0;
        while !self.is_over() {
            let _ = open().and_then(|imap| self.look(imap, login, &mut seen));
            std::thread::sleep(AGAIN);
        }
    }

    fn look(&self, mut imap: Wire, login: &str, seen: &mut usize) -> Result<()> {
        imap.line()?;
        imap.imap("l", &format!("LOGIN {login}"))?;
        while !self.is_over() {
            let answer = imap.imap("s", "SELECT INBOX")?;
            let exists = answer.lines().find_map(|line| line.strip_prefix("* ")?.strip_suffix(" EXISTS"));
            let exists: usize = exists.and_then(|count| count.parse().ok()).unwrap_or(*seen);
            assert!(exists >= *seen, "mail that was seen is gone: {exists} after {seen}");
            *seen = exists;
            std::thread::sleep(AGAIN);
        }
        Ok(())
    }

    /// Ends sending and reading after what is under way.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// How many were accepted.
    pub fn count(&self) -> usize {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// How many attempts were sent away.
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    /// Those that were complete and met with silence: at least once is all that can be said of them.
    pub fn doubted(&self) -> Vec<String> {
        self.doubted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was accepted and whose number starts with `who`, each once.
    pub fn accepted(&self, who: &str) -> BTreeMap<String, usize> {
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        counted(accepted.iter().map(|(_, id)| id.as_str()).filter(|id| id.starts_with(who)))
    }

    /// The longest time in which nothing was accepted.
    pub fn longest_gap(&self) -> Duration {
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        longest_gap(accepted.iter().map(|(at, _)| *at).collect())
    }
}

/// Sends one message; answers how it ended.
fn send(route: &Route<'_>, id: &str) -> End {
    let Ok(mut wire) = (route.open)() else { return End::Refused };
    let mut commands = vec![format!("MAIL FROM:<{}>", route.from)];
    commands.extend(route.to.iter().map(|to| format!("RCPT TO:<{to}>")));
    for command in commands.iter().map(String::as_str).chain(["DATA"]) {
        match wire.smtp(command) {
            Ok(reply) if reply.starts_with(['2', '3']) => {}
            _ => return End::Refused,
        }
    }
    let head = format!("From: {}\r\nSubject: {id}\r\n\r\n", route.from);
    for piece in [head.as_str(), &"Hello.\r\n".repeat(2000), "Goodbye.\r\n"] {
        if wire.send(piece.as_bytes()).is_err() {
            return End::Refused;
        }
        // Slow enough for a signal to come in the middle.
        std::thread::sleep(Duration::from_millis(3));
    }
    match wire.smtp(".") {
        Ok(reply) if reply.starts_with("250") => End::Accepted,
        Ok(_) => End::Refused,
        Err(_) => End::Doubt,
    }
}

/// How often each message is in the INBOX of `login`.
///
/// # Panics
/// When it cannot be read.
pub fn subjects(mut imap: Wire, login: &str) -> BTreeMap<String, usize> {
    imap.line().expect("a greeting");
    imap.imap("l", &format!("LOGIN {login}")).expect("a login");
    imap.imap("s", "SELECT INBOX").expect("an INBOX");
    let answer = imap.imap("f", "FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]").expect("the subjects");
    counted(answer.lines().filter_map(|line| line.strip_prefix("Subject: ")))
}

/// How often each is there.
pub fn counted<'a>(subjects: impl Iterator<Item = &'a str>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for subject in subjects {
        *counts.entry(subject.trim().to_owned()).or_insert(0) += 1;
    }
    counts
}

fn longest_gap(mut times: Vec<Instant>) -> Duration {
    times.sort_unstable();
    times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{PATIENCE, Sink, wait_for, wire};

    #[test]
    fn the_longest_gap_is_that_of_the_times_in_order() {
        let start = Instant::now();
        let times = |seconds: &[u64]| seconds.iter().map(|more| start + Duration::from_secs(*more)).collect();
        for (seconds, expected) in
            [(&[][..], 0), (&[5], 0), (&[0, 1, 4, 6], 3), (&[6, 0, 4, 1], 3), (&[2, 2], 0)]
        {
            assert_eq!(longest_gap(times(seconds)), Duration::from_secs(expected), "{seconds:?}");
        }
    }

    #[test]
    fn what_is_sent_is_counted_and_what_is_refused_is_sent_again() {
        let sink = Sink::start("nobody");
        let load = Load::default();
        let open = || wire::smtp(sink.port);
        let nowhere = || Err(std::io::Error::other("nobody listens"));
        let route = |open| Route { from: "a@example.org", to: &["b@example.test"], open, pause: AGAIN };
        std::thread::scope(|scope| {
            scope.spawn(|| load.keep_sending("in", &route(&open)));
            scope.spawn(|| load.keep_sending("out", &route(&nowhere)));
            wait_for("some mail", PATIENCE, || (load.count() >= 3 && load.refused() >= 3).then_some(()));
            load.stop();
        });
        let taken = sink.taken();
        assert_eq!(counted(taken.iter().filter_map(super::super::Taken::subject)), load.accepted("in"));
        assert!(load.accepted("out").is_empty() && load.doubted().is_empty());
    }
}
