//! `kubectl mailwright approve`: finds the MailRepository or MailServer whose plan of this digest waits and notes the approval
//! there, as an annotation. Who may write it decides who may approve: that is the API server's business.

use std::process::ExitCode;

use anyhow::{Result, bail};
use mailwright_crds::Kind;
use mailwright_crds::well_known::APPROVE_ANNOTATION;
use mailwright_plan::approval;
use mailwright_plan::short_digest;
use serde_json::Value;

use super::objects::{Reader, full_name, of_kind, text};
use crate::terminal;

/// Looks, chooses, writes.
pub async fn run(reader: &Reader, namespace: &str, digest: &str) -> Result<ExitCode> {
    let digest = approval::parse(digest)?;
    let mut objects = Vec::new();
    for kind in [Kind::MailRepository, Kind::MailServer] {
        let all = reader.list(of_kind(kind), Some(namespace), "").await?;
        objects.extend(all.into_iter().map(|object| (kind, object)));
    }
    let waiting: Vec<Waiting<'_>> =
        objects.iter().filter_map(|(kind, object)| Waiting::of(*kind, object)).collect();
    let chosen = choose(&waiting, namespace, &digest)?;
    let place = (namespace, text(chosen.object, "/metadata/name"));
    reader.annotate(of_kind(chosen.kind), place, APPROVE_ANNOTATION, &digest).await?;
    terminal::print(&format!(
        "{digest} is approved for the {} {}; it is applied if it is the plan that waits, and lifts nothing of any other\n",
        chosen.kind.singular(),
        full_name(chosen.object)
    ));
    Ok(ExitCode::SUCCESS)
}

/// An object whose plan is not accepted.
#[derive(Debug)]
struct Waiting<'a> {
    kind: Kind,
    object: &'a Value,
    /// What tells the digest: a field of a repository's status, a message of a server's.
    says: &'a str,
}

impl<'a> Waiting<'a> {
    fn of(kind: Kind, object: &'a Value) -> Option<Waiting<'a>> {
        let conditions = object.pointer("/status/conditions")?.as_array()?;
        let accepted = conditions.iter().find(|it| it["type"] == "PlanAccepted")?;
        let says = match kind {
            Kind::MailRepository => text(object, "/status/plan/digest"),
            _ => text(accepted, "/message"),
        };
        (accepted["status"] == "False").then_some(Waiting { kind, object, says })
    }
}

fn choose<'w, 'a>(waiting: &'w [Waiting<'a>], namespace: &str, digest: &str) -> Result<&'w Waiting<'a>> {
    if let Some(found) = waiting.iter().find(|it| it.says.contains(short_digest(digest))) {
        return Ok(found);
    }
    if waiting.is_empty() {
        bail!("no plan waits for an approval in the namespace {namespace}; choose another with -n");
    }
    let each =
        waiting.iter().map(|it| format!("{} {}: {}", it.kind.singular(), full_name(it.object), it.says));
    bail!(
        "no plan of this digest waits in the namespace {namespace}; an approval dies when the plan changes. What waits: {}",
        each.collect::<Vec<_>>().join("; ")
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DIGEST: &str = "0123456789abcdef0123456789abcdef";

    fn object(name: &str, accepted: &str, digest: &str) -> Value {
        json!({
            "metadata": {"namespace": "mail", "name": name},
            "status": {
                "plan": {"digest": digest},
                "conditions": [{"type": "PlanAccepted", "status": accepted, "message": format!("approve {digest}")}],
            },
        })
    }

    #[test]
    fn the_one_that_waits_with_the_digest_is_meant() {
        let other = "fedcba9876543210";
        for (repositories, servers, expected) in [
            (vec![object("company", "False", DIGEST)], vec![], Ok("company")),
            (
                vec![object("company", "False", other)],
                vec![object("main", "False", &DIGEST[..16])],
                Ok("main"),
            ),
            (vec![object("company", "True", DIGEST)], vec![], Err("no plan waits for an approval")),
            (vec![], vec![], Err("no plan waits for an approval in the namespace mail")),
            (
                vec![object("company", "False", other)],
                vec![],
                Err("mailrepository mail/company: fedcba9876543210"),
            ),
            (vec![json!({"metadata": {"name": "new"}})], vec![], Err("no plan waits")),
        ] {
            let mut waiting: Vec<Waiting<'_>> =
                repositories.iter().filter_map(|it| Waiting::of(Kind::MailRepository, it)).collect();
            waiting.extend(servers.iter().filter_map(|it| Waiting::of(Kind::MailServer, it)));
            match (choose(&waiting, "mail", DIGEST), expected) {
                (Ok(found), Ok(name)) => assert_eq!(text(found.object, "/metadata/name"), name),
                (Err(error), Err(says)) => assert!(error.to_string().contains(says), "{error}"),
                (found, expected) => panic!("{found:?} instead of {expected:?}"),
            }
        }
    }
}
