//! One command line, its CRLF gone, to a typed command (RFC 5321 §4.1.1).

use super::domain::domain;
use super::mailbox::AddressError;
use super::parameter::{ParameterError, mail_parameters, rcpt_parameters};
use super::path::{forward_path, reverse_path};
use crate::address::{ForwardPath, ReversePath};
use crate::sasl::SaslData;
use crate::server::{Helo, MailParameters, RcptParameters};

/// Octets of an EHLO argument: a domain (RFC 5321 §4.5.3.1.2) or an address literal, which is shorter.
const HELO_MAX: usize = 255;

/// A command of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `EHLO` (RFC 5321 §4.1.1.1).
    Ehlo(Helo),
    /// `HELO` (RFC 5321 §4.1.1.1).
    Helo(Helo),
    /// `LHLO` (RFC 2033 §4.1).
    Lhlo(Helo),
    /// `AUTH` (RFC 4954 §4).
    Auth {
        /// The mechanism in upper case.
        mechanism: String,
        /// What followed it.
        initial: Initial,
    },
    /// `MAIL FROM:` (RFC 5321 §4.1.1.2).
    Mail(ReversePath, MailParameters),
    /// `RCPT TO:` (RFC 5321 §4.1.1.3).
    Rcpt(ForwardPath, RcptParameters),
    /// `DATA` (RFC 5321 §4.1.1.4).
    Data,
    /// `BDAT` (RFC 3030 §2).
    Bdat {
        /// Octets that follow the line.
        size: u64,
        /// The chunk ends the message.
        last: bool,
    },
    /// `RSET` (RFC 5321 §4.1.1.5).
    Rset,
    /// `VRFY` (RFC 5321 §4.1.1.6).
    Vrfy,
    /// `HELP` (RFC 5321 §4.1.1.8).
    Help,
    /// `NOOP` (RFC 5321 §4.1.1.9).
    Noop,
    /// `QUIT` (RFC 5321 §4.1.1.10).
    Quit,
    /// `STARTTLS` (RFC 3207 §4).
    StartTls,
}

/// The initial response of AUTH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Initial {
    /// There is none.
    None,
    /// The decoded octets; `=` is the empty ones (RFC 4954 §4).
    Data(SaslData),
    /// Not base64.
    Malformed,
}

/// Why a line is no command for this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// NUL, TAB or another control character.
    #[error("a control character in a command")]
    Control,
    /// Octets above 127 that are not UTF-8.
    #[error("the command is not UTF-8")]
    NotUtf8,
    /// A verb that SMTP does not have.
    #[error("command not recognized")]
    Unknown,
    /// A verb of SMTP that this server does not do.
    #[error("command not implemented")]
    NotImplemented,
    /// A request of HTTP or another protocol: somebody lets a browser talk to us.
    #[error("this is not an HTTP server")]
    Foreign,
    /// The arguments are wrong; the text is what would be right.
    #[error("syntax: {0}")]
    Arguments(&'static str),
    /// BDAT without a readable size: where the next command begins is unknown.
    #[error("syntax: BDAT size [LAST]")]
    ChunkSize,
    /// The sender's address is wrong.
    #[error("{0}")]
    Sender(AddressError),
    /// The recipient's address is wrong.
    #[error("{0}")]
    Recipient(AddressError),
    /// The sender's address needs SMTPUTF8, which was not given (RFC 6531 §3.4).
    #[error("the address needs SMTPUTF8")]
    SenderNeedsUtf8,
    /// A parameter is wrong or unknown.
    #[error("{0}")]
    Parameter(ParameterError),
}

