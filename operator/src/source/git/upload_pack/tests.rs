//! Conversations as they are recorded in the protocol's manuals and spoken by servers in use.

use proptest::prelude::*;

use super::super::GitError;
use super::super::reference;
use super::*;
use crate::source::Reference;

const MAIN: &str = "1d3fcd5ced445d1abc402225c0b8a1299641f497";
const TAG: &str = "525128480b96c89e6418b1e40909bf6c5b2d580f";
const PEELED: &str = "e92df48743b7bc7d26bcaabfddde0a1e20cae47c";
const ZERO: &str = "0000000000000000000000000000000000000000";

/// Lines as packets; `0000`, `0001` and `0002` are marks; `\u{1}` begins band 1, and so on.
fn packets(lines: &[&str]) -> Vec<u8> {
    let encode = |line: &&str| match *line {
        "0000" | "0001" | "0002" => line.as_bytes().to_vec(),
        line => [format!("{:04x}", line.len() + 4).as_bytes(), line.as_bytes()].concat(),
    };
    lines.iter().flat_map(encode).collect()
}

/// What a request says, line by line.
fn lines(request: &[u8]) -> Vec<String> {
    let mut decoder = Decoder::default();
    decoder.input(request);
    let mut lines = Vec::new();
    while let Some(packet) = decoder.next().unwrap() {
        lines.push(match packet {
            Packet::Line(line) => String::from_utf8(trimmed(&line).to_vec()).unwrap(),
            Packet::Flush => "0000".to_owned(),
            Packet::Delimiter => "0001".to_owned(),
            Packet::ResponseEnd => "0002".to_owned(),
        });
    }
    lines
}

/// What was chosen among the references.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Head {
    name: String,
    commit: CommitId,
}

/// Everything up to the references: the requests sent, and what was chosen.
fn find(wanted: Option<&str>, answers: &[Vec<u8>]) -> (Vec<Vec<String>>, Result<Head, String>, UploadPack) {
    let wanted = wanted.map_or(Reference::Default, |name| Reference::Named(name.to_owned()));
    let (requests, listed, talk) = list(reference::ask(&wanted), answers);
    let chosen = listed.map_err(GitError::from).and_then(|refs| reference::choose(&wanted, &refs));
    let chosen = chosen.map(|chosen| Head { name: chosen.name, commit: chosen.commit });
    (requests, chosen.map_err(|error| error.to_string()), talk)
}

fn list(
    ask: Ask,
    answers: &[Vec<u8>],
) -> (Vec<Vec<String>>, Result<Vec<RemoteRef>, ProtocolError>, UploadPack) {
    let mut talk = UploadPack::new(ask);
    let mut requests = Vec::new();
    let mut answers = answers.iter();
    let result = loop {
        match talk.poll() {
            Ok(Output::Wait) => match answers.next() {
                Some(answer) => {
                    if let Err(error) = talk.input(answer) {
                        break Err(error);
                    }
                }
                None => break Err(ProtocolError::Malformed("end")),
            },
            Ok(Output::Send(request)) => requests.push(lines(&request)),
            Ok(Output::Listed(refs)) => break Ok(refs),
            Ok(other) => panic!("{other:?}"),
            Err(error) => break Err(error),
        }
    };
    (requests, result, talk)
}

fn wanted(object: &str, known: Option<&str>) -> Want {
    let have: Vec<CommitId> = known.and_then(CommitId::parse).into_iter().collect();
    let object = CommitId::parse(object).unwrap();
    Want { object, shallow: have.clone(), have, depth: 1, commits_only: false }
}

/// The pack that comes after the reference.
fn fetch(talk: &mut UploadPack, want: &Want, answer: &[u8]) -> (Vec<String>, Result<Vec<u8>, ProtocolError>) {
    if let Err(error) = talk.fetch(want) {
        return (Vec::new(), Err(error));
    }
    let mut request = Vec::new();
    let mut pack = Vec::new();
    let mut answer = Some(answer);
    let result = loop {
        match talk.poll() {
            Ok(Output::Wait) => match answer.take() {
                Some(answer) => talk.input(answer).unwrap(),
                None => break Err(ProtocolError::Malformed("end")),
            },
            Ok(Output::Send(bytes)) => request = lines(&bytes),
            Ok(Output::Pack(bytes)) => pack.extend(bytes),
            Ok(Output::Done) => break Ok(pack),
            Ok(other) => panic!("{other:?}"),
            Err(error) => break Err(error),
        }
    };
    (request, result)
}

