//! Repositories over ssh: with a command in place of `ssh`, and with a real sshd on loopback.

use std::io::Write as _;
use std::process::{Command, Stdio};

use mailwright_operator::source::Options;

use crate::repository::{Repository, failure, follow, load, open};
use crate::sshd::Sshd;

/// A program that ignores the host and runs what ssh would run there.
fn fake_ssh(repository: &Repository, before: &str) -> String {
    let script = repository.beside("fake-ssh");
    let text = format!("#!/bin/sh\n{before}\nfor last; do :; done\nexec sh -c \"$last\"\n");
    // Written here, it might be open in a child that another test has just forked, and could not be run (ETXTBSY).
    let mut install = Command::new("install");
    install.args(["-m", "755", "/dev/stdin"]).arg(&script).stdin(Stdio::piped());
    let mut install = install.spawn().unwrap();
    install.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(install.wait().unwrap().success());
    script.to_str().unwrap().to_owned()
}

fn with_command(repository: &Repository, command: String) -> Options {
    Options { ssh_command: Some(command), ..repository.options() }
}

#[test]
fn a_branch_is_followed_over_version_2() {
    let repository = Repository::new();
    let options = with_command(&repository, fake_ssh(&repository, ""));
    follow(&repository, &format!("ssh://git@example.test{}", repository.path().display()), &options);
}

#[test]
fn a_branch_is_followed_over_version_0() {
    let repository = Repository::new();
    let options = with_command(&repository, fake_ssh(&repository, "unset GIT_PROTOCOL"));
    follow(&repository, &format!("git@example.test:{}", repository.path().display()), &options);
}

#[test]
fn what_goes_wrong_is_told_in_the_words_of_the_other_end() {
    let repository = Repository::new();
    repository.commit_secret("a.yaml", "a", "1");
    let location = format!("example.test:{}", repository.path().display());
    let table = [
        (
            "echo 'Permission denied (publickey).' >&2; exit 255",
            "Permission denied (publickey).; give the server a key",
        ),
        (
            "echo 'ssh: connect to host x: Connection refused' >&2; exit 255",
            "Connection refused; the last state stays",
        ),
        ("exit 0", "the connection ended early"),
        ("echo 'Welcome to example.test'; exit 0", "the answer is not Git's protocol"),
    ];
    for (before, expected) in table {
        let options = with_command(&repository, fake_ssh(&repository, before));
        let text = failure(&mut open(&location, options));
        assert!(text.contains(expected), "{text}");
    }
    let nowhere = with_command(&repository, fake_ssh(&repository, ""));
    let text = failure(&mut open("example.test:/nowhere/mail.git", nowhere));
    assert!(text.contains("does not appear to be a git repository"), "{text}");
    let missing = with_command(&repository, "/nowhere/ssh".to_owned());
    let text = failure(&mut open(&location, missing));
    assert!(text.contains("/nowhere/ssh"), "{text}");
}

/// Runs itself once more with the variable set: a test must not change its own environment.
#[test]
fn git_ssh_command_is_honoured() {
    const LOCATION: &str = "SOURCE_GIT_TEST_LOCATION";
    if let Ok(location) = std::env::var(LOCATION) {
        let cache = tempfile::tempdir().unwrap();
        let options = Options { cache: cache.path().to_owned(), ..Options::default() };
        assert_eq!(load(&mut open(&location, options)).objects.len(), 1);
        return;
    }
    let repository = Repository::new();
    repository.commit_secret("a.yaml", "a", "1");
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "ssh::git_ssh_command_is_honoured"]);
    again.env(LOCATION, format!("example.test:{}", repository.path().display()));
    again.env("GIT_SSH_COMMAND", fake_ssh(&repository, ""));
    let output = again.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

#[test]
fn an_outage_keeps_the_source_usable() {
    let repository = Repository::new();
    repository.commit_secret("a.yaml", "a", "1");
    let options = with_command(&repository, fake_ssh(&repository, ""));
    let mut source = open(&format!("example.test:{}", repository.path().display()), options);
    load(&mut source);
    fake_ssh(&repository, "exit 255");
    assert!(failure(&mut source).contains("cannot be reached"));
    fake_ssh(&repository, "");
    assert!(source.load().unwrap().is_none());
    repository.commit_secret("b.yaml", "b", "1");
    assert_eq!(load(&mut source).objects.len(), 2);
}

#[test]
fn a_branch_is_followed_through_a_real_sshd() {
    let repository = Repository::new();
    let Some(sshd) = Sshd::start(&repository, "AcceptEnv GIT_PROTOCOL") else { return };
    let location = format!("ssh://127.0.0.1:{}{}", sshd.port, repository.path().display());
    // `git-upload-pack` at the other end must not refuse a repository of another user.
    let options = with_command(&repository, sshd.command());
    follow(&repository, &location, &options);
    let refused = sshd.command().replace("/user ", "/host ");
    let text = failure(&mut open(&location, with_command(&repository, refused)));
    assert!(text.contains("Permission denied"), "{text}");
    let unknown = sshd.command().replace("known_hosts", "nobody");
    let text = failure(&mut open(&location, with_command(&repository, unknown)));
    assert!(text.contains("Host key verification failed.; add the host's key to known_hosts"), "{text}");
}
