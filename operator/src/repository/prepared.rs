//! What a spec and its Secrets come to: how the source is opened, whose signatures count, how a plan is made and how much of it
//! is applied. Pure.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use mailwright_crds::mail_repository::{
    Adoption, ApprovalMode, DriftPolicy, FailurePolicy, Reference as Followed, RepositoryMode, Verify,
    VerifyMode,
};
use mailwright_crds::mail_server::SecretName;
use mailwright_crds::policy::Policy;
use mailwright_crds::well_known::ADOPT_ANNOTATION;
use mailwright_crds::{DEFAULT_NAMESPACE, MailRepository};
use mailwright_plan::approval::Approval;
use mailwright_plan::settings::Guards;

use super::Trouble;
use crate::operator::Gate;
use crate::secrets::Secrets;
use crate::source::verify::{Keys, Mode, Verification};
use crate::source::{Credentials, Decryption, Options, Proxy, Reference, Secret};

/// Sources that one repository takes over from at once; each is hashed for every row of another source.
const MAX_TOKENS: usize = 16;

/// How a repository is followed.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Where it is.
    pub location: String,
    /// How it is read.
    pub options: Options,
    /// Whose signatures a revision needs.
    pub verification: Option<Verification>,
    /// Whether a revision is taken that does not follow the last one.
    pub allow_rewind: bool,
    /// How its plan is made and applied.
    pub rules: PlanRules,
    /// How often it is asked.
    pub interval: Duration,
    /// Whether it is left alone.
    pub suspended: bool,
}

/// How a plan is made and how much of it is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRules {
    /// How much a plan may remove; what is approved is told with each revision.
    pub guards: Guards,
    /// Which plans wait for an approval.
    pub approval: Approval,
    /// What its objects must keep.
    pub policies: Vec<Policy>,
    /// What becomes of changes behind the repository's back.
    pub drift: DriftPolicy,
    /// Which rows of others it takes over.
    pub adoption: Adoption,
    /// The tokens of sources whose rows it takes over.
    pub adoption_tokens: Vec<String>,
    /// What of a plan is applied.
    pub gate: Gate,
    /// Whether what is declared no more is removed.
    pub prune: bool,
}

impl Prepared {
    /// Puts spec and Secrets together; `cache` is the directory for copies of remote repositories.
    pub fn new(repository: &MailRepository, secrets: &Secrets, cache: &Path) -> Result<Prepared, Trouble> {
        let spec = &repository.spec;
        let namespace = repository.metadata.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
        let find = |name: &SecretName, what: &str| {
            let name = name.name.as_str();
            secrets.get(namespace, name).ok_or_else(|| Trouble::no_secret(namespace, name, what))
        };
        let mut credentials = match &spec.secret_ref {
            Some(name) => {
                let secret = find(name, "username and password, bearerToken, or identity and known_hosts")?;
                let read = Credentials::from_secret(secret);
                read.map_err(|error| Trouble::secret(namespace, name.name.as_str(), &error))?
            }
            None => Credentials::default(),
        };
        if let Some(name) = &spec.proxy_secret_ref {
            let read = Proxy::from_secret(find(name, "address")?);
            credentials.proxy =
                Some(read.map_err(|error| Trouble::secret(namespace, name.name.as_str(), &error))?);
        }
        let decryption = match &spec.decryption {
            Some(decryption) => {
                let secret = find(&decryption.secret_ref, "age identities under keys that end in .agekey")?;
                let values = secret.values.iter().map(|(key, value)| (key.as_str(), value));
                Decryption::from_secret(values).map_err(|error| {
                    Trouble::age_keys(namespace, decryption.secret_ref.name.as_str(), &error)
                })?
            }
            None => Decryption::default(),
        };
        let verification = match &spec.verify {
            Some(verify) => {
                Some(verification(verify, namespace, find(&verify.secret_ref, "allowed_signers")?)?)
            }
            None => None,
        };
        Ok(Prepared {
            location: spec.url.as_str().to_owned(),
            options: Options {
                reference: reference(spec.reference.as_ref())?,
                path: spec.path.as_ref().map(|path| path.as_str().to_owned()),
                cache: cache.to_owned(),
                credentials,
                timeout: Some(spec.timeout.get()),
                decryption,
                ..Options::default()
            },
            verification,
            allow_rewind: spec.allow_rewind,
            rules: PlanRules::new(repository),
            interval: spec.interval.get(),
            suspended: is_suspended(repository),
        })
    }
}

/// Asked for by the spec, or by the annotation that every kind knows.
fn is_suspended(repository: &MailRepository) -> bool {
    let annotations = repository.metadata.annotations.as_ref();
    let word = annotations.and_then(|all| all.get(mailwright_crds::kind::RECONCILE_ANNOTATION));
    repository.spec.suspend || word.map(String::as_str) == Some("disabled")
}

