//! Fields that are signed, keys that are damaged, and signatures held against the public half of the key. Other people's
//! verifiers do the same in tests/tests/clients_dkim.rs.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ED25519, KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use proptest::prelude::*;

use super::*;
use crate::config::Secret;

const MESSAGE: &str = "Received: from a\r\nFrom: Alice\r\n <alice@example.test>\r\nTo: bob@example.org\r\nsubject:  Hi \r\n\
    Date: Fri, 20 Nov 2026 08:04:05 +0000\r\nX-Own: 1\r\n\r\nHello  world \r\n\r\n\r\n";

fn pem(der: &[u8]) -> Secret {
    Secret::new(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der)))
}

struct Keys {
    rsa: RsaKeyPair,
    ed25519: Ed25519KeyPair,
    signers: Arc<Signers>,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let ed25519 = Ed25519KeyPair::generate().unwrap();
    let rsa_der: Pkcs8V1Der<'_> = rsa.as_der().unwrap();
    let ed25519_der: Pkcs8V1Der<'_> = ed25519.as_der().unwrap();
    let keys = vec![
        key("202611r", DkimAlgorithm::RsaSha256, pem(rsa_der.as_ref())),
        key("202611e", DkimAlgorithm::Ed25519Sha256, pem(ed25519_der.as_ref())),
    ];
    let (signers, errors) = Signers::new(&BTreeMap::from([("example.test".to_owned(), keys)]));
    assert_eq!(errors, []);
    Keys { rsa, ed25519, signers: Arc::new(signers) }
});

fn key(selector: &str, algorithm: DkimAlgorithm, pem: Secret) -> SigningKey {
    SigningKey { selector: selector.to_owned(), algorithm, pem }
}

fn sign(message: &str) -> Vec<String> {
    let signed = KEYS.signers.sign("Example.TEST", message.as_bytes(), 1_795_000_000);
    let signed = String::from_utf8(signed).unwrap();
    fields(signed.as_bytes()).map(|field| String::from_utf8(field.raw.to_vec()).unwrap()).collect()
}

fn tag(field: &str, name: &str) -> String {
    let value = field.strip_prefix("DKIM-Signature:").unwrap().replace(['\r', '\n', '\t', ' '], "");
    let tag = value.split(';').find_map(|tag| tag.strip_prefix(&format!("{name}=")).map(str::to_owned));
    tag.unwrap_or_else(|| panic!("no {name}= in {field}"))
}

/// A verifier of the few lines that RFC 6376 §6.1.3 needs, sharing nothing with the signer but the canonical forms.
fn verifies(field: &str, message: &str) -> bool {
    let mut signed = Vec::new();
    let mut used: Vec<usize> = Vec::new();
    let all: Vec<_> = fields(message.as_bytes()).collect();
    for name in tag(field, "h").split(':') {
        let unused = |at: &usize| all[*at].is(name) && !used.contains(at);
        if let Some(at) = (0..all.len()).rev().find(unused) {
            used.push(at);
            canonical::field(&mut signed, all[at].name, all[at].value);
        }
    }
    let (bare, signature) = field.split_at(field.rfind("b=").unwrap() + 2);
    canonical::field(&mut signed, b"dkim-signature", &bare.as_bytes()["DKIM-Signature:".len()..]);
    signed.truncate(signed.len() - 2);
    let signature = STANDARD.decode(signature.replace(['\r', '\n', '\t', ' '], "")).unwrap();
    let body = canonical::body_hash(&message.as_bytes()[body_offset(message.as_bytes())..]);
    let good = match tag(field, "a").as_str() {
        "rsa-sha256" => {
            let public = KEYS.rsa.public_key().as_ref();
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public).verify(&signed, &signature).is_ok()
        }
        _ => {
            let public = KEYS.ed25519.public_key().as_ref();
            let hash = digest(&SHA256, &signed);
            UnparsedPublicKey::new(&ED25519, public).verify(hash.as_ref(), &signature).is_ok()
        }
    };
    good && tag(field, "bh") == STANDARD.encode(body)
}

#[test]
fn both_keys_sign() {
    let signed = sign(MESSAGE);
    assert_eq!(signed.len(), 2);
    for (field, algorithm, selector) in
        [(&signed[0], "rsa-sha256", "202611r"), (&signed[1], "ed25519-sha256", "202611e")]
    {
        for (name, value) in [
            ("v", "1"),
            ("a", algorithm),
            ("c", "relaxed/relaxed"),
            ("d", "example.test"),
            ("s", selector),
            ("t", "1795000000"),
            ("h", "From:From:To:Subject:Date"),
        ] {
            assert_eq!(tag(field, name), value, "{field}");
        }
        assert!(!field.contains(" l=") && !field.contains("x="), "{field}");
        assert!(field.lines().all(|line| line.len() <= 78), "{field}");
        assert!(verifies(field, MESSAGE), "{field}");
    }
}

