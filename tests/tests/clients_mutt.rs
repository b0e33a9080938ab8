//! mutt in batch on a terminal of its own: reads a mailbox over IMAP, saves, flags, and hands in mail by SMTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::harness::{Server, need, run, run_with_input, wire};
use std::process::Command;

/// A configuration that asks nothing: certificate trusted, no prompts.
fn configuration(server: &Server) -> String {
    let text = format!(
        "set certificate_file=\"{certificate}\"\nset ssl_starttls=yes\nset ssl_force_tls=yes\nset ssl_verify_host=yes\n\
         set imap_user=\"alice@example.test\"\nset imap_pass=\"mailwright\"\nset from=\"carol@example.org\"\n\
         set smtp_url=\"smtp://localhost:{smtp}/\"\nset smtp_authenticators=\"\"\nset copy=no\nset delete=yes\nset quit=yes\n\
         set confirmappend=no\nset confirmcreate=no\nset mark_old=no\nset wait_key=no\nset header_cache=\"\"\nset mail_check=0\n\
         set sleep_time=0\nset hostname=\"client.example.org\"\n",
        certificate = server.certificate().display(),
        smtp = server.ports.smtp,
    );
    let path = server.scratch().join("muttrc");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// Runs mutt with `arguments` on a terminal.
fn on_a_terminal(server: &Server, arguments: &str) {
    let command = format!("mutt -n -F {} {arguments}", configuration(server));
    let mut script = Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).env("TERM", "xterm").env("HOME", server.scratch());
    run(&mut script).ok();
}

#[test]
fn mutt_reads_saves_flags_and_deletes() {
    if !need(&["mutt", "script", "python3"]) {
        return;
    }
    let server = Server::quickstart();
    for subject in ["keep", "flag", "remove"] {
        let text = format!("From: carol@example.org\r\nSubject: {subject}\r\n\r\nThe text of {subject}.\r\n");
        let reply =
            wire::deliver(server.ports.smtp, "carol@example.org", &["alice@example.test"], &text).unwrap();
        assert!(reply.starts_with("250"), "{reply}");
    }
    let saved = server.scratch().join("saved.mbox");
    let keys = format!(
        "<limit>all<enter><search>~s keep<enter><copy-message>{}<enter><search>~s flag<enter><flag-message><search>~s \
         remove<enter><delete-message><sync-mailbox><quit>",
        saved.display()
    );
    let folder = format!("imaps://localhost:{}/INBOX", server.ports.imaps);
    on_a_terminal(&server, &format!("-f {folder} -e 'push \"{keys}\"'"));

    let text = std::fs::read_to_string(&saved).expect("mutt saved the message");
    assert!(text.contains("Subject: keep") && text.contains("The text of keep."), "{text}");
    assert!(!text.contains("Subject: flag"), "only the one: {text}");
    server.script("mutt_left.py", &[]).ok();
}

#[test]
fn mutt_hands_in_mail() {
    if !need(&["mutt"]) {
        return;
    }
    let server = Server::quickstart();
    let mut command = Command::new("mutt");
    command.args(["-n", "-F", &configuration(&server), "-s", "by mutt", "--", "alice@example.test"]);
    run_with_input(command.env("HOME", server.scratch()), "Hello from mutt.\n").ok();
    server.script("flags.py", &["by="]).ok();
}
