//! The history: a row exists exactly when its change does, whatever happens in between; it is bounded, and it holds no secret.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mailwright_store::history::{KEEP_DAYS, MAX_PAGE, PRUNE_SLICE};
use mailwright_store::{
    Before, Cause, Change, ChangeError, CrashHook, Entry, HistoryFilter, Management, NewCredential,
    NewPassword, Note, SetBy, Store,
};
use serde_json::json;

use crate::support::*;

const SENTINEL: &str = "sentinel-of-a-secret";

pub fn note(action: &str, kind: &str, key: &str) -> Note {
    Note {
        action: action.into(),
        risk: "none".into(),
        kind: kind.into(),
        key: key.into(),
        namespace: "mail".into(),
        name: key.split('@').next().unwrap().into(),
        file: "people.yaml".into(),
        line: 7,
        changes: json!([{"field": "spec.quota", "from": null, "to": "1Gi"}]),
    }
}

fn cause(digest: &str) -> Cause {
    Cause {
        actor: "up".into(),
        source: "git".into(),
        revision: "main@sha1:1a2b3c4d".into(),
        commit: Some("1a2b3c4d".into()),
        author: Some("alice <alice@example.test>".into()),
        signer: Some("alice@example.test SHA256:abc".into()),
        committed_at: Some(START - 60),
        digest: digest.into(),
        approved: None,
    }
}

fn first() -> Vec<(Change, Note)> {
    let credential = NewCredential {
        hash: SENTINEL.into(),
        scram: Some(SENTINEL.into()),
        fingerprint: SENTINEL.into(),
        management: Management::Initial,
    };
    let alice = Change::PutMailbox { row: mailbox_row("alice@example.test"), credential: Some(credential) };
    vec![
        (Change::PutDomain(domain_row("example.test")), note("create", "MailDomain", "example.test")),
        (alice, note("create", "Mailbox", "alice@example.test")),
        (
            Change::PutAlias(alias_row("sales@example.test", &["alice@example.test"])),
            note("create", "Alias", "sales@example.test"),
        ),
    ]
}

async fn apply(home: &Home, batch: Vec<(Change, Note)>, digest: &str) -> Vec<bool> {
    let results = home.store.accounts().apply_noted(batch, Vec::new(), cause(digest), None).await.unwrap();
    results.into_iter().map(|result| result.is_ok()).collect()
}

async fn all(store: &Store) -> Vec<Entry> {
    store.history().list(&HistoryFilter::default()).await.unwrap()
}

fn lines(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| format!("{} {}", entry.note.action, entry.note.key)).collect()
}

#[tokio::test]
async fn all_of_a_whole_batch_is_applied_or_nothing_of_it() {
    let home = Home::new().await;
    let whole = async |batch: Vec<(Change, Note)>| {
        let act = note("approve", "Plan", "one");
        home.store.accounts().apply_whole(batch, vec![act], cause("one"), None).await.unwrap()
    };
    let lost = (put_mailbox(mailbox_row("bob@nowhere.test")), note("create", "Mailbox", "bob@nowhere.test"));
    let before = home.store.accounts().observe().await.unwrap();
    for at in 0..=first().len() {
        let mut batch = first();
        batch.insert(at, lost.clone());
        let results = whole(batch).await;
        for (index, result) in results.iter().enumerate() {
            let expected = match index == at {
                true => ChangeError::NoSuchDomain { domain: "nowhere.test".into() },
                false => ChangeError::NotAlone,
            };
            assert_eq!(result.as_ref().unwrap_err(), &expected, "{index}, wrong is {at}");
        }
        assert_eq!(
            home.store.accounts().observe().await.unwrap(),
            before,
            "the counter has not moved either"
        );
        assert_eq!(lines(&all(&home.store).await), Vec::<String>::new());
    }
    // What needs a later change of the batch is no failure.
    let mut batch = first();
    batch.reverse();
    assert!(whole(batch).await.iter().all(Result::is_ok));
    assert_eq!(all(&home.store).await.len(), 4);
    let after = home.store.accounts().observe().await.unwrap();
    assert_eq!((after.mailboxes.len(), after.aliases.len()), (1, 1));
    let mut smaller = mailbox_row("alice@example.test");
    smaller.quota = Some(1);
    assert!(
        whole(vec![(put_mailbox(smaller), note("update", "Mailbox", "alice@example.test")), lost])
            .await
            .iter()
            .all(Result::is_err)
    );
    assert_eq!(home.store.accounts().observe().await.unwrap(), after);
}

