//! The ssh client inside this process, against a real sshd whose account is a git-shell.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use mailwright_operator::source::{Credentials, Options, SecretValue, SshCredentials};

use crate::proxy::HttpProxy;
use crate::repository::{Repository, failure, follow, load, open};
use crate::sshd::Sshd;

/// With an identity and known hosts as values; the program that must not be used is none.
fn options(repository: &Repository, identity: &str, passphrase: Option<&str>, known_hosts: &str) -> Options {
    let ssh = SshCredentials {
        identity: Some(SecretValue::new(identity)),
        passphrase: passphrase.map(SecretValue::new),
        known_hosts: SecretValue::new(known_hosts),
    };
    let credentials = Credentials { ssh: Some(ssh), ..Credentials::default() };
    Options { credentials, ssh_command: Some("/nowhere/ssh".to_owned()), ..repository.options() }
}

/// sshd runs as somebody, and lets that one in.
fn location(sshd: &Sshd, repository: &Repository) -> String {
    let user = Command::new("id").arg("-un").output().unwrap().stdout;
    let user = String::from_utf8(user).unwrap();
    sshd.location(repository).replace("ssh://", &format!("ssh://{}@", user.trim()))
}

#[test]
fn a_branch_is_followed_in_both_versions() {
    for more in ["AcceptEnv GIT_PROTOCOL", ""] {
        let repository = Repository::new();
        let Some(sshd) = Sshd::start(&repository, more) else { return };
        let options = options(&repository, &sshd.read("user"), None, &sshd.known("host.pub"));
        follow(&repository, &location(&sshd, &repository), &options);
    }
}

#[test]
fn identities_and_host_keys_are_checked() {
    let repository = Repository::new();
    let Some(sshd) = Sshd::start(&repository, "AcceptEnv GIT_PROTOCOL") else { return };
    let first = repository.commit_secret("a.yaml", "a", "1");
    let place = location(&sshd, &repository);
    let attempt = |identity: &str, passphrase: Option<&str>, known: &str| {
        let mut source = open(&place, options(&repository, identity, passphrase, known));
        match source.load() {
            Ok(snapshot) => snapshot.unwrap().revision,
            Err(error) => {
                assert!(!error.is_temporary(), "{error}");
                error.to_string()
            }
        }
    };
    let user = sshd.read("user");
    let (good, ecdsa) = (sshd.known("host.pub"), sshd.known("host_ecdsa.pub"));
    let other = sshd.known("stranger.pub");
    let read = format!("main@sha1:{first}");
    let hashed = {
        fs::write(sshd.path("hashed"), &good).unwrap();
        let mut keygen = Command::new("/usr/bin/ssh-keygen");
        assert!(keygen.args(["-q", "-H", "-f"]).arg(sshd.path("hashed")).output().unwrap().status.success());
        sshd.read("hashed")
    };
    assert!(hashed.starts_with("|1|"), "{hashed}");
    let locked = {
        sshd.keygen("locked", "ed25519", "hunter2");
        let keys = sshd.read("authorized_keys") + &sshd.read("locked.pub");
        fs::write(sshd.path("authorized_keys"), keys).unwrap();
        sshd.read("locked")
    };
    let table = [
        (&user, None, good.clone(), read.clone()),
        (&user, None, hashed, read.clone()),
        (&user, None, format!("{other}{good}"), read.clone()),
        // Only another kind of key is known: the server is asked for that one.
        (&user, None, ecdsa, read.clone()),
        (&locked, Some("hunter2"), good.clone(), read),
        (
            &locked,
            Some("hunter3"),
            good.clone(),
            "identity cannot be read with the given password".to_owned(),
        ),
        (&sshd.read("stranger"), None, good.clone(), "with this identity; add its public key to".to_owned()),
        (&user, None, String::new(), "is not in known_hosts (ssh-ed25519 SHA256:".to_owned()),
        (&user, None, other, "has changed to ssh-ed25519 SHA256:".to_owned()),
        (
            &user,
            None,
            format!("{good}@revoked {good}"),
            "is marked @revoked in line 2 of known_hosts".to_owned(),
        ),
    ];
    for (identity, passphrase, known, expected) in table {
        let said = attempt(identity, passphrase, &known);
        assert!(said.contains(&expected) && !said.contains("hunter"), "{said}");
    }
    // What the message says to add is what helps.
    let said = attempt(&user, None, "");
    let line = said.split("add this line: ").nth(1).unwrap().split(';').next().unwrap();
    assert!(attempt(&user, None, line).starts_with("main@"), "{line}");
}

#[test]
fn an_outage_and_a_path_that_is_none_are_told_and_the_last_state_stays() {
    let repository = Repository::new();
    let Some(mut sshd) = Sshd::start(&repository, "AcceptEnv GIT_PROTOCOL") else { return };
    repository.commit_secret("a.yaml", "a", "1");
    let options = options(&repository, &sshd.read("user"), None, &sshd.known("host.pub"));
    let place = location(&sshd, &repository);
    let mut source = open(&place, options.clone());
    load(&mut source);
    sshd.stop();
    let error = source.load().unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("cannot be reached: Connection refused")
            && said.ends_with("the last state stays in force"),
        "{said}"
    );
    assert!(error.is_temporary());
    sshd.run();
    assert!(source.load().unwrap().is_none(), "nothing was lost");

    let none = failure(&mut open(&place.replace("mail.git", "none.git"), options.clone()));
    assert!(none.contains("none.git' does not appear to be a git repository; check the path"), "{none}");
    // Somebody who answers and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let silent = Options { timeout: Some(Duration::from_secs(1)), ..options };
    let said = failure(&mut open(&format!("ssh://127.0.0.1:{port}/mail.git"), silent));
    assert!(said.contains("cannot be reached: the server does not answer in time"), "{said}");
}

#[test]
fn ssh_goes_through_a_proxy() {
    let repository = Repository::new();
    let Some(sshd) = Sshd::start(&repository, "AcceptEnv GIT_PROTOCOL") else { return };
    repository.commit_secret("a.yaml", "a", "1");
    let place = location(&sshd, &repository);
    let proxy = HttpProxy::start(Some("alice:hunter2"));
    let direct = options(&repository, &sshd.read("user"), None, &sshd.known("host.pub"));
    let through = |login: &str| Options {
        credentials: Credentials { proxy: Some(proxy.options(login)), ..direct.credentials.clone() },
        ..direct.clone()
    };
    assert_eq!(load(&mut open(&place, through("alice:hunter2@"))).objects.len(), 1);
    assert_eq!(proxy.seen(), [format!("CONNECT 127.0.0.1:{} HTTP/1.1", sshd.port)]);
    let said = failure(&mut open(&place, through("alice:wrong@")));
    assert!(said.contains("the proxy asks for credentials (407)") && !said.contains("wrong"), "{said}");
    let program = Credentials { ssh: None, ..through("").credentials };
    let said = failure(&mut open(&place, Options { credentials: program, ..repository.options() }));
    assert!(said.contains("ssh through a proxy wants identity and known_hosts given"), "{said}");
}
