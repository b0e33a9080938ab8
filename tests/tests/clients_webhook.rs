//! From a push to the account by a webhook, while the interval is an hour: real `git push`, real HTTP, signatures by Python.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::harness::{GitServer, Server, free_port, is_private, need, root, run, wait_for, wire};
use std::process::Command;
use std::time::{Duration, Instant};

const TOKEN: &str = "a token of twenty-two";
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that follows a remote repository once an hour, and listens for webhooks.
struct Bed {
    git: GitServer,
    server: Server,
    url: String,
    provider: &'static str,
}

impl Bed {
    fn start(provider: &'static str) -> Option<Bed> {
        if !need(&["python3"]) {
            return None;
        }
        let git = GitServer::start()?;
        let mut server = Server::example("quickstart");
        git.push(server.manifests.dir(), "the quickstart");
        let file = server.scratch().join("token");
        std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
        let (listen, file) = (format!("127.0.0.1:{}", free_port()), file.display().to_string());
        let options = [
            "--interval",
            "1h",
            "--webhook-listen",
            &listen,
            "--webhook-provider",
            provider,
            "--webhook-token-file",
            &file,
        ];
        server.follow(&git.url(), &options);
        server.start();
        let url = hook(&server);
        Some(Bed { git, server, url, provider })
    }

    /// The same, with a MailRepository that declares the webhook.
    fn declared(provider: &'static str, word: &str) -> Option<Bed> {
        if !need(&["python3"]) {
            return None;
        }
        let git = GitServer::start()?;
        let mut server = Server::example("quickstart");
        git.push(server.manifests.dir(), "the quickstart");
        let config = server.scratch().join("mailwright.yaml");
        let text = format!(
            "apiVersion: mailwright.dev/v1alpha1\nkind: MailRepository\nmetadata: {{name: company, namespace: mail}}\nspec:\n  \
             url: {}\n  ref: {{branch: main}}\n  interval: 1h\n  webhook: {{provider: {word}, secretRef: {{name: hook}}}}\n---\n\
             apiVersion: v1\nkind: Secret\nmetadata: {{name: hook, namespace: mail}}\nstringData: {{token: {TOKEN}}}\n",
            git.url()
        );
        std::fs::write(&config, text).unwrap();
        let listen = format!("127.0.0.1:{}", free_port());
        server.follow("--config", &[config.to_str().unwrap(), "--webhook-listen", &listen]);
        server.start();
        let url = hook(&server);
        Some(Bed { git, server, url, provider })
    }

    /// Sends a webhook; the status of the answer.
    fn tell(&self, url: &str, token: &str, body: &str, delivery: &str) -> u16 {
        let script = root().join("tests/clients/webhook.py");
        let mut command = Command::new("python3");
        command.arg(script).args([url, self.provider, token, body, delivery]);
        run(&mut command).ok().stdout.trim().parse().unwrap()
    }

    fn rcpt(&self, address: &str) -> String {
        let mut wire = wire::smtp(self.server.ports.smtp).unwrap();
        wire.smtp("MAIL FROM:<carol@example.org>").unwrap();
        wire.smtp(&format!("RCPT TO:<{address}>")).unwrap()
    }

