//! Verified revisions through the whole source, over a real HTTP server with a shallow cache and in place: what is taken,
//! what is refused, and what stays in force.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::Arc;

use mailwright_operator::source::verify::{Keys, Last, Mode, Reason, Verification};
use mailwright_operator::source::{Options, Reference, Source, SourceError};

use crate::repository::{Repository, load, names, open, secret};
use crate::server::{Mood, Server};

/// A repository with keys beside it, read over HTTP.
struct Bench {
    repository: Repository,
    server: Server,
}

impl Bench {
    fn new() -> Bench {
        let repository = Repository::new();
        let root = repository.path().parent().unwrap().to_owned();
        let bench = Bench { server: Server::start(&root, Mood::Serve, None), repository };
        for key in ["alice", "bob"] {
            let path = bench.repository.beside(key);
            let mut command = Command::new("ssh-keygen");
            command.args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(&path);
            assert!(command.status().unwrap().success());
        }
        bench
    }

    fn url(&self) -> String {
        self.server.url("/mail.git")
    }

    /// Commits a Secret, signed by someone or nobody.
    fn commit(&self, name: &str, by: Option<&str>) -> String {
        self.repository.write(&format!("{name}.yaml"), secret(name, "1"));
        self.repository.git(&["add", "-A"]);
        self.sign(&["commit", "-q", "-m", name], by);
        self.repository.git(&["rev-parse", "HEAD"])
    }

    /// Runs a command of git that makes commits or tags, which signs them.
    fn sign(&self, arguments: &[&str], by: Option<&str>) {
        let key = by.map(|name| format!("user.signingkey={}", self.repository.beside(name).display()));
        let mut all = vec!["-c", "gpg.format=ssh"];
        if let Some(key) = &key {
            all.extend(["-c", key]);
        }
        all.push(arguments[0]);
        if by.is_some() {
            all.push(if arguments[0] == "tag" { "-s" } else { "-S" });
        }
        all.extend(&arguments[1..]);
        self.repository.git(&all);
    }

    fn verification(&self, mode: Mode, signers: &[&str]) -> Verification {
        let line = |name: &&str| {
            let key = fs::read_to_string(self.repository.beside(&format!("{name}.pub"))).unwrap();
            format!("{name}@example.test {key}")
        };
        let file: String = signers.iter().map(line).collect();
        let data = BTreeMap::from([("allowed_signers".to_owned(), file.into_bytes())]);
        Verification { mode, keys: Keys::parse(&data).unwrap() }
    }

    fn options(&self, mode: Mode, signers: &[&str], last: &Last) -> Options {
        Options {
            verification: Some(Arc::new(self.verification(mode, signers))),
            last: last.clone(),
            ..self.repository.options()
        }
    }

    /// A process that starts again with what it kept, over HTTP.
    fn source(&self, signers: &[&str], last: &Last) -> Source {
        open(&self.url(), self.options(Mode::Range, signers, last))
    }
}

/// The reason of a refusal, and the first letters of the commit.
fn refusal(source: &mut Source) -> (Reason, String) {
    match source.load() {
        Err(SourceError::Unverified { refused, .. }) => (refused.reason, refused.commit),
        other => panic!("{:?}", other.map(|snapshot| snapshot.map(|snapshot| snapshot.revision))),
    }
}

