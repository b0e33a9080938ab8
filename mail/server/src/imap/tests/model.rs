//! Several sessions on one mailbox do random things at once; afterwards all of them see what a new session sees.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::tests::{Client, TestServer};

/// One thing that a session (by number) does; message numbers are taken modulo what is there.
#[derive(Debug, Clone)]
enum Deed {
    Append,
    Deliver,
    Flag { message: u32, add: bool, flag: &'static str },
    Expunge,
    CopyHere { message: u32 },
    MoveAway { message: u32 },
    Look,
}

fn deed() -> impl Strategy<Value = Deed> {
    let flag = prop::sample::select(vec!["\\Seen", "\\Flagged", "\\Deleted", "$One", "$Two"]);
    prop_oneof![
        3 => Just(Deed::Append),
        1 => Just(Deed::Deliver),
        4 => (1u32..6, any::<bool>(), flag).prop_map(|(message, add, flag)| Deed::Flag { message, add, flag }),
        2 => Just(Deed::Expunge),
        1 => (1u32..6).prop_map(|message| Deed::CopyHere { message }),
        1 => (1u32..6).prop_map(|message| Deed::MoveAway { message }),
        2 => Just(Deed::Look),
    ]
}

async fn act(server: &TestServer, client: &mut Client, deed: &Deed) {
    // Numbers beyond the end are the client's mistake: refused, and nothing else.
    match deed {
        Deed::Append => drop(client.append("INBOX", "Subject: appended\r\n\r\nx\r\n").await.ok()),
        Deed::Deliver => {
            assert!(server.deliver("alice@example.test", "Subject: new\r\n\r\nx").await.starts_with("250 "));
        }
        Deed::Flag { message, add, flag } => {
            let sign = if *add { '+' } else { '-' };
            client.command(&format!("STORE {message} {sign}FLAGS ({flag})")).await;
        }
        Deed::Expunge => drop(client.command("EXPUNGE").await.ok()),
        Deed::CopyHere { message } => drop(client.command(&format!("COPY {message} INBOX")).await),
        Deed::MoveAway { message } => drop(client.command(&format!("MOVE {message} Trash")).await),
        Deed::Look => drop(client.command("NOOP").await.ok()),
    }
}

/// UID and flags of every message that a session sees, without `\Recent`, which differs by session.
async fn view(client: &mut Client) -> BTreeMap<u32, Vec<String>> {
    client.command("NOOP").await.ok();
    let answer = client.command("FETCH 1:* (UID FLAGS)").await;
    let mut view = BTreeMap::new();
    for line in answer.untagged.iter().filter(|line| line.contains("FETCH (")) {
        let uid = line.split("UID ").nth(1).unwrap().split([' ', ')']).next().unwrap().parse().unwrap();
        let flags = line.split("FLAGS (").nth(1).unwrap().split(')').next().unwrap();
        let mut flags: Vec<String> = flags
            .split(' ')
            .filter(|flag| !flag.is_empty() && *flag != "\\Recent")
            .map(str::to_owned)
            .collect();
        flags.sort();
        view.insert(uid, flags);
    }
    view
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn all_sessions_end_up_with_one_view(deeds in prop::collection::vec((0usize..3, deed()), 1..40)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let server = std::sync::Arc::new(TestServer::start().await);
            let mut tasks = Vec::new();
            for number in 0..3 {
                let own: Vec<Deed> =
                    deeds.iter().filter(|(session, _)| *session == number).map(|(_, deed)| deed.clone()).collect();
                let server = std::sync::Arc::clone(&server);
                tasks.push(tokio::spawn(async move {
                    let mut client = server.imap("alice@example.test").await;
                    client.command("SELECT INBOX").await.ok();
                    for deed in &own {
                        act(&server, &mut client, deed).await;
                    }
                    client
                }));
            }
            let mut clients = Vec::new();
            for task in tasks {
                clients.push(task.await.unwrap());
            }
            let mut fresh = server.imap("alice@example.test").await;
            fresh.command("SELECT INBOX").await.ok();
            let expected = view(&mut fresh).await;
            for client in &mut clients {
                assert_eq!(view(client).await, expected);
            }
            assert_eq!(server.store.check().await.unwrap(), Vec::<String>::new());
        });
    }
}
