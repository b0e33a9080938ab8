//! What a client switched on with ENABLE (RFC 5161 §3.1) or by using it: a session's way to speak.

/// Extensions that change what the server sends without being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Modes {
    /// MODSEQ in every FETCH that tells of a change (RFC 7162 §3.1).
    pub condstore: bool,
    /// VANISHED instead of EXPUNGE (RFC 7162 §3.2.10).
    pub qresync: bool,
    /// IMAP4rev2 (RFC 9051 §6.3.1): ESEARCH, no RECENT.
    pub rev2: bool,
    /// UTF8=ACCEPT (RFC 6855 §3): names and strings in UTF-8.
    pub utf8: bool,
}

impl Modes {
    /// Switches an extension on by its name in upper case; its name for ENABLED, or `None` where it is not known.
    pub(super) fn enable(&mut self, name: &str) -> Option<&'static str> {
        match name {
            "CONDSTORE" => self.condstore = true,
            // "ENABLE QRESYNC" is a CONDSTORE enabling command, too (RFC 7162 §3.2.3).
            "QRESYNC" => (self.condstore, self.qresync) = (true, true),
            "IMAP4REV2" => self.rev2 = true,
            // UTF8=ONLY is for servers that take nothing else (RFC 6855 §6).
            "UTF8=ACCEPT" => self.utf8 = true,
            _ => return None,
        }
        Some(match name {
            "CONDSTORE" => "CONDSTORE",
            "QRESYNC" => "QRESYNC",
            "UTF8=ACCEPT" => "UTF8=ACCEPT",
            _ => "IMAP4rev2",
        })
    }

    /// Whether mailbox names travel in UTF-8 rather than in modified UTF-7 (RFC 9051 §5.1, RFC 6855 §3).
    pub(super) fn utf8_names(self) -> bool {
        self.rev2 || self.utf8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let mut modes = Modes::default();
        assert_eq!(modes.enable("X-NONE"), None);
        assert_eq!(modes, Modes::default());
        assert_eq!(modes.enable("QRESYNC"), Some("QRESYNC"));
        assert!(modes.condstore && modes.qresync && !modes.utf8_names());
        assert_eq!(modes.enable("IMAP4REV2"), Some("IMAP4rev2"));
        assert!(modes.rev2 && modes.utf8_names());
    }
}
