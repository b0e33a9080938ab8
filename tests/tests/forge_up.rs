//! `mailwright up` at a real forge, Gitea: its webhook tells of a pull request, which gets a status and a comment with the plan; a
//! push edits the comment; the merge is applied; nothing of a pull request is in force before. No token is printed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use mailwright_tests::harness::{Gitea, PATIENCE, Server, WorkingCopy, free_port, need, wait_for, wire};
use serde_json::{Value, json};

const MAILBOX: &str = "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {name: NAME}\n\
    spec: {address: NAME@example.test}\n";

/// The reply to RCPT for `address`.
fn rcpt(server: &Server, address: &str) -> String {
    let mut wire = wire::smtp(server.ports.smtp).unwrap();
    wire.smtp("MAIL FROM:<carol@example.org>").unwrap();
    wire.smtp(&format!("RCPT TO:<{address}>")).unwrap()
}

fn comments(forge: &Gitea, number: u64) -> Vec<Value> {
    let comments = forge.api("GET", &format!("/repos/alice/mail/issues/{number}/comments"), None);
    comments.as_array().unwrap().clone()
}

/// The comment, once it says `word`; and that it is the only one.
fn comment(forge: &Gitea, number: u64, word: &str) -> (u64, String) {
    wait_for(&format!("a comment about {word}"), PATIENCE, || {
        let comments = comments(forge, number);
        assert!(comments.len() <= 1, "{comments:?}");
        let text = comments.first()?["body"].as_str()?.to_owned();
        text.contains(word).then(|| (comments[0]["id"].as_u64().unwrap(), text))
    })
}

fn status(forge: &Gitea, commit: &str, state: &str) -> String {
    wait_for(&format!("the status {state}"), PATIENCE, || {
        let status = forge.api("GET", &format!("/repos/alice/mail/commits/{commit}/status"), None);
        let ours = &status["statuses"][0];
        let fits = ours["context"] == "mailwright/plan" && ours["status"] == state;
        fits.then(|| ours["description"].as_str().unwrap().to_owned())
    })
}

/// A repository with the quickstart on `main`, and a server that follows it, told by the forge's webhook.
fn scene(forge: &Gitea, bot: &str, copy: &WorkingCopy) -> Server {
    let mut server = Server::example("quickstart");
    for name in ["aliases.yaml", "mailboxes.yaml", "domains.yaml", "secrets.yaml", "server.yaml"] {
        std::fs::write(copy.path().join(name), server.manifests.read(name)).unwrap();
    }
    copy.push("main", "README.md", "The company's mail.\n");
    let (hook, api, port) = (server.scratch().join("hook"), server.scratch().join("token"), free_port());
    std::fs::write(&hook, "what-the-forge-was-told").unwrap();
    std::fs::write(&api, bot).unwrap();
    let url = forge.url("alice/mail").replace("http://", &format!("http://mailwright:{bot}@"));
    let listen = format!("127.0.0.1:{port}");
    // So long an interval that only a webhook can be the reason.
    let options = [
        "--branch",
        "main",
        "--interval",
        "10m",
        "--webhook-provider",
        "gitea",
        "--webhook-listen",
        &listen,
        "--webhook-token-file",
        hook.to_str().unwrap(),
        "--preview-provider",
        "gitea",
        "--preview-api",
        &forge.api_url(),
        "--preview-token-file",
        api.to_str().unwrap(),
    ];
    server.follow(&url, &options);
    server.start();
    let path = format!("http://{listen}/");
    let address = wait_for("the webhook's address", PATIENCE, || {
        let logs = server.logs();
        let start = logs.find(&path)?;
        Some(logs[start..].split_whitespace().next()?.to_owned())
    });
    let config = json!({"url": address, "content_type": "json", "secret": "what-the-forge-was-told"});
    let hook = json!({"type": "gitea", "active": true, "events": ["push", "pull_request", "pull_request_sync"], "config": config});
    forge.api("POST", "/repos/alice/mail/hooks", Some(hook));
    server
}