fn no(name: &str) -> String {
    format!("there is no branch or tag {name}; it may have been deleted or renamed")
}

fn head(name: &str, commit: &str) -> Head {
    Head { name: name.to_owned(), commit: CommitId::parse(commit).unwrap() }
}

/// gitprotocol-pack(5), "Reference Discovery", with the service line of gitprotocol-http(5).
fn advertisement() -> Vec<u8> {
    packets(&[
        "# service=git-upload-pack\n",
        "0000",
        &format!(
            "{MAIN} HEAD\0multi_ack thin-pack side-band side-band-64k ofs-delta shallow no-progress include-tag \
             symref=HEAD:refs/heads/main object-format=sha1 agent=git/2.39\n"
        ),
        &format!("{MAIN} refs/heads/main\n"),
        &format!("{TAG} refs/heads/next\n"),
        &format!("{TAG} refs/tags/v1\n"),
        &format!("{PEELED} refs/tags/v1^{{}}\n"),
        "0000",
    ])
}

fn capabilities() -> Vec<u8> {
    packets(&[
        "version 2\n",
        "agent=git/2.39\n",
        "ls-refs=unborn\n",
        "fetch=shallow wait-for-done\n",
        "object-format=sha1\n",
        "0000",
    ])
}

#[test]
fn references_are_found_in_version_0() {
    let table = [
        (None, Ok(head("main", MAIN))),
        (Some("main"), Ok(head("main", MAIN))),
        (Some("refs/heads/next"), Ok(head("next", TAG))),
        (Some("v1"), Ok(head("v1", PEELED))),
        (Some("gone"), Err(no("gone"))),
        (Some("ma"), Err(no("ma"))),
    ];
    for (wanted, expected) in table {
        let (requests, found, _) = find(wanted, &[advertisement()]);
        assert_eq!(found, expected, "{wanted:?}");
        assert!(requests.is_empty());
    }
    let empty = packets(&[&format!("{ZERO} capabilities^{{}}\0side-band-64k\n"), "0000"]);
    assert_eq!(find(None, &[empty]).1, Err(GitError::NoDefault.to_string()));
    let detached = packets(&[&format!("{MAIN} HEAD\0side-band-64k\n"), "0000"]);
    assert_eq!(find(None, &[detached]).1, Ok(head("HEAD", MAIN)));
    let version_1 = packets(&["version 1\n", &format!("{MAIN} HEAD\0side-band-64k"), "shallow x", "0000"]);
    assert_eq!(find(None, &[version_1]).1, Ok(head("HEAD", MAIN)));
}

#[test]
fn a_pack_is_fetched_in_version_0() {
    let answer = packets(&[
        &format!("shallow {MAIN}"),
        "0000",
        "NAK\n",
        "\u{1}PACK",
        "\u{2}Counting\n",
        "\u{1}data",
        "0000",
    ]);
    let (_, _, mut talk) = find(Some("main"), &[advertisement()]);
    let (request, pack) = fetch(&mut talk, &wanted(MAIN, None), &answer);
    let want = format!("want {MAIN} side-band-64k ofs-delta no-progress {AGENT}");
    assert_eq!(request, [want.as_str(), "deepen 1", "0000", "done"]);
    assert_eq!(pack, Ok(b"PACKdata".to_vec()));

    let (_, _, mut talk) = find(Some("main"), &[advertisement()]);
    let answer = packets(&["unshallow x\n", "0000", &format!("ACK {TAG}\n"), "\u{1}PACK", "0000"]);
    let (request, pack) = fetch(&mut talk, &wanted(MAIN, Some(TAG)), &answer);
    let (shallow, have) = (format!("shallow {TAG}"), format!("have {TAG}"));
    assert_eq!(request, [want.as_str(), &shallow, "deepen 1", "0000", &have, "done"]);
    assert_eq!(pack, Ok(b"PACK".to_vec()));

    // A server that cannot make shallow packs gives a whole one.
    let whole = packets(&[&format!("{MAIN} HEAD\0side-band-64k\n"), "0000"]);
    let (_, _, mut talk) = find(None, &[whole]);
    let (request, pack) = fetch(&mut talk, &wanted(MAIN, None), &packets(&["NAK\n", "\u{1}PACK", "0000"]));
    assert_eq!(request, [format!("want {MAIN} side-band-64k").as_str(), "0000", "done"]);
    assert_eq!(pack, Ok(b"PACK".to_vec()));
}

