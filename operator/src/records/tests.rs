//! Which records a pass reads and writes, over catalogs that change. Statuses themselves are the planner's tests.

use mailwright_plan::observed::Observed;
use mailwright_plan::status::{Facts, Input};
use mailwright_plan::{Entry, Kind, Origin};
use serde_json::json;

use super::*;

fn object(name: &str) -> ObjectRef {
    ObjectRef { kind: Kind::Mailbox, namespace: "default".into(), name: name.into() }
}

fn mailbox(name: &str, display: &str) -> Resource {
    let value = json!({
        "apiVersion": "mailwright.dev/v1alpha1", "kind": "Mailbox", "metadata": {"name": name},
        "spec": {"address": format!("{name}@example.test"), "displayName": display},
    });
    mailwright_crds::check_manifest(Kind::Mailbox, &value).unwrap()
}

fn declare(catalog: &mut Catalog, name: &str, display: &str) {
    catalog.apply(Entry::new(mailbox(name, display), Origin::default()));
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).unwrap()
}

/// What stands in for the database, and how often it was asked and told.
#[derive(Default)]
struct Shelf {
    records: BTreeMap<ObjectRef, Record>,
    read: usize,
}

/// One pass over the ledger as the operator runs it; who was written and who was forgotten.
fn pass(
    ledger: &mut Ledger,
    catalog: &mut Catalog,
    shelf: &mut Shelf,
    plan: &Plan,
    now: i64,
) -> (Vec<String>, Vec<String>) {
    pass_over(None, ledger, catalog, shelf, plan, now)
}

