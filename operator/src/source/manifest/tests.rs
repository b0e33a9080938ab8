//! Tables of manifests with the problems each one gets.

use super::*;
use crate::source::Content;

fn contents(text: &str) -> FileContents {
    read_file("f.yaml", text.as_bytes(), &Decryption::default())
}

fn problems(text: &str) -> Vec<String> {
    contents(text).problems.iter().map(Problem::to_string).collect()
}

fn mailbox(spec: &str) -> String {
    format!("apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {{name: alice}}\nspec:\n{spec}")
}

fn secret(rest: &str) -> String {
    format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: alice}}\n{rest}")
}

/// One text, one problem: `line:column: …` as the user sees it behind the file name.
fn check(text: &str, expected: &str) {
    assert_eq!(problems(text), [format!("f.yaml:{expected}")], "{text}");
}

#[test]
fn resources_come_with_defaults_and_namespace() {
    let contents = contents(&mailbox("  address: alice@example.test\n"));
    assert_eq!(contents.problems, []);
    let object = &contents.objects[0];
    assert_eq!(object.reference.to_string(), "Mailbox default/alice");
    assert_eq!(object.origin.to_string(), "f.yaml:1");
    let Content::Resource(resource) = &object.content else { panic!("{object:?}") };
    assert_eq!(resource.metadata().namespace.as_deref(), Some("default"));
    let json = resource.to_value().unwrap();
    assert_eq!(json["spec"]["enabled"], true);
    assert_eq!(json["spec"]["deletionPolicy"], "Disable");
    assert_eq!(object.reference.resource(), Some(resource.object_ref()));
}

#[test]
fn wrong_fields_are_told_with_their_place() {
    let table = [
        (
            "  address: a@example.test\n  enabled: yes\n",
            "6:12: spec.enabled: yes without quotes is a boolean to kubectl and a string to YAML 1.2; \
             write true for a boolean, \"yes\" for a string",
        ),
        (
            "  address: a@example.test\n  enabled: \"yes\"\n",
            "6:12: spec.enabled: must be true or false, not a text; write true, without quotes",
        ),
        (
            "  address: a@example.test\n  displayName: 1e3\n",
            "6:16: spec.displayName: must be a display name, not a number; write \"1e3\" in quotes",
        ),
        (
            "  address: a@example.test\n  nickname: al\n",
            "6:3: spec.nickname: unknown field; Mailbox.spec has address, displayName, credentials, quota, enabled, \
             sendAs, deletionPolicy, retainFor",
        ),
        (
            "  address: a@example.test\n  address: b@example.test\n",
            "6:3: spec.address: the key \"address\" is already at line 5; keep one of the two",
        ),
        (
            "  address: a@example.test\n  sendAs:\n    - alice\n",
            "7:7: spec.sendAs[0]: \"alice\" is not an e-mail address: it has no @; write local-part@domain",
        ),
    ];
    for (spec, expected) in table {
        let found = problems(&mailbox(spec));
        // The schema's own words may grow more helpful; place and field may not move.
        let place = |text: &str| text.splitn(5, ':').take(4).collect::<Vec<_>>().join(":");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(place(&found[0]), place(&format!("f.yaml:{expected}")), "{}", found[0]);
        assert_eq!(
            found[0].contains("; "),
            expected.contains("; "),
            "a remedy is there: {} instead of {expected}",
            found[0]
        );
    }
    let booleans = problems(&mailbox("  address: a@example.test\n  enabled: \"yes\"\n"));
    assert!(booleans[0].contains("write true"), "{}", booleans[0]);
    let numbers = problems(&mailbox("  address: a@example.test\n  displayName: 1e3\n"));
    assert!(numbers[0].ends_with("write \"1e3\" in quotes"), "{}", numbers[0]);
}

