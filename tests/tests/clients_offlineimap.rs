//! offlineimap between a Maildir and the IMAP server: both directions, flags, deletion, new folders; a second run has nothing to do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use mailwright_tests::harness::{Output, Server, need, run, wire};

/// A server with a Maildir beside it.
struct Sides {
    server: Server,
    config: PathBuf,
    maildir: PathBuf,
}

impl Sides {
    fn new(server: Server) -> Sides {
        let scratch = server.scratch();
        let (config, maildir) = (scratch.join("offlineimaprc"), scratch.join("maildir"));
        let text = format!(
            "[general]\naccounts = both\nmetadata = {metadata}\nui = basic\nsocktimeout = 60\n\n[Account both]\n\
             localrepository = near\nremoterepository = far\n\n[Repository near]\ntype = Maildir\nlocalfolders = {maildir}\n\n\
             [Repository far]\ntype = IMAP\nremotehost = localhost\nremoteport = {port}\nremoteuser = alice@example.test\n\
             remotepass = mailwright\nssl = yes\nsslcacertfile = {certificate}\nauth_mechanisms = PLAIN\nexpunge = yes\n",
            metadata = scratch.join("metadata").display(),
            maildir = maildir.display(),
            port = server.ports.imaps,
            certificate = server.certificate().display(),
        );
        std::fs::write(&config, text).unwrap();
        Sides { server, config, maildir }
    }

    /// One run to the end. What goes wrong with a message is said, not told by the exit code alone.
    fn sync(&self) -> Output {
        let mut command = Command::new("offlineimap");
        command.arg("-o").arg("-c").arg(&self.config).env("HOME", self.server.scratch());
        let output = run(&mut command).ok();
        let all = output.all();
        assert!(!all.contains("ERROR") && !all.contains("Traceback"), "{all}");
        output
    }

    /// Subjects with the letters of their flags, sorted.
    fn near(&self, folder: &str) -> Vec<(String, String)> {
        let mut state: Vec<_> = files(&self.maildir.join(folder))
            .iter()
            .map(|path| {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                let flags = name.split_once(":2,").map_or("", |(_, flags)| flags).to_owned();
                (subject(path), flags)
            })
            .collect();
        state.sort();
        state
    }

    /// The file of one message.
    fn file(&self, wanted: &str) -> PathBuf {
        files(&self.maildir.join("INBOX")).into_iter().find(|path| subject(path) == wanted).unwrap()
    }

    /// Gives a message these flags in the Maildir.
    fn flag(&self, subject: &str, flags: &str) {
        let path = self.file(subject);
        let name = path.file_name().unwrap().to_string_lossy();
        let base = name.split_once(":2,").map_or(&*name, |(base, _)| base);
        std::fs::rename(&path, self.maildir.join("INBOX/cur").join(format!("{base}:2,{flags}"))).unwrap();
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let parts = ["cur", "new"].map(|part| std::fs::read_dir(folder.join(part)).unwrap());
    parts.into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}

fn subject(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap().to_owned()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(subject, flags)| ((*subject).to_owned(), (*flags).to_owned())).collect()
}

#[test]
fn offlineimap_goes_there_and_back() {
    if !need(&["offlineimap", "python3"]) {
        return;
    }
    let server = Server::quickstart();
    for subject in ["first", "second", "third"] {
        let text = format!("From: carol@example.org\r\nSubject: {subject}\r\n\r\nHello.\r\n");
        let reply = wire::deliver(server.ports.smtp, "carol@example.org", &["alice@example.test"], &text);
        assert!(reply.unwrap().starts_with("250"));
    }
    let sides = Sides::new(server);
    sides.sync();
    assert_eq!(sides.near("INBOX"), pairs(&[("first", ""), ("second", ""), ("third", "")]));
    assert!(sides.maildir.join("Sent").exists(), "every mailbox comes along");

    // Here: flag one, delete one, add one, and a folder.
    sides.flag("first", "FS");
    std::fs::remove_file(sides.file("second")).unwrap();
    let own = "From: alice@example.test\nMessage-ID: <own@example.test>\nSubject: own\n\nWritten here.\n";
    std::fs::write(sides.maildir.join("INBOX/cur/1700000000.1.here:2,DS"), own).unwrap();
    for part in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(sides.maildir.join("Made here").join(part)).unwrap();
    }
    sides.sync();
    sides.server.script("flags.py", &["first=\\Flagged,\\Seen own=\\Draft,\\Seen third="]).ok();
    sides.server.script("offlineimap_left.py", &[]).ok();
    assert_eq!(sides.near("INBOX"), pairs(&[("first", "FS"), ("own", "DS"), ("third", "")]));

    // There: answer one, delete one.
    sides.server.script("flags.py", &["first=\\Answered", "--set"]).ok();
    sides.server.script("offlineimap_left.py", &["third"]).ok();
    sides.sync();
    assert_eq!(sides.near("INBOX"), pairs(&[("first", "R"), ("own", "DS")]));

    // Nothing left to do: the same files stay, and nothing is copied.
    let mut before = files(&sides.maildir.join("INBOX"));
    let output = sides.sync();
    assert!(!output.all().contains("Copy message"), "{}", output.all());
    let mut after = files(&sides.maildir.join("INBOX"));
    before.sort();
    after.sort();
    assert_eq!(before, after);
}
