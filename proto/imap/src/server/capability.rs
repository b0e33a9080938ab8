//! CAPABILITY (RFC 3501 §6.1.1, §7.2.1): what is offered depends on TLS and login.

/// Before login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Privacy {
    /// No TLS, and STARTTLS is offered.
    StartTls,
    /// No TLS, and no way to it.
    None,
    /// TLS.
    Tls,
}

/// Everything that this server speaks once a user is known.
const AFTER_LOGIN: &str =
    "IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE NAMESPACE UIDPLUS MOVE UNSELECT CHILDREN SPECIAL-USE";

/// The names, a space apart. LOGINDISABLED stands where LOGIN would show a password (RFC 3501 §6.2.3).
pub(super) fn names(privacy: Privacy, logged_in: bool) -> &'static str {
    match (logged_in, privacy) {
        (true, _) => AFTER_LOGIN,
        (false, Privacy::Tls) => "IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE AUTH=PLAIN",
        (false, Privacy::StartTls) => "IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE STARTTLS LOGINDISABLED",
        (false, Privacy::None) => "IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE LOGINDISABLED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(privacy: Privacy, logged_in: bool, with: &[&str], without: &[&str]) {
        let names: Vec<&str> = names(privacy, logged_in).split(' ').collect();
        assert_eq!(names[0], "IMAP4rev1");
        for name in with {
            assert!(names.contains(name), "{privacy:?} {logged_in} lacks {name}");
        }
        for name in without {
            assert!(!names.contains(name), "{privacy:?} {logged_in} has {name}");
        }
    }

    #[test]
    fn tls_and_login_change_what_is_offered() {
        check(Privacy::StartTls, false, &["STARTTLS", "LOGINDISABLED", "LITERAL+"], &["AUTH=PLAIN", "MOVE"]);
        check(Privacy::None, false, &["LOGINDISABLED"], &["STARTTLS", "AUTH=PLAIN"]);
        check(Privacy::Tls, false, &["AUTH=PLAIN", "SASL-IR"], &["STARTTLS", "LOGINDISABLED"]);
        let all =
            ["IDLE", "NAMESPACE", "UIDPLUS", "MOVE", "UNSELECT", "CHILDREN", "ENABLE", "ID", "SPECIAL-USE"];
        check(Privacy::Tls, true, &all, &["STARTTLS", "LOGINDISABLED", "AUTH=PLAIN"]);
    }
}
