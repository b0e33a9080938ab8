//! The transcript format, and the runner against a server that echoes.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use super::pattern::octets;
use super::*;

fn check_pattern(pattern: &str, line: &str, expected: bool) {
    assert_eq!(Pattern::parse(pattern).unwrap().matches(line), expected, "{pattern:?} on {line:?}");
}

#[test]
fn patterns() {
    for (pattern, line, expected) in [
        ("", "", true),
        ("", "a", false),
        ("250 ok", "250 ok", true),
        ("250 ok", "250 okay", false),
        ("250…", "250", true),
        ("250…", "250 okay", true),
        ("250…", "25", false),
        ("…", "", true),
        ("…ok", "250 ok", true),
        ("…ok", "250 ok.", false),
        ("* OK […] …done", "* OK [ALERT] all done", true),
        ("a…b…c", "a c b c", true),
        ("a…b…c", "a c", false),
        ("ab…ba", "aba", false),
        ("(…)…(…)", "(a) (b)", true),
        ("a\\\\…", "a\\b", true),
        ("\\x61\\{3 b}", "abbb", true),
    ] {
        check_pattern(pattern, line, expected);
    }
}

#[test]
fn escapes() {
    for (text, expected) in [
        ("plain é", Ok("plain é".as_bytes().to_vec())),
        ("\\r\\n\\t\\0\\\\", Ok(b"\r\n\t\0\\".to_vec())),
        ("\\xff\\x00", Ok(vec![255, 0])),
        ("<\\{3 ab}>", Ok(b"<ababab>".to_vec())),
        ("\\{2 \\r\\n}", Ok(b"\r\n\r\n".to_vec())),
        ("\\", Err("a backslash at the end")),
        ("\\q", Err("\\q is no escape")),
        ("\\x1", Err("\\x needs two digits")),
        ("\\xzz", Err("\\x needs two hexadecimal digits")),
        ("\\{3 a", Err("\\{ is not closed")),
        ("\\{3}", Err("\\{ needs a number and a text")),
        ("\\{x a}", Err("\\{ needs a number that is not too large")),
        ("\\{99999999 a}", Err("\\{ needs a number that is not too large")),
    ] {
        assert_eq!(octets(text), expected.map_err(str::to_owned), "{text}");
    }
}

#[test]
fn scripts() {
    let text = "# comment\n\nC: NOOP\nC- a\\n\nS: 250…\nS+ ok\nS. closed\n= only machine\nC2: x\n=3 wait 5\nS: \nC:\n";
    let script = Script::parse("x.txt", text).unwrap();
    let pattern = |text| Pattern::parse(text).unwrap();
    let expected = [
        (3, 1, Action::Send(b"NOOP\r\n".to_vec())),
        (4, 1, Action::Send(b"a\n".to_vec())),
        (5, 1, Action::Expect(pattern("250…"))),
        (6, 1, Action::Find(pattern("ok"))),
        (7, 1, Action::Closed),
        (8, 1, Action::Directive("only machine".to_owned())),
        (9, 2, Action::Send(b"x\r\n".to_vec())),
        (10, 3, Action::Directive("wait 5".to_owned())),
        (11, 1, Action::Expect(pattern(""))),
        (12, 1, Action::Send(b"\r\n".to_vec())),
    ];
    let steps: Vec<_> =
        script.steps.iter().map(|step| (step.line, step.connection, step.action.clone())).collect();
    assert_eq!(steps, expected);
    assert!(script.runs_on("machine") && !script.runs_on("socket"));
    assert_eq!(script.directives("wait").collect::<Vec<_>>(), ["5"]);
    for bad in ["X: a", "C", "S. open", "C? x", "C: \\q"] {
        let failure = Script::parse("x.txt", &format!("\n{bad}")).unwrap_err();
        assert_eq!((failure.name.as_str(), failure.line), ("x.txt", 2), "{bad}");
    }
}

/// A server that says what it is told to say when it is spoken to.
#[derive(Default)]
struct Parrot(VecDeque<Vec<u8>>);

impl Peer for Parrot {
    fn send(&mut self, octets: &[u8]) -> Result<(), String> {
        self.0.extend(octets.split_inclusive(|octet| *octet == b'\n').map(<[u8]>::to_vec));
        Ok(())
    }

    fn line(&mut self) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.pop_front())
    }

    fn directive(&mut self, words: &str) -> Result<(), String> {
        if words == "wait" { Ok(()) } else { Err(format!("what is {words}?")) }
    }
}

