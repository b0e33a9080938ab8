//! The next step for a reason: what to type or to change. The message of a condition says what is wrong; this says what
//! somebody with kubectl does about it. Pure.

use mailwright_crds::Kind;
use serde_json::Value;

use crate::cluster::objects::text;

/// The next step for an object that is not Ready for `reason`.
pub fn next_step(kind: Kind, object: &Value, reason: &str) -> Option<String> {
    let namespace = text(object, "/metadata/namespace");
    let name = text(object, "/metadata/name");
    let this = format!("-n {namespace} {}/{name}", kind.singular());
    Some(match reason {
        "NotObserved" => "see whether an operator runs (`kubectl get pods -A -l app.kubernetes.io/name=mailwright`), whether \
                          its /readyz is well, and whether it watches this namespace"
            .to_owned(),
        "Suspended" => format!("kubectl annotate {this} mailwright.dev/reconcile-"),
        "HeldByGuard" => format!(
            "read what would be removed with `kubectl mailwright plan -n {namespace}`, then approve the digest named above by \
             annotating the MailServer with mailwright.dev/approve"
        ),
        "SecretNotFound" | "SecretKeyNotFound" => format!(
            "kubectl create secret generic -n {namespace} {} --from-literal={}=…",
            secret(object, "name").unwrap_or("NAME"),
            secret(object, "key").unwrap_or("password")
        ),
        "DomainNotFound" => "declare a MailDomain for it, or correct the address (it cannot be changed: delete and apply anew)"
            .to_owned(),
        "ServerNotFound" => "apply the MailServer, or delete the MailDomain and declare it anew with another serverRef".to_owned(),
        "DuplicateAddress" | "OwnedByAnother" => {
            "delete one of the two, or give it another address; the message names the other".to_owned()
        }
        "AddressNotAllowed" => "ask the owner of the MailDomain to allow this namespace in spec.allowedMailboxes".to_owned(),
        "DomainNotAllowed" => "ask the owner of the MailServer to allow this namespace in spec.allowedDomains".to_owned(),
        "DatabaseReplaced" => "if the new database is meant to be served, annotate the MailServer with \
                               mailwright.dev/accept-database and the identity named above; if not, bring the old volume back"
            .to_owned(),
        "StorageFull" => format!("enlarge the volume claim data-{name}-0 (kubectl patch pvc), or let mail be deleted"),
        "ApplyFailed" => "the account database refused it for the reason above; change the manifest, or look at the mail pod's \
                          log"
            .to_owned(),
        "Invalid" | "SourceBroken" => format!("correct the manifest; kubectl describe {this} has all of it"),
        _ => return None,
    })
}

fn secret<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    let named = text(object, &format!("/spec/credentials/secretRef/{field}"));
    (!named.is_empty()).then_some(named)
}

#[cfg(test)]
mod tests {
    use mailwright_crds::condition::conditions_of;
    use serde_json::json;

    use super::*;

    fn alice() -> Value {
        json!({
            "metadata": {"namespace": "mail", "name": "alice"},
            "spec": {"credentials": {"secretRef": {"name": "alice-password", "key": "pw"}}},
        })
    }

    #[test]
    fn the_step_names_what_to_type() {
        for (reason, step) in [
            ("Suspended", "kubectl annotate -n mail mailbox/alice mailwright.dev/reconcile-"),
            ("SecretNotFound", "kubectl create secret generic -n mail alice-password --from-literal=pw=…"),
            ("Invalid", "correct the manifest; kubectl describe -n mail mailbox/alice has all of it"),
        ] {
            assert_eq!(next_step(Kind::Mailbox, &alice(), reason).as_deref(), Some(step));
        }
        let bare = json!({"metadata": {"namespace": "mail", "name": "a"}});
        let step = next_step(Kind::Mailbox, &bare, "SecretNotFound").unwrap();
        assert!(step.ends_with("-n mail NAME --from-literal=password=…"), "{step}");
    }

    #[test]
    fn what_is_well_or_waits_for_something_else_has_no_step_of_its_own() {
        for reason in ["Reconciled", "DependencyNotReady", "Disabled", "nonsense"] {
            assert_eq!(next_step(Kind::Mailbox, &alice(), reason), None, "{reason}");
        }
    }

    #[test]
    fn steps_are_for_reasons_that_exist() {
        let known: Vec<String> = Kind::ALL
            .into_iter()
            .flat_map(conditions_of)
            .flat_map(|info| info.reasons)
            .map(ToString::to_string)
            .collect();
        for reason in
            ["Suspended", "HeldByGuard", "SecretNotFound", "SecretKeyNotFound", "DomainNotFound", "Invalid"]
        {
            assert!(known.iter().any(|word| word == reason), "{reason}");
            assert!(next_step(Kind::Mailbox, &alice(), reason).is_some());
        }
    }
}