/// Parses one line; white space at its end is tolerated (RFC 5321 §4.1.1), verbs are case-insensitive (§2.4).
pub fn parse(line: &[u8]) -> Result<Command, CommandError> {
    let line = line.trim_ascii_end();
    if line.iter().any(u8::is_ascii_control) {
        return Err(CommandError::Control);
    }
    let line = std::str::from_utf8(line).map_err(|_| CommandError::NotUtf8)?;
    let (verb, arguments) = line.split_once(' ').unwrap_or((line, ""));
    let arguments = arguments.trim_start_matches(' ');
    let alone = |command, usage| match arguments {
        "" => Ok(command),
        _ => Err(CommandError::Arguments(usage)),
    };
    match verb.to_ascii_uppercase().as_str() {
        "EHLO" => helo(arguments).map(Command::Ehlo).ok_or(CommandError::Arguments("EHLO domain")),
        "HELO" => helo(arguments).map(Command::Helo).ok_or(CommandError::Arguments("HELO domain")),
        "LHLO" => helo(arguments).map(Command::Lhlo).ok_or(CommandError::Arguments("LHLO domain")),
        "AUTH" => auth(arguments).ok_or(CommandError::Arguments("AUTH mechanism [initial-response]")),
        "MAIL" => mail(arguments),
        "RCPT" => rcpt(arguments),
        "DATA" => alone(Command::Data, "DATA"),
        "BDAT" => bdat(arguments),
        "RSET" => alone(Command::Rset, "RSET"),
        "QUIT" => alone(Command::Quit, "QUIT"),
        "STARTTLS" => alone(Command::StartTls, "STARTTLS"),
        "VRFY" if arguments.is_empty() => Err(CommandError::Arguments("VRFY address")),
        "VRFY" => Ok(Command::Vrfy),
        "HELP" => Ok(Command::Help),
        "NOOP" => Ok(Command::Noop),
        // RFC 5321 §4.1.1.7 and Appendix F.1, F.6; ETRN (RFC 1985 §5) is not offered here.
        "EXPN" | "SEND" | "SOML" | "SAML" | "TURN" | "ETRN" | "ATRN" => Err(CommandError::NotImplemented),
        "GET" | "POST" | "PUT" | "HEAD" | "OPTIONS" | "CONNECT" => Err(CommandError::Foreign),
        _ => Err(CommandError::Unknown),
    }
}

/// ```text
/// ehlo           = "EHLO" SP ( Domain / address-literal ) CRLF      RFC 5321 §4.1.1.1
/// ```
/// Anything printable is accepted (RFC 5321 §4.1.4: not a reason to refuse mail); U-labels are not (RFC 6531 §3.7.1).
fn helo(argument: &str) -> Option<Helo> {
    if argument.is_empty() || argument.len() > HELO_MAX || !argument.bytes().all(|b| b.is_ascii_graphic()) {
        return None;
    }
    Some(domain(argument).map_or_else(|_| Helo::Other(argument.to_owned()), Helo::Domain))
}

/// ```text
/// auth-command     = "AUTH" SP sasl-mech [SP initial-response] *(CRLF [base64]) [CRLF cancel-response] CRLF
/// initial-response = base64 / "="                                   RFC 4954 §8
/// ```
fn auth(arguments: &str) -> Option<Command> {
    let (mechanism, initial) = arguments.split_once(' ').unwrap_or((arguments, ""));
    // RFC 4422 §3.1: `sasl-mech = 1*20mech-char`.
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if !(1..=20).contains(&mechanism.len()) || !mechanism.bytes().all(fits) {
        return None;
    }
    let initial = match initial.trim_start_matches(' ') {
        "" => Initial::None,
        "=" => Initial::Data(SaslData::default()),
        text => SaslData::decode(text.as_bytes()).map_or(Initial::Malformed, Initial::Data),
    };
    Some(Command::Auth { mechanism: mechanism.to_ascii_uppercase(), initial })
}

fn mail(arguments: &str) -> Result<Command, CommandError> {
    let path = labelled(arguments, "FROM:").ok_or(CommandError::Arguments("MAIL FROM:<address>"))?;
    let (path, rest) = reverse_path(path).map_err(CommandError::Sender)?;
    let parameters = mail_parameters(rest).map_err(CommandError::Parameter)?;
    let ascii = match &path {
        ReversePath::Null => true,
        ReversePath::Mailbox(mailbox) => mailbox.is_ascii(),
    };
    if ascii || parameters.smtputf8 {
        Ok(Command::Mail(path, parameters))
    } else {
        Err(CommandError::SenderNeedsUtf8)
    }
}

fn rcpt(arguments: &str) -> Result<Command, CommandError> {
    let path = labelled(arguments, "TO:").ok_or(CommandError::Arguments("RCPT TO:<address>"))?;
    let (path, rest) = forward_path(path).map_err(CommandError::Recipient)?;
    let parameters = rcpt_parameters(rest).map_err(CommandError::Parameter)?;
    Ok(Command::Rcpt(path, parameters))
}

/// Takes `FROM:` or `TO:` off. Spaces behind the colon are not in the grammar (RFC 5321 §3.3), yet old devices send them.
fn labelled<'a>(arguments: &'a str, label: &str) -> Option<&'a str> {
    let (head, rest) = arguments.split_at_checked(label.len())?;
    head.eq_ignore_ascii_case(label).then(|| rest.trim_start_matches(' '))
}

