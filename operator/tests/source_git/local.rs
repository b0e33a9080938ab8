//! Repositories on this machine, what a tree may hold, and revisions for `diff`.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use mailwright_operator::source::{Options, Source, SourceError};

use crate::repository::{Repository, failure, files, follow, load, named, names, open, secret};

#[test]
fn a_local_branch_is_followed() {
    let repository = Repository::new();
    let options = Options { reference: named("main"), ..repository.options() };
    let location = repository.path();
    let first = repository.commit_secret("mail/a.yaml", "a", "1");
    let mut source = open(location.to_str().unwrap(), options);
    assert_eq!(load(&mut source).revision, format!("main@sha1:{first}"));
    repository.write("mail/b.yaml", secret("b", "1"));
    assert!(source.load().unwrap().is_none(), "the work tree is not looked at");
    repository.commit();
    let snapshot = load(&mut source);
    assert_eq!(names(&snapshot), ["a", "b"]);
    let commit = snapshot.commit.unwrap();
    assert_eq!(snapshot.revision, format!("main@sha1:{}", commit.id));
    assert_eq!((commit.author.as_str(), commit.subject.as_str()), ("alice <alice@example.test>", "change"));
    assert_eq!((commit.trailers.as_slice(), &commit.signer), (&[][..], &None));
    fs::rename(&location, repository.beside("away")).unwrap();
    let away = failure(&mut source);
    assert!(
        away.contains("there is no Git repository at this path; the last state stays in force"),
        "{away}"
    );
    fs::rename(repository.beside("away"), &location).unwrap();
    assert!(source.load().unwrap().is_none());
    assert!(!repository.beside("cache").exists(), "a local repository needs no cache");
}

#[test]
fn a_file_url_is_followed() {
    let repository = Repository::new();
    let location = format!("file://{}", repository.path().display());
    follow(&repository, &location, &repository.options());
}

#[test]
fn a_bare_repository_is_followed_and_a_work_tree_is_a_directory() {
    let repository = Repository::new();
    repository.commit_secret("a.yaml", "a", "1");
    repository.write("b.yaml", secret("b", "1"));
    let bare = repository.beside("bare.git");
    repository.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    let source = |path: &std::path::Path| open(path.to_str().unwrap(), repository.options());
    assert_eq!(names(&load(&mut source(&bare))), ["a"]);
    assert_eq!(names(&load(&mut source(&repository.path()))), ["a", "b"]);
    assert!(matches!(source(&repository.path()), Source::Directory(_)));
}

#[test]
fn an_empty_repository_and_a_path_without_one_are_errors() {
    let repository = Repository::new();
    let location = format!("file://{}", repository.path().display());
    let empty = failure(&mut open(&location, repository.options()));
    assert!(
        empty.contains("the repository has no default branch; push a commit, or name a branch"),
        "{empty}"
    );
    let none = failure(&mut open("file:///nowhere/mail.git", repository.options()));
    assert_eq!(
        none,
        "/nowhere/mail.git: cannot be reached: there is no Git repository at this path; the last state stays in force"
    );
}

#[test]
fn links_submodules_and_odd_names_in_a_tree_are_told() {
    let repository = Repository::new();
    let library = Repository::new();
    library.commit_secret("x.yaml", "x", "1");
    repository.write("mail/a.yaml", secret("a", "1"));
    repository.write("mail/.hidden.yaml", "{");
    repository.write("mail/.github/b.yaml", "{");
    repository.write("mail/notes.txt", "{");
    symlink("/etc/passwd", repository.path().join("mail/out.yaml")).unwrap();
    symlink("/etc", repository.path().join("mail/etc")).unwrap();
    repository.write("mail/big.yaml", vec![b'#'; 40 * 1024 * 1024]);
    repository.git(&["submodule", "--quiet", "add", library.path().to_str().unwrap(), "mail/library"]);
    repository.commit();
    let options = Options { reference: named("main"), path: Some("mail".to_owned()), ..repository.options() };
    let snapshot = load(&mut open(repository.path().to_str().unwrap(), options));
    assert_eq!(names(&snapshot), ["a"]);
    let problems: Vec<_> = snapshot.problems.iter().map(ToString::to_string).collect();
    let expected = [
        "mail/big.yaml: the file has 41943040 bytes, and 33554432 is the limit; split it",
        "mail/library: warning: a submodule is not read; follow its repository as a source of its own",
        "mail/out.yaml: a link in a repository is not followed; put the file itself here",
    ];
    assert_eq!(problems, expected);
    let broken: Vec<_> = snapshot.broken_files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(broken, ["mail/big.yaml", "mail/out.yaml"]);
}