#[test]
fn all_problems_of_a_file_are_told_at_once() {
    let text = [
        mailbox("  address: nothing\n  enabled: 3\n"),
        "a: \"open\n".to_owned(),
        secret("data: {x: \"%\"}\n"),
        "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbx\nmetadata: {name: b}\n".to_owned(),
        "apiVersion: mailwright.dev/v1alpha1\nkind: Alias\nspec: {}\n".to_owned(),
    ]
    .join("---\n");
    let lines: Vec<u32> = contents(&text).problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [5, 6, 8, 13, 16, 19, 21, 21], "{:#?}", problems(&text));
}

#[test]
fn only_a_known_identity_keeps_an_error_to_its_object() {
    let good = secret("stringData: {a: \"1\"}\n").replace("alice", "bob");
    let known = contents(&(good.clone() + "---\n" + &mailbox("  address: 3\n")));
    assert_eq!((known.objects.len(), known.broken_objects.len()), (1, 1));
    assert!(known.broken.is_none());
    assert_eq!(known.broken_objects[0].reference.to_string(), "Mailbox default/alice");
    let unknown = [
        mailbox("  address: a@example.test\n").replace("name: alice", "nam: alice"),
        mailbox("  address: a@example.test\n").replace("alice}", "Alice!}"),
        mailbox("  address: a@example.test\n").replace("Mailbox", "Mailbx"),
        mailbox("  address: a@example.test\n").replace("v1alpha1", "v1"),
        mailbox("  address: [\n"),
        "- a\n".to_owned(),
        "just text\n".to_owned(),
        mailbox("  address: a@example.test\n") + &secret("stringData: {a: \"1\"}\n"),
        secret("").replace("{name: alice}", "{name: alice, name: carol}"),
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n".to_owned()
            + &mailbox("  address: a@example.test\n"),
    ];
    for text in unknown {
        let found = contents(&(good.clone() + "---\n" + &text));
        assert_eq!(found.objects.len(), 0, "{text}");
        assert_eq!(found.broken_objects.len(), 1, "the other object counts as unchanged: {text}");
        assert!(found.broken.is_some() && !found.problems.is_empty(), "{text}");
    }
}

#[test]
fn other_systems_manifests_stop_nothing() {
    let other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: yes, b: 1, b: 2}\n";
    let found = contents(&(secret("stringData: {a: \"1\"}\n") + "---\n" + other));
    assert_eq!((found.objects.len(), found.broken_objects.len()), (1, 0));
    assert!(found.broken.is_none());
    assert_eq!(found.problems.len(), 1);
    let expected = "f.yaml:6:1: warning: ConfigMap is not a resource of Mailwright and is ignored; \
                    move it out of the path to silence this";
    assert_eq!(found.problems[0].to_string(), expected);
    assert_eq!(contents("# nothing\n---\n---\n").problems, []);
}

#[test]
fn lists_expand_and_keep_errors_to_their_items() {
    let text = "apiVersion: v1\nkind: List\nitems:\n\
                - apiVersion: v1\n  kind: Secret\n  metadata: {name: one}\n\
                - apiVersion: mailwright.dev/v1alpha1\n  kind: Mailbox\n  metadata: {name: two}\n  spec: {address: yes}\n\
                - apiVersion: v1\n  kind: ConfigMap\n";
    let found = contents(text);
    assert_eq!(found.objects.iter().map(|o| o.origin.line).collect::<Vec<_>>(), [4]);
    assert_eq!(found.broken_objects.len(), 1);
    assert_eq!(found.broken_objects[0].origin.line, 7);
    assert!(found.broken.is_none());
    let places: Vec<_> = found.problems.iter().map(|p| (p.line, p.severity, p.object.is_some())).collect();
    assert_eq!(places, [(10, Severity::Error, true), (11, Severity::Warning, false)]);
    let table = [
        ("apiVersion: v1\nkind: List\n", "1:1: items: a List without items"),
        (
            "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: List\n  items: []\n",
            "5:9: kind: a List inside",
        ),
        ("apiVersion: v1\nkind: List\nitems:\n- a\n", "4:3: a manifest is a mapping, and this is a string"),
        ("apiVersion: v1\nkind: List\nitems: []\nitems: []\n", "4:1: items: the key \"items\" is already"),
    ];
    for (text, expected) in table {
        let found = problems(text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&format!("f.yaml:{expected}")), "{}", found[0]);
        assert!(contents(text).broken.is_some(), "{text}");
    }
    let empty = contents("apiVersion: mailwright.dev/v1alpha1\nkind: MailboxList\nitems: []\n");
    assert_eq!((empty.problems.len(), empty.broken.is_some()), (0, false));
}

