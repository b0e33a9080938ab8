//! Secrets that Mailboxes refer to: read when the watch says so, generated before they are used, never shown.

use mailwright_crds::{Kind, ObjectRef, Resource};
use mailwright_operator::feed::Feed;
use mailwright_operator::kubernetes::keyring::Keyring;
use mailwright_plan::SecretId;
use mailwright_plan::catalog::SecretState;
use serde_json::json;

use crate::bench::Bench;

impl Bench {
    fn mailbox(&self, name: &str, credentials: serde_json::Value, rotate: Option<&str>) -> Resource {
        let annotations = rotate.map(|token| json!({"mailwright.dev/rotate": token}));
        let value = json!({
            "apiVersion": "mailwright.dev/v1alpha1", "kind": "Mailbox",
            "metadata": {"name": name, "namespace": self.namespace, "annotations": annotations},
            "spec": {"address": format!("{name}@example.test"), "credentials": credentials},
        });
        Resource::from_value(Kind::Mailbox, value).unwrap()
    }

    fn referring(&self, name: &str) -> Resource {
        self.mailbox(name, json!({"secretRef": {"name": name}}), None)
    }

    fn generating(&self, name: &str, rotate: Option<&str>) -> Resource {
        self.mailbox(name, json!({"generate": {"secretName": name}}), rotate)
    }

    fn state(&self, keyring: &Keyring, name: &str) -> SecretState {
        let mut feed = Feed::default();
        let object =
            ObjectRef { kind: Kind::Mailbox, namespace: self.namespace.as_str().into(), name: name.into() };
        keyring.vault().tell(&mut feed, [&object]);
        feed.catalog.secret(&SecretId::new(&self.namespace, name, "password")).clone()
    }

    fn password(&self, name: &str) -> serde_json::Value {
        self.kubectl.get(&self.namespace, &format!("secret/{name}"))["data"]["password"].clone()
    }
}

