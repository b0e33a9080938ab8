//! A Git repository with the quickstart in `mail/`, followed by `mailwright up --config` as a MailRepository says.

use super::{Server, run, wait_for, wire};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The password of every mailbox that is added: that of the quickstart's alice.
const FIRST_PASSWORD: &str = "  credentials:\n    secretRef: {name: first-passwords, key: alice}\n";
const PATIENCE: Duration = Duration::from_secs(30);

/// A repository and the server that follows it.
pub struct Followed {
    /// The server.
    pub server: Server,
    /// The work tree.
    pub repository: PathBuf,
    /// The file of --config.
    pub config: PathBuf,
}

/// Runs git in a directory; what it printed.
///
/// # Panics
/// When it fails.
pub fn git(dir: &Path, arguments: &[&str]) -> String {
    let identity =
        ["-c", "user.name=Carol", "-c", "user.email=carol@example.org", "-c", "commit.gpgsign=false"];
    run(Command::new("git").args(identity).args(arguments).current_dir(dir)).ok().stdout.trim().to_owned()
}

/// A condition of a status.
pub fn condition<'a>(status: &'a Value, type_: &str) -> &'a Value {
    let conditions = status["conditions"].as_array();
    conditions.into_iter().flatten().find(|condition| condition["type"] == type_).unwrap_or(&Value::Null)
}

impl Followed {
    /// Not started yet; `spec` is more of the spec, indented by two, and may be followed by more documents.
    ///
    /// # Panics
    /// When a file cannot be written.
    pub fn new(spec: &str) -> Followed {
        let mut server = Server::example("quickstart");
        let repository = server.scratch().join("repository");
        std::fs::create_dir_all(&repository).expect("a directory");
        git(&repository, &["init", "-q", "-b", "main"]);
        std::fs::rename(server.manifests.dir(), repository.join("mail")).expect("the manifests move");
        let config = server.scratch().join("mailwright.yaml");
        server.follow("--config", &[&config.display().to_string()]);
        let followed = Followed { server, repository, config };
        followed.declare(spec);
        for local in ["m0", "m1", "m2"] {
            followed.mailbox(local);
        }
        followed.commit("mail: quickstart");
        followed
    }

    /// The same, started.
    pub fn started(spec: &str) -> Followed {
        let mut followed = Followed::new(spec);
        followed.server.start();
        followed
    }

    /// Writes the file of --config.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn declare(&self, spec: &str) {
        let text = format!(
            "apiVersion: mailwright.dev/v1alpha1\nkind: MailRepository\nmetadata: {{name: company, namespace: mail}}\nspec:\n  \
             url: file://{}\n  ref: {{branch: main}}\n  path: mail/\n  interval: 5s\n{spec}",
            self.repository.display()
        );
        std::fs::write(&self.config, text).expect("the file of --config");
    }

    /// Writes a manifest.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.repository.join("mail").join(name), text).expect("a manifest");
    }

    /// Declares a mailbox of example.test in a file of its own.
    pub fn mailbox(&self, local: &str) {
        let text = format!(
            "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {{name: {local}}}\nspec:\n  address: \
             {local}@example.test\n{FIRST_PASSWORD}"
        );
        self.write(&format!("{local}.yaml"), &text);
    }

    /// Commits everything, signed by nobody; the commit.
    pub fn commit(&self, message: &str) -> String {
        git(&self.repository, &["add", "-A"]);
        git(&self.repository, &["commit", "-q", "--allow-empty", "-m", message]);
        git(&self.repository, &["rev-parse", "HEAD"])
    }

    /// The status of the MailRepository as `mailwright get` shows it.
    ///
    /// # Panics
    /// When it shows none.
    pub fn status(&self) -> Value {
        let shown = self.server.cli(&["get", "mailrepositories", "company", "-o", "json"]).ok();
        let list: Value = serde_json::from_str(&shown.stdout).expect("JSON");
        list.pointer("/items/0/status").or_else(|| list.get("status")).cloned().unwrap_or_default()
    }

    /// Waits until Ready has this reason; the whole status.
    pub fn until(&self, reason: &str) -> Value {
        wait_for(&format!("Ready with {reason}"), PATIENCE, || {
            let status = self.status();
            (condition(&status, "Ready")["reason"] == reason).then_some(status)
        })
    }

    /// The status once Ready has this reason and a message that says this.
    pub fn told(&self, reason: &str, says: &str) -> Value {
        let mut last = Value::Null;
        wait_for(&format!("Ready with {reason} and {says:?}"), PATIENCE, || {
            last = self.status();
            let ready = condition(&last, "Ready");
            let told = ready["message"].as_str().is_some_and(|message| message.contains(says));
            (ready["reason"] == reason && told).then(|| last.clone())
        })
    }

    /// The answer to RCPT for a mailbox of example.test.
    ///
    /// # Panics
    /// When nobody answers.
    pub fn rcpt(&self, local: &str) -> String {
        let mut wire = wire::smtp(self.server.ports.smtp).expect("an SMTP server");
        wire.smtp("MAIL FROM:<carol@example.org>").expect("an answer");
        wire.smtp(&format!("RCPT TO:<{local}@example.test>")).expect("an answer")
    }

    /// Waits for a code as the answer to RCPT.
    pub fn until_rcpt(&self, local: &str, code: &str) {
        wait_for(&format!("{code} for {local}"), PATIENCE, || {
            self.rcpt(local).starts_with(code).then_some(())
        });
    }

    /// Nobody lost anything.
    ///
    /// # Panics
    /// When somebody did.
    pub fn everybody_is_there(&self) {
        for local in ["alice", "bob", "m0", "m1", "m2"] {
            let answer = self.rcpt(local);
            assert!(answer.starts_with("250"), "{local}: {answer}");
        }
    }
}
