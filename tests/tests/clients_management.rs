//! The management port of a pod, met by strangers and by the operator: openssl, curl, silence, floods, rotation. Nothing that is
//! a secret is ever said.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_operator::authority::make_authority;
use mailwright_operator::certificate::PemPair;
use mailwright_plan::Fence;
use mailwright_server::management::ErrorCode;
use mailwright_tests::harness::pod::accounts;
use mailwright_tests::harness::{Output, PATIENCE, Pod, need, run, wait_for, wire};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// Certificates as files, made with openssl as a person would.
struct Made {
    directory: tempfile::TempDir,
}

impl Made {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn new(authority: &PemPair) -> Made {
        let made = Made { directory: tempfile::tempdir().unwrap() };
        std::fs::write(made.path("ca.crt"), &authority.certificate).unwrap();
        std::fs::write(made.path("ca.key"), &authority.key).unwrap();
        made
    }

    /// A client's certificate of this common name that ends in `days` from now.
    fn client(&self, file: &str, common: &str, days: i32) {
        let (key, request, certificate) =
            (format!("{file}.key"), format!("{file}.csr"), format!("{file}.crt"));
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
        openssl.args(["-subj", &format!("/CN={common}"), "-keyout"]).arg(self.path(&key));
        run(openssl.arg("-out").arg(self.path(&request))).ok();
        std::fs::write(self.path("ext"), "extendedKeyUsage=clientAuth\n").unwrap();
        let mut sign = Command::new("openssl");
        sign.args(["x509", "-req", "-days", &days.to_string(), "-extfile"]).arg(self.path("ext"));
        sign.arg("-in").arg(self.path(&request)).arg("-CA").arg(self.path("ca.crt"));
        sign.arg("-CAkey").arg(self.path("ca.key")).arg("-CAcreateserial");
        run(sign.arg("-out").arg(self.path(&certificate))).ok();
    }

    /// curl's answer with this certificate, or none.
    fn curl(&self, pod: &Pod, who: Option<&str>, arguments: &[&str], path: &str) -> Output {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "20", "--write-out", "\n%{http_code}"]);
        curl.args(["--resolve", &format!("localhost:{}:127.0.0.1", pod.management), "--cacert"]);
        curl.arg(self.path("ca.crt"));
        if let Some(who) = who {
            curl.arg("--cert").arg(self.path(&format!("{who}.crt")));
            curl.arg("--key").arg(self.path(&format!("{who}.key")));
        }
        run(curl.args(arguments).arg(format!("https://localhost:{}{path}", pod.management)))
    }
}

#[test]
fn curl_and_openssl_come_in_with_the_operators_certificate_and_with_no_other() {
    if !need(&["openssl", "curl"]) {
        return;
    }
    let pod = Pod::ready();
    let made = Made::new(pod.authority());
    made.client("operator", "mailwright-operator", 1);
    made.client("expired", "mailwright-operator", -1);
    made.client("other", "mail-1", 1);
    let foreign = Made::new(&make_authority(chrono::Utc::now()).unwrap());
    foreign.client("operator", "mailwright-operator", 1);
    for name in ["operator.crt", "operator.key"] {
        std::fs::copy(foreign.path(name), made.path(&format!("foreign-{name}"))).unwrap();
    }
    std::fs::rename(made.path("foreign-operator.crt"), made.path("foreign.crt")).unwrap();
    std::fs::rename(made.path("foreign-operator.key"), made.path("foreign.key")).unwrap();

    let identity = made.curl(&pod, Some("operator"), &[], "/v1/identity").ok().stdout;
    assert!(identity.contains("\"database\":\"") && identity.ends_with("\n200"), "{identity}");
    for who in [None, Some("expired"), Some("other"), Some("foreign")] {
        let refused = made.curl(&pod, who, &[], "/v1/identity");
        assert_ne!(refused.code, Some(0), "{who:?}: {}", refused.stdout);
        assert!(!refused.stdout.contains("database"), "{who:?}: {}", refused.stdout);
    }
    // The server's certificate is of the same authority, and not for this name.
    let elsewhere = made.curl(&pod, Some("operator"), &["--resolve", "x.test:1:127.0.0.1"], "/v1/identity");
    assert_eq!(elsewhere.code, Some(0));
    for (arguments, expected) in [
        (&["--tls-max", "1.2"][..], None),
        (&["--http2"][..], Some("\n200")),
        (&["--header", &format!("X-Long: {}", "x".repeat(20_000))][..], Some("\n431")),
        (&["--request", "PATCH"][..], Some("\n405")),
        (&["--json", "{\"fence\": \"hush\"}", "--request", "PUT"][..], Some("\n405")),
    ] {
        let answer = made.curl(&pod, Some("operator"), arguments, "/v1/health");
        match expected {
            Some(status) => assert!(answer.stdout.ends_with(status), "{arguments:?}: {}", answer.stdout),
            None => assert_ne!(answer.code, Some(0), "{arguments:?}"),
        }
    }
    let shown = run(Command::new("openssl").args(["s_client", "-connect"]).args([
        &format!("127.0.0.1:{}", pod.management),
        "-tls1_3",
        "-ign_eof",
        "-verify_quiet",
        "-CAfile",
        &made.path("ca.crt").display().to_string(),
    ]));
    let said = format!("{}{}", shown.stdout, shown.stderr);
    assert!(said.contains("certificate required") || said.contains("alert"), "{said}");
}