#[test]
fn a_range_is_taken_with_its_signers() {
    let bench = Bench::new();
    bench.commit("a", None);
    bench.commit("b", Some("alice"));
    let mut source = bench.source(&["alice", "bob"], &Last::default());
    // The first time, the signature of the newest commit vouches for what is there.
    let first = load(&mut source);
    assert_eq!(first.commit.unwrap().signer.as_ref().unwrap().principal, "alice@example.test");
    assert!(first.commits.is_empty());
    source.applied();
    let third = bench.commit("c", Some("bob"));
    let fourth = bench.commit("d", Some("alice"));
    let snapshot = load(&mut source);
    assert_eq!(names(&snapshot), ["a", "b", "c", "d"]);
    let commits: Vec<_> = snapshot
        .commits
        .iter()
        .map(|commit| (commit.id.as_str(), commit.signer.as_ref().unwrap().principal.as_str()))
        .collect();
    assert_eq!(commits, [(fourth.as_str(), "alice@example.test"), (third.as_str(), "bob@example.test")]);
    let last = source.last().unwrap();
    assert_eq!(
        (last.taken.as_deref(), last.verified.as_deref()),
        (Some(fourth.as_str()), Some(fourth.as_str()))
    );
    assert_eq!(last.keys.len(), 2);
}

#[test]
fn an_unsigned_commit_in_the_middle_holds_back_what_follows() {
    let bench = Bench::new();
    bench.commit("a", Some("alice"));
    let mut source = bench.source(&["alice"], &Last::default());
    load(&mut source);
    source.applied();
    let taken = source.last().unwrap().clone();
    let wrong = bench.commit("b", None);
    bench.commit("c", Some("alice"));
    for _ in 0..2 {
        assert_eq!(refusal(&mut source), (Reason::Unsigned, wrong.clone()));
    }
    assert_eq!(source.last().unwrap(), &taken, "nothing is remembered of what is refused");
    // What is in force can be read again after a restart, while the newest is refused.
    let mut again = bench.source(&["alice"], &taken);
    assert_eq!(refusal(&mut again), (Reason::Unsigned, wrong));
    let in_force = again.load_last().unwrap().unwrap();
    assert_eq!(names(&in_force), ["a"]);
    assert!(again.load().is_err());
    // The way out: the commit is made anew, signed.
    bench.repository.git(&["reset", "-q", "--hard", taken.taken.as_ref().unwrap()]);
    bench.commit("b", Some("alice"));
    assert_eq!(names(&load(&mut again)), ["a", "b"]);
}

#[test]
fn a_merge_is_checked_on_all_sides() {
    for side in [None, Some("alice")] {
        let bench = Bench::new();
        bench.commit("a", Some("alice"));
        bench.repository.git(&["checkout", "-q", "-b", "side"]);
        let merged = bench.commit("s", side);
        bench.repository.git(&["checkout", "-q", "main"]);
        bench.commit("b", Some("alice"));
        let mut source = bench.source(&["alice"], &Last::default());
        load(&mut source);
        source.applied();
        bench.sign(&["merge", "-q", "--no-ff", "-m", "merge", "side"], Some("alice"));
        if side.is_some() {
            let snapshot = load(&mut source);
            assert_eq!(
                (names(&snapshot), snapshot.commits.len()),
                (vec!["a".into(), "b".into(), "s".into()], 2)
            );
        } else {
            assert_eq!(refusal(&mut source), (Reason::Unsigned, merged));
        }
    }
}

#[test]
fn a_removed_key_signs_nothing_new() {
    let bench = Bench::new();
    bench.commit("a", Some("bob"));
    let mut source = bench.source(&["alice", "bob"], &Last::default());
    load(&mut source);
    source.applied();
    let last = source.last().unwrap().clone();
    // What bob signed stays in force, and what he signs from now on is refused; an unknown key is another reason.
    let mut source = bench.source(&["alice"], &last);
    assert_eq!(
        load(&mut source).commit.as_ref().unwrap().signer.as_ref().unwrap().principal,
        "bob@example.test"
    );
    let by_bob = bench.commit("b", Some("bob"));
    assert_eq!(refusal(&mut source), (Reason::RemovedKey, by_bob.clone()));
    let text = source.load().unwrap_err().to_string();
    assert!(
        text.contains("has a signature by a removed key, SHA256:")
            && text.ends_with("the last state stays in force"),
        "{text}"
    );
    let forgetful = Last { keys: Default::default(), ..last };
    assert_eq!(refusal(&mut bench.source(&["alice"], &forgetful)), (Reason::UnknownKey, by_bob));
}