#[test]
fn metadata_is_checked_like_an_api_server_does() {
    let table = [
        ("{}", "3:1: metadata.name: is missing; write name: with lower-case letters, digits and hyphens"),
        (
            "{generateName: a-}",
            "3:1: metadata.name: is missing; generateName works only with kubectl create; \
             write name: with lower-case letters, digits and hyphens",
        ),
        ("{name: 12}", "3:18: metadata.name: must be a string and is a number; write \"12\" in quotes"),
        (
            "{name: a, namespace: a.b}",
            "3:32: metadata.namespace: a namespace has at most 63 characters and no dots; use the name of a namespace",
        ),
        ("{name: a, lables: {a: b}}", "3:21: metadata.lables: unknown field of metadata; write labels"),
        (
            "{name: a, owner: b}",
            "3:21: metadata.owner: unknown field of metadata; metadata has name, namespace, labels and annotations",
        ),
        (
            "{name: a, uid: b}",
            "3:26: warning: metadata.uid: is written by an API server and ignored here; remove it",
        ),
        (
            "{name: a, labels: {a: true}}",
            "3:33: metadata.labels.a: must be a string and is a boolean; write \"true\" in quotes",
        ),
        (
            "{name: a, labels: [a]}",
            "3:21: metadata.labels: must be a mapping and is a list; write key: \"value\" lines below it",
        ),
        (
            "{name: a, annotations: {\"a b\": c}}",
            "3:42: metadata.annotations[\"a b\"]: is no key of an annotation; write name or example.org/name, with at most 63 letters, digits, -, _ and . in the name",
        ),
        (
            "{name: a, labels: {a: \"b c\"}}",
            "3:33: metadata.labels.a: is no value of a label; use at most 63 letters, digits, hyphens, underscores and dots; an annotation takes any text",
        ),
        ("text", "3:11: metadata: must be a mapping and is a string; write a name: below it"),
    ];
    for (metadata, expected) in table {
        check(&secret("").replace("{name: alice}", metadata), expected);
    }
    check(
        "apiVersion: v1\nkind: Secret\n",
        "1:1: metadata: is missing; write metadata: with a name: below it",
    );
    let good = "{name: a.b-c, namespace: mail, labels: {example.org/team: a_B.c, x: \"\"}, annotations: {a: \"any text\"}}";
    assert_eq!(problems(&secret("").replace("{name: alice}", good)), Vec::<String>::new());
}

#[test]
fn secrets_are_decoded() {
    let text = secret(
        "type: Opaque\ndata:\n  a: aGVs\n  b: |\n    aGVs\n    bG8=\n  c:\nstringData:\n  a: over\n  d: \"\"\n",
    );
    let found = contents(&text);
    assert_eq!(found.problems, []);
    let Content::Secret(secret) = &found.objects[0].content else { panic!("not a Secret") };
    let values: Vec<_> = secret.values.iter().map(|(key, value)| (key.as_str(), value.expose())).collect();
    let expected: [(&str, &[u8]); 4] = [("a", b"over"), ("b", b"hello"), ("c", b""), ("d", b"")];
    assert_eq!(values, expected);
}

