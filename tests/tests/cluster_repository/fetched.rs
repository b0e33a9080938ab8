//! Fetching over https and ssh from real servers with what Secrets hold: a token and an authority, a key and known hosts. Who is not
//! who the Secret says is not believed, and nothing of a Secret is told to anybody.

use mailwright_tests::cluster::ControlPlane;
use mailwright_tests::harness::Sshd;
use serde_json::{Value, json};

use super::company::{COMPANY, Company};

/// Makes or replaces the Secret of the repository.
fn secret(company: &Company<'_>, values: &Value) {
    company.mail.apply(&json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "git"}, "stringData": values,
    }));
}

/// The Secret as it is not right, with what is told, and then as it is: nothing was taken before.
fn at_last(company: &Company<'_>, url: &str, wrong: &[(Value, &str, &str)], right: &Value, name: &str) {
    company.mailbox(name, "");
    let commit = company.push(name);
    let spec = json!({"url": url, "secretRef": {"name": "git"}});
    for (at, (values, reason, step)) in wrong.iter().enumerate() {
        company.mail.delete("secret/git");
        secret(company, values);
        company.follow(&spec);
        company.look_again(&format!("{name}-{at}"));
        company.mail.says(COMPANY, "SourceReady", &format!("False {reason}"), step);
        assert!(company.get(&format!("mailbox/{name}")).is_null(), "{reason}");
    }
    company.mail.delete("secret/git");
    secret(company, right);
    company.follow(&spec);
    company.applied(&commit);
    company.mail.ready(&format!("mailbox/{name}"));
}

/// What of the values is told in the status, in events or in the operator's log.
fn told(company: &Company<'_>, log: &str, secrets: &[&str]) -> Vec<String> {
    let mut places = vec![("the log", log.to_owned()), ("the status", company.get(COMPANY).to_string())];
    let events = company.mail.kubectl.list(&company.mail.namespace, "events.events.k8s.io");
    places.push(("the events", events.iter().map(ToString::to_string).collect()));
    let found = places.iter().filter(|(_, text)| secrets.iter().any(|secret| text.contains(secret)));
    found.map(|(place, _)| (*place).to_owned()).collect()
}

#[test]
fn by_https_with_a_token_and_an_authority() {
    const TOKEN: &str = "sentinel-of-git-8d21";
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(company) = Company::new(plane, "https") else { return };
    let mut operator = company.operator(&[]);
    operator.wait_ready();
    let server = company.git.secured(TOKEN);
    let ca = server.authority.as_str();
    let wrong = [
        (json!({"bearerToken": TOKEN}), "FetchFailed", "invalid peer certificate"),
        (
            json!({"bearerToken": "sentinel-of-nobody", "ca.crt": ca}),
            "AuthenticationFailed",
            "refused the credentials (401",
        ),
        (json!({"ca.crt": ca}), "AuthenticationFailed", "asks for credentials"),
        (json!({"username": "alice"}), "SecretKeyNotFound", "add password"),
    ];
    at_last(&company, &server.url(), &wrong, &json!({"bearerToken": TOKEN, "ca.crt": ca}), "alice");
    // Another token, in force at the next look without another spec.
    secret(&company, &json!({"bearerToken": "sentinel-of-nobody", "ca.crt": ca}));
    company.mail.says(COMPANY, "SourceReady", "False AuthenticationFailed", "refused the credentials (401");
    company.everybody(&["alice"], "a token that was taken back");
    secret(&company, &json!({"bearerToken": TOKEN, "ca.crt": ca}));
    company.until("Reconciled");
    assert_eq!(told(&company, &operator.log(), &[TOKEN, "sentinel-of-nobody"]), Vec::<String>::new());
}

#[test]
fn by_ssh_with_a_key_and_known_hosts() {
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(sshd) = Sshd::start() else { return };
    let Some(company) = Company::new(plane, "ssh") else { return };
    let mut operator = company.operator(&[]);
    operator.wait_ready();
    let (key, hosts) = (sshd.identity("user"), sshd.known_as("host"));
    let wrong = [
        (json!({"identity": key}), "SecretKeyNotFound", "no known_hosts"),
        (json!({"identity": key, "known_hosts": sshd.known_as("stranger")}), "HostUntrusted", "127.0.0.1"),
        (
            json!({"identity": sshd.identity("stranger"), "known_hosts": hosts}),
            "AuthenticationFailed",
            "deploy keys",
        ),
    ];
    let url = sshd.url(&company.git.path());
    at_last(&company, &url, &wrong, &json!({"identity": key, "known_hosts": hosts}), "alice");
    company.mailbox("bob", "");
    let second = company.push("mail: bob");
    company.applied(&second);
    company.mail.ready("mailbox/bob");
    let line = key.lines().nth(2).unwrap();
    assert_eq!(told(&company, &operator.log(), &[line]), Vec::<String>::new());
}
