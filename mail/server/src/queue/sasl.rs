//! The client's side of SASL for a smarthost: PLAIN (RFC 4616 §2), LOGIN (no RFC; draft-murchison-sasl-login) and
//! SCRAM-SHA-256 (RFC 5802 §5, RFC 7677 §3).
//!
//! Sans-IO: the session asks which mechanism, then hands over each challenge, decoded. Channel bindings are left out: the
//! certificate is verified before credentials are sent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::config::Credentials;

/// Most iterations that a smarthost may ask for: beyond it is a way to keep us busy. RFC 7677 §4 asks for 4096 at least.
const MAX_ITERATIONS: u32 = 1_000_000;
/// Octets of randomness in our nonce; RFC 5802 §5.1 wants it unpredictable.
const NONCE: usize = 18;

/// One authentication.
pub(crate) enum Client {
    /// PLAIN: everything is in the initial response.
    Plain,
    /// LOGIN: the user, then the password.
    Login { credentials: Credentials, user_sent: bool },
    /// SCRAM before the server's first message.
    ScramFirst { credentials: Credentials, nonce: String },
    /// SCRAM after our proof: the server has to prove itself.
    ScramFinal { server_signature: [u8; 32] },
    /// Nothing more is to be said.
    Done,
}

/// Why an authentication cannot go on; the server is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SaslError {
    #[error("the smarthost offers none of SCRAM-SHA-256, PLAIN and LOGIN")]
    NoMechanism,
    #[error("the smarthost's challenge is not one of its mechanism")]
    Malformed,
    #[error("the smarthost asks for too many iterations")]
    TooExpensive,
    #[error("the smarthost did not prove that it knows the password")]
    Unproven,
}

/// A mechanism's name and its initial response.
pub(crate) type Start = (&'static str, Option<Zeroizing<Vec<u8>>>);

impl Client {
    /// Chooses the strongest of the offered mechanisms.
    pub(crate) fn start<'a>(
        offered: impl IntoIterator<Item = &'a str>,
        credentials: &Credentials,
    ) -> Result<(Client, Start), SaslError> {
        let mut random = [0; NONCE];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| SaslError::Malformed)?;
        Client::start_with(offered, credentials, STANDARD.encode(random))
    }

    fn start_with<'a>(
        offered: impl IntoIterator<Item = &'a str>,
        credentials: &Credentials,
        nonce: String,
    ) -> Result<(Client, Start), SaslError> {
        let offered: Vec<String> = offered.into_iter().map(str::to_ascii_uppercase).collect();
        let offers = |name: &str| offered.iter().any(|offer| offer == name);
        let credentials = credentials.clone();
        if offers("SCRAM-SHA-256") {
            let first = format!("n,,{}", first_bare(&credentials.username, &nonce));
            let start = ("SCRAM-SHA-256", Some(Zeroizing::new(first.into_bytes())));
            return Ok((Client::ScramFirst { credentials, nonce }, start));
        }
        if offers("PLAIN") {
            let plain = format!("\0{}\0{}", credentials.username, credentials.password.reveal());
            return Ok((Client::Plain, ("PLAIN", Some(Zeroizing::new(plain.into_bytes())))));
        }
        if offers("LOGIN") {
            return Ok((Client::Login { credentials, user_sent: false }, ("LOGIN", None)));
        }
        Err(SaslError::NoMechanism)
    }

    /// The response to a challenge.
    pub(crate) fn challenge(&mut self, challenge: &[u8]) -> Result<Zeroizing<Vec<u8>>, SaslError> {
        match std::mem::replace(self, Client::Done) {
            Client::Login { credentials, user_sent: false } => {
                let user = Zeroizing::new(credentials.username.clone().into_bytes());
                *self = Client::Login { credentials, user_sent: true };
                Ok(user)
            }
            Client::Login { credentials, user_sent: true } => {
                Ok(Zeroizing::new(credentials.password.reveal().as_bytes().to_vec()))
            }
            Client::ScramFirst { credentials, nonce } => {
                let (last, server_signature) = prove(&credentials, &nonce, challenge)?;
                *self = Client::ScramFinal { server_signature };
                Ok(Zeroizing::new(last.into_bytes()))
            }
            Client::ScramFinal { server_signature } => {
                verify(challenge, &server_signature)?;
                Ok(Zeroizing::new(Vec::new()))
            }
            Client::Plain | Client::Done => Err(SaslError::Malformed),
        }
    }

    /// Whether success may be believed: a SCRAM server that never proved itself may be anybody (RFC 5802 §3).
    pub(crate) fn is_proven(&self) -> bool {
        !matches!(self, Client::ScramFirst { .. } | Client::ScramFinal { .. })
    }
}