fn is_present(state: &SecretState) -> bool {
    matches!(state, SecretState::Present { .. })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_comes_changes_and_goes_reaches_the_mailbox() {
    let Some(bench) = Bench::new().await else { return };
    let keyring = bench.keyring().await;
    assert!(keyring.vault().declare(&bench.referring("alice")));
    let names = |objects: std::collections::BTreeSet<ObjectRef>| -> Vec<String> {
        objects.into_iter().map(|object| object.name.to_string()).collect()
    };
    assert_eq!(names(keyring.vault().refresh().await.changed), ["alice"]);
    assert_eq!(bench.state(&keyring, "alice"), SecretState::Missing);

    bench.give("alice", "password", "SENTINEL-one");
    assert_eq!(names(bench.see(&keyring, "alice").await), ["alice"], "it appears after the Mailbox");
    assert_eq!(names(keyring.vault().refresh().await.changed), ["alice"]);
    let first = bench.state(&keyring, "alice");
    assert!(is_present(&first));
    assert!(bench.see(&keyring, "alice").await.is_empty(), "the same version is no news");

    bench.give("alice", "password", "SENTINEL-two");
    bench.see(&keyring, "alice").await;
    keyring.vault().refresh().await;
    let second = bench.state(&keyring, "alice");
    assert!(is_present(&second) && first != second);
    keyring.vault().forget_values();
    assert_eq!(bench.state(&keyring, "alice"), second, "the fingerprint outlives the value");

    bench.take_away("alice");
    assert_eq!(names(bench.see(&keyring, "alice").await), ["alice"]);
    keyring.vault().refresh().await;
    assert_eq!(bench.state(&keyring, "alice"), SecretState::Missing);
    let mark = bench.mark();
    assert_eq!(keyring.vault().refresh().await.changed.len(), 0);
    assert_eq!(bench.asked(mark), Vec::<String>::new(), "nothing is due, nothing is asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_secrets_are_read_together_and_only_those_that_are_wanted_are_kept() {
    let Some(bench) = Bench::new().await else { return };
    for number in 0..30 {
        bench.give(&format!("m{number}"), "password", &format!("SENTINEL-{number}"));
    }
    let keyring = bench.keyring().await;
    for number in 0..25 {
        keyring.vault().declare(&bench.referring(&format!("m{number}")));
    }
    keyring.vault().declare(&bench.referring("nobody"));
    let mark = bench.mark();
    let refreshed = keyring.vault().refresh().await;
    assert_eq!((refreshed.changed.len(), refreshed.again), (26, 0));
    assert_eq!(bench.asked(mark), ["list secrets"]);
    assert!(is_present(&bench.state(&keyring, "m0")) && is_present(&bench.state(&keyring, "m24")));
    assert_eq!(bench.state(&keyring, "m25"), SecretState::Missing, "nobody refers to it");
    assert_eq!(bench.state(&keyring, "nobody"), SecretState::Missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_at_once_generate_one_password_and_rotate_it_once_for_each_token() {
    let Some(bench) = Bench::new().await else { return };
    let (one, two) = tokio::join!(bench.keyring(), bench.keyring());
    for keyring in [&one, &two] {
        keyring.vault().declare(&bench.generating("bob", None));
    }
    let _ = tokio::join!(one.vault().refresh(), two.vault().refresh());
    let _ = tokio::join!(one.vault().refresh(), two.vault().refresh());
    let first = bench.password("bob");
    assert!(is_present(&bench.state(&one, "bob")));
    assert_eq!(bench.state(&one, "bob"), bench.state(&two, "bob"));
    let secret = bench.kubectl.get(&bench.namespace, "secret/bob");
    assert!(secret["metadata"]["ownerReferences"].is_null(), "it outlives the Mailbox: {secret:#}");

    for (token, changes) in [("1", true), ("1", false), ("2", true)] {
        let before = bench.password("bob");
        for keyring in [&one, &two] {
            keyring.vault().declare(&bench.generating("bob", Some(token)));
            bench.see(keyring, "bob").await;
        }
        for _ in 0..3 {
            let _ = tokio::join!(one.vault().refresh(), two.vault().refresh());
        }
        assert_eq!(bench.password("bob") != before, changes, "token {token}");
        bench.see(&one, "bob").await;
        bench.see(&two, "bob").await;
        let _ = tokio::join!(one.vault().refresh(), two.vault().refresh());
        assert_eq!(bench.state(&one, "bob"), bench.state(&two, "bob"), "token {token}");
    }
    assert_ne!(bench.password("bob"), first);

    bench.take_away("bob");
    bench.see(&one, "bob").await;
    one.vault().refresh().await;
    assert!(is_present(&bench.state(&one, "bob")), "deleted in the middle, it is made anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ours_or_cannot_be_changed_stays_as_it_is() {
    let Some(bench) = Bench::new().await else { return };
    bench.give("carol", "password", "SENTINEL-own");
    bench.give("dave", "other", "SENTINEL-own");
    let keyring = bench.keyring().await;
    for name in ["carol", "dave", "erin"] {
        keyring.vault().declare(&bench.generating(name, Some("1")));
    }
    assert_eq!(keyring.vault().refresh().await.again, 0, "what lasts is not tried again");
    assert!(is_present(&bench.state(&keyring, "carol")), "a password that is there is used");
    assert_eq!(bench.state(&keyring, "dave"), SecretState::NotOurs);
    assert_eq!(
        bench.kubectl.get(&bench.namespace, "secret/dave")["data"],
        json!({"other": "U0VOVElORUwtb3du"})
    );

    let erin = bench.password("erin");
    let patch = ["patch", "secret", "erin", "--namespace", &bench.namespace, r#"--patch={"immutable":true}"#];
    bench.kubectl.run(&patch).ok();
    bench.see(&keyring, "erin").await;
    keyring.vault().declare(&bench.generating("erin", Some("2")));
    keyring.vault().refresh().await;
    let state = bench.state(&keyring, "erin");
    let SecretState::Unusable { why } = &state else { panic!("{state:?}") };
    assert!(why.contains("immutable") && why.contains("delete it"), "{why}");
    assert_eq!(bench.password("erin"), erin);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_missing_is_told_and_nobody_else_waits() {
    let Some(bench) = Bench::new().await else { return };
    bench.give("alice", "password", "SENTINEL-one");
    let keyring = bench.keyring().await;
    keyring.vault().declare(&bench.referring("alice"));
    keyring.vault().refresh().await;
    let known = bench.state(&keyring, "alice");
    bench.kubectl.run(&["delete", "clusterrolebinding", &bench.namespace]).ok();
    bench.give("alice", "password", "SENTINEL-two");
    let seen = mailwright_crds::ObjectMeta {
        namespace: Some(bench.namespace.clone()),
        name: Some("alice".into()),
        resource_version: Some("another".into()),
        ..Default::default()
    };
    assert_eq!(keyring.seen(&seen).len(), 1);
    let start = std::time::Instant::now();
    let refreshed = loop {
        let refreshed = keyring.vault().refresh().await;
        match bench.state(&keyring, "alice") {
            SecretState::Unusable { why } => {
                assert!(why.contains("forbids") && why.contains("role"), "{why}");
                break refreshed;
            }
            // The API server takes a moment to forget a right.
            other => assert!(
                other != SecretState::Missing && start.elapsed().as_secs() < 30,
                "{other:?} {known:?}"
            ),
        }
        keyring.seen(&seen);
    };
    assert_eq!(refreshed.again, 1, "it is tried again");
    assert!(!format!("{refreshed:?} {keyring:?}").contains("SENTINEL"));
}
