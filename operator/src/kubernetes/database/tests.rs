//! The sink over an account database in memory: whose rows it makes, whom it leaves alone, what it is not allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use chrono::TimeZone as _;
use mailwright_plan::right::{Denied, Right};
use mailwright_plan::{Batch, BatchReply, Guard, Observed, Verdict, simulate};

use super::*;
use crate::accounts::{AccountsError, Record};
use crate::operator::{KUBERNETES, ReadWhole, Removal};
use crate::platform::local::Local;
use crate::source::{Options, Source};

const CLUSTER: &str = "
apiVersion: mailwright.dev/v1alpha1
kind: MailServer
metadata: {name: main, namespace: mail}
spec: {hostname: mail.example.test}
---
apiVersion: mailwright.dev/v1alpha1
kind: MailDomain
metadata: {name: cluster, namespace: mail}
spec: {serverRef: {name: main}, domain: cluster.test}
---
apiVersion: mailwright.dev/v1alpha1
kind: Mailbox
metadata: {name: postmaster, namespace: mail}
spec: {address: postmaster@cluster.test}
";

const REPOSITORY: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: sales, labels: {trusted: 'yes'}}
---
apiVersion: mailwright.dev/v1alpha1
kind: MailServer
metadata: {name: main, namespace: mail}
spec: {hostname: evil.example.test, allowedDomains: {from: All}}
---
apiVersion: mailwright.dev/v1alpha1
kind: MailDomain
metadata: {name: example, namespace: mail}
spec: {serverRef: {name: main}, domain: example.test, allowedMailboxes: {from: Selector, selector: {matchLabels: {trusted: 'yes'}}}}
---
apiVersion: mailwright.dev/v1alpha1
kind: Mailbox
metadata: {name: postmaster, namespace: mail}
spec: {address: postmaster@example.test}
---
apiVersion: mailwright.dev/v1alpha1
kind: Mailbox
metadata: {name: alice, namespace: sales}
spec: {address: alice@example.test, credentials: {secretRef: {name: alice}}}
---
apiVersion: v1
kind: Secret
metadata: {name: alice, namespace: sales}
stringData: {password: correct horse battery staple}
";

/// Rows in memory, with all batches that came.
#[derive(Debug, Clone, Default)]
struct Memory(Arc<Mutex<(Observed, Vec<Batch>)>>);

impl Memory {
    fn rows(&self) -> Observed {
        self.0.lock().unwrap().0.clone()
    }

    fn batches(&self) -> Vec<Batch> {
        self.0.lock().unwrap().1.clone()
    }

    /// Who manages what.
    fn managers(&self) -> BTreeMap<String, String> {
        let rows = self.rows();
        let domains = rows.domains.into_iter().map(|row| (row.declared.domain.clone(), row.owner));
        let mailboxes = rows.mailboxes.into_iter().map(|row| (row.declared.address.clone(), row.owner));
        domains.chain(mailboxes).map(|(key, owner)| (key, owner.unwrap().managed_by.clone())).collect()
    }
}

impl Accounts for Memory {
    async fn observe(&self) -> Result<Observed, AccountsError> {
        Ok(self.rows())
    }

    async fn apply(&self, batch: Batch) -> Result<BatchReply, AccountsError> {
        let mut state = self.0.lock().unwrap();
        let reply = simulate::apply_batch(&mut state.0, &batch, now());
        state.0.change_counter += 1;
        state.1.push(batch);
        Ok(reply)
    }

    async fn record_keys(&self) -> Result<Vec<ObjectRef>, AccountsError> {
        Err(AccountsError::refused("there are none"))
    }

    async fn records(&self, _: Vec<ObjectRef>) -> Result<Vec<Record>, AccountsError> {
        Err(AccountsError::refused("there are none"))
    }

    async fn records_version(&self) -> Result<Option<u64>, AccountsError> {
        Err(AccountsError::refused("there are none"))
    }

    async fn put_records(&self, _: Vec<Record>) -> Result<usize, AccountsError> {
        Err(AccountsError::refused("there are none"))
    }

    async fn forget(&self, _: Vec<ObjectRef>) -> Result<(), AccountsError> {
        Err(AccountsError::refused("there are none"))
    }
}