/// `client-first-message-bare = [reserved-mext ","] username "," nonce` (RFC 5802 §7).
fn first_bare(user: &str, nonce: &str) -> String {
    let user = prepare(user).replace('=', "=3D").replace(',', "=2C");
    format!("n={user},r={nonce}")
}

/// SASLprep (RFC 4013 §2); what it forbids is sent as it is, and the server's to refuse.
fn prepare(text: &str) -> String {
    stringprep::saslprep(text).map_or_else(|_| text.to_owned(), Into::into)
}

/// The client's last message with its proof, and what the server has to answer (RFC 5802 §3).
fn prove(
    credentials: &Credentials,
    nonce: &str,
    server_first: &[u8],
) -> Result<(String, [u8; 32]), SaslError> {
    let server_first = std::str::from_utf8(server_first).map_err(|_| SaslError::Malformed)?;
    let mut fields = server_first.split(',');
    let mut field = |name: &str| fields.next().and_then(|field| field.strip_prefix(name));
    let (Some(full_nonce), Some(salt), Some(iterations)) = (field("r="), field("s="), field("i=")) else {
        return Err(SaslError::Malformed);
    };
    if !full_nonce.starts_with(nonce) || full_nonce.len() == nonce.len() {
        return Err(SaslError::Malformed);
    }
    let salt = STANDARD.decode(salt).map_err(|_| SaslError::Malformed)?;
    let iterations: u32 = iterations.parse().map_err(|_| SaslError::Malformed)?;
    match iterations {
        0 => return Err(SaslError::Malformed),
        1..=MAX_ITERATIONS => {}
        _ => return Err(SaslError::TooExpensive),
    }
    let mut salted = Zeroizing::new([0; 32]);
    let password = Zeroizing::new(prepare(credentials.password.reveal()));
    pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), &salt, iterations, salted.as_mut_slice());
    let client_key = Zeroizing::new(hmac(&*salted, b"Client Key")?);
    let stored_key: [u8; 32] = Sha256::digest(*client_key).into();
    let without_proof = format!("c=biws,r={full_nonce}");
    let auth_message = format!("{},{server_first},{without_proof}", first_bare(&credentials.username, nonce));
    let signature = hmac(&stored_key, auth_message.as_bytes())?;
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(key, sign)| key ^ sign).collect();
    let server_key = hmac(&*salted, b"Server Key")?;
    let server_signature = hmac(&server_key, auth_message.as_bytes())?;
    Ok((format!("{without_proof},p={}", STANDARD.encode(proof)), server_signature))
}

/// `v=` of the server's last message.
fn verify(server_final: &[u8], expected: &[u8; 32]) -> Result<(), SaslError> {
    let text = std::str::from_utf8(server_final).map_err(|_| SaslError::Malformed)?;
    let verifier = text.split(',').next().and_then(|field| field.strip_prefix("v="));
    let verifier = verifier.and_then(|verifier| STANDARD.decode(verifier).ok()).ok_or(SaslError::Unproven)?;
    if bool::from(verifier.ct_eq(expected)) { Ok(()) } else { Err(SaslError::Unproven) }
}

