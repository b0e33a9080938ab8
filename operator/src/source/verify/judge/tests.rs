//! Modes, ranges and rewinds over commits made here, signed by keys made from seeds.

use std::collections::{BTreeMap, BTreeSet};

use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};

use super::*;
use crate::source::verify::Keys;

const NOW: i64 = 1_700_000_000;

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

fn line(principal: &str, options: &str, seed: u8) -> String {
    let key = PublicKey::from(&key(seed)).to_openssh().unwrap();
    format!("{principal} {options} {key}\n")
}

fn fingerprint(seed: u8) -> String {
    PublicKey::from(&key(seed)).fingerprint(HashAlg::Sha256).to_string()
}

/// Alice has key 1, bob key 2 with a window that closed; key 3 is for files only; carol's key 4 is not there.
fn verification(mode: Mode) -> Verification {
    let file = [
        line("alice@example.test", "", 1),
        line("bob@example.test", "valid-before=\"20231101Z\"", 2),
        line("files@example.test", "namespaces=\"file\"", 3),
        line("*@example.test,!alice@example.test", "", 5),
    ]
    .concat();
    let data = BTreeMap::from([("allowed_signers".to_owned(), file.into_bytes())]);
    Verification { mode, keys: Keys::parse(&data).unwrap() }
}

/// What is signed how.
#[derive(Clone, Copy)]
enum By {
    Nobody,
    Key(u8),
    /// In another namespace.
    File(u8),
    /// Over another payload.
    Other(u8),
    /// With a flipped bit.
    Damaged(u8),
    X509,
}

fn signature(by: By, payload: &[u8]) -> String {
    let sign = |seed, namespace: &str, payload: &[u8]| {
        let made = SshSig::sign(&key(seed), namespace, HashAlg::Sha512, payload).unwrap();
        made.to_pem(LineEnding::LF).unwrap()
    };
    match by {
        By::Nobody => String::new(),
        By::Key(seed) => sign(seed, "git", payload),
        By::File(seed) => sign(seed, "file", payload),
        By::Other(seed) => sign(seed, "git", b"something else"),
        By::Damaged(seed) => {
            let made = SshSig::sign(&key(seed), "git", HashAlg::Sha512, payload).unwrap();
            let mut bytes = made.signature_bytes().to_vec();
            bytes[10] ^= 1;
            let damaged = ssh_key::Signature::new(made.algorithm(), bytes).unwrap();
            let made = SshSig::new(made.public_key().clone(), "git", HashAlg::Sha512, damaged).unwrap();
            made.to_pem(LineEnding::LF).unwrap()
        }
        By::X509 => "-----BEGIN SIGNED MESSAGE-----\nMII\n-----END SIGNED MESSAGE-----\n".to_owned(),
    }
}

fn id(name: char) -> String {
    name.to_string().repeat(40)
}

/// A commit by its letter, its parents' letters, and its signature.
fn commit(name: char, parents: &str, by: By) -> Commit {
    commit_at(name, parents, by, NOW - 100)
}

fn commit_at(name: char, parents: &str, by: By, seconds: i64) -> Commit {
    let parents: String = parents.chars().map(|parent| format!("parent {}\n", id(parent))).collect();
    let head = format!(
        "tree {}\n{parents}author alice <alice@example.test> 1 +0000\ncommitter alice <alice@example.test> {seconds} +0000\n",
        id('0')
    );
    let message = format!("\nchange {name}\n");
    let signature = signature(by, format!("{head}{message}").as_bytes());
    let header = match signature.as_str() {
        "" => String::new(),
        text => format!("gpgsig {}\n", text.trim_end().replace('\n', "\n ")),
    };
    Commit::parse(&id(name), format!("{head}{header}{message}").as_bytes()).unwrap()
}

fn tag(name: &str, target: char, by: By) -> Tag {
    let payload = format!(
        "object {}\ntype commit\ntag {name}\ntagger alice <alice@example.test> {} +0000\n\nrelease\n",
        id(target),
        NOW - 50
    );
    let raw = format!("{payload}{}", signature(by, payload.as_bytes()));
    Tag::parse(&id('f'), raw.as_bytes()).unwrap()
}

fn read(head: Commit, since: Since) -> Read {
    Read { head, tag_name: None, tag: None, since }
}

fn last(applied: char, verified: Option<char>) -> Last {
    let keys = BTreeSet::from([fingerprint(6)]);
    let signer = Some(("alice@example.test".to_owned(), fingerprint(1)));
    Last { applied: Some(id(applied)), verified: verified.map(id), signer, keys }
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(NOW, 0).unwrap()
}

fn outcome(verification: Option<&Verification>, read: &Read, last: &Last, allow_rewind: bool) -> String {
    match judge(verification, read, last, allow_rewind, now()) {
        Ok(taken) => {
            let signer = taken.head.signer.as_ref().map_or("nobody", |signer| signer.principal.as_str());
            format!("{signer} {}", taken.commits.len())
        }
        Err(refused) => format!("{} {}", refused.reason, &refused.commit[..1]),
    }
}

