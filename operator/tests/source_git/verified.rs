//! Revisions that are followed and verified, over a real HTTP server with a shallow cache and in place: what is taken, what is
//! refused, and what stays in force.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use chrono::Utc;
use mailwright_operator::repository::{Follow, Revision, Trouble};
use mailwright_operator::source::verify::{Keys, Last, Mode, Verification};
use mailwright_operator::source::{CommitInfo, Options, Reference};

use crate::repository::{Repository, followed, names, secret, take};
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

    /// A process that starts again with what it kept, over HTTP.
    fn follow(&self, signers: &[&str], last: &Last) -> Follow {
        self.follow_as(self.repository.options(), Mode::Range, signers, last)
    }

    fn follow_as(&self, options: Options, mode: Mode, signers: &[&str], last: &Last) -> Follow {
        followed(&self.url(), &options, Some(self.verification(mode, signers)), last)
    }

    /// The same in place, by the newest commit's signature.
    fn follow_here(&self, signers: &[&str]) -> Follow {
        let verification = self.verification(Mode::Head, signers);
        followed(&self.here(), &self.repository.options(), Some(verification), &Last::default())
    }

    fn here(&self) -> String {
        format!("file://{}", self.repository.path().display())
    }
}

/// Words of a refusal.
const UNSIGNED: &str = "is not signed";
const UNKNOWN: &str = "is signed by the unknown key";
const REMOVED: &str = "has a signature by a removed key, SHA256:";
const REWOUND: &str = ", which was taken last: the history was rewritten, or an older commit is back";

/// What is refused says this, and the commit that it is about.
#[track_caller]
fn refuses(follow: &mut Follow, words: &str, commit: &str) {
    let Trouble { message, temporary, .. } = follow.load(Utc::now()).expect_err("it is refused");
    assert!(message.contains(words) && message.contains(&commit[..12]), "{words}, {commit}: {message}");
    assert!(message.ends_with("the last state stays in force") && !temporary, "{message}");
}

/// What was taken, and is applied.
fn apply(follow: &mut Follow) -> Revision {
    let revision = take(follow);
    follow.settle(&revision);
    revision
}

fn signer(commit: &CommitInfo) -> &str {
    commit.signer.as_ref().map_or("nobody", |signer| signer.principal.as_str())
}

fn head(revision: &Revision) -> &CommitInfo {
    revision.snapshot.commit.as_ref().expect("a commit")
}

#[test]
fn a_range_is_taken_with_its_signers() {
    let bench = Bench::new();
    bench.commit("a", None);
    bench.commit("b", Some("alice"));
    let mut follow = bench.follow(&["alice", "bob"], &Last::default());
    // The first time, the signature of the newest commit vouches for what is there.
    let first = apply(&mut follow);
    assert_eq!(signer(head(&first)), "alice@example.test");
    assert_eq!(first.commits().count(), 1);
    let third = bench.commit("c", Some("bob"));
    let fourth = bench.commit("d", Some("alice"));
    let revision = take(&mut follow);
    assert_eq!(names(&revision.snapshot), ["a", "b", "c", "d"]);
    let commits: Vec<_> = revision.commits().map(|commit| (commit.id.as_str(), signer(commit))).collect();
    assert_eq!(commits, [(fourth.as_str(), "alice@example.test"), (third.as_str(), "bob@example.test")]);
    assert_eq!(follow.last().verified.as_deref(), Some(fourth.as_str()));
    assert_ne!(follow.last().applied.as_deref(), Some(fourth.as_str()), "it is not applied yet");
    assert_eq!(follow.last().keys.len(), 2);
}

#[test]
fn an_unsigned_commit_in_the_middle_holds_back_what_follows() {
    let bench = Bench::new();
    let first = bench.commit("a", Some("alice"));
    let mut follow = bench.follow(&["alice"], &Last::default());
    apply(&mut follow);
    let taken = follow.last().clone();
    let wrong = bench.commit("b", None);
    bench.commit("c", Some("alice"));
    for _ in 0..2 {
        refuses(&mut follow, UNSIGNED, &wrong);
    }
    assert_eq!(follow.last(), &taken, "nothing is remembered of what is refused");
    // What is in force can be read again after a restart, while the newest is refused.
    let mut again = bench.follow(&["alice"], &taken);
    refuses(&mut again, UNSIGNED, &wrong);
    assert_eq!(names(&again.load_last().unwrap().snapshot), ["a"]);
    refuses(&mut again, UNSIGNED, &wrong);
    // The way out: the commit is made anew, signed.
    bench.repository.git(&["reset", "-q", "--hard", &first]);
    bench.commit("b", Some("alice"));
    assert_eq!(names(&take(&mut again).snapshot), ["a", "b"]);
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
        let mut follow = bench.follow(&["alice"], &Last::default());
        apply(&mut follow);
        bench.sign(&["merge", "-q", "--no-ff", "-m", "merge", "side"], Some("alice"));
        if side.is_some() {
            let revision = take(&mut follow);
            assert_eq!(
                (names(&revision.snapshot).join(" "), revision.commits().count()),
                ("a b s".into(), 2)
            );
        } else {
            refuses(&mut follow, UNSIGNED, &merged);
        }
    }
}

