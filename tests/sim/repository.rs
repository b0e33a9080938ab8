//! A repository straight into the account database, beside the other ways that the same manifests can take; and under faults: death at
//! every step, answers that are lost, an API server that does not say who may what, two controllers at once.

mod faults;
mod same;
mod steps;

use std::path::Path;
use std::sync::Arc;

use mailwright_crds::{Kind, ObjectRef, Resource};
use mailwright_operator::accounts::Accounts;
use mailwright_operator::kubernetes::database::{Around, Database, neighbours};
use mailwright_operator::operator::{Absence, KUBERNETES, ReadWhole, Work};
use mailwright_operator::platform::local::Local;
use mailwright_operator::repository::Revision;
use mailwright_operator::source::{Content, Object, Options, Snapshot, Source};
use mailwright_operator::{Operator, PassError};
use mailwright_plan::approval::Given;
use mailwright_tests::installation::now;
use serde_json::Value;

/// The installation's key of fingerprints, the same for all ways.
const KEY: [u8; 32] = [7; 32];

/// The MailServer of the random manifests.
fn server() -> ObjectRef {
    ObjectRef { kind: Kind::MailServer, namespace: "default".into(), name: "mail".into() }
}

fn read(manifests: &Path) -> Snapshot {
    let mut source = Source::open(manifests.to_str().unwrap(), Options::default()).unwrap();
    let snapshot = source.load().unwrap().unwrap();
    assert_eq!(snapshot.errors().count(), 0, "{:?}", snapshot.problems);
    snapshot
}

fn resource(object: &Arc<Object>) -> Option<Resource> {
    match &object.content {
        Content::Resource(resource) => Some(Resource::clone(resource)),
        _ => None,
    }
}

/// What the cluster has beside the repository: its MailServer.
fn around(snapshot: &Snapshot) -> Around {
    let resources: Vec<Resource> = snapshot.objects.iter().filter_map(resource).collect();
    let servers = resources.iter().filter(|it| it.kind() == Kind::MailServer);
    Around { neighbours: neighbours(servers, &server()), ..Around::default() }
}

/// The cluster's own operator with these objects: as one who watches them has them, one by one and without files.
async fn watched<A: Accounts>(accounts: A, snapshot: &Snapshot, kinds: &[Kind]) -> Result<Work, PassError> {
    let directory = tempfile::tempdir().unwrap();
    let platform = Local::open(directory.path()).unwrap();
    let mut operator = Operator::of_source(KUBERNETES, accounts, platform, KEY);
    let is_secret = |object: &&Arc<Object>| matches!(object.content, Content::Secret(_));
    let secrets = snapshot.objects.iter().filter(is_secret).cloned().collect();
    operator.take(&Snapshot { objects: secrets, ..Snapshot::default() });
    for resource in snapshot.objects.iter().filter_map(resource).filter(|it| kinds.contains(&it.kind())) {
        let sent = resource.to_value().unwrap();
        operator.feed().apply(Resource::from_value(resource.kind(), sent).unwrap());
    }
    let digest = operator.plan(now()).await?.digest;
    operator.approve(Some(digest));
    operator.work(now(), &ReadWhole).await
}

/// A controller that follows the repository into this database and knows nothing of any before it.
fn controller<A: Accounts>(accounts: A, term: Option<u64>, snapshot: &Snapshot) -> Database<A> {
    let mut sink = Database::new("default", "company", KEY);
    sink.reach(accounts, term.map(|term| mailwright_plan::Fence { term, database: None }));
    sink.take(&Revision { snapshot: snapshot.clone(), taken: None, verified: false });
    sink.live_among(around(snapshot));
    sink
}

/// One pass with every guard approved that can be.
async fn approved<A: Accounts>(sink: &mut Database<A>, reviewer: &impl Absence) -> Result<Work, PassError> {
    let digest = sink.plan(now()).await?.digest;
    sink.approve([Given::from(digest)]);
    let work = sink.work(now(), reviewer).await?;
    match work.trouble {
        Some(trouble) => Err(trouble.into()),
        None => Ok(work),
    }
}

/// Rows without who declared them and without numbers that are given as they come.
fn rows(observed: &mailwright_plan::Observed) -> Value {
    let mut rows = serde_json::to_value(observed).unwrap();
    rows["changeCounter"] = Value::Null;
    for table in ["servers", "domains", "mailboxes", "aliases"] {
        for row in rows[table].as_array_mut().unwrap() {
            let row = row.as_object_mut().unwrap();
            row.remove("accountId");
            row.remove("owner");
            // By the clock of the store; only whether it is there is declared.
            if let Some(at) = row.get_mut("removedAt").filter(|at| !at.is_null()) {
                *at = Value::Bool(true);
            }
        }
    }
    rows
}
