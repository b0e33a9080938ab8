//! Servers that stall, talk nonsense, and go away: each state has its end, and each message its result.

use proptest::prelude::*;

use super::*;

/// What a server has said when the client is at this stage.
const STAGES: &[(Stage, &[&str])] = &[
    (Stage::Greeting, &[]),
    (Stage::Hello, &["220 x\r\n"]),
    (Stage::StartTls, &["220 x\r\n", "250-x\r\n250 STARTTLS\r\n"]),
    (Stage::Mail, &["220 x\r\n", SLOW]),
    (Stage::Rcpt, &["220 x\r\n", SLOW, "250 ok\r\n"]),
    (Stage::Data, &["220 x\r\n", SLOW, "250 ok\r\n", "250 ok\r\n"]),
    (Stage::End, &["220 x\r\n", SLOW, "250 ok\r\n", "250 ok\r\n", "354 go\r\n"]),
];

fn at(stage: usize) -> Driver {
    let mut driver = Driver::new(config(), vec![message(&["b@x.test"], "one\r\n")]);
    for said in STAGES[stage].1 {
        driver.hear(said);
    }
    assert_eq!(driver.session.stage(), STAGES[stage].0);
    driver
}

/// The end of a driver whose connection failed at this stage.
fn ended(driver: &Driver, stage: Stage, problem: &Problem) {
    let failure = driver.failed.as_ref().unwrap();
    assert_eq!((failure.stage, &failure.problem), (stage, problem));
    assert!(driver.closed);
    if stage < Stage::Mail {
        return assert!(driver.results.is_empty(), "the message was never given");
    }
    assert_eq!(driver.results.len(), 1);
    match &driver.results[0][..] {
        [Fate::Unanswered { stage: at, problem: how }] => assert_eq!((*at, how), (stage, problem)),
        [Fate::Refused { stage: at, reply }] => {
            assert_eq!((*at, &Problem::Refused(reply.clone())), (stage, problem));
        }
        fates => panic!("{fates:?}"),
    }
}

#[test]
fn stalls() {
    for (index, (stage, _)) in STAGES.iter().enumerate() {
        let mut driver = at(index);
        driver.pass(60);
        assert!(driver.failed.is_none(), "{stage:?}: patience of a minute at least");
        // Octets that complete no reply put nothing off.
        driver.hear("25");
        driver.pass(9 * 60);
        ended(&driver, *stage, &Problem::Timeout);
    }
}

#[test]
fn early_ends() {
    for (index, (stage, _)) in STAGES.iter().enumerate() {
        let mut driver = at(index);
        driver.hear("250-half a re");
        driver.hang_up();
        ended(&driver, *stage, &Problem::Closed);
    }
}

#[test]
fn garbage() {
    let long = "x".repeat(Limits::REPLY_LINE + 1);
    let many = "250-x\r\n".repeat(Limits::REPLY_LINES + 1);
    for (said, why) in [
        ("HTTP/1.1 200 OK\r\n", "a line that is no reply"),
        (long.as_str(), "a reply line that is too long"),
        (many.as_str(), "a reply with too many lines"),
        ("250-x\r\n354 y\r\n", "a reply with two codes"),
        ("\0\0\0\0\r\n", "a line that is no reply"),
    ] {
        for (index, (stage, _)) in STAGES.iter().enumerate() {
            let mut driver = at(index);
            driver.hear(said);
            ended(&driver, *stage, &Problem::Garbage(why));
        }
    }
}

/// Replies that no command of the stage has: neither success nor refusal.
#[test]
fn replies_out_of_place() {
    for (index, said) in
        [(0, "250 x"), (1, "354 x"), (2, "250 x"), (3, "354 x"), (4, "334 x"), (5, "250 x"), (6, "354 x")]
    {
        let mut driver = at(index);
        driver.hear(&format!("{said}\r\n"));
        let failure = driver.failed.as_ref().unwrap();
        assert!(matches!(failure.problem, Problem::Garbage(_)), "{said}: {failure:?}");
        assert!(!driver.fates_or_none().iter().any(|fate| fate.starts_with("accepted")));
    }
}

/// 421 may come at any time (RFC 5321 §3.8).
#[test]
fn goodbyes() {
    for (index, (stage, _)) in STAGES.iter().enumerate() {
        let mut driver = at(index);
        driver.hear("421 4.3.2 going down\r\n");
        let reply = Reply::received(421, Some(crate::Enhanced(4, 3, 2)), "going down".into());
        ended(&driver, *stage, &Problem::Refused(reply));
        assert!(!driver.sent.contains("QUIT"), "it has gone");
    }
}

