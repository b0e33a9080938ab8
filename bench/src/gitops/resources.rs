//! The Resources sink: a repository whose Mailboxes become objects of a real API server, in the name of a ServiceAccount. What an
//! object costs there stands beside what an account costs in the database.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use mailwright_tests::cluster::mail::{condition, object};
use mailwright_tests::cluster::{ControlPlane, Mail, Operator, Options};
use mailwright_tests::harness::GitServer;
use serde_json::{Value, json};

use crate::process::{Resident, Tree};
use crate::scale::objects::HASHES;
use crate::tally::Figures;

/// What is slower than that is not measured but broken.
const PATIENCE: Duration = Duration::from_secs(540);

/// The API server shares its cores with the operator; nobody would start that again if it lost its Lease meanwhile.
const LEASE: [&str; 2] = ["--lease-duration=60s", "--renew-deadline=40s"];

/// Who writes the objects.
const WRITER: &str = "deployer";

/// Measures `mailboxes` Mailboxes in one file, and one changed line. Nothing, where the programs of Kubernetes are missing, which is
/// said.
pub fn take(mailboxes: usize, figures: &mut Figures) -> Result<()> {
    let Some(plane) = ControlPlane::start(&Options::default()) else { return Ok(()) };
    let Some(git) = GitServer::start() else { return Ok(()) };
    let home = tempfile::tempdir()?;
    let mail = Mail::new(&plane, "gitops");
    mail.declare();
    mail.account(WRITER, &["mailboxes"], &["get", "create", "patch", "delete"]);
    let mut operator = start(&mail, home.path());
    operator.wait_ready();
    mail.ready("mailserver/mail");
    let tree = home.path().join("work");
    let commit = push(&git, &tree, mailboxes, "1Gi").context("the repository")?;
    let (mark, before) = (plane.audit().mark(), Tree::new(vec![operator.pid()]).cpu());
    let started = Instant::now();
    mail.apply(&repository(&git));
    applied(&mail, &commit);
    let took = started.elapsed().as_secs_f64();
    // Statuses, which the MailServer's worker writes, are another resource.
    let writes = plane.audit().writes_since(mark).into_iter().filter(|it| it.resource == "mailboxes").count();
    figures.add("resources.wall", took);
    figures.add("resources.object", took * 1000.0 / mailboxes as f64);
    figures.add("resources.writes", writes as f64 / mailboxes as f64);
    figures
        .add("resources.cpu", (Tree::new(vec![operator.pid()]).cpu() - before) * 1000.0 / mailboxes as f64);
    figures.add("resources.memory", Resident::of(operator.pid()).map_or(0.0, |memory| memory.most));
    let commit = push(&git, &tree, mailboxes, "2Gi").context("one line")?;
    let started = Instant::now();
    let asked = ["annotate", "mailrepository/company", "mailwright.dev/requestedAt=line", "--overwrite"];
    mail.kubectl.run(&[&asked[..], &["--namespace", &mail.namespace]].concat()).ok();
    applied(&mail, &commit);
    figures.add("resources.line", started.elapsed().as_secs_f64() * 1000.0);
    Ok(())
}

fn start(mail: &Mail<'_>, home: &Path) -> Operator {
    let (endpoint, cache) =
        (mail.pod.management_endpoint(), format!("--cache={}", home.join("cache").display()));
    let own = ["--watch-namespace", &mail.namespace, &endpoint, &cache];
    mail.plane.operator(mail.plane.admin(), &mail.namespace, &[&own[..], &LEASE].concat())
}

fn repository(git: &GitServer) -> Value {
    let spec = json!({
        "url": git.url(), "ref": {"branch": "main"}, "path": "mail/", "interval": "1h", "serviceAccountName": WRITER,
    });
    object("MailRepository", "company", spec)
}

/// Commits everybody, the first with this quota.
fn push(git: &GitServer, tree: &Path, mailboxes: usize, quota: &str) -> Result<String> {
    let mut text = String::new();
    for number in 0..mailboxes {
        let quota = if number == 0 { quota } else { "1Gi" };
        write!(
            text,
            "---\napiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {{name: user{number}}}\nspec:\n  address: \
             user{number}@example.test\n  quota: {quota}\n  credentials: {{passwordHash: \"{}\"}}\n",
            HASHES[0]
        )?;
    }
    std::fs::create_dir_all(tree.join("mail"))?;
    std::fs::write(tree.join("mail/people.yaml"), text)?;
    Ok(git.push(tree, "people"))
}

fn applied(mail: &Mail<'_>, commit: &str) {
    let revision = format!("main@sha1:{commit}");
    mail.kubectl.wait_until(&mail.namespace, "mailrepository/company", PATIENCE, |found| {
        found["status"]["lastAppliedRevision"] == revision.as_str()
            && condition(found, "Ready")["reason"] == "Reconciled"
    });
}