#[test]
fn references_are_found_in_version_2() {
    let listed = packets(&[
        &format!("{MAIN} HEAD symref-target:refs/heads/main\n"),
        &format!("{MAIN} refs/heads/main\n"),
        &format!("{MAIN} refs/heads/main-two\n"),
        &format!("{TAG} refs/tags/v1 peeled:{PEELED}\n"),
        "0000",
    ]);
    let table = [
        (None, Ok(head("main", MAIN)), vec!["ref-prefix HEAD"]),
        (
            Some("main"),
            Ok(head("main", MAIN)),
            vec!["ref-prefix refs/heads/main", "ref-prefix refs/tags/main"],
        ),
        (Some("v1"), Ok(head("v1", PEELED)), vec!["ref-prefix refs/heads/v1", "ref-prefix refs/tags/v1"]),
        (Some("gone"), Err(no("gone")), vec!["ref-prefix refs/heads/gone", "ref-prefix refs/tags/gone"]),
    ];
    for (wanted, expected, prefixes) in table {
        let (requests, found, _) = find(wanted, &[capabilities(), listed.clone()]);
        assert_eq!(found, expected, "{wanted:?}");
        let begin = vec!["command=ls-refs", AGENT, "object-format=sha1", "0001", "peel", "symrefs"];
        assert_eq!(requests, [[begin, prefixes, vec!["0000"]].concat()]);
    }
    for empty in [packets(&["0000"]), packets(&["unborn HEAD symref-target:refs/heads/main\n", "0000"])] {
        assert_eq!(find(None, &[capabilities(), empty]).1, Err(GitError::NoDefault.to_string()));
    }
}

#[test]
fn a_pack_is_fetched_in_version_2() {
    let listed = packets(&[&format!("{MAIN} HEAD\n"), "0000"]);
    let answer = packets(&[
        "shallow-info\n",
        &format!("shallow {MAIN}\n"),
        "0001",
        "packfile\n",
        "\u{2}x",
        "\u{1}PACK",
        "\u{1}data",
        "0000",
    ]);
    let (_, _, mut talk) = find(None, &[capabilities(), listed.clone()]);
    let (request, pack) = fetch(&mut talk, &wanted(MAIN, Some(TAG)), &answer);
    let (want, shallow, have) = (format!("want {MAIN}"), format!("shallow {TAG}"), format!("have {TAG}"));
    let expected = [
        "command=fetch",
        AGENT,
        "object-format=sha1",
        "0001",
        "ofs-delta",
        "no-progress",
        &shallow,
        "deepen 1",
        &want,
        &have,
        "done",
        "0000",
    ];
    assert_eq!(request, expected);
    assert_eq!(pack, Ok(b"PACKdata".to_vec()));

    let plain = packets(&["version 2\n", "ls-refs\n", "fetch\n", "0000"]);
    let (_, _, mut talk) = find(None, &[plain, listed]);
    let (request, pack) =
        fetch(&mut talk, &wanted(MAIN, None), &packets(&["packfile\n", "\u{1}PACK", "0000"]));
    assert_eq!(request, ["command=fetch", AGENT, "0001", "ofs-delta", "no-progress", &want, "done", "0000"]);
    assert_eq!(pack, Ok(b"PACK".to_vec()));
}