/// The same of a scope.
fn pass_over(
    scope: Option<&BTreeSet<ObjectRef>>,
    ledger: &mut Ledger,
    catalog: &mut Catalog,
    shelf: &mut Shelf,
    plan: &Plan,
    now: i64,
) -> (Vec<String>, Vec<String>) {
    let unread = ledger.unread(catalog, scope);
    shelf.read += unread.len();
    let records: Vec<Record> = unread.iter().filter_map(|it| shelf.records.get(it).cloned()).collect();
    ledger.number(catalog, &records);
    ledger.tell(catalog, scope, at(now));
    let (observed, facts) = (Observed::default(), Facts::default());
    let input = |now| Input { catalog, plan, outcomes: &[], observed: &observed, facts: &facts, now };
    let (plain, input) = (input(DateTime::UNIX_EPOCH), input(at(now)));
    let statuses = Statuses::new(&input);
    let mut written = Vec::new();
    for (subject, said) in ledger.changed(&Statuses::new(&plain), scope) {
        shelf.read += 1;
        let kept = shelf.records.get(&subject.object).cloned();
        let status = statuses.of(&subject, kept.as_ref().map(|record| &record.status));
        let record = ledger.record(&subject, kept.as_ref(), status);
        if let Some(record) = record.filter(|record| kept.as_ref() != Some(record)) {
            written.push(record.object.name.to_string());
            shelf.records.insert(record.object.clone(), record);
        }
        ledger.kept(&subject.object, said);
    }
    let gone = ledger.forget(&statuses, plan, scope);
    gone.iter().for_each(|object| drop(shelf.records.remove(object)));
    (written, gone.into_iter().map(|object| object.name.to_string()).collect())
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn only_what_changed_is_read_and_written() {
    let (mut ledger, mut catalog, mut shelf) = (Ledger::default(), Catalog::new(), Shelf::default());
    let plan = Plan::default();
    let mut check = |catalog: &mut Catalog, now, written: &[&str], gone: &[&str], read| {
        shelf.read = 0;
        let told = pass(&mut ledger, catalog, &mut shelf, &plan, now);
        assert_eq!(told, (names(written), names(gone)), "at {now}");
        assert_eq!(shelf.read, read, "at {now}");
        shelf.records.iter().map(|(object, it)| (object.name.clone(), it.generation)).collect::<Vec<_>>()
    };
    declare(&mut catalog, "alice", "Alice");
    declare(&mut catalog, "bob", "Bob");
    check(&mut catalog, 10, &["alice", "bob"], &[], 2);
    check(&mut catalog, 20, &[], &[], 0);
    declare(&mut catalog, "bob", "Robert");
    let kept = check(&mut catalog, 30, &["bob"], &[], 2);
    assert_eq!(kept, [("alice".into(), 1), ("bob".into(), 2)]);
    // Read anew, and the same: compared, and not written.
    declare(&mut catalog, "bob", "Robert");
    check(&mut catalog, 40, &[], &[], 1);
    catalog.delete(&object("alice"));
    check(&mut catalog, 50, &[], &["alice"], 0);
    declare(&mut catalog, "alice", "Alice");
    let kept = check(&mut catalog, 60, &["alice"], &[], 1);
    assert_eq!(kept, [("alice".into(), 1), ("bob".into(), 2)]);
}

#[test]
fn what_is_out_of_a_scope_is_left_alone() {
    let (mut catalog, mut shelf, plan) = (Catalog::new(), Shelf::default(), Plan::default());
    let mut ledger = Ledger::default();
    assert!(ledger.is_told(), "there is nothing to tell");
    for name in ["alice", "bob", "carol"] {
        declare(&mut catalog, name, name);
    }
    pass(&mut ledger, &mut catalog, &mut shelf, &plan, 10);
    assert!(ledger.is_told());
    declare(&mut catalog, "alice", "Alice");
    declare(&mut catalog, "bob", "Bob");
    catalog.delete(&object("carol"));
    declare(&mut catalog, "dave", "Dave");
    let scope: BTreeSet<ObjectRef> = [object("bob"), object("carol"), object("dave"), object("erin")].into();
    let told = pass_over(Some(&scope), &mut ledger, &mut catalog, &mut shelf, &plan, 20);
    assert_eq!(told, (names(&["bob", "dave"]), names(&["carol"])));
    assert_eq!(catalog.get(&object("bob")).unwrap().generation(), Some(2));
    let told = pass(&mut ledger, &mut catalog, &mut shelf, &plan, 30);
    assert_eq!(told, (names(&["alice"]), vec![]), "a whole pass finds the rest");
    assert!(!Ledger::new(vec![object("alice")], None).is_told(), "nothing is known of it");
}

#[test]
fn a_ledger_that_begins_anew_finds_everything_as_it_was() {
    let (mut catalog, mut shelf, plan) = (Catalog::new(), Shelf::default(), Plan::default());
    declare(&mut catalog, "alice", "Alice");
    declare(&mut catalog, "bob", "Bob");
    pass(&mut Ledger::default(), &mut catalog, &mut shelf, &plan, 10);
    declare(&mut catalog, "bob", "Robert");
    pass(&mut Ledger::new(vec![object("alice"), object("bob")], None), &mut catalog, &mut shelf, &plan, 20);
    let before = shelf.records.clone();
    let again = Ledger::new(before.keys().cloned().collect(), Some(7));
    let mut catalog = Catalog::new();
    declare(&mut catalog, "alice", "Alice");
    declare(&mut catalog, "bob", "Robert");
    let mut again = again;
    assert_eq!(pass(&mut again, &mut catalog, &mut shelf, &plan, 30), (vec![], vec![]));
    assert_eq!(shelf.records, before, "generations, times and all");
    assert_eq!((before[&object("alice")].created, before[&object("bob")].generation), (at(10), 2));
}

#[test]
fn what_is_held_back_is_not_forgotten() {
    let (mut catalog, mut shelf) = (Catalog::new(), Shelf::default());
    let mut ledger = Ledger::default();
    declare(&mut catalog, "alice", "Alice");
    declare(&mut catalog, "bob", "Bob");
    pass(&mut ledger, &mut catalog, &mut shelf, &Plan::default(), 10);
    catalog.delete(&object("alice"));
    catalog.delete(&object("bob"));
    let kept = mailwright_plan::Kept {
        object: object("alice"),
        subject: "alice@example.test".to_owned(),
        reason: "its file cannot be understood".to_owned(),
    };
    let plan = Plan { kept: vec![kept], ..Plan::default() };
    assert_eq!(pass(&mut ledger, &mut catalog, &mut shelf, &plan, 20), (names(&["alice"]), names(&["bob"])));
    let alice = &shelf.records[&object("alice")];
    assert_eq!((alice.generation, &alice.spec["displayName"]), (1, &json!("Alice")));
    assert!(alice.status.to_string().contains("the last good state stays in force"), "{}", alice.status);
}

#[test]
fn a_ledger_is_current_until_somebody_else_writes() {
    let mut ledger = Ledger::new(Vec::new(), Some(4));
    assert!(ledger.is_current(Some(4)));
    ledger.wrote();
    assert_eq!(
        (ledger.is_current(Some(4)), ledger.is_current(Some(5)), ledger.is_current(None)),
        (false, true, false)
    );
    assert!(!Ledger::new(Vec::new(), None).is_current(None), "who cannot tell reads again");
}