#[test]
fn directories_are_read_to_a_depth_and_unchanged_files_once() {
    let repository = Repository::new();
    repository.write(&("d/".repeat(32) + "a.yaml"), secret("a", "1"));
    repository.write(&("e/".repeat(33) + "b.yaml"), secret("b", "1"));
    repository.commit();
    let options = Options { reference: named("main"), ..repository.options() };
    let mut source = open(repository.path().to_str().unwrap(), options);
    let first = load(&mut source);
    assert_eq!(names(&first), ["a"]);
    assert_eq!(first.broken_files.len(), 1);
    assert!(first.problems[0].message.contains("nested deeper than 32 levels"), "{}", first.problems[0]);
    repository.commit_secret("c.yaml", "c", "1");
    let second = load(&mut source);
    assert_eq!(names(&second), ["c", "a"]);
    assert!(Arc::ptr_eq(&first.objects[0], &second.objects[1]), "the blob was not read again");
}

/// An empty commit is a new revision with the same objects.
#[test]
fn a_commit_that_changes_no_manifest_is_a_new_revision() {
    let repository = Repository::new();
    repository.commit_secret("a.yaml", "a", "1");
    let options = Options { reference: named("main"), ..repository.options() };
    let mut source = open(repository.path().to_str().unwrap(), options);
    let first = load(&mut source);
    repository.write("README.md", "hello");
    let commit = repository.commit();
    let second = load(&mut source);
    assert_eq!(second.revision, format!("main@sha1:{commit}"));
    assert_eq!(first.objects, second.objects);
}

#[test]
fn a_path_may_name_one_file_and_must_exist() {
    let repository = Repository::new();
    repository.commit_secret("mail/a.yaml", "a", "1");
    repository.commit_secret("mail/b.yaml", "b", "1");
    let options = |path: &str| Options {
        reference: named("main"),
        path: Some(path.to_owned()),
        ..repository.options()
    };
    let location = repository.path();
    let location = location.to_str().unwrap();
    assert_eq!(files(&load(&mut open(location, options("mail/b.yaml")))), ["mail/b.yaml"]);
    assert_eq!(files(&load(&mut open(location, options("/mail/")))), ["mail/a.yaml", "mail/b.yaml"]);
    let mut source = open(location, options("mail"));
    load(&mut source);
    repository.git(&["rm", "-rq", "mail"]);
    repository.commit();
    let gone = failure(&mut source);
    assert!(gone.contains("there is no mail in the commit; check the path"), "{gone}");
}