/// The same as a MailRepository, with the Secrets that it names.
fn declared(forge: &Gitea, bot: &str) -> String {
    format!(
        "apiVersion: mailwright.dev/v1alpha1\nkind: MailRepository\nmetadata: {{name: company, namespace: mail}}\nspec:\n  \
         url: {}\n  ref: {{branch: main}}\n  interval: 5s\n  secretRef: {{name: git}}\n  previews:\n    provider: Gitea\n    \
         apiURL: {}\n    refs: [refs/pull/*/head]\n    secretRef: {{name: forge}}\n---\n\
         apiVersion: v1\nkind: Secret\nmetadata: {{name: git, namespace: mail}}\nstringData: {{username: mailwright, password: {bot}}}\n---\n\
         apiVersion: v1\nkind: Secret\nmetadata: {{name: forge, namespace: mail}}\nstringData: {{token: {bot}}}\n",
        forge.url("alice/mail"),
        forge.api_url()
    )
}

#[test]
fn from_a_pull_request_to_a_mailbox() {
    if !need(&["git", "curl", "python3"]) {
        return;
    }
    let Some(forge) = Gitea::start() else { return };
    forge.api(
        "POST",
        "/user/repos",
        Some(json!({"name": "mail", "private": true, "default_branch": "main"})),
    );
    let bot = forge.person("mailwright", &["write:repository", "write:issue", "read:user"]);
    forge.api("PUT", "/repos/alice/mail/collaborators/mailwright", Some(json!({"permission": "write"})));
    let copy = forge.working_copy("alice/mail");
    let mut server = scene(&forge, &bot, &copy);
    assert!(rcpt(&server, "alice@example.test").starts_with("250"));

    copy.git(&["checkout", "--quiet", "-b", "change"]);
    let first = copy.push("change", "new.yaml", &MAILBOX.replace("NAME", "grace"));
    let pull = json!({"title": "Grace begins", "head": "change", "base": "main"});
    let number = forge.api("POST", "/repos/alice/mail/pulls", Some(pull))["number"].as_u64().unwrap();
    let (id, text) = comment(&forge, number, "grace@example.test");
    assert!(text.contains("### Mail plan: 1 to create") && text.contains("new.yaml#L1"), "{text}");
    let description = status(&forge, &first, "success");
    assert!(description.starts_with("1 to create; digest "), "{description}");
    assert!(rcpt(&server, "grace@example.test").starts_with("550"), "a preview applies nothing");

    let second = copy.push("change", "new.yaml", &MAILBOX.replace("NAME", "heidi"));
    assert_eq!(comment(&forge, number, "heidi@example.test").0, id, "the same comment");
    status(&forge, &second, "success");

    let start = Instant::now();
    forge.merge("alice/mail", number);
    wait_for("the merged mailbox", PATIENCE, || {
        rcpt(&server, "heidi@example.test").starts_with("250").then_some(())
    });
    let took = start.elapsed();
    eprintln!("from the merge to the mailbox: {took:?}");
    assert!(took < Duration::from_secs(30), "the interval is ten minutes: {took:?}");
    assert!(rcpt(&server, "grace@example.test").starts_with("550"));

    // A start anew says nothing twice, although now a MailRepository in a file declares what the options said before.
    server.stop();
    let config = server.scratch().join("mailwright.yaml");
    std::fs::write(&config, declared(&forge, &bot)).unwrap();
    server.follow("--config", &[config.to_str().unwrap()]);
    server.start();
    copy.git(&["checkout", "--quiet", "-b", "next"]);
    copy.push("next", "next.yaml", &MAILBOX.replace("NAME", "ivan"));
    let pull = json!({"title": "Ivan begins", "head": "next", "base": "main"});
    let next = forge.api("POST", "/repos/alice/mail/pulls", Some(pull))["number"].as_u64().unwrap();
    comment(&forge, next, "ivan@example.test");
    let told = wait_for("the preview in the status", PATIENCE, || {
        let shown = server.cli(&["get", "mailrepositories", "company", "-o", "json"]).ok().stdout;
        let list: Value = serde_json::from_str(&shown).unwrap();
        let status = list.pointer("/items/0/status").or_else(|| list.get("status")).cloned().unwrap();
        status["previews"].as_array().is_some_and(|all| !all.is_empty()).then_some(status)
    });
    let newest = &told["previews"][0];
    assert_eq!(newest["ref"], format!("refs/pull/{next}/head"), "{told}");
    assert_eq!(newest["digest"].as_str().map(str::len), Some(64), "{told}");
    assert_eq!(comments(&forge, number).len(), 1, "what is merged is left alone");
    let logs = server.logs();
    assert!(!logs.contains(&bot) && !logs.contains("what-the-forge-was-told"), "no token is printed");
}