#[test]
fn what_counts_and_what_does_not() {
    let field = &sign(MESSAGE)[0];
    for (change, with, valid) in [
        ("Received: from a\r\n", "Received: from b\r\nReceived: from c\r\n", true),
        ("subject:  Hi \r\n", "Subject: Hi\r\n", true),
        ("Hello  world \r\n\r\n\r\n", "Hello world\r\n", true),
        ("X-Own: 1", "X-Own: 2", true),
        ("subject:  Hi", "subject: Ho", false),
        ("Hello", "Hallo", false),
        ("Hello  world", "Helloworld", false),
        ("To: bob", "To: eve", false),
        ("From: Alice", "From: mallory@example.test\r\nFrom: Alice", false),
        ("X-Own: 1\r\n", "X-Own: 1\r\nFrom: mallory@example.test\r\n", false),
    ] {
        let changed = MESSAGE.replace(change, with);
        assert_ne!(changed, MESSAGE, "{change}");
        assert_eq!(verifies(field, &changed), valid, "{change:?} as {with:?}");
    }
}

#[test]
fn bodies_and_headers_of_all_kinds() {
    let long = "x".repeat(9000);
    for body in
        ["", "\r\n", "\r\n\r\n\r\n", "one line without end", "Gr\u{fc}\u{df}e\r\n", " \t \r\n", long.as_str()]
    {
        for header in [
            "From: alice@example.test\r\n",
            "from : alice@example.test\r\n",
            "From: alice@example.test\r\nSubject: \u{e4}\r\n\tfolded\r\n  twice \r\n",
            "From: alice@example.test\r\nTo: a@x.test\r\nTo: b@x.test\r\nCc:\r\n",
        ] {
            let message = format!("{header}\r\n{body}");
            for field in sign(&message) {
                assert!(verifies(&field, &message), "{message:?}");
            }
        }
    }
}

#[test]
fn no_signature() {
    assert_eq!(sign("To: bob@example.org\r\n\r\nFrom: x\r\n"), [""; 0], "without From");
    assert!(KEYS.signers.sign("example.org", MESSAGE.as_bytes(), 0).is_empty(), "not our domain");
    assert_eq!(KEYS.signers.selectors("example.org"), []);
    assert_eq!(
        KEYS.signers.selectors("EXAMPLE.test"),
        [("202611r", "rsa-sha256"), ("202611e", "ed25519-sha256")]
    );
}

#[test]
fn damaged_keys_are_left_out_and_not_shown() {
    let der: Pkcs8V1Der<'_> = KEYS.ed25519.as_der().unwrap();
    let good = pem(der.as_ref());
    let keys = vec![
        key("a", DkimAlgorithm::Ed25519Sha256, good.clone()),
        key("b", DkimAlgorithm::RsaSha256, good.clone()),
        key("c", DkimAlgorithm::RsaSha256, Secret::new("hush")),
        key("d", DkimAlgorithm::Ed25519Sha256, pem(b"hush")),
        key("e; l=0", DkimAlgorithm::Ed25519Sha256, good),
    ];
    let (signers, errors) = Signers::new(&BTreeMap::from([("example.test".to_owned(), keys)]));
    assert_eq!(signers.selectors("example.test"), [("a", "ed25519-sha256")]);
    let reasons: Vec<&str> = errors.iter().map(|error| error.reason).collect();
    assert_eq!(
        reasons,
        [
            "it is no RSA key",
            "it is no PKCS #8 key in PEM",
            "it is no Ed25519 key",
            "its selector is no DNS label"
        ]
    );
    assert!(errors[0].to_string().contains("b of example.test"), "{}", errors[0]);
    assert!(!format!("{signers:?} {errors:?}").contains("hush"));
}

#[tokio::test]
async fn off_the_event_loop_it_is_the_same() {
    let message = Bytes::from_static(MESSAGE.as_bytes());
    let apart = super::sign(&KEYS.signers, "example.test", message.clone(), 7).await;
    assert_eq!(apart, KEYS.signers.sign("example.test", &message, 7));
    assert!(super::sign(&KEYS.signers, "example.org", message, 7).await.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever is sent, what was signed is what a verifier sees.
    #[test]
    fn any_message(tail in "(To|Subject|X|:| |\t|\r\n|\u{e9}|b){0,40}") {
        let message = format!("From: alice@example.test\r\n{tail}");
        for field in sign(&message) {
            prop_assert!(verifies(&field, &message));
        }
    }
}
