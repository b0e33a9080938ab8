//! Bad input through Git: each is told with what to do, the last state stays, and once mended it goes on.

use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chrono::Utc;
use mailwright_operator::repository::Follow;
use mailwright_operator::source::Options;
use mailwright_operator::source::verify::Last;

use crate::repository::{Repository, followed, have, named, names, open, secret, take};
use crate::server::{BACKEND, Mood, Server, root};

/// One that has read one object over HTTP, which is applied.
fn read(repository: &Repository) -> Option<(Server, Follow)> {
    if !have(BACKEND) {
        return None;
    }
    repository.commit_secret("a.yaml", "a", "1");
    let server = Server::start(&root(repository), Mood::Serve, None);
    let options = Options { reference: named("main"), ..repository.options() };
    let mut follow = followed(&server.url("/mail.git"), &options, None, &Last::default());
    let revision = take(&mut follow);
    assert_eq!(names(&revision.snapshot), ["a"]);
    follow.settle(&revision);
    Some((server, follow))
}

/// What is told of a bad commit; after that, a good one is read.
fn bad_then_good(repository: &Repository, follow: &mut Follow, temporary: bool) -> String {
    let error = follow.load(Utc::now()).expect_err("it is refused");
    assert_eq!(error.temporary, temporary, "{error}");
    assert_eq!(follow.load(Utc::now()).unwrap_err().to_string(), error.to_string(), "as long as it lasts");
    repository.git(&["reset", "-q", "--hard", "HEAD~1"]);
    assert!(follow.load(Utc::now()).unwrap().is_none(), "the last state is what is there again");
    repository.commit_secret("good.yaml", "good", "1");
    assert_eq!(names(&take(follow).snapshot), ["a", "good"]);
    error.to_string()
}