#[tokio::test]
async fn a_change_that_writes_has_a_row_and_no_other() {
    let home = Home::new().await;
    assert_eq!(apply(&home, first(), "one").await, [true, true, true]);
    let entries = all(&home.store).await;
    assert_eq!(
        lines(&entries),
        ["create sales@example.test", "create alice@example.test", "create example.test"]
    );
    assert_eq!(entries[0].cause, cause("one"));
    assert_eq!(entries[1].note, note("create", "Mailbox", "alice@example.test"));
    assert_eq!((entries[1].at, &entries[1].before), (START, &None));

    home.pass(60);
    assert_eq!(apply(&home, first(), "again").await, [true, true, true]);
    assert_eq!(all(&home.store).await, entries, "what writes nothing is not noted");

    let mut foreign = mailbox_row("alice@example.test");
    foreign.owner.as_mut().unwrap().managed_by = "other".into();
    let mut smaller = mailbox_row("alice@example.test");
    smaller.quota = Some(1);
    let batch = vec![
        (put_mailbox(foreign), note("update", "Mailbox", "alice@example.test")),
        (put_mailbox(mailbox_row("bob@nowhere.test")), note("create", "Mailbox", "bob@nowhere.test")),
        (put_mailbox(smaller), note("update", "Mailbox", "alice@example.test")),
    ];
    assert_eq!(apply(&home, batch, "two").await, [false, false, true]);
    let entries = all(&home.store).await;
    assert_eq!(lines(&entries)[0], "update alice@example.test");
    assert_eq!(entries.len(), 4);
    let Some(Before::Mailbox { row, disabled_at: None }) = &entries[0].before else { panic!("{entries:?}") };
    assert_eq!(row, &mailbox_row("alice@example.test"), "the row as it was");
    home.sound().await;
}

#[tokio::test]
async fn each_kind_of_row_is_remembered_as_it_was() {
    let home = Home::new().await;
    let server = || server_row("mail/main");
    let batch = vec![(Change::PutServer(server()), note("create", "MailServer", "mail/main"))];
    apply(&home, batch.into_iter().chain(first()).collect(), "one").await;
    let gone = |kind, key: &str| note("delete", kind, key);
    let batch = vec![
        (Change::DeleteAlias(target("sales@example.test")), gone("Alias", "sales@example.test")),
        (Change::DisableMailbox(target("alice@example.test")), gone("Mailbox", "alice@example.test")),
        (Change::DisableDomain(target("example.test")), gone("MailDomain", "example.test")),
        (Change::DeleteServer(target("mail/main")), gone("MailServer", "mail/main")),
    ];
    let results = apply(&home, batch, "two").await;
    let entries = all(&home.store).await;
    let kept = entries.iter().filter_map(|entry| entry.before.as_ref()).count();
    assert_eq!(kept, results.iter().filter(|ok| **ok).count());
    let was = |key: &str| entries.iter().find(|entry| entry.note.key == key && entry.before.is_some());
    let alias = was("sales@example.test").and_then(|entry| entry.before.clone());
    assert_eq!(alias, Some(Before::Alias { row: alias_row("sales@example.test", &["alice@example.test"]) }));
    let domain = was("example.test").and_then(|entry| entry.before.clone());
    assert_eq!(domain, Some(Before::Domain { row: domain_row("example.test"), disabled_at: None }));
    assert!(was("alice@example.test").is_some());
}

