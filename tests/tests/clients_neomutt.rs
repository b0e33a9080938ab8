//! neomutt on a terminal of its own: opens a mailbox over IMAP, reads, saves into a file and into a mailbox, flags, deletes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;

use mailwright_tests::harness::{Server, need, run, wire};

/// A configuration that asks nothing: certificate trusted, no prompts; CONDSTORE and QRESYNC where they are offered.
fn configuration(server: &Server) -> String {
    let scratch = server.scratch();
    let text = format!(
        "set certificate_file=\"{certificate}\"\nset ssl_verify_host=yes\nset imap_user=\"alice@example.test\"\n\
         set imap_pass=\"mailwright\"\nset folder=\"imaps://localhost:{port}/\"\nset from=\"alice@example.test\"\nset copy=no\n\
         set delete=yes\nset quit=yes\nset confirmappend=no\nset confirmcreate=no\nset mark_old=no\nset wait_key=no\n\
         set header_cache=\"{cache}\"\nset mail_check=0\nset sleep_time=0\nset imap_condstore=yes\nset imap_qresync=yes\n\
         set pager_stop=yes\nset use_envelope_from=no\n",
        certificate = server.certificate().display(),
        port = server.ports.imaps,
        cache = scratch.join("headers").display(),
    );
    let path = scratch.join("neomuttrc");
    // What a test adds.
    let more = std::fs::read_to_string(scratch.join("more")).unwrap_or_default();
    std::fs::write(&path, text + &more).unwrap();
    path.display().to_string()
}

/// Runs neomutt on a terminal with these keys.
fn on_a_terminal(server: &Server, mailbox: &str, keys: &str) {
    let folder = format!("imaps://localhost:{}/{mailbox}", server.ports.imaps);
    let command = format!("neomutt -n -F {} -f {folder} -e 'push \"{keys}\"'", configuration(server));
    let mut script = Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).env("TERM", "xterm").env("HOME", server.scratch());
    run(&mut script).ok();
}

#[test]
fn neomutt_logs_in_by_scram() {
    if !need(&["neomutt", "script", "python3"]) {
        return;
    }
    let server = Server::quickstart();
    let text = "From: carol@example.org\r\nSubject: seen\r\n\r\nHello.\r\n";
    wire::deliver(server.ports.smtp, "carol@example.org", &["alice@example.test"], text).unwrap();
    std::fs::write(server.scratch().join("more"), "set imap_authenticators=\"SCRAM-SHA-256\"\n").unwrap();
    on_a_terminal(&server, "INBOX", "<limit>all<enter><display-message><exit><quit>");
    server.script("flags.py", &["seen=\\Seen"]).ok();
}

#[test]
fn neomutt_reads_saves_flags_and_deletes() {
    if !need(&["neomutt", "script", "python3"]) {
        return;
    }
    let server = Server::quickstart();
    for subject in ["keep", "flag", "remove", "carry"] {
        let text = format!("From: carol@example.org\r\nSubject: {subject}\r\n\r\nThe text of {subject}.\r\n");
        let reply = wire::deliver(server.ports.smtp, "carol@example.org", &["alice@example.test"], &text);
        assert!(reply.unwrap().starts_with("250"));
    }
    let saved = server.scratch().join("saved.mbox");
    let keys = format!(
        "<limit>all<enter><search>~s keep<enter><display-message><exit><copy-message>{}<enter><search>~s flag<enter>\
         <flag-message><search>~s remove<enter><delete-message><search>~s carry<enter><save-message>=Archive<enter>\
         <sync-mailbox><quit>",
        saved.display()
    );
    on_a_terminal(&server, "INBOX", &keys);
    let text = std::fs::read_to_string(&saved).expect("neomutt saved the message");
    assert!(text.contains("Subject: keep") && text.contains("The text of keep."), "{text}");
    assert!(!text.contains("Subject: flag"), "only the one: {text}");
    server.script("flags.py", &["keep=\\Seen flag=\\Flagged"]).ok();
    server.script("neomutt_left.py", &[]).ok();

    // Again, with the header cache and what it knows of MODSEQ; another took a flag away and added a message meanwhile.
    server.script("flags.py", &["flag=", "--set"]).ok();
    let text = "From: carol@example.org\r\nSubject: late\r\n\r\nThe text of late.\r\n";
    wire::deliver(server.ports.smtp, "carol@example.org", &["alice@example.test"], text).unwrap();
    let piped = server.scratch().join("piped");
    let keys = format!(
        "<limit>all<enter><search>~s late<enter><display-message><exit><pipe-message>cat >{}<enter><search>~s keep<enter>\
         <delete-message><sync-mailbox><quit>",
        piped.display()
    );
    on_a_terminal(&server, "INBOX", &keys);
    let text = std::fs::read_to_string(&piped).expect("neomutt handed the message on");
    assert!(text.contains("Subject: late") && text.contains("The text of late."), "{text}");
    server.script("flags.py", &["flag= late=\\Seen"]).ok();
}