/// Allows everything but this.
struct Without(Vec<&'static str>);

impl Absence for Without {
    async fn verify(&self, removals: &[Removal]) -> Vec<bool> {
        vec![true; removals.len()]
    }

    async fn denied(&self, rights: &BTreeSet<Right>) -> Result<Denied, String> {
        let missing = rights.iter().filter(|right| self.0.contains(&right.to_string().as_str()));
        let rights = missing.map(|right| (right.clone(), "make a RoleBinding".to_owned())).collect();
        Ok(Denied { who: "mail/deployer".to_owned(), rights })
    }
}

/// Cannot be asked.
struct Silent;

impl Absence for Silent {
    async fn verify(&self, removals: &[Removal]) -> Vec<bool> {
        vec![true; removals.len()]
    }

    async fn denied(&self, _: &BTreeSet<Right>) -> Result<Denied, String> {
        Err("the API server does not answer".to_owned())
    }
}

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 21, 12, 0, 0).unwrap()
}

fn revision(text: &str) -> Revision {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("mail.yaml"), text).unwrap();
    let mut source = Source::open(directory.path().to_str().unwrap(), Options::default()).unwrap();
    let snapshot = source.load().unwrap().unwrap();
    assert_eq!(snapshot.errors().count(), 0, "{:?}", snapshot.problems);
    Revision { snapshot, taken: None, verified: false }
}

fn resources(text: &str) -> Vec<Resource> {
    let of = |object: &Arc<Object>| match &object.content {
        Content::Resource(resource) => Some(Resource::clone(resource)),
        _ => None,
    };
    revision(text).snapshot.objects.iter().filter_map(of).collect()
}

fn around(trusted: bool) -> Around {
    let server = ObjectRef { kind: Kind::MailServer, namespace: "mail".into(), name: "main".into() };
    let labels = |trusted: bool| -> Labels {
        trusted.then(|| ("trusted".to_owned(), "yes".to_owned())).into_iter().collect()
    };
    Around {
        neighbours: neighbours(&resources(CLUSTER), &server),
        namespaces: [("mail".to_owned(), labels(true)), ("sales".to_owned(), labels(trusted))].into(),
    }
}

/// A database with what the cluster declares, by the cluster's own operator.
async fn clusters() -> Memory {
    let memory = Memory::default();
    let directory = tempfile::tempdir().unwrap();
    let platform = Local::open(directory.path()).unwrap();
    let mut operator = Operator::of_source(KUBERNETES, memory.clone(), platform, [7; 32]);
    operator.take(&revision(CLUSTER).snapshot);
    operator.work(now(), &ReadWhole).await.unwrap();
    assert_eq!(memory.managers().len(), 2);
    memory
}

fn sink(memory: &Memory, name: &str, text: &str, trusted: bool) -> Database<Memory> {
    let mut sink = Database::new("mail", name, [7; 32]);
    sink.reach(memory.clone(), Some(Fence { term: 3, database: None }));
    sink.take(&revision(text));
    sink.live_among(around(trusted));
    sink
}

fn told(work: &Work) -> Vec<String> {
    let held = work.plan.held().map(|it| format!("{}: {}", it.subject, it.held.as_ref().unwrap()));
    held.chain(work.plan.errors().map(|it| it.message.clone())).collect()
}

#[tokio::test]
async fn rows_are_the_repositorys_own_and_come_under_the_fence_with_their_origin() {
    let memory = clusters().await;
    let before = memory.batches().len();
    let mut sink = sink(&memory, "company", REPOSITORY, true);
    let work = sink.work(now(), &Without(vec![])).await.unwrap();
    assert_eq!(told(&work), Vec::<String>::new());
    let managers = memory.managers();
    for (key, manager) in [
        ("cluster.test", KUBERNETES),
        ("postmaster@cluster.test", KUBERNETES),
        ("example.test", "repository/mail/company"),
        ("postmaster@example.test", "repository/mail/company"),
        ("alice@example.test", "repository/mail/company"),
    ] {
        assert_eq!(managers.get(key).map(String::as_str), Some(manager), "{key}");
    }
    let rows = memory.rows();
    assert_eq!(rows.servers.len(), 1);
    assert_eq!(rows.servers[0].declared.hostname, "mail.example.test", "the MailServer is the cluster's");
    let batches = &memory.batches()[before..];
    assert!(batches.iter().all(|batch| batch.fence == Some(Fence { term: 3, database: None })));
    let provenance = batches[0].provenance.clone().unwrap();
    assert_eq!(provenance.actor, "mailrepository mail/company");
    assert_eq!(provenance.digest, work.plan.digest);
    let again = sink.work(now(), &Silent).await.unwrap();
    assert!(again.plan.operations.is_empty(), "a pass without a change asks nobody and writes nothing");
    assert_eq!(memory.batches().len(), before + batches.len());
}