#[test]
fn revisions_are_read_for_diff() {
    let repository = Repository::new();
    let first = repository.commit_secret("team/mail/a.yaml", "a", "1");
    let second = repository.commit_secret("team/mail/b.yaml", "b", "1");
    repository.write("team/mail/c.yaml", secret("c", "1"));
    let path = repository.path();
    let bare = open(&format!("file://{}", path.display()), repository.options());
    let directory = open(path.join("team").to_str().unwrap(), repository.options());
    let narrowed = Options { path: Some("mail".to_owned()), ..repository.options() };
    let narrowed = open(path.join("team").to_str().unwrap(), narrowed);
    for (source, shown) in
        [(&bare, "team/mail/a.yaml"), (&directory, "mail/a.yaml"), (&narrowed, "mail/a.yaml")]
    {
        let old = source.load_revision("HEAD~1").unwrap();
        assert_eq!((files(&old), old.revision.clone()), (vec![shown], format!("HEAD~1@sha1:{first}")));
        assert_eq!(names(&source.load_revision("main").unwrap()), ["a", "b"]);
        assert_eq!(names(&source.load_revision(&second[..10]).unwrap()), ["a", "b"]);
        let error = source.load_revision("v9").unwrap_err().to_string();
        assert!(
            error
                .contains("there is no revision v9; give a branch, a tag, a commit or something like HEAD~1"),
            "{error}"
        );
    }
    let outside = tempfile::tempdir().unwrap();
    let error = open(outside.path().to_str().unwrap(), Options::default()).load_revision("HEAD").unwrap_err();
    assert!(error.to_string().contains("this directory is in no Git repository"), "{error}");
    let remote = open("https://example.org/mail.git", repository.options());
    let error = remote.load_revision("HEAD").unwrap_err().to_string();
    assert!(error.contains("from a local repository only; clone it first"), "{error}");
}

#[test]
fn wrong_locations_are_told_without_credentials() {
    let table = [
        ("http://alice:hunter2@example.org/mail.git", "credentials are never sent over http; use https"),
        ("ftp://alice:hunter2@example.org/mail.git", "the scheme ftp is not supported"),
        ("ssh://-oProxyCommand=hunter2/x", "may not begin with a hyphen"),
        ("no/such/directory", "there is no such directory; give a directory, a Git repository or an URL"),
    ];
    for (location, expected) in table {
        let error = Source::open(location, Options::default()).unwrap_err();
        assert!(matches!(error, SourceError::Location { .. }));
        let text = format!("{error} {error:?}");
        assert!(text.contains(expected) && !text.contains("hunter2"), "{text}");
    }
    let source = open("https://alice:hunter2@example.org/mail.git", Options::default());
    assert_eq!(source.id(), "https://example.org/mail.git");
    assert!(!format!("{source:?}").contains("hunter2"));
}

/// A hundred thousand files: run with `--ignored --nocapture` for the figures.
#[test]
#[ignore = "a minute without optimisation"]
fn a_hundred_thousand_files_are_read_once() {
    let repository = Repository::new();
    let mut import =
        "commit refs/heads/main\ncommitter alice <alice@example.test> 1 +0000\ndata 0\n".to_owned();
    for n in 0..100_000 {
        let text = secret(&format!("n{n}"), "1");
        import += &format!("M 100644 inline mail/{}/{n}.yaml\ndata {}\n{text}\n", n / 1000, text.len());
    }
    let mut git = Command::new("git");
    git.args(["fast-import", "--quiet"]).current_dir(repository.path()).stdin(Stdio::piped());
    let mut child = git.spawn().unwrap();
    child.stdin.take().unwrap().write_all(import.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    repository.git(&["reset", "-q", "--hard"]);
    let mut source = open(&format!("file://{}", repository.path().display()), repository.options());
    let timed = |what: &str, source: &mut Source| {
        let start = Instant::now();
        let loaded = source.load().unwrap();
        println!("{what}: {:?}", start.elapsed());
        loaded
    };
    let first = timed("cold", &mut source).unwrap();
    assert_eq!((first.objects.len(), first.problems.len()), (100_000, 0));
    assert!(timed("no news", &mut source).is_none());
    repository.write("mail/50/50000.yaml", secret("n50000", "2"));
    repository.git(&["commit", "-q", "-a", "-m", "one"]);
    let second = timed("one file", &mut source).unwrap();
    let same = first.objects.iter().zip(&second.objects).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
    assert_eq!((second.objects.len(), same), (100_000, 99_999));
}
