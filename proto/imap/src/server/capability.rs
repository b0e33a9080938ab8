//! CAPABILITY (RFC 3501 §6.1.1, §7.2.1): what is offered depends on TLS and login.

use super::authenticate;
use super::config::Config;

/// Before login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Privacy {
    /// No TLS, and STARTTLS is offered.
    StartTls,
    /// No TLS, and no way to it.
    None,
    /// No TLS, but the peer is this machine and the administrator allows passwords in the clear there.
    Loopback {
        /// Whether STARTTLS is offered.
        starttls: bool,
    },
    /// TLS.
    Tls,
}

const BEFORE_LOGIN: &str = "IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE";

/// Everything that this server speaks once a user is known; APPENDLIMIT comes with its number.
const AFTER_LOGIN: &[&str] = &[
    "IMAP4rev1",
    "LITERAL+",
    "SASL-IR",
    "ID",
    "ENABLE",
    "IDLE",
    "NAMESPACE",
    "UIDPLUS",
    "MOVE",
    "UNSELECT",
    "CHILDREN",
    "SPECIAL-USE",
    "CONDSTORE",
    "QRESYNC",
    "ESEARCH",
    "SEARCHRES",
    "ESORT",
    "SORT",
    "SORT=DISPLAY",
    "THREAD=ORDEREDSUBJECT",
    "THREAD=REFERENCES",
    "WITHIN",
    "CREATE-SPECIAL-USE",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "STATUS=SIZE",
    "COMPRESS=DEFLATE",
    "QUOTA",
    "QUOTA=RES-STORAGE",
    "QUOTA=RES-MESSAGE",
    "METADATA",
    "MULTIAPPEND",
    "BINARY",
    "OBJECTID",
    "PREVIEW",
    "SAVEDATE",
    "REPLACE",
    "UTF8=ACCEPT",
    "IMAP4rev2",
];

/// The names before login, a space apart. LOGINDISABLED stands where LOGIN would show a password (RFC 3501 §6.2.3).
pub(super) fn before_login(privacy: Privacy, channel_binding: bool) -> String {
    let mut names = BEFORE_LOGIN.to_owned();
    if matches!(privacy, Privacy::StartTls | Privacy::Loopback { starttls: true }) {
        names += " STARTTLS";
    }
    if matches!(privacy, Privacy::StartTls | Privacy::None) {
        return names + " LOGINDISABLED";
    }
    let bound = channel_binding.then_some(authenticate::BOUND_MECHANISM);
    for mechanism in bound.into_iter().chain(authenticate::MECHANISMS) {
        names.extend([" AUTH=", mechanism]);
    }
    names
}

/// The names after login.
pub(super) fn after_login(config: &Config) -> String {
    format!("{} APPENDLIMIT={}", AFTER_LOGIN.join(" "), config.limits.append)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &str, with: &[&str], without: &[&str]) {
        let names: Vec<&str> = names.split(' ').collect();
        assert_eq!(names[0], "IMAP4rev1");
        for name in with {
            assert!(names.contains(name), "{names:?} lacks {name}");
        }
        for name in without {
            assert!(!names.contains(name), "{names:?} has {name}");
        }
    }

    #[test]
    fn tls_and_login_change_what_is_offered() {
        let before =
            |privacy, with: &[&str], without: &[&str]| check(&before_login(privacy, false), with, without);
        before(Privacy::StartTls, &["STARTTLS", "LOGINDISABLED", "LITERAL+"], &["AUTH=PLAIN", "MOVE"]);
        before(Privacy::None, &["LOGINDISABLED"], &["STARTTLS", "AUTH=PLAIN"]);
        before(Privacy::Tls, &["AUTH=PLAIN", "SASL-IR"], &["STARTTLS", "LOGINDISABLED"]);
        before(Privacy::Loopback { starttls: true }, &["AUTH=PLAIN", "STARTTLS"], &["LOGINDISABLED"]);
        before(Privacy::Loopback { starttls: false }, &["AUTH=PLAIN"], &["LOGINDISABLED", "STARTTLS"]);
        let every = ["AUTH=PLAIN", "AUTH=LOGIN", "AUTH=SCRAM-SHA-256"];
        before(Privacy::Tls, &every, &["AUTH=SCRAM-SHA-256-PLUS"]);
        check(&before_login(Privacy::Tls, true), &["AUTH=SCRAM-SHA-256-PLUS", "AUTH=PLAIN"], &[]);
        let all =
            ["IDLE", "NAMESPACE", "UIDPLUS", "MOVE", "UNSELECT", "CHILDREN", "ENABLE", "ID", "SPECIAL-USE"];
        check(&after_login(&Config::new("mail")), &all, &["STARTTLS", "LOGINDISABLED", "AUTH=PLAIN"]);
    }
}
