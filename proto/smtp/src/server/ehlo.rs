//! `EHLO` and `HELO` (RFC 5321 §4.1.1.1): the client introduces itself, the server says what it can do.

use super::envelope::Helo;
use super::{Client, Dialog, Session, State};
use crate::reply::Reply;

impl Session {
    /// `250-` with one keyword a line. A repeated EHLO ends the transaction as RSET does (RFC 5321 §4.1.4).
    pub(super) fn ehlo(&mut self, dialog: Dialog, helo: Helo) -> State {
        self.abandon(dialog);
        let mut lines = vec![
            format!("{} greets {}", self.config.hostname, self.peer.ip),
            // RFC 2920 §2, RFC 1870 §3, RFC 6152 §2, RFC 6531 §3.1, RFC 2034 §3, RFC 3030 §2.
            "PIPELINING".to_owned(),
            format!("SIZE {}", self.config.limits.message_size),
            "8BITMIME".to_owned(),
            "SMTPUTF8".to_owned(),
            "ENHANCEDSTATUSCODES".to_owned(),
            "CHUNKING".to_owned(),
        ];
        // RFC 3207 §4.2: not offered again once it was done.
        if self.config.starttls && self.tls.is_none() {
            lines.push("STARTTLS".to_owned());
        }
        lines.push("HELP".to_owned());
        self.introduce(helo, true, Reply::plain(250, lines.join("\n")))
    }

    /// `250 <domain>`.
    pub(super) fn helo(&mut self, dialog: Dialog, helo: Helo) -> State {
        self.abandon(dialog);
        self.introduce(helo, false, Reply::plain(250, self.config.hostname.clone()))
    }

    fn introduce(&mut self, helo: Helo, esmtp: bool, reply: Reply) -> State {
        self.client = Some(Client { helo, esmtp });
        self.idle(Dialog::Idle, reply)
    }
}