#[test]
fn what_a_server_refuses_is_said_in_its_words() {
    let table = [
        (
            packets(&["ERR access denied\nor\tnot\u{7}exported\n"]),
            "the server says: access denied or not exported",
        ),
        (
            b"<html><body>login</body></html>".to_vec(),
            "the answer is not Git's protocol (bad length of a packet)",
        ),
        (
            packets(&["# service=git-receive-pack\n"]),
            "the answer is not Git's protocol (another service answered)",
        ),
        (packets(&["hello\n"]), "the answer is not Git's protocol (no reference)"),
        (packets(&["12345 refs/heads/main\0x\n"]), "the answer is not Git's protocol (no object id)"),
        (packets(&["0001"]), "the answer is not Git's protocol (no advertisement)"),
        (
            packets(&["version 2\n", "object-format=sha256\n", "ls-refs\n", "0000"]),
            "the repository uses SHA-256 object names, which is not supported",
        ),
        (packets(&["version 2\n", "fetch\n", "0000"]), "the repository is served without ls-refs"),
    ];
    for (answer, expected) in table {
        let error = find(None, &[answer]).1.unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
    let (_, _, mut talk) = find(None, &[advertisement()]);
    let (_, pack) = fetch(
        &mut talk,
        &wanted(MAIN, None),
        &packets(&["0000", "NAK\n", "\u{1}PACK", "\u{3}out of memory\n"]),
    );
    assert_eq!(pack, Err(ProtocolError::Remote("out of memory".to_owned())));
    let (_, _, mut talk) = find(None, &[advertisement()]);
    let (_, pack) =
        fetch(&mut talk, &wanted(MAIN, None), &packets(&["0000", "ERR upload-pack: not our ref\n"]));
    assert_eq!(pack, Err(ProtocolError::Remote("upload-pack: not our ref".to_owned())));
    let long = packets(&[&format!("ERR {}", "x".repeat(5000))]);
    assert!(find(None, &[long]).1.unwrap_err().len() < 400);
}

#[test]
fn talk_without_end_is_cut_off() {
    let line = format!("{MAIN} refs/heads/{}\n", "x".repeat(60_000));
    let answers = vec![packets(&[&line]); MAX_TALK / 60_000 + 2];
    assert_eq!(find(None, &answers).1, Err(ProtocolError::TooMuch.to_string()));
}

#[test]
fn listed_references_wait_for_a_fetch() {
    let (_, _, mut talk) = find(None, &[advertisement()]);
    for _ in 0..3 {
        assert!(matches!(talk.poll(), Ok(Output::Listed(refs)) if refs[0].name == "HEAD"));
    }
}

/// gitprotocol-pack(5), "allow-reachable-sha1-in-want"; version 2 decides when it is asked.
#[test]
fn a_commit_is_fetched_by_its_id_or_the_refusal_is_explained() {
    let ask = |id: &str| Ask::Commit(CommitId::parse(id).unwrap());
    let refused = format!(
        "the server does not give the commit {PEELED} by its id; name a branch or tag that points at it, or set \
         uploadpack.allowReachableSHA1InWant on the server"
    );
    let pack = packets(&["0000", "NAK\n", "\u{1}PACK", "0000"]);
    let any = format!("{MAIN} HEAD\0side-band-64k shallow allow-reachable-sha1-in-want\n");
    let liberal = packets(&[&any, "0000"]);
    // Version 0: a commit that a reference points at, one that none does, and a server that gives any.
    for (id, server, expected) in [
        (MAIN, advertisement(), Ok(b"PACK".to_vec())),
        (PEELED, advertisement(), Ok(b"PACK".to_vec())),
        (&PEELED.replace('e', "f"), advertisement(), Err("the server does not give the commit")),
        (PEELED, liberal, Ok(b"PACK".to_vec())),
    ] {
        let (requests, listed, mut talk) = list(ask(id), &[server]);
        assert_eq!((requests.len(), listed), (0, Ok(Vec::new())));
        let (_, got) = fetch(&mut talk, &wanted(id, None), &pack);
        match expected {
            Ok(expected) => assert_eq!(got, Ok(expected)),
            Err(expected) => assert!(got.unwrap_err().to_string().starts_with(expected)),
        }
    }
    // Version 2 lists nothing first.
    let (requests, listed, mut talk) = list(ask(PEELED), &[capabilities()]);
    assert_eq!((requests.len(), listed), (0, Ok(Vec::new())));
    let not_ours = packets(&[&format!("ERR upload-pack: not our ref {PEELED}")]);
    let (request, got) = fetch(&mut talk, &wanted(PEELED, None), &not_ours);
    assert!(request.contains(&format!("want {PEELED}")));
    assert_eq!(got.unwrap_err().to_string(), refused);
}

#[test]
fn more_generations_are_fetched_without_files_where_the_server_can() {
    let more = Want {
        object: CommitId::parse(MAIN).unwrap(),
        have: vec![CommitId::parse(MAIN).unwrap()],
        shallow: vec![CommitId::parse(TAG).unwrap(), CommitId::parse(PEELED).unwrap()],
        depth: 32,
        commits_only: true,
    };
    let (one, two) = (format!("shallow {TAG}"), format!("shallow {PEELED}"));
    let (object, have) = (format!("want {MAIN}"), format!("have {MAIN}"));
    for (features, filter) in [("fetch=shallow filter\n", vec!["filter tree:0"]), ("fetch=shallow\n", vec![])]
    {
        let server = packets(&["version 2\n", "ls-refs\n", features, "0000"]);
        let (_, _, mut talk) = list(Ask::Commit(more.object.clone()), &[server]);
        let answer = packets(&["shallow-info\n", "0001", "packfile\n", "\u{1}PACK", "0000"]);
        let (request, pack) = fetch(&mut talk, &more, &answer);
        let begin = vec!["command=fetch", AGENT, "0001", "ofs-delta", "no-progress", &one, &two, "deepen 32"];
        assert_eq!(request, [begin, filter, vec![&object, &have, "done", "0000"]].concat());
        assert_eq!(pack, Ok(b"PACK".to_vec()));
    }
    let server = packets(&[&format!("{MAIN} HEAD\0side-band-64k shallow filter\n"), "0000"]);
    let (_, _, mut talk) = list(Ask::Commit(more.object.clone()), &[server]);
    let (request, _) = fetch(&mut talk, &more, &packets(&["0000", "NAK\n", "\u{1}PACK", "0000"]));
    let first = format!("{object} side-band-64k filter");
    assert_eq!(request, [&first, &one, &two, "deepen 32", "filter tree:0", "0000", &have, "done"]);
}

proptest! {
    /// In whatever pieces the bytes come, the conversation is the same.
    #[test]
    fn pieces_make_no_difference(cut in 1usize..200) {
        let answer: Vec<Vec<u8>> = advertisement().chunks(cut).map(<[u8]>::to_vec).collect();
        prop_assert_eq!(find(Some("v1"), &answer).1, Ok(head("v1", PEELED)));
    }

    #[test]
    fn random_and_truncated_answers_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0usize..400, version_2 in any::<bool>(),
    ) {
        let good = if version_2 { capabilities() } else { advertisement() };
        let broken = [&good[..cut.min(good.len())], &bytes].concat();
        let (_, result, mut talk) = find(None, std::slice::from_ref(&broken));
        if result.is_ok() {
            let (_, pack) = fetch(&mut talk, &wanted(MAIN, None), &broken);
            prop_assert!(pack.is_err() || !pack.unwrap().starts_with(b"# service"));
        }
    }

    #[test]
    fn packets_of_random_lines_never_panic(lines in prop::collection::vec("(0000|0001|version 2|shallow-info|packfile|[0-9a-f]{40} HEAD|ACK x|NAK|[\u{1}-\u{3}]x|[ -~]{0,20})", 0..20)) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let (_, result, mut talk) = find(None, &[packets(&lines)]);
        if result.is_ok() {
            let (request, _) = fetch(&mut talk, &wanted(MAIN, None), &packets(&lines));
            prop_assert!(request.is_empty() || request.iter().any(|line| line == "done"));
        }
    }
}