#[test]
fn wrong_secrets_are_told_without_their_values() {
    let table = [
        (
            "data: {a: hunter2!}\n",
            "4:11: data.a: is not base64; write the value in base64, or as text below stringData:",
        ),
        (
            "data: {a: 4711}\n",
            "4:11: data.a: must be base64 and is a number; write the value in base64, or as text below stringData:",
        ),
        (
            "stringData: {a: 4711}\n",
            "4:17: stringData.a: must be a string and is a number; put the value in quotes",
        ),
        (
            "stringData: {a: [hunter2]}\n",
            "4:14: stringData.a: must be a string and is a list; put the value in quotes",
        ),
        (
            "stringData: hunter2\n",
            "4:13: stringData: must be a mapping and is a string; write key: value lines below it",
        ),
        ("stringdata: {a: \"1\"}\n", "4:1: stringdata: unknown field of a Secret; write stringData"),
        (
            "password: hunter2\n",
            "4:1: password: unknown field of a Secret; put values below stringData: or data:",
        ),
        ("type: 3\n", "4:7: type: must be a string and is a number; write type: Opaque, or leave it out"),
        ("immutable: 3\n", "4:12: immutable: must be a boolean and is a number; write true or false"),
        (
            "sops: {mac: x}\n",
            "4:1: sops.lastmodified: is missing, and without it no value is trusted; restore the block, or encrypt the file again with sops",
        ),
        (
            "stringData: {a: 0644}\n",
            "4:17: stringData.a: YAML readers disagree on this value (not shown, it may be secret); put it in quotes",
        ),
        (
            "data: {a: !!int hunter2}\n",
            "4:11: data.a: YAML readers disagree on this value (not shown, it may be secret); put it in quotes",
        ),
    ];
    for (rest, expected) in table {
        check(&secret(rest), expected);
    }
    let big = format!("data: {{a: \"{}\"}}\n", "QUFB".repeat(400_000));
    check(&secret(&big), "1:1: 1200000 bytes of values, and a Secret may have 1048576; split it");
    let found = contents(&secret("stringData: {\"a b\": \"1\"}\n"));
    assert_eq!(found.problems[0].field, "stringData[\"a b\"]");
}

#[test]
fn a_secret_never_shows_in_what_a_broken_file_tells() {
    let broken = [
        "stringData: {password: \"hunter2\n",
        "stringData: {password: hunter2, password: hunter2}\n",
        "stringData:\n\tpassword: hunter2\n",
        "stringData: [hunter2]\n",
        "data: {password: !hunter hunter2}\n",
        "data: {password: hunter2: x}\n",
    ];
    for rest in broken {
        let text = secret(rest);
        let found = contents(&text);
        assert!(!found.problems.is_empty(), "{text}");
        assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
        assert!(found.problems.iter().all(|p| !p.to_string().contains("hunter2")), "{:?}", found.problems);
    }
}

#[test]
fn status_is_ignored_with_a_word() {
    let text = mailbox("  address: a@example.test\n") + "status: {conditions: []}\n";
    let found = contents(&text);
    assert_eq!(found.objects.len(), 1);
    let expected = "f.yaml:6:1: warning: status: is written by Mailwright and ignored here; remove it";
    assert_eq!(found.problems[0].to_string(), expected);
}

#[test]
fn what_is_told_is_bounded() {
    let many = (0..30_000).map(|n| format!("---\nx{n}\n")).collect::<String>();
    let found = problems(&many);
    assert_eq!(found.len(), MAX_PROBLEMS + 1);
    assert!(found[MAX_PROBLEMS].contains("the rest is not shown"), "{}", found[MAX_PROBLEMS]);
    let long = format!("kind: \"{}\"\napiVersion: mailwright.dev/v1alpha1\n", "x".repeat(100_000));
    assert!(problems(&long)[0].len() < 1000);
    let keys = (0..1000).map(|n| format!("  a{n}: 1\n  a{n}: 2\n")).collect::<String>();
    assert!(problems(&mailbox(&keys)).len() <= 300);
}

