//! Whether a declared password is set: what it was when it was last applied, and whose password is in force. A password
//! that is made up is in a Secret before a plan knows of it, so to a plan it is one like any other.

use mailwright_crds::mailbox::{Credentials, Management};
use mailwright_crds::{Mailbox, MailboxSpec, well_known};

use crate::catalog::{Catalog, SecretId, SecretState};
use crate::draft::Candidate;
use crate::observed::{CredentialRow, MailboxDeclared, SetBy};
use crate::operation::{CredentialChange, CredentialSource};
use crate::problem::{Problem, ProblemCode};
use crate::state::BLINDED;

/// Hexadecimal digits of a fingerprint: 128 bits, enough to tell passwords apart.
const FINGERPRINT_DIGITS: usize = 32;

/// The keyed digest that tells whether a declared secret changed, and nothing else.
pub fn fingerprint(key: &[u8; 32], secret: &[u8]) -> String {
    blake3::keyed_hash(key, secret).to_hex()[..FINGERPRINT_DIGITS].to_owned()
}

/// Whether a password that was made up must be made up anew: the Mailbox asks for it with a token that is not the one that
/// its Secret was made for. `last_seen` is that one, as the Secret remembers it ([`well_known::ROTATED_ANNOTATION`]); `None`
/// when there is no Secret yet, whose password is new anyway.
///
/// Whoever makes a password writes the token with it, so that no crash between the two loses or repeats a rotation. A
/// Mailbox without the annotation asks for nothing, also when it had one.
pub fn rotation(mailbox: &Mailbox, last_seen: Option<&str>) -> bool {
    let generated =
        mailbox.spec.credentials.as_ref().is_some_and(|credentials| credentials.generate.is_some());
    let token = mailbox.metadata.annotations.as_ref().and_then(|all| all.get(well_known::ROTATE_ANNOTATION));
    let asked = token.map(String::as_str).filter(|token| !token.is_empty());
    generated && last_seen.is_some_and(|seen| asked.is_some_and(|token| token != seen))
}

/// What a Mailbox declares as its password.
enum Declared {
    Nothing,
    Known { fingerprint: String, source: CredentialSource },
    Missing(Problem),
}

/// The password that must be set now, if any.
///
/// `Initial` sets the first password and follows the manifest until its owner changes it; `Enforced` always follows.
/// What is not declared, or not there, changes nothing.
pub(crate) fn change(
    catalog: &Catalog,
    key: &[u8; 32],
    candidate: &Candidate<'_, MailboxDeclared>,
    spec: &MailboxSpec,
    running: Option<&CredentialRow>,
) -> Option<CredentialChange> {
    let management = spec.credentials.as_ref()?.management;
    let Declared::Known { fingerprint, source } = declared(catalog, key, candidate, spec) else {
        return None;
    };
    let set = match running {
        None => true,
        Some(CredentialRow { set_by: SetBy::Owner, .. }) => management == Management::Enforced,
        // Whether it is another one cannot be known; a plan that cannot know claims nothing.
        Some(row) if row.fingerprint.as_deref() == Some(BLINDED) => false,
        Some(row) => row.fingerprint.as_ref() != Some(&fingerprint),
    };
    set.then_some(CredentialChange { fingerprint, management, source })
}

/// Why the declared password cannot be used.
pub(crate) fn check(
    catalog: &Catalog,
    candidate: &Candidate<'_, MailboxDeclared>,
    spec: &MailboxSpec,
) -> Option<Problem> {
    match declared(catalog, &[0; 32], candidate, spec) {
        Declared::Missing(problem) => Some(problem),
        _ => None,
    }
}

fn declared(
    catalog: &Catalog,
    key: &[u8; 32],
    candidate: &Candidate<'_, MailboxDeclared>,
    spec: &MailboxSpec,
) -> Declared {
    let Some(credentials) = &spec.credentials else { return Declared::Nothing };
    if let Some(hash) = &credentials.password_hash {
        let fingerprint = fingerprint(key, hash.expose().as_bytes());
        return Declared::Known { fingerprint, source: CredentialSource::PasswordHash };
    }
    let Some((name, key)) = credentials.secret() else { return Declared::Nothing };
    let namespace = candidate.object.namespace.to_string();
    let (name, key) = (name.as_str().to_owned(), key.as_str().to_owned());
    let id = SecretId::new(&namespace, &name, &key);
    let unchanged = "until it is there, the password stays as it is".to_owned();
    let (name_field, key_field) = match credentials {
        Credentials { generate: Some(_), .. } => ("generate.secretName", "generate.key"),
        _ => ("secretRef.name", "secretRef.key"),
    };
    let missing = |field: &str, code, message| {
        let field = format!("spec.credentials.{field}");
        Declared::Missing(candidate.warning(&field, code, message, unchanged))
    };
    match catalog.secret(&id) {
        SecretState::Present { fingerprint } => Declared::Known {
            fingerprint: fingerprint.clone(),
            source: CredentialSource::Secret {
                namespace: candidate.object.namespace.clone(),
                name: name.into(),
                key: key.into(),
            },
        },
        SecretState::Unusable { why } => {
            let message = format!("the key {key} of the Secret {namespace}/{name} cannot be used: {why}");
            missing(key_field, ProblemCode::SecretInvalid, message)
        }
        SecretState::NotOurs => {
            let message = format!(
                "the Secret {namespace}/{name} exists, was not made by Mailwright and has no key {key}"
            );
            missing(name_field, ProblemCode::SecretNotOurs, message)
        }
        // It is made before the next plan; until then there is nothing to be mended.
        SecretState::Missing if credentials.generate.is_some() => Declared::Nothing,
        SecretState::Missing if catalog.has_secret(&namespace, &name) => {
            let message = format!("the Secret {namespace}/{name} has no key {key}");
            missing(key_field, ProblemCode::SecretKeyNotFound, message)
        }
        SecretState::Missing => {
            missing(name_field, ProblemCode::SecretNotFound, format!("there is no Secret {namespace}/{name}"))
        }
    }
}
