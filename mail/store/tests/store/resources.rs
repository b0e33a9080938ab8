//! Status records.

use mailwright_store::ResourceKey;
use serde_json::json;

use crate::support::*;

fn key(kind: &str, name: &str) -> ResourceKey {
    ResourceKey { kind: kind.into(), namespace: "default".into(), name: name.into() }
}

#[tokio::test]
async fn generations_count_changes_of_the_spec() {
    let home = Home::new().await;
    let resources = home.store.resources();
    let alice = key("Mailbox", "alice");
    let put = async |size, ready| {
        let alice = (alice.clone(), json!({"quota": size}), json!({"ready": ready}));
        resources.put(vec![alice, (key("MailDomain", "d"), json!({}), json!({}))]).await.unwrap()
    };
    assert_eq!(put(1, true).await, 2);
    assert_eq!(put(1, true).await, 0, "what is equal is not written");
    home.pass(60);
    assert_eq!(put(2, true).await, 1);
    assert_eq!(put(2, false).await, 1, "a status is no generation");
    let record = resources.get(&alice).await.unwrap().unwrap();
    assert_eq!((record.generation, record.spec), (2, json!({"quota": 2})));
    assert_eq!((record.created_at, record.status), (START, Some(json!({"ready": false}))));
    assert_eq!(resources.get(&key("Mailbox", "nobody")).await.unwrap(), None);
    assert_eq!(resources.put(Vec::new()).await.unwrap(), 0);
}

#[tokio::test]
async fn many_are_kept_as_one_is() {
    let home = Home::new().await;
    let resources = home.store.resources();
    let all = |size: usize| -> Vec<_> {
        let record = |number: usize| {
            let changed = if number.is_multiple_of(3) { size } else { 0 };
            (key("Mailbox", &format!("p{number:03}")), json!({"quota": changed}), json!({"n": number}))
        };
        (0..120).map(record).collect()
    };
    assert_eq!(resources.put(all(0)).await.unwrap(), 120);
    assert_eq!(resources.put(all(1)).await.unwrap(), 40);
    let kept = resources.list(Some("Mailbox")).await.unwrap();
    for (record, (key, spec, status)) in kept.into_iter().zip(all(1)) {
        let generation = if spec == json!({"quota": 1}) { 2 } else { 1 };
        assert_eq!((record.key, record.spec, record.status), (key, spec, Some(status)));
        assert_eq!(record.generation, generation);
    }
    home.sound().await;
}

#[tokio::test]
async fn lists_are_ordered_and_forgetting_counts() {
    let home = Home::new().await;
    let resources = home.store.resources();
    let names = [key("Mailbox", "bob"), key("Alias", "z"), key("Mailbox", "alice")];
    resources.put(names.iter().map(|key| (key.clone(), json!({}), json!({}))).collect()).await.unwrap();
    let listed = |records: Vec<mailwright_store::Record>| -> Vec<String> {
        records.into_iter().map(|record| record.key.name).collect()
    };
    assert_eq!(listed(resources.list(None).await.unwrap()), ["z", "alice", "bob"]);
    assert_eq!(listed(resources.list(Some("Mailbox")).await.unwrap()), ["alice", "bob"]);
    assert_eq!(resources.forget(vec![key("Alias", "z"), key("Alias", "y")]).await.unwrap(), 1);
    assert_eq!(resources.forget(Vec::new()).await.unwrap(), 0);
    let home = home.reopened().await;
    assert_eq!(listed(home.store.resources().list(None).await.unwrap()), ["alice", "bob"]);
}