#[test]
fn ten_thousand_accounts_in_one_file_are_read() {
    let text: String = (0..10_000)
        .map(|n| {
            mailbox(&format!("  address: user{n}@example.test\n  quota: 1Gi\n"))
                .replace("alice", &format!("user{n}"))
                + "---\n"
        })
        .collect();
    let started = std::time::Instant::now();
    let found = contents(&text);
    assert_eq!((found.objects.len(), found.problems.len()), (10_000, 0));
    println!("10,000 accounts in {:?}", started.elapsed());
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Any bytes give objects, problems or nothing, but never a panic and never silence about a broken file.
        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let found = read_file("f.yaml", &bytes, &Decryption::default());
            prop_assert!(found.broken.is_none() || !found.problems.is_empty());
        }

        /// A manifest with one line damaged is read, or its objects are broken, or the whole file is; nothing vanishes.
        #[test]
        fn a_damaged_line_never_makes_an_object_vanish_silently(line in 0usize..12, damage in "[ -~\t]{0,20}") {
            let text = mailbox("  address: alice@example.test\n  sendAs:\n    - a@example.test\n") + "---\n"
                + &secret("stringData:\n  password: \"x\"\n");
            let mut lines: Vec<&str> = text.lines().collect();
            let at = line % lines.len();
            lines[at] = &damage;
            let found = read_file("f.yaml", (lines.join("\n") + "\n").as_bytes(), &Decryption::default());
            let told = found.objects.len() + found.broken_objects.len();
            let ignored = found.problems.iter().any(|p| p.message.contains("is ignored"));
            let commented = damage.trim_start().starts_with('#') || damage.trim().is_empty();
            prop_assert!(told >= 2 || found.broken.is_some() || ignored || commented, "{:#?}\n{}", found, lines.join("\n"));
        }
    }
}

#[test]
fn a_missing_name_hides_no_other_mistake() {
    let nameless = "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {name: Not A Name}\nspec: {colour: red}\n";
    let twice = "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nkind: Mailbox\nmetadata: {name: a}\nspec: {colour: red}\n";
    for text in [nameless, twice] {
        let problems = problems(text).join("\n");
        assert!(problems.contains("spec.colour: unknown field"), "{problems}");
        assert!(problems.contains("spec.address"), "{problems}");
        assert!(contents(text).broken.is_some(), "its file counts as unchanged");
    }
}

#[test]
fn fields_know_their_lines() {
    let text = mailbox("  address: a@example.test\n  sendAs:\n  - b@example.test\n  - c@example.test\n");
    let lines = &contents(&text).objects[0].lines;
    let found = ["spec.address", "spec.sendAs", "spec.sendAs[1]"].map(|path| lines.get(path));
    assert_eq!(found, [Some(5), Some(6), Some(8)]);
}

/// Who plans what they may not read sees the objects, and nothing of the values; without the key a Mailbox is not broken.
#[test]
fn what_stays_sealed_is_read_without_its_values() {
    const ENC: &str = "ENC[AES256_GCM,data:a2V5,iv:aXY=,tag:dGFn,type:str]";
    let block = "sops: {mac: x, lastmodified: \"2026-11-20T12:00:00Z\", age: []}\n";
    let secret = |field: &str| {
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\n{field}:\n  alice: {ENC}\n{block}")
    };
    let mailbox = format!(
        "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {{name: alice}}\nspec:\n  address: alice@example.test\n  \
         credentials:\n    passwordHash: {ENC}\n{block}"
    );
    for text in [secret("stringData"), secret("data"), mailbox] {
        let sealed = read_file("f.yaml", text.as_bytes(), &Decryption::sealed());
        let told: Vec<String> = sealed.problems.iter().map(ToString::to_string).collect();
        assert_eq!((sealed.objects.len(), told.as_slice()), (1, &[][..]), "{text}");
        assert!(sealed.broken.is_none() && sealed.encrypted);
        let without = read_file("f.yaml", text.as_bytes(), &Decryption::default());
        assert_eq!((without.objects.len(), without.broken.is_some()), (0, true), "{text}");
    }
}
