//! Keys of OpenPGP, by GnuPG.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use mailwright_operator::source::verify::Keys;

use crate::tools::{Bench, fingerprints, keys, tag_verdict, verdict};

/// 2024-01-15, when the keys of these tests are made.
const TIME: i64 = 1_705_276_800;
const DAY: i64 = 86_400;
const ALICE: &str = "alice <alice@example.test>";

/// What `git verify-commit` says, with a gpg that knows these keys, at a time.
fn git_accepts(bench: &Bench, keys: &[u8], what: &str, id: &str, time: Option<i64>) -> bool {
    let home = bench.path("checker");
    // An agent whose sockets are gone cannot be asked to end.
    let _ = bench.run("gpgconf", &["--homedir", &home.display().to_string(), "--kill", "all"], b"", None);
    std::fs::remove_dir_all(&home).unwrap();
    std::fs::create_dir(&home).unwrap();
    let program = bench.gpg_program("checker", time, "");
    let _ = bench.run(&program, &["--quiet", "--import"], keys, None);
    let option = format!("gpg.program={program}");
    bench.run("git", &["-c", &option, what, id], b"", None).is_ok()
}

fn export(bench: &Bench, key: &str) -> Vec<u8> {
    bench.gpg(TIME, &["--armor", "--export", key], b"")
}

/// Our verdict, and Git's now, which is the same unless the case says so.
fn check(bench: &Bench, file: &[u8], id: &str, expected: Result<&str, &str>, git: bool) {
    let ours = verdict(keys("all.asc", file), &bench.commit(id), Utc::now());
    assert_eq!(ours.as_deref().map_err(String::as_str), expected, "{id}");
    assert_eq!(git_accepts(bench, file, "verify-commit", id, None), git, "git says otherwise: {expected:?}");
}

#[test]
fn every_kind_of_key_signs() {
    let Some(bench) = Bench::with_gpg() else { return };
    let mut all = Vec::new();
    let mut commits = Vec::new();
    for (number, algorithm) in ["ed25519", "rsa2048", "rsa4096", "nistp256", "nistp384"].iter().enumerate() {
        let user = format!("user{number} <user{number}@example.test>");
        let key = bench.gpg_key(&user, algorithm, "sign", "never", TIME);
        let id = bench.gpg_commit(&key, TIME + 60, "");
        let file = export(&bench, &key);
        check(&bench, &file, &id, Ok(&user), true);
        if !all.is_empty() {
            check(&bench, &all, &id, Err("UnknownKey"), false);
        }
        all.extend(file);
        commits.push((id, user));
    }
    // Several keys in one file, one block after the other.
    for (id, user) in &commits {
        check(&bench, &all, id, Ok(user), true);
    }
    let weak = bench.gpg_commit("user0", TIME + 60, "--digest-algo SHA1");
    check(&bench, &all, &weak, Err("UnsupportedSignature"), true);
}

#[test]
fn subkeys_sign_when_they_may() {
    let Some(bench) = Bench::with_gpg() else { return };
    let key = bench.gpg_key(ALICE, "ed25519", "cert", "never", TIME);
    let without = export(&bench, &key);
    bench.gpg(TIME, &["--quick-add-key", &key, "ed25519", "sign", "never"], b"");
    let listed = bench.gpg(TIME, &["--with-colons", "--list-keys", &key], b"");
    let subkey = fingerprints(&String::from_utf8(listed).unwrap())[1].clone();
    let id = bench.gpg_commit(&key, TIME + DAY, "");
    let good = export(&bench, &key);
    check(&bench, &good, &id, Ok(ALICE), true);
    let commit = bench.commit(&id);
    let found = Keys::parse(&BTreeMap::from([("a.asc".to_owned(), good.clone())])).unwrap().fingerprints();
    assert!(found.contains(&subkey) && found.contains(&key), "{found:?}");

    // The subkey ends before the signature was made, though the key itself does not.
    bench.gpg(TIME + 60, &["--quick-set-expire", &key, "seconds=3600", &subkey], b"");
    check(&bench, &export(&bench, &key), &id, Err("ExpiredKey"), false);
    bench.gpg(TIME + 120, &["--quick-set-expire", &key, "0", &subkey], b"");
    check(&bench, &export(&bench, &key), &id, Ok(ALICE), true);

    let revoke = ["--command-fd", "0", "--expert", "--edit-key", &key, "key 1", "revkey", "save"];
    bench.gpg(TIME + 2 * DAY, &revoke, b"y\n0\n\ny\n");
    let revoked = export(&bench, &key);
    assert_ne!(revoked, good);
    check(&bench, &revoked, &id, Err("RevokedKey"), false);
    // A subkey that is not there is unknown, whatever else the key has.
    check(&bench, &without, &id, Err("UnknownKey"), false);
    assert!(commit.signed.is_some());
}