/// Every way back that an attacker has who controls the server, after a restart too.
#[test]
fn a_rollback_does_not_work() {
    let bench = Bench::new();
    let first = bench.commit("a", Some("alice"));
    bench.commit("b", Some("alice"));
    let second = bench.commit("c", Some("alice"));
    let mut source = bench.source(&["alice"], &Last::default());
    load(&mut source);
    source.applied();
    let last = source.last().unwrap().clone();
    let cache = bench.repository.beside("cache");
    let attacks: [(&str, &dyn Fn()); 3] = [
        ("an older commit", &|| drop(bench.repository.git(&["reset", "-q", "--hard", &first]))),
        ("rewritten history", &|| {
            bench.repository.git(&["reset", "-q", "--hard", &first]);
            bench.commit("x", Some("alice"));
        }),
        ("another history", &|| {
            bench.repository.git(&["checkout", "-q", "--orphan", "other"]);
            bench.commit("y", Some("alice"));
            bench.repository.git(&["branch", "-q", "-f", "main", "other"]);
            bench.repository.git(&["checkout", "-q", "main"]);
        }),
    ];
    for (attack, work) in attacks {
        work();
        assert_eq!(refusal(&mut source).0, Reason::Rewound, "{attack}");
        // After a restart, and with the cache deleted.
        let mut again = bench.source(&["alice"], &last);
        assert_eq!(refusal(&mut again).0, Reason::Rewound, "{attack}");
        fs::remove_dir_all(&cache).unwrap();
        assert_eq!(refusal(&mut again).0, Reason::Rewound, "{attack}");
        // The old objects are gone from the server as well.
        assert_eq!(refusal(&mut bench.source(&["alice"], &last)).0, Reason::Rewound, "{attack}");
        let unverified = Options { last: last.clone(), ..bench.repository.options() };
        assert_eq!(refusal(&mut open(&bench.url(), unverified)).0, Reason::Rewound, "{attack}");
        bench.repository.git(&["reset", "-q", "--hard", &second]);
        assert!(source.load().unwrap().is_none(), "{attack}: back where it was");
    }
    bench.repository.git(&["reset", "-q", "--hard", &first]);
    bench.repository.git(&["reflog", "expire", "--expire=now", "--all"]);
    bench.repository.git(&["-c", "gc.auto=1", "gc", "-q", "--prune=now"]);
    fs::remove_dir_all(&cache).unwrap();
    assert_eq!(refusal(&mut bench.source(&["alice"], &last)).0, Reason::Rewound, "the server forgot it");
    // Whoever means it says so.
    let allowed = Options { allow_rewind: true, ..bench.options(Mode::Range, &["alice"], &last) };
    assert_eq!(names(&load(&mut open(&bench.url(), allowed))), ["a"]);
}