#[tokio::test]
async fn the_mailserver_of_the_repository_is_told_and_left_out() {
    let memory = clusters().await;
    let mut sink = sink(&memory, "company", REPOSITORY, true);
    let work = sink.work(now(), &Without(vec![])).await.unwrap();
    let warnings: Vec<String> = work.plan.problems.iter().map(ToString::to_string).collect();
    let found = warnings.iter().find(|it| it.contains("MailServer mail/main is not taken"));
    assert!(found.is_some_and(|it| it.contains("mail.yaml:6")), "{warnings:?}");
    assert!(sink.catalog().entries().all(|entry| !matches!(entry.resource, Resource::MailServer(_))));
}

#[tokio::test]
async fn a_repository_cannot_label_its_own_namespaces() {
    let memory = clusters().await;
    let mut sink = sink(&memory, "company", REPOSITORY, false);
    let work = sink.work(now(), &Without(vec![])).await.unwrap();
    assert_eq!(told(&work), ["MailDomain mail/example does not allow Mailboxes from the namespace sales"]);
    assert!(!memory.managers().contains_key("alice@example.test"));
    sink.live_among(around(true));
    let work = sink.work(now(), &Without(vec![])).await.unwrap();
    assert_eq!(told(&work), Vec::<String>::new());
    assert!(memory.managers().contains_key("alice@example.test"), "as soon as the cluster says so");
}

#[tokio::test]
async fn what_the_account_may_not_is_held_and_everything_else_is_applied() {
    let memory = clusters().await;
    let mut sink = sink(&memory, "company", REPOSITORY, true);
    let denied = Without(vec!["create mailboxes in the namespace sales"]);
    let work = sink.work(now(), &denied).await.unwrap();
    let expected = "alice@example.test: mail/deployer may not create mailboxes in the namespace sales";
    assert_eq!(told(&work), [expected]);
    assert_eq!(work.outcomes.len(), 2);
    assert!(work.outcomes.iter().all(|it| it.verdict == Verdict::Applied));
    assert!(!memory.managers().contains_key("alice@example.test"));
    sink.approve([Given::from(work.plan.digest.clone())]);
    let work = sink.work(now(), &denied).await.unwrap();
    assert!(
        matches!(work.plan.held().next().unwrap().held.as_deref(), Some(Guard::Forbidden { .. })),
        "no approval is a right"
    );
    let work = sink.work(now(), &Without(vec![])).await.unwrap();
    assert_eq!((told(&work), work.outcomes.len()), (Vec::new(), 1), "with the RoleBinding");
    assert!(memory.managers().contains_key("alice@example.test"));
}

#[tokio::test]
async fn as_long_as_nobody_can_be_asked_nothing_is_applied() {
    let memory = clusters().await;
    let before = memory.batches().len();
    let mut sink = sink(&memory, "company", REPOSITORY, true);
    let error = sink.work(now(), &Silent).await.unwrap_err();
    assert!(matches!(error, PassError::Unasked(_)), "{error}");
    assert_eq!(memory.batches().len(), before);
    let work = sink.work(now(), &Without(vec![])).await.unwrap();
    assert_eq!(work.outcomes.len(), 3, "afterwards all of it");
}

#[tokio::test]
async fn a_proposed_change_is_planned_against_the_rows_and_among_what_the_cluster_declares() {
    let memory = clusters().await;
    let mut sink = sink(&memory, "company", REPOSITORY, true);
    assert!(sink.stage().is_none(), "nothing is known before a pass");
    sink.work(now(), &Without(vec![])).await.unwrap();
    let (rows, batches) = (memory.rows(), memory.batches().len());
    let (stage, observed) = sink.stage().unwrap();
    let bob = "---\napiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {name: bob, namespace: mail}\n\
               spec: {address: bob@cluster.test}\n";
    for (more, expected) in [("", vec![]), (bob, vec!["bob@cluster.test"])] {
        let head = without_the_clusters(&revision(&format!("{REPOSITORY}{more}")).snapshot);
        let plan = stage.plan(&head, &observed, now()).unwrap();
        let errors: Vec<String> = plan.errors().map(ToString::to_string).collect();
        assert_eq!(errors, Vec::<String>::new(), "the domain of the cluster is known");
        let subjects: Vec<&str> = plan.operations.iter().map(|it| it.subject.as_str()).collect();
        assert_eq!(subjects, expected, "{:?}", plan.operations);
    }
    assert_eq!((memory.rows(), memory.batches().len()), (rows, batches), "nothing of it is applied");
}

