//! What a world keeps and forgets, message by message.

use serde_json::json;

use super::*;

const ALIASES: Tag = (Topic::Resource(Kind::Alias), 0);
const NAMESPACES: Tag = (Topic::Namespace, 0);
const CHILDREN: Tag = (Topic::Child(0), 0);

fn alias(name: &str, version: u64, generation: i64) -> DynamicObject {
    let value = json!({
        "apiVersion": "mailwright.dev/v1alpha1", "kind": "Alias",
        "metadata": {
            "name": name, "namespace": "a", "uid": format!("uid-{name}"), "generation": generation,
            "resourceVersion": version.to_string(),
        },
        "spec": {"address": format!("{name}@example.test"), "targets": [format!("t{generation}@example.test")]},
    });
    serde_json::from_value(value).unwrap()
}

fn with(mut object: DynamicObject, status: Value) -> DynamicObject {
    object.data["status"] = status;
    object
}

fn reference(name: &str) -> ObjectRef {
    ObjectRef { kind: Kind::Alias, namespace: "a".into(), name: name.into() }
}

fn world() -> World {
    let mut world = World::default();
    world.expect(ALIASES, None, false);
    world.take(ALIASES, Told::Began);
    world.take(ALIASES, Told::Listed(alias("one", 10, 1)));
    world.take(ALIASES, Told::Listed(alias("two", 11, 1)));
    world
}

#[test]
fn nothing_is_complete_before_its_list_is() {
    let mut world = world();
    assert!(!world.is_complete() && !world.knows_all_kinds());
    world.take(ALIASES, Told::Complete);
    assert!(world.is_complete() && world.knows_all_kinds());
    assert_eq!(world.objects().len(), 2);
}

#[test]
fn only_a_complete_list_forgets() {
    let mut world = world();
    world.take(ALIASES, Told::Complete);
    world.take(ALIASES, Told::Began);
    world.take(ALIASES, Told::Listed(alias("two", 11, 1)));
    world.take(ALIASES, Told::Failed("reset".into()));
    assert_eq!(world.objects().len(), 2, "a list that broke off says nothing about the rest");
    world.take(ALIASES, Told::Began);
    world.take(ALIASES, Told::Listed(alias("two", 11, 1)));
    let touched = world.take(ALIASES, Told::Complete);
    assert_eq!(touched.objects, BTreeSet::from([reference("one")]));
    assert_eq!(world.objects().len(), 1);
}

#[test]
fn a_kind_that_vanishes_is_unknown_and_keeps_its_objects() {
    let mut world = world();
    world.take(ALIASES, Told::Complete);
    assert!(world.take(ALIASES, Told::Unknown).is_empty());
    assert_eq!((world.objects().len(), world.knows_all_kinds(), world.is_complete()), (2, false, true));
    assert_eq!(world.incomplete(), ["Resource(Alias): the API server does not have it"]);
    world.take(ALIASES, Told::Began);
    assert!(!world.knows_all_kinds(), "it is known again once it was listed");
    world.take(ALIASES, Told::Complete);
    assert!(world.knows_all_kinds() && world.objects().is_empty());
}

#[test]
fn a_list_of_one_namespace_forgets_nothing_of_another() {
    let mut world = World::default();
    let other: Tag = (Topic::Resource(Kind::Alias), 1);
    world.expect(ALIASES, Some("a"), false);
    world.expect(other, Some("b"), false);
    world.take(ALIASES, Told::Began);
    world.take(ALIASES, Told::Listed(alias("one", 1, 1)));
    world.take(ALIASES, Told::Complete);
    world.take(other, Told::Began);
    world.take(other, Told::Complete);
    assert!(world.is_complete() && world.objects().len() == 1);
}

#[test]
fn what_changed_is_told_apart() {
    let mut world = world();
    world.take(ALIASES, Told::Complete);
    let check = |world: &mut World, object: DynamicObject, objects: usize, statuses: usize, what: &str| {
        let touched = world.take(ALIASES, Told::Changed(object));
        assert_eq!((touched.objects.len(), touched.statuses.len()), (objects, statuses), "{what}");
    };
    check(&mut world, alias("one", 10, 1), 0, 0, "the same again");
    check(&mut world, with(alias("one", 12, 1), json!({"observedGeneration": 1})), 0, 1, "only its status");
    check(&mut world, with(alias("one", 13, 2), json!({"observedGeneration": 1})), 1, 0, "its spec");
    check(&mut world, alias("one", 12, 1), 0, 0, "an old message");
    assert_eq!(world.objects()[&reference("one")].observed_generation(), 1);
    let mut annotated = with(alias("one", 14, 2), json!({"observedGeneration": 1}));
    annotated.metadata.annotations =
        Some([("mailwright.dev/requestedAt".to_owned(), "now".to_owned())].into());
    check(&mut world, annotated.clone(), 1, 0, "an annotation");
    annotated.metadata.resource_version = Some("15".to_owned());
    annotated.metadata.labels = Some([("mailwright.dev/legal-hold".to_owned(), "true".to_owned())].into());
    check(&mut world, annotated, 1, 0, "a label");
    check(&mut world, alias("three", 16, 1), 1, 1, "a new one");
}

