//! The client's machine, for a smarthost that wants a login: SCRAM-SHA-256(-PLUS) before PLAIN before LOGIN.
//!
//! Sans-IO: challenges in, responses out. PLAIN and LOGIN give the password away: the caller uses them under TLS only.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{Bindings, LOGIN, PLAIN, SCRAM_SHA_256, SCRAM_SHA_256_PLUS};
use crate::auth::scram::{Keys, MAX_ITERATIONS, MIN_ITERATIONS, prepared};

/// Why a login at the smarthost cannot go on. Whoever sees one ends the connection: what follows is not authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nothing both sides know.
    #[error("the server offers no login mechanism that is known here (SCRAM-SHA-256, PLAIN, LOGIN)")]
    NoMechanism,
    /// The user name or password cannot be sent.
    #[error("the user name or password has characters that no login can carry")]
    Credentials,
    /// A challenge is not what the mechanism says.
    #[error("the server's challenge is malformed")]
    Malformed,
    /// The server does not know the password: an impostor.
    #[error("the server could not prove that it knows the password")]
    Impostor,
    /// No random numbers.
    #[error("the system gives no random numbers")]
    NoRandom,
}

/// One login.
pub(crate) struct Client {
    mechanism: &'static str,
    user: String,
    password: Zeroizing<String>,
    state: State,
}

enum State {
    Plain,
    LoginUser,
    LoginPassword,
    ScramFirst {
        header: String,
        binding: Vec<u8>,
        bare: String,
        nonce: String,
    },
    ScramFinal {
        keys: Keys,
        auth_message: String,
    },
    /// Everything was said, and for SCRAM the server has proved itself.
    Satisfied,
    Failed,
}