#[test]
fn one_signature_is_judged() {
    let table = [
        (By::Key(1), 100, "alice@example.test 0"),
        (By::Key(2), 100, "ExpiredKey b"),
        // Within the window of bob's key, which closed 14 days before.
        (By::Key(2), 15 * 86400, "bob@example.test 0"),
        (By::Nobody, 100, "Unsigned b"),
        (By::Key(3), 100, "NotAllowed b"),
        (By::Key(4), 100, "UnknownKey b"),
        (By::Key(5), 100, "NotAllowed b"),
        (By::Key(6), 100, "RemovedKey b"),
        (By::File(1), 100, "WrongNamespace b"),
        (By::Other(1), 100, "WrongSignature b"),
        (By::Damaged(1), 100, "WrongSignature b"),
        (By::X509, 100, "UnsupportedSignature b"),
    ];
    let verification = verification(Mode::Head);
    for (by, ago, expected) in table {
        let first = Last { keys: BTreeSet::from([fingerprint(6)]), ..Last::default() };
        let read = read(commit_at('b', "a", by, NOW - ago), Since::First);
        assert_eq!(outcome(Some(&verification), &read, &first, false), expected);
    }
}

#[test]
fn a_time_to_come_opens_no_window() {
    let file = line("alice@example.test", "valid-after=\"20300101Z\"", 1);
    let data = BTreeMap::from([("allowed_signers".to_owned(), file.into_bytes())]);
    let verification = Verification { mode: Mode::Head, keys: Keys::parse(&data).unwrap() };
    for seconds in [NOW - 5, NOW + 100, 1_900_000_000] {
        let read = read(commit_at('b', "a", By::Key(1), seconds), Since::First);
        assert_eq!(outcome(Some(&verification), &read, &Last::default(), false), "NotYetValid b");
    }
}

#[test]
fn a_range_checks_every_commit_since_the_last_verified_one() {
    let good = By::Key(1);
    // Newest first, as the walk gives them.
    let line = |middle: By| vec![commit('d', "c", good), commit('c', "b", middle), commit('b', "a", good)];
    // a ─ b ─ e, with c and d merged in; c was made before a was verified.
    let merge = |side: By| {
        vec![commit('e', "bd", good), commit('d', "c", good), commit('c', "0", side), commit('b', "a", good)]
    };
    let applied_a = last('a', Some('a'));
    let table = [
        (line(good), &applied_a, "alice@example.test 3"),
        (line(By::Nobody), &applied_a, "Unsigned c"),
        (line(By::Key(6)), &applied_a, "RemovedKey c"),
        (line(By::Key(4)), &applied_a, "UnknownKey c"),
        (line(By::Damaged(1)), &applied_a, "WrongSignature c"),
        (merge(good), &applied_a, "alice@example.test 4"),
        (merge(By::Nobody), &applied_a, "Unsigned c"),
        // What was verified before is not asked again, although it is not applied yet.
        (line(By::Key(6)), &last('a', Some('c')), "alice@example.test 3"),
        (merge(By::Nobody), &last('a', Some('d')), "alice@example.test 4"),
        (merge(By::Nobody), &last('a', Some('b')), "Unsigned c"),
        // The first time, and where nothing was verified, the newest is asked.
        (line(By::Nobody), &last('a', None), "alice@example.test 3"),
    ];
    let verification = verification(Mode::Range);
    for (commits, last, expected) in table {
        let read = read(commits[0].clone(), Since::Commits(commits));
        assert_eq!(outcome(Some(&verification), &read, last, false), expected);
    }
    let first = read(commit('d', "c", By::Nobody), Since::First);
    assert_eq!(outcome(Some(&verification), &first, &Last::default(), false), "Unsigned d");
}

#[test]
fn only_the_newest_is_asked_in_mode_head() {
    let commits = vec![commit('c', "b", By::Key(1)), commit('b', "a", By::Nobody)];
    let read = read(commits[0].clone(), Since::Commits(commits));
    let outcome = outcome(Some(&verification(Mode::Head)), &read, &last('a', Some('a')), false);
    assert_eq!(outcome, "alice@example.test 2");
}

#[test]
fn tags_are_judged_with_their_names() {
    let head = commit('b', "a", By::Nobody);
    let signed_head = commit('b', "a", By::Key(1));
    let table = [
        (Mode::Tag, &head, Some("v2"), Some(tag("v2", 'b', By::Key(1))), "alice@example.test 0"),
        (Mode::TagAndHead, &head, Some("v2"), Some(tag("v2", 'b', By::Key(1))), "Unsigned b"),
        (
            Mode::TagAndHead,
            &signed_head,
            Some("v2"),
            Some(tag("v2", 'b', By::Key(1))),
            "alice@example.test 0",
        ),
        (Mode::TagAndHead, &signed_head, Some("v2"), Some(tag("v2", 'b', By::Nobody)), "Unsigned f"),
        (Mode::Tag, &head, Some("v2"), Some(tag("v2", 'b', By::Nobody)), "Unsigned f"),
        (Mode::Tag, &head, Some("v2"), Some(tag("v2", 'b', By::Key(6))), "RemovedKey f"),
        (Mode::Tag, &head, Some("v2"), Some(tag("v2", 'b', By::File(1))), "WrongNamespace f"),
        // An old release under a new name, a tag of something else, no object, no tag at all.
        (Mode::Tag, &head, Some("v2"), Some(tag("v1", 'b', By::Key(1))), "WrongTag b"),
        (Mode::Tag, &head, Some("v2"), Some(tag("v2", 'c', By::Key(1))), "WrongTag b"),
        (Mode::Tag, &head, Some("v2"), None, "NoTag b"),
        (Mode::Tag, &signed_head, None, None, "NoTag b"),
    ];
    for (mode, head, tag_name, tag, expected) in table {
        let read =
            Read { head: head.clone(), tag_name: tag_name.map(str::to_owned), tag, since: Since::First };
        let first = Last { keys: BTreeSet::from([fingerprint(6)]), ..Last::default() };
        assert_eq!(outcome(Some(&verification(mode)), &read, &first, false), expected);
    }
}

