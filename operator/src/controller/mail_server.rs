//! MailServer: its certificate. Deciding is `decide`, pure; doing is [`ensure`].

use chrono::{DateTime, Utc};
use mailwright_plan::observed::{ServerDeclared, Tls};

use crate::certificate::{self, CertificateError, CertificateFacts, PemPair};
use crate::platform::{Platform, PlatformError};
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
}

/// What to do about a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Decision {
    /// The one in force stays.
    Keep,
    /// Make a self-signed one for these names.
    SelfSign(Vec<String>),
    /// Put the Secret's pair in force.
    Install(PemPair),
    /// Nothing can be put in force; the last one stays.
    Refuse(CertificateProblem),
}

/// Makes sure that a server has the certificate it declares, as far as that can be had.
pub fn ensure<P: Platform>(
    platform: &P,
    secrets: &Secrets,
    server: &ServerDeclared,
    now: DateTime<Utc>,
) -> Result<Certified, EnsureError> {
    let (namespace, name) = server.name.split_once('/').unwrap_or(("default", &server.name));
    let current = platform.certificate(name)?;
    let facts = current.as_ref().and_then(|pair| certificate::inspect(pair).ok());
    let offered = match &server.tls {
        // What cert-manager issues comes from the platform; without a cluster there is none.
        Tls::SelfSigned | Tls::CertManager(_) => None,
        Tls::SecretName(secret) => Some((secret.as_str(), secrets.tls_pair(namespace, secret))),
    };
    let (pair, problem) = match decide(server, current.as_ref(), facts.as_ref(), offered, now) {
        Decision::Keep => (current, None),
        Decision::Refuse(problem) => (facts.is_some().then_some(current).flatten(), Some(problem)),
        Decision::SelfSign(names) => {
            let pair = certificate::self_signed(&names, now)?;
            platform.put_certificate(name, &pair)?;
            (Some(pair), None)
        }
        Decision::Install(pair) => {
            platform.put_certificate(name, &pair)?;
            (Some(pair), None)
        }
    };
    let facts = pair.as_ref().and_then(|pair| certificate::inspect(pair).ok());
    Ok(Certified { pair, facts, problem })
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
    offered: Option<(&str, Option<PemPair>)>,
    now: DateTime<Utc>,
) -> Decision {
    match offered {
        None => {
            let names = certificate::self_signed_names(&server.hostname);
            match facts {
                Some(facts) if facts.self_signed && !certificate::needs_renewal(facts, &names, now) => {
                    Decision::Keep
                }
                _ => Decision::SelfSign(names),
            }
        }
        Some((secret, None)) => Decision::Refuse(CertificateProblem::SecretMissing(format!(
            "Secret {secret} with tls.crt and tls.key is not there; the last certificate stays in force"
        ))),
        Some((_, Some(pair))) if current == Some(&pair) && facts.is_some() => Decision::Keep,
        Some((secret, Some(pair))) => match certificate::inspect(&pair) {
            Ok(_) => Decision::Install(pair),
            Err(error) => Decision::Refuse(CertificateProblem::Unusable(format!("Secret {secret}: {error}"))),
        },
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
