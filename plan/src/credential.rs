//! Whether a declared password is set: what it was when it was last applied, and whose password is in force.

use mailwright_crds::MailboxSpec;
use mailwright_crds::mailbox::{Credentials, Management};

use crate::catalog::{Catalog, SecretId, SecretState};
use crate::draft::Candidate;
use crate::observed::{CredentialRow, MailboxDeclared, SetBy};
use crate::operation::{CredentialChange, CredentialSource};
use crate::problem::{Problem, ProblemCode};

/// Hexadecimal digits of a fingerprint: 128 bits, enough to tell passwords apart.
const FINGERPRINT_DIGITS: usize = 32;

/// The keyed digest that tells whether a declared secret changed, and nothing else.
pub fn fingerprint(key: &[u8; 32], secret: &[u8]) -> String {
    blake3::keyed_hash(key, secret).to_hex()[..FINGERPRINT_DIGITS].to_owned()
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
    let Some(Credentials { secret_ref, password_hash, .. }) = &spec.credentials else {
        return Declared::Nothing;
    };
    if let Some(hash) = password_hash {
        let fingerprint = fingerprint(key, hash.expose().as_bytes());
        return Declared::Known { fingerprint, source: CredentialSource::PasswordHash };
    }
    let Some(reference) = secret_ref else { return Declared::Nothing };
    let namespace = candidate.object.namespace.clone();
    let (name, key) = (reference.name.as_str().to_owned(), reference.key.as_str().to_owned());
    let id = SecretId::new(&namespace, &name, &key);
    let unchanged = "until it is there, the password stays as it is".to_owned();
    let missing = |field: &str, code, message| {
        Declared::Missing(candidate.warning(
            &format!("spec.credentials.secretRef{field}"),
            code,
            message,
            unchanged,
        ))
    };
    match catalog.secret(&id) {
        SecretState::Present { fingerprint } => Declared::Known {
            fingerprint: fingerprint.clone(),
            source: CredentialSource::Secret { namespace, name, key },
        },
        SecretState::Unusable { why } => {
            let message = format!("the key {key} of the Secret {namespace}/{name} cannot be used: {why}");
            missing(".key", ProblemCode::SecretInvalid, message)
        }
        SecretState::Missing if catalog.has_secret(&namespace, &name) => {
            let message = format!("the Secret {namespace}/{name} has no key {key}");
            missing(".key", ProblemCode::SecretKeyNotFound, message)
        }
        SecretState::Missing => {
            missing(".name", ProblemCode::SecretNotFound, format!("there is no Secret {namespace}/{name}"))
        }
    }
}
