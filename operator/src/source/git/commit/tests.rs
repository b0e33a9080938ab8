//! Raw objects as Git writes them, and as nobody should.

use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef01234567";
const SIGNATURE: &str = "-----BEGIN SSH SIGNATURE-----\nU1NI\n-----END SSH SIGNATURE-----\n";

fn commit(extra: &str, message: &str) -> String {
    format!(
        "tree {ID}\nparent {ID}\nauthor alice <alice@example.test> 1700000000 +0100\n\
         committer bob <bob@example.test> 1700000060 +0000\n{extra}\n{message}"
    )
}

fn tag(extra: &str, message: &str) -> String {
    format!(
        "object {ID}\ntype commit\ntag v1\ntagger bob <bob@example.test> 1700000060 +0000\n{extra}\n{message}"
    )
}

fn header(name: &str, text: &str) -> String {
    format!("{name} {}\n", text.trim_end().replace('\n', "\n "))
}

#[test]
fn a_commit_says_who_when_and_what() {
    let raw = commit("encoding UTF-8\n", "one\ntwo\n\nbody\n\nMailwright-Approve: abc\n");
    let commit = Commit::parse(ID, raw.as_bytes()).unwrap();
    let expected = CommitInfo {
        id: ID.to_owned(),
        author: "alice <alice@example.test>".to_owned(),
        committed_at: DateTime::from_timestamp(1_700_000_060, 0).unwrap(),
        subject: "one two".to_owned(),
        trailers: vec![("Mailwright-Approve".to_owned(), "abc".to_owned())],
        signer: None,
    };
    assert_eq!(
        commit,
        Commit {
            info: expected,
            address: "bob@example.test".to_owned(),
            parents: vec![ID.to_owned()],
            signed: None
        }
    );
}

#[test]
fn signature_and_payload_are_cut_as_git_does() {
    let unsigned = commit("", "message\n\n gpgsig of a message\n");
    let merged = header("mergetag", &tag("", &format!("merged\n{SIGNATURE}")));
    let other = header("gpgsig-sha256", "of the other hash\nof the other hash");
    for (before, after) in
        [("", ""), (merged.as_str(), ""), ("", merged.as_str()), (other.as_str(), other.as_str())]
    {
        let extra = format!("{before}{}{after}", header("gpgsig", SIGNATURE));
        let raw = commit(&extra, "message\n\n gpgsig of a message\n");
        let signed = Commit::parse(ID, raw.as_bytes()).unwrap().signed.unwrap();
        assert_eq!(String::from_utf8(signed.signature).unwrap(), SIGNATURE);
        let kept = format!("{before}{after}");
        let kept = if kept.contains("sha256") { String::new() } else { kept };
        let expected = unsigned.replacen("\n\nmessage", &format!("\n{kept}\nmessage"), 1);
        assert_eq!(String::from_utf8(signed.payload).unwrap(), expected, "{extra}");
    }
}

#[test]
fn the_signature_of_a_tag_is_at_its_end() {
    let raw = tag("", &format!("release\n-----BEGIN SSH SIGNATURE----- quoted\n{SIGNATURE}"));
    let found = Tag::parse(ID, raw.as_bytes()).unwrap();
    assert_eq!((found.target.as_str(), found.name.as_str(), found.names_commit), (ID, "v1", true));
    assert_eq!(found.tagged_at.timestamp(), 1_700_000_060);
    let signed = found.signed.unwrap();
    assert_eq!(String::from_utf8(signed.signature).unwrap(), SIGNATURE);
    assert_eq!(String::from_utf8(signed.payload).unwrap(), raw.strip_suffix(SIGNATURE).unwrap());

    let other = tag(&header("gpgsig-sha256", "x\ny"), &format!("release\n{SIGNATURE}"));
    let payload = Tag::parse(ID, other.as_bytes()).unwrap().signed.unwrap().payload;
    assert_eq!(String::from_utf8(payload).unwrap(), tag("", "release\n"));
    assert_eq!(Tag::parse(ID, tag("", "release\n").as_bytes()).unwrap().signed, None);
}

#[test]
fn what_git_does_not_write_is_refused() {
    let twice = header("gpgsig", SIGNATURE).repeat(2);
    let table: Vec<(String, &str)> = vec![
        (String::new(), "its header is not as Git writes it (a line has no end)"),
        ("tree".to_owned(), "its header is not as Git writes it (a line has no end)"),
        (format!("parent {ID}\n"), "its header is not as Git writes it (tree)"),
        (
            commit("", "").replace("author", "auth\0r"),
            "its header is not as Git writes it (a line holds NUL)",
        ),
        (
            commit("", "").replace("author", "parent"),
            "its header is not as Git writes it (the name of an object)",
        ),
        (commit("", "").replace("committer", "author"), "its header is not as Git writes it (committer)"),
        (
            commit("", "").replace("1700000060", "soon"),
            "its header is not as Git writes it (a person and a time)",
        ),
        (
            commit("", "").replace("1700000060", "9999999999999999"),
            "its header is not as Git writes it (a person and a time)",
        ),
        (
            commit("", "").replace("parent 0", "parent X"),
            "its header is not as Git writes it (the name of an object)",
        ),
        (commit(&twice, ""), "it has more than one signature"),
        (
            commit("", &"x".repeat(MAX_OBJECT_BYTES)),
            "it is larger than 1048576 bytes or has more than 64 parents",
        ),
        (
            commit("", "").replace("author", &format!("{}author", format!("parent {ID}\n").repeat(64))),
            "it is larger than 1048576 bytes or has more than 64 parents",
        ),
    ];
    for (raw, expected) in table {
        let error = Commit::parse(ID, raw.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), expected, "{}", &raw[..raw.len().min(300)]);
    }
}

#[test]
fn what_is_shown_is_bounded_and_has_no_control_characters() {
    let raw = commit("", &format!("\x1b[31m{}\n", "x".repeat(5000))).replace("alice <", "al\x07ice <");
    let info = Commit::parse(ID, raw.as_bytes()).unwrap().info;
    assert_eq!(info.author, "alice <alice@example.test>");
    assert_eq!(info.subject.len(), MAX_SHOWN);
    assert!(info.subject.starts_with("[31mx"));
    // Neither a missing message nor a message that is not UTF-8 is a mistake.
    let bare = commit("", "");
    assert_eq!(
        Commit::parse(ID, bare.trim_end_matches('\n').as_bytes()).unwrap_err(),
        ObjectError::Header("a line has no end")
    );
    assert_eq!(Commit::parse(ID, &bare.as_bytes()[..bare.len() - 1]).unwrap().info.subject, "");
    assert_eq!(
        Commit::parse(ID, &[bare.as_bytes(), b"\xff\xfe"].concat()).unwrap().info.subject,
        "\u{fffd}\u{fffd}"
    );
}