#[test]
fn a_removed_key_signs_nothing_new() {
    let bench = Bench::new();
    bench.commit("a", Some("bob"));
    let mut follow = bench.follow(&["alice", "bob"], &Last::default());
    apply(&mut follow);
    let last = follow.last().clone();
    // What bob signed stays in force, and what he signs from now on is refused; an unknown key is another reason.
    let mut follow = bench.follow(&["alice"], &last);
    assert_eq!(signer(head(&take(&mut follow))), "bob@example.test");
    let by_bob = bench.commit("b", Some("bob"));
    refuses(&mut follow, REMOVED, &by_bob);
    let forgetful = Last { keys: Default::default(), ..last };
    refuses(&mut bench.follow(&["alice"], &forgetful), UNKNOWN, &by_bob);
}

/// While nobody looked at signatures, what was verified before them is no measure.
#[test]
fn verification_is_switched_off_and_on_again() {
    let bench = Bench::new();
    let first = bench.commit("a", Some("alice"));
    let mut strict = bench.follow(&["alice"], &Last::default());
    apply(&mut strict);
    assert_eq!(strict.last().verified.as_ref(), Some(&first));
    let mut lax = followed(&bench.url(), &bench.repository.options(), None, strict.last());
    apply(&mut lax);
    for name in ["b", "c"] {
        bench.commit(name, None);
        assert_eq!(signer(head(&apply(&mut lax))), "nobody", "{name}");
    }
    assert_eq!(lax.last().verified, None);
    let mut strict = bench.follow(&["alice"], lax.last());
    let wrong = bench.commit("d", None);
    refuses(&mut strict, UNSIGNED, &wrong);
    bench.commit("e", Some("alice"));
    assert_eq!(
        names(&take(&mut strict).snapshot),
        ["a", "b", "c", "d", "e"],
        "the first time, the newest vouches"
    );
}

/// Every way back that an attacker has who controls the server, after a restart too.
#[test]
fn a_rollback_does_not_work() {
    let bench = Bench::new();
    let first = bench.commit("a", Some("alice"));
    bench.commit("b", Some("alice"));
    let second = bench.commit("c", Some("alice"));
    let mut follow = bench.follow(&["alice"], &Last::default());
    apply(&mut follow);
    let last = follow.last().clone();
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
        println!("{attack}");
        work();
        refuses(&mut follow, REWOUND, &second);
        // After a restart, and with the cache deleted.
        let mut again = bench.follow(&["alice"], &last);
        refuses(&mut again, REWOUND, &second);
        fs::remove_dir_all(&cache).unwrap();
        refuses(&mut again, REWOUND, &second);
        // The old objects are gone from the server as well.
        refuses(&mut bench.follow(&["alice"], &last), REWOUND, &second);
        let mut unverified = followed(&bench.url(), &bench.repository.options(), None, &last);
        refuses(&mut unverified, REWOUND, &second);
        bench.repository.git(&["reset", "-q", "--hard", &second]);
        assert!(follow.load(Utc::now()).unwrap().is_none(), "{attack}: back where it was");
    }
    bench.repository.git(&["reset", "-q", "--hard", &first]);
    bench.repository.git(&["reflog", "expire", "--expire=now", "--all"]);
    bench.repository.git(&["-c", "gc.auto=1", "gc", "-q", "--prune=now"]);
    fs::remove_dir_all(&cache).unwrap();
    // The server forgot it.
    refuses(&mut bench.follow(&["alice"], &last), REWOUND, &second);
    // Whoever means it says so.
    let mut allowed = bench.follow(&["alice"], &last).allowing_rewind();
    assert_eq!(names(&take(&mut allowed).snapshot), ["a"]);
}

