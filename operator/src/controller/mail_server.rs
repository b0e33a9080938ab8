//! MailServer: its certificate. Deciding is `decide`, pure; doing is [`ensure`].

use chrono::{DateTime, Utc};
use mailwright_plan::observed::{ServerDeclared, Tls};

use crate::certificate::{self, CertificateError, CertificateFacts, PemPair};
use crate::platform::{Issuance, Platform, PlatformError};
use crate::secrets::Secrets;

/// The certificate a server presents, and why it is not the one that was asked for, if it is not.
#[derive(Debug, Clone)]
pub struct Certified {
    /// The pair in force; `None` when there never was one that works.
    pub pair: Option<PemPair>,
    /// What the pair says.
    pub facts: Option<CertificateFacts>,
    /// Why the declared certificate is not in force; the last good one is.
    pub problem: Option<CertificateProblem>,
}

/// Why a declared certificate is not in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateProblem {
    /// The Secret, or one of its keys, is not there.
    SecretMissing(String),
    /// The pair in the Secret cannot be used.
    Unusable(String),
    /// It is not issued yet.
    Pending(String),
    /// Nobody issues certificates.
    CertManagerMissing(String),
}

/// Where the declared certificate is to come from, and what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Offered {
    /// The server makes its own.
    Nothing,
    /// In a Secret that the manifest names.
    Secret { name: String, pair: Option<PemPair> },
    /// In a Secret that an issuer writes; what it says as long as it has not.
    Issued { name: String, pair: Option<PemPair>, pending: String },
    /// There is no issuer.
    Unavailable(String),
}

/// What to do about a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Action {
    /// The one in force stays.
    Keep,
    /// Make a self-signed one for these names.
    SelfSign(Vec<String>),
    /// Put the offered pair in force.
    Install(PemPair),
}

/// What to do, and why that is not what was declared.
type Decision = (Action, Option<CertificateProblem>);

/// Makes sure that a server has the certificate it declares, as far as that can be had.
pub fn ensure<P: Platform>(
    platform: &P,
    secrets: &Secrets,
    server: &ServerDeclared,
    now: DateTime<Utc>,
) -> Result<Certified, EnsureError> {
    let name = server.name.rsplit('/').next().unwrap_or_default();
    let current = platform.certificate(name)?;
    let facts = current.as_ref().and_then(|pair| certificate::inspect(pair).ok());
    let offered = offered(platform, secrets, server, name)?;
    let (action, problem) = decide(server, current.as_ref(), facts.as_ref(), offered, now);
    let usable = || facts.is_some().then(|| current.clone()).flatten();
    let made = match action {
        Action::Keep => None,
        Action::SelfSign(names) => Some(certificate::self_signed(&names, now)?),
        Action::Install(pair) => Some(pair),
    };
    let (pair, problem) = match made {
        None => (usable(), problem),
        Some(pair) => match platform.put_certificate(name, &pair) {
            Ok(()) => (Some(pair), problem),
            Err(error @ PlatformError::NotOurs { .. }) => {
                (usable(), Some(CertificateProblem::Unusable(error.to_string())))
            }
            Err(error) => return Err(error.into()),
        },
    };
    let facts = pair.as_ref().and_then(|pair| certificate::inspect(pair).ok());
    Ok(Certified { pair, facts, problem })
}

fn offered<P: Platform>(
    platform: &P,
    secrets: &Secrets,
    server: &ServerDeclared,
    name: &str,
) -> Result<Offered, PlatformError> {
    let (namespace, _) = server.name.split_once('/').unwrap_or(("default", &server.name));
    let Tls::CertManager(issuer) = &server.tls else {
        platform.release_certificate(name)?;
        return Ok(match &server.tls {
            Tls::SecretName(secret) => {
                Offered::Secret { name: secret.clone(), pair: secrets.tls_pair(namespace, secret) }
            }
            _ => Offered::Nothing,
        });
    };
    match platform.request_certificate(server, issuer) {
        Ok(Issuance::Secret { name, pending }) => {
            let pair = secrets.tls_pair(namespace, &name);
            Ok(Offered::Issued { name, pair, pending })
        }
        Ok(Issuance::Unavailable(why)) => Ok(Offered::Unavailable(why)),
        Err(error) if error.is_lasting() => {
            Ok(Offered::Issued { name: String::new(), pair: None, pending: error.to_string() })
        }
        Err(error) => Err(error),
    }
}

