//! DNS records: known answers from the RFCs, and zones that real name servers load.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use std::io::Write as _;
use std::net::IpAddr;
use std::process::{Command, Stdio};

use mailwright_crds::mail_domain::DkimAlgorithm;
use mailwright_plan::dns::{self, DkimKey, Input, Record, Services};
use mailwright_plan::observed::{DomainDeclared, Listener, ServerDeclared, ServerLimits, Tls};
use serde_json::{Value, json};

const BOTH: Services =
    Services { imap: Some(143), imaps: Some(993), submission: Some(587), submissions: Some(465) };

fn domain(dns: Value) -> DomainDeclared {
    DomainDeclared {
        domain: "example.test".into(),
        server: "default/main".into(),
        aliases: vec!["example.net".into()],
        parked: false,
        catch_all: None,
        limits: Default::default(),
        dns,
    }
}

/// The Ed25519 key of RFC 8463 Appendix A; the RSA one stands for a SubjectPublicKeyInfo of the usual length.
fn keys() -> Vec<DkimKey> {
    let ed25519 = [
        0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e,
        0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
    ];
    let rsa: Vec<u8> = (0..294u16).map(|i| i as u8).collect();
    vec![
        DkimKey { selector: "202611r".into(), algorithm: DkimAlgorithm::Rsa2048, public: rsa },
        DkimKey { selector: "202611e".into(), algorithm: DkimAlgorithm::Ed25519, public: ed25519.to_vec() },
    ]
}

fn records(domain: &DomainDeclared, services: Services, addresses: &[IpAddr]) -> Vec<Record> {
    let dkim = keys();
    let input = Input {
        name: &domain.domain,
        domain,
        hostname: "mail.example.test",
        dkim: &dkim,
        services,
        addresses,
    };
    dns::records(&input)
}

/// The values of the records with a name and type.
fn values<'a>(records: &'a [Record], name: &str, type_: &str) -> Vec<&'a str> {
    records
        .iter()
        .filter(|record| record.name == name && record.type_ == type_)
        .map(|it| it.value.as_str())
        .collect()
}

fn check(declared: Value, name: &str, type_: &str, expected: &[&str]) {
    assert_eq!(values(&records(&domain(declared), BOTH, &[]), name, type_), expected, "{name} {type_}");
}

