//! Trailers beside `git log` and `git interpret-trailers`.

use crate::tools::Bench;

const MESSAGES: [&str; 16] = [
    "title\n",
    "Key: the title\n",
    "title\n\nKey: value\n",
    "title\n\nbody\n\nKey: value\nOther-Key: more: of it\n",
    "title\n\nbody\n\nKey: one\n  two\n\tthree\nB:\n",
    "title\n\nwords before\nKey: value\n",
    "title\n\nwords\nmore words\nKey: value\nSigned-off-by: alice <alice@example.test>\n",
    "title\n\na\nb\nc\nd\nSigned-off-by: alice\n",
    "title\n\nKey: early\n\nbody\n",
    "title\n\nKey: value\n\n\n\n",
    "title\n\nKey: value\n---\nafter a divider\n",
    "title\n\nbody\n---\nKey: behind a divider\n",
    "title\n\nKey : spaced\nKey:tight\nkey with spaces: no\n",
    "title\n\n(cherry picked from commit 0123456)\nMailwright-Approve: 0123456789abcdef\n",
    "title\n\nKey: value\n continued\n\n second: paragraph\n",
    "title\n\nÄ: no\nKey: value\n",
];

#[test]
fn trailers_are_what_git_says() {
    let bench = Bench::new();
    let mut found = 0;
    for message in MESSAGES {
        bench.git(&["commit", "-q", "--allow-empty", "--cleanup=verbatim", "-m", message]);
        let id = bench.git(&["rev-parse", "HEAD"]);
        let expected = bench.git(&["log", "-1", "--format=%(trailers:only,unfold)"]);
        let parse = ["interpret-trailers", "--parse", "--no-divider"];
        let interpreted = bench.run("git", &parse, message.as_bytes(), None).unwrap();
        assert_eq!(String::from_utf8(interpreted).unwrap().trim(), expected, "{message:?}");
        let ours = bench.commit(&id).info;
        let shown: Vec<String> =
            ours.trailers.iter().map(|(key, value)| format!("{key}: {value}").trim().to_owned()).collect();
        assert_eq!(shown.join("\n"), expected, "{message:?}");
        found += ours.trailers.len();
        assert_eq!(ours.subject, bench.git(&["log", "-1", "--format=%s"]));
        assert_eq!(ours.author, bench.git(&["log", "-1", "--format=%an <%ae>"]));
        assert_eq!(ours.committed_at.timestamp().to_string(), bench.git(&["log", "-1", "--format=%ct"]));
    }
    assert_eq!(found, 9);
}
