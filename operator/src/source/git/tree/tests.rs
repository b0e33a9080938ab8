//! Trees made by hand: what is taken over from one commit to the next, and what is refused.

use git2::{Signature, Time};
use tempfile::TempDir;

use super::*;
use crate::source::{Severity, Snapshot};

const FILE: i32 = 0o100_644;
const DIRECTORY: i32 = 0o040_000;

struct Bed {
    _directory: TempDir,
    repository: Repository,
}

impl Bed {
    fn new() -> Bed {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(directory.path()).unwrap();
        Bed { _directory: directory, repository }
    }

    fn blob(&self, text: &[u8]) -> Oid {
        self.repository.blob(text).unwrap()
    }

    fn secret(&self, name: &str) -> Oid {
        let text =
            format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData: {{a: \"b\"}}\n");
        self.blob(text.as_bytes())
    }

    fn tree(&self, entries: &[(&str, i32, Oid)]) -> Oid {
        let mut builder = self.repository.treebuilder(None).unwrap();
        for (name, mode, id) in entries {
            builder.insert(name, *id, *mode).unwrap();
        }
        builder.write().unwrap()
    }

    fn commit(&self, tree: Oid) -> Oid {
        let who = Signature::new("alice", "alice@example.test", &Time::new(1000, 0)).unwrap();
        let tree = self.repository.find_tree(tree).unwrap();
        self.repository.commit(None, &who, &who, "change", &tree, &[]).unwrap()
    }

    fn read(&self, tree: Oid, below: &str, before: &Listing) -> Result<Listing, String> {
        let below =
            Below { path: below, hidden: "", decryption: &Decryption::default(), namespace: "default" };
        let read = read(&self.repository, self.commit(tree), below, before);
        read.map_err(|error| error.located("x").to_string())
    }
}

fn paths(listing: &Listing) -> Vec<String> {
    listing.files().into_iter().map(|file| file.path).collect()
}

/// Which of the files were taken over from `before`.
fn shared(before: &Listing, after: &Listing) -> Vec<String> {
    let same = |file: &ReadFile| before.files().iter().any(|old| Arc::ptr_eq(&old.contents, &file.contents));
    after.files().into_iter().filter(same).map(|file| file.path).collect()
}

#[test]
fn only_what_changed_is_read() {
    let bed = Bed::new();
    let deep = bed.tree(&[("a.yaml", FILE, bed.secret("a")), ("b.yaml", FILE, bed.secret("b"))]);
    let other = bed.tree(&[("c.yaml", FILE, bed.secret("c"))]);
    let top = |deep, d: &str| {
        bed.tree(&[("deep", DIRECTORY, deep), ("other", DIRECTORY, other), ("d.yaml", FILE, bed.secret(d))])
    };
    let first = bed.read(top(deep, "d"), "", &Listing::default()).unwrap();
    assert_eq!(paths(&first), ["d.yaml", "deep/a.yaml", "deep/b.yaml", "other/c.yaml"]);

    let changed = bed.tree(&[("a.yaml", FILE, bed.secret("new")), ("b.yaml", FILE, bed.secret("b"))]);
    let second = bed.read(top(changed, "d"), "", &first).unwrap();
    assert_eq!(shared(&first, &second), ["d.yaml", "deep/b.yaml", "other/c.yaml"]);

    // A directory under another name is read again: what it says is told with another path.
    let moved = bed.tree(&[("moved", DIRECTORY, deep)]);
    let third = bed.read(moved, "", &second).unwrap();
    assert_eq!(
        (paths(&third), shared(&second, &third)),
        (vec!["moved/a.yaml".into(), "moved/b.yaml".into()], vec![])
    );
    // What became a file was a directory.
    let file = bed.tree(&[("deep", FILE, bed.blob(b"x")), ("other.yaml", DIRECTORY, other)]);
    assert_eq!(paths(&bed.read(file, "", &first).unwrap()), ["other.yaml/c.yaml"]);
}

/// A directory with an object id that is known is not even opened: its objects could be gone.
#[test]
fn an_unchanged_directory_is_not_walked() {
    let bed = Bed::new();
    let inner = bed.tree(&[("a.yaml", FILE, bed.secret("a"))]);
    let first = bed.read(bed.tree(&[("mail", DIRECTORY, inner)]), "", &Listing::default()).unwrap();
    let second = bed.tree(&[("mail", DIRECTORY, inner), ("b.yaml", FILE, bed.secret("b"))]);
    let commit = bed.commit(second);
    let hex = inner.to_string();
    let loose = bed.repository.path().join("objects").join(&hex[..2]).join(&hex[2..]);
    std::fs::remove_file(loose).unwrap();
    let fresh = Repository::open_bare(bed.repository.path()).unwrap();
    let below = Below { path: "", hidden: "", decryption: &Decryption::default(), namespace: "default" };
    assert_eq!(paths(&read(&fresh, commit, below, &first).unwrap()), ["b.yaml", "mail/a.yaml"]);
    assert!(read(&fresh, commit, below, &Listing::default()).is_err(), "without the listing it is missed");
}

#[test]
fn files_come_in_the_order_of_their_paths() {
    let bed = Bed::new();
    let inner = bed.tree(&[("x.yaml", FILE, bed.secret("x"))]);
    let names = ["a-b.yaml", "a.yaml", "a0.yaml", "b.yaml"];
    let mut entries: Vec<_> = names.iter().map(|name| (*name, FILE, bed.secret(name))).collect();
    entries.extend([("a", DIRECTORY, inner), ("a.b", DIRECTORY, inner), ("aa", DIRECTORY, inner)]);
    let found = paths(&bed.read(bed.tree(&entries), "", &Listing::default()).unwrap());
    let mut sorted = found.clone();
    sorted.sort();
    assert_eq!(found, sorted);
    assert_eq!(found.len(), 7);
}

#[test]
fn one_file_may_be_followed() {
    let bed = Bed::new();
    let tree =
        |name: &str| bed.tree(&[("a.yaml", FILE, bed.secret("a")), ("b.yaml", FILE, bed.secret(name))]);
    let first = bed.read(tree("b"), "a.yaml", &Listing::default()).unwrap();
    let second = bed.read(tree("c"), "a.yaml", &first).unwrap();
    assert_eq!(
        (paths(&second), shared(&first, &second)),
        (vec!["a.yaml".to_owned()], vec!["a.yaml".to_owned()])
    );
}

#[test]
fn what_cannot_be_meant_is_refused_with_a_remedy() {
    let bed = Bed::new();
    let empty = bed.tree(&[]);
    let error = bed.read(empty, "", &Listing::default()).unwrap_err();
    assert!(
        error
            .contains("has no files at all, which counts as a mistake; push a commit that has the manifests"),
        "{error}"
    );
    // Sixteen directories of the same directory, and so on: 16^8 files in nine small objects.
    let mut bomb = bed.tree(&[("a.yaml", FILE, bed.secret("a"))]);
    for _ in 0..8 {
        let names: Vec<String> = (0..16).map(|n| format!("d{n}")).collect();
        let entries: Vec<_> = names.iter().map(|name| (name.as_str(), DIRECTORY, bomb)).collect();
        bomb = bed.tree(&entries);
    }
    let error = bed.read(bomb, "", &Listing::default()).unwrap_err();
    assert_eq!(
        error,
        format!(
            "the number of manifest files exceeds the limit of {MAX_FILES}; give the path of the manifests"
        )
    );
    // The same with nothing to read in it.
    let mut bomb = bed.tree(&[("a.txt", FILE, bed.blob(b"x"))]);
    for _ in 0..6 {
        let names: Vec<String> = (0..16).map(|n| format!("d{n}")).collect();
        let entries: Vec<_> = names.iter().map(|name| (name.as_str(), DIRECTORY, bomb)).collect();
        bomb = bed.tree(&entries);
    }
    let error = bed.read(bomb, "", &Listing::default()).unwrap_err();
    assert!(error.starts_with("the number of entries of the commit exceeds the limit of 1000000"), "{error}");
    // One blob of 30 MiB under twenty names.
    let large = bed.blob(&vec![b'#'; 30 * 1024 * 1024]);
    let names: Vec<String> = (0..20).map(|n| format!("{n}.yaml")).collect();
    let many = bed.tree(&names.iter().map(|name| (name.as_str(), FILE, large)).collect::<Vec<_>>());
    let error = bed.read(many, "", &Listing::default()).unwrap_err();
    assert!(
        error.contains("the size of all manifests exceeds the limit of 536870912; split them"),
        "{error}"
    );
}

#[test]
fn pointers_and_bombs_stop_their_file_only() {
    let bed = Bed::new();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    let mut bomb = "a: &a [x]\n".to_owned();
    for level in 1..20 {
        let name = |level: u8| char::from(b'a' + level);
        bomb += &format!("{}: &{0} [{}]\n", name(level), vec![format!("*{}", name(level - 1)); 9].join(", "));
    }
    let tree = bed.tree(&[
        ("bomb.yaml", FILE, bed.blob(bomb.as_bytes())),
        ("lfs.yaml", FILE, bed.blob(pointer.as_bytes())),
        ("long.yaml", FILE, bed.blob(format!("# {pointer}{}", "x".repeat(2000)).as_bytes())),
        ("sound.yaml", FILE, bed.secret("sound")),
    ]);
    let listing = bed.read(tree, "", &Listing::default()).unwrap();
    let snapshot = Snapshot::assemble("x".to_owned(), listing.files());
    assert_eq!(snapshot.objects.len(), 1);
    let broken: Vec<_> = snapshot.broken_files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(broken[..2], ["bomb.yaml", "lfs.yaml"]);
    let told: Vec<_> = snapshot.errors().map(ToString::to_string).collect();
    let lfs = "lfs.yaml: the file is a Git LFS pointer, and what LFS keeps elsewhere is not fetched; commit the \
               manifest itself (git lfs untrack)";
    assert!(told.iter().any(|text| text == lfs), "{told:?}");
    assert!(told.iter().any(|text| text.starts_with("bomb.yaml") && text.contains("alias")), "{told:?}");
    assert!(snapshot.problems.iter().all(|problem| problem.severity == Severity::Error));
}

/// The depth in the text is the limit.
#[test]
fn the_depth_is_told_as_it_is() {
    assert!(TOO_DEEP.0.contains(&format!("than {MAX_DEPTH} levels")));
}