#[test]
fn what_every_domain_gets() {
    check(json!({}), "example.test", "MX", &["10 mail.example.test."]);
    check(json!({}), "example.test", "TXT", &[r#""v=spf1 mx ~all""#]);
    check(json!({}), "_dmarc.example.test", "TXT", &[r#""v=DMARC1; p=none""#]);
    check(json!({}), "_imaps._tcp.example.test", "SRV", &["0 1 993 mail.example.test."]);
    check(json!({}), "_imap._tcp.example.test", "SRV", &["10 1 143 mail.example.test."]);
    check(json!({}), "autoconfig.example.test", "CNAME", &["mail.example.test."]);
    check(json!({}), "_submissions._tcp.example.test", "SRV", &["0 1 465 mail.example.test."]);
    check(json!({}), "_submission._tcp.example.test", "SRV", &["10 1 587 mail.example.test."]);
    for service in ["_pop3", "_pop3s"] {
        check(json!({}), &format!("{service}._tcp.example.test"), "SRV", &["0 0 0 ."]);
    }
    for (name, type_) in [
        ("_mta-sts.example.test", "TXT"),
        ("mta-sts.example.test", "CNAME"),
        ("_smtp._tls.example.test", "TXT"),
        ("example.test", "CAA"),
        ("mail.example.test", "A"),
    ] {
        check(json!({}), name, type_, &[]);
    }
}

#[test]
fn spf_lists_who_else_may_send() {
    let spf = json!({"spf": {"include": ["_spf.example.org"], "ip4": ["192.0.2.0/24"], "ip6": ["2001:db8::1"], "all": "Fail"}});
    let expected = r#""v=spf1 mx ip4:192.0.2.0/24 ip6:2001:db8::1 include:_spf.example.org -all""#;
    check(spf, "example.test", "TXT", &[expected]);
    check(json!({"spf": {"all": "Neutral"}}), "example.test", "TXT", &[r#""v=spf1 mx ?all""#]);
}

#[test]
fn dkim_keys_are_split_into_strings_of_255() {
    let found = records(&domain(json!({})), BOTH, &[]);
    let ed25519 = values(&found, "202611e._domainkey.example.test", "TXT");
    assert_eq!(ed25519, [r#""v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=""#]);
    let rsa = values(&found, "202611r._domainkey.example.test", "TXT")[0];
    let strings: Vec<&str> = rsa.trim_matches('"').split("\" \"").collect();
    assert_eq!(strings.iter().map(|string| string.len()).collect::<Vec<_>>(), [255, 155]);
    assert!(strings[0].starts_with("v=DKIM1; k=rsa; p=AAECAwQF"));
}

#[test]
fn dmarc_says_who_gets_reports() {
    let dmarc = json!({"dmarc": {"policy": "Quarantine", "subdomainPolicy": "Reject",
        "rua": ["dmarc@example.test", "a!b,c@reports.example"]}});
    let broken = records(&domain(dmarc), BOTH, &[]);
    assert_eq!(
        values(&broken, "_dmarc.example.test", "TXT"),
        [r#""v=DMARC1; p=none""#],
        "a comma is no address"
    );
    let dmarc = json!({"dmarc": {"policy": "Quarantine", "subdomainPolicy": "Reject",
        "rua": ["dmarc@example.test", "a!b@reports.example"]}});
    let expected =
        r#""v=DMARC1; p=quarantine; sp=reject; rua=mailto:dmarc@example.test,mailto:a%21b@reports.example""#;
    check(dmarc.clone(), "_dmarc.example.test", "TXT", &[expected]);
    check(dmarc.clone(), "example.test._report._dmarc.reports.example", "TXT", &[r#""v=DMARC1;""#]);
    let zone = dns::zone("example.test", &records(&domain(dmarc), BOTH, &[]));
    assert!(zone.contains("\n; in another zone: example.test._report._dmarc.reports.example."), "{zone}");
}

#[test]
fn mta_sts_is_there_when_it_is_on_and_its_id_follows_the_policy() {
    let with = |mode: &str, age: &str| domain(json!({"mtaSTS": {"mode": mode, "maxAge": age}}));
    assert_eq!(dns::mta_sts_policy(&with("None", "168h"), "mail.example.test"), None);
    assert_eq!(
        dns::mta_sts_policy(&with("Enforce", "168h"), "mail.example.test").unwrap(),
        "version: STSv1\r\nmode: enforce\r\nmx: mail.example.test\r\nmax_age: 604800\r\n"
    );
    let id = |domain: &DomainDeclared| {
        let found = records(domain, BOTH, &[]);
        assert_eq!(values(&found, "mta-sts.example.test", "CNAME"), ["mail.example.test."]);
        values(&found, "_mta-sts.example.test", "TXT")[0].to_owned()
    };
    let (testing, enforce) = (id(&with("Testing", "168h")), id(&with("Enforce", "168h")));
    assert!(testing.starts_with("\"v=STSv1; id=") && testing.len() == 34, "{testing}");
    assert_ne!(testing, enforce);
    assert_ne!(enforce, id(&with("Enforce", "169h")));
    assert_eq!(enforce, id(&with("Enforce", "168h")));
}

#[test]
fn reports_and_issuers_on_request() {
    let declared =
        json!({"tlsReporting": {"rua": ["tls@example.test"]}, "caa": {"issuers": ["letsencrypt.org"]}});
    check(
        declared.clone(),
        "_smtp._tls.example.test",
        "TXT",
        &[r#""v=TLSRPTv1; rua=mailto:tls@example.test""#],
    );
    check(declared, "example.test", "CAA", &[r#"0 issue "letsencrypt.org""#]);
}

#[test]
fn a_parked_domain_refuses_everything() {
    let parked = DomainDeclared { parked: true, ..domain(json!({"dmarc": {"rua": ["dmarc@example.org"]}})) };
    let found = records(&parked, BOTH, &["192.0.2.1".parse().unwrap()]);
    assert_eq!(values(&found, "example.test", "MX"), ["0 ."]);
    assert_eq!(values(&found, "example.test", "TXT"), [r#""v=spf1 -all""#]);
    assert_eq!(values(&found, "*._domainkey.example.test", "TXT"), [r#""v=DKIM1; p=""#]);
    assert_eq!(
        values(&found, "_dmarc.example.test", "TXT"),
        [r#""v=DMARC1; p=reject; rua=mailto:dmarc@example.org""#]
    );
    assert!(
        found.iter().all(|record| record.type_ != "SRV" && record.type_ != "CNAME" && record.type_ != "A")
    );
}

#[test]
fn addresses_appear_only_when_given_and_in_their_zone() {
    let addresses: Vec<IpAddr> = vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
    let found = records(&domain(json!({})), BOTH, &addresses);
    assert_eq!(values(&found, "mail.example.test", "A"), ["192.0.2.1"]);
    assert_eq!(values(&found, "mail.example.test", "AAAA"), ["2001:db8::1"]);
    let declared = domain(json!({}));
    let other = Input {
        name: "example.net",
        domain: &declared,
        hostname: "mail.example.test",
        dkim: &[],
        services: BOTH,
        addresses: &addresses,
    };
    let found = dns::records(&other);
    assert_eq!(values(&found, "example.net", "MX"), ["10 mail.example.test."]);
    assert!(found.iter().all(|record| record.type_ != "A" && record.name.ends_with("example.net")));
}

#[test]
fn a_host_name_is_no_alias_of_itself() {
    let declared = domain(json!({}));
    for (hostname, expected) in
        [("autoconfig.example.test", 0), ("mail.example.test", 1), ("mail.example.org", 1)]
    {
        let input = Input {
            name: "example.test",
            domain: &declared,
            hostname,
            dkim: &[],
            services: BOTH,
            addresses: &[],
        };
        assert_eq!(values(&dns::records(&input), "autoconfig.example.test", "CNAME").len(), expected);
    }
}

#[test]
fn services_follow_the_listeners() {
    let listener = |enabled| Listener { enabled, port: 1143 };
    let server = ServerDeclared {
        name: "default/main".into(),
        hostname: "mail.example.test".into(),
        listeners: [
            ("imap".to_owned(), listener(false)),
            ("imaps".to_owned(), listener(true)),
            ("submissions".to_owned(), listener(true)),
        ]
        .into(),
        tls: Tls::SelfSigned,
        limits: ServerLimits {
            message_size: 1,
            recipients_per_message: 1,
            connections: 1,
            connections_per_address: 1,
        },
        relay: None,
        trusted_networks: vec![],
        auth: Default::default(),
        dns: Default::default(),
        queue: Default::default(),
        policies: Default::default(),
    };
    let expected = Services { imap: None, imaps: Some(993), submission: None, submissions: Some(465) };
    assert_eq!(Services::of(&server), expected);
    let found = records(&domain(json!({})), Services::of(&server), &[]);
    assert_eq!(values(&found, "_imap._tcp.example.test", "SRV"), ["0 0 0 ."]);
}

#[test]
fn records_say_what_they_are_for() {
    let everything = records(&everything(), BOTH, &["192.0.2.1".parse().unwrap()]);
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("dns_table", dns::table(&everything));
        insta::assert_snapshot!("dns_zone", dns::zone("example.test", &everything));
    });
    let json: Value = serde_json::from_str(&dns::json(&everything)).unwrap();
    assert_eq!(json.as_array().unwrap().len(), everything.len());
    assert_eq!(json[0]["requirement"], "Required");
}

fn everything() -> DomainDeclared {
    let long: Vec<String> = (0..40).map(|i| format!("192.0.2.{i}")).collect();
    domain(json!({
        "spf": {"ip4": long, "include": ["_spf.example.org"]},
        "dmarc": {"policy": "Reject", "rua": ["dmarc@example.test", "reports@example.org"]},
        "mtaSTS": {"mode": "Enforce", "maxAge": "168h"},
        "tlsReporting": {"rua": ["tls@example.test"]},
        "caa": {"issuers": ["letsencrypt.org", "sectigo.com"]},
    }))
}

/// Loads a zone into a checker; `None` when it is not installed.
fn load(checker: &str, arguments: &[&str], zone: &str) -> Option<String> {
    let mut child = Command::new(checker)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take().unwrap().write_all(zone.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{checker}: {said}\n{zone}");
    Some(said)
}

#[test]
fn zones_load_in_real_name_servers() {
    let addresses: Vec<IpAddr> = vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
    let parked = DomainDeclared { parked: true, ..everything() };
    let zones = [
        dns::zone("example.test", &records(&everything(), BOTH, &addresses)),
        dns::zone("example.test", &records(&domain(json!({})), Services::default(), &[])),
        dns::zone("example.test", &records(&parked, BOTH, &[])),
    ];
    let mut loaded = 0;
    for zone in &zones {
        let bind = load("named-checkzone", &["example.test", "/dev/stdin"], zone);
        assert!(bind.as_ref().is_none_or(|said| said.contains("OK")), "{bind:?}");
        let nsd = load("nsd-checkzone", &["example.test", "/dev/stdin"], zone);
        assert!(nsd.as_ref().is_none_or(|said| said.contains("is ok")), "{nsd:?}");
        loaded += usize::from(bind.is_some()) + usize::from(nsd.is_some());
    }
    if loaded == 0 {
        let missing = "neither named-checkzone (bind9-utils) nor nsd-checkzone (nsd) is installed";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
        println!("skipped: {missing}");
    }
}
