//! The certificates of management connections, made by two operators at once and renewed over the years.

use chrono::{DateTime, Duration, TimeZone as _, Utc};
use k8s_openapi::api::core::v1::Secret;
use kube_client::Api;
use mailwright_operator::authority::{AUTHORITY_LIFE, LEAF_LIFE};
use mailwright_operator::certificate;

use crate::bench::Bench;

fn at(days: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 21, 12, 0, 0).unwrap() + Duration::days(days)
}

impl Bench {
    async fn data(&self, secret: &str, key: &str) -> String {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let data = api.get(secret).await.unwrap().data.unwrap_or_default();
        String::from_utf8(data[key].0.clone()).unwrap()
    }

    /// What a pod has: its certificate and whom it trusts.
    async fn pod(&self) -> (String, String) {
        (self.data("mail-management", "tls.crt").await, self.data("mail-management", "ca.crt").await)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_at_once_make_one_authority_and_an_unchanged_pass_asks_nothing() {
    let Some(bench) = Bench::new().await else { return };
    let keyrings = futures::future::join_all((0..4).map(|_| bench.keyring())).await;
    let made = futures::future::join_all(keyrings.iter().map(|keyring| keyring.identity(at(0)))).await;
    let authorities: std::collections::BTreeSet<String> =
        made.iter().map(|identity| identity.as_ref().unwrap().ca_pem.clone()).collect();
    assert_eq!(authorities.len(), 1);
    assert_eq!(authorities.first().unwrap(), &bench.data("mailwright-management-ca", "ca.crt").await);

    let keyring = &keyrings[0];
    keyring.ensure_server_identity(&bench.server(), at(0)).await.unwrap();
    let names = certificate::describe(&bench.data("mail-management", "tls.crt").await).unwrap().names;
    assert!(names.contains(&format!("mail-0.mail-headless.{}.svc", bench.namespace)), "{names:?}");
    assert_eq!(&bench.data("mail-management", "ca.crt").await, authorities.first().unwrap());
    let identity = keyring.identity(at(1)).await.unwrap();
    let mark = bench.mark();
    keyring.ensure_server_identity(&bench.server(), at(1)).await.unwrap();
    assert!(std::sync::Arc::ptr_eq(&identity, &keyring.identity(at(2)).await.unwrap()));
    assert_eq!(bench.asked(mark), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_renewed_before_they_end_and_both_sides_always_trust_each_other() {
    let Some(bench) = Bench::new().await else { return };
    let keyring = bench.keyring().await;
    let server = bench.server();
    let mut authorities = std::collections::BTreeSet::new();
    let mut leaves = std::collections::BTreeSet::new();
    let mut before = None;
    for week in 0..2 * AUTHORITY_LIFE.num_days() / 7 {
        let now = at(week * 7);
        let identity = keyring.identity(now).await.unwrap();
        keyring.ensure_server_identity(&server, now).await.unwrap();
        let written = bench.pod().await;
        // A pod reads its Secret some time after it was written: until then both must do with what it had.
        for (leaf, trusted) in before.iter().chain([&written]) {
            assert!(
                certificate::describe(leaf).unwrap().not_after > now,
                "week {week}: the certificate ended"
            );
            believes(&identity.ca_pem, leaf, now, week);
            believes(trusted, &identity.certificate_pem, now, week);
        }
        authorities.insert(identity.ca_pem.clone());
        leaves.insert(written.0.clone());
        before = Some(written);
    }
    assert!(authorities.len() >= 5, "two successors joined and two old ones left: {}", authorities.len());
    let expected = (2 * AUTHORITY_LIFE.num_days() / LEAF_LIFE.num_days()) as usize;
    assert!(leaves.len() >= expected, "{} of {expected}", leaves.len());
}

/// Whether one of the authorities signed the leaf, by name; that names follow from keys is a test of the authority.
fn believes(trusted: &str, leaf: &str, now: DateTime<Utc>, week: i64) {
    let issuer = certificate::describe(leaf).unwrap().issuer;
    let end = "-----END CERTIFICATE-----\n";
    let subjects: Vec<String> = trusted
        .split_inclusive(end)
        .map(|text| certificate::describe(text).unwrap())
        .filter(|facts| facts.not_after > now)
        .map(|facts| facts.subject)
        .collect();
    assert!(subjects.contains(&issuer), "week {week}: {issuer} is none of {subjects:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_secret_is_made_anew_and_a_damaged_authority_is_left_alone() {
    let Some(bench) = Bench::new().await else { return };
    let (keyring, server) = (bench.keyring().await, bench.server());
    let first = keyring.identity(at(0)).await.unwrap();
    keyring.ensure_server_identity(&server, at(0)).await.unwrap();

    bench.take_away("mail-management");
    let touched = bench.see(&keyring, "mail-management").await;
    assert_eq!(touched.into_iter().map(|it| it.name).collect::<Vec<_>>(), ["mail"]);
    keyring.ensure_server_identity(&server, at(0)).await.unwrap();
    assert_eq!(bench.data("mail-management", "ca.crt").await, first.ca_pem);

    bench.take_away("mailwright-management-ca");
    bench.see(&keyring, "mailwright-management-ca").await;
    let second = keyring.identity(at(0)).await.unwrap();
    assert_ne!(second.ca_pem, first.ca_pem);
    keyring.ensure_server_identity(&server, at(0)).await.unwrap();
    assert_eq!(
        bench.data("mail-management", "ca.crt").await,
        second.ca_pem,
        "leaves follow the new authority"
    );

    bench.take_away("mailwright-management-ca");
    bench.give("mailwright-management-ca", "tls.crt", "SENTINEL");
    bench.see(&keyring, "mailwright-management-ca").await;
    let error = keyring.identity(at(0)).await.unwrap_err().to_string();
    assert!(error.contains("restore it from a backup") && !error.contains("SENTINEL"), "{error}");
    assert_eq!(bench.data("mailwright-management-ca", "tls.crt").await, "SENTINEL");

    bench.take_away("mail-management");
    bench.give("mail-management", "tls.crt", "mine");
    bench.take_away("mailwright-management-ca");
    let fresh = bench.keyring().await;
    let error = fresh.ensure_server_identity(&server, at(0)).await.unwrap_err().to_string();
    assert!(error.contains("was not made by Mailwright"), "{error}");
    assert_eq!(bench.data("mail-management", "tls.crt").await, "mine");
}