impl PlanRules {
    /// What the spec says of plans.
    pub fn new(repository: &MailRepository) -> PlanRules {
        let spec = &repository.spec;
        // The schema has bounds; what is outside of them counts as nothing may be removed.
        let bounded = |number: i32| u32::try_from(number).unwrap_or(0);
        PlanRules {
            guards: Guards {
                max_percent: bounded(spec.guards.max_removed_percent),
                max_removed: bounded(spec.guards.max_removed) as usize,
                approved: Vec::new(),
            },
            approval: match spec.approval {
                ApprovalMode::Never => Approval::Never,
                ApprovalMode::OnGuard => Approval::OnGuard,
                ApprovalMode::Always => Approval::Always,
            },
            policies: spec.policies.clone(),
            drift: spec.drift_policy,
            adoption: spec.adoption,
            adoption_tokens: tokens(repository),
            gate: match (spec.mode, spec.failure_policy) {
                (RepositoryMode::Plan, _) => Gate::Nothing,
                (RepositoryMode::Apply, FailurePolicy::Atomic) => Gate::Whole,
                (RepositoryMode::Apply, FailurePolicy::Isolate) => Gate::Everything,
            },
            prune: spec.prune,
        }
    }
}

/// The tokens in the annotation, between spaces or commas.
fn tokens(repository: &MailRepository) -> Vec<String> {
    let annotations = repository.metadata.annotations.as_ref();
    let said = annotations.and_then(|all| all.get(ADOPT_ANNOTATION)).map(String::as_str).unwrap_or_default();
    let words = said.split([' ', ',', '\n', '\t']).filter(|word| !word.is_empty());
    words.take(MAX_TOKENS).map(str::to_owned).collect()
}

fn reference(followed: Option<&Followed>) -> Result<Reference, Trouble> {
    let Some(followed) = followed else { return Ok(Reference::Default) };
    Ok(match followed {
        Followed { branch: Some(name), .. } => Reference::Branch(name.as_str().to_owned()),
        Followed { tag: Some(name), .. } => Reference::Tag(name.as_str().to_owned()),
        Followed { semver: Some(range), .. } => Reference::semver(range.as_str())?,
        Followed { commit: Some(id), .. } => Reference::commit(id.as_str())?,
        _ => Reference::Default,
    })
}

fn verification(verify: &Verify, namespace: &str, secret: &Secret) -> Result<Verification, Trouble> {
    let data: BTreeMap<String, Vec<u8>> =
        secret.values.iter().map(|(key, value)| (key.clone(), value.expose().to_vec())).collect();
    let keys = Keys::parse(&data)
        .map_err(|error| Trouble::keys(namespace, verify.secret_ref.name.as_str(), &error))?;
    let mode = match verify.mode {
        VerifyMode::Head => Mode::Head,
        VerifyMode::Tag => Mode::Tag,
        VerifyMode::TagAndHead => Mode::TagAndHead,
        VerifyMode::Range => Mode::Range,
    };
    Ok(Verification { mode, keys })
}

#[cfg(test)]
mod tests {
    use mailwright_crds::Reason;
    use serde_json::{Value, json};

    use super::*;
    use crate::source::{HttpCredentials, SecretValue};

    const SIGNERS: &str = "alice@example.test ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n";

    fn repository(spec: &Value) -> MailRepository {
        let mut whole = json!({"url": "https://git.example.test/mail.git"});
        for (key, value) in spec.as_object().unwrap() {
            whole[key] = value.clone();
        }
        let manifest = json!({"apiVersion": "mailwright.dev/v1alpha1", "kind": "MailRepository",
            "metadata": {"name": "company", "namespace": "mail"}, "spec": whole});
        mailwright_crds::check_repository(&manifest).unwrap()
    }

    fn secrets(all: &[(&str, &str, &str)]) -> Secrets {
        let mut secrets = Secrets::default();
        for (name, key, value) in all {
            secrets.insert_value("mail", name, key, SecretValue::new(*value));
        }
        secrets
    }

    fn prepared(spec: &Value, all: &[(&str, &str, &str)]) -> Result<Prepared, Trouble> {
        Prepared::new(&repository(spec), &secrets(all), Path::new("/cache"))
    }

