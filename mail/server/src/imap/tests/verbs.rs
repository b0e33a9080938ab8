//! Every question that the IMAP session asks, once through the socket against the real store.

use mailwright_store as store;

use crate::tests::{Client, TestServer, apply, mailbox};

const MULTIPART: &str = "From: Alice <alice@example.test>\r\nTo: bob@example.test\r\n\
    Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Fri, 20 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@example.test>\r\n\
    MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n\
    first part\r\n--b\r\nContent-Type: image/png; name=x.png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b--\r\n";

/// Alice with INBOX selected and so many numbered messages in it.
async fn inbox(server: &TestServer, messages: usize) -> Client {
    let mut client = server.imap("alice@example.test").await;
    for number in 1..=messages {
        let text = format!("Subject: number {number}\r\n\r\nbody {number}\r\n");
        client.append("INBOX", &text).await.ok();
    }
    client.command("SELECT INBOX").await.ok();
    client
}

#[tokio::test]
async fn structure_comes_from_the_index() {
    let server = TestServer::start().await;
    let mut client = inbox(&server, 0).await;
    client.append("INBOX", MULTIPART).await.ok();
    for (items, expected) in [
        ("ENVELOPE", "((\"Alice\" NIL \"alice\" \"example.test\"))"),
        ("BODYSTRUCTURE", "(\"IMAGE\" \"PNG\" (\"NAME\" \"x.png\")"),
        ("BODY.PEEK[1]", "first part"),
        ("BODY.PEEK[2]", "AAAA"),
        ("BODY.PEEK[2.MIME]", "Content-Type: image/png; name=x.png"),
        ("BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]", "Message-ID: <1@example.test>"),
        ("RFC822.HEADER", "MIME-Version: 1.0"),
        ("BODY.PEEK[]<0.20>", "From: Alice <alice@e"),
        ("FAST", "INTERNALDATE"),
    ] {
        let answer = client.command(&format!("FETCH 1 {items}")).await.ok().join("\n");
        let found = answer.to_ascii_uppercase().contains(&expected.to_ascii_uppercase());
        assert!(found, "{items}: {expected} is not in {answer}");
    }
    assert!(!client.command("FETCH 1 FLAGS").await.ok().join("").contains("\\Seen"), "PEEK does not read");
    client.command("FETCH 1 BODY[TEXT]").await.ok();
    assert!(client.command("FETCH 1 FLAGS").await.ok().join("").contains("\\Seen"));
}

#[tokio::test]
async fn searches_read_flags_headers_and_bodies() {
    let server = TestServer::start().await;
    let mut client = inbox(&server, 5).await;
    client.append("INBOX", MULTIPART).await.ok();
    client.command("STORE 2 +FLAGS (\\Flagged)").await.ok();
    client.command("STORE 3 +FLAGS (\\Seen $Junk)").await.ok();
    for (keys, expected) in [
        ("ALL", "* SEARCH 1 2 3 4 5 6"),
        ("FLAGGED", "* SEARCH 2"),
        ("UNSEEN NOT FLAGGED", "* SEARCH 1 4 5 6"),
        ("KEYWORD $Junk", "* SEARCH 3"),
        ("SUBJECT \"number 4\"", "* SEARCH 4"),
        ("BODY \"body 5\"", "* SEARCH 5"),
        ("FROM alice OR SUBJECT nothing BODY \"first part\"", "* SEARCH 6"),
        ("SENTON 20-Nov-2026", "* SEARCH 6"),
        ("2:4 LARGER 10", "* SEARCH 2 3 4"),
        ("SUBJECT nowhere", "* SEARCH"),
    ] {
        let lines = client.command(&format!("SEARCH {keys}")).await.ok();
        assert!(lines.iter().any(|line| line.trim_end() == expected), "{keys}: {lines:?}");
    }
    let tag = client.start("SEARCH CHARSET UTF-8 SUBJECT {6+}").await;
    client.send("Grüße"[..6].to_string().as_str()).await;
    client.send("\r\n").await;
    assert!(client.answer(&tag).await.ok().contains(&"* SEARCH 6".to_owned()));
}

#[tokio::test]
async fn status_counts_without_selecting() {
    let server = TestServer::start().await;
    let mut client = inbox(&server, 3).await;
    client.command("STORE 1 +FLAGS (\\Seen)").await.ok();
    let mut other = server.imap("alice@example.test").await;
    let status = other.command("STATUS INBOX (MESSAGES UNSEEN UIDNEXT RECENT)").await.ok().join("");
    assert!(
        status.contains("MESSAGES 3") && status.contains("UNSEEN 2") && status.contains("UIDNEXT 4"),
        "{status}"
    );
    other.command("STATUS Nowhere (MESSAGES)").await.no();
}

