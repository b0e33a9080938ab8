//! The same manifests as objects of a cluster, by a repository straight into the database, and by `mailwright up`: the same account
//! rows, also after they changed.

use std::path::Path;

use mailwright_crds::Kind;
use mailwright_operator::accounts::Accounts as _;
use mailwright_operator::kubernetes::database::SOURCE_PREFIX;
use mailwright_operator::operator::{KUBERNETES, ReadWhole};
use mailwright_plan::Observed;
use mailwright_tests::installation::Installation;
use mailwright_tests::manifests::Manifests;
use mailwright_tests::random::Random;
use mailwright_tests::steps::Fuse;

use super::{approved, controller, read, rows, watched};

const SEED: u64 = 20_261_121;
/// Random installations, each with as many revisions.
const INSTALLATIONS: usize = 4;
const REVISIONS: usize = 3;

/// The rows after every revision, as each way makes them.
struct Ways {
    up: Installation,
    objects: Installation,
    database: Installation,
}

impl Ways {
    async fn open(home: &Path) -> Ways {
        let open = |name: &str| {
            let place = home.join(name);
            async move { Installation::open(&place, Fuse::never()).await.unwrap() }
        };
        Ways { up: open("up").await, objects: open("objects").await, database: open("database").await }
    }

    async fn take(&self, manifests: &Path) -> [Observed; 3] {
        self.up.pass(manifests).await.unwrap();
        let snapshot = read(manifests);
        let objects = watched(self.objects.accounts.clone(), &snapshot, &Kind::PLANNED).await.unwrap();
        assert!(objects.trouble.is_none());
        watched(self.database.accounts.clone(), &snapshot, &[Kind::MailServer]).await.unwrap();
        let mut sink = controller(self.database.accounts.clone(), None, &snapshot);
        let work = approved(&mut sink, &ReadWhole).await.unwrap();
        assert_eq!(work.plan.errors().count(), 0, "{:?}", work.plan.problems);
        let again = approved(&mut sink, &ReadWhole).await.unwrap();
        assert_eq!(again.plan.operations.len(), 0, "{:?}", again.plan.operations);
        let mut observed = Vec::new();
        for way in [&self.up, &self.objects, &self.database] {
            observed.push(way.accounts.observe().await.unwrap());
        }
        observed.try_into().unwrap()
    }
}

/// The owners' sources of all rows but that of the server.
fn sources(observed: &Observed) -> Vec<&str> {
    let domains = observed.domains.iter().filter_map(|row| row.owner.as_ref());
    let mailboxes = observed.mailboxes.iter().filter_map(|row| row.owner.as_ref());
    let aliases = observed.aliases.iter().filter_map(|row| row.owner.as_ref());
    let mut all: Vec<&str> =
        domains.chain(mailboxes).chain(aliases).map(|owner| owner.managed_by.as_str()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_makes_the_same_rows() {
    println!("seed {SEED}");
    let mut random = Random::new(SEED);
    let mut compared = 0;
    for number in 0..INSTALLATIONS {
        let home = tempfile::tempdir().unwrap();
        let manifests = home.path().join("manifests");
        let ways = Ways::open(home.path()).await;
        for revision in 0..REVISIONS {
            let files = 1 + random.below(4);
            Manifests::random(&mut random).write(&manifests, files);
            let [up, objects, database] = ways.take(&manifests).await;
            let place = format!("seed {SEED}, installation {number}, revision {revision}");
            assert_eq!(rows(&objects), rows(&up), "{place}: objects of a cluster");
            assert_eq!(rows(&database), rows(&up), "{place}: sink: Database");
            assert_eq!(sources(&objects), [KUBERNETES], "{place}");
            assert_eq!(sources(&database), [format!("{SOURCE_PREFIX}default/company")], "{place}");
            compared += up.mailboxes.len() + up.aliases.len() + up.domains.len();
        }
    }
    println!("{compared} rows are the same by every way");
    assert!(compared > 200, "{compared}");
}