#[test]
fn every_route_says_what_it_is_for() {
    if !need(&["openssl", "curl"]) {
        return;
    }
    let pod = Pod::ready();
    let made = Made::new(pod.authority());
    made.client("operator", "mailwright-operator", 1);
    let ask = |arguments: &[&str], path: &str| made.curl(&pod, Some("operator"), arguments, path).stdout;
    pod.populate(1);
    let counter = pod.wait(pod.operator().observe()).unwrap().change_counter;
    let put = |body: &str| ask(&["--request", "PUT", "--json", body], "/v1/serving");
    assert!(ask(&[], "/v1/observed").ends_with("\n200"));
    assert_eq!(ask(&[], &format!("/v1/observed?since={counter}")), "\n204");
    assert!(ask(&[], &format!("/v1/observed?since={}", counter - 1)).ends_with("\n200"));
    assert!(ask(&[], "/v1/observed?since=x").ends_with("\n400"));
    assert!(put("{\"fence\": {\"term\": 0}}").contains("\"fenced\""));
    let other = put("{\"fence\": {\"term\": 1, \"database\": \"another\"}}");
    assert!(other.contains("\"wrongDatabase\"") && other.ends_with("\n409"), "{other}");
    assert_eq!(put("{\"fence\": {\"term\": 1}}"), "null\n200");
    let health = ask(&[], "/v1/health");
    assert!(health.contains("\"pushedDigest\":\"") && health.contains("\"storageFull\":false"), "{health}");
}

/// Two leaders: the one that woke up late changes nothing, whatever it tries.
#[test]
fn a_deposed_leader_changes_nothing() {
    let pod = Pod::ready();
    pod.populate(7);
    let observed = pod.wait(pod.operator().observe()).unwrap();
    let (client, database) = (pod.operator(), pod.wait(pod.operator().identity()).unwrap().database);
    for (term, database, expected) in [
        (6, None, Some(ErrorCode::Fenced)),
        (6, Some(database.clone()), Some(ErrorCode::Fenced)),
        (8, Some("0b8de1f4-0000-4000-8000-000000000000".to_owned()), Some(ErrorCode::WrongDatabase)),
        (7, Some(database), None),
    ] {
        let mut batch = accounts(term, &["carol"]);
        batch.fence = Some(Fence { term, database: database.clone() });
        let answer = pod.wait(client.apply(&batch)).err().map(|error| error.code);
        assert_eq!(answer, expected, "{term} {database:?}");
        let pushed = json!({"fence": {"term": term, "database": database}, "mtaSts": {"example.test": "x"}});
        let answer = pod.wait(client.put_serving(&pushed)).err().map(|error| error.code);
        assert_eq!(answer, expected, "{term} {database:?}");
        if expected.is_some() {
            assert_eq!(pod.wait(client.observe()).unwrap(), observed);
            assert!(!pod.data().join("pushed.json").exists());
        }
    }
}

