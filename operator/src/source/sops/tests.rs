//! Files that real `sops` wrote: some kept here (`known/`), some made on the spot by the program, where it is there.

use super::*;
use crate::source::manifest::{FileContents, read_file};
use crate::source::yaml::{Node, parse};
use crate::source::{Content, SecretValue};

mod real;

const KEY_FILE: &str = include_str!("tests/known/one.agekey");
const SECRETS: &str = include_str!("tests/known/secrets.yaml");
const ONLY: &str = include_str!("tests/known/only.yaml");
const BAD: &str = include_str!("tests/known/bad.yaml");
const TREE: &str = include_str!("tests/known/tree.yaml");
const SHAMIR: &str = include_str!("tests/known/shamir.yaml");

/// What is in the files and must be in no message.
const PLAIN: [&str; 4] = ["sesame-0pen", "swordf1sh", "c2VzYW1lLTBwZW4=", "plain words"];

fn key() -> Decryption {
    Decryption::from_keys([("one.agekey", &SecretValue::new(KEY_FILE))]).unwrap()
}

fn another_key() -> Decryption {
    let other = age::x25519::Identity::generate();
    let text = age::secrecy::ExposeSecret::expose_secret(&other.to_string()).to_owned();
    Decryption::from_keys([("other", &SecretValue::new(text))]).unwrap()
}

fn read(text: &str, decryption: &Decryption) -> FileContents {
    let contents = read_file("f.yaml", text.as_bytes(), decryption);
    let shown = format!("{contents:?}");
    assert!(PLAIN.iter().all(|plain| !shown.contains(plain)), "{shown}");
    let kept = contents.broken.as_ref().and_then(|broken| broken.text.clone()).unwrap_or_default();
    assert!(PLAIN.iter().all(|plain| !kept.contains(plain)), "{kept}");
    contents
}

/// Name, key and value of everything in the Secrets of a file.
fn values(contents: &FileContents) -> Vec<String> {
    assert!(contents.problems.is_empty() && contents.broken.is_none(), "{:?}", contents.problems);
    let mut found = Vec::new();
    for object in &contents.objects {
        let Content::Secret(secret) = &object.content else { panic!("{object:?}") };
        for (key, value) in &secret.values {
            let value = String::from_utf8_lossy(value.expose());
            found.push(format!("{}:{} {key}={value}", object.reference.name, object.origin.line));
        }
    }
    found
}

/// The one message of a file that does not open; its objects are known by name and none is taken.
fn refused(text: &str, decryption: &Decryption) -> String {
    let contents = read(text, decryption);
    assert!(contents.objects.is_empty() && contents.broken.is_some() && contents.encrypted);
    let problems: Vec<String> = contents.problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.concat()
}

#[test]
fn secrets_of_several_documents_open_with_their_lines() {
    let expected = [
        "alice-password:2 empty=",
        "alice-password:2 lines=one\ntwo\n",
        "alice-password:2 password=sesame-0pen",
        "alice-password:2 raw=sesame-0pen",
        "bob-password:40 password=swordf1sh",
    ];
    assert_eq!(values(&read(SECRETS, &key())), expected);
    let only = values(&read(ONLY, &key()));
    assert_eq!(only.len(), expected.len());
    assert!(only[2].ends_with("password=sesame-0pen"), "{only:?}");
}

#[test]
fn every_type_of_value_opens_as_sops_does() {
    let mut documents = parse(TREE.as_bytes()).unwrap();
    open(&mut documents, &key()).unwrap();
    let root = documents[0].root.as_ref().unwrap();
    let expected: serde_json::Value = serde_json::from_str(include_str!("tests/known/tree.json")).unwrap();
    assert_eq!(root.to_json(), expected);
    assert_eq!(root.get("number").unwrap().mark, Mark { line: 3, column: 9 });
    let list = root.get("list").unwrap();
    assert_eq!(list.mark.line, 18);
    documents[0].root.as_mut().unwrap().wipe();
    assert!(!format!("{documents:?}").contains("plain words"));
}

