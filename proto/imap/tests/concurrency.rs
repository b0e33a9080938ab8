//! Several sessions change one mailbox in any order; a client that only counts what it is told must never be wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod memory;

use memory::{Account, Connection, account};
use proptest::prelude::*;
use std::cell::RefCell;
use std::rc::Rc;

/// A client's picture of the selected mailbox, made of untagged responses alone (RFC 3501 §7.3, §7.4.1).
struct Client {
    connection: Connection,
    /// By sequence number less one: the UID and the flags, as far as they were told.
    messages: Vec<(Option<u32>, Option<String>)>,
    tag: usize,
}

impl Client {
    fn new(account: &Rc<RefCell<Account>>) -> Client {
        let mut connection = Connection::open(account, true);
        connection.receive();
        connection.send(&format!("l LOGIN {} {}\r\n", memory::USER, memory::PASSWORD));
        let mut client = Client { connection, messages: Vec::new(), tag: 0 };
        client.command("SELECT INBOX");
        client.command("FETCH 1:* (UID FLAGS)");
        client
    }

    /// Sends a command and takes in what comes; the completion's text.
    fn command(&mut self, command: &str) -> String {
        self.tag += 1;
        let tag = format!("c{}", self.tag);
        let answer = self.connection.send(&format!("{tag} {command}\r\n"));
        if command.contains(".SILENT") {
            // What it did itself it is not told, and this client does not keep books of it.
            self.messages.iter_mut().for_each(|message| message.1 = None);
        }
        self.take_in(&answer, command);
        let last = answer.lines().last().unwrap_or_default().to_owned();
        assert!(last.starts_with(&format!("{tag} ")), "{command}: {answer}");
        last
    }

    fn take_in(&mut self, answer: &str, command: &str) {
        // RFC 3501 §7.4.1: by number, these must not be interrupted by EXPUNGE.
        let no_expunge = ["FETCH", "STORE", "SEARCH"].iter().any(|verb| command.starts_with(verb));
        for line in answer.lines().filter(|line| line.starts_with("* ")) {
            let mut words = line[2..].splitn(3, ' ');
            let (number, word, rest) =
                (words.next().unwrap(), words.next().unwrap_or_default(), words.next());
            let Ok(number) = number.parse::<usize>() else { continue };
            match word {
                "EXISTS" => {
                    assert!(number >= self.messages.len(), "EXISTS takes messages away: {answer}");
                    self.messages.resize(number, (None, None));
                }
                "EXPUNGE" => {
                    assert!(!no_expunge, "EXPUNGE during {command}: {answer}");
                    assert!((1..=self.messages.len()).contains(&number), "{answer}");
                    self.messages.remove(number - 1);
                }
                "FETCH" => self.take_in_fetch(number, rest.unwrap_or_default(), answer),
                _ => {}
            }
        }
    }

    fn take_in_fetch(&mut self, number: usize, items: &str, answer: &str) {
        assert!((1..=self.messages.len()).contains(&number), "FETCH of a number that is not there: {answer}");
        let known = &mut self.messages[number - 1];
        if let Some((_, uid)) = items.split_once("UID ") {
            let uid = uid.split([' ', ')']).next().unwrap().parse().unwrap();
            assert!(
                known.0.is_none_or(|known| known == uid),
                "message {number} is {known:?} and not {uid}: {answer}"
            );
            known.0 = Some(uid);
        }
        if let Some((_, flags)) = items.split_once("FLAGS (") {
            let mut flags: Vec<&str> = flags.split(')').next().unwrap().split(' ').collect();
            flags.retain(|flag| !["", "\\Recent"].contains(flag));
            known.1 = Some(flags.join(" "));
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Deliver,
    Command(usize, String),
    Idle(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let set = prop_oneof![Just("1"), Just("2:3"), Just("1:*"), Just("*"), Just("4")];
    let flag = prop_oneof![Just("\\Deleted"), Just("\\Seen"), Just("$Work"), Just("\\Flagged $Other")];
    let operation = prop_oneof![Just("+FLAGS"), Just("-FLAGS.SILENT"), Just("FLAGS"), Just("+FLAGS.SILENT")];
    let uid = prop_oneof![Just(""), Just("UID ")];
    let command = prop_oneof![
        3 => (uid.clone(), set.clone(), operation, flag).prop_map(|(u, s, o, f)| format!("{u}STORE {s} {o} ({f})")),
        2 => (uid.clone(), set.clone()).prop_map(|(u, s)| format!("{u}FETCH {s} (UID FLAGS)")),
        1 => (uid.clone(), set.clone()).prop_map(|(u, s)| format!("{u}FETCH {s} (FLAGS RFC822.SIZE BODY[TEXT]<0.1>)")),
        1 => uid.clone().prop_map(|u| format!("{u}SEARCH UNSEEN TEXT hi")),
        1 => (uid.clone(), set.clone()).prop_map(|(u, s)| format!("{u}MOVE {s} Trash")),
        1 => (uid, set.clone()).prop_map(|(u, s)| format!("{u}COPY {s} INBOX")),
        2 => Just("EXPUNGE".to_owned()),
        1 => set.prop_map(|s| format!("UID EXPUNGE {s}")),
        2 => Just("NOOP".to_owned()),
        1 => Just("APPEND INBOX (\\Draft) {4+}\r\nhi\r\n".to_owned()),
        1 => Just("STATUS INBOX (MESSAGES)".to_owned()),
    ];
    let step = prop_oneof![
        1 => Just(Step::Deliver),
        6 => (0usize..3, command).prop_map(|(client, command)| Step::Command(client, command)),
        1 => (0usize..3).prop_map(Step::Idle),
    ];
    proptest::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn nobody_ever_counts_wrong(start in 0usize..6, steps in steps()) {
        let account = account(&vec!["Subject: s\r\n\r\nhi\r\n"; start]);
        let mut clients: Vec<Client> = (0..3).map(|_| Client::new(&account)).collect();
        for step in steps {
            match step {
                Step::Deliver => drop(account.borrow_mut().deliver("INBOX", b"Subject: new\r\n\r\nhi\r\n")),
                Step::Command(client, command) => drop(clients[client].command(&command)),
                Step::Idle(client) => {
                    let client = &mut clients[client];
                    let news = client.connection.send("i IDLE\r\n");
                    client.take_in(&news, "IDLE");
                    prop_assert_eq!(client.connection.send("DONE\r\n"), "i OK IDLE completed\r\n");
                }
            }
        }
        // After a NOOP each knows what there is, and what it was told of flags is true.
        for client in &mut clients {
            client.command("NOOP");
            let told = client.messages.clone();
            client.command("FETCH 1:* (UID FLAGS)");
            let uids: Vec<Option<u32>> = client.messages.iter().map(|(uid, _)| *uid).collect();
            let there: Vec<Option<u32>> = account.borrow().folders["INBOX"].messages.keys().map(|uid| Some(*uid)).collect();
            prop_assert_eq!(uids, there);
            for (told, fetched) in told.iter().zip(&client.messages) {
                prop_assert!(told.1.is_none() || told.1 == fetched.1, "told {:?}, fetched {:?}", told, fetched);
            }
        }
    }
}