#[tokio::test]
async fn who_was_first_keeps_an_address() {
    let memory = clusters().await;
    let mut first = sink(&memory, "company", REPOSITORY, true);
    first.work(now(), &Without(vec![])).await.unwrap();
    let claims = "
apiVersion: mailwright.dev/v1alpha1
kind: Mailbox
metadata: {name: mine, namespace: mail}
spec: {address: postmaster@example.test, displayName: Mallory}
---
apiVersion: mailwright.dev/v1alpha1
kind: Mailbox
metadata: {name: too, namespace: mail}
spec: {address: postmaster@cluster.test, displayName: Mallory}
";
    let mut second = sink(&memory, "other", claims, true);
    let before = memory.rows();
    let work = second.work(now(), &Without(vec![])).await.unwrap();
    assert!(work.plan.operations.is_empty(), "{:?}", work.plan.operations);
    let told = told(&work);
    for owner in ["repository/mail/company", KUBERNETES] {
        assert!(told.iter().any(|it| it.contains(owner)), "{owner}: {told:?}");
    }
    assert_eq!(memory.rows(), before);
}

#[tokio::test]
async fn a_repository_that_goes_leaves_its_rows_and_goes_on_under_the_same_name() {
    let memory = clusters().await;
    sink(&memory, "company", REPOSITORY, true).work(now(), &Without(vec![])).await.unwrap();
    let before = memory.rows();
    let mut anew = sink(&memory, "company", REPOSITORY, true);
    let work = anew.work(now(), &Without(vec![])).await.unwrap();
    assert!(work.plan.operations.is_empty(), "{:?}", work.plan.operations);
    assert_eq!(memory.rows(), before);
}

#[tokio::test]
async fn secrets_of_the_cluster_are_out_of_reach() {
    let memory = clusters().await;
    let text = REPOSITORY.replace(
        "credentials: {secretRef: {name: alice}}",
        "credentials: {secretRef: {name: of-the-cluster}}",
    );
    let mut sink = sink(&memory, "company", &text, true);
    sink.work(now(), &Without(vec![])).await.unwrap();
    let alice =
        memory.rows().mailboxes.into_iter().find(|it| it.declared.address == "alice@example.test").unwrap();
    assert_eq!(alice.credential, None, "an account without a password, which nobody can log in to");
}

#[tokio::test]
async fn an_approval_in_a_commit_counts_when_it_is_told_and_not_before() {
    let memory = clusters().await;
    let mut sink = sink(&memory, "company", REPOSITORY, true);
    let rules = mailwright_crds::MailRepository::new("company", spec(r#"{"approval": "Always"}"#));
    sink.obey(PlanRules::new(&rules));
    let digest = sink.plan(now()).await.unwrap().digest;
    let commit = crate::source::CommitInfo {
        id: "0f".repeat(20),
        author: "mallory <mallory@example.test>".into(),
        committed_at: now(),
        subject: "approve it myself".into(),
        trailers: vec![("Mailwright-Approve".into(), digest.clone())],
        signer: None,
    };
    let mut pushed = revision(REPOSITORY);
    pushed.snapshot.commit = Some(Arc::new(commit));
    sink.take(&pushed);
    sink.live_among(around(true));
    let work = sink.work(now(), &Without(vec![])).await.unwrap();
    assert_eq!(
        (work.outcomes.len(), work.plan.held().count()),
        (0, 3),
        "nobody signed it, and nobody told of it"
    );
    sink.approve([Given::from(digest)]);
    assert_eq!(sink.work(now(), &Without(vec![])).await.unwrap().outcomes.len(), 3);
}

fn spec(extra: &str) -> mailwright_crds::MailRepositorySpec {
    let mut spec: serde_json::Value = serde_json::from_str(extra).unwrap();
    spec["url"] = "https://git.example.test/mail.git".into();
    serde_json::from_value(spec).unwrap()
}