#[test]
fn a_key_counts_while_it_is_valid() {
    let Some(bench) = Bench::with_gpg() else { return };
    let key = bench.gpg_key(ALICE, "ed25519", "sign", "10d", TIME);
    let within = bench.gpg_commit(&key, TIME + DAY, "");
    let file = export(&bench, &key);
    // gpg says today that the key has expired; at the time of the signature it says what we say.
    check(&bench, &file, &within, Ok(ALICE), false);
    assert!(git_accepts(&bench, &file, "verify-commit", &within, Some(TIME + 2 * DAY)));

    bench.gpg(TIME + 60, &["--quick-set-expire", &key, "seconds=43200"], b"");
    let shortened = export(&bench, &key);
    check(&bench, &shortened, &within, Err("ExpiredKey"), false);
    bench.gpg(TIME + 120, &["--quick-set-expire", &key, "0"], b"");
    let lengthened = export(&bench, &key);
    check(&bench, &lengthened, &within, Ok(ALICE), true);
    // From the future, as its own time says.
    let before = DateTime::from_timestamp(TIME + DAY - 3600, 0).unwrap();
    let early = verdict(keys("all.asc", lengthened), &bench.commit(&within), before);
    assert_eq!(early.unwrap_err(), "NotYetValid");
}

#[test]
fn a_revoked_key_counts_never() {
    let Some(bench) = Bench::with_gpg() else { return };
    let key = bench.gpg_key(ALICE, "ed25519", "sign", "never", TIME);
    let id = bench.gpg_commit(&key, TIME + DAY, "");
    check(&bench, &export(&bench, &key), &id, Ok(ALICE), true);
    // GnuPG writes a revocation beside each key, with a colon in front so that nobody imports it by mistake.
    let path = bench.path("gpg").join(format!("openpgp-revocs.d/{key}.rev"));
    let text = std::fs::read_to_string(path).unwrap().replace(":-----BEGIN", "-----BEGIN");
    bench.gpg(TIME + 2 * DAY, &["--import"], text.as_bytes());
    check(&bench, &export(&bench, &key), &id, Err("RevokedKey"), false);
}

#[test]
fn what_was_tampered_with_is_refused() {
    let Some(bench) = Bench::with_gpg() else { return };
    let key = bench.gpg_key(ALICE, "ed25519", "sign", "never", TIME);
    let other = bench.gpg_key("bob <bob@example.test>", "ed25519", "sign", "never", TIME);
    let (file, others) = (export(&bench, &key), export(&bench, &other));
    let id = bench.gpg_commit(&key, TIME + DAY, "");
    let raw = String::from_utf8(bench.object("commit", &id)).unwrap();
    let at = raw.find("-----END PGP").unwrap() - 20;
    let letter = if raw.as_bytes()[at] == b'A' { "B" } else { "A" };
    let damaged = format!("{}{letter}{}", &raw[..at], &raw[at + 1..]);
    let table = [
        (raw.clone(), &file, Ok(ALICE), true),
        (raw.clone(), &others, Err("UnknownKey"), false),
        (raw.replace("\n\nchange", "\n\nanother change"), &file, Err("WrongSignature"), false),
        (damaged, &file, Err("WrongSignature"), false),
        // gpg does not look at the name of the block.
        (raw.replace("BEGIN PGP SIGNATURE", "BEGIN PGP MESSAGE"), &file, Err("WrongSignature"), true),
    ];
    for (content, file, expected, git) in table {
        let id = bench.store("commit", content.as_bytes());
        check(&bench, file, &id, expected, git);
    }
    // An SSH file beside it makes no difference.
    let both = BTreeMap::from([
        ("alice.asc".to_owned(), file),
        ("allowed_signers".to_owned(), b"# nobody\n".to_vec()),
    ]);
    assert_eq!(verdict(Keys::parse(&both).unwrap(), &bench.commit(&id), Utc::now()).as_deref(), Ok(ALICE));
}

#[test]
fn tags_are_judged_as_git_does() {
    let Some(bench) = Bench::with_gpg() else { return };
    let key = bench.gpg_key(ALICE, "ed25519", "sign", "never", TIME);
    let file = export(&bench, &key);
    let head = bench.commit(&bench.gpg_commit(&key, TIME + DAY, ""));
    let program = format!("gpg.program={}", bench.gpg_program("gpg", Some(TIME + DAY), ""));
    bench.git(&["-c", &program, "tag", "-u", &key, "-m", "release", "v1"]);
    let ours = tag_verdict(keys("a.asc", file.clone()), "v1", bench.tag("v1"), &head);
    assert_eq!(ours.as_deref(), Ok(ALICE));
    assert!(git_accepts(&bench, &file, "verify-tag", "v1", None));
    // The same tag under another name: Git does not mind, and here it is refused.
    bench.git(&["update-ref", "refs/tags/v2", "refs/tags/v1"]);
    assert_eq!(
        tag_verdict(keys("a.asc", file.clone()), "v2", bench.tag("v2"), &head).unwrap_err(),
        "WrongTag"
    );
    assert!(git_accepts(&bench, &file, "verify-tag", "v2", None));
}

#[test]
fn a_private_key_is_turned_away() {
    let Some(bench) = Bench::with_gpg() else { return };
    let key = bench.gpg_key(ALICE, "ed25519", "sign", "never", TIME);
    let secret = bench.gpg(TIME, &["--armor", "--export-secret-keys", &key], b"");
    let error = Keys::parse(&BTreeMap::from([("alice.asc".to_owned(), secret)])).unwrap_err().to_string();
    assert!(error.starts_with("alice.asc: it holds a private key"), "{error}");
}