/// ```text
/// bdat-cmd   ::= "BDAT" SP chunk-size [ SP end-marker ] CR LF       RFC 3030 §2
/// chunk-size ::= 1*DIGIT
/// end-marker ::= "LAST"
/// ```
fn bdat(arguments: &str) -> Result<Command, CommandError> {
    let (size, marker) = arguments.split_once(' ').unwrap_or((arguments, ""));
    let last = match marker.trim_start_matches(' ') {
        "" => false,
        marker if marker.eq_ignore_ascii_case("LAST") => true,
        _ => return Err(CommandError::ChunkSize),
    };
    if size.is_empty() || !size.bytes().all(|b| b.is_ascii_digit()) {
        return Err(CommandError::ChunkSize);
    }
    size.parse().map(|size| Command::Bdat { size, last }).map_err(|_| CommandError::ChunkSize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::address::{Domain, Mailbox};

    fn check(line: &str, expected: Result<Command, CommandError>) {
        assert_eq!(parse(line.as_bytes()), expected, "{line}");
    }

    fn to(address: &str) -> Command {
        Command::Rcpt(ForwardPath::Mailbox(Mailbox::parse(address).unwrap()), RcptParameters::default())
    }

    fn from(address: &str, parameters: MailParameters) -> Command {
        Command::Mail(ReversePath::Mailbox(Mailbox::parse(address).unwrap()), parameters)
    }

    #[test]
    fn greetings() {
        let domain = |name: &str| Helo::Domain(Domain::Name(name.to_owned()));
        check("EHLO bar.com", Ok(Command::Ehlo(domain("bar.com"))));
        check("helo  Bar ", Ok(Command::Helo(domain("Bar"))));
        let literal = Helo::Domain(super::domain("[IPv6:2001:db8::1]").unwrap());
        check("EHLO [IPv6:2001:db8::1]", Ok(Command::Ehlo(literal)));
        // RFC 5321 §4.1.4: not a reason to refuse.
        for odd in ["my_pc", "-", "(x)", "192.0.2.1.", "a..b", "[1.2.3", &"x".repeat(255)] {
            check(&format!("EHLO {odd}"), Ok(Command::Ehlo(Helo::Other(odd.to_owned()))));
        }
        for bad in
            ["EHLO", "EHLO ", "EHLO my pc", "EHLO bücher.example", &format!("EHLO {}", "x".repeat(256))]
        {
            check(bad, Err(CommandError::Arguments("EHLO domain")));
        }
        check("HELO", Err(CommandError::Arguments("HELO domain")));
    }

    #[test]
    fn mail_and_rcpt() {
        let plain = MailParameters::default();
        check("MAIL FROM:<a@b>", Ok(from("a@b", plain.clone())));
        check("mail from: <a@b> ", Ok(from("a@b", plain.clone())));
        check("MAIL  FROM:<a@b>", Ok(from("a@b", plain.clone())));
        let sized = MailParameters { size: Some(9), ..plain };
        check("MAIL FROM:<> SIZE=9", Ok(Command::Mail(ReversePath::Null, sized)));
        check("RCPT TO:<a@b>", Ok(to("a@b")));
        check("rcpt to:<Postmaster>", Ok(Command::Rcpt(ForwardPath::Postmaster, RcptParameters::default())));
        for line in ["MAIL", "MAIL FROM", "MAIL TO:<a@b>", "MAIL FROM :<a@b>", "MAIL <a@b>"] {
            check(line, Err(CommandError::Arguments("MAIL FROM:<address>")));
        }
        for line in ["RCPT", "RCPT FROM:<a@b>", "RCPT T", "RCPT TÖ:<a@b>"] {
            check(line, Err(CommandError::Arguments("RCPT TO:<address>")));
        }
        let bare = AddressError::Syntax("the address is not in angle brackets");
        check("MAIL FROM:", Err(CommandError::Sender(bare)));
        check("RCPT TO:a@b", Err(CommandError::Recipient(bare)));
        check("RCPT TO:<a@b> X", Err(CommandError::Parameter(ParameterError::Unknown)));
        check("MAIL FROM:<a@b> X=1", Err(CommandError::Parameter(ParameterError::Unknown)));
    }

    /// RFC 6531 §3.4: the parameter opens the way for UTF-8 in the sender; recipients are the session's to judge.
    #[test]
    fn utf8() {
        check("MAIL FROM:<é@b>", Err(CommandError::SenderNeedsUtf8));
        check("MAIL FROM:<a@é.test>", Err(CommandError::SenderNeedsUtf8));
        let utf8 = MailParameters { smtputf8: true, ..MailParameters::default() };
        check("MAIL FROM:<é@b> SMTPUTF8", Ok(from("é@b", utf8)));
        check("RCPT TO:<é@b>", Ok(to("é@b")));
        assert_eq!(parse(b"MAIL FROM:<\xe9@b> SMTPUTF8"), Err(CommandError::NotUtf8));
    }

    #[test]
    fn chunks() {
        check("BDAT 0", Ok(Command::Bdat { size: 0, last: false }));
        check("bdat 86 last", Ok(Command::Bdat { size: 86, last: true }));
        check("BDAT 18446744073709551615", Ok(Command::Bdat { size: u64::MAX, last: false }));
        for line in [
            "BDAT",
            "BDAT LAST",
            "BDAT -1",
            "BDAT 1 FIRST",
            "BDAT 1 LAST X",
            "BDAT 18446744073709551616",
            "BDAT +1",
        ] {
            check(line, Err(CommandError::ChunkSize));
        }
    }

    #[test]
    fn the_rest() {
        for (line, command) in [
            ("DATA", Command::Data),
            ("data\t ", Command::Data),
            ("RSET", Command::Rset),
            ("QUIT", Command::Quit),
            ("StartTLS", Command::StartTls),
            ("NOOP", Command::Noop),
            ("NOOP anything", Command::Noop),
            ("HELP", Command::Help),
            ("HELP MAIL", Command::Help),
            ("VRFY alice", Command::Vrfy),
        ] {
            check(line, Ok(command));
        }
        check("DATA x", Err(CommandError::Arguments("DATA")));
        check("RSET x", Err(CommandError::Arguments("RSET")));
        check("QUIT x", Err(CommandError::Arguments("QUIT")));
        check("STARTTLS x", Err(CommandError::Arguments("STARTTLS")));
        check("VRFY", Err(CommandError::Arguments("VRFY address")));
        for line in ["EXPN staff", "TURN", "SOML FROM:<a@b>"] {
            check(line, Err(CommandError::NotImplemented));
        }
        for line in ["", " ", " NOOP", "NOOPE", "ÉHLO x", "DATA:", "."] {
            check(line, Err(CommandError::Unknown));
        }
        check("GET / HTTP/1.1", Err(CommandError::Foreign));
        for line in ["NO\0OP", "NOOP\tx", "\x1b[A", "NOOP \x7f"] {
            check(line, Err(CommandError::Control));
        }
    }

    #[test]
    fn logins() {
        let auth = |initial| Ok(Command::Auth { mechanism: "PLAIN".to_owned(), initial });
        check("AUTH PLAIN", auth(Initial::None));
        check("auth plain ", auth(Initial::None));
        check("AUTH PLAIN =", auth(Initial::Data(SaslData::default())));
        check("AUTH PLAIN  AGEAYg==", auth(Initial::Data(SaslData::from(&b"\0a\0b"[..]))));
        for bad in ["AUTH PLAIN A", "AUTH PLAIN AGEAYg", "AUTH PLAIN a b", "AUTH PLAIN *"] {
            check(bad, auth(Initial::Malformed));
        }
        for bad in ["AUTH", "AUTH =", "AUTH PL.IN", "AUTH ABCDEFGHIJKLMNOPQRSTU"] {
            check(bad, Err(CommandError::Arguments("AUTH mechanism [initial-response]")));
        }
        check("LHLO a.test", Ok(Command::Lhlo(Helo::Domain(Domain::Name("a.test".to_owned())))));
        check("LHLO", Err(CommandError::Arguments("LHLO domain")));
    }

    proptest! {
        #[test]
        fn any_bytes(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            let control = line.trim_ascii_end().iter().any(u8::is_ascii_control);
            prop_assert_eq!(parse(&line) == Err(CommandError::Control), control);
        }

        #[test]
        fn verbs_in_any_case(flips in proptest::collection::vec(any::<bool>(), 4)) {
            let verb: String = "noop".chars().zip(flips).map(|(c, up)| if up { c.to_ascii_uppercase() } else { c }).collect();
            prop_assert_eq!(parse(verb.as_bytes()), Ok(Command::Noop));
        }
    }
}
