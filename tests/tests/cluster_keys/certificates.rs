//! The certificate in force and the login at the smarthost: written once, kept while nothing is better, left alone when the
//! Secret is somebody else's.

use chrono::Utc;
use mailwright_operator::certificate::{self, PemPair};
use mailwright_operator::platform::Platform as _;
use mailwright_operator::relay::RelayLogin;

use crate::bench::{Bench, blocking};

fn pair() -> PemPair {
    certificate::self_signed(&["mail.example.test".to_owned()], Utc::now()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_written_once_and_belongs_to_its_server() {
    let Some(bench) = Bench::new().await else { return };
    let (keyring, platform) = bench.platform().await;
    let (one, two) = (pair(), pair());
    let (kept, expected) = (platform.clone(), one.clone());
    blocking(move || {
        assert_eq!(kept.certificate("mail").unwrap(), None);
        kept.put_certificate("mail", &expected).unwrap();
        assert_eq!(kept.certificate("mail").unwrap(), Some(expected));
    })
    .await;
    let secret = bench.kubectl.get(&bench.namespace, "secret/mail-tls");
    assert_eq!(secret["type"], "kubernetes.io/tls");
    assert_eq!(secret["metadata"]["ownerReferences"][0]["kind"], "MailServer");

    let mark = bench.mark();
    bench.see(&keyring, "mail-tls").await;
    let kept = platform.clone();
    assert_eq!(blocking(move || kept.certificate("mail").unwrap()).await, Some(one.clone()));
    let asked = bench.asked(mark);
    assert!(asked.iter().all(|request| request == "get secrets mail-tls"), "{asked:?}");
    assert_eq!(asked.len(), 1, "only the test itself looked: {asked:?}");

    // Somebody removes it in the middle of the work: the watch says so, and it is written again.
    bench.take_away("mail-tls");
    assert_eq!(bench.see(&keyring, "mail-tls").await.len(), 1);
    let (kept, expected) = (platform.clone(), two.clone());
    blocking(move || {
        assert_eq!(kept.certificate("mail").unwrap(), None);
        kept.put_certificate("mail", &expected).unwrap();
    })
    .await;
    let (_, fresh) = bench.platform().await;
    assert_eq!(blocking(move || fresh.certificate("mail").unwrap()).await, Some(two));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_somebody_else_is_never_written_over() {
    let Some(bench) = Bench::new().await else { return };
    bench.give("mail-tls", "tls.crt", "mine");
    bench.give("mail-relay-login", "password", "mine");
    let (_, platform) = bench.platform().await;
    let mark = bench.mark();
    let kept = platform.clone();
    let errors = blocking(move || {
        let login = RelayLogin {
            host: "smtp.example.org".into(),
            secret: "d/s".into(),
            username: "u".into(),
            password: "p".into(),
        };
        let tls = kept.put_certificate("mail", &pair()).unwrap_err();
        let relay = kept.put_relay_login("mail", &login).unwrap_err();
        kept.forget_relay_login("mail").unwrap();
        [tls, relay]
    })
    .await;
    for error in errors {
        assert!(error.is_lasting() && error.to_string().contains("was not made by Mailwright"), "{error}");
    }
    let asked = bench.asked(mark);
    assert!(asked.iter().all(|request| request.starts_with("get ")), "{asked:?}");
    assert_eq!(
        bench.kubectl.get(&bench.namespace, "secret/mail-relay-login")["data"]["password"],
        "bWluZQ=="
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_kept_until_it_is_forgotten_and_goes_with_its_server() {
    let Some(bench) = Bench::new().await else { return };
    let (_, platform) = bench.platform().await;
    let login = RelayLogin {
        host: "smtp.example.org".into(),
        secret: format!("{}/relay", bench.namespace),
        username: "mail".into(),
        password: "SENTINEL-relay".into(),
    };
    let (kept, expected) = (platform.clone(), login.clone());
    blocking(move || kept.put_relay_login("mail", &expected).unwrap()).await;
    let (_, fresh) = bench.platform().await;
    assert_eq!(blocking(move || fresh.relay_login("mail").unwrap()).await, Some(login));
    blocking(move || {
        platform.forget_relay_login("mail").unwrap();
        platform.forget_relay_login("mail").unwrap();
        assert_eq!(platform.relay_login("mail").unwrap(), None);
    })
    .await;
    assert!(bench.kubectl.get(&bench.namespace, "secret/mail-relay-login").is_null());
}
