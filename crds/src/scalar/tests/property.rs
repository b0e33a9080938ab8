//! What the schema takes, the parser takes, and the other way round: on texts that are nearly right.

use kube::core::cel::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::schema::{SCALARS, ScalarInfo, matches};

/// What an API server would say: length, pattern, then the CEL rules.
fn schema_takes(scalar: &ScalarInfo, text: &str) -> bool {
    let length = text.chars().count();
    let fits = length >= scalar.min_length as usize && length <= scalar.max_length as usize;
    if !fits || !matches(scalar.pattern, text) {
        return false;
    }
    let rules: Vec<Value> =
        scalar.rules.iter().map(|(rule, message)| json!({"rule": rule, "message": message})).collect();
    let schema = json!({"type": "string", "maxLength": scalar.max_length, "x-kubernetes-validations": rules});
    Validator::new().validate(&schema, &json!(text), None).is_ok()
}

/// A label that begins like an A-label must decode, which no pattern can say: there the parser may be stricter.
fn check(scalar: &ScalarInfo, text: &str) {
    let (schema, parser) = (schema_takes(scalar, text), (scalar.explain)(text).is_none());
    let stricter = schema && !parser && text.contains("xn--");
    assert!(schema == parser || stricter, "{} {text:?}: schema {schema}, parser {parser}", scalar.name);
}

/// Numbers at the edge of what an evaluator counts with.
const EXTREMES: [&str; 10] = [
    "999999999999.999999Ei",
    "999999999999.999999E",
    "9999999999999999999",
    "0000000000000000001",
    "0.000001k",
    "000000000000.000001Ki",
    "1152921504606846976",
    "1152921504606846977",
    "999999999h999999999h999999999h999999999h",
    "999999999.999999h999999999.999999m999999999.999999s999999999.999999ms",
];

const SEEDS: [&str; 56] = [
    "alice@example.test",
    "@example.test",
    "jürgen.b+tag@xn--bcher-kva.example",
    "example.test",
    "a-b.c1.example",
    "_spf.example.org",
    "5Gi",
    "1.5Ki",
    "0.000001M",
    "1023.999999Pi",
    "1Ei",
    "720h",
    "1h30m",
    "1.5h0.25ms",
    "87600h",
    "alice-password",
    "tls.crt",
    "192.0.2.0/24",
    "255.255.255.255",
    "2001:db8::/32",
    "::1",
    "10.42.0.0/16",
    "10.0.0.0/7",
    "fc00::/7",
    "10.128.0.0/9",
    "2001:db8:8000::/33",
    "192.0.2.255/32",
    "fc00::/6",
    "::ffff:0:0/96",
    "192.0.2.53:65535",
    "[2001:db8::53]:5353",
    "[::1]",
    "smtp.example.org",
    "relay-1",
    "$6$saltsalt$hash",
    "{SSHA512.HEX}00ff",
    "Alice Müller",
    "topology.kubernetes.io/zone",
    "example.org/a_b.c",
    "",
    "100m",
    "0.125",
    "registry.example.org:5000/mail/mailwright:1.2@sha256:00ff",
    "ClusterIssuer",
    "https://git.example.org:8443/company/mail.git",
    "ssh://git@git.example.org/~alice/mail.git",
    "git@git.example.org:mail.git",
    "file:///srv/mail git",
    "http://[::1]:3000/mail",
    "refs/pull/*/head",
    "release/1.x",
    "mail/accounts/",
    "^1.4",
    "> 1.2.x, <=2",
    "0123456789abcdef0123456789abcdef01234567",
    "https://git.example.org/api/v1",
];

#[test]
fn seeds_are_taken_by_something_and_all_agree() {
    for seed in SEEDS {
        assert!(SCALARS.iter().any(|scalar| schema_takes(scalar, seed)), "{seed}");
        SCALARS.iter().for_each(|scalar| check(scalar, seed));
    }
}

#[test]
fn extremes_are_judged_alike() {
    for text in EXTREMES {
        SCALARS.iter().for_each(|scalar| check(scalar, text));
    }
}

#[test]
fn lengths_agree_at_their_borders() {
    for (unit, domain) in
        [("a", "@example.test"), ("ä", "@example.test"), ("a", ".example"), ("a", ""), ("1", "h"), ("1", "")]
    {
        for length in [
            0, 1, 17, 18, 19, 31, 32, 33, 62, 63, 64, 65, 127, 128, 240, 241, 252, 253, 254, 255, 256, 511,
            512, 513,
        ] {
            let text = format!("{}{domain}", unit.repeat(length));
            SCALARS.iter().for_each(|scalar| check(scalar, &text));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn schema_and_parser_agree_on_nearly_right_texts(
        seed in 0..SEEDS.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), "[a-zA-Z0-9.@/:+_\\-~$ {}äß\u{0}\u{7f}]{0,2}", 0..2usize), 1..4),
    ) {
        let mut text: Vec<char> = SEEDS[seed].chars().collect();
        for (at, insert, delete) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + delete).min(text.len());
            text.splice(at..end, insert.chars());
        }
        let text: String = text.into_iter().collect();
        SCALARS.iter().for_each(|scalar| check(scalar, &text));
    }
}
