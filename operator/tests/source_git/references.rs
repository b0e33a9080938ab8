//! What of a repository is followed, listed and looked back on: the same for a local one and for a server's.

use mailwright_operator::source::{History, Options, Reference, Source};

use crate::repository::{Repository, failure, have, load, named, names, open};
use crate::server::{BACKEND, Mood, Server, root};

/// The same repository in place, over version 2 and over version 0.
fn everywhere(repository: &Repository, check: impl Fn(&str, &Options)) {
    check(&format!("file://{}", repository.path().display()), &repository.options());
    if have(BACKEND) {
        for (number, mood) in [Mood::Serve, Mood::VersionZero].into_iter().enumerate() {
            let server = Server::start(&root(repository), mood, None);
            let cache = repository.beside(&format!("cache{number}"));
            check(&server.url("/mail.git"), &Options { cache, ..repository.options() });
        }
    }
}

fn with(options: &Options, reference: Reference) -> Options {
    Options { reference, ..options.clone() }
}

#[test]
fn branches_tags_ranges_and_commits_are_followed() {
    let repository = Repository::new();
    let first = repository.commit_secret("a.yaml", "a", "1");
    repository.git(&["tag", "v1.0.0"]);
    let second = repository.commit_secret("b.yaml", "b", "1");
    repository.git(&["tag", "-a", "v1.2.0", "-m", "two"]);
    let third = repository.commit_secret("c.yaml", "c", "1");
    repository.git(&["tag", "v2.0.0"]);
    repository.git(&["branch", "v1.0.0"]);
    let semver = |range| Reference::semver(range).unwrap();
    everywhere(&repository, |place, options| {
        let table = [
            (Reference::Default, format!("main@sha1:{third}")),
            (Reference::Branch("main".to_owned()), format!("main@sha1:{third}")),
            (Reference::Branch("v1.0.0".to_owned()), format!("v1.0.0@sha1:{third}")),
            (Reference::Tag("v1.0.0".to_owned()), format!("v1.0.0@sha1:{first}")),
            (Reference::Tag("v1.2.0".to_owned()), format!("v1.2.0@sha1:{second}")),
            (semver("1.x"), format!("v1.2.0@sha1:{second}")),
            (semver(">=1.0"), format!("v2.0.0@sha1:{third}")),
            (semver("<1.1"), format!("v1.0.0@sha1:{first}")),
            (Reference::commit(&third).unwrap(), format!("{third}@sha1:{third}")),
        ];
        for (reference, expected) in table {
            let mut source = open(place, with(options, reference.clone()));
            assert_eq!(load(&mut source).revision, expected, "{place}: {reference}");
            assert!(source.load().unwrap().is_none(), "{place}: {reference}");
        }
        let missing = [
            (Reference::Branch("v1.2.0".to_owned()), "there is no branch v1.2.0; it may have been deleted"),
            (Reference::Tag("main".to_owned()), "there is no tag main; it may have been deleted"),
            (
                semver("3"),
                "no tag is a version within ^3; the highest is v2.0.0; push a tag, or widen the range",
            ),
        ];
        for (reference, expected) in missing {
            let text = failure(&mut open(place, with(options, reference)));
            assert!(text.contains(expected) && text.ends_with("the last state stays in force"), "{text}");
        }
    });
}

