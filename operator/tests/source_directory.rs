//! A directory as a source: what is read, what counts as a change, and what never counts as removed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use mailwright_operator::source::{Options, Severity, Snapshot, Source, SourceError};

fn secret(name: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData: {{password: \"{value}\"}}\n"
    )
}

fn write(root: &Path, path: &str, text: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn open(root: &Path) -> Source {
    Source::open(root.to_str().unwrap(), Options::default()).unwrap()
}

fn load(source: &mut Source) -> Snapshot {
    source.load().unwrap().expect("a new snapshot")
}

fn names(snapshot: &Snapshot) -> Vec<String> {
    snapshot.objects.iter().map(|object| object.reference.name.to_string()).collect()
}

fn files(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.files.iter().map(|file| file.path.as_str()).collect()
}

fn problems(snapshot: &Snapshot) -> Vec<String> {
    snapshot.problems.iter().map(ToString::to_string).collect()
}

/// Sets a file's times to long ago, so that its stamp is trusted at once.
fn age(path: &Path) {
    let long_ago = SystemTime::now() - Duration::from_secs(3600);
    fs::File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
}

#[test]
fn only_visible_yaml_files_are_read() {
    let root = tempfile::tempdir().unwrap();
    for path in [
        "b.yaml",
        "a.yml",
        "deep/er/c.yaml",
        ".hidden.yaml",
        ".git/d.yaml",
        "notes.txt",
        "e.yaml.bak",
        "f.YAML",
    ] {
        write(
            root.path(),
            path,
            secret(&path.replace(['/', '.'], "-").trim_matches('-').to_lowercase(), "x"),
        );
    }
    let snapshot = load(&mut open(root.path()));
    assert_eq!(files(&snapshot), ["a.yml", "b.yaml", "deep/er/c.yaml"]);
    assert_eq!(names(&snapshot), ["a-yml", "b-yaml", "deep-er-c-yaml"]);
    assert_eq!(problems(&snapshot), Vec::<String>::new());
}

#[test]
fn every_kind_of_change_is_seen_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("a.yaml");
    write(root.path(), "a.yaml", secret("a", "one"));
    write(root.path(), "b.yaml", secret("b", "one"));
    let mut source = open(root.path());
    let first = load(&mut source);
    assert!(source.load().unwrap().is_none());

    write(root.path(), "a.yaml", secret("a", "two"));
    let second = load(&mut source);
    assert_ne!(first.revision, second.revision);
    assert!(std::sync::Arc::ptr_eq(&first.objects[1], &second.objects[1]), "b.yaml was not read again");
    assert!(!std::sync::Arc::ptr_eq(&first.objects[0], &second.objects[0]));

    // The same content written again is no change, whatever the stamps say.
    write(root.path(), "a.yaml", secret("a", "two"));
    assert!(source.load().unwrap().is_none());

    // An editor's atomic save: a new file takes the name of the old one, same size, same modification time.
    let modified = fs::metadata(&file).unwrap().modified().unwrap();
    write(root.path(), "a.yaml.new", secret("a", "tri"));
    fs::File::options()
        .write(true)
        .open(root.path().join("a.yaml.new"))
        .unwrap()
        .set_modified(modified)
        .unwrap();
    fs::rename(root.path().join("a.yaml.new"), &file).unwrap();
    let third = load(&mut source);

    fs::rename(&file, root.path().join("c.yaml")).unwrap();
    assert_eq!(files(&load(&mut source)), ["b.yaml", "c.yaml"]);
    fs::rename(root.path().join("c.yaml"), &file).unwrap();
    assert_eq!(load(&mut source).revision, third.revision, "the revision is that of the content");
    fs::remove_file(&file).unwrap();
    assert_eq!(names(&load(&mut source)), ["b"]);
    write(root.path(), "new/d.yaml", secret("d", "x"));
    assert_eq!(names(&load(&mut source)), ["b", "d"]);
}

#[test]
fn a_write_in_the_same_tick_of_the_clock_is_seen() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "a.yaml", secret("a", "000"));
    let mut source = open(root.path());
    load(&mut source);
    for round in 1..20 {
        write(root.path(), "a.yaml", secret("a", &format!("{round:03}")));
        assert!(source.load().unwrap().is_some(), "round {round}");
    }
}

#[test]
fn a_file_being_written_is_waited_for() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "a.yaml", secret("a", "x"));
    let mut source = open(root.path());
    load(&mut source);
    let path = root.path().join("a.yaml");
    let writer = std::thread::spawn(move || {
        for length in 1..=8 {
            let text: String = (0..length).map(|n| secret(&format!("a{n}"), "x") + "---\n").collect();
            fs::write(&path, text).unwrap();
            std::thread::sleep(Duration::from_millis(40));
        }
    });
    std::thread::sleep(Duration::from_millis(20));
    let started = Instant::now();
    let snapshot = load(&mut source);
    assert_eq!(snapshot.objects.len(), 8, "the last state, not one in between");
    assert!(started.elapsed() < Duration::from_secs(2));
    writer.join().unwrap();
}

