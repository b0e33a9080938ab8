//! A repository made by the real `git`, and shorthands for reading it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::Utc;
use mailwright_operator::repository::{Follow, Revision};
use mailwright_operator::source::verify::{Last, Verification};
use mailwright_operator::source::{
    Credentials, HttpCredentials, Options, Reference, SecretValue, Snapshot, Source,
};
use tempfile::TempDir;

/// A work tree with commits; removed with the test.
pub struct Repository {
    directory: TempDir,
}

impl Repository {
    pub fn new() -> Repository {
        let repository = Repository { directory: tempfile::tempdir().unwrap() };
        fs::create_dir(repository.path()).unwrap();
        repository.git(&["init", "-q", "-b", "main"]);
        // What a server must allow is its own business; by default it allows less.
        repository.git(&["config", "http.receivepack", "false"]);
        repository
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join("mail.git")
    }

    /// A directory beside the repository, for caches and keys.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args([
            "-c",
            "user.name=alice",
            "-c",
            "user.email=alice@example.test",
            "-c",
            "commit.gpgsign=false",
        ]);
        command.args(["-c", "gc.auto=0", "-c", "tag.gpgsign=false", "-c", "protocol.file.allow=always"]);
        command.current_dir(self.path()).env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", self.directory.path());
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Commits everything that is in the work tree.
    pub fn commit(&self) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "change"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Writes a Secret and commits it.
    pub fn commit_secret(&self, path: &str, name: &str, value: &str) -> String {
        self.write(path, secret(name, value));
        self.commit()
    }

    /// Options with a cache beside the repository.
    pub fn options(&self) -> Options {
        Options { cache: self.beside("cache"), ..Options::default() }
    }
}

pub fn named(name: &str) -> Reference {
    Reference::Named(name.to_owned())
}

pub fn with_token(token: &str) -> Credentials {
    Credentials { http: Some(HttpCredentials::Token(SecretValue::new(token))), ..Credentials::default() }
}

pub fn secret(name: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData: {{password: \"{value}\"}}\n"
    )
}

pub fn open(location: &str, options: Options) -> Source {
    Source::open(location, options).unwrap()
}

/// A process that follows after what it kept.
pub fn followed(
    location: &str,
    options: &Options,
    verification: Option<Verification>,
    last: &Last,
) -> Follow {
    Follow::trusting(open(location, options.clone()), options, verification, last.clone())
}

pub fn take(follow: &mut Follow) -> Revision {
    follow.load(Utc::now()).unwrap().expect("a new revision")
}

pub fn load(source: &mut Source) -> Snapshot {
    source.load().unwrap().expect("a new snapshot")
}

/// What cannot be loaded, in words.
pub fn failure(source: &mut Source) -> String {
    source.load().map(|snapshot| snapshot.map(|snapshot| snapshot.revision)).unwrap_err().to_string()
}

pub fn names(snapshot: &Snapshot) -> Vec<String> {
    snapshot.objects.iter().map(|object| object.reference.name.to_string()).collect()
}

pub fn files(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.files.iter().map(|file| file.path.as_str()).collect()
}

/// The life of a branch, the same over every carrier: news, no news, force-push, deletion, outage by `break_it`.
pub fn follow(repository: &Repository, location: &str, options: &Options) {
    let first = repository.commit_secret("mail/a.yaml", "a", "1");
    let mut source = open(location, options.clone());
    let snapshot = load(&mut source);
    assert_eq!(snapshot.revision, format!("main@sha1:{first}"));
    assert_eq!((files(&snapshot), names(&snapshot)), (vec!["mail/a.yaml"], vec!["a".to_owned()]));
    assert!(source.load().unwrap().is_none());

    let second = repository.commit_secret("mail/b.yaml", "b", "1");
    let snapshot = load(&mut source);
    assert_eq!(snapshot.revision, format!("main@sha1:{second}"));
    assert_eq!(names(&snapshot), ["a", "b"]);

    repository.git(&["reset", "-q", "--hard", &first]);
    let forced = repository.commit_secret("mail/c.yaml", "c", "1");
    let last = Last { applied: Some(second.clone()), ..Last::default() };
    let rewound = followed(location, options, None, &last).load(Utc::now()).unwrap_err().to_string();
    let expected =
        format!("commit {} does not contain {}, which was taken last", &forced[..12], &second[..12]);
    assert!(rewound.contains(&expected), "{rewound}");
    // Whoever allows it takes it, and so it goes on from there.
    let allowed = take(&mut followed(location, options, None, &last).allowing_rewind());
    assert_eq!(names(&allowed.snapshot), ["a", "c"]);
    let snapshot = load(&mut source);
    assert_eq!(snapshot.revision, format!("main@sha1:{forced}"));
    assert_eq!(names(&snapshot), ["a", "c"]);

    // A process that starts again finds its cache and reads the same.
    let mut again = open(location, options.clone());
    assert_eq!(names(&load(&mut again)), ["a", "c"]);

    branches(repository, location, options, &forced);
    damaged_cache(repository, location, options);
}

fn branches(repository: &Repository, location: &str, options: &Options, main: &str) {
    repository.git(&["checkout", "-q", "-b", "next"]);
    let next = repository.commit_secret("mail/d.yaml", "d", "1");
    repository.git(&["tag", "-a", "v1", "-m", "one", main]);
    repository.git(&["checkout", "-q", "main"]);
    let branch = |name: &str| Options { reference: named(name), ..options.clone() };
    let mut source = open(location, branch("next"));
    assert_eq!(load(&mut source).revision, format!("next@sha1:{next}"));
    assert_eq!(load(&mut open(location, branch("v1"))).revision, format!("v1@sha1:{main}"));
    assert_eq!(load(&mut open(location, branch("refs/heads/next"))).revision, format!("next@sha1:{next}"));
    let gone = failure(&mut open(location, branch("gone")));
    assert!(gone.contains("there is no branch or tag gone"), "{gone}");

    repository.git(&["branch", "-q", "-D", "next"]);
    let deleted = failure(&mut source);
    assert!(deleted.contains("there is no branch or tag next; it may have been deleted"), "{deleted}");
    assert!(deleted.contains("the last state stays in force"), "{deleted}");
    repository.git(&["branch", "-q", "next", &next]);
    assert!(source.load().unwrap().is_none(), "the branch is back where it was");

    let path = Options { path: Some("none".to_owned()), ..options.clone() };
    let missing = failure(&mut open(location, path));
    assert!(missing.contains("there is no none in the commit"), "{missing}");
}

/// A cache that lost objects is made anew without a word.
fn damaged_cache(repository: &Repository, location: &str, options: &Options) {
    let mut source = open(location, options.clone());
    load(&mut source);
    for cache in fs::read_dir(&options.cache).into_iter().flatten().flatten() {
        for file in fs::read_dir(cache.path().join("objects/pack")).unwrap().flatten() {
            fs::remove_file(file.path()).unwrap();
        }
    }
    repository.commit_secret("mail/e.yaml", "e", "1");
    assert!(names(&load(&mut source)).contains(&"e".to_owned()));
    assert!(names(&load(&mut open(location, options.clone()))).contains(&"a".to_owned()));
}

/// Whether a program that a test needs is here; without it the test says so, and in CI it fails.
pub fn have(program: &str) -> bool {
    let found = Path::new(program).exists();
    assert!(found || std::env::var("CI").as_deref() != Ok("true"), "{program} is missing");
    if !found {
        eprintln!("skipped: {program} is missing");
    }
    found
}