#[test]
fn a_signed_tag_comes_with_its_object_and_a_new_version_is_news() {
    let repository = Repository::new();
    let first = repository.commit_secret("a.yaml", "a", "1");
    repository.git(&["tag", "-a", "v1.0.0", "-m", "the first"]);
    everywhere(&repository, |place, options| {
        let mut source = open(place, with(options, Reference::semver("1").unwrap()));
        let head = source.fetch().unwrap().unwrap();
        assert_eq!(
            (head.id(), head.revision.as_str()),
            (first.as_str(), format!("v1.0.0@sha1:{first}").as_str())
        );
        let tag = head.tag.clone().unwrap();
        assert!(String::from_utf8_lossy(&tag.content).ends_with("\n\nthe first\n"), "{tag:?}");
        assert!(
            String::from_utf8_lossy(&head.commit.content).contains("\nauthor alice <alice@example.test> ")
        );
        assert_eq!(names(&source.read(&head).unwrap()), ["a"]);
        assert!(source.load().unwrap().is_none(), "it was read");

        let second = repository.commit_secret("b.yaml", "b", "1");
        repository.git(&["tag", "1.1.0"]);
        let head = source.fetch().unwrap().unwrap();
        assert_eq!((head.id(), head.tag.is_none()), (second.as_str(), true));
        assert_eq!(load(&mut source).revision, format!("1.1.0@sha1:{second}"));
        repository.git(&["tag", "-d", "1.1.0"]);
        repository.git(&["reset", "-q", "--hard", &first]);
    });
}

#[test]
fn a_commit_that_no_reference_points_at_is_for_the_server_to_give() {
    let repository = Repository::new();
    let first = repository.commit_secret("a.yaml", "a", "1");
    repository.commit_secret("b.yaml", "b", "1");
    everywhere(&repository, |place, options| {
        let mut source = open(place, with(options, Reference::commit(&first).unwrap()));
        let version_0 = options.cache.ends_with("cache1");
        if version_0 {
            let text = failure(&mut source);
            let expected =
                format!("the server does not give the commit {first} by its id; name a branch or tag");
            assert!(text.contains(&expected), "{text}");
            repository.git(&["config", "uploadpack.allowReachableSHA1InWant", "true"]);
        }
        assert_eq!(load(&mut source).revision, format!("{first}@sha1:{first}"), "{place}");
        let none = "1234567890123456789012345678901234567890";
        let text = failure(&mut open(place, with(options, Reference::commit(none).unwrap())));
        assert!(text.contains(none), "{text}");
    });
}

