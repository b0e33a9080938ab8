//! AUTHENTICATE (RFC 3501 §6.2.2) with an initial response (RFC 4959 §3): BASE64 and the dialogue. What the octets mean is the
//! driver's, which has the mechanisms.

use super::ask::{Answer, Ask, Password};
use super::login;
use super::task::{Context, Done, Step};
use base64::prelude::{BASE64_STANDARD, Engine};

/// The mechanisms on every connection where passwords may be given.
pub(super) const MECHANISMS: [&str; 3] = ["SCRAM-SHA-256", "PLAIN", "LOGIN"];
/// The one that needs a TLS connection that can be recognised at both ends (RFC 5056).
pub(super) const BOUND_MECHANISM: &str = "SCRAM-SHA-256-PLUS";

/// One step of the dialogue.
#[derive(Debug)]
pub(super) enum Authenticate {
    Begin { mechanism: String, initial: Option<Password> },
    Response(Password),
}

impl Authenticate {
    pub(super) fn run(&mut self) -> Step {
        Step::Ask(match self {
            Authenticate::Begin { mechanism, initial } => {
                Ask::Authenticate { mechanism: std::mem::take(mechanism), initial: initial.take() }
            }
            Authenticate::Response(response) => Ask::Respond(response.clone()),
        })
    }

    pub(super) fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) -> Step {
        match answer {
            Answer::Challenge(challenge) => {
                cx.out.put("+ ").put(BASE64_STANDARD.encode(challenge)).end();
                Step::Challenge
            }
            Answer::Done => login::enter(cx),
            Answer::Malformed => Done::bad("The response is not that of the mechanism").into(),
            other => Done::unexpected(other).into(),
        }
    }
}

/// Reads a response: `*` cancels (RFC 3501 §6.2.2).
pub(super) fn response(line: &[u8]) -> Result<Password, Done> {
    if line == b"*" {
        return Err(Done::bad("AUTHENTICATE cancelled"));
    }
    let octets = BASE64_STANDARD.decode(line).map_err(|_| Done::bad("The response is not BASE64"))?;
    Ok(Password::new(octets))
}

/// Reads an initial response: `=` is an empty one (RFC 4959 §3).
pub(super) fn initial(text: &[u8]) -> Result<Password, Done> {
    if text == b"=" { Ok(Password::new(Vec::new())) } else { response(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(read: fn(&[u8]) -> Result<Password, Done>, line: &str, expected: Result<&[u8], &str>) {
        let found = read(line.as_bytes());
        let found = found.as_ref().map(Password::as_bytes).map_err(|done| done.text.as_ref());
        assert_eq!(found, expected, "{line:?}");
    }

    #[test]
    fn responses() {
        // RFC 4616 §4's example.
        check(response, "AHRpbQB0YW5zdGFhZnRhbnN0YWFm", Ok(b"\0tim\0tanstaaftanstaaf"));
        check(response, "", Ok(b""));
        check(response, "*", Err("AUTHENTICATE cancelled"));
        check(response, "=", Err("The response is not BASE64"));
        check(response, "not base64", Err("The response is not BASE64"));
        check(initial, "=", Ok(b""));
        check(initial, "eA==", Ok(b"x"));
        check(initial, "*", Err("AUTHENTICATE cancelled"));
    }

    proptest! {
        #[test]
        fn any_octets_come_through(octets in proptest::collection::vec(any::<u8>(), 0..60)) {
            let read = response(BASE64_STANDARD.encode(&octets).as_bytes()).unwrap();
            prop_assert_eq!(read.as_bytes(), octets.as_slice());
            let _ = (response(&octets).is_ok(), initial(&octets).is_ok());
        }
    }
}
