//! Ports that nobody listens on, so that tests run beside each other and beside a running Mailwright.

use std::collections::BTreeSet;
use std::net::TcpListener;
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

/// A port that the system says is free now.
pub fn free_port() -> u16 {
    static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port on loopback");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        if taken.insert(port) {
            return port;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_handed_out_twice() {
        let ports: BTreeSet<u16> = (0..50).map(|_| free_port()).collect();
        assert_eq!(ports.len(), 50);
    }
}