/// Why a certificate could not be made or kept.
#[derive(Debug, thiserror::Error)]
pub enum EnsureError {
    /// The data directory refused.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// It could not be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

fn decide(
    server: &ServerDeclared,
    current: Option<&PemPair>,
    facts: Option<&CertificateFacts>,
    offered: Offered,
    now: DateTime<Utc>,
) -> Decision {
    let (name, pair, missing) = match offered {
        Offered::Nothing => return (own(server, facts, true, now), None),
        // Until it is issued any certificate is better than none: other servers send under TLS already.
        Offered::Unavailable(why) => {
            return (own(server, facts, false, now), Some(CertificateProblem::CertManagerMissing(why)));
        }
        Offered::Issued { pair: None, pending, .. } => {
            return (own(server, facts, false, now), Some(CertificateProblem::Pending(pending)));
        }
        Offered::Issued { name, pair, .. } | Offered::Secret { name, pair } => {
            let missing = format!(
                "Secret {name} with tls.crt and tls.key is not there; the last certificate stays in force"
            );
            (name, pair, missing)
        }
    };
    match pair {
        None => (Action::Keep, Some(CertificateProblem::SecretMissing(missing))),
        Some(pair) if current == Some(&pair) && facts.is_some() => (Action::Keep, None),
        Some(pair) => match certificate::inspect(&pair) {
            Ok(_) => (Action::Install(pair), None),
            Err(error) => {
                (Action::Keep, Some(CertificateProblem::Unusable(format!("Secret {name}: {error}"))))
            }
        },
    }
}

/// A certificate of the server's own making: the one there is, or a new one. `only` says that no other will do.
fn own(server: &ServerDeclared, facts: Option<&CertificateFacts>, only: bool, now: DateTime<Utc>) -> Action {
    let names = certificate::self_signed_names(&server.hostname);
    match facts {
        Some(facts) if !facts.self_signed && !only => Action::Keep,
        Some(facts) if facts.self_signed && !certificate::needs_renewal(facts, &names, now) => Action::Keep,
        _ => Action::SelfSign(names),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{Duration, TimeZone as _};
    use mailwright_plan::observed::ServerLimits;

    use super::*;
    use crate::platform::local::Local;
    use crate::source::{Secret, SecretValue};

    fn now() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 20, 12, 0, 0).unwrap()
    }

    fn server(tls: Tls) -> ServerDeclared {
        ServerDeclared {
            name: "default/mail".into(),
            hostname: "mail.example.test".into(),
            listeners: Default::default(),
            tls,
            limits: ServerLimits {
                message_size: 1,
                recipients_per_message: 1,
                connections: 1,
                connections_per_address: 1,
            },
            relay: None,
            trusted_networks: vec![],
            auth: Default::default(),
            dns: Default::default(),
            queue: Default::default(),
            policies: Default::default(),
        }
    }

    fn secrets(pair: &PemPair) -> Secrets {
        let mut secret = Secret::default();
        secret.values.insert("tls.crt".into(), SecretValue::new(pair.certificate.clone()));
        secret.values.insert("tls.key".into(), SecretValue::new(pair.key.clone()));
        let mut secrets = Secrets::default();
        secrets.insert("default", "tls", secret);
        secrets
    }

    #[test]
    fn self_signed_certificates_are_made_once_and_renewed() {
        let dir = tempfile::tempdir().unwrap();
        let local = Local::open(dir.path()).unwrap();
        let ensure = |now| ensure(&local, &Secrets::default(), &server(Tls::SelfSigned), now).unwrap();
        let first = ensure(now());
        assert!(first.problem.is_none());
        assert_eq!(first.pair, ensure(now()).pair);
        assert_ne!(first.pair, ensure(now() + Duration::days(365)).pair);
    }

    #[test]
    fn a_missing_or_broken_secret_keeps_the_last_certificate() {
        let dir = tempfile::tempdir().unwrap();
        let local = Local::open(dir.path()).unwrap();
        let mut given = certificate::self_signed(&["mail.example.test".to_owned()], now()).unwrap();
        let declared = server(Tls::SecretName("tls".into()));

        let none = ensure(&local, &Secrets::default(), &declared, now()).unwrap();
        assert!(none.pair.is_none() && matches!(none.problem, Some(CertificateProblem::SecretMissing(_))));

        let installed = ensure(&local, &secrets(&given), &declared, now()).unwrap();
        assert_eq!((installed.pair.as_ref(), &installed.problem), (Some(&given), &None));

        let gone = ensure(&local, &Secrets::default(), &declared, now()).unwrap();
        assert_eq!(gone.pair, installed.pair);
        given.key = "broken".into();
        let broken = ensure(&local, &secrets(&given), &declared, now()).unwrap();
        assert_eq!(broken.pair, installed.pair);
        assert!(matches!(broken.problem, Some(CertificateProblem::Unusable(_))));
    }

    #[test]
    fn going_back_to_self_signed_replaces_a_given_certificate() {
        let dir = tempfile::tempdir().unwrap();
        let local = Local::open(dir.path()).unwrap();
        let other = certificate::self_signed(&["other.example.test".to_owned()], now()).unwrap();
        ensure(&local, &secrets(&other), &server(Tls::SecretName("tls".into())), now()).unwrap();
        let own = ensure(&local, &Secrets::default(), &server(Tls::SelfSigned), now()).unwrap();
        assert!(own.facts.unwrap().names.contains(&"mail.example.test".to_owned()));
    }
}
