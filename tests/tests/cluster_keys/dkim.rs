//! DKIM keys and the fingerprint key: made once whoever is first, never changed, found again.

use chrono::{TimeZone as _, Utc};
use mailwright_crds::mail_domain::DkimAlgorithm;
use mailwright_operator::controller::mail_domain::ensure_keys;
use mailwright_operator::platform::kubernetes::DomainObject;
use mailwright_operator::platform::{Platform as _, PlatformError};

use crate::bench::{Bench, blocking};

const BOTH: [DkimAlgorithm; 2] = [DkimAlgorithm::Rsa2048, DkimAlgorithm::Ed25519];

#[tokio::test(flavor = "multi_thread")]
async fn makers_of_the_fingerprint_key_agree_and_a_damaged_one_is_left_alone() {
    let Some(bench) = Bench::new().await else { return };
    let makers = (0..8).map(|_| bench.keyring());
    let keyrings = futures::future::join_all(makers).await;
    let keys: std::collections::BTreeSet<[u8; 32]> =
        keyrings.iter().map(|keyring| *keyring.fingerprint_key()).collect();
    assert_eq!(keys.len(), 1);
    let name = "mailwright-fingerprint-key";
    let kept = bench.kubectl.get(&bench.namespace, &format!("secret/{name}"));
    assert_eq!(kept["immutable"], true);

    bench.take_away(name);
    bench.give(name, "key", "short");
    let error =
        mailwright_operator::kubernetes::keyring::Keyring::open(bench.client.clone(), &bench.namespace)
            .await
            .unwrap_err();
    assert!(error.to_string().contains(name) && error.to_string().contains("restore"), "{error}");
    let after = bench.kubectl.get(&bench.namespace, &format!("secret/{name}"));
    assert_eq!(after["data"]["key"], "c2hvcnQ=", "it is as somebody left it");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_operators_make_one_key_and_looking_again_costs_nothing() {
    let Some(bench) = Bench::new().await else { return };
    let (november, december) = (
        Utc.with_ymd_and_hms(2026, 11, 30, 23, 59, 59).unwrap(),
        Utc.with_ymd_and_hms(2026, 12, 1, 0, 0, 0).unwrap(),
    );
    let ((_, one), (_, two)) = tokio::join!(bench.platform(), bench.platform());
    let make = |platform: mailwright_operator::platform::kubernetes::Kubernetes, now| {
        blocking(move || ensure_keys(&platform, "example.test", &BOTH, now).unwrap())
    };
    let (of_one, of_two) = tokio::join!(make(one.clone(), november), make(two.clone(), november));
    let public = |keys: &[mailwright_operator::dkim::DkimKey]| -> Vec<_> {
        keys.iter().map(|key| (key.selector.clone(), key.public.clone())).collect()
    };
    assert_eq!(public(&of_one), public(&of_two), "whoever was first made the keys of both");
    assert_eq!(
        bench.secrets("example.test-dkim-"),
        ["example.test-dkim-202611e", "example.test-dkim-202611r"]
    );

    let mark = bench.mark();
    assert_eq!(
        public(&make(one.clone(), december).await),
        public(&of_one),
        "a month later they are the same"
    );
    assert_eq!(bench.asked(mark), Vec::<String>::new(), "an unchanged pass asks nothing");

    let (_, fresh) = bench.platform().await;
    let mark = bench.mark();
    assert_eq!(public(&make(fresh, december).await), public(&of_one));
    assert_eq!(bench.asked(mark), ["list secrets"], "a restart reads the keys of a namespace together");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_outlive_their_domain_and_never_change() {
    let Some(bench) = Bench::new().await else { return };
    let now = Utc.with_ymd_and_hms(2026, 11, 21, 0, 0, 0).unwrap();
    let (_, platform) = bench.platform().await;
    let made = blocking(move || ensure_keys(&platform, "example.test", &BOTH[1..], now).unwrap()).await;
    let name = "example.test-dkim-202611e";
    let kept = bench.kubectl.get(&bench.namespace, &format!("secret/{name}"));
    assert!(kept["metadata"]["ownerReferences"].is_null(), "{kept:#}");
    let patch = ["patch", "secret", name, "--namespace", &bench.namespace, "--type=merge"];
    let patched = bench.kubectl.run(&[&patch[..], &[r#"--patch={"data":{"private.pem":"eA=="}}"#]].concat());
    assert!(patched.exits(1).all().contains("immutable"));

    bench.kubectl.run(&["delete", "mailserver,maildomain", "--all", "--namespace", &bench.namespace]).ok();
    bench.apply("MailServer", "mail", "{hostname: mail.example.test}");
    bench.apply("MailDomain", "example", "{domain: example.test, serverRef: {name: mail}}");
    let (_, anew) = bench.platform().await;
    let again = blocking(move || ensure_keys(&anew, "example.test", &BOTH[1..], now).unwrap()).await;
    assert_eq!(again[0].public, made[0].public, "declared again, it signs with the published key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_goes_or_comes_is_noticed_by_its_metadata() {
    let Some(bench) = Bench::new().await else { return };
    let now = Utc.with_ymd_and_hms(2026, 11, 21, 0, 0, 0).unwrap();
    let (keyring, platform) = bench.platform().await;
    let keys = || {
        let platform = platform.clone();
        blocking(move || platform.dkim_keys("example.test").unwrap())
    };
    let ensure = || {
        let platform = platform.clone();
        blocking(move || ensure_keys(&platform, "example.test", &BOTH[1..], now).unwrap())
    };
    let first = ensure().await;
    let name = "example.test-dkim-202611e";
    assert!(bench.see(&keyring, name).await.is_empty(), "our own write is no news");
    bench.take_away(name);
    assert_eq!(keys().await.len(), 1, "nothing is forgotten before the watch says so");
    let touched = bench.see(&keyring, name).await;
    assert_eq!(touched.into_iter().map(|it| it.name).collect::<Vec<_>>(), ["mail"]);
    assert_eq!(keys().await.len(), 0);
    let second = ensure().await;
    assert_ne!(second[0].public, first[0].public);

    // Somebody brings the old one back under another selector.
    let (_, other) = bench.platform().await;
    let mut brought = first[0].clone();
    brought.selector = "202501e".into();
    let domain = "alias.test".to_owned();
    blocking(move || other.put_dkim_key(&domain, &brought).unwrap()).await;
    assert!(!bench.see(&keyring, "alias.test-dkim-202501e").await.is_empty());
    let of_alias = blocking(move || platform.dkim_keys("alias.test").unwrap()).await;
    assert_eq!(of_alias[0].selector, "202501e");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_key_is_told_and_nothing_is_made_without_a_declaration() {
    let Some(bench) = Bench::new().await else { return };
    let now = Utc.with_ymd_and_hms(2026, 11, 21, 0, 0, 0).unwrap();
    let name = "example.test-dkim-202611e";
    bench.give(name, "private.pem", "mine");
    let (_, platform) = bench.platform().await;
    let of_declared = platform.clone();
    let error =
        blocking(move || ensure_keys(&of_declared, "example.test", &BOTH[1..], now).unwrap_err()).await;
    assert!(error.to_string().contains("was not made by Mailwright"), "{error}");
    assert_eq!(
        bench.kubectl.get(&bench.namespace, &format!("secret/{name}"))["data"]["private.pem"],
        "bWluZQ=="
    );

    let gone = DomainObject {
        namespace: bench.namespace.clone(),
        name: "example".into(),
        uid: None,
        of_repository: false,
    };
    platform.set_domains([("example.test".to_owned(), gone)].into());
    let error = blocking(move || ensure_keys(&platform, "example.test", &BOTH[..1], now).unwrap_err()).await;
    assert!(error.to_string().contains("no MailDomain declares example.test"), "{error}");
    assert_eq!(bench.secrets("example.test-dkim-"), [name]);

    bench.kubectl.apply(&format!(
        "apiVersion: v1\nkind: Secret\ntype: mailwright.dev/dkim\nmetadata:\n  name: broken\n  namespace: {}\n  \
         labels: {{mailwright.dev/dkim: 'true', mailwright.dev/domain: example.test}}\n  annotations: \
         {{mailwright.dev/selector: 202610e, mailwright.dev/algorithm: ed25519}}\nstringData: {{private.pem: SENTINEL}}\n",
        bench.namespace
    ));
    let (_, fresh) = bench.platform().await;
    let error = blocking(move || fresh.dkim_keys("example.test").unwrap_err()).await;
    assert!(matches!(&error, PlatformError::Damaged { path, .. } if path.ends_with("/broken")), "{error}");
    assert!(error.is_lasting() && !error.to_string().contains("SENTINEL"), "{error}");
}