#[test]
fn nothing_older_is_taken() {
    let head = || commit('b', "a", By::Key(1));
    let follow = || Since::Commits(vec![commit('b', "a", By::Key(1))]);
    let verification = verification(Mode::Range);
    let table = [
        (Since::First, Last::default(), false, "alice@example.test 0"),
        (follow(), last('a', Some('a')), false, "alice@example.test 1"),
        (Since::Rewound, last('z', Some('z')), false, "Rewound b"),
        (Since::Rewound, last('z', Some('z')), true, "alice@example.test 0"),
        // Nothing is applied yet, and the same or the next commit comes.
        (follow(), Last { applied: None, ..last('a', Some('a')) }, false, "alice@example.test 1"),
        (Since::Rewound, Last { applied: None, ..last('z', Some('z')) }, false, "Rewound b"),
        // z was verified, its plan is held, and now it is gone.
        (follow(), last('a', Some('z')), false, "Rewound b"),
        (follow(), last('a', Some('z')), true, "alice@example.test 1"),
        (Since::TooMany, last('a', Some('a')), false, "TooManyCommits b"),
        (Since::TooMany, last('a', Some('a')), true, "alice@example.test 0"),
        // The same commit again, after a restart.
        (Since::Commits(Vec::new()), last('b', Some('b')), false, "alice@example.test 0"),
    ];
    for (since, last, allow, expected) in table {
        let read = read(head(), since);
        assert_eq!(outcome(Some(&verification), &read, &last, allow), expected, "{:?}", read.since);
        // The protection is the same without signatures.
        let unverified = outcome(None, &read, &last, allow);
        let expected = expected.replace("alice@example.test", "nobody");
        assert_eq!(unverified, expected, "{:?}", read.since);
    }
}

/// A rewind that was allowed is still one to a commit that someone believed signed.
#[test]
fn an_allowed_rewind_is_verified() {
    let table =
        [(By::Key(1), "alice@example.test 0"), (By::Key(6), "RemovedKey b"), (By::Nobody, "Unsigned b")];
    for (by, expected) in table {
        for since in [Since::Rewound, Since::Commits(Vec::new())] {
            let read = read(commit('b', "a", by), since);
            assert_eq!(
                outcome(Some(&verification(Mode::Range)), &read, &last('z', Some('z')), true),
                expected
            );
        }
    }
}

/// Who signed what is in force may have left since: a restart must not turn that into an outage.
#[test]
fn what_is_in_force_stays_in_force() {
    let read = read(commit('b', "a", By::Key(6)), Since::Commits(Vec::new()));
    for mode in [Mode::Head, Mode::Tag, Mode::TagAndHead, Mode::Range] {
        let last = last('b', Some('b'));
        assert_eq!(outcome(Some(&verification(mode)), &read, &last, false), "alice@example.test 0");
    }
}

#[test]
fn a_refusal_says_what_is_wrong_and_what_to_do() {
    let verification = verification(Mode::Range);
    let message = |by, since| {
        judge(Some(&verification), &read(commit('b', "a", by), since), &last('a', Some('a')), false, now())
            .unwrap_err()
            .message
    };
    let range = |by| Since::Commits(vec![commit('b', "a", by)]);
    assert_eq!(
        message(By::Nobody, range(By::Nobody)),
        "commit bbbbbbbbbbbb by alice <alice@example.test> (change b) is not signed; sign it (git commit --amend -S; git rebase \
         --exec for several) and push again"
    );
    assert_eq!(
        message(By::Key(6), range(By::Key(6))),
        format!(
            "commit bbbbbbbbbbbb by alice <alice@example.test> (change b) has a signature by a removed key, {}; the key is not among \
             those of verify.secretRef any more; have someone whose key is there sign the change",
            fingerprint(6)
        )
    );
    assert_eq!(
        message(By::Key(1), Since::Rewound),
        "commit bbbbbbbbbbbb does not contain aaaaaaaaaaaa, which was taken last: the history was rewritten, or an older commit is \
         back; push a commit that contains aaaaaaaaaaaa (git revert takes a change back), or set allowRewind once if this is meant"
    );
}