    /// Declares a mailbox and pushes it; the webhook's body.
    fn push(&self, address: &str) -> String {
        let password = "  credentials:\n    secretRef: {name: first-passwords, key: alice}\n";
        self.server.manifests.mailbox(address, password);
        let commit = self.git.push(self.server.manifests.dir(), address);
        format!(r#"{{"ref":"refs/heads/main","after":"{commit}"}}"#)
    }
}

/// What `up` printed to tell the forge.
fn hook(server: &Server) -> String {
    // The table of what is ready comes after the first probe may have succeeded.
    wait_for("the webhook's address", PATIENCE, || {
        let logs = server.logs();
        logs.split_whitespace().find(|word| word.contains("/hook/")).map(str::to_owned)
    })
}

#[test]
fn a_push_is_in_force_within_two_seconds() {
    let Some(bed) = Bed::declared("github", "GitHub") else { return };
    let shown = bed.server.cli(&["get", "mailrepositories", "company", "-o", "json"]).ok().stdout;
    let path = bed.url.split_once("/hook/").unwrap().1;
    assert!(shown.contains(&format!("\"webhookPath\": \"/hook/{path}\"")), "{shown}");
    let mut took: Vec<Duration> = (0..5)
        .map(|number| {
            let address = format!("new{number}@example.test");
            let start = Instant::now();
            let body = bed.push(&address);
            assert!(bed.rcpt(&address).starts_with("550 5.1.1"), "nobody looks without being told");
            assert_eq!(bed.tell(&bed.url, TOKEN, &body, &format!("id-{number}")), 202);
            wait_for(&address, PATIENCE, || bed.rcpt(&address).starts_with("250").then_some(()));
            start.elapsed()
        })
        .collect();
    took.sort();
    println!("from git push to the account, by a webhook: {took:?}");
    // The middle of five, with the push and a Python in it: one may be late on a busy machine, three may not.
    assert!(took[2] <= Duration::from_secs(2), "took {took:?}");
}

#[test]
fn what_is_replayed_or_forged_fetches_nothing() {
    let Some(mut bed) = Bed::start("gitea") else { return };
    let body = bed.push("once@example.test");
    let before = bed.git.fetches();
    assert_eq!(bed.tell(&bed.url, TOKEN, &body, "id-1"), 202);
    wait_for("the account", PATIENCE, || bed.rcpt("once@example.test").starts_with("250").then_some(()));
    let once = bed.git.fetches();
    assert!(once > before);

    bed.push("waits@example.test");
    let forged = bed.url.replace("/hook/", "/hook/0");
    for (url, token, delivery, expected) in [
        (&bed.url, TOKEN, "id-1", 200),
        (&bed.url, TOKEN, "another-name", 200),
        (&bed.url, "a token of twenty-twO", "id-2", 404),
        (&bed.url, "", "id-3", 404),
        (&forged, TOKEN, "id-4", 404),
    ] {
        assert_eq!(bed.tell(url, token, &body, delivery), expected, "{url} {token} {delivery}");
    }
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(bed.git.fetches(), once, "nobody asked the repository again");
    assert!(bed.rcpt("waits@example.test").starts_with("550 5.1.1"));
    assert!(bed.server.logs().contains("a webhook is refused"), "and the log says why");
    assert!(!bed.server.logs().contains(TOKEN));

    // The path is the same after a restart, and polling is there whatever becomes of webhooks: a start looks.
    assert!(is_private(&bed.server.data().join("webhook.key")));
    let url = bed.url.clone();
    bed.server.stop();
    bed.server.start();
    wait_for("the same address", PATIENCE, || (bed.server.logs().matches(&url).count() >= 2).then_some(()));
    wait_for("the account", PATIENCE, || bed.rcpt("waits@example.test").starts_with("250").then_some(()));
}

#[test]
fn each_forge_reaches_the_account() {
    for provider in ["github", "gitlab", "generic"] {
        let Some(bed) = Bed::start(provider) else { return };
        let body = bed.push("told@example.test");
        assert_eq!(bed.tell(&bed.url, "wrong", &body, "id-1"), 404);
        assert_eq!(bed.tell(&bed.url, TOKEN, &body, "id-2"), 202);
        wait_for(provider, PATIENCE, || bed.rcpt("told@example.test").starts_with("250").then_some(()));
    }
}

#[test]
fn what_cannot_listen_says_so() {
    let mut server = Server::example("quickstart");
    let token = server.scratch().join("token");
    std::fs::write(&token, "\n").unwrap();
    let token = token.display().to_string();
    let missing = format!("{token}.none");
    let config = server.scratch().join("mailwright.yaml");
    let text = format!(
        "apiVersion: mailwright.dev/v1alpha1\nkind: MailRepository\nmetadata: {{name: company}}\nspec:\n  url: file://{}\n  \
         webhook: {{provider: GitHub, secretRef: {{name: hook}}}}\n",
        server.scratch().display()
    );
    std::fs::write(&config, &text).unwrap();
    let declared = config.display().to_string();
    let whole = server.scratch().join("whole.yaml");
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: hook}\nstringData: {token: abc}\n";
    std::fs::write(&whole, text + secret).unwrap();
    let whole = whole.display().to_string();
    let source = server.manifests.dir().display().to_string();
    let listen = ["--webhook-listen", "127.0.0.1:0"];
    for (source, options, says) in [
        (&source, vec!["--webhook-token-file", &missing], "looked at twice a second"),
        (&source, vec!["--webhook-token-file", &token], "looked at twice a second"),
        (&source, vec![], "give --webhook-token-file, or declare spec.webhook"),
        (
            &"--config".to_owned(),
            vec![declared.as_str()],
            "Secret default/hook does not exist; make it, with the key token",
        ),
        (
            &"--config".to_owned(),
            vec![whole.as_str(), "--webhook-token-file", &token],
            "leave out --webhook-token-file",
        ),
    ] {
        server.follow(source, &[&options[..], &listen].concat());
        let mut running = server.spawn();
        assert!(!running.wait(PATIENCE).success());
        let log = running.log();
        assert!(log.contains(says), "{log}");
    }
    server.follow("--config", &[&whole]);
    let mut running = server.spawn();
    assert!(!running.wait(PATIENCE).success());
    assert!(running.log().contains("nothing says where: give --webhook-listen"), "{}", running.log());
}
