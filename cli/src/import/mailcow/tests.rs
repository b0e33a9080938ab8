//! A database and the API's answers: the same people come out of both, but for their passwords.

use super::*;

const SSHA: &str = "{SSHA}8xBdU+Fa1wyMBs6rbaMyhhaqJv1nZmY=";

fn imported(files: &[(&str, &str)]) -> Found {
    let mut found = Found::default();
    let mut export = Export::default();
    for (file, text) in files {
        export.take(&mut found, file, text);
    }
    export.finish(&mut found);
    found
}

fn dump(rows: &str) -> Found {
    let structure = "CREATE TABLE `domain` (`domain` varchar(255), `backupmx` tinyint(1), `active` tinyint(1));\n\
        CREATE TABLE `alias_domain` (`alias_domain` varchar(255), `target_domain` varchar(255), `active` tinyint(1));\n\
        CREATE TABLE `mailbox` (`username` varchar(255), `password` varchar(255), `name` varchar(255), `quota` bigint, \
        `kind` varchar(100), `authsource` varchar(20), `active` tinyint(1));\n\
        CREATE TABLE `alias` (`id` int, `address` varchar(255), `goto` text, `internal` tinyint(1), `active` tinyint(1));\n\
        CREATE TABLE `sender_acl` (`logged_in_as` varchar(255), `send_as` varchar(255));\n\
        INSERT INTO `domain` VALUES ('one.test',0,1);\n";
    imported(&[("mailcow.sql", &format!("{structure}{rows}"))])
}

/// Address, name, quota, whether there is a password, whether it is off.
type Row<'a> = (&'a str, Option<&'a str>, Option<u64>, bool, bool);

fn mailboxes(found: &Found) -> Vec<Row<'_>> {
    let rows = found.mailboxes.iter().map(|(address, (_, it))| {
        (address.as_str(), it.display_name.as_deref(), it.quota, it.password_hash.is_some(), it.disabled)
    });
    rows.collect()
}

fn notes(found: &Found) -> Vec<String> {
    found.notes.iter().map(ToString::to_string).collect()
}

#[test]
fn mailboxes_of_a_database() {
    let found = dump(&format!(
        "INSERT INTO `mailbox` VALUES ('alice@one.test','{SSHA}','Alice',3221225472,'','mailcow',1),\
         ('bob@one.test','{SSHA}','',0,'','mailcow',0),('carol@one.test','{SSHA}','C',0,'','mailcow',2),\
         ('dave@one.test','{SSHA}','D',0,'','ldap',1),('room@one.test','{SSHA}','R',0,'location','mailcow',1);\n"
    ));
    assert_eq!(
        mailboxes(&found),
        [
            ("alice@one.test", Some("Alice"), Some(3 << 30), true, false),
            ("bob@one.test", None, None, true, true),
            ("carol@one.test", Some("C"), None, false, false),
            ("dave@one.test", Some("D"), None, false, false),
        ]
    );
    let notes = notes(&found);
    for (note, told) in notes.iter().zip(["may not log in", "logs in by ldap", "a location of the calendar"])
    {
        assert!(note.starts_with("mailcow.sql:7: ") && note.contains(told), "{notes:?}");
    }
    assert_eq!(notes.len(), 3);
}

#[test]
fn aliases_catch_alls_and_who_sends_as_whom() {
    let found = dump(&format!(
        "INSERT INTO `mailbox` VALUES ('alice@one.test','{SSHA}','',0,'','',1);\n\
         INSERT INTO `alias` VALUES (1,'alice@one.test','alice@one.test',0,1),(2,'@one.test','alice@one.test',0,1),\
         (3,'all@one.test','alice@one.test, Bob@two.example',1,1),(4,'old@one.test','alice@one.test',0,0),\
         (5,'drop@one.test','null@localhost',0,1),(6,'both@one.test','spam@localhost,alice@one.test',0,1);\n\
         INSERT INTO `sender_acl` VALUES ('alice@one.test','boss@one.test'),('alice@one.test','Boss@one.test'),\
         ('alice@one.test','*'),('alice@one.test','@one.test'),('alice@one.test','alice@one.test');\n"
    ));
    let rows: Vec<(&str, &[String], Senders, bool)> = found
        .aliases
        .iter()
        .map(|(address, (_, it))| (address.as_str(), it.targets.as_slice(), it.senders, it.disabled))
        .collect();
    let alice = ["alice@one.test".to_owned()];
    let both = ["alice@one.test".to_owned(), "bob@two.example".to_owned()];
    assert_eq!(
        rows,
        [
            ("@one.test", alice.as_slice(), Senders::Anyone, false),
            ("alice@one.test", &alice, Senders::Anyone, false),
            ("all@one.test", &both, Senders::Domain, false),
            ("both@one.test", &alice, Senders::Anyone, false),
            ("old@one.test", &alice, Senders::Anyone, true),
        ]
    );
    assert_eq!(found.mailboxes["alice@one.test"].1.send_as, ["boss@one.test"]);
    let notes = notes(&found);
    for told in [
        "may send as *",
        "may send as @one.test",
        "drop@one.test leads to null@localhost",
        "leads to spam@localhost",
    ] {
        assert!(notes.iter().any(|note| note.contains(told)), "{told}: {notes:?}");
    }
    assert_eq!(notes.len(), 4);
}

#[test]
fn answers_of_the_api() {
    let found = imported(&[
        (
            "mailbox.json",
            r#"[{"username": "alice@one.test", "name": "Alice", "quota": 3221225472, "active": 1, "active_int": 1, "local_part": "alice"},
                {"username": "bob@one.test", "name": "", "quota": "0", "active": "0"}, {"username": "carol@far.test", "quota": 0}]"#,
        ),
        (
            "domain.json",
            r#"[{"domain_name": "one.test", "backupmx": 0, "active": 1}, {"domain_name": "far.test", "backupmx": "1", "active": "1"}]"#,
        ),
        (
            "alias.json",
            r#"[{"id": 1, "address": "all@one.test", "goto": "alice@one.test,bob@one.test", "active": 1, "internal": 0}, {"x": 1}]"#,
        ),
        ("alias-domain.json", r#"{"alias_domain": "eins.test", "target_domain": "one.test", "active": "1"}"#),
    ]);
    assert_eq!(
        mailboxes(&found),
        [
            ("alice@one.test", Some("Alice"), Some(3 << 30), false, false),
            ("bob@one.test", None, None, false, true)
        ]
    );
    assert_eq!(found.aliases["all@one.test"].1.targets.len(), 2);
    assert_eq!(found.domains["one.test"], ["eins.test"]);
    let notes = notes(&found);
    assert_eq!(notes.len(), 3, "{notes:?}");
    assert!(notes[0].contains("the API tells no passwords"), "{notes:?}");
    assert!(notes[1].starts_with("alias.json:2: this is no domain"), "{notes:?}");
    assert!(notes[2].contains("relayed to another host"), "{notes:?}");
}

#[test]
fn files_that_are_something_else() {
    for (text, told) in [
        ("[{", "no JSON as the API answers it"),
        ("{\"type\": \"danger\", \"msg\": \"access_denied\"}", "no domain, alias domain, mailbox or alias"),
        ("CREATE TABLE x (y int);\n", "neither a dump of mailcow's database"),
        ("", "neither a dump of mailcow's database"),
    ] {
        let found = imported(&[("file", text)]);
        assert!(
            found.mailboxes.is_empty() && notes(&found).concat().contains(told),
            "{text}: {:?}",
            found.notes
        );
    }
}