#[test]
fn references_are_listed_and_read_without_moving_what_is_followed() {
    let repository = Repository::new();
    let main = repository.commit_secret("a.yaml", "a", "1");
    repository.git(&["checkout", "-q", "--detach"]);
    let seven = repository.commit_secret("b.yaml", "b", "1");
    repository.git(&["update-ref", "refs/pull/7/head", &seven]);
    repository.git(&["update-ref", "refs/pull/7/merge", &main]);
    repository.git(&["checkout", "-q", "main"]);
    let pattern = |pattern: &str| [pattern.to_owned()];
    everywhere(&repository, |place, options| {
        let mut source = open(place, options.clone());
        load(&mut source);
        let found = source.refs(&pattern("refs/pull/*/head")).unwrap();
        assert_eq!(found, [("refs/pull/7/head".to_owned(), seven.clone())], "{place}");
        assert_eq!(source.refs(&pattern("refs/pull/**")).unwrap().len(), 2);
        assert_eq!(source.refs(&pattern("refs/merge-requests/*/head")).unwrap(), []);
        let error = source.refs(&pattern("main")).unwrap_err().to_string();
        assert!(error.contains("is no pattern of references; write one like refs/pull/*/head"), "{error}");

        let (head, snapshot) = source.load_ref("refs/pull/7/head").unwrap();
        assert_eq!((head.id(), names(&snapshot)), (seven.as_str(), vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(snapshot.revision, format!("refs/pull/7/head@sha1:{seven}"));
        assert!(source.load().unwrap().is_none(), "what is followed stays where it is");
        let error = source.load_ref("refs/pull/8/head").unwrap_err().to_string();
        assert!(error.contains("there is no branch or tag refs/pull/8/head"), "{error}");
    });
    let directory = Source::open(repository.path().to_str().unwrap(), Options::default()).unwrap();
    for error in [
        directory.refs(&pattern("refs/x")).unwrap_err(),
        directory.load_ref("refs/x").unwrap_err(),
        directory.history(&main, &seven, 10).unwrap_err(),
    ] {
        assert!(error.to_string().contains("a directory has no references and no history"), "{error}");
    }
}

fn ids(history: History) -> Vec<String> {
    match history {
        History::Commits(commits) => commits.into_iter().map(|commit| commit.id).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn history_is_fetched_as_far_as_it_is_needed() {
    let repository = Repository::new();
    let mut line: Vec<String> =
        (0..60).map(|n| repository.commit_secret("a.yaml", "a", &n.to_string())).collect();
    repository.git(&["checkout", "-q", "-b", "side", &line[40]]);
    let side = repository.commit_secret("b.yaml", "b", "1");
    repository.git(&["checkout", "-q", "main"]);
    repository.git(&["merge", "-q", "--no-ff", "-m", "merge", "side"]);
    line.push(repository.git(&["rev-parse", "HEAD"]));
    let last = &line[60];
    // What Git says is right.
    let range = |from: &str, to: &str| -> Vec<String> {
        let text = repository.git(&["rev-list", "--topo-order", &format!("{from}..{to}")]);
        text.lines().map(str::to_owned).collect()
    };
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    for filter in ["false", "true"] {
        repository.git(&["config", "uploadpack.allowFilter", filter]);
        let _ = std::fs::remove_dir_all(repository.beside("cache0"));
        everywhere(&repository, |place, options| {
            let mut source = open(place, options.clone());
            load(&mut source);
            for from in [&line[60], &line[59], &line[50], &line[40], &line[2], &side] {
                let found = ids(source.history(from, last, 100).unwrap());
                assert_eq!(found.first(), range(from, last).first(), "{place} {from}");
                assert_eq!(sorted(found), sorted(range(from, last)), "{place} {from}");
            }
            assert_eq!(source.history(&line[2], last, 20).unwrap(), History::Beyond(20), "{place}");
            assert!(source.load().unwrap().is_none());
            // The files of the commits in between were not taken for those of a whole commit.
            repository.git(&["branch", "-f", "old", &line[50]]);
            assert_eq!(names(&load(&mut open(place, with(options, named("old"))))), ["a"], "{place}");
        });
    }
}

#[test]
fn rewritten_history_is_noticed() {
    let repository = Repository::new();
    let first = repository.commit_secret("a.yaml", "a", "1");
    let second = repository.commit_secret("b.yaml", "b", "1");
    everywhere(&repository, |place, options| {
        // Followed all the same, to see what its history is told to be.
        let mut source = open(place, options.clone());
        load(&mut source);
        repository.git(&["reset", "-q", "--hard", &first]);
        assert_eq!(load(&mut source).revision, format!("main@sha1:{first}"));
        assert_eq!(source.history(&second, &first, 100).unwrap(), History::Rewritten, "{place}: back");
        let forced = repository.commit_secret("c.yaml", "c", "1");
        assert_eq!(load(&mut source).revision, format!("main@sha1:{forced}"));
        assert_eq!(source.history(&second, &forced, 100).unwrap(), History::Rewritten, "{place}: forced");
        assert_eq!(ids(source.history(&first, &forced, 100).unwrap()), [forced], "{place}");
        repository.git(&["checkout", "-q", "--orphan", "other"]);
        let orphan = repository.commit_secret("d.yaml", "d", "1");
        repository.git(&["branch", "-f", "main", "other"]);
        repository.git(&["checkout", "-q", "main"]);
        assert_eq!(load(&mut source).revision, format!("main@sha1:{orphan}"));
        assert_eq!(
            source.history(&first, &orphan, 100).unwrap(),
            History::Rewritten,
            "{place}: another beginning"
        );
        repository.git(&["reset", "-q", "--hard", &second]);
        repository.git(&["branch", "-D", "other"]);
        let error = source.history("main", &second, 10).unwrap_err().to_string();
        assert!(error.contains("there is no revision main"), "{error}");
    });
}
