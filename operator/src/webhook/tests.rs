//! Requests as the forges send them, with what becomes of them.

use super::signature::hex;
use super::*;

const BODY: &str = r#"{"ref":"refs/heads/main","before":"0000000000000000000000000000000000000000","after":"1111111111111111111111111111111111111111","commits":[]}"#;
const COMMIT: &str = "1111111111111111111111111111111111111111";

fn token(text: &str) -> Token {
    Token::new(&SecretValue::new(text)).unwrap()
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
    }
    headers
}

fn hmac(token: &Token, body: &[u8]) -> String {
    hex(&::hmac::Mac::finalize(signature::keyed(token.bytes(), &[body])).into_bytes())
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// `accepted refs/heads/main@1111… as id`, `ping`, `ignored`, or `refused 404`.
fn shown(verdict: Verdict) -> String {
    match verdict {
        Verdict::Accepted(push) => {
            let commit = push.commit.map(|commit| format!("@{}", &commit[..4])).unwrap_or_default();
            let delivery = push.delivery.map(|delivery| format!(" as {delivery}")).unwrap_or_default();
            format!("accepted {}{commit}{delivery}", push.references.join(","))
        }
        Verdict::Ping => "ping".to_owned(),
        Verdict::Ignored => "ignored".to_owned(),
        Verdict::Refused(refusal) => format!("refused {}", refusal.status().as_u16()),
    }
}

/// GitHub's documentation has this example.
#[test]
fn a_known_signature_of_github_holds() {
    let token = token("It's a Secret to Everybody");
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let lines = headers(&[("X-Hub-Signature-256", signature), ("X-GitHub-Event", "ping")]);
    assert_eq!(judge(Provider::GitHub, &lines, b"Hello, World!", &token, now()), Verdict::Ping);
}

/// RFC 4231 §4.2, §4.3, §4.7: short keys, and keys longer than a block.
#[test]
fn known_answers_of_the_hmac() {
    let long = [0xaa; 131];
    let table: [(&[u8], &[u8], &str); 3] = [
        (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            &long,
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ];
    for (key, text, expected) in table {
        let mac = ::hmac::Mac::finalize(signature::keyed(key, &[text])).into_bytes();
        assert_eq!(hex(&mac), expected);
    }
}

#[test]
fn each_forge_is_understood() {
    let token = token("a token");
    let signed = hmac(&token, BODY.as_bytes());
    let hub = format!("sha256={signed}");
    let github = |event| {
        headers(&[("X-Hub-Signature-256", &hub), ("X-GitHub-Event", event), ("X-GitHub-Delivery", "id-1")])
    };
    let gitlab = |event| {
        headers(&[("X-Gitlab-Token", "a token"), ("X-Gitlab-Event", event), ("Idempotency-Key", "id-2")])
    };
    let gitea = |event| {
        headers(&[("X-Gitea-Signature", &signed), ("X-Gitea-Event", event), ("X-Gitea-Delivery", "id-3")])
    };
    let forgejo = |event| {
        headers(&[
            ("X-Forgejo-Signature", &signed),
            ("X-Forgejo-Event", event),
            ("X-Forgejo-Delivery", "id-4"),
        ])
    };
    for (provider, lines, expected) in [
        (Provider::GitHub, github("push"), "accepted refs/heads/main@1111 as id-1"),
        (Provider::GitHub, github("ping"), "ping"),
        (Provider::GitHub, github("issues"), "ignored"),
        (Provider::GitLab, gitlab("Push Hook"), "accepted refs/heads/main@1111 as id-2"),
        (Provider::GitLab, gitlab("Tag Push Hook"), "accepted refs/heads/main@1111 as id-2"),
        (Provider::GitLab, gitlab("Note Hook"), "ignored"),
        (Provider::Gitea, gitea("push"), "accepted refs/heads/main@1111 as id-3"),
        (Provider::Gitea, forgejo("push"), "accepted refs/heads/main@1111 as id-4"),
        (Provider::Gitea, gitea("issue_comment"), "ignored"),
        // The signature of one forge is none of another.
        (Provider::GitHub, gitea("push"), "refused 404"),
        (Provider::GitLab, github("push"), "refused 404"),
        (Provider::Generic, github("push"), "refused 404"),
        // Signed, and no event at all.
        (Provider::GitHub, headers(&[("X-Hub-Signature-256", &hub)]), "refused 400"),
    ] {
        assert_eq!(
            shown(judge(provider, &lines, BODY.as_bytes(), &token, now())),
            expected,
            "{provider:?} {lines:?}"
        );
    }
}

#[test]
fn other_events_name_the_references_they_are_about() {
    let token = token("t");
    let table = [
        (Provider::GitHub, "create", r#"{"ref":"v1","ref_type":"tag"}"#, "accepted refs/tags/v1"),
        (Provider::GitHub, "create", r#"{"ref":"topic","ref_type":"branch"}"#, "accepted refs/heads/topic"),
        (Provider::GitHub, "delete", r#"{"ref":"topic","ref_type":"branch"}"#, "accepted refs/heads/topic"),
        (
            Provider::GitHub,
            "push",
            r#"{"ref":"refs/heads/x","after":"0000000000000000000000000000000000000000"}"#,
            "accepted refs/heads/x",
        ),
        (
            Provider::GitHub,
            "pull_request",
            r#"{"number":7,"pull_request":{"head":{"sha":"2222222222222222222222222222222222222222"}}}"#,
            "accepted refs/pull/7/head@2222",
        ),
        (Provider::Gitea, "pull_request", r#"{"number":8}"#, "accepted refs/pull/8/head"),
        (
            Provider::GitLab,
            "Merge Request Hook",
            r#"{"object_attributes":{"iid":9,"last_commit":{"id":"3333333333333333333333333333333333333333"}}}"#,
            "accepted refs/merge-requests/9/head@3333",
        ),
        (Provider::GitHub, "push", r#"{"ref":"main","after":"x"}"#, "accepted "),
        (Provider::GitHub, "push", r#"{"ref":"refs/heads/a\nb"}"#, "accepted "),
        (Provider::GitHub, "push", "[]", "accepted "),
        (Provider::GitHub, "push", "", "accepted "),
        (Provider::GitHub, "push", "{", "refused 400"),
        (Provider::GitHub, "push", "\"text\"", "refused 400"),
    ];
    for (provider, event, body, expected) in table {
        let signed = hmac(&token, body.as_bytes());
        let hub = format!("sha256={signed}");
        let lines = headers(&[
            ("x-hub-signature-256", &hub),
            ("x-gitea-signature", &signed),
            ("x-gitlab-token", "t"),
            ("x-github-event", event),
            ("x-gitlab-event", event),
            ("x-gitea-event", event),
        ]);
        assert_eq!(
            shown(judge(provider, &lines, body.as_bytes(), &token, now())),
            expected,
            "{event} {body}"
        );
    }
}

#[test]
fn a_form_carries_the_event_in_one_field() {
    let token = token("t");
    let body = "payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%7D";
    let hub = format!("sha256={}", hmac(&token, body.as_bytes()));
    let lines =
        |kind| headers(&[("x-hub-signature-256", &hub), ("x-github-event", "push"), ("content-type", kind)]);
    for (kind, expected) in [
        ("application/x-www-form-urlencoded", "accepted refs/heads/main"),
        ("application/json", "refused 400"),
    ] {
        assert_eq!(shown(judge(Provider::GitHub, &lines(kind), body.as_bytes(), &token, now())), expected);
    }
}

#[test]
fn what_is_not_signed_with_the_token_is_refused_alike() {
    let token = token("a token");
    let right = hmac(&token, BODY.as_bytes());
    let other = hmac(&Token::new(&SecretValue::new("a tokeN")).unwrap(), BODY.as_bytes());
    let refused = Verdict::Refused(Refusal::Signature);
    for value in [
        other.clone(),
        right[..63].to_owned(),
        right.clone() + "0",
        format!("0{}", &right[1..]).replace(&right[..1], "z"),
        String::new(),
        "ä".repeat(32),
        right.replace('a', "+"),
    ] {
        let github = headers(&[("x-github-event", "push")]);
        let mut lines = github.clone();
        lines.insert(
            "x-hub-signature-256",
            http::HeaderValue::from_bytes(format!("sha256={value}").as_bytes()).unwrap(),
        );
        assert_eq!(judge(Provider::GitHub, &lines, BODY.as_bytes(), &token, now()), refused, "{value}");
        assert_eq!(judge(Provider::GitHub, &github, BODY.as_bytes(), &token, now()), refused);
    }
    let hub = format!("sha256={right}");
    let twice =
        headers(&[("x-hub-signature-256", &hub), ("x-hub-signature-256", &hub), ("x-github-event", "push")]);
    assert_eq!(
        judge(Provider::GitHub, &twice, BODY.as_bytes(), &token, now()),
        refused,
        "one signature, not two"
    );
    let changed = BODY.replace("main", "mait");
    let lines = headers(&[("x-hub-signature-256", &hub), ("x-github-event", "push")]);
    assert_eq!(judge(Provider::GitHub, &lines, changed.as_bytes(), &token, now()), refused);
    for given in ["", "a toke", "a token ", "A token", "a token a token"] {
        let lines = headers(&[("x-gitlab-token", given), ("x-gitlab-event", "Push Hook")]);
        assert_eq!(judge(Provider::GitLab, &lines, BODY.as_bytes(), &token, now()), refused, "{given}");
    }
}

#[test]
fn a_generic_webhook_is_taken_within_its_window_only() {
    let token = token("t");
    let body = format!(r#"{{"refs":["refs/heads/main","refs/tags/v1"],"commit":"{COMMIT}"}}"#);
    let at = |seconds: i64| now() + chrono::TimeDelta::seconds(seconds);
    let lines = |signed: DateTime<Utc>, stamp: String| {
        headers(&[(HEADER_SIGNATURE, &sign(&token, signed, body.as_bytes())), (HEADER_TIMESTAMP, &stamp)])
    };
    for (offset, expected) in [
        (0, "accepted refs/heads/main,refs/tags/v1@1111"),
        (-300, "accepted refs/heads/main,refs/tags/v1@1111"),
        (300, "accepted refs/heads/main,refs/tags/v1@1111"),
        (-301, "refused 403"),
        (301, "refused 403"),
    ] {
        let lines = lines(at(offset), at(offset).timestamp().to_string());
        assert_eq!(
            shown(judge(Provider::Generic, &lines, body.as_bytes(), &token, now())),
            expected,
            "{offset}"
        );
    }
    let moved = lines(at(-900), at(0).timestamp().to_string());
    assert_eq!(shown(judge(Provider::Generic, &moved, body.as_bytes(), &token, now())), "refused 404");
    let mut curled = lines(at(0), at(0).timestamp().to_string());
    curled.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    let told = shown(judge(Provider::Generic, &curled, body.as_bytes(), &token, now()));
    assert!(told.starts_with("accepted refs/heads/main"), "what curl calls a form is none: {told}");
    let empty = headers(&[(HEADER_SIGNATURE, &sign(&token, at(0), b"")), (HEADER_TIMESTAMP, "1800000000")]);
    assert_eq!(shown(judge(Provider::Generic, &empty, b"", &token, now())), "accepted ");
    for stamp in ["", "x", "99999999999999999999", "-1", "1.5"] {
        let mac = hex(&::hmac::Mac::finalize(signature::keyed(b"t", &[stamp.as_bytes(), b"."])).into_bytes());
        let lines = headers(&[(HEADER_SIGNATURE, &format!("sha256={mac}")), (HEADER_TIMESTAMP, stamp)]);
        assert_eq!(shown(judge(Provider::Generic, &lines, b"", &token, now())), "refused 400", "{stamp}");
    }
}

#[test]
fn an_empty_token_is_none_and_a_token_is_never_shown() {
    for text in ["", "\n", " \r\n"] {
        assert!(Token::new(&SecretValue::new(text)).is_none());
    }
    let token = token("hunter2\n");
    assert_eq!(token.bytes(), b"hunter2");
    assert!(!format!("{token:?}").contains("hunter2"));
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_is_sent_is_refused_without_the_token(
            body in prop::collection::vec(any::<u8>(), 0..100),
            value in "[ -~]{0,80}",
            stamp in "[0-9]{0,12}",
        ) {
            let token = token("the right one");
            for provider in [Provider::GitHub, Provider::GitLab, Provider::Gitea, Provider::Generic] {
                let names = ["x-hub-signature-256", "x-gitlab-token", "x-gitea-signature", HEADER_SIGNATURE];
                let mut lines = headers(&names.map(|name| (name, value.as_str())));
                lines.insert(HEADER_TIMESTAMP, stamp.parse().unwrap());
                prop_assert_eq!(judge(provider, &lines, &body, &token, now()), Verdict::Refused(Refusal::Signature));
            }
        }

        #[test]
        fn a_signed_body_of_any_bytes_never_panics(body in prop::collection::vec(any::<u8>(), 0..200), form in any::<bool>()) {
            let token = token("t");
            let kind = if form { "application/x-www-form-urlencoded" } else { "application/json" };
            let hub = format!("sha256={}", hmac(&token, &body));
            let lines = headers(&[("x-hub-signature-256", &hub), ("x-github-event", "push"), ("content-type", kind)]);
            prop_assert_ne!(judge(Provider::GitHub, &lines, &body, &token, now()), Verdict::Refused(Refusal::Signature));
        }
    }
}