#[test]
fn a_file_that_does_not_open_is_refused_as_a_whole_with_one_message() {
    let cut = SECRETS.replace("    mac: ENC", "    other: ENC");
    let table = [
        (SECRETS.to_owned(), Decryption::default(), "f.yaml:15:1: sops: the file is encrypted for age1aukka"),
        (SECRETS.to_owned(), another_key(), "and not for age1"),
        (SHAMIR.to_owned(), key(), "f.yaml:17:5: sops.key_groups: the data key is shared among key groups"),
        (
            SECRETS.replace("since: 2024-05-01T00:00:00Z", "since: 2024-05-02T00:00:00Z"),
            key(),
            "sops.mac: the MAC does not fit",
        ),
        (
            SECRETS.replace("name: bob-password", "name: eve-password"),
            key(),
            "sops.mac: the MAC does not fit",
        ),
        (
            SECRETS.replacen("lastmodified: \"2026", "lastmodified: \"2025", 1),
            key(),
            "sops.mac: the MAC is damaged",
        ),
        (
            SECRETS.replacen("lastmodified: \"2026", "lastmodified: \"soon", 1),
            key(),
            "sops.lastmodified: is not a time",
        ),
        (cut, key(), "f.yaml:15:1: sops.mac: is missing, and without it no value is trusted"),
        (
            SECRETS.replacen("password: ENC", "other: ENC", 1),
            key(),
            "stringData.other: does not decrypt: it was changed, or copied here",
        ),
        (SECRETS.replacen("type:str]", "type:int]", 1), key(), "has a type that sops does not write here"),
        (SECRETS.replacen(",type:str]", "]", 1), key(), "is damaged: this is not how sops writes"),
        (
            SECRETS.replacen("password: ENC", "password: Enc", 1),
            key(),
            "f.yaml:10:15: stringData.password: is not encrypted, and the rule",
        ),
        (
            SECRETS.replacen("encrypted_regex: ^(data|stringData)$", "encrypted_regex: \"[\"", 1),
            key(),
            "sops.encrypted_regex: this is no regular expression",
        ),
        (
            SECRETS.replacen("encrypted_regex: ^", "encrypted_suffix: _x\n    encrypted_regex: ^", 1),
            key(),
            "several rules",
        ),
        (SECRETS.replacen("BEGIN AGE", "BEGIN AGO", 1), key(), "sops.age: the data key for age1aukka"),
        (
            SECRETS.replacen("recipient: age1aukka", "recipient: [age1]\n          x: age1aukka", 1),
            key(),
            "the list of age recipients is damaged",
        ),
        (
            SECRETS.replacen("kind: Secret", "kind: Mailbox", 1),
            key(),
            "stringData.password: is encrypted, and only data",
        ),
        (
            SECRETS.replacen(
                "metadata:\n    name: alice-password",
                "metadata:\n    name: ENC[AES256_GCM,data:YQ==]",
                1,
            ),
            key(),
            "metadata.name: is encrypted, and only data",
        ),
    ];
    for (text, decryption, expected) in table {
        let told = refused(&text, &decryption);
        assert!(told.contains(expected), "{expected}: {told}");
        assert!(told.contains("; "), "it says what to do: {told}");
    }
}

/// Nothing and an empty text are the same to the MAC: `sops` takes it, and so is it taken here.
#[test]
fn an_empty_text_may_become_nothing() {
    let contents = read(&SECRETS.replace("empty: \"\"", "more: \"\""), &key());
    assert!(values(&contents).contains(&"alice-password:2 more=".to_owned()));
}

#[test]
fn files_for_other_services_say_how_to_add_an_age_key() {
    let block = |list: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\nstringData: {{a: \"ENC[AES256_GCM,data:a]\"}}\nsops:\n  \
             {list}\n  lastmodified: \"2026-11-21T07:55:03Z\"\n  mac: x\n"
        )
    };
    for (list, expected) in [
        ("pgp: [{fp: A, enc: x}]", "encrypted with OpenPGP only"),
        ("kms: [{arn: A, enc: x}]\n  hc_vault: [{vault_address: a}]", "encrypted with AWS KMS, Vault only"),
        ("age: []", "names nobody whom it is encrypted for"),
    ] {
        let told = refused(&block(list), &key());
        assert!(told.starts_with("f.yaml:5:1: sops: ") && told.contains(expected), "{told}");
        assert!(told.contains("sops rotate --in-place --add-age"), "{told}");
    }
}

#[test]
fn documents_that_were_joined_later_are_told_apart() {
    let plain = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {a: b}\n---\n";
    let told = refused(&format!("{plain}{SECRETS}"), &key());
    assert!(told.contains("the first document has no sops block"), "{told}");
    let told = refused(&format!("{SECRETS}---\n{}", ONLY.replace("-password", "-other")), &key());
    assert!(told.contains("was encrypted apart from those before it"), "{told}");
    let listed = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  metadata: {name: a}\n  sops: {}\n";
    let contents = read(listed, &key());
    assert!(contents.problems[0].message.contains("then put into a List"), "{:?}", contents.problems);
}