/// What was decided before the end stays; what was not is neither accepted nor refused.
#[test]
fn half_decided() {
    let mut driver = Driver::new(config(), vec![message(&["b@x.test", "c@x.test", "d@x.test"], "one\r\n")]);
    driver.hear("220 x\r\n");
    driver.hear(EHLO);
    driver.hear("250 ok\r\n550 no\r\n250 ok\r\n");
    driver.hang_up();
    let closed = "RCPT the server closed the connection";
    assert_eq!(driver.fates(), ["RCPT 550", closed, closed]);
}

/// A 250 that comes before the end of the text is not a reply to it.
#[test]
fn too_early_is_never_accepted() {
    let mut driver = Driver::new(config(), vec![message(&["b@x.test"], "one\r\n")]);
    driver.hear("220 x\r\n");
    driver.hear(EHLO);
    driver.session.input(driver.now, b"250 ok\r\n250 ok\r\n354 go\r\n250 accepted before it came\r\n");
    driver.run();
    assert_eq!(driver.fates(), ["DATA the server broke the protocol: a reply that nobody asked for"]);
    // One that refuses within the text is believed: nobody would send the rest.
    let mut driver = Driver::new(config(), vec![message(&["b@x.test"], "one\r\n")]);
    driver.hear("220 x\r\n");
    driver.hear(EHLO);
    driver.session.input(driver.now, b"250 ok\r\n250 ok\r\n354 go\r\n552 too big already\r\n");
    driver.run();
    assert_eq!(driver.fates(), ["DATA 552"]);
}

#[test]
fn idle_servers_may_leave_and_drivers_may_forget() {
    let mut session = Session::new(Arc::new(config()), Instant::now());
    let now = Instant::now();
    session.input(now, b"220 x\r\n");
    while !matches!(session.poll(), Output::Wait { .. }) {}
    session.input(now, SLOW.as_bytes());
    assert_eq!(session.poll(), Output::Ask(Ask::Ready));
    let Output::Wait { deadline } = session.poll() else { panic!("it waits for the driver") };
    let mut forgotten = Session { events: VecDeque::new(), ..session };
    forgotten.timeout(deadline);
    assert_eq!(forgotten.poll(), Output::Send(b"QUIT\r\n".to_vec()));
    forgotten.input(deadline, b"221 bye\r\n");
    assert_eq!(forgotten.poll(), Output::Close);
    assert!(forgotten.poll() == Output::Close);
}

/// More than anyone asked for is not kept.
#[test]
fn floods_are_cut_off() {
    let login = Config { authenticate: true, starttls: StartTls::Never, ..config() };
    let mut session = Session::new(Arc::new(login), Instant::now());
    let now = Instant::now();
    session.input(now, b"220 x\r\n250-x\r\n250 AUTH PLAIN\r\n");
    while !matches!(session.poll(), Output::Ask(Ask::Sasl { .. })) {}
    // The driver thinks; nothing is read meanwhile.
    let mut kept = 0;
    while session.wants_input() {
        session.input(now, &[b'2'; 4096]);
        kept += 4096;
        assert!(kept <= Limits::PENDING_INPUT + 4096);
    }
    session.input(now, b"2");
    assert!(matches!(session.poll(), Output::Failed(Failure { problem: Problem::Garbage(_), .. })));
}

impl Driver {
    fn fates_or_none(&self) -> Vec<String> {
        self.results.iter().flatten().map(short).collect()
    }
}

proptest! {
    /// Whatever a server says, in whatever pieces: no panic, one result for each message that was given, one fate for each of
    /// its recipients, and an end.
    #[test]
    fn anything(said in proptest::collection::vec(prop_oneof![
        Just("220 x\r\n".to_owned()),
        Just("250 ok\r\n".to_owned()),
        Just(EHLO.to_owned()),
        Just("250-x\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 STARTTLS\r\n".to_owned()),
        Just("354 go\r\n".to_owned()),
        Just("550 5.1.1 no\r\n".to_owned()),
        Just("451 later\r\n".to_owned()),
        "[0-9 -]{0,8}\r\n",
        "\\PC{0,10}",
    ], 0..14), cut in 1..9usize) {
        let given = vec![message(&["b@x.test", "c@x.test"], "one\r\n.two\r\n"), message(&["d@x.test"], "x")];
        let mut driver = Driver::new(config(), given);
        for piece in said.concat().as_bytes().chunks(cut) {
            driver.session.input(driver.now, piece);
            driver.run();
        }
        driver.hang_up();
        prop_assert!(driver.closed);
        let taken = 2 - driver.messages.len();
        prop_assert_eq!(driver.results.len(), taken);
        for (result, recipients) in driver.results.iter().zip([2, 1]) {
            prop_assert_eq!(result.len(), recipients);
        }
    }
}