#[test]
fn the_answer_to_a_write_counts_like_a_message_but_makes_nothing() {
    let mut world = world();
    let answer = with(alias("one", 20, 1), json!({"observedGeneration": 1}));
    assert_eq!(world.answered(Kind::Alias, answer.clone()).statuses.len(), 1);
    assert!(world.take(ALIASES, Told::Changed(answer)).is_empty(), "the watch tells it again");
    let mut other = alias("one", 30, 1);
    other.metadata.uid = Some("another".into());
    assert!(world.answered(Kind::Alias, other).is_empty(), "it was about an object that is gone");
    assert!(world.answered(Kind::Alias, alias("gone", 21, 1)).is_empty());
    assert_eq!(world.objects().len(), 2);
}

#[test]
fn an_answer_leaves_no_more_behind_than_a_message() {
    let mut answer = with(alias("one", 20, 1), json!({"observedGeneration": 1}));
    let (mut told, mut wrote) = (world(), world());
    told.take(ALIASES, Told::Changed(answer.clone()));
    let manager =
        serde_json::from_value(json!([{"manager": "mailwright-alias", "fieldsV1": {"f:status": {}}}]));
    answer.metadata.managed_fields = manager.unwrap();
    assert_eq!(wrote.answered(Kind::Alias, answer).statuses.len(), 1);
    assert_eq!(wrote.objects()[&reference("one")], told.objects()[&reference("one")]);
}

#[test]
fn a_broken_object_stays_known() {
    let mut world = world();
    let mut broken = alias("one", 12, 2);
    broken.data = json!({"spec": {"targets": 5}});
    assert_eq!(world.take(ALIASES, Told::Changed(broken)).objects.len(), 1);
    let seen = &world.objects()[&reference("one")];
    assert!(seen.entry.is_err() && seen.uid() == "uid-one" && seen.observed_generation() == -1);
}

#[test]
fn namespaces_and_children_are_kept_by_name() {
    let mut world = World::default();
    let object = |name: &str, namespace: Option<&str>, labels: Value| -> DynamicObject {
        let metadata = json!({"name": name, "namespace": namespace, "labels": labels});
        serde_json::from_value(json!({"apiVersion": "v1", "kind": "X", "metadata": metadata})).unwrap()
    };
    let touched = world.take(NAMESPACES, Told::Changed(object("a", None, json!({"team": "x"}))));
    assert_eq!(touched.namespaces.len(), 1);
    assert!(world.take(NAMESPACES, Told::Changed(object("a", None, json!({"team": "x"})))).is_empty());
    assert_eq!(world.namespaces()["a"].labels["team"], "x");
    let child = object("mail", Some("a"), json!({"mailwright.dev/server": "mail"}));
    let touched = world.take(CHILDREN, Told::Changed(child.clone()));
    assert_eq!(touched.children_of, BTreeSet::from(["a/mail".to_owned()]));
    assert_eq!((world.children_of("a/mail").len(), world.children_of("a/other").len()), (1, 0));
    assert_eq!(world.take(CHILDREN, Told::Gone(child)).children_of.len(), 1);
    assert!(world.children_of("a/mail").is_empty());
}

#[test]
fn the_echo_of_our_own_write_is_known_and_a_list_shows_it_anew() {
    let mut world = world();
    world.take(ALIASES, Told::Complete);
    let ours = with(alias("one", 12, 1), json!({"observedGeneration": 1}));
    let touched = world.answered(Kind::Alias, ours.clone());
    assert_eq!((touched.objects.len(), touched.statuses.len()), (0, 1));
    assert!(world.take(ALIASES, Told::Changed(ours)).is_empty());
    let defaulted = with(alias("one", 12, 1), json!({"observedGeneration": 2}));
    assert!(
        world.take(ALIASES, Told::Changed(defaulted.clone())).is_empty(),
        "the same version is not read twice"
    );
    assert_eq!(world.take(ALIASES, Told::Listed(defaulted)).statuses, BTreeSet::from([reference("one")]));
}

#[test]
fn an_answer_tells_what_somebody_changed_just_before() {
    let mut world = world();
    world.take(ALIASES, Told::Complete);
    // Version 12 is theirs, 13 our status on top of it; the watch comes last.
    let touched = world.answered(Kind::Alias, with(alias("one", 13, 2), json!({"observedGeneration": 1})));
    assert_eq!(touched.objects, BTreeSet::from([reference("one")]));
    assert!(world.take(ALIASES, Told::Changed(alias("one", 12, 2))).is_empty(), "it is old");
}