fn check_run(text: &str, expected: Result<(), &str>) {
    let script = Script::parse("x.txt", text).unwrap();
    let result = run(&script, |connection| {
        if connection == 9 { Err("no more connections".to_owned()) } else { Ok(Parrot::default()) }
    });
    assert_eq!(result.map_err(|failure| failure.to_string()), expected.map_err(str::to_owned));
}

#[test]
fn runs() {
    check_run("C: a\nC2: b\nS: a\nS2: b\nS. closed\n= wait", Ok(()));
    check_run("C: a\nC: b\nC: c\nS+ b\nS: c", Ok(()));
    check_run("C: a\nS: b", Err("x.txt:2: expected b, got a\n    C: a\n    S: a"));
    check_run("S: b", Err("x.txt:1: expected b, got the end of the connection"));
    check_run(
        "C: a\nS+ b",
        Err("x.txt:2: no line matched b before the end of the connection\n    C: a\n    S: a"),
    );
    check_run(
        "C: a\nS. closed",
        Err("x.txt:2: expected the end of the connection, got a\n    C: a\n    S: a"),
    );
    check_run("C- a\\n\nS: a", Err("x.txt:2: the server's line does not end in CRLF\n    C: a\n    S: a"));
    check_run("= jump", Err("x.txt:1: what is jump?"));
    check_run("C9: a", Err("x.txt:1: no more connections"));
}

/// An echoing server that says goodbye and closes when it hears so.
fn echo() -> SocketAddrOf {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while reader.read_line(&mut line).unwrap() > 0 {
            reader.get_mut().write_all(line.as_bytes()).unwrap();
            if std::mem::take(&mut line).starts_with("bye") {
                return;
            }
        }
    });
    SocketAddrOf { address, thread }
}

struct SocketAddrOf {
    address: std::net::SocketAddr,
    thread: std::thread::JoinHandle<()>,
}

#[test]
fn sockets() {
    let server = echo();
    let text = "= only socket\nC: a\nS: a\n= starttls\nC: b\nC: bye\nS+ bye\nS. closed";
    let script = Script::parse("x.txt", text).unwrap();
    let upgraded = std::rc::Rc::new(std::cell::Cell::new(0));
    let result = run(&script, |_| {
        let upgraded = std::rc::Rc::clone(&upgraded);
        Ok(Socket::connect(server.address)?.with_starttls(Box::new(move |tcp| {
            upgraded.set(upgraded.get() + 1);
            Ok(Box::new(tcp))
        })))
    });
    assert_eq!(result, Ok(()));
    assert_eq!(upgraded.get(), 1);
    server.thread.join().unwrap();
}

#[test]
fn sockets_cannot_do_everything() {
    let server = echo();
    let mut socket = Socket::connect(server.address).unwrap();
    assert_eq!(socket.directive("starttls"), Err("a socket cannot do “starttls”".to_owned()));
    assert_eq!(socket.directive("wait 5"), Err("a socket cannot do “wait 5”".to_owned()));
    socket.send(b"bye\r\n").unwrap();
    assert_eq!(socket.line(), Ok(Some(b"bye\r\n".to_vec())));
    assert_eq!(socket.line(), Ok(None));
    server.thread.join().unwrap();
    assert!(Socket::connect(server.address).err().unwrap().starts_with("cannot connect to 127.0.0.1"));
}

#[test]
fn all_of_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in
        [("b.txt", "C: a\nS: x"), ("a.txt", "S: x"), ("c.txt", "= only socket\nS: x"), ("d.md", "?")]
    {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let run = |wanted: fn(&Script) -> bool| run_all(directory.path(), wanted, |_, _| Ok(Parrot::default()));
    let failures = run(|script| script.runs_on("machine")).unwrap_err();
    assert_eq!(
        failures,
        "a.txt:1: expected x, got the end of the connection\nb.txt:2: expected x, got a\n    C: a\n    S: a\n"
    );
    assert_eq!(run(|_| false), Ok(0));
    std::fs::write(directory.path().join("e.txt"), "nonsense").unwrap();
    assert!(run(|_| true).unwrap_err().starts_with("e.txt:1: no line of a transcript"));
    assert!(run_all(Path::new("/nonexistent"), |_| true, |_, _| Ok(Parrot::default())).is_err());
}
