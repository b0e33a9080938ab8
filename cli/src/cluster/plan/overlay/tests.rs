//! What lies where: manifests over resources, one server's objects, passwords that change and passwords that do not.

use mailwright_crds::Kind;
use mailwright_operator::source::{ObjectKind, ObjectRef as SourceRef, SecretValue};
use mailwright_plan::observed::{CredentialRow, MailboxDeclared, MailboxRow, SetBy};
use mailwright_plan::{Plan, Settings};
use serde_json::{Value, json};

use super::*;

fn resource_of(kind: Kind, namespace: &str, name: &str, spec: Value) -> Resource {
    let object = json!({
        "apiVersion": "mailwright.dev/v1alpha1",
        "kind": kind.as_str(),
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    });
    Resource::from_value(kind, object).unwrap()
}

fn main_server() -> Resource {
    resource_of(Kind::MailServer, "mail", "main", json!({"hostname": "mx.example.test"}))
}

fn domain(name: &str, domain: &str, server: &str) -> Resource {
    resource_of(Kind::MailDomain, "mail", name, json!({"domain": domain, "serverRef": {"name": server}}))
}

fn mailbox(name: &str, address: &str, credentials: Value) -> Resource {
    resource_of(Kind::Mailbox, "mail", name, json!({"address": address, "credentials": credentials}))
}

fn secret_ref(name: &str) -> Value {
    json!({"secretRef": {"name": name}})
}

fn declared(resource: Resource) -> Arc<Object> {
    let reference = SourceRef {
        kind: ObjectKind::Resource(resource.kind()),
        namespace: resource.namespace().into(),
        name: resource.name().into(),
    };
    let content = Content::Resource(Box::new(resource));
    Arc::new(Object {
        reference,
        origin: Origin::new("a.yaml", 1),
        lines: mailwright_plan::Lines::default(),
        content,
    })
}

fn secret_value(value: &str) -> Secret {
    Secret { values: BTreeMap::from([("password".to_owned(), SecretValue::new(value))]) }
}

fn declared_secret(name: &str, value: &str) -> Arc<Object> {
    let reference = SourceRef { kind: ObjectKind::Secret, namespace: "mail".into(), name: name.into() };
    let content = Content::Secret(secret_value(value));
    Arc::new(Object {
        reference,
        origin: Origin::new("s.yaml", 1),
        lines: mailwright_plan::Lines::default(),
        content,
    })
}

/// The overlay for the server mail/main; every Secret that is named exists.
fn overlay(declared: Vec<Arc<Object>>, live: Vec<Resource>) -> Overlay {
    Overlay {
        snapshot: Snapshot { objects: declared, ..Snapshot::default() },
        live,
        server: ServerKey::new("mail", "main"),
        known: Known { namespaces: BTreeMap::new(), secrets: None, values: BTreeMap::new() },
    }
}

fn plan(overlay: Overlay, observed: Observed) -> Plan {
    let (feed, observed) = overlay.lay(observed);
    mailwright_plan::plan(
        &feed.catalog,
        &observed,
        &Settings::new("kubernetes", chrono::DateTime::UNIX_EPOCH),
    )
}

/// The row of alice as the operator wrote it, with a fingerprint of its own key.
fn rows(fingerprint: &str) -> Observed {
    let object = ObjectRef { kind: Kind::Mailbox, namespace: "mail".into(), name: "alice".into() };
    let owner = Owner {
        managed_by: "kubernetes".to_owned(),
        object,
        origin: Origin::default(),
        applied: None,
        former: None,
    };
    let declared: MailboxDeclared = observed_alice();
    let credential = CredentialRow { fingerprint: Some(fingerprint.to_owned()), set_by: SetBy::Declared };
    let row = MailboxRow {
        account_id: 1,
        declared: declared.into(),
        owner: Some(owner.into()),
        removed_at: None,
        credential: Some(credential),
        used_bytes: 0,
    };
    Observed { mailboxes: vec![row], ..Observed::default() }
}

/// What applying alice's manifest makes of her: taken from the plan that creates her.
fn observed_alice() -> MailboxDeclared {
    let live = vec![
        main_server(),
        domain("example", "example.test", "main"),
        mailbox("alice", "alice@example.test", secret_ref("pw")),
    ];
    let plan = plan(overlay(Vec::new(), live), Observed::default());
    let created = plan.operations.iter().find_map(|operation| match &operation.change {
        mailwright_plan::Change::PutMailbox { declared, .. } => Some(MailboxDeclared::clone(declared)),
        _ => None,
    });
    created.unwrap_or_else(|| panic!("alice is created: {plan:#?}"))
}

fn actions(plan: &Plan) -> Vec<String> {
    plan.operations.iter().map(|operation| format!("{:?} {}", operation.action, operation.subject)).collect()
}

#[test]
fn what_is_declared_anew_counts_and_the_rest_stays() {
    let live = vec![
        main_server(),
        domain("example", "example.test", "main"),
        domain("other", "other.test", "other"),
    ];
    let new = declared(resource_of(
        Kind::Alias,
        "mail",
        "sales",
        json!({"address": "sales@example.test", "targets": ["bob@example.org"]}),
    ));
    let foreign = declared(resource_of(
        Kind::Alias,
        "mail",
        "foreign",
        json!({"address": "sales@other.test", "targets": ["bob@example.org"]}),
    ));
    let (feed, _) = overlay(vec![new, foreign], live).lay(Observed::default());
    let names: Vec<_> = feed.catalog.entries().map(|entry| entry.object().to_string()).collect();
    assert_eq!(names, ["MailServer mail/main", "MailDomain mail/example", "Alias mail/sales"]);
}

