//! `EHLO`, `HELO` (RFC 5321 §4.1.1.1) and `LHLO` (RFC 2033 §4.1): the client introduces itself, the server says what it can do.

use super::envelope::Helo;
use super::{Client, Dialog, Kind, Session, State};
use crate::reply::{Enhanced, Reply};

impl Session {
    /// `250-` with one keyword a line. A repeated EHLO ends the transaction as RSET does (RFC 5321 §4.1.4).
    pub(super) fn ehlo(&mut self, dialog: Dialog, helo: Helo) -> State {
        if self.config.kind == Kind::Lmtp {
            return self.bad(dialog, Reply::new(500, Enhanced(5, 5, 1), "this is LMTP, say LHLO"));
        }
        self.offer(dialog, helo)
    }

    /// The same in LMTP, where EHLO and HELO are unknown (RFC 2033 §4.1).
    pub(super) fn lhlo(&mut self, dialog: Dialog, helo: Helo) -> State {
        if self.config.kind != Kind::Lmtp {
            return self.bad(dialog, Reply::new(500, Enhanced(5, 5, 1), "command not recognized"));
        }
        self.offer(dialog, helo)
    }

    fn offer(&mut self, dialog: Dialog, helo: Helo) -> State {
        self.abandon(dialog);
        let mut lines = vec![
            format!("{} greets {}", self.config.hostname, self.peer.ip),
            // RFC 2920 §2, RFC 1870 §3, RFC 6152 §2, RFC 6531 §3.1, RFC 2034 §3, RFC 3030 §2.
            "PIPELINING".to_owned(),
            format!("SIZE {}", self.config.limits.message_size),
            "8BITMIME".to_owned(),
            "SMTPUTF8".to_owned(),
            "ENHANCEDSTATUSCODES".to_owned(),
        ];
        if self.config.kind != Kind::Lmtp {
            lines.push("CHUNKING".to_owned());
        }
        // RFC 3461 §3, RFC 4954 §3.
        if self.config.dsn {
            lines.push("DSN".to_owned());
        }
        let mechanisms = self.mechanisms();
        if !mechanisms.is_empty() {
            lines.push(format!("AUTH {}", mechanisms.join(" ")));
        }
        // RFC 3207 §4.2: not offered again once it was done.
        if self.config.starttls && self.tls.is_none() {
            lines.push("STARTTLS".to_owned());
        }
        lines.push("HELP".to_owned());
        self.introduce(helo, true, Reply::plain(250, lines.join("\n")))
    }

    /// `250 <domain>`.
    pub(super) fn helo(&mut self, dialog: Dialog, helo: Helo) -> State {
        if self.config.kind == Kind::Lmtp {
            return self.bad(dialog, Reply::new(500, Enhanced(5, 5, 1), "this is LMTP, say LHLO"));
        }
        self.abandon(dialog);
        self.introduce(helo, false, Reply::plain(250, self.config.hostname.clone()))
    }

    fn introduce(&mut self, helo: Helo, esmtp: bool, reply: Reply) -> State {
        self.client = Some(Client { helo, esmtp });
        self.idle(Dialog::Idle, reply)
    }
}