impl Client {
    /// Chooses the best of the `offered` mechanisms; `bindings` are those of the TLS connection.
    pub(crate) fn new(
        user: &str,
        password: &str,
        offered: &[impl AsRef<str>],
        bindings: Option<&Bindings>,
    ) -> Result<Client, ClientError> {
        let mut nonce = [0; 18];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| ClientError::NoRandom)?;
        Client::with_nonce(user, password, offered, bindings, STANDARD.encode(nonce))
    }

    fn with_nonce(
        user: &str,
        password: &str,
        offered: &[impl AsRef<str>],
        bindings: Option<&Bindings>,
        nonce: String,
    ) -> Result<Client, ClientError> {
        if user.is_empty() || user.contains('\0') || password.is_empty() || password.contains('\0') {
            return Err(ClientError::Credentials);
        }
        let offers = |name: &str| offered.iter().any(|offer| offer.as_ref().eq_ignore_ascii_case(name));
        let name = user.replace('=', "=3D").replace(',', "=2C");
        let scram = |flag: String, binding: Vec<u8>| State::ScramFirst {
            header: format!("{flag},,"),
            binding,
            bare: format!("n={name},r={nonce}"),
            nonce: nonce.clone(),
        };
        let usable = bindings.and_then(binding).filter(|_| offers(SCRAM_SHA_256_PLUS));
        let (mechanism, state) = match usable {
            Some((name, data)) => (SCRAM_SHA_256_PLUS, scram(format!("p={name}"), data)),
            // The flag "y" would say that we could have bound: true only with a binding that the server did not offer.
            None if offers(SCRAM_SHA_256) => {
                let flag = if bindings.and_then(binding).is_some() { "y" } else { "n" };
                (SCRAM_SHA_256, scram(flag.to_owned(), Vec::new()))
            }
            None if offers(PLAIN) => (PLAIN, State::Plain),
            None if offers(LOGIN) => (LOGIN, State::LoginUser),
            None => return Err(ClientError::NoMechanism),
        };
        Ok(Client { mechanism, user: user.to_owned(), password: Zeroizing::new(password.to_owned()), state })
    }

    /// The chosen mechanism.
    pub(crate) fn mechanism(&self) -> &'static str {
        self.mechanism
    }

    /// What goes with the command, for mechanisms in which the client speaks first.
    pub(crate) fn initial(&mut self) -> Option<Vec<u8>> {
        match &self.state {
            State::Plain => {
                let response = format!("\0{}\0{}", self.user, *self.password).into_bytes();
                self.state = State::Satisfied;
                Some(response)
            }
            State::ScramFirst { header, bare, .. } => Some(format!("{header}{bare}").into_bytes()),
            _ => None,
        }
    }

    /// The answer to a challenge. After an error the exchange is cancelled.
    pub(crate) fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>, ClientError> {
        let (state, response) = match std::mem::replace(&mut self.state, State::Failed) {
            State::LoginUser => (State::LoginPassword, self.user.clone().into_bytes()),
            State::LoginPassword => (State::Satisfied, self.password.as_bytes().to_vec()),
            State::ScramFirst { header, binding, bare, nonce } => {
                let first = std::str::from_utf8(challenge).map_err(|_| ClientError::Malformed)?;
                self.client_final(first, &header, &binding, &bare, &nonce)?
            }
            State::ScramFinal { keys, auth_message } => {
                let signature = std::str::from_utf8(challenge).ok().and_then(|text| text.strip_prefix("v="));
                let signature = signature.ok_or(ClientError::Malformed)?;
                // Extensions may follow.
                let signature = signature.split(',').next().unwrap_or_default();
                let signature = STANDARD.decode(signature).map_err(|_| ClientError::Malformed)?;
                if !keys.accept(&signature, &auth_message) {
                    return Err(ClientError::Impostor);
                }
                (State::Satisfied, Vec::new())
            }
            State::Plain | State::Satisfied | State::Failed => return Err(ClientError::Malformed),
        };
        self.state = state;
        Ok(response)
    }

    /// Whether a success that the server announces now may be believed.
    pub(crate) fn is_satisfied(&self) -> bool {
        matches!(self.state, State::Satisfied)
    }

    /// RFC 5802 §5: the server's nonce must begin with ours, and the iterations be what RFC 7677 §4 asks for.
    fn client_final(
        &self,
        first: &str,
        header: &str,
        binding: &[u8],
        bare: &str,
        nonce: &str,
    ) -> Result<(State, Vec<u8>), ClientError> {
        let fields: Vec<&str> = first.split(',').collect();
        let [server_nonce, salt, iterations, ..] = fields[..] else { return Err(ClientError::Malformed) };
        let field = |field: &'_ str, name: &str| field.strip_prefix(name).map(str::to_owned);
        let whole = field(server_nonce, "r=").ok_or(ClientError::Malformed)?;
        let salt = field(salt, "s=").and_then(|salt| STANDARD.decode(salt).ok());
        let iterations = field(iterations, "i=").and_then(|count| count.parse().ok());
        let (Some(salt), Some(iterations)) = (salt, iterations) else { return Err(ClientError::Malformed) };
        let is_fresh = whole.starts_with(nonce) && whole.len() > nonce.len();
        if !is_fresh || salt.is_empty() || !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&iterations) {
            return Err(ClientError::Malformed);
        }
        let password = prepared(self.password.as_bytes()).ok_or(ClientError::Credentials)?;
        let keys = Keys::of(&password, &salt, iterations);
        let bound = STANDARD.encode([header.as_bytes(), binding].concat());
        let without_proof = format!("c={bound},r={whole}");
        let auth_message = format!("{bare},{first},{without_proof}");
        let proof = STANDARD.encode(keys.proof(&auth_message));
        Ok((State::ScramFinal { keys, auth_message }, format!("{without_proof},p={proof}").into_bytes()))
    }
}

