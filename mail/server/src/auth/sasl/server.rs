//! The server's machine: responses in, what to do next out. Who exists and which password is right is asked for.
//!
//! ```text
//! PLAIN   Start ──response──► Verify
//! LOGIN   Start ──"Username:"──► User ──"Password:"──► Verify
//! SCRAM   First ──client-first──► Lookup ──record──► Final ──client-final──► Proven ──""──► Done
//! ```

mod scram;

use zeroize::Zeroizing;

use self::scram::{ClientFirst, Offered, ServerFirst};
use super::{Bindings, LOGIN, PLAIN, Response, SCRAM_SHA_256, SCRAM_SHA_256_PLUS};
use crate::auth::scram::Record;

/// Longest response: SCRAM's messages with the longest name and nonce are below 2 KiB, PLAIN's with two names and a
/// password below 3 KiB.
pub(crate) const MAX_RESPONSE: usize = 4096;

/// One exchange of one mechanism.
pub(crate) struct Server {
    state: State,
}

enum State {
    Plain,
    LoginUser,
    LoginPassword {
        user: String,
    },
    ScramFirst(Offered),
    ScramLookup(ClientFirst),
    ScramFinal(Box<ServerFirst>),
    /// The client has proved itself and now looks at our proof.
    ScramProven,
    Over,
}

/// What the driver does next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Send this and bring the response.
    Challenge(Vec<u8>),
    /// Check this password; right is the end.
    Verify {
        /// Who.
        user: String,
        /// The password.
        password: Zeroizing<Vec<u8>>,
    },
    /// Bring this user's SCRAM record (or a decoy) to [`Server::found`].
    Lookup {
        /// Who.
        user: String,
    },
    /// Who was looked up is who it is.
    Done,
    /// The proof is wrong: the password was.
    Wrong,
    /// The exchange is malformed (RFC 4954 §4: 501), or not what was offered.
    Malformed,
}

impl Server {
    /// Begins; `None` for a mechanism that is not offered here.
    pub(crate) fn start(mechanism: &str, bindings: Option<Bindings>) -> Option<Server> {
        let mut nonce = [0; 18];
        aws_lc_rs::rand::fill(&mut nonce).ok()?;
        Server::with_nonce(mechanism, bindings, &base64::engine::Engine::encode(&scram::BASE64, nonce))
    }

    fn with_nonce(mechanism: &str, bindings: Option<Bindings>, nonce: &str) -> Option<Server> {
        let bindings = bindings.unwrap_or_default();
        let plus = mechanism.eq_ignore_ascii_case(SCRAM_SHA_256_PLUS);
        let state = if mechanism.eq_ignore_ascii_case(PLAIN) {
            State::Plain
        } else if mechanism.eq_ignore_ascii_case(LOGIN) {
            State::LoginUser
        } else if mechanism.eq_ignore_ascii_case(SCRAM_SHA_256) || (plus && bindings.is_usable()) {
            State::ScramFirst(Offered { plus, bindings, nonce: nonce.to_owned() })
        } else {
            return None;
        };
        Some(Server { state })
    }

    /// Takes the next response; `None` is the missing initial response.
    pub(crate) fn respond(&mut self, response: Option<Response>) -> Step {
        if response.as_ref().is_some_and(|response| response.len() > MAX_RESPONSE) {
            self.state = State::Over;
            return Step::Malformed;
        }
        let (state, step) = match (std::mem::replace(&mut self.state, State::Over), response) {
            (state @ (State::Plain | State::ScramFirst(_)), None) => (state, Step::Challenge(Vec::new())),
            (state @ State::LoginUser, None) => (state, Step::Challenge(b"Username:".to_vec())),
            (State::Plain, Some(response)) => (State::Over, plain(&response).unwrap_or(Step::Malformed)),
            (State::LoginUser, Some(response)) => match std::str::from_utf8(&response) {
                Ok(user) => {
                    (State::LoginPassword { user: user.to_owned() }, Step::Challenge(b"Password:".to_vec()))
                }
                Err(_) => (State::Over, Step::Malformed),
            },
            (State::LoginPassword { user }, Some(password)) => (State::Over, Step::Verify { user, password }),
            (State::ScramFirst(offered), Some(response)) => match offered.client_first(&response) {
                Some(first) => {
                    let user = first.user().to_owned();
                    (State::ScramLookup(first), Step::Lookup { user })
                }
                None => (State::Over, Step::Malformed),
            },
            (State::ScramFinal(first), Some(response)) => match first.client_final(&response) {
                Some(Ok(message)) => (State::ScramProven, Step::Challenge(message.into_bytes())),
                Some(Err(scram::WrongProof)) => (State::Over, Step::Wrong),
                None => (State::Over, Step::Malformed),
            },
            (State::ScramProven, Some(response)) if response.is_empty() => (State::Over, Step::Done),
            _ => (State::Over, Step::Malformed),
        };
        self.state = state;
        step
    }

    /// Brings what [`Step::Lookup`] asked for.
    pub(crate) fn found(&mut self, record: Record) -> Step {
        match std::mem::replace(&mut self.state, State::Over) {
            State::ScramLookup(first) => {
                let first = first.answer(record);
                let message = first.message().to_owned();
                self.state = State::ScramFinal(Box::new(first));
                Step::Challenge(message.into_bytes())
            }
            _ => Step::Malformed,
        }
    }
}

/// RFC 4616 §2: `[authzid] NUL authcid NUL passwd`; the authorization identity must be the same user.
fn plain(response: &[u8]) -> Option<Step> {
    let mut fields = response.splitn(3, |byte| *byte == 0);
    let authzid = std::str::from_utf8(fields.next()?).ok()?;
    let user = std::str::from_utf8(fields.next()?).ok()?;
    let password = fields.next()?;
    if user.is_empty() || password.is_empty() || password.contains(&0) || !is_same(authzid, user) {
        return None;
    }
    Some(Step::Verify { user: user.to_owned(), password: Zeroizing::new(password.to_vec()) })
}

/// Nobody acts for anybody else: an authorization identity is empty or the user's own.
fn is_same(authzid: &str, user: &str) -> bool {
    authzid.is_empty() || authzid.eq_ignore_ascii_case(user)
}

#[cfg(test)]
mod tests;