#[test]
fn a_vanished_root_is_an_error_and_never_empty() {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("mail");
    write(&root, "a.yaml", secret("a", "x"));
    let mut source = open(&root);
    load(&mut source);
    fs::rename(&root, parent.path().join("away")).unwrap();
    let error = source.load().unwrap_err();
    assert!(matches!(error, SourceError::Root { .. }), "{error}");
    assert!(error.to_string().contains("the last state stays in force"), "{error}");
    fs::rename(parent.path().join("away"), &root).unwrap();
    assert!(source.load().unwrap().is_none(), "back again, nothing changed");
    assert!(Source::open(parent.path().join("none").to_str().unwrap(), Options::default()).is_err());
}

#[test]
fn what_cannot_be_read_is_broken_and_not_gone() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "a.yaml", secret("a", "x"));
    write(root.path(), "latin.yaml", b"a: \xE9\n");
    fs::File::create(root.path().join("huge.yaml")).unwrap().set_len(40 * 1024 * 1024).unwrap();
    symlink("/etc/hostname", root.path().join("out.yaml")).unwrap();
    symlink("/etc", root.path().join("etc")).unwrap();
    symlink("nowhere", root.path().join("nowhere.yaml")).unwrap();
    assert!(Command::new("mkfifo").arg(root.path().join("pipe.yaml")).status().unwrap().success());
    let deep = "d/".repeat(40) + "deep.yaml";
    write(root.path(), &deep, secret("deep", "x"));
    let snapshot = load(&mut open(root.path()));
    assert_eq!(names(&snapshot), ["a"]);
    let broken: Vec<_> =
        snapshot.broken_files.iter().map(|file| (file.path.as_str(), file.text.is_some())).collect();
    let deepest = "d/".repeat(33);
    let expected = [
        (deepest.trim_end_matches('/'), false),
        ("etc", false),
        ("huge.yaml", false),
        ("latin.yaml", true),
        ("nowhere.yaml", false),
        ("out.yaml", false),
        ("pipe.yaml", false),
    ];
    assert_eq!(broken, expected);
    let told = problems(&snapshot);
    for part in [
        "nested deeper than 32 levels",
        "etc: the link leads out of the source and is not followed; put what it leads to here",
        "huge.yaml: the file has 41943040 bytes, and 33554432 is the limit; split it",
        "latin.yaml:1:4: the byte 0xe9 is not UTF-8; save the file as UTF-8",
        "nowhere.yaml: the link leads nowhere",
        "out.yaml: the link leads out of the source and is not followed",
        "pipe.yaml: this is no regular file; remove or rename it",
    ] {
        assert!(told.iter().any(|problem| problem.contains(part)), "{part}: {told:#?}");
    }
}

/// As root nothing is unreadable, so the check is made only where it can fail.
#[test]
fn a_file_without_permission_is_broken_until_it_has_one() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "a.yaml", secret("a", "x"));
    write(root.path(), "sub/b.yaml", secret("b", "x"));
    let mode = |path: &str, mode: u32| {
        fs::set_permissions(root.path().join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("a.yaml", 0);
    if fs::read(root.path().join("a.yaml")).is_ok() {
        eprintln!("skipped: this user may read everything");
        return;
    }
    let mut source = open(root.path());
    let snapshot = load(&mut source);
    assert_eq!(names(&snapshot), ["b"]);
    assert_eq!(snapshot.broken_files[0].path, "a.yaml");
    mode("a.yaml", 0o644);
    assert_eq!(names(&load(&mut source)), ["a", "b"]);
    mode("sub", 0);
    let snapshot = load(&mut source);
    assert_eq!((names(&snapshot), snapshot.broken_files[0].path.as_str()), (vec!["a".to_owned()], "sub"));
    mode("sub", 0o755);
}

#[test]
fn links_within_the_root_are_followed_once() {
    // A mounted ConfigMap: visible names are links into a hidden directory that is itself a link.
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "..2026_01/a.yaml", secret("a", "x"));
    symlink("..2026_01", root.path().join("..data")).unwrap();
    symlink("..data/a.yaml", root.path().join("a.yaml")).unwrap();
    write(root.path(), "real/b.yaml", secret("b", "x"));
    symlink("real/b.yaml", root.path().join("again.yaml")).unwrap();
    symlink("real", root.path().join("loop")).unwrap();
    symlink(".", root.path().join("real/self")).unwrap();
    let mut source = open(root.path());
    let snapshot = load(&mut source);
    assert_eq!(names(&snapshot), ["a", "b"]);
    assert_eq!(snapshot.errors().count(), 0);
    let warned: Vec<_> = snapshot.warnings().map(|problem| problem.file.as_str()).collect();
    assert_eq!(warned, ["loop", "real/self"]);

    write(root.path(), "..2026_02/a.yaml", secret("a", "y"));
    symlink("..2026_02", root.path().join("..data_tmp")).unwrap();
    fs::rename(root.path().join("..data_tmp"), root.path().join("..data")).unwrap();
    assert_eq!(names(&load(&mut source)), ["a", "b"], "the swap of a ConfigMap is seen");
}