#[tokio::test]
async fn it_is_asked_by_address_domain_revision_and_page() {
    let home = Home::new().await;
    apply(&home, first(), "0123456789abcdef").await;
    let people = (0..5).map(|n| {
        let address = format!("p{n}@example.test");
        (put_mailbox(mailbox_row(&address)), note("create", "Mailbox", &address))
    });
    let other = Cause { revision: "main@sha1:ffff".into(), commit: Some("ffff".into()), ..cause("fedc") };
    home.store.accounts().apply_noted(people.collect(), Vec::new(), other, None).await.unwrap();
    let filter = |key: Option<&str>, domain: Option<&str>, revision: Option<&str>| HistoryFilter {
        key: key.map(Into::into),
        domain: domain.map(Into::into),
        revision: revision.map(Into::into),
        ..HistoryFilter::default()
    };
    for (filter, expected) in [
        (filter(Some("alice@example.test"), None, None), 1),
        (filter(Some("example.test"), None, None), 1),
        (filter(None, Some("example.test"), None), 8),
        (filter(None, Some("example.org"), None), 0),
        (filter(None, None, Some("main@sha1:1a2b3c4d")), 3),
        (filter(None, None, Some("1a2b")), 3),
        (filter(None, None, Some("0123456789abcdef")), 3),
        (filter(None, None, Some("ffff")), 5),
        (filter(None, None, Some("9999")), 0),
        (filter(Some("p1@example.test"), None, Some("ffff")), 1),
        (filter(Some("p1@example.test"), None, Some("1a2b")), 0),
        (HistoryFilter::default(), 8),
    ] {
        let found = home.store.history().list(&filter).await.unwrap();
        assert_eq!(found.len(), expected, "{filter:?}");
    }
    let mut page = HistoryFilter { limit: 3, ..HistoryFilter::default() };
    let mut seen = Vec::new();
    loop {
        let found = home.store.history().list(&page).await.unwrap();
        assert!(found.len() <= 3);
        let Some(last) = found.last() else { break };
        page.below = Some(last.id);
        seen.extend(found.iter().map(|entry| entry.id));
    }
    assert_eq!(seen.len(), 8);
    assert!(seen.windows(2).all(|pair| pair[0] > pair[1]), "{seen:?}");
    let much = HistoryFilter { limit: u32::MAX, ..HistoryFilter::default() };
    assert!(home.store.history().list(&much).await.unwrap().len() <= MAX_PAGE as usize);
}

#[tokio::test]
async fn old_rows_go_a_slice_at_a_time_and_the_newest_stays() {
    let home = Home::new().await;
    apply(&home, first(), "one").await;
    let count = PRUNE_SLICE + 200;
    let people = (0..count).map(|n| {
        let address = format!("p{n}@example.test");
        (put_mailbox(mailbox_row(&address)), note("create", "Mailbox", &address))
    });
    apply(&home, people.collect(), "two").await;
    let rows = async |home: &Home| {
        let path = home.dir.path().join("mailwright.db");
        let database = sqlx::SqlitePool::connect(path.to_str().unwrap()).await.unwrap();
        let count = "SELECT (SELECT count(*) FROM history), (SELECT count(*) FROM history_cause)";
        let found: (i64, i64) = sqlx::query_as(count).fetch_one(&database).await.unwrap();
        database.close().await;
        found
    };
    assert_eq!(rows(&home).await, (count + 3, 2));
    home.pass(KEEP_DAYS * 86400 - 1);
    let renamed = |name: &str| {
        let mut row = mailbox_row("alice@example.test");
        row.display_name = name.into();
        vec![(put_mailbox(row), note("update", "Mailbox", "alice@example.test"))]
    };
    apply(&home, renamed("Alice"), "three").await;
    assert_eq!(rows(&home).await, (count + 4, 3), "nothing is old enough yet");
    home.pass(2);
    apply(&home, renamed("Alice A."), "four").await;
    assert_eq!(
        rows(&home).await,
        (count + 5 - PRUNE_SLICE, 3),
        "one slice, and the cause that lost its rows"
    );
    apply(&home, renamed("Alice B."), "five").await;
    assert_eq!(rows(&home).await, (3, 3));
    home.sound().await;
}

