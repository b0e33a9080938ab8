//! What the cluster has to say before there is a way to a database, and what its answers are called.

use kube_core::DynamicObject;
use mailwright_crds::Kind;
use serde_json::json;

use super::*;
use crate::kubernetes::watch::Told;
use crate::kubernetes::world::Topic;

fn object(kind: Kind, name: &str, spec: &serde_json::Value, status: &serde_json::Value) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "mailwright.dev/v1alpha1", "kind": kind.as_str(),
        "metadata": {"name": name, "namespace": "mail", "uid": name, "resourceVersion": "1"},
        "spec": spec, "status": status,
    }))
    .unwrap()
}

fn server(status: &serde_json::Value) -> DynamicObject {
    object(Kind::MailServer, "main", &json!({"hostname": "mail.example.test"}), status)
}

fn world(objects: Vec<(Kind, DynamicObject)>) -> World {
    let mut world = World::default();
    for kind in Kind::PLANNED {
        world.expect((Topic::Resource(kind), 0), None, false);
        world.take((Topic::Resource(kind), 0), Told::Began);
        for (_, object) in objects.iter().filter(|(of, _)| *of == kind) {
            world.take((Topic::Resource(kind), 0), Told::Listed(object.clone()));
        }
        world.take((Topic::Resource(kind), 0), Told::Complete);
    }
    world
}

fn found(world: &World) -> Result<Found, Trouble> {
    find(world, &ServerKey::new("mail", "main"))
}

#[test]
fn there_is_a_way_once_the_server_is_bound_to_a_database() {
    for (objects, reason, says) in [
        (vec![], Reason::ServerNotFound, "there is no MailServer mail/main"),
        (vec![(Kind::MailServer, server(&json!({})))], Reason::DatabaseUnreachable, "has no database yet"),
        (
            vec![(Kind::MailServer, server(&json!({"databaseID": null})))],
            Reason::DatabaseUnreachable,
            "no database yet",
        ),
    ] {
        let trouble = found(&world(objects)).err().unwrap();
        assert_eq!((trouble.aspect, trouble.reason, trouble.temporary), (ConditionType::Ready, reason, true));
        assert!(trouble.message.contains(says), "{trouble}");
    }
    let domain = json!({"serverRef": {"name": "main"}, "domain": "example.test"});
    let other = json!({"hostname": "other.example.test"});
    let objects = vec![
        (Kind::MailServer, server(&json!({"databaseID": "0f"}))),
        (Kind::MailServer, object(Kind::MailServer, "other", &other, &json!({}))),
        (Kind::MailDomain, object(Kind::MailDomain, "example", &domain, &json!({}))),
        (
            Kind::Mailbox,
            object(Kind::Mailbox, "alice", &json!({"address": "alice@example.test"}), &json!({})),
        ),
    ];
    let found = found(&world(objects)).unwrap_or_else(|trouble| panic!("{trouble}"));
    assert_eq!(found.database, "0f");
    let neighbours: Vec<String> =
        found.around.neighbours.iter().map(|resource| resource.object_ref().to_string()).collect();
    assert_eq!(neighbours, ["MailServer mail/main", "MailDomain mail/example"]);
}

#[test]
fn a_world_that_is_not_complete_says_nothing() {
    let mut world = World::default();
    world.expect((Topic::Resource(Kind::MailServer), 0), None, false);
    let trouble = found(&world).err().unwrap();
    assert_eq!((trouble.reason, trouble.temporary), (Reason::ApplyFailed, true));
}

#[test]
fn every_answer_of_a_database_is_a_reason_and_is_tried_again() {
    use AccountsErrorKind as K;
    for (kind, says) in [
        (K::Unreachable, "does not answer: x"),
        (K::Fenced, "another operator leads: x"),
        (K::WrongDatabase, "DatabaseReady"),
        (K::StorageFull, "make room"),
        (K::Refused, "x"),
    ] {
        let trouble = trouble(&PassError::Accounts(AccountsError::new(kind, "x")));
        assert_eq!((trouble.reason, trouble.temporary), (Reason::DatabaseUnreachable, true));
        assert!(trouble.message.contains(says), "{trouble}");
    }
    let unasked = trouble(&PassError::Unasked("it is not known what is allowed".into()));
    assert_eq!(unasked.reason, Reason::AccessDenied);
}
