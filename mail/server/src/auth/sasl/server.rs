//! The server's machine: responses in, what to do next out. Who exists and which password is right is asked for.

use zeroize::Zeroizing;

use super::{Bindings, LOGIN, PLAIN, Response};

/// One exchange of one mechanism.
///
/// ```text
/// PLAIN   Start ──response──► Verify
/// LOGIN   Start ──"Username:"──► User ──"Password:"──► Verify
/// ```
pub(crate) struct Server {
    state: State,
}

enum State {
    Plain,
    LoginUser,
    LoginPassword { user: String },
    Over,
}

/// What the driver does next.
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
    /// The exchange is malformed (RFC 4954 §4: 501).
    Malformed,
}

impl Server {
    /// Begins; `None` for a mechanism that is not offered here.
    pub(crate) fn start(mechanism: &str, bindings: Option<Bindings>) -> Option<Server> {
        drop(bindings);
        let state = match mechanism {
            PLAIN => State::Plain,
            LOGIN => State::LoginUser,
            _ => return None,
        };
        Some(Server { state })
    }

    /// Takes the next response; `None` is the missing initial response.
    pub(crate) fn respond(&mut self, response: Option<Response>) -> Step {
        match (std::mem::replace(&mut self.state, State::Over), response) {
            (State::Plain, None) => {
                self.state = State::Plain;
                Step::Challenge(Vec::new())
            }
            (State::Plain, Some(response)) => plain(&response).unwrap_or(Step::Malformed),
            (State::LoginUser, None) => {
                self.state = State::LoginUser;
                Step::Challenge(b"Username:".to_vec())
            }
            (State::LoginUser, Some(response)) => match String::from_utf8(response.to_vec()) {
                Ok(user) => {
                    self.state = State::LoginPassword { user };
                    Step::Challenge(b"Password:".to_vec())
                }
                Err(_) => Step::Malformed,
            },
            (State::LoginPassword { user }, Some(password)) => Step::Verify { user, password },
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
    if user.is_empty() || password.is_empty() || !(authzid.is_empty() || authzid == user) {
        return None;
    }
    Some(Step::Verify { user: user.to_owned(), password: Zeroizing::new(password.to_vec()) })
}
