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
    let specs = |size| vec![(alice.clone(), json!({"quota": size})), (key("MailDomain", "d"), json!({}))];
    assert_eq!(resources.declare(specs(1)).await.unwrap(), [1, 1]);
    assert_eq!(resources.declare(specs(1)).await.unwrap(), [1, 1]);
    home.pass(60);
    assert_eq!(resources.declare(specs(2)).await.unwrap(), [2, 1]);
    let record = resources.get(&alice).await.unwrap().unwrap();
    assert_eq!((record.generation, record.spec, record.status), (2, json!({"quota": 2}), None));
    assert_eq!(record.created_at, START);
    assert_eq!(resources.get(&key("Mailbox", "nobody")).await.unwrap(), None);
    assert_eq!(resources.declare(Vec::new()).await.unwrap(), Vec::<i64>::new());
}

#[tokio::test]
async fn an_equal_status_is_not_written() {
    let home = Home::new().await;
    let resources = home.store.resources();
    resources.declare(vec![(key("Mailbox", "alice"), json!({}))]).await.unwrap();
    let status = |ready: bool| {
        vec![(key("Mailbox", "alice"), json!({"ready": ready})), (key("Mailbox", "nobody"), json!({}))]
    };
    for (ready, written) in [(true, 1), (true, 0), (false, 1)] {
        assert_eq!(resources.set_status(status(ready)).await.unwrap(), written);
    }
    resources.declare(vec![(key("Mailbox", "alice"), json!({"enabled": false}))]).await.unwrap();
    let record = resources.get(&key("Mailbox", "alice")).await.unwrap().unwrap();
    assert_eq!((record.generation, record.status), (2, Some(json!({"ready": false}))));
    assert_eq!(resources.set_status(Vec::new()).await.unwrap(), 0);
}

#[tokio::test]
async fn lists_are_ordered_and_forgetting_counts() {
    let home = Home::new().await;
    let resources = home.store.resources();
    let names = [key("Mailbox", "bob"), key("Alias", "z"), key("Mailbox", "alice")];
    resources.declare(names.iter().map(|key| (key.clone(), json!({}))).collect()).await.unwrap();
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