/// The best binding that a connection has.
fn binding(bindings: &Bindings) -> Option<(&'static str, Vec<u8>)> {
    let exporter = bindings.exporter.map(|data| ("tls-exporter", data.to_vec()));
    exporter.or_else(|| bindings.end_point.clone().map(|data| ("tls-server-end-point", data)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(offered: &[&str], bindings: Option<&Bindings>) -> Result<Client, ClientError> {
        Client::with_nonce("user", "pencil", offered, bindings, "rOprNGfwEbeRWgbNEkqO".into())
    }

    #[test]
    fn the_best_mechanism_is_chosen() {
        let bound = Bindings { exporter: Some([1; 32]), end_point: None };
        for (offered, bindings, expected) in [
            (&["PLAIN", "LOGIN", "SCRAM-SHA-256"][..], None, Some((SCRAM_SHA_256, Some("n,,n=user")))),
            (&["LOGIN", "plain"], None, Some((PLAIN, Some("\0user\0pencil")))),
            (&["LOGIN"], None, Some((LOGIN, None))),
            (&["SCRAM-SHA-256-PLUS"], None, None),
            (&["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"], None, Some((SCRAM_SHA_256, Some("n,,n=user")))),
            (
                &["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"],
                Some(&bound),
                Some((SCRAM_SHA_256_PLUS, Some("p=tls-exporter,,n=user"))),
            ),
            // Able to bind where the server is not: it is told.
            (&["SCRAM-SHA-256"], Some(&bound), Some((SCRAM_SHA_256, Some("y,,n=user")))),
            (&["XOAUTH2", "GSSAPI"], None, None),
            (&[], None, None),
        ] {
            let chosen = client(offered, bindings).ok().map(|mut client| {
                let initial = client.initial().map(|bytes| String::from_utf8(bytes).unwrap());
                (client.mechanism(), initial.map(|text| text.split(",r=").next().unwrap().to_owned()))
            });
            let expected = expected.map(|(name, initial)| (name, initial.map(str::to_owned)));
            assert_eq!(chosen, expected, "{offered:?}");
        }
    }

    /// RFC 7677 §3.
    #[test]
    fn the_example_exchange() {
        let mut client = client(&[SCRAM_SHA_256], None).unwrap();
        assert_eq!(client.initial().unwrap(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let first = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let last = client.respond(first).unwrap();
        assert_eq!(
            String::from_utf8(last).unwrap(),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert!(!client.is_satisfied(), "the server has proved nothing yet");
        let proof = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(client.respond(proof).unwrap(), b"");
        assert!(client.is_satisfied());
    }

    #[test]
    fn hostile_servers_are_left() {
        let nonce = "rOprNGfwEbeRWgbNEkqO";
        for (first, expected) in [
            (format!("r={nonce},s=c2FsdA==,i=4096"), ClientError::Malformed),
            ("r=other,s=c2FsdA==,i=4096".to_owned(), ClientError::Malformed),
            (format!("r={nonce}x,s=c2FsdA==,i=1"), ClientError::Malformed),
            (format!("r={nonce}x,s=c2FsdA==,i=999999999"), ClientError::Malformed),
            (format!("r={nonce}x,s=,i=4096"), ClientError::Malformed),
            (format!("r={nonce}x,s=*,i=4096"), ClientError::Malformed),
            (format!("r={nonce}x"), ClientError::Malformed),
            ("e=other-error".to_owned(), ClientError::Malformed),
            (String::new(), ClientError::Malformed),
        ] {
            let mut client = client(&[SCRAM_SHA_256], None).unwrap();
            client.initial();
            assert_eq!(client.respond(first.as_bytes()), Err(expected), "{first}");
            assert!(!client.is_satisfied());
        }
        for (last, expected) in [
            ("v=AAAA", ClientError::Impostor),
            ("v=*", ClientError::Malformed),
            ("e=invalid-proof", ClientError::Malformed),
            ("", ClientError::Malformed),
        ] {
            let mut client = client(&[SCRAM_SHA_256], None).unwrap();
            client.initial();
            client.respond(format!("r={nonce}x,s=c2FsdA==,i=4096").as_bytes()).unwrap();
            assert_eq!(client.respond(last.as_bytes()), Err(expected), "{last}");
            assert!(!client.is_satisfied());
        }
    }

    #[test]
    fn credentials_that_no_login_can_carry() {
        for (user, password) in [("", "x"), ("x", ""), ("a\0b", "x"), ("a", "x\0y")] {
            let made = Client::new(user, password, &[PLAIN], None);
            assert_eq!(made.err(), Some(ClientError::Credentials));
        }
        let mut odd = Client::new("user", "\u{7}bell", &[SCRAM_SHA_256], None).unwrap();
        let first = String::from_utf8(odd.initial().unwrap()).unwrap();
        let nonce = first.rsplit_once("r=").unwrap().1;
        let challenge = format!("r={nonce}x,s=c2FsdA==,i=4096");
        assert_eq!(odd.respond(challenge.as_bytes()), Err(ClientError::Credentials));
    }
}