    #[test]
    fn what_is_followed() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        for (followed, expected) in [
            (json!({}), Reference::Default),
            (json!({"ref": {"branch": "main"}}), Reference::Branch("main".into())),
            (json!({"ref": {"tag": "v1"}}), Reference::Tag("v1".into())),
            (json!({"ref": {"semver": "1.x"}}), Reference::semver("1.x").unwrap()),
            (json!({"ref": {"commit": commit}}), Reference::commit(commit).unwrap()),
        ] {
            assert_eq!(prepared(&followed, &[]).unwrap().options.reference, expected, "{followed}");
        }
        let all =
            prepared(&json!({"path": "mail/", "timeout": "10s", "interval": "5m", "allowRewind": true}), &[])
                .unwrap();
        assert_eq!(
            (all.options.path.as_deref(), all.options.timeout),
            (Some("mail/"), Some(Duration::from_secs(10)))
        );
        assert_eq!((all.interval, all.allow_rewind, all.suspended), (Duration::from_secs(300), true, false));
        assert!(prepared(&json!({"suspend": true}), &[]).unwrap().suspended);
    }

    #[test]
    fn ranges_that_the_schema_takes_are_read() {
        for range in ["*", ">=1.2, <2", "~1", "1.x", "1.2.X", "=1.2.3", "^0.1,>0"] {
            assert!(prepared(&json!({"ref": {"semver": range}}), &[]).is_ok(), "{range}");
        }
    }

    #[test]
    fn what_of_a_plan_is_applied() {
        for (spec, gate, approval) in [
            (json!({}), Gate::Everything, Approval::OnGuard),
            (json!({"mode": "Plan"}), Gate::Nothing, Approval::OnGuard),
            (json!({"failurePolicy": "Atomic", "approval": "Always"}), Gate::Whole, Approval::Always),
            (
                json!({"mode": "Plan", "failurePolicy": "Atomic", "approval": "Never"}),
                Gate::Nothing,
                Approval::Never,
            ),
        ] {
            let rules = PlanRules::new(&repository(&spec));
            assert_eq!((rules.gate, rules.approval), (gate, approval), "{spec}");
        }
        let mut adopts = repository(&json!({"adoption": "IfIdentical"}));
        assert_eq!(PlanRules::new(&adopts).adoption_tokens, Vec::<String>::new());
        let annotation = (ADOPT_ANNOTATION.to_owned(), " 0011, 2233\n4455 ".to_owned());
        adopts.metadata.annotations = Some([annotation].into());
        let rules = PlanRules::new(&adopts);
        assert_eq!(
            (rules.adoption, rules.adoption_tokens.join("|").as_str()),
            (Adoption::IfIdentical, "0011|2233|4455")
        );
        let rules = PlanRules::new(&repository(
            &json!({"guards": {"maxRemoved": 3, "maxRemovedPercent": 50}, "prune": false}),
        ));
        assert_eq!((rules.guards.max_removed, rules.guards.max_percent, rules.prune), (3, 50, false));
        assert_eq!(
            PlanRules::new(&repository(&json!({}))).guards,
            Guards::default(),
            "the schema's defaults are the planner's"
        );
    }

    #[test]
    fn secrets_that_are_missing_or_wrong_are_named() {
        let git = json!({"secretRef": {"name": "git"}});
        let verify = json!({"verify": {"secretRef": {"name": "signers"}}});
        let proxy = json!({"proxySecretRef": {"name": "proxy"}});
        for (spec, all, reason, message) in [
            (&git, vec![], Reason::SecretNotFound, "Secret mail/git does not exist"),
            (&git, vec![("git", "token", "x")], Reason::SecretKeyNotFound, "Secret mail/git: it has none of"),
            (
                &git,
                vec![("git", "username", "alice")],
                Reason::SecretKeyNotFound,
                "Secret mail/git: it has username but no",
            ),
            (&proxy, vec![], Reason::SecretNotFound, "Secret mail/proxy does not exist"),
            (
                &proxy,
                vec![("proxy", "address", "x y")],
                Reason::SecretInvalid,
                "Secret mail/proxy: address is not",
            ),
            (&verify, vec![], Reason::SecretNotFound, "Secret mail/signers does not exist"),
            (
                &verify,
                vec![("signers", "x", "y")],
                Reason::SecretKeyNotFound,
                "Secret mail/signers: there is no key",
            ),
            (
                &verify,
                vec![("signers", "allowed_signers", "alice")],
                Reason::SecretInvalid,
                "Secret mail/signers: allowed_signers",
            ),
        ] {
            let trouble = prepared(spec, &all).unwrap_err();
            assert_eq!(trouble.reason, reason, "{trouble}");
            assert!(trouble.message.starts_with(message), "{trouble}");
        }
    }

    #[test]
    fn secrets_that_are_there_are_used() {
        let spec = json!({"secretRef": {"name": "git"}, "verify": {"mode": "HEAD", "secretRef": {"name": "signers"}}});
        let all = prepared(
            &spec,
            &[
                ("git", "username", "alice"),
                ("git", "password", "hunter2"),
                ("signers", "allowed_signers", SIGNERS),
            ],
        )
        .unwrap();
        assert!(
            matches!(&all.options.credentials.http, Some(HttpCredentials::Basic { username, .. }) if username == "alice")
        );
        assert_eq!(all.verification.as_ref().unwrap().mode, Mode::Head);
        assert_eq!(all.verification.as_ref().unwrap().keys.fingerprints().len(), 1);
        assert!(!format!("{all:?}").contains("hunter2"));
    }
}