#[tokio::test]
async fn recent_messages_belong_to_the_session_that_was_told_first() {
    let server = TestServer::start().await;
    server.deliver("alice@example.test", "Subject: one\r\n\r\nx").await;
    let mut looker = server.imap("alice@example.test").await;
    assert!(looker.command("EXAMINE INBOX").await.ok().contains(&"* 1 RECENT".to_owned()));
    let mut first = server.imap("alice@example.test").await;
    assert!(
        first.command("SELECT INBOX").await.ok().contains(&"* 1 RECENT".to_owned()),
        "EXAMINE takes nothing"
    );
    let mut second = server.imap("alice@example.test").await;
    assert!(second.command("SELECT INBOX").await.ok().contains(&"* 0 RECENT".to_owned()));
}

#[tokio::test]
async fn deleted_messages_go_when_they_should() {
    let server = TestServer::start().await;
    let mut client = inbox(&server, 4).await;
    client.command("STORE 1:4 +FLAGS.SILENT (\\Deleted)").await.ok();
    let gone = client.command("UID EXPUNGE 2,4").await.ok();
    assert_eq!(gone[..2], ["* 4 EXPUNGE", "* 2 EXPUNGE"], "{gone:?}");
    client.command("UNSELECT").await.ok();
    assert!(
        client.command("SELECT INBOX").await.ok().contains(&"* 2 EXISTS".to_owned()),
        "UNSELECT expunges nothing"
    );
    client.command("CLOSE").await.ok();
    assert!(client.command("EXAMINE INBOX").await.ok().contains(&"* 0 EXISTS".to_owned()), "CLOSE does");
}

#[tokio::test]
async fn examined_mailboxes_are_not_changed() {
    let server = TestServer::start().await;
    let mut client = inbox(&server, 1).await;
    let answer = client.command("EXAMINE INBOX").await;
    assert!(answer.end.contains("[READ-ONLY]"), "{answer:?}");
    for command in ["STORE 1 +FLAGS (\\Deleted)", "EXPUNGE", "MOVE 1 Trash"] {
        client.command(command).await.no();
    }
    client.command("FETCH 1 BODY[]").await.ok();
    assert!(!client.command("FETCH 1 FLAGS").await.ok().join("").contains("\\Seen"));
    client.command("COPY 1 Trash").await.ok();
}

#[tokio::test]
async fn renaming_the_inbox_moves_its_mail() {
    let server = TestServer::start().await;
    let mut client = inbox(&server, 2).await;
    client.command("UNSELECT").await.ok();
    client.command("RENAME INBOX Old").await.ok();
    assert!(client.command("SELECT Old").await.ok().contains(&"* 2 EXISTS".to_owned()));
    assert!(client.command("SELECT INBOX").await.ok().contains(&"* 0 EXISTS".to_owned()));
    client.command("RENAME Old INBOX").await.no();
}

#[tokio::test]
async fn mailbox_names_travel_in_modified_utf7() {
    let server = TestServer::start().await;
    let mut client = server.imap("alice@example.test").await;
    client.command("CREATE \"Entw&APw-rfe\"").await.ok();
    let list = client.command("LIST \"\" Entw*").await.ok().join("");
    assert!(list.contains("Entw&APw-rfe"), "{list}");
    let folders =
        server.store.mail().list(account(&server, "alice@example.test").await).await.unwrap().folders;
    assert!(folders.iter().any(|folder| folder.name == "Entwürfe"));
    client.command("CREATE \"bad&name\"").await;
    client.command("SELECT \"Entw&APw-rfe\"").await.ok();
}

async fn account(server: &TestServer, address: &str) -> store::AccountId {
    server.store.accounts().lookup_login(address).await.unwrap().unwrap().account
}

#[tokio::test]
async fn keywords_are_limited_by_mailbox() {
    let server = TestServer::start().await;
    let mut client = inbox(&server, 1).await;
    for first in (0..store::message::MAX_KEYWORDS).step_by(10) {
        let names: Vec<_> =
            (first..(first + 10).min(store::message::MAX_KEYWORDS)).map(|n| format!("k{n}")).collect();
        client.command(&format!("STORE 1 +FLAGS ({})", names.join(" "))).await.ok();
    }
    let refusal = client.command("STORE 1 +FLAGS (onemore)").await.no();
    assert!(refusal.contains("[LIMIT]"), "{refusal}");
    client.command("STORE 1 +FLAGS (k0)").await.ok();
    client.command("STORE 1 -FLAGS (k0 never)").await.ok();
}

#[tokio::test]
async fn copies_count_against_the_quota() {
    let server = TestServer::start().await;
    apply(&server.store, vec![mailbox("eve@example.test", Some(1000), true)]).await;
    let mut client = server.imap("eve@example.test").await;
    client.append("INBOX", &format!("Subject: x\r\n\r\n{}\r\n", "x".repeat(600))).await.ok();
    client.command("SELECT INBOX").await.ok();
    let refusal = client.command("COPY 1 Archive").await.no();
    assert!(refusal.contains("[OVERQUOTA]"), "{refusal}");
    client.command("MOVE 1 Archive").await.ok();
    assert!(client.command("SELECT Archive").await.ok().contains(&"* 1 EXISTS".to_owned()));
}