/// The rows of what a file declares stay: by name when names are readable, all of them when they may be hidden.
#[test]
fn a_refused_file_keeps_what_it_may_declare() {
    let contents = read(SECRETS, &Decryption::default());
    let names: Vec<_> = contents.broken_objects.iter().map(|object| object.reference.to_string()).collect();
    assert_eq!(names, ["Secret default/alice-password", "Secret default/bob-password"]);
    assert_eq!(contents.broken.unwrap().text.as_deref(), Some(SECRETS));
    let hidden = SECRETS.replace("name: bob-password", "name: ENC[AES256_GCM,data:YQ==]");
    assert_eq!(read(&hidden, &key()).broken.unwrap().text, None);
}

/// A key that comes later, or is taken away, makes encrypted files be read again, whatever the source.
#[test]
fn other_keys_read_again() {
    use crate::source::{Options, Reference, Source};

    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("secrets.yaml"), SECRETS).unwrap();
    let plain = "apiVersion: v1\nkind: Secret\nmetadata: {name: other}\nstringData: {a: b}\n";
    std::fs::write(home.path().join("plain.yaml"), plain).unwrap();
    let repository = git2::Repository::init(home.path()).unwrap();
    let mut index = repository.index().unwrap();
    index.add_all(["*.yaml"], git2::IndexAddOption::DEFAULT, None).unwrap();
    let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
    let who = git2::Signature::new("alice", "alice@example.test", &git2::Time::new(1000, 0)).unwrap();
    repository.commit(Some("refs/heads/main"), &who, &who, "change", &tree, &[]).unwrap();

    let named = Reference::Named("main".to_owned());
    for reference in [Reference::default(), named] {
        let options = Options { reference, ..Options::default() };
        let mut source = Source::open(&home.path().display().to_string(), options).unwrap();
        let snapshot = source.load().unwrap().unwrap();
        assert_eq!((snapshot.objects.len(), snapshot.broken_files.len()), (1, 1));
        source.set_decryption(key());
        let snapshot = source.load().unwrap().expect("it is read again");
        assert_eq!((snapshot.objects.len(), snapshot.broken_files.len()), (3, 0), "{:?}", snapshot.problems);
        source.set_decryption(key());
        assert!(source.load().unwrap().is_none(), "the same key changes nothing");
        assert_eq!(source.load_revision("main").unwrap().objects.len(), 3);
        source.set_decryption(another_key());
        assert_eq!(source.load().unwrap().unwrap().broken_files.len(), 1);
    }
}

/// Names that are hidden say nothing; what is in the wrong place says where, and never what it is.
#[test]
fn a_value_that_does_not_fit_is_not_shown() {
    let contents = read(BAD, &key());
    let told: Vec<String> = contents.problems.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("spec.credentials.passwordHash: the value is not a password hash"), "{told:?}");
    assert!(told[1].contains("data.c: is not base64"), "{told:?}");
    assert!(
        contents.broken.is_none() && contents.broken_objects.len() == 2,
        "the objects are broken, not the file"
    );
    assert!(!format!("{contents:?}").contains("hunter2"));
}

#[test]
fn what_is_ignored_anyhow_needs_no_key() {
    let foreign = SECRETS.replace("kind: Secret", "kind: ConfigMap");
    let contents = read(&foreign, &Decryption::default());
    assert!(contents.broken.is_none() && !contents.encrypted);
    assert!(contents.problems.iter().all(|problem| problem.message.contains("is ignored")));
}

#[test]
fn a_syntax_error_in_an_encrypted_file_stops_all_of_it() {
    let text = format!("{SECRETS}---\nkind: [\n");
    let told = refused(&text, &key());
    assert!(told.starts_with("f.yaml:7") && !told.contains("MAC"), "{told}");
}

/// Whatever happens to a file, no text of it comes out, and nothing is taken from it.
#[test]
fn a_changed_byte_anywhere_is_noticed_or_harmless() {
    let whole = values(&read(SECRETS, &key()));
    let mut refused = 0;
    for at in (0..SECRETS.len()).step_by(7) {
        let mut bytes = SECRETS.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let contents = read(&text, &key());
        match contents.problems.is_empty() {
            // A byte of a comment, of the other recipient or of a key that nobody reads.
            true => assert_eq!(values(&contents).len(), whole.len(), "{at}"),
            false => refused += 1,
        }
    }
    assert!(refused > SECRETS.len() / 7 / 3, "{refused}");
}
