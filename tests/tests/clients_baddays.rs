//! Bad days, met from outside by sockets: endless headers, floods of connections, literals that never come, full mailboxes,
//! full disks. Each with its reply and its bound, and somebody else is served while it lasts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::File;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mailwright_tests::harness::{Server, Sink, free_port, run, skip, wait_for, wire};

/// Another client than all others of a test.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const PATIENCE: Duration = Duration::from_secs(30);

/// The quickstart, where loopback may log in without TLS, with more of a `spec`.
fn quickstart(spec: &str) -> Server {
    let server = Server::example("quickstart");
    let spec = format!("  auth: {{plaintextOnLoopback: true}}\n{spec}  tls:\n");
    server.manifests.edit("server.yaml", "  tls:\n", &spec);
    server
}

fn started(spec: &str) -> Server {
    let mut server = quickstart(spec);
    server.start();
    server
}

/// The most memory that the process has held so far, in kB.
fn peak(server: &mut Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.running().pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn imap(mut wire: wire::Wire, user: &str) -> wire::Wire {
    wire.line().unwrap();
    let answer = wire.imap("l", &format!("LOGIN {user} mailwright")).unwrap();
    assert!(answer.contains("l OK"), "{answer}");
    wire
}

/// How many messages are in somebody's INBOX.
fn messages(server: &Server, user: &str) -> u64 {
    let mut session = imap(wire::Wire::connect(server.ports.imap).unwrap(), user);
    let answer = session.imap("s", "STATUS INBOX (MESSAGES)").unwrap();
    let (_, count) = answer.split_once("(MESSAGES ").unwrap();
    count.split_once(')').unwrap().0.parse().unwrap()
}

/// Somebody at another address, who notices nothing of the bad day.
struct Witness {
    imap: wire::Wire,
    submission: wire::Wire,
    smtp: u16,
    submissions: u16,
    received: u32,
}

impl Witness {
    fn new(server: &Server) -> Witness {
        let ports = server.ports;
        let mut imap = imap(wire::Wire::connect_from(ELSEWHERE, ports.imap).unwrap(), "bob@example.test");
        imap.imap("w", "SELECT INBOX").unwrap();
        let submission = Witness::login(ports.submission);
        Witness { imap, submission, smtp: ports.smtp, submissions: ports.submission, received: 0 }
    }

    fn open(port: u16) -> wire::Wire {
        let mut wire = wire::Wire::connect_from(ELSEWHERE, port).unwrap();
        let greeting = wire.reply().unwrap();
        assert!(greeting.starts_with("220"), "{greeting}");
        wire.smtp("EHLO elsewhere.example.org").unwrap();
        wire
    }

    fn login(port: u16) -> wire::Wire {
        wire::logged_in(Witness::open(port)).unwrap()
    }

    /// The sessions that were open go on, and new ones begin.
    fn is_served(&mut self) {
        assert!(self.imap.imap("n", "NOOP").unwrap().contains("n OK"));
        assert!(self.submission.smtp("RSET").unwrap().starts_with("250"));
        assert!(Witness::open(self.smtp).smtp("NOOP").unwrap().starts_with("250"));
        assert!(Witness::login(self.submissions).smtp("NOOP").unwrap().starts_with("250"));
    }

    /// And mail arrives.
    fn gets_mail(&mut self) {
        let to = ["bob@example.test"];
        let text = "From: alice@example.test\r\nSubject: all is well\r\n\r\nHello.";
        let reply = wire::send(&mut self.submission, "alice@example.test", &to, text).unwrap();
        assert!(reply.starts_with("250"), "{reply}");
        self.received += 1;
        let exists = format!("* {} EXISTS", self.received);
        wait_for("mail of the witness", PATIENCE, || {
            self.imap.imap("n", "NOOP").unwrap().contains(&exists).then_some(())
        });
    }
}

/// What a million lines of header may add to the peak of the process, in kB: the header is judged before it is held.
const HEADER_ROOM: u64 = 8 << 10;

#[test]
fn a_header_of_a_million_lines_is_refused_at_its_end() {
    let mut server = started("");
    let mut witness = Witness::new(&server);
    witness.gets_mail();
    let before = peak(&mut server);
    let half = "X-Field: 0123456789\r\n".repeat(500_000);
    let opened = [
        (wire::smtp(server.ports.smtp).unwrap(), "carol@example.org"),
        (wire::submission(server.ports.submission).unwrap(), "alice@example.test"),
    ];
    for (mut wire, from) in opened {
        for command in [format!("MAIL FROM:<{from}>"), "RCPT TO:<alice@example.test>".to_owned()] {
            assert!(wire.smtp(&command).unwrap().starts_with("250"), "{command}");
        }
        assert!(wire.smtp("DATA").unwrap().starts_with("354"));
        wire.send(half.as_bytes()).unwrap();
        witness.is_served();
        wire.send(half.as_bytes()).unwrap();
        let reply = wire.smtp("\r\nHello.\r\n.").unwrap();
        assert!(reply.starts_with("552 5.3.4"), "{reply}");
        assert!(wire.smtp("NOOP").unwrap().starts_with("250"), "the session goes on");
    }
    let grown = peak(&mut server) - before;
    assert!(grown < HEADER_ROOM, "the peak grew by {grown} kB");
    assert_eq!(messages(&server, "alice@example.test"), 0);
    witness.gets_mail();
}

/// What the same header may add when its owner keeps it with IMAP, in kB: it is held once, not as a million fields.
const APPEND_ROOM: u64 = 80 << 10;

#[test]
fn a_header_of_a_million_lines_can_be_kept_and_read() {
    let mut server = started("");
    let mut witness = Witness::new(&server);
    witness.gets_mail();
    let before = peak(&mut server);
    let header = "X-Field: 0123456789\r\n".repeat(1_000_000) + "Subject: last\r\n\r\n";
    let mut alice = imap(wire::Wire::connect(server.ports.imap).unwrap(), "alice@example.test");
    alice.send(format!("a APPEND INBOX {{{}+}}\r\n{header}", header.len()).as_bytes()).unwrap();
    witness.is_served();
    alice.send(b"\r\n").unwrap();
    let answer = alice.line().unwrap();
    assert!(answer.starts_with("a OK [APPENDUID "), "{answer}");
    alice.imap("s", "SELECT INBOX").unwrap();
    for (command, expected) in [
        ("FETCH 1 RFC822.SIZE", format!("RFC822.SIZE {})", header.len())),
        ("FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]", "Subject: last".to_owned()),
        ("SEARCH HEADER X-FIELD 0123456789", "* SEARCH 1\n".to_owned()),
    ] {
        let answer = alice.imap("f", command).unwrap();
        assert!(answer.contains(&expected), "{command}: {answer}");
        witness.is_served();
    }
    let grown = peak(&mut server) - before;
    assert!(grown < APPEND_ROOM, "the peak grew by {grown} kB");
    witness.gets_mail();
}

/// From one address, and how many of them are opened before the first is read.
const FLOOD: usize = 2000;
const AT_A_TIME: usize = 250;
/// The default of `limits.connectionsPerAddress`.
const PER_ADDRESS: usize = 50;

#[test]
fn two_thousand_connections_of_one_address_keep_nobody_else_out() {
    let server = started("");
    let mut witness = Witness::new(&server);
    let ports = [server.ports.submission, server.ports.imap, server.ports.smtp];
    let (mut held, mut refused) = (Vec::new(), 0);
    for burst in 0..FLOOD / AT_A_TIME {
        let port = ports[burst % ports.len()];
        let opened: Vec<_> = (0..AT_A_TIME).map(|_| wire::Wire::connect(port).unwrap()).collect();
        for mut wire in opened {
            let greeting = wire.line().unwrap();
            match greeting.split_once(' ').unwrap() {
                ("220", _) => held.push(wire),
                ("*", text) if text.starts_with("OK") => held.push(wire),
                ("421", text) if port != server.ports.imap => {
                    assert!(text.starts_with("4.7.0"), "{text}");
                    assert!(wire.line().is_err(), "it is closed");
                    refused += 1;
                }
                ("*", text) if text.starts_with("BYE") => {
                    assert!(wire.line().is_err(), "it is closed");
                    refused += 1;
                }
                _ => panic!("{port}: {greeting}"),
            }
        }
        witness.is_served();
    }
    assert_eq!((held.len(), refused), (PER_ADDRESS, FLOOD - PER_ADDRESS));
    witness.gets_mail();
    drop(held);
    wait_for("a place for the address", PATIENCE, || wire::smtp(server.ports.smtp).ok());
}

/// Sessions that announce and say nothing more; below the limit of one address.
const SILENT: usize = 40;
/// What they may hold together, in kB: what was announced is not set aside, and none of it came.
const SILENT_ROOM: u64 = 8 << 10;

#[test]
fn a_literal_that_never_comes_holds_nothing_and_nobody() {
    let mut server = started("");
    let mut witness = Witness::new(&server);
    witness.gets_mail();
    let connect = || wire::Wire::connect(server.ports.imap).unwrap();
    let mut greeted = connect();
    greeted.line().unwrap();
    // Beyond the bound a literal is not asked for.
    greeted.send(b"a LOGIN {4097}\r\n").unwrap();
    assert!(greeted.line().unwrap().starts_with("a BAD"), "before login");
    let mut alice = imap(connect(), "alice@example.test");
    alice.send(b"a LIST \"\" {1048577}\r\n").unwrap();
    let answer = alice.line().unwrap();
    assert!(answer.starts_with("a BAD") || answer.starts_with("a NO"), "{answer}");
    let mut alice = imap(connect(), "alice@example.test");
    alice.send(b"a APPEND INBOX {52428801}\r\n").unwrap();
    let answer = alice.line().unwrap();
    assert!(answer.starts_with("a NO [TOOBIG]"), "{answer}");
    drop((greeted, alice));

    let port = server.ports.imap;
    let before = peak(&mut server);
    let mut silent = Vec::new();
    for number in 0..SILENT {
        let mut wire = wire::Wire::connect(port).unwrap();
        let announcement = match number % 3 {
            0 => {
                wire.line().unwrap();
                "a LOGIN {4096}"
            }
            1 => {
                wire = imap(wire, "alice@example.test");
                "a LIST \"\" {1048576}"
            }
            _ => {
                wire = imap(wire, "alice@example.test");
                "a APPEND INBOX {52428800}"
            }
        };
        wire.send(format!("{announcement}\r\n").as_bytes()).unwrap();
        let answer = wire.line().unwrap();
        assert!(answer.starts_with('+'), "{announcement}: {answer}");
        // A little of it, and then nothing.
        wire.send(b"Subject: ").unwrap();
        silent.push(wire);
    }
    witness.is_served();
    witness.gets_mail();
    let grown = peak(&mut server) - before;
    assert!(grown < SILENT_ROOM, "the peak grew by {grown} kB");
    drop(silent);
    witness.is_served();
    assert_eq!(messages(&server, "alice@example.test"), 0, "half a message is none");
}

#[test]
fn lmtp_answers_for_the_full_mailbox_alone() {
    let mut server = quickstart("");
    let lmtp = free_port();
    let listeners = format!("  listeners:\n    lmtp: {{enabled: true, port: {lmtp}}}\n");
    server.manifests.edit("server.yaml", "  listeners:\n", &listeners);
    server.manifests.mailbox("small@example.test", "  quota: 20Ki\n");
    server.start();
    let mut witness = Witness::new(&server);
    let text = format!("Subject: large\r\n\r\n{}.", "0123456789012345678901234567890\r\n".repeat(1000));
    let mut wire = wire::Wire::connect(lmtp).unwrap();
    wire.reply().unwrap();
    wire.smtp("LHLO front.example.net").unwrap();
    for (first, second, expected) in [
        ("alice@example.test", "small@example.test", ["250 2.1.5", "452 4.2.2"]),
        ("small@example.test", "alice@example.test", ["452 4.2.2", "250 2.1.5"]),
    ] {
        wire.smtp("MAIL FROM:<carol@example.org>").unwrap();
        let replies = [first, second].map(|to| wire.smtp(&format!("RCPT TO:<{to}>")).unwrap());
        let told = replies.iter().position(|reply| !reply.starts_with("250"));
        wire.smtp("DATA").unwrap();
        witness.is_served();
        wire.send(format!("{text}\r\n").as_bytes()).unwrap();
        // A recipient that was refused at RCPT has no reply at the end (RFC 2033 §4.2).
        for (at, expected) in expected.iter().enumerate() {
            let reply = if told == Some(at) { replies[at].clone() } else { wire.reply().unwrap() };
            assert!(reply.starts_with(expected), "{at}: {reply}");
        }
    }
    assert_eq!(messages(&server, "alice@example.test"), 2);
    witness.gets_mail();
}

/// A disk that is small: 32 MiB, of which new mail leaves an eighth.
const DISK: &str = "size=32m";
/// Within what new mail leaves.
const LEFT: u64 = 2 << 20;

/// A server whose data directory is a disk of its own. The server ends before its disk.
struct Small {
    server: Server,
    disk: Disk,
}

struct Disk(tempfile::TempDir);

impl Disk {
    fn mount() -> Option<Disk> {
        let directory = tempfile::tempdir().unwrap();
        let mount =
            run(Command::new("mount").args(["-t", "tmpfs", "-o", DISK, "tmpfs"]).arg(directory.path()));
        (mount.code == Some(0)).then_some(Disk(directory))
    }

    fn ballast(&self) -> PathBuf {
        self.0.path().join("ballast")
    }

    /// Fills it up, and then gives back this much.
    fn fill(&self, left: u64) {
        let mut file = File::options().append(true).create(true).open(self.ballast()).unwrap();
        // Pages first, then what is left of the last one.
        for block in [vec![0; 4096], vec![0; 1]] {
            while file.write_all(&block).is_ok() {}
        }
        let length = file.metadata().unwrap().len();
        file.set_len(length.saturating_sub(left)).unwrap();
    }

    fn free(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run(Command::new("umount").arg("-l").arg(self.0.path()));
    }
}

impl Small {
    fn start(spec: &str) -> Option<Small> {
        let Some(disk) = Disk::mount() else {
            skip("no tmpfs can be mounted here (root may)");
            return None;
        };
        let mut server = quickstart(spec);
        std::os::unix::fs::symlink(disk.0.path(), server.data()).unwrap();
        server.start();
        Some(Small { server, disk })
    }

    /// The reply at MAIL on either port, and to APPEND.
    fn refuses_new_mail(&self, append: &mut wire::Wire) {
        let ports = self.server.ports;
        let mut mx = wire::smtp(ports.smtp).unwrap();
        let reply = mx.smtp("MAIL FROM:<carol@example.org>").unwrap();
        assert!(reply.starts_with("452 4.3.1"), "{reply}");
        let mut submission = wire::submission(ports.submission).unwrap();
        let reply = submission.smtp("MAIL FROM:<alice@example.test>").unwrap();
        assert!(reply.starts_with("452 4.3.1"), "{reply}");
        append.send(b"a APPEND INBOX {20+}\r\nSubject: x\r\n\r\nHello.\r\n").unwrap();
        let answer = append.line().unwrap();
        assert!(answer.starts_with("a NO [UNAVAILABLE]"), "{answer}");
    }
}

/// How many messages wait to leave.
fn queued(server: &Server) -> u64 {
    let list = server.cli(&["queue", "list", "--output", "json"]).ok().stdout;
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    list["totals"]["messages"].as_u64().unwrap()
}

fn files(directory: &Path) -> usize {
    std::fs::read_dir(directory).map_or(0, Iterator::count)
}

#[test]
fn a_full_disk_refuses_for_now_and_half_of_nothing_is_kept() {
    let Some(small) = Small::start("") else { return };
    let (server, disk) = (&small.server, &small.disk);
    let to = ["alice@example.test"];
    let text = "From: alice@example.test\r\nSubject: kept\r\n\r\nHello.";
    let reply = wire::deliver(server.ports.smtp, "carol@example.org", &to, text).unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    let mut witness = Witness::new(server);
    let mut alice = imap(wire::Wire::connect(server.ports.imap).unwrap(), "alice@example.test");
    alice.imap("s", "SELECT INBOX").unwrap();

    // Three messages are under way when the disk fills up.
    let mut halves = [
        (wire::smtp(server.ports.smtp).unwrap(), "carol@example.org"),
        (wire::submission(server.ports.submission).unwrap(), "alice@example.test"),
    ];
    let block = "0123456789012345678901234567890\r\n".repeat(16 << 10);
    for (wire, from) in &mut halves {
        for command in [&format!("MAIL FROM:<{from}>"), "RCPT TO:<alice@example.test>", "DATA"] {
            assert!(wire.smtp(command).unwrap().starts_with(['2', '3']), "{command}");
        }
        wire.send(format!("From: {from}\r\nSubject: half\r\n\r\n{block}").as_bytes()).unwrap();
    }
    let mut late = imap(wire::Wire::connect(server.ports.imap).unwrap(), "alice@example.test");
    late.send(format!("a APPEND INBOX {{{}+}}\r\n{block}", 2 * block.len()).as_bytes()).unwrap();
    wait_for("all to be spooled", PATIENCE, || (files(&server.data().join("tmp")) == 3).then_some(()));
    disk.fill(0);
    late.send(format!("{block}\r\n").as_bytes()).unwrap();
    let answer = late.line().unwrap();
    assert!(answer.starts_with("a NO [UNAVAILABLE]"), "{answer}");
    for (wire, _) in &mut halves {
        wire.send(block.as_bytes()).unwrap();
        let reply = wire.smtp(".").unwrap();
        assert!(reply.starts_with("452 4.3.1"), "{reply}");
    }
    small.refuses_new_mail(&mut alice);
    witness.is_served();
    let answer = alice.imap("f", "FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]").unwrap();
    assert!(answer.contains("Subject: kept"), "what is there can be read: {answer}");
    assert_eq!(files(&server.data().join("tmp")), 0, "no halves are left");

    // Room within the reserve is for those who tidy up.
    disk.free();
    disk.fill(LEFT);
    small.refuses_new_mail(&mut alice);
    for command in ["STORE 1 +FLAGS (\\Deleted)", "EXPUNGE"] {
        let answer = alice.imap("d", command).unwrap();
        assert!(answer.contains("d OK"), "{command}: {answer}");
    }
    disk.free();
    witness.gets_mail();
    let reply = wire::deliver(server.ports.smtp, "carol@example.org", &to, text).unwrap();
    assert!(reply.starts_with("250"), "it recovers by itself: {reply}");
    assert_eq!(messages(server, "alice@example.test"), 1, "of what was refused nothing was kept");
    assert_eq!(queued(server), 0);
}

#[test]
fn what_left_while_the_disk_was_full_does_not_leave_again() {
    let sink = Sink::start("nobody");
    let relay = format!("  relay: {{host: 127.0.0.1, port: {}, tls: None}}\n", sink.port);
    let Some(small) = Small::start(&relay) else { return };
    let (server, disk) = (&small.server, &small.disk);
    let mut witness = Witness::new(server);
    sink.slow(true);
    let mut submission = wire::submission(server.ports.submission).unwrap();
    let text = "From: alice@example.test\r\nSubject: once\r\n\r\nHello.";
    let to = ["victor@there.example.net"];
    assert!(wire::send(&mut submission, "alice@example.test", &to, text).unwrap().starts_with("250"));
    wait_for("the sink to have it", PATIENCE, || sink.taken().pop());
    // The next host says yes, and there is no room to write that down.
    disk.fill(0);
    sink.slow(false);
    wait_for("the server to complain", PATIENCE, || {
        server.logs().contains("cannot settle an attempt").then_some(())
    });
    witness.is_served();
    disk.free();
    wait_for("the queue to be empty", PATIENCE, || (queued(server) == 0).then_some(()));
    assert_eq!(sink.taken().len(), 1);
    witness.gets_mail();
}