#[test]
fn a_tag_that_moves_back_is_refused() {
    let bench = Bench::new();
    let mut semver = bench.options(Mode::Tag, &["alice"], &Last::default());
    semver.reference = Reference::semver("1.x").unwrap();
    let first = bench.commit("a", None);
    bench.sign(&["tag", "-m", "one", "v1.0.0"], Some("alice"));
    bench.commit("b", None);
    bench.sign(&["tag", "-m", "two", "v1.1.0"], Some("alice"));
    let mut source = open(&bench.url(), semver.clone());
    let snapshot = load(&mut source);
    assert!(snapshot.revision.starts_with("v1.1.0@sha1:"), "{}", snapshot.revision);
    assert_eq!(snapshot.commit.unwrap().signer.as_ref().unwrap().principal, "alice@example.test");
    source.applied();
    // The newer one is deleted; the older one is signed, and still goes back.
    bench.repository.git(&["tag", "-d", "v1.1.0"]);
    assert_eq!(refusal(&mut source), (Reason::Rewound, first.clone()));
    // The older one comes under a name that looks newer.
    bench.repository.git(&["update-ref", "refs/tags/v1.2.0", "refs/tags/v1.0.0"]);
    assert_eq!(refusal(&mut source), (Reason::Rewound, first));
    assert_eq!(refusal(&mut open(&bench.url(), semver.clone())).0, Reason::WrongTag);
    bench.commit("c", None);
    bench.repository.git(&["tag", "v1.3.0"]);
    assert_eq!(refusal(&mut source).0, Reason::NoTag);
    bench.sign(&["tag", "-m", "four", "v1.4.0"], Some("bob"));
    assert_eq!(refusal(&mut source).0, Reason::UnknownKey);
    bench.sign(&["tag", "-m", "five", "v1.5.0"], Some("alice"));
    assert!(load(&mut source).revision.starts_with("v1.5.0@sha1:"));
    let both = Options {
        reference: Reference::Tag("v1.5.0".to_owned()),
        ..bench.options(Mode::TagAndHead, &["alice"], &Last::default())
    };
    assert_eq!(refusal(&mut open(&bench.url(), both)).0, Reason::Unsigned);
}

/// More commits than the first deepening brings.
#[test]
fn a_long_range_is_fetched_as_far_as_needed() {
    let bench = Bench::new();
    bench.commit("a", Some("alice"));
    let mut source = bench.source(&["alice"], &Last::default());
    load(&mut source);
    source.applied();
    let wrong = bench.commit("wrong", None);
    for _ in 0..70 {
        bench.sign(&["commit", "-q", "--allow-empty", "-m", "more"], Some("alice"));
    }
    assert_eq!(refusal(&mut source), (Reason::Unsigned, wrong));
    let last = source.last().unwrap().clone();
    let unverified = Options { last, ..bench.repository.options() };
    assert_eq!(load(&mut open(&bench.url(), unverified)).commits.len(), 71);
}

#[test]
fn a_local_repository_is_verified_as_well() {
    let bench = Bench::new();
    bench.commit("a", Some("alice"));
    let location = format!("file://{}", bench.repository.path().display());
    let mut source = open(&location, bench.options(Mode::Head, &["alice"], &Last::default()));
    load(&mut source);
    bench.commit("b", Some("bob"));
    assert_eq!(refusal(&mut source).0, Reason::UnknownKey);
    bench.repository.git(&["reset", "-q", "--hard", "HEAD~1"]);
    bench.repository.git(&["commit", "-q", "--amend", "--allow-empty", "-m", "unsigned"]);
    assert_eq!(refusal(&mut source).0, Reason::Rewound);
    assert_eq!(names(&source.load_last().unwrap().unwrap()), ["a"]);
}

/// Commits that Git would not write are refused where someone must have signed them, and nowhere else.
#[test]
fn a_malformed_commit_cannot_be_verified() {
    let bench = Bench::new();
    bench.commit("a", Some("alice"));
    let tree = bench.repository.git(&["rev-parse", "HEAD^{tree}"]);
    let file = bench.repository.beside("commit");
    fs::write(&file, format!("tree {tree}\nauthor alice <a@example.test> 1 +0000\nauthor bob <b@example.test> 1 +0000\ncommitter alice <a@example.test> 1 +0000\n\nodd\n")).unwrap();
    let id =
        bench.repository.git(&["hash-object", "-t", "commit", "-w", "--literally", file.to_str().unwrap()]);
    bench.repository.git(&["update-ref", "refs/heads/main", &id]);
    let location = format!("file://{}", bench.repository.path().display());
    let mut source = open(&location, bench.options(Mode::Head, &["alice"], &Last::default()));
    assert_eq!(refusal(&mut source), (Reason::MalformedObject, id));
    let snapshot = load(&mut open(&location, bench.repository.options()));
    assert_eq!((names(&snapshot), snapshot.commit), (vec!["a".to_owned()], None));
}
