//! The messages of CPython's own e-mail tests, read where Python has them: our index against Python's parser.
//!
//! Nothing of them is copied into this repository. Without Python's test package the test says so, and fails under `CI=true`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod memory;

use mailwright_imap::message::{Content, Index, Part, index};
use memory::{Connection, account};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Prints `file<TAB>structure` per message; a leaf shows the octets of its body. Python looks into two message types that IMAP
/// takes for leaves (RFC 3501 §9 `media-message`), and has multiparts without parts, which BODYSTRUCTURE cannot write.
const SCRIPT: &str = r#"
import email, email.policy, os, sys
def show(m):
    t = m.get_content_type()
    if t in ("message/delivery-status", "message/external-body"):
        return t
    if m.is_multipart():
        return t + "(" + " ".join(show(p) for p in m.get_payload()) + ")"
    if m.get_content_maintype() == "multipart":
        return t + "(text/plain[0])"
    return t + "[%d]" % len(m.get_payload().encode("utf-8", "surrogateescape"))
d = sys.argv[1]
for name in sorted(os.listdir(d)):
    if name.endswith(".txt"):
        raw = open(os.path.join(d, name), "rb").read()
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
        m = email.message_from_bytes(raw)
        print(name + "\t" + show(m))
"#;

/// Where we differ on purpose: a multipart inside another has the same boundary. Ours is read as the inner one's, so that it
/// has parts; Python's inner one stays empty.
const SAME_BOUNDARY: [&str; 2] = ["msg_15.txt", "msg_39.txt"];

/// Where Python keeps them.
fn data() -> Option<PathBuf> {
    let find = "import os, test.test_email as t; print(os.path.join(os.path.dirname(t.__file__), 'data'))";
    let output = Command::new("python3").args(["-c", find]).output().ok()?;
    let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    path.is_dir().then_some(path)
}

fn found() -> Option<PathBuf> {
    let data = data();
    if data.is_none() {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "Python's test package is missing (python3 with test.test_email)"
        );
        eprintln!("skipped: python3 has no test.test_email package");
    }
    data
}

/// The messages with the line ends that the store gives them.
fn messages(data: &Path) -> Vec<(String, Vec<u8>)> {
    let mut messages: Vec<(String, Vec<u8>)> = std::fs::read_dir(data)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .map(|path| {
            let raw = std::fs::read(&path).unwrap();
            let mut lines = Vec::with_capacity(raw.len());
            for (at, octet) in raw.iter().enumerate() {
                match (octet, raw.get(at + 1)) {
                    (b'\r', Some(b'\n')) => {}
                    (b'\r' | b'\n', _) => lines.extend_from_slice(b"\r\n"),
                    (octet, _) => lines.push(*octet),
                }
            }
            (path.file_name().unwrap().to_string_lossy().into_owned(), lines)
        })
        .collect();
    messages.sort();
    assert!(messages.len() > 20, "there are some 40 of them");
    messages
}

fn show(part: &Part) -> String {
    let name = format!(
        "{}/{}",
        String::from_utf8_lossy(&part.mime.media_type),
        String::from_utf8_lossy(&part.mime.subtype)
    );
    match &part.content {
        Content::Leaf if ["message/delivery-status", "message/external-body"].contains(&name.as_str()) => {
            name
        }
        Content::Leaf => format!("{name}[{}]", part.body.len()),
        Content::Multipart(parts) => {
            format!("{name}({})", parts.iter().map(show).collect::<Vec<_>>().join(" "))
        }
        Content::Message(_, inner) => format!("{name}({})", show(inner)),
    }
}

#[test]
fn structures_are_those_that_python_sees() {
    let Some(data) = found() else { return };
    let output = Command::new("python3").args(["-c", SCRIPT]).arg(&data).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let python = String::from_utf8(output.stdout).unwrap();
    let mut differences = Vec::new();
    for (name, raw) in messages(&data) {
        let ours = show(&index(&raw).root);
        let theirs =
            python.lines().find_map(|line| line.strip_prefix(&format!("{name}\t"))).unwrap_or("nothing");
        if ours != theirs && !SAME_BOUNDARY.contains(&name.as_str()) {
            differences.push(format!("{name}\n  ours   {ours}\n  python {theirs}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_message_comes_back_octet_for_octet() {
    let Some(data) = found() else { return };
    let account = account(&[]);
    let mut alice = Connection::selected(&account);
    for (number, (name, raw)) in messages(&data).iter().enumerate() {
        let number = number + 1;
        let index = index(raw);
        assert_eq!(Index::decode(&index.encode()).as_ref(), Ok(&index), "{name}");
        let append = [format!("a APPEND INBOX {{{}+}}\r\n", raw.len()).as_bytes(), raw, b"\r\n"].concat();
        let answer = alice.send_bytes(&append);
        assert!(answer.contains(&format!("a OK [APPENDUID 1001 {number}]")), "{name}: {answer}");
        let fetched = alice.exchange(format!("b UID FETCH {number} BODY.PEEK[]\r\n").as_bytes());
        let expected = [
            format!("* {number} FETCH (UID {number} BODY[] {{{}}}\r\n", raw.len()).as_bytes(),
            raw,
            b")\r\nb OK FETCH completed\r\n",
        ]
        .concat();
        assert!(fetched == expected, "{name}");
        let header =
            alice.exchange(format!("c FETCH {number} (BODY.PEEK[HEADER] BODY.PEEK[TEXT])\r\n").as_bytes());
        let (head, body) = (&raw[index.root.header.clone()], &raw[index.root.body.clone()]);
        assert_eq!([head, body].concat(), *raw, "{name}");
        let expected =
            [format!("(BODY[HEADER] {{{}}}\r\n", head.len()).as_bytes(), head, b" BODY[TEXT]"].concat();
        assert!(header.windows(expected.len()).any(|window| window == expected), "{name}");
    }
}
