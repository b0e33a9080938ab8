//! Conversations as they are recorded in the protocol's manuals and spoken by servers in use.

use proptest::prelude::*;

use super::*;

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

/// Everything up to the reference: the requests sent, and what was found.
fn find(
    wanted: Option<&str>,
    answers: &[Vec<u8>],
) -> (Vec<Vec<String>>, Result<Head, ProtocolError>, UploadPack) {
    let mut talk = UploadPack::new(wanted.map(str::to_owned));
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
            Ok(Output::Found(head)) => break Ok(head),
            Ok(other) => panic!("{other:?}"),
            Err(error) => break Err(error),
        }
    };
    (requests, result, talk)
}

/// The pack that comes after the reference.
fn fetch(
    talk: &mut UploadPack,
    known: Option<&str>,
    answer: &[u8],
) -> (Vec<String>, Result<Vec<u8>, ProtocolError>) {
    if let Err(error) = talk.fetch(known.and_then(CommitId::parse).as_ref()) {
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
        (None, Ok(head("refs/heads/main", MAIN))),
        (Some("main"), Ok(head("refs/heads/main", MAIN))),
        (Some("refs/heads/next"), Ok(head("refs/heads/next", TAG))),
        (Some("v1"), Ok(head("refs/tags/v1", PEELED))),
        (Some("gone"), Err(ProtocolError::NoReference("gone".to_owned()))),
        (Some("ma"), Err(ProtocolError::NoReference("ma".to_owned()))),
    ];
    for (wanted, expected) in table {
        let (requests, found, _) = find(wanted, &[advertisement()]);
        assert_eq!(found, expected, "{wanted:?}");
        assert!(requests.is_empty());
    }
    let empty = packets(&[&format!("{ZERO} capabilities^{{}}\0side-band-64k\n"), "0000"]);
    assert_eq!(find(None, &[empty]).1, Err(ProtocolError::NoDefault));
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
    let (request, pack) = fetch(&mut talk, None, &answer);
    let want = format!("want {MAIN} side-band-64k ofs-delta no-progress {AGENT}");
    assert_eq!(request, [want.as_str(), "deepen 1", "0000", "done"]);
    assert_eq!(pack, Ok(b"PACKdata".to_vec()));

    let (_, _, mut talk) = find(Some("main"), &[advertisement()]);
    let answer = packets(&["unshallow x\n", "0000", &format!("ACK {TAG}\n"), "\u{1}PACK", "0000"]);
    let (request, pack) = fetch(&mut talk, Some(TAG), &answer);
    let (shallow, have) = (format!("shallow {TAG}"), format!("have {TAG}"));
    assert_eq!(request, [want.as_str(), &shallow, "deepen 1", "0000", &have, "done"]);
    assert_eq!(pack, Ok(b"PACK".to_vec()));

    // A server that cannot make shallow packs gives a whole one.
    let whole = packets(&[&format!("{MAIN} HEAD\0side-band-64k\n"), "0000"]);
    let (_, _, mut talk) = find(None, &[whole]);
    let (request, pack) = fetch(&mut talk, None, &packets(&["NAK\n", "\u{1}PACK", "0000"]));
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
        (None, Ok(head("refs/heads/main", MAIN)), vec!["ref-prefix HEAD"]),
        (
            Some("main"),
            Ok(head("refs/heads/main", MAIN)),
            vec!["ref-prefix refs/heads/main", "ref-prefix refs/tags/main"],
        ),
        (
            Some("v1"),
            Ok(head("refs/tags/v1", PEELED)),
            vec!["ref-prefix refs/heads/v1", "ref-prefix refs/tags/v1"],
        ),
        (
            Some("gone"),
            Err(ProtocolError::NoReference("gone".to_owned())),
            vec!["ref-prefix refs/heads/gone", "ref-prefix refs/tags/gone"],
        ),
    ];
    for (wanted, expected, prefixes) in table {
        let (requests, found, _) = find(wanted, &[capabilities(), listed.clone()]);
        assert_eq!(found, expected, "{wanted:?}");
        let begin = vec!["command=ls-refs", AGENT, "object-format=sha1", "0001", "peel", "symrefs"];
        assert_eq!(requests, [[begin, prefixes, vec!["0000"]].concat()]);
    }
    for empty in [packets(&["0000"]), packets(&["unborn HEAD symref-target:refs/heads/main\n", "0000"])] {
        assert_eq!(find(None, &[capabilities(), empty]).1, Err(ProtocolError::NoDefault));
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
    let (request, pack) = fetch(&mut talk, Some(TAG), &answer);
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
    let (request, pack) = fetch(&mut talk, None, &packets(&["packfile\n", "\u{1}PACK", "0000"]));
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
        let error = find(None, &[answer]).1.unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let (_, _, mut talk) = find(None, &[advertisement()]);
    let (_, pack) = fetch(&mut talk, None, &packets(&["0000", "NAK\n", "\u{1}PACK", "\u{3}out of memory\n"]));
    assert_eq!(pack, Err(ProtocolError::Remote("out of memory".to_owned())));
    let (_, _, mut talk) = find(None, &[advertisement()]);
    let (_, pack) = fetch(&mut talk, None, &packets(&["0000", "ERR upload-pack: not our ref\n"]));
    assert_eq!(pack, Err(ProtocolError::Remote("upload-pack: not our ref".to_owned())));
    let long = packets(&[&format!("ERR {}", "x".repeat(5000))]);
    assert!(find(None, &[long]).1.unwrap_err().to_string().len() < 400);
}

#[test]
fn talk_without_end_is_cut_off() {
    let line = format!("{MAIN} refs/heads/{}\n", "x".repeat(60_000));
    let answers = vec![packets(&[&line]); MAX_TALK / 60_000 + 2];
    assert_eq!(find(None, &answers).1, Err(ProtocolError::TooMuch));
}

#[test]
fn a_found_reference_waits_to_be_fetched() {
    let (_, _, mut talk) = find(None, &[advertisement()]);
    for _ in 0..3 {
        assert_eq!(talk.poll(), Ok(Output::Found(head("refs/heads/main", MAIN))));
    }
}

proptest! {
    /// In whatever pieces the bytes come, the conversation is the same.
    #[test]
    fn pieces_make_no_difference(cut in 1usize..200) {
        let answer: Vec<Vec<u8>> = advertisement().chunks(cut).map(<[u8]>::to_vec).collect();
        prop_assert_eq!(find(Some("v1"), &answer).1, Ok(head("refs/tags/v1", PEELED)));
    }

    #[test]
    fn random_and_truncated_answers_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0usize..400, version_2 in any::<bool>(),
    ) {
        let good = if version_2 { capabilities() } else { advertisement() };
        let broken = [&good[..cut.min(good.len())], &bytes].concat();
        let (_, result, mut talk) = find(None, std::slice::from_ref(&broken));
        if result.is_ok() {
            let (_, pack) = fetch(&mut talk, None, &broken);
            prop_assert!(pack.is_err() || !pack.unwrap().starts_with(b"# service"));
        }
    }

    #[test]
    fn packets_of_random_lines_never_panic(lines in prop::collection::vec("(0000|0001|version 2|shallow-info|packfile|[0-9a-f]{40} HEAD|ACK x|NAK|[\u{1}-\u{3}]x|[ -~]{0,20})", 0..20)) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let (_, result, mut talk) = find(None, &[packets(&lines)]);
        if result.is_ok() {
            let (request, _) = fetch(&mut talk, None, &packets(&lines));
            prop_assert!(request.is_empty() || request.iter().any(|line| line == "done"));
        }
    }
}
