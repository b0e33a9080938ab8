//! Names of kinds, references, and the accessors of resources.

use serde_json::json;

use super::*;

#[test]
fn kinds_are_found_by_any_of_their_names() {
    for (word, kind) in [
        ("mbx", Kind::Mailbox),
        ("Mailbox", Kind::Mailbox),
        ("mailboxes", Kind::Mailbox),
        ("mailboxes.mailwright.dev", Kind::Mailbox),
        ("MDOM", Kind::MailDomain),
        ("maildomain", Kind::MailDomain),
        ("msrv", Kind::MailServer),
        ("mailservers", Kind::MailServer),
        ("malias", Kind::Alias),
        ("aliases", Kind::Alias),
        ("mrepo", Kind::MailRepository),
        ("MailRepositories", Kind::MailRepository),
    ] {
        assert_eq!(word.parse(), Ok(kind), "{word}");
    }
    for word in ["", "mail", "secret", "mbxs", "mailboxes.example.org"] {
        let error = word.parse::<Kind>().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "unknown kind {word:?}; the kinds are MailServer (msrv), MailDomain (mdom), Mailbox (mbx), Alias (malias) and \
                 MailRepository (mrepo)"
            )
        );
    }
    for kind in Kind::ALL {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        assert_eq!(kind.to_string().parse(), Ok(kind));
    }
}

#[test]
fn resources_tell_who_they_are() {
    for kind in Kind::PLANNED {
        let mut value: Value = serde_yaml::from_str(crate::generate::example(kind)).unwrap();
        value["metadata"] = json!({
            "name": "test", "namespace": "mail", "generation": 7,
            "annotations": {"mailwright.dev/reconcile": "disabled", "mailwright.dev/requestedAt": "now"},
        });
        let mut resource = crate::check_manifest(kind, &value).unwrap();
        assert_eq!((resource.kind(), resource.name(), resource.namespace()), (kind, "test", "mail"));
        assert_eq!(
            (resource.generation(), resource.is_suspended(), resource.requested_at()),
            (Some(7), true, Some("now"))
        );
        assert_eq!(resource.object_ref().to_string(), format!("{kind} mail/test"));
        *resource.metadata_mut() = ObjectMeta::default();
        assert_eq!((resource.name(), resource.namespace(), resource.generation()), ("", "default", None));
        assert_eq!(
            (resource.is_suspended(), resource.requested_at(), resource.annotation("x")),
            (false, None, None)
        );
        assert_eq!(Resource::from_value(kind, resource.to_value().unwrap()).unwrap(), resource);
    }
}

#[test]
fn values_that_were_never_checked_are_refused_by_the_types() {
    for (kind, spec) in [
        (Kind::Mailbox, json!({"address": "Alice@example.test"})),
        (Kind::Mailbox, json!({"address": "alice@example.test", "surprise": 1})),
        (Kind::Alias, json!({"address": "a@example.test"})),
        (
            Kind::MailDomain,
            json!({"domain": "example.test", "serverRef": {"name": "mail", "cluster": "other"}}),
        ),
        (Kind::MailServer, json!({"hostname": "mail.example.test", "listeners": {"smtp": {"port": 70_000}}})),
        // Right, and yet nothing that is planned.
        (Kind::MailRepository, json!({"url": "https://git.example.test/mail.git"})),
    ] {
        let value = json!({"apiVersion": API_VERSION, "kind": kind.as_str(), "metadata": {"name": "a"}, "spec": spec});
        assert!(Resource::from_value(kind, value.clone()).is_err(), "{value}");
    }
}