fn hmac(key: &[u8], message: &[u8]) -> Result<[u8; 32], SaslError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| SaslError::Malformed)?;
    mac.update(message);
    Ok(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn credentials(user: &str, password: &str) -> Credentials {
        Credentials { username: user.into(), password: Secret::new(password) }
    }

    fn start(offered: &[&str], nonce: &str) -> Result<(Client, String, String), SaslError> {
        let offered = offered.iter().copied();
        let (client, (name, initial)) =
            Client::start_with(offered, &credentials("user", "pencil"), nonce.into())?;
        let initial = initial.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).unwrap_or_default();
        Ok((client, name.to_owned(), initial))
    }

    fn say(client: &mut Client, challenge: &str) -> Result<String, SaslError> {
        client.challenge(challenge.as_bytes()).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn the_strongest_offered_mechanism_is_taken() {
        for (offered, expected) in [
            (&["PLAIN", "LOGIN", "SCRAM-SHA-256"][..], Ok("SCRAM-SHA-256")),
            (&["login", "plain"][..], Ok("PLAIN")),
            (&["GSSAPI", "LOGIN"][..], Ok("LOGIN")),
            (&["GSSAPI", "CRAM-MD5"][..], Err(SaslError::NoMechanism)),
            (&[][..], Err(SaslError::NoMechanism)),
        ] {
            let started = start(offered, "x").map(|(_, name, _)| name);
            assert_eq!(started.as_deref().map_err(|error| *error), expected, "{offered:?}");
        }
    }

    #[test]
    fn plain_says_all_at_once() {
        let (mut client, _, initial) = start(&["PLAIN"], "x").unwrap();
        assert_eq!(initial, "\0user\0pencil");
        assert!(client.is_proven());
        assert_eq!(say(&mut client, "more?"), Err(SaslError::Malformed));
    }

    #[test]
    fn login_says_one_after_the_other() {
        let (mut client, _, initial) = start(&["LOGIN"], "x").unwrap();
        assert_eq!(initial, "");
        assert_eq!(say(&mut client, "Username:").unwrap(), "user");
        assert_eq!(say(&mut client, "Password:").unwrap(), "pencil");
        assert_eq!(say(&mut client, "And?"), Err(SaslError::Malformed));
    }

    /// The exchange of RFC 7677 §3.
    #[test]
    fn scram_answers_as_the_rfc_does() {
        let (mut client, _, initial) = start(&["SCRAM-SHA-256"], "rOprNGfwEbeRWgbNEkqO").unwrap();
        assert_eq!(initial, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        assert_eq!(
            say(&mut client, first).unwrap(),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert!(!client.is_proven());
        let last = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(say(&mut client, last).unwrap(), "");
        assert!(client.is_proven());
    }

    #[test]
    fn servers_that_cheat_are_found_out() {
        for (first, expected) in [
            ("r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", SaslError::Malformed),
            ("r=abc,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", SaslError::Malformed),
            ("r=abcdef,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0", SaslError::Malformed),
            ("r=abcdef,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4000000000", SaslError::TooExpensive),
            ("r=abcdef,s=!,i=4096", SaslError::Malformed),
            ("", SaslError::Malformed),
        ] {
            let (mut client, ..) = start(&["SCRAM-SHA-256"], "abc").unwrap();
            assert_eq!(say(&mut client, first), Err(expected), "{first}");
        }
        for last in ["v=AAAA", "e=invalid-proof", "", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="] {
            let (mut client, ..) = start(&["SCRAM-SHA-256"], "abc").unwrap();
            say(&mut client, "r=abcdef,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1").unwrap();
            assert_eq!(say(&mut client, last), Err(SaslError::Unproven), "{last}");
        }
    }

    #[test]
    fn names_are_escaped() {
        assert_eq!(first_bare("a=b,c", "n"), "n=a=3Db=2Cc,r=n");
    }
}