#[test]
fn a_tag_that_moves_back_is_refused() {
    let bench = Bench::new();
    let semver = Options { reference: Reference::semver("1.x").unwrap(), ..bench.repository.options() };
    let started = || bench.follow_as(semver.clone(), Mode::Tag, &["alice"], &Last::default());
    let first = bench.commit("a", None);
    bench.sign(&["tag", "-m", "one", "v1.0.0"], Some("alice"));
    bench.commit("b", None);
    bench.sign(&["tag", "-m", "two", "v1.1.0"], Some("alice"));
    let mut follow = started();
    let revision = apply(&mut follow);
    assert!(revision.snapshot.revision.starts_with("v1.1.0@sha1:"), "{}", revision.snapshot.revision);
    assert_eq!(signer(head(&revision)), "alice@example.test");
    // The newer one is deleted; the older one is signed, and still goes back.
    bench.repository.git(&["tag", "-d", "v1.1.0"]);
    refuses(&mut follow, REWOUND, &first);
    // The older one comes under a name that looks newer.
    bench.repository.git(&["update-ref", "refs/tags/v1.2.0", "refs/tags/v1.0.0"]);
    refuses(&mut follow, REWOUND, &first);
    let says = |follow: &mut Follow, words: &str| {
        let trouble = follow.load(Utc::now()).expect_err("it is refused");
        assert!(trouble.message.contains(words), "{words}: {trouble}");
    };
    says(&mut started(), "the tag v1.2.0 was signed as v1.0.0");
    bench.commit("c", None);
    bench.repository.git(&["tag", "v1.3.0"]);
    says(&mut follow, "the tag v1.3.0 is a lightweight one");
    bench.sign(&["tag", "-m", "four", "v1.4.0"], Some("bob"));
    says(&mut follow, UNKNOWN);
    bench.sign(&["tag", "-m", "five", "v1.5.0"], Some("alice"));
    assert!(take(&mut follow).snapshot.revision.starts_with("v1.5.0@sha1:"));
    let tag = Options { reference: Reference::Tag("v1.5.0".to_owned()), ..bench.repository.options() };
    let commit = bench.repository.git(&["rev-parse", "HEAD"]);
    let mut both = bench.follow_as(tag, Mode::TagAndHead, &["alice"], &Last::default());
    refuses(&mut both, UNSIGNED, &commit);
    // A branch is no tag.
    let mut branch = bench.follow_as(bench.repository.options(), Mode::Tag, &["alice"], &Last::default());
    says(&mut branch, "no tag is followed");
}

/// More commits than the first deepening brings.
#[test]
fn a_long_range_is_fetched_as_far_as_needed() {
    let bench = Bench::new();
    bench.commit("a", Some("alice"));
    let mut follow = bench.follow(&["alice"], &Last::default());
    apply(&mut follow);
    let wrong = bench.commit("wrong", None);
    for _ in 0..70 {
        bench.sign(&["commit", "-q", "--allow-empty", "-m", "more"], Some("alice"));
    }
    refuses(&mut follow, UNSIGNED, &wrong);
    let mut unverified = followed(&bench.url(), &bench.repository.options(), None, follow.last());
    assert_eq!(take(&mut unverified).commits().count(), 71);
}

#[test]
fn a_local_repository_is_verified_as_well() {
    let bench = Bench::new();
    let first = bench.commit("a", Some("alice"));
    let mut follow = bench.follow_here(&["alice"]);
    apply(&mut follow);
    // Believed and not applied yet: that is not taken back either.
    let mut waits = bench.follow_here(&["alice"]);
    take(&mut waits);
    let second = bench.commit("b", Some("bob"));
    refuses(&mut follow, UNKNOWN, &second);
    bench.repository.git(&["reset", "-q", "--hard", "HEAD~1"]);
    bench.repository.git(&["commit", "-q", "--amend", "--allow-empty", "-m", "unsigned"]);
    refuses(&mut follow, REWOUND, &first);
    refuses(&mut waits, REWOUND, &first);
    assert_eq!(names(&follow.load_last().unwrap().snapshot), ["a"]);
}

/// Commits that Git would not write are refused where someone must have signed them, and nowhere else.
#[test]
fn a_malformed_commit_cannot_be_verified() {
    let bench = Bench::new();
    let first = bench.commit("a", Some("alice"));
    let mut strict = bench.follow_here(&["alice"]);
    apply(&mut strict);
    let mut lax = followed(&bench.here(), &bench.repository.options(), None, strict.last());
    apply(&mut lax);
    let tree = bench.repository.git(&["rev-parse", "HEAD^{tree}"]);
    let file = bench.repository.beside("commit");
    fs::write(&file, format!("tree {tree}\nparent {first}\nauthor alice <a@example.test> 1 +0000\nauthor bob <b@example.test> 1 +0000\ncommitter alice <a@example.test> 1 +0000\n\nodd\n")).unwrap();
    let id =
        bench.repository.git(&["hash-object", "-t", "commit", "-w", "--literally", file.to_str().unwrap()]);
    bench.repository.git(&["update-ref", "refs/heads/main", &id]);
    refuses(&mut strict, "cannot be verified", &id);
    let revision = apply(&mut lax);
    assert_eq!((names(&revision.snapshot), revision.snapshot.commit), (vec!["a".to_owned()], None));
    // Nor does it hold up what comes after it.
    bench.repository.git(&["reset", "-q", "--hard", &id]);
    bench.commit("b", None);
    assert_eq!(names(&take(&mut lax).snapshot), ["a", "b"]);
}