#[test]
fn a_manifest_replaces_the_resource_of_its_name() {
    let live = vec![main_server(), domain("example", "example.test", "main")];
    let again = domain("example", "example.test", "main");
    let (feed, _) = overlay(vec![declared(again)], live).lay(Observed::default());
    let origins: Vec<String> = feed
        .catalog
        .entries()
        .filter(|entry| entry.object().kind == Kind::MailDomain)
        .map(|entry| entry.origin.file.to_string())
        .collect();
    assert_eq!(origins, ["a.yaml"]);
}

/// The changes of alice when `declared` is applied over her live manifest.
fn alice(live: Value, declared_objects: Vec<Arc<Object>>, values: &[(&str, &str)]) -> Vec<String> {
    let live = vec![
        main_server(),
        domain("example", "example.test", "main"),
        mailbox("alice", "alice@example.test", live),
    ];
    let mut overlay = overlay(declared_objects, live);
    for (name, value) in values {
        overlay.known.values.insert(("mail".to_owned(), (*name).to_owned()), secret_value(value));
    }
    let plan = plan(overlay, rows("made with the operator's key"));
    actions(&plan).into_iter().filter(|action| action.contains("alice")).collect()
}

#[test]
fn passwords_change_exactly_where_their_manifest_does() {
    let hash = |salt: &str| json!({"passwordHash": format!("$6${salt}$hashhashhash")});
    let applied = |credentials: Value| vec![declared(mailbox("alice", "alice@example.test", credentials))];
    for (what, live, declared, values, changes) in [
        ("nothing", secret_ref("pw"), vec![], vec![], false),
        ("the same hash", hash("a"), applied(hash("a")), vec![], false),
        ("another hash", hash("a"), applied(hash("b")), vec![], true),
        ("another Secret", secret_ref("pw"), applied(secret_ref("new")), vec![], true),
        ("the same Secret", secret_ref("pw"), applied(secret_ref("pw")), vec![], false),
        ("the same value", secret_ref("pw"), vec![declared_secret("pw", "x")], vec![("pw", "x")], false),
        ("another value", secret_ref("pw"), vec![declared_secret("pw", "y")], vec![("pw", "x")], true),
        ("a value that may not be read", secret_ref("pw"), vec![declared_secret("pw", "y")], vec![], true),
    ] {
        assert_eq!(!alice(live, declared, &values).is_empty(), changes, "{what}");
    }
}

#[test]
fn a_secret_that_does_not_exist_is_told() {
    let live = vec![
        main_server(),
        domain("example", "example.test", "main"),
        mailbox("alice", "alice@example.test", secret_ref("pw")),
    ];
    let mut overlay = overlay(Vec::new(), live);
    overlay.known.secrets = Some(BTreeSet::new());
    let problems: Vec<String> =
        plan(overlay, Observed::default()).problems.iter().map(ToString::to_string).collect();
    assert!(problems.iter().any(|problem| problem.contains("there is no Secret mail/pw")), "{problems:?}");
}

#[test]
fn manifests_without_a_namespace_go_where_kubectl_would_put_them() {
    let of = |namespace: &str| {
        let alias = resource_of(
            Kind::Alias,
            namespace,
            "a",
            json!({"address": "a@example.test", "targets": ["b@example.test"]}),
        );
        declared(alias)
    };
    let mut snapshot = Snapshot { objects: vec![of("default"), of("team")], ..Snapshot::default() };
    put_into(&mut snapshot, "mail");
    let places: Vec<_> = snapshot
        .objects
        .iter()
        .map(|object| {
            (object.reference.namespace.to_string(), resource(object).unwrap().namespace().to_owned())
        })
        .collect();
    let pair = |name: &str| (name.to_owned(), name.to_owned());
    assert_eq!(places, [pair("mail"), pair("team")]);
}

#[test]
fn the_server_is_found_or_asked_for() {
    let server_at = |namespace: &str, name: &str| {
        resource_of(Kind::MailServer, namespace, name, json!({"hostname": "mx.example.test"}))
    };
    let servers = [server_at("a", "one"), server_at("b", "two"), server_at("b", "three")];
    let chosen = |some: &[Resource], namespace: &str, name: Option<&str>| {
        server(some.iter(), namespace, name).map(|server: ServerKey| server.to_string())
    };
    assert_eq!(chosen(&servers, "a", None).unwrap(), "a/one");
    assert_eq!(chosen(&servers, "b", Some("two")).unwrap(), "b/two");
    assert_eq!(chosen(&servers, "c", Some("three")).unwrap(), "b/three");
    assert_eq!(chosen(&servers[..1], "c", None).unwrap(), "a/one");
    for (some, namespace, name) in
        [(&servers[..], "b", None), (&servers[..], "c", None), (&[], "a", Some("x"))]
    {
        let error = chosen(some, namespace, name).unwrap_err().to_string();
        assert!(error.starts_with("choose a MailServer"), "{error}");
    }
}
