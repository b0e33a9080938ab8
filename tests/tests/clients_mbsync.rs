//! mbsync between a Maildir and the IMAP server, there and back with flags.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::harness::{Server, need, run, wire};
use std::path::{Path, PathBuf};
use std::process::Command;

/// One Maildir file: its flags (the letters after `:2,`) and its text.
fn messages(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for part in ["cur", "new"] {
        for entry in std::fs::read_dir(folder.join(part)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            found.push((name.split_once(":2,").map_or(String::new(), |(_, flags)| flags.to_owned()), path));
        }
    }
    found
}

fn subject(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap().to_owned()
}

/// Subjects with their flags, sorted.
fn state(folder: &Path) -> Vec<(String, String)> {
    let mut state: Vec<_> =
        messages(folder).into_iter().map(|(flags, path)| (subject(&path), flags)).collect();
    state.sort();
    state
}

fn configure(server: &Server, account: &str) -> PathBuf {
    let scratch = server.scratch();
    let config = scratch.join("mbsyncrc");
    let text = format!(
        "IMAPAccount server\nHost localhost\nPort {port}\nUser alice@example.test\nPass mailwright\nSSLType IMAPS\n\
         CertificateFile {certificate}\n{account}\n\nIMAPStore far\nAccount server\n\nMaildirStore near\nPath {maildir}/\n\
         Inbox {maildir}/INBOX\nSubFolders Verbatim\n\nChannel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\n\
         Expunge Both\nSync All\nSyncState *\n",
        port = server.ports.imaps,
        certificate = server.certificate().display(),
        maildir = scratch.join("maildir").display(),
    );
    std::fs::create_dir_all(scratch.join("maildir")).unwrap();
    std::fs::write(&config, text).unwrap();
    config
}

#[test]
fn mbsync_goes_there_and_back_with_flags() {
    if !need(&["mbsync", "python3"]) {
        return;
    }
    let server = Server::quickstart();
    for subject in ["first", "second", "third"] {
        let text = format!("From: carol@example.org\r\nSubject: {subject}\r\n\r\nHello.\r\n");
        let reply =
            wire::deliver(server.ports.smtp, "carol@example.org", &["alice@example.test"], &text).unwrap();
        assert!(reply.starts_with("250"), "{reply}");
    }
    let config = configure(&server, "");
    let inbox = server.scratch().join("maildir/INBOX");
    let sync = || run(Command::new("mbsync").arg("-c").arg(&config).arg("all")).ok();
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(subject, flags)| ((*subject).to_owned(), (*flags).to_owned())).collect()
    };

    sync();
    assert_eq!(state(&inbox), pairs(&[("first", ""), ("second", ""), ("third", "")]));
    assert!(server.scratch().join("maildir/Sent").exists(), "every mailbox comes along");

    // Here: flag one, delete one, add one.
    for (_, path) in messages(&inbox) {
        let name = path.file_name().unwrap().to_string_lossy().replace(":2,", "");
        match subject(&path).as_str() {
            "first" => std::fs::rename(&path, inbox.join("cur").join(format!("{name}:2,FS"))).unwrap(),
            "second" => std::fs::rename(&path, inbox.join("cur").join(format!("{name}:2,T"))).unwrap(),
            _ => {}
        }
    }
    let own = "From: alice@example.test\nSubject: own\n\nWritten here.\n";
    std::fs::write(inbox.join("cur/1700000000.1.here:2,DS"), own).unwrap();
    sync();
    assert_eq!(state(&inbox), pairs(&[("first", "FS"), ("own", "DS"), ("third", "")]));
    server.script("flags.py", &["first=\\Flagged,\\Seen own=\\Draft,\\Seen third="]).ok();

    // There: answer one, delete one; and back.
    server.script("flags.py", &["first=\\Answered own=", "--set"]).ok();
    sync();
    assert_eq!(state(&inbox), pairs(&[("first", "R"), ("own", ""), ("third", "")]));

    // Nothing left to do: the same files stay.
    let before = messages(&inbox);
    sync();
    assert_eq!(messages(&inbox), before);
}

#[test]
fn mbsync_logs_in_by_scram() {
    if !need(&["mbsync", "python3"]) {
        return;
    }
    let server = Server::quickstart();
    let config = configure(&server, "AuthMechs SCRAM-SHA-256");
    run(Command::new("mbsync").arg("-V").arg("-c").arg(&config).arg("all")).ok().says("SCRAM-SHA-256");
    assert!(server.scratch().join("maildir/INBOX").exists());
}