#[test]
fn strangers_cannot_keep_the_operator_or_the_probes_out() {
    let pod = Pod::ready();
    let connect = || TcpStream::connect(("127.0.0.1", pod.management)).unwrap();
    // Silence, and a handshake that never ends.
    let silent: Vec<TcpStream> = (0..150).map(|_| connect()).collect();
    let mut dripping = connect();
    dripping.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).unwrap();
    for _ in 0..5 {
        let health = pod.wait(pod.operator().health()).unwrap();
        assert!(!health.draining && health.listener_error.is_none());
        assert!(wire::http_get(pod.ports.http, "/readyz").unwrap().starts_with("HTTP/1.1 200"));
    }
    let mut closed = 0;
    for mut stream in silent {
        stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        closed += usize::from(stream.read(&mut [0; 8]).is_ok_and(|count| count == 0));
    }
    assert!(closed >= 100, "of 150 silent ones {closed} lost their places");
    // What is left of them ends with the time for a handshake.
    dripping.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(matches!(dripping.read(&mut [0; 8]), Ok(0) | Err(_)), "it is closed");
}

#[test]
fn certificates_rotate_under_open_connections() {
    let pod = Pod::ready();
    let old = pod.operator();
    pod.wait(old.identity()).unwrap();
    // The authorities overlap: both sides' old and new certificates are right meanwhile.
    let next = make_authority(chrono::Utc::now()).unwrap();
    let bundle = format!("{}{}", pod.authority().certificate, next.certificate);
    pod.certify(&PemPair { certificate: bundle, key: pod.authority().key.clone() });
    let new = pod.operator_of(&next);
    wait_for("the new authority to be trusted", PATIENCE, || {
        // The server still shows the old one's certificate, so the new client refuses it after it was let in.
        pod.wait(old.identity()).ok()
    });
    pod.certify(&next);
    wait_for("the new certificate", PATIENCE, || pod.wait(new.identity()).ok());
    let error = pod.wait(old.identity()).unwrap_err();
    assert_eq!(error.code, ErrorCode::Unreachable, "{error}");
    let shut = pod.logs();
    assert!(shut.contains("certificates of the management port are in force"), "{shut}");
}

#[test]
fn no_secret_is_ever_said() {
    const SECRETS: [&str; 4] = ["sentinel-password", "sentinel-key", "sentinel-login", "PRIVATE KEY"];
    let mut pod = Pod::ready();
    let client = pod.operator();
    let mut batch = accounts(1, &["alice"]);
    for material in batch.credentials.values_mut() {
        *material = mailwright_plan::operation::Material::Plain(SECRETS[0].to_owned());
    }
    pod.wait(client.apply(&batch)).unwrap();
    let key = json!({"selector": "s1", "algorithm": "RSA2048", "privatePem": SECRETS[1]});
    let login = json!({"host": "smtp.example.org", "secret": "default/relay", "username": "mail", "password": SECRETS[2]});
    let pushed =
        json!({"fence": {"term": 1}, "dkim": {"example.test": [key]}, "mtaSts": {}, "relayLogin": login});
    pod.wait(client.put_serving(&pushed)).unwrap();
    let wrong = json!({"fence": {"term": 1}, "dkim": SECRETS[1], "relayLogin": {"password": SECRETS[2]}});
    let refused = pod.wait(client.put_serving(&wrong)).unwrap_err();
    pod.configure(|server| {
        server["relay"] = json!({"host": "smtp.example.org", "port": 587, "tls": "StartTLS",
            "credentials": {"secretRef": {"name": "relay"}}});
    });
    pod.publish("tls", &[("tls.crt", "x"), ("tls.key", SECRETS[1])]);
    wait_for("the broken certificate to be told", PATIENCE, || {
        pod.wait(client.health()).unwrap().certificate_error
    });
    let health = serde_json::to_string(&pod.wait(client.health()).unwrap()).unwrap();
    let metrics = wire::http_get(pod.ports.http, "/metrics").unwrap();
    assert!(pod.stop().success());
    for secret in SECRETS {
        for (place, text) in
            [("log", &pod.logs()), ("health", &health), ("metrics", &metrics), ("error", &refused.message)]
        {
            assert!(!text.contains(secret), "{secret} in {place}: {text}");
        }
    }
    let kept = std::fs::read_to_string(pod.data().join("pushed.json")).unwrap();
    assert!(
        kept.contains(SECRETS[2]) && mailwright_tests::harness::is_private(&pod.data().join("pushed.json"))
    );
}
