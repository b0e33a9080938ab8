//! Walks over small histories, and over real repositories that know more or less of them.

use std::cell::Cell;

use git2::{Signature, Time};

use super::*;

/// `id time parents…`, one commit a line; a name is the digits of its id.
fn graph(text: &str) -> HashMap<Oid, Facts> {
    let read = |line: &str| {
        let mut words = line.split_whitespace();
        let id = oid(words.next().unwrap());
        let time = words.next().unwrap().parse().unwrap();
        (id, Facts { time, parents: words.map(oid).collect() })
    };
    text.lines().filter(|line| !line.trim().is_empty()).map(read).collect()
}

fn oid(name: &str) -> Oid {
    Oid::from_str(&format!("{name:0>40}")).unwrap()
}

fn name(id: &Oid) -> String {
    id.to_string().trim_start_matches('0').to_owned()
}

fn walked(text: &str, from: &str, to: &str, limit: usize) -> String {
    let graph = graph(text);
    let names = |ids: Vec<Oid>| ids.iter().map(name).collect::<Vec<_>>().join(" ");
    match walk(&|id| graph.get(&id).cloned(), oid(from), oid(to), limit) {
        Walked::Commits(ids) => names(ids),
        Walked::Rewritten => "rewritten".to_owned(),
        Walked::Beyond => "beyond".to_owned(),
        Walked::Shallow(ids) => format!("shallow: {}", names(ids)),
    }
}

/// `1-2-3-4-5`, where 4 merges `a-b`, which left at 1.
const MERGE: &str = "1 10\n2 20 1\n3 30 2\na 25 1\nb 35 a\n4 40 3 b\n5 50 4";

#[test]
fn what_is_new_is_found_over_all_parents() {
    let table = [
        (MERGE, "4", "5", "5"),
        (MERGE, "5", "5", ""),
        (MERGE, "3", "5", "5 4 b a"),
        (MERGE, "2", "5", "5 4 b 3 a"),
        (MERGE, "b", "5", "5 4 3 2"),
        (MERGE, "1", "3", "3 2"),
        (MERGE, "5", "4", "rewritten"),
        (MERGE, "b", "3", "rewritten"),
        (MERGE, "f", "5", "rewritten"),
        // Another beginning.
        ("1 10\n2 20 1\n7 70\n8 80 7", "2", "8", "rewritten"),
        // Clocks that run backwards: nothing is lost.
        ("1 90\n2 20 1\n3 5 2\n4 1 3", "2", "4", "4 3"),
        ("1 90\n2 20 1\na 1 1\n3 5 2 a\n4 1 3", "2", "4", "4 3 a"),
        // All in one second.
        ("1 9\n2 9 1\n3 9 2\na 9 1\nb 9 a\n4 9 3 b\n5 9 4", "3", "5", "5 4 b a"),
        ("a 9\nb 9 a\n3 9 b\n2 9 3\n1 9 2\nf 9 b\n4 9 1 f\n5 9 4", "1", "5", "5 4 f"),
        ("5 9\n4 9 5\n3 9 4\n2 9 3\n1 9 2\n9 9 4\n8 9 1 9", "1", "8", "8 9"),
        // Both parents the same, and a criss-cross.
        ("1 10\n2 20 1 1", "1", "2", "2"),
        ("1 10\n2 20 1\n3 21 1\n4 30 2 3\n5 31 3 2\n6 40 4 5", "4", "6", "6 5"),
    ];
    for (graph, from, to, expected) in table {
        assert_eq!(walked(graph, from, to, 10), expected, "{from}..{to} of {graph}");
    }
}

#[test]
fn a_limit_ends_the_walk() {
    let long: String = (2..100).map(|n| format!("{n} {n} {}\n", n - 1)).collect();
    let long = format!("1 1\n{long}");
    assert_eq!(walked(&long, "96", "99", 3), "99 98 97");
    assert_eq!(walked(&long, "95", "99", 3), "beyond");
    assert_eq!(walked(&long, "f", "99", 50), "beyond");
}

#[test]
fn missing_commits_are_asked_for_only_where_they_matter() {
    let table = [
        // What is older need not be here.
        ("5 50 4", "4", "5", "5"),
        ("5 50 4\n4 40 3", "4", "5", "5"),
        ("5 50 4", "3", "5", "shallow: 5"),
        ("5 50 4\n4 40 3 b\n3 30 2", "3", "5", "shallow: 4"),
        ("5 50 4\n4 40 3 b\nb 35 a\na 25 1\n3 30 2", "3", "5", "shallow: 3 a"),
        // Nothing is here at all.
        ("", "4", "5", "shallow: "),
        // All of it is here, and the older one is not in it.
        ("5 50 4\n4 40", "f", "5", "rewritten"),
        // The side branch goes to the root, and so may the older one.
        ("4 40 3 b\nb 35 a\na 25 1\n1 10\n3 30 2", "3", "4", "shallow: 3"),
    ];
    for (graph, from, to, expected) in table {
        assert_eq!(walked(graph, from, to, 10), expected, "{from}..{to} of {graph}");
    }
}