#[tokio::test]
async fn large_appends_go_through_the_disk_and_a_full_one_is_said() {
    let server = TestServer::start().await;
    let mut client = server.imap("alice@example.test").await;
    let large = format!("Subject: large\r\n\r\n{}", "0123456789\r\n".repeat(50_000));
    client.append("INBOX", &large).await.ok();
    let temporary = server.directory.path().join("tmp");
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
    std::fs::remove_dir(&temporary).unwrap();
    let refusal = client.append("INBOX", &large).await.no();
    assert!(refusal.contains("[UNAVAILABLE]"), "{refusal}");
    client.append("INBOX", "Subject: small\r\n\r\nx\r\n").await.ok();
    client.command("SELECT INBOX").await.ok();
    let sizes = client.command("FETCH 1:* RFC822.SIZE").await.ok();
    assert_eq!(sizes.len(), 2, "{sizes:?}");
    assert!(sizes[0].contains(&large.len().to_string()), "{sizes:?}");
}

#[tokio::test]
async fn an_abandoned_append_leaves_nothing() {
    let server = TestServer::start().await;
    let mut client = server.imap("alice@example.test").await;
    let tag = client.start("APPEND INBOX {600000}").await;
    client.expect("+").await;
    client.send(&"0123456789\r\n".repeat(40_000)).await;
    let temporary = server.directory.path().join("tmp");
    let files = || std::fs::read_dir(&temporary).unwrap().count();
    crate::tests::eventually("the message is on disk", || files() == 1).await;
    drop((client, tag));
    crate::tests::eventually("the file is gone", || files() == 0).await;
    let mut other = server.imap("alice@example.test").await;
    assert!(other.command("SELECT INBOX").await.ok().contains(&"* 0 EXISTS".to_owned()));
}

#[tokio::test]
async fn pipelined_commands_are_answered_in_order() {
    let server = TestServer::start().await;
    let mut client = inbox(&server, 3).await;
    client
        .send("a NOOP\r\nb FETCH 1 FLAGS\r\nc STORE 1 +FLAGS (\\Seen)\r\nd FETCH 1:* UID\r\ne LOGOUT\r\n")
        .await;
    let rest = client.rest().await;
    let tagged: Vec<_> = rest.lines().filter(|line| !line.starts_with('*')).map(|line| &line[..4]).collect();
    assert_eq!(tagged, ["a OK", "b OK", "c OK", "d OK", "e OK"], "{rest}");
    assert!(rest.contains("* BYE"), "{rest}");
}

#[tokio::test]
async fn idle_hears_of_flags_and_removals_too() {
    let server = TestServer::start().await;
    let mut client = inbox(&server, 2).await;
    let mut idler = server.imap("alice@example.test").await;
    idler.command("SELECT INBOX").await.ok();
    let tag = idler.start("IDLE").await;
    idler.expect("+").await;
    client.command("STORE 1 +FLAGS (\\Flagged)").await.ok();
    let told = idler.expect("* 1 FETCH").await;
    assert!(told.contains("\\Flagged"), "{told}");
    client.command("STORE 2 +FLAGS.SILENT (\\Deleted)").await.ok();
    idler.expect("* 2 FETCH").await;
    client.command("EXPUNGE").await.ok();
    idler.expect("* 2 EXPUNGE").await;
    idler.send("DONE\r\n").await;
    idler.answer(&tag).await.ok();
}

#[tokio::test]
async fn a_failing_database_is_said_and_the_session_goes_on() {
    let server = TestServer::start().await;
    let mut client = inbox(&server, 1).await;
    server.store.close().await;
    for command in ["FETCH 1 BODY[]", "STATUS Sent (MESSAGES)", "LIST \"\" *", "STORE 1 +FLAGS (\\Seen)"] {
        client.command(command).await.no();
    }
    client.command("CAPABILITY").await.ok();
}

#[tokio::test]
async fn copying_a_folder_into_itself_ends_at_a_limit() {
    let server = TestServer::start().await;
    apply(&server.store, vec![mailbox("bob@example.test", Some(512 * 1024), true)]).await;
    let mut client = server.imap("bob@example.test").await;
    client.append("INBOX", "Subject: x\r\n\r\nx").await.ok();
    client.command("SELECT INBOX").await.ok();
    for _ in 0..9 {
        client.command("COPY 1:* INBOX").await.ok();
        client.command("NOOP").await.ok();
    }
    let refused = client.command("COPY 1:* INBOX").await.no();
    assert!(refused.contains("[LIMIT]"), "{refused}");
    let status = client.command("STATUS INBOX (MESSAGES)").await.ok();
    assert_eq!(status[0], "* STATUS INBOX (MESSAGES 512)");
}
