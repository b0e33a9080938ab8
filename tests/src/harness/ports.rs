//! Ports that nobody listens on, so that tests run beside each other and beside a running Mailwright.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::TcpListener;
use std::ops::Range;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::{Mutex, PoisonError};

/// One port per listener of a MailServer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// SMTP, STARTTLS offered.
    pub smtp: u16,
    /// Submission, STARTTLS offered.
    pub submission: u16,
    /// Submission over TLS.
    pub submissions: u16,
    /// IMAP, STARTTLS offered.
    pub imap: u16,
    /// IMAP over TLS.
    pub imaps: u16,
    /// Probes and metrics.
    pub http: u16,
}

impl Ports {
    /// Free ports that this process has not handed out before.
    pub fn free() -> Self {
        Self {
            smtp: free_port(),
            submission: free_port(),
            submissions: free_port(),
            imap: free_port(),
            imaps: free_port(),
            http: free_port(),
        }
    }

    /// The `listeners` of a MailServer, indented to stand under `spec:`.
    pub fn listeners(&self) -> String {
        let Self { smtp, submission, submissions, imap, imaps, http } = self;
        format!(
            "  listeners:\n    smtp: {{port: {smtp}}}\n    submission: {{port: {submission}}}\n    submissions: {{port: \
             {submissions}}}\n    imap: {{port: {imap}}}\n    imaps: {{port: {imaps}}}\n    http: {{port: {http}}}\n"
        )
    }
}

/// Above the usual ports of daemons, below those of NodePorts and those that the system gives to connections on their way out: a
/// connection of somebody else is nowhere in the way when the port is opened a moment later.
const RANGE: Range<u16> = 12_000..30_000;

/// A port of loopback that nobody listens on, and that no other test of this network namespace is given while this process lives.
///
/// # Panics
/// When all are taken.
pub fn free_port() -> u16 {
    static HELD: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());
    let start = RandomState::new().build_hasher().finish() % u64::from(RANGE.end - RANGE.start);
    let start = RANGE.start + u16::try_from(start).unwrap_or_default();
    let (port, held) = (start..RANGE.end)
        .chain(RANGE.start..start)
        .find_map(|port| Some((port, hold(port)?)))
        .expect("a free port on loopback");
    HELD.lock().unwrap_or_else(PoisonError::into_inner).push(held);
    port
}

/// An abstract name is free again when the process that bound it is gone, however it went.
fn hold(port: u16) -> Option<UnixListener> {
    let name = SocketAddr::from_abstract_name(format!("mailwright-port-{port}")).ok()?;
    let held = UnixListener::bind_addr(&name).ok()?;
    TcpListener::bind(("127.0.0.1", port)).is_ok().then_some(held)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_port_is_handed_out_twice() {
        let ports: BTreeSet<u16> = (0..50).map(|_| free_port()).collect();
        assert_eq!(ports.len(), 50);
        assert!(ports.iter().all(|port| hold(*port).is_none()), "nor to anybody else");
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_not_handed_out() {
        let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        assert!(hold(taken.local_addr().unwrap().port()).is_none());
    }
}
