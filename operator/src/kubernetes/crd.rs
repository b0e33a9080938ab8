//! Owns the question whether the CustomResourceDefinitions that are installed are as new as this binary. With older ones
//! the API server drops fields that manifests set and refuses statuses; such an operator is not ready, and says why.
//! Helm never upgrades definitions with a chart that has them, so this happens to everybody once.

pub mod covers;

use std::collections::BTreeMap;
use std::time::Duration;

use http::Request;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube_client::{Api, Client, Error};
use kube_runtime::events::{Event, EventType};
use mailwright_crds::kind::{GROUP, PACKAGE_VERSION};
use mailwright_crds::{Kind, schema};
use serde_json::Value;
use tokio::time::sleep;

use self::covers::Verdict;
use super::http::Checks;
use super::options::Options;
use super::process::DEFINITIONS;
use super::{event, metrics};

/// Between two looks while something is wrong: whoever runs the upgrade wants to see it work.
const SOON: Duration = Duration::from_secs(5);
/// Between two looks while all is well: four reads of metadata.
const LATER: Duration = Duration::from_secs(20);

/// Looks again and again, for as long as it is polled: tells the readiness probe, the metrics, and whoever reads Events.
pub async fn watch(client: Client, options: &Options, checks: Checks) {
    let mut look = Look { client: client.clone(), seen: BTreeMap::new() };
    let mut told = None;
    loop {
        let verdicts = look.now().await;
        for (kind, verdict) in &verdicts {
            match verdict {
                Verdict::Unknown(why) => tracing::warn!("{}.{GROUP}: {why}", kind.plural()),
                verdict => metrics::definition_current(kind.plural(), verdict.is_current()),
            }
        }
        let why = summary(&verdicts);
        let current = why.is_none();
        match &why {
            None => checks.passes(DEFINITIONS),
            Some(why) => checks.fails(DEFINITIONS, why),
        }
        if told.as_ref() != Some(&why) {
            // All is well from the start: nothing to tell.
            if told.is_some() || !current {
                announce(&client, options, why.as_deref()).await;
            }
            told = Some(why);
        }
        sleep(if current { LATER } else { SOON }).await;
    }
}

/// What is wrong, in one text that says what to do; nothing when all is well.
fn summary(verdicts: &BTreeMap<Kind, Verdict>) -> Option<String> {
    let wrong: Vec<String> = verdicts.iter().filter_map(|(kind, verdict)| verdict.explain(*kind)).collect();
    (!wrong.is_empty()).then(|| {
        format!(
            "{}; run `helm upgrade --install mailwright-crds charts/mailwright-crds` from version {PACKAGE_VERSION}, this \
             operator notices by itself",
            wrong.join("; ")
        )
    })
}

struct Look {
    client: Client,
    /// By kind: the version that was judged, and how.
    seen: BTreeMap<Kind, (String, Verdict)>,
}

impl Look {
    async fn now(&mut self) -> BTreeMap<Kind, Verdict> {
        let mut verdicts = BTreeMap::new();
        for kind in Kind::ALL {
            let verdict = match self.judge(kind).await {
                Ok(verdict) => verdict,
                Err(error) => Verdict::Unknown(explain(&error)),
            };
            verdicts.insert(kind, verdict);
        }
        verdicts
    }

    async fn judge(&mut self, kind: Kind) -> Result<Verdict, Error> {
        let name = format!("{}.{GROUP}", kind.plural());
        let definitions: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        let Some(found) = definitions.get_metadata_opt(&name).await? else {
            self.seen.remove(&kind);
            return Ok(Verdict::Missing);
        };
        let version = found.metadata.resource_version.unwrap_or_default();
        if let Some((seen, verdict)) = self.seen.get(&kind)
            && *seen == version
        {
            return Ok(verdict.clone());
        }
        let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}");
        let request = Request::get(path).body(Vec::new()).map_err(Error::HttpError)?;
        let installed: Value = self.client.request(request).await?;
        let verdict = covers::judge(&installed, schema::crd(kind));
        self.seen.insert(kind, (version, verdict.clone()));
        Ok(verdict)
    }
}

/// Tells on the operator's own pod, where somebody looks who asks why it is not ready.
async fn announce(client: &Client, options: &Options, why: Option<&str>) {
    let (type_, reason, note) = match why {
        Some(why) => (EventType::Warning, "DefinitionsOutdated", why.to_owned()),
        None => (
            EventType::Normal,
            "DefinitionsCurrent",
            "the installed definitions are as new as this operator".to_owned(),
        ),
    };
    match why {
        Some(why) => tracing::error!("{why}"),
        None => tracing::info!("{note}"),
    }
    let event = Event {
        type_,
        reason: reason.to_owned(),
        note: Some(event::cut(note)),
        action: "CheckDefinitions".to_owned(),
        secondary: None,
    };
    let pod = ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        name: Some(options.identity.clone()),
        namespace: Some(options.namespace.clone()),
        ..ObjectReference::default()
    };
    let recorder = event::recorder(client.clone(), &options.identity);
    if let Err(error) = recorder.publish(&event, &pod).await {
        tracing::warn!(%error, "the Event about the definitions could not be written");
    }
}

/// Why a definition could not be read.
fn explain(error: &Error) -> String {
    match error {
        Error::Api(status) if status.code == 403 => {
            "the operator may not read it; its ClusterRole needs get on customresourcedefinitions".to_owned()
        }
        error => format!("it could not be read: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(of: &[(Kind, Verdict)]) -> BTreeMap<Kind, Verdict> {
        of.iter().cloned().collect()
    }

    #[test]
    fn the_summary_says_what_is_wrong_and_what_to_do() {
        assert_eq!(summary(&verdicts(&[(Kind::Mailbox, Verdict::Current)])), None);
        let wrong = verdicts(&[
            (Kind::Alias, Verdict::Missing),
            (Kind::Mailbox, Verdict::Current),
            (Kind::MailServer, Verdict::Outdated { installed: None, lacks: vec!["spec.service".to_owned()] }),
        ]);
        let text = summary(&wrong).unwrap();
        assert_eq!(
            text,
            format!(
                "mailservers.mailwright.dev lacks spec.service; aliases.mailwright.dev is not installed; run `helm upgrade \
                 --install mailwright-crds charts/mailwright-crds` from version {PACKAGE_VERSION}, this operator notices by \
                 itself"
            )
        );
    }

    #[test]
    fn what_cannot_be_read_is_no_verdict() {
        let text =
            summary(&verdicts(&[(Kind::Alias, Verdict::Unknown("it could not be read: away".to_owned()))]));
        assert_eq!(text, None, "an API server that is away for a moment does not make a replica unready");
    }
}