#[test]
fn a_path_narrows_what_is_read_and_shows_in_the_places() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "mail/a.yaml", secret("a", "x"));
    write(root.path(), "other/b.yaml", "kind: [\n");
    let narrowed = |path: &str| Options { path: Some(path.to_owned()), ..Options::default() };
    let root_name = root.path().to_str().unwrap();
    let mut source = Source::open(root_name, narrowed("./mail/")).unwrap();
    let snapshot = load(&mut source);
    assert_eq!((files(&snapshot), snapshot.problems.len()), (vec!["mail/a.yaml"], 0));
    assert_eq!(snapshot.objects[0].origin.to_string(), "mail/a.yaml:1");
    assert!(source.load().unwrap().is_none());
    let error = Source::open(root_name, narrowed("none")).and_then(|mut source| source.load()).unwrap_err();
    assert!(error.to_string().contains("none"), "{error}");
    for bad in ["..", "mail/../..", "a\\b"] {
        assert!(matches!(Source::open(root_name, narrowed(bad)), Err(SourceError::Location { .. })), "{bad}");
    }
}

#[test]
fn all_files_together_are_bounded() {
    let root = tempfile::tempdir().unwrap();
    for n in 0..17 {
        let file = fs::File::create(root.path().join(format!("{n}.yaml"))).unwrap();
        file.set_len(31 * 1024 * 1024).unwrap();
    }
    let error = open(root.path()).load().unwrap_err().to_string();
    assert_eq!(
        error,
        "the size of all manifests exceeds the limit of 536870912; split them over several sources"
    );
}

#[test]
fn one_file_is_a_source_too() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "a.yaml", secret("a", "x"));
    write(root.path(), "b.yaml", secret("b", "x"));
    let mut source = open(&root.path().join("a.yaml"));
    assert_eq!(files(&load(&mut source)), ["a.yaml"]);
    write(root.path(), "a.yaml", secret("c", "x"));
    assert_eq!(names(&load(&mut source)), ["c"]);
}

#[test]
fn an_empty_directory_is_empty_and_without_error() {
    let root = tempfile::tempdir().unwrap();
    let snapshot = load(&mut open(root.path()));
    assert!(snapshot.objects.is_empty() && snapshot.broken_files.is_empty() && snapshot.problems.is_empty());
}

#[test]
fn a_kustomization_beside_the_manifests_is_a_warning() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "kustomization.yaml", "resources: [a.yaml]\n");
    write(root.path(), "a.yaml", secret("a", "x"));
    let snapshot = load(&mut open(root.path()));
    assert_eq!(names(&snapshot), ["a"]);
    assert_eq!(snapshot.problems[0].severity, Severity::Warning);
    assert!(
        problems(&snapshot)[0]
            .starts_with("kustomization.yaml:1:1: warning: a Kustomization is not evaluated")
    );
}

#[test]
fn ten_thousand_files_are_followed_cheaply() {
    let root = tempfile::tempdir().unwrap();
    for n in 0..10_000 {
        write(root.path(), &format!("{}/{n}.yaml", n % 100), secret(&format!("s{n}"), "x"));
        age(&root.path().join(format!("{}/{n}.yaml", n % 100)));
    }
    std::thread::sleep(Duration::from_millis(1100));
    let mut source = open(root.path());
    let started = Instant::now();
    assert_eq!(load(&mut source).objects.len(), 10_000);
    let first = started.elapsed();
    let started = Instant::now();
    assert!(source.load().unwrap().is_none());
    let second = started.elapsed();
    write(root.path(), "7/7.yaml", secret("s7", "changed"));
    let started = Instant::now();
    assert_eq!(load(&mut source).objects.len(), 10_000);
    println!("10,000 files: first {first:?}, unchanged {second:?}, one changed {:?}", started.elapsed());
    assert!(second < first, "an unchanged directory is not read again");
}
