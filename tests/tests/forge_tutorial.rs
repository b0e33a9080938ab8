//! The tutorial of docs/gitops.md, "Start with an empty repository": each block of commands as it stands there, in a shell, at a
//! real forge. What is done by hand in the forge before the first block is done by its API.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mailwright_tests::harness::{
    Gitea, Output, PATIENCE, Server, free_port, mailwright, need, root, run, wait_for, wire,
};
use serde_json::{Value, json};

/// What stands for the forge in the text.
const FORGE: &str = "https://git.example.test";

/// The blocks of the section, in their order.
fn blocks() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("docs/gitops.md")).unwrap();
    let (_, section) = text.split_once("\n## Start with an empty repository\n").expect("the section");
    let section = section.split("\n## ").next().unwrap();
    let blocks = section.split("\n```sh\n").skip(1);
    blocks.map(|block| block.split("\n```").next().unwrap().to_owned()).collect()
}

/// A shell's state between blocks: where it is, and what it knows.
struct Shell {
    home: PathBuf,
    here: PathBuf,
    forge: String,
    token: String,
    hook: String,
    webhook_port: u16,
    /// The listeners of a server that shares the machine with other tests.
    listeners: String,
}

impl Shell {
    /// The block with this machine's addresses.
    fn translated(&self, block: &str) -> String {
        let tls = "  tls: {selfSigned: {}}\n";
        block
            .replace(FORGE, &self.forge)
            .replace("127.0.0.1:9292", &format!("127.0.0.1:{}", self.webhook_port))
            .replace(tls, &format!("{tls}{}", self.listeners))
    }

    fn command(&self, text: &str) -> Command {
        let mut command = Command::new("bash");
        let programs = mailwright().parent().unwrap().display().to_string();
        let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
        command.args(["-euo", "pipefail", "-c", text]).current_dir(&self.here);
        command.env("PATH", path).env("GIT_CONFIG_GLOBAL", self.home.join("gitconfig"));
        command.env("TOKEN", &self.token).env("HOOK", &self.hook);
        command
    }

    /// Runs a block; the next one begins where it ended.
    fn run(&mut self, block: &str) -> Output {
        let end = self.home.join("here");
        let output = run(&mut self.command(&format!("{}\npwd > {}", self.translated(block), end.display())));
        assert_eq!(output.code, Some(0), "{block}\n{}", output.all());
        self.here = PathBuf::from(std::fs::read_to_string(end).unwrap().trim());
        output
    }

    /// Starts the block that does not end; what it prints goes to a file.
    fn start(&mut self, block: &str) -> Running {
        let (before, last) = block.split_once("MAILWRIGHT_GIT_TOKEN=").expect("the server");
        self.run(before);
        let log = self.home.join("up.log");
        let file = std::fs::File::create(&log).unwrap();
        let mut command = self.command(&self.translated(&format!(
            "export MAILWRIGHT_GIT_TOKEN={}",
            last.replacen(") mailwright up", ")\nexec mailwright up", 1)
        )));
        command.env_remove("GIT_CONFIG_GLOBAL").stdin(Stdio::null());
        command.stdout(file.try_clone().unwrap()).stderr(file);
        Running { child: command.spawn().unwrap(), log }
    }
}

struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("---- what mailwright printed ----\n{}", self.log());
        }
    }
}

fn takes(port: u16, address: &str) -> bool {
    let Ok(mut wire) = wire::smtp(port) else { return false };
    wire.smtp("MAIL FROM:<carol@example.org>").is_ok()
        && wire.smtp(&format!("RCPT TO:<{address}>")).is_ok_and(|reply| reply.starts_with("250"))
}

/// The status of the newest commit of the pull request.
fn until_status(forge: &Gitea, state: &str) {
    wait_for(&format!("the status {state}"), PATIENCE, || {
        let pull = forge.api("GET", "/repos/alice/mail/pulls/1", None);
        let commit = pull["head"]["sha"].as_str()?.to_owned();
        let status = forge.api("GET", &format!("/repos/alice/mail/commits/{commit}/status"), None);
        let ours = &status["statuses"][0];
        (ours["context"] == "mailwright/plan" && ours["status"] == state).then_some(())
    });
}