#[tokio::test]
async fn passwords_and_acts_are_noted_and_no_secret_is() {
    let home = Home::new().await;
    apply(&home, first(), "one").await;
    let password = NewPassword { hash: SENTINEL.into(), scram: Some(SENTINEL.into()) };
    home.store.accounts().set_password("Alice@example.test", password, SetBy::Owner).await.unwrap();
    let approved = Cause { approved: Some("mailwright approve by uid 1000".into()), ..cause("one") };
    let act = note("approve", "Plan", "0123456789abcdef");
    for _ in 0..2 {
        home.store.history().note(approved.clone(), act.clone()).await.unwrap();
    }
    let other = Cause { approved: Some("annotation".into()), ..cause("one") };
    home.store.accounts().apply_noted(Vec::new(), vec![act.clone(), act], other, None).await.unwrap();
    let entries = all(&home.store).await;
    assert_eq!(
        lines(&entries)[..3],
        ["approve 0123456789abcdef", "approve 0123456789abcdef", "password alice@example.test"],
        "once for each way it was given"
    );
    assert_eq!(entries[2].cause.actor, "passwd");
    home.store.close().await;
    let path = home.dir.path().join("mailwright.db");
    let database = sqlx::SqlitePool::connect(path.to_str().unwrap()).await.unwrap();
    let text = "SELECT group_concat(concat(h.action, h.key, h.changes, h.before, c.approved, c.actor)) FROM history h, history_cause c";
    let text: String = sqlx::query_scalar(text).fetch_one(&database).await.unwrap();
    assert!(text.contains("alice@example.test") && !text.contains(SENTINEL), "{text}");
}

/// The run of [`every_death_leaves_both_or_neither`], until the store dies.
async fn work(store: &Store) -> mailwright_store::Result<()> {
    store.accounts().apply_noted(first(), Vec::new(), cause("one"), None).await?;
    let password = NewPassword { hash: "h".into(), scram: None };
    store.accounts().set_password("alice@example.test", password, SetBy::Owner).await?;
    let batch = vec![
        (Change::DeleteAlias(target("sales@example.test")), note("delete", "Alias", "sales@example.test")),
        (
            Change::DisableMailbox(target("alice@example.test")),
            note("disable", "Mailbox", "alice@example.test"),
        ),
    ];
    store.accounts().apply_noted(batch, Vec::new(), cause("two"), None).await?;
    let people = (0..PEOPLE).map(|number| format!("p{number}@example.test"));
    let people = people.map(|it| (put_mailbox(mailbox_row(&it)), note("create", "Mailbox", &it))).collect();
    store.accounts().apply_noted(people, Vec::new(), cause("three"), None).await.map(drop)
}

/// Most of them are made together, the others one by one.
const PEOPLE: usize = 52;

/// What the rows say was done, and what the accounts say.
async fn told_and_true(store: &Store) -> (Vec<String>, Vec<String>) {
    let mut told = lines(&all(store).await);
    told.sort();
    let accounts = store.accounts().observe().await.unwrap();
    let mut truth: Vec<String> =
        accounts.domains.iter().map(|domain| format!("create {}", domain.row.name)).collect();
    for mailbox in &accounts.mailboxes {
        truth.push(format!("create {}", mailbox.row.address));
        let by_owner = mailbox.credential.as_ref().is_some_and(|it| it.set_by == SetBy::Owner);
        truth.extend(by_owner.then(|| format!("password {}", mailbox.row.address)));
        truth.extend(mailbox.disabled_at.map(|_| format!("disable {}", mailbox.row.address)));
    }
    if !accounts.mailboxes.is_empty() {
        truth.push("create sales@example.test".to_owned());
    }
    if accounts.aliases.is_empty() && !accounts.mailboxes.is_empty() {
        truth.push("delete sales@example.test".to_owned());
    }
    truth.sort();
    (told, truth)
}

#[tokio::test]
async fn every_death_leaves_both_or_neither() {
    let mut deaths = 0;
    for step in 0.. {
        let home = Home::new().await;
        home.store.close().await;
        let passed = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&passed);
        let hook: CrashHook = Arc::new(move |_| count.fetch_add(1, Ordering::SeqCst) == step);
        let mut options = options(&home.clock);
        options.crash = Some(hook);
        let Ok(store) = Store::open(home.dir.path(), options).await else { continue };
        let finished = work(&store).await.is_ok();
        drop(store);
        let home = home.reopened().await;
        let (told, truth) = told_and_true(&home.store).await;
        assert_eq!(told, truth, "death at step {step}");
        home.sound().await;
        if finished && passed.load(Ordering::SeqCst) <= step {
            assert_eq!(told.len(), 6 + PEOPLE);
            break;
        }
        deaths += 1;
    }
    assert!(deaths > 20, "{deaths}");
}