/// A tree by `git mktree`, from lines as it wants them.
fn tree(repository: &Repository, lines: &str) -> String {
    let mut git = Command::new("git");
    git.arg("mktree").current_dir(repository.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = git.spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
}

fn push_tree(repository: &Repository, tree: &str) {
    let commit = repository.git(&["commit-tree", tree, "-p", "HEAD", "-m", "bad"]);
    repository.git(&["update-ref", "refs/heads/main", &commit]);
}

#[test]
fn a_force_push_and_a_deleted_branch_are_told() {
    let repository = Repository::new();
    let Some((_server, mut follow)) = read(&repository) else { return };
    let taken = repository.git(&["rev-parse", "HEAD"]);
    repository.git(&["commit", "-q", "--amend", "-m", "rewritten"]);
    let error = follow.load(Utc::now()).unwrap_err();
    assert!(
        error.to_string().contains("the history was rewritten, or an older commit is back; push a commit"),
        "{error}"
    );
    assert!(!error.temporary, "{error}");
    repository.git(&["reset", "-q", "--hard", &taken]);
    assert!(follow.load(Utc::now()).unwrap().is_none(), "what was taken last is there again");
    repository.commit_secret("b.yaml", "b", "1");
    assert_eq!(names(&take(&mut follow).snapshot), ["a", "b"]);
    repository.git(&["checkout", "-q", "--detach"]);
    repository.git(&["branch", "-q", "-D", "main"]);
    let error = follow.load(Utc::now()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("there is no branch or tag main; it may have been deleted or renamed"), "{text}");
    assert!(text.ends_with("; the last state stays in force") && !error.temporary, "{text}");
    repository.git(&["checkout", "-q", "-b", "main"]);
    assert!(follow.load(Utc::now()).unwrap().is_none());
}

#[test]
fn an_empty_tree_is_a_mistake() {
    let repository = Repository::new();
    let Some((_server, mut follow)) = read(&repository) else { return };
    push_tree(&repository, "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
    let text = bad_then_good(&repository, &mut follow, false);
    assert!(
        text.contains("has no files at all, which counts as a mistake; push a commit that has the manifests"),
        "{text}"
    );
    assert!(text.ends_with("the last state stays in force"), "{text}");
}

#[test]
fn a_blob_of_a_gibibyte_is_refused_at_its_head() {
    let repository = Repository::new();
    let Some((_server, mut follow)) = read(&repository) else { return };
    repository.git(&["config", "core.compression", "1"]);
    repository.git(&["config", "core.bigFileThreshold", "1m"]);
    let path = repository.path().join("disk.img");
    std::fs::File::create(&path).unwrap().set_len(1 << 30).unwrap();
    repository.commit();
    let before = Instant::now();
    let text = bad_then_good(&repository, &mut follow, false);
    assert!(
        text.contains(
            "a file of 1073741824 bytes in the commit (the limit is 67108864) is refused; take it out of the branch: \
             manifests are small; the last state stays in force"
        ),
        "{text}"
    );
    assert!(before.elapsed() < Duration::from_secs(300), "it was not unpacked again and again");
}

#[test]
fn a_tree_like_a_zip_bomb_is_counted_before_it_is_read() {
    let repository = Repository::new();
    let Some((_server, mut follow)) = read(&repository) else { return };
    let blob = repository.git(&["hash-object", "-w", "a.yaml"]);
    let mut bomb = tree(&repository, &format!("100644 blob {blob}\ta.yaml\n"));
    for _ in 0..8 {
        let lines: String = (0..16).map(|n| format!("040000 tree {bomb}\td{n}\n")).collect();
        bomb = tree(&repository, &lines);
    }
    push_tree(&repository, &bomb);
    let text = bad_then_good(&repository, &mut follow, false);
    assert_eq!(
        text,
        "the number of manifest files exceeds the limit of 200000; give the path of the manifests"
    );
}

#[test]
fn a_tree_without_end_stops_its_branch_of_it_only() {
    let repository = Repository::new();
    let Some((_server, mut follow)) = read(&repository) else { return };
    let blob = repository.git(&["hash-object", "-w", "a.yaml"]);
    let mut deep = tree(&repository, &format!("100644 blob {blob}\tb.yaml\n"));
    for _ in 0..500 {
        deep = tree(&repository, &format!("040000 tree {deep}\td\n"));
    }
    push_tree(
        &repository,
        &tree(&repository, &format!("100644 blob {blob}\ta.yaml\n040000 tree {deep}\td\n")),
    );
    let snapshot = take(&mut follow).snapshot;
    assert_eq!(names(&snapshot), ["a"]);
    let told: Vec<_> = snapshot.errors().map(ToString::to_string).collect();
    assert!(
        told[0].ends_with("directories are nested deeper than 32 levels; move the manifests further up"),
        "{told:?}"
    );
    assert_eq!(snapshot.broken_files.len(), 1, "it counts as unchanged, not as removed");
}

/// An alias bomb, a pointer of LFS, a link, a submodule: none of them stops another file.
#[test]
fn what_is_bad_in_one_file_stays_in_it() {
    let repository = Repository::new();
    let Some((_server, mut follow)) = read(&repository) else { return };
    let mut bomb = "a: &a [x]\n".to_owned();
    for level in 1..20u8 {
        let name = |level: u8| char::from(b'a' + level);
        bomb += &format!("{}: &{0} [{}]\n", name(level), vec![format!("*{}", name(level - 1)); 9].join(", "));
    }
    repository.write("bomb.yaml", &bomb);
    repository.write("lfs.yaml", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n");
    std::os::unix::fs::symlink("/etc/passwd", repository.path().join("link.yaml")).unwrap();
    repository
        .write("hooks/post-checkout", format!("#!/bin/sh\ntouch {}\n", repository.beside("ran").display()));
    repository.write(".gitattributes", "*.yaml filter=evil\n");
    repository.write("b.yaml", secret("b", "1"));
    repository.commit();
    let snapshot = take(&mut follow).snapshot;
    assert_eq!(names(&snapshot), ["a", "b"]);
    let told: Vec<_> = snapshot.problems.iter().map(ToString::to_string).collect();
    for expected in [
        "bomb.yaml:",
        "lfs.yaml: the file is a Git LFS pointer, and what LFS keeps elsewhere is not fetched; commit the manifest itself",
        "link.yaml: a link in a repository is not followed; put the file itself here",
    ] {
        assert!(told.iter().any(|text| text.starts_with(expected)), "{expected}: {told:?}");
    }
    assert!(told.iter().any(|text| text.contains("alias")), "{told:?}");
    assert!(!repository.beside("ran").exists());
    // Whatever is in the repository, the cache has neither hooks nor files.
    for cache in std::fs::read_dir(repository.beside("cache")).unwrap().flatten() {
        assert!(!cache.path().join("hooks").exists() && !cache.path().join("a.yaml").exists());
    }
}

#[test]
fn a_host_that_is_away_or_says_nothing_is_waited_for_so_long() {
    let repository = Repository::new();
    let Some((server, mut follow)) = read(&repository) else { return };
    for (mood, expected) in [
        (Mood::Answer(503, ""), "cannot be reached: the server answered 503 Service Unavailable"),
        (Mood::Answer(429, ""), "the server asks for fewer requests (429); use a longer interval"),
    ] {
        server.turn(mood);
        let error = follow.load(Utc::now()).unwrap_err();
        assert!(error.temporary && error.to_string().contains(expected), "{error}");
        assert!(error.to_string().ends_with("the last state stays in force"), "{error}");
    }
    server.turn(Mood::Serve);
    assert!(follow.load(Utc::now()).unwrap().is_none(), "no account was lost in the meantime");
    let hurried = |url: &str| {
        let options = Options { timeout: Some(Duration::from_secs(2)), ..repository.options() };
        let before = Instant::now();
        let error = open(url, options).load().unwrap_err();
        assert!(error.is_temporary() && before.elapsed() < Duration::from_secs(60), "{error}");
        error.to_string()
    };
    server.turn(Mood::Silence);
    assert!(hurried(&server.url("/mail.git")).contains("the server does not answer in time"));
    // Always a little, and never to the end.
    server.turn(Mood::Drip);
    let text = hurried(&server.url("/mail.git"));
    assert!(text.contains("the fetch takes longer than 2 s") || text.contains("in time"), "{text}");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert!(
        hurried(&format!("http://127.0.0.1:{port}/mail.git"))
            .contains("cannot be reached: Connection refused")
    );
    assert!(hurried("https://no-such-host.invalid/mail.git").contains("cannot be reached: "));
}

/// A server that sends what unpacks to more than it says, or to more than anybody needs.
#[test]
fn packs_that_are_bombs_are_cut_off() {
    let repository = Repository::new();
    let Some((server, mut follow)) = read(&repository) else { return };
    let zeros = {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![0; 8 << 20]).unwrap();
        encoder.finish().unwrap()
    };
    // Ten bytes by its head, eight mebibytes in truth; and a tebibyte by its head.
    let pack = |head: &[u8]| [b"PACK\0\0\0\x02\0\0\0\x01", head, &zeros, &[0; 20]].concat();
    let table = [
        (pack(&[0x3a]), "an object is larger than it says", true),
        (
            pack(&[0xb0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x04]),
            "(the limit is 67108864) is refused; take it out",
            false,
        ),
        (
            b"PACK\0\0\0\x02\xff\xff\xff\xff".to_vec(),
            "a fetch of more than 2000000 objects is refused",
            false,
        ),
        (b"no pack at all, but long enough".to_vec(), "the server sent no pack", false),
    ];
    repository.commit_secret("b.yaml", "b", "1");
    for (pack, expected, temporary) in table {
        server.turn(Mood::Pack(pack));
        let error = follow.load(Utc::now()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.temporary, temporary, "{error}");
    }
    server.turn(Mood::Serve);
    assert_eq!(names(&take(&mut follow).snapshot), ["a", "b"]);
}