/// The only comment, once it says `word`.
fn comment(forge: &Gitea, word: &str) -> String {
    wait_for(&format!("a comment about {word}"), PATIENCE, || {
        let comments = forge.api("GET", "/repos/alice/mail/issues/1/comments", None);
        let comments: &Vec<Value> = comments.as_array()?;
        assert!(comments.len() <= 1, "{comments:?}");
        let text = comments.first()?["body"].as_str()?.to_owned();
        text.contains(word).then_some(text)
    })
}

/// What is done by hand before: a repository, an account for the server with its token, and who one is to git.
fn by_hand(forge: &Gitea, home: &Path) {
    forge.api(
        "POST",
        "/user/repos",
        Some(json!({"name": "mail", "private": true, "default_branch": "main"})),
    );
    let bot = forge.person("mailwright", &["write:repository", "write:issue", "read:user"]);
    forge.api("PUT", "/repos/alice/mail/collaborators/mailwright", Some(json!({"permission": "write"})));
    std::fs::write(home.join("forge.token"), bot).unwrap();
    let (url, push) = (forge.url("alice/mail"), forge.push_url("alice/mail"));
    let config = format!(
        "[user]\nname = Alice\nemail = alice@example.test\n[commit]\ngpgsign = false\n[url \"{push}\"]\ninsteadOf = {url}\n"
    );
    std::fs::write(home.join("gitconfig"), config).unwrap();
}

#[test]
fn from_an_empty_repository_to_protected_branches_and_previews() {
    if !need(&["git", "curl", "bash"]) {
        return;
    }
    let Some(forge) = Gitea::start() else { return };
    // Ports that nobody else has; this server itself is not started.
    let ports = Server::example("quickstart");
    let home = ports.scratch();
    by_hand(&forge, &home);
    let mut shell = Shell {
        here: home.clone(),
        home,
        forge: forge.url("x").replace("/x.git", ""),
        token: forge.token.clone(),
        hook: String::new(),
        webhook_port: free_port(),
        listeners: ports.ports.listeners(),
    };
    let blocks = blocks();
    let [begin, up, people, hook, protect, grace, mend, merge, why] = blocks.as_slice() else {
        panic!("{} blocks", blocks.len());
    };
    assert!(shell.run(begin).all().contains("0 errors"));
    let running = shell.start(up);
    wait_for("alice's mailbox", PATIENCE, || takes(ports.ports.smtp, "alice@example.test").then_some(()));
    let said = shell.run(people).all();
    assert!(said.contains("mailbox default/alice, in service"), "{said}");
    let address = format!("http://127.0.0.1:{}/", shell.webhook_port);
    shell.hook = wait_for("the webhook's address", PATIENCE, || {
        let log = running.log();
        let start = log.find(&address)?;
        Some(log[start..].split_whitespace().next()?.to_owned())
    });
    shell.run(hook);
    shell.run(protect);

    shell.run(grace);
    let refused = run(&mut shell.command("git push origin HEAD:main"));
    assert_ne!(refused.code, Some(0), "main is protected: {}", refused.all());
    until_status(&forge, "failure");
    let text = comment(&forge, "grace.yaml");
    assert!(text.contains("lots"), "{text}");
    let merged =
        forge.ask("POST", "/repos/alice/mail/pulls/1/merge", Some(json!({"Do": "merge"})), &forge.token);
    assert!(merged.is_err(), "what is wrong is not merged: {merged:?}");

    shell.run(mend);
    until_status(&forge, "success");
    let text = comment(&forge, "1 to create");
    assert!(text.contains("grace@example.test"), "{text}");
    assert!(!takes(ports.ports.smtp, "grace@example.test"), "a preview applies nothing");
    // The forge knows a moment later than it says that all is well.
    wait_for("the forge to be ready to merge", PATIENCE, || {
        let pull = forge.api("GET", "/repos/alice/mail/pulls/1", None);
        (pull["mergeable"] == true).then_some(())
    });
    shell.run(merge);
    wait_for("the merged mailbox", Duration::from_secs(30), || {
        takes(ports.ports.smtp, "grace@example.test").then_some(())
    });
    let said = shell.run(why).all();
    for told in ["mailbox default/grace, in service", "mail/grace.yaml:1", "create"] {
        assert!(said.contains(told), "{told}: {said}");
    }
    let token = std::fs::read_to_string(shell.home.join("forge.token")).unwrap();
    assert!(!running.log().contains(token.trim()), "no token is printed");
}
