//! The one table from a command that was not understood to its reply.
//!
//! RFC 5321 §4.2.2 and §4.2.4 (500, 501, 502), §4.1.1.11 (555); RFC 3463 §3.6 (x.5.z) and §3.2 (x.1.z).

use crate::grammar::{CommandError, ParameterError};
use crate::reply::{Enhanced, Reply};

/// The reply, and whether the session ends with it.
pub(super) fn refusal(error: CommandError) -> (Reply, bool) {
    let (code, enhanced, end) = match error {
        CommandError::Control => (500, Enhanced(5, 5, 2), false),
        CommandError::NotUtf8 => (501, Enhanced(5, 5, 2), false),
        CommandError::Unknown => (500, Enhanced(5, 5, 1), false),
        CommandError::NotImplemented => (502, Enhanced(5, 5, 1), false),
        // What follows is not SMTP, and a browser may have been tricked into sending it.
        CommandError::Foreign => (554, Enhanced(5, 5, 1), true),
        CommandError::Arguments(_) => (501, Enhanced(5, 5, 4), false),
        // The octets of the chunk would be read as commands.
        CommandError::ChunkSize => (501, Enhanced(5, 5, 4), true),
        CommandError::Sender(_) => (501, Enhanced(5, 1, 7), false),
        CommandError::Recipient(_) => (501, Enhanced(5, 1, 3), false),
        // RFC 6531 §3.5 and its registration of x.6.7.
        CommandError::SenderNeedsUtf8 => (553, Enhanced(5, 6, 7), false),
        CommandError::Parameter(ParameterError::Unknown) => (555, Enhanced(5, 5, 4), false),
        CommandError::Parameter(ParameterError::Syntax(_)) => (501, Enhanced(5, 5, 4), false),
    };
    (Reply::new(code, enhanced, error.to_string()), end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::parse;

    fn check(line: &str, expected: &str) {
        let (reply, _) = refusal(parse(line.as_bytes()).unwrap_err());
        assert_eq!(reply.to_string(), expected);
    }

    #[test]
    fn table() {
        for (line, reply) in [
            ("NO\0OP", "500 5.5.2 a control character in a command"),
            ("WHAT", "500 5.5.1 command not recognized"),
            ("EXPN x", "502 5.5.1 command not implemented"),
            ("POST / HTTP/1.0", "554 5.5.1 this is not an HTTP server"),
            ("EHLO", "501 5.5.4 syntax: EHLO domain"),
            ("BDAT x", "501 5.5.4 syntax: BDAT size [LAST]"),
            ("MAIL FROM:<a>", "501 5.1.7 the address has no domain"),
            ("RCPT TO:<>", "501 5.1.3 the address has no domain"),
            (&format!("RCPT TO:<{}@b>", "l".repeat(65)), "501 5.1.3 the local part is too long"),
            ("MAIL FROM:<é@b>", "553 5.6.7 the address needs SMTPUTF8"),
            ("MAIL FROM:<> X=HDRS", "555 5.5.4 parameter not recognized"),
            ("MAIL FROM:<> SIZE=x", "501 5.5.4 SIZE needs a number"),
        ] {
            check(line, reply);
        }
        assert_eq!(refusal(CommandError::NotUtf8).0.to_string(), "501 5.5.2 the command is not UTF-8");
    }

    #[test]
    fn ends() {
        for (error, end) in [
            (CommandError::Foreign, true),
            (CommandError::ChunkSize, true),
            (CommandError::Unknown, false),
            (CommandError::Control, false),
        ] {
            assert_eq!(refusal(error).1, end);
        }
    }
}