/// A line of commits; each name is the second of its time.
fn line(repository: &Repository, parent: Option<Oid>, length: i64) -> Vec<Oid> {
    let tree = repository.find_tree(repository.treebuilder(None).unwrap().write().unwrap()).unwrap();
    let mut ids: Vec<Oid> = parent.into_iter().collect();
    for n in 0..length {
        let who = Signature::new("alice", "alice@example.test", &Time::new(1000 + n, 0)).unwrap();
        let parent = ids.last().map(|id| repository.find_commit(*id).unwrap());
        let parents: Vec<_> = parent.iter().collect();
        ids.push(repository.commit(None, &who, &who, &format!("{n}"), &tree, &parents).unwrap());
    }
    ids
}

fn commit_id(id: Oid) -> CommitId {
    CommitId::parse(&id.to_string()).unwrap()
}

#[test]
fn more_is_fetched_step_by_step_and_given_as_it_is_stored() {
    let directory = tempfile::tempdir().unwrap();
    let full = Repository::init_bare(directory.path().join("full")).unwrap();
    let part = Repository::init_bare(directory.path().join("part")).unwrap();
    let ids = line(&full, None, 400);
    let copy = |id: &Oid| {
        let raw = full.odb().unwrap().read(*id).unwrap().data().to_vec();
        part.odb().unwrap().write(ObjectType::Commit, &raw).unwrap();
    };
    copy(&ids[399]);
    let asked = Cell::new(Vec::new());
    let deepen = |shallow: &[CommitId], depth: u32| {
        let mut so_far = asked.take();
        so_far.push((shallow.len(), depth));
        asked.set(so_far);
        ids.iter().rev().take(depth as usize).for_each(copy);
        Ok(())
    };
    let (from, to) = (commit_id(ids[100]), commit_id(ids[399]));
    let History::Commits(found) = between(&part, &from, &to, 1000, deepen).unwrap() else {
        panic!("no commits")
    };
    let expected: Vec<String> = ids[101..].iter().rev().map(Oid::to_string).collect();
    assert_eq!(found.iter().map(|raw| raw.id.clone()).collect::<Vec<_>>(), expected);
    assert_eq!(found[0].content, full.odb().unwrap().read(ids[399]).unwrap().data());
    assert_eq!(asked.take(), [(1, 32), (1, 256), (1, 2048)]);

    let never = |_: &[CommitId], _: u32| panic!("everything is here");
    assert_eq!(between(&part, &from, &to, 200, never).unwrap(), History::Beyond(200));
    let other = line(&full, Some(ids[50]), 3)[1];
    assert_eq!(between(&part, &commit_id(other), &to, 1000, never).unwrap(), History::Rewritten);
    assert_eq!(between(&part, &to, &from, 1000, never).unwrap(), History::Rewritten);
}

#[test]
fn a_server_that_gives_no_more_ends_the_search() {
    let directory = tempfile::tempdir().unwrap();
    let full = Repository::init_bare(directory.path().join("full")).unwrap();
    let part = Repository::init_bare(directory.path().join("part")).unwrap();
    let ids = line(&full, None, 3);
    let raw = full.odb().unwrap().read(ids[2]).unwrap().data().to_vec();
    part.odb().unwrap().write(ObjectType::Commit, &raw).unwrap();
    let error = between(&part, &commit_id(ids[0]), &commit_id(ids[2]), 10, |_, _| Ok(())).unwrap_err();
    assert!(error.to_string().contains("gives no more of the history"), "{error}");
}

#[test]
fn only_commits_and_tags_of_a_sane_size_are_handed_out() {
    let directory = tempfile::tempdir().unwrap();
    let repository = Repository::init_bare(directory.path()).unwrap();
    let blob = repository.blob(b"x").unwrap();
    let who = Signature::new("alice", "alice@example.test", &Time::new(1000, 0)).unwrap();
    let tree = repository.find_tree(repository.treebuilder(None).unwrap().write().unwrap()).unwrap();
    let huge = repository.commit(None, &who, &who, &"x".repeat(MAX_RAW_BYTES), &tree, &[]).unwrap();
    for id in [blob, huge] {
        let error = raw(&repository, id).unwrap_err().to_string();
        assert!(
            error.contains("of more than 1048576 bytes is refused; take it out of the branch"),
            "{error}"
        );
    }
}
