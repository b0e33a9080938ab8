//! The receiver over real sockets: what is handed on, replays, wrong signatures, large and slow bodies, floods.

use std::net::SocketAddr;

use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::webhook::{self, HEADER_SIGNATURE, HEADER_TIMESTAMP, Refusal, sign};

struct Bench {
    address: SocketAddr,
    receiver: Receiver,
    told: mpsc::Receiver<Delivery>,
    path: String,
    token: Token,
}

impl Bench {
    async fn new(body_time: Duration) -> Bench {
        Bench::of(Alone, body_time).await
    }

    async fn of(manner: impl Manner, body_time: Duration) -> Bench {
        let (receiver, told) = Receiver::of(manner).unwrap();
        let Receiver(inner) = receiver;
        let inner = Inner { body_time, ..Arc::into_inner(inner).unwrap() };
        let receiver = Receiver(Arc::new(inner));
        let token = Token::new(&SecretValue::new("the token")).unwrap();
        let path = webhook::path(&webhook::Key::new([1; 32]), "mail", "company", "u1");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = receiver.clone();
        tokio::spawn(async move { serving.serve(listener).await });
        let bench = Bench { address, receiver, told, path, token };
        bench.receiver.set([bench.hook()]);
        bench
    }

    fn hook(&self) -> Hook {
        let (path, token) = (self.path.clone(), self.token.clone());
        Hook { repository: "mail/company".to_owned(), path, provider: Provider::Generic, token }
    }

    /// Sends bytes and reads the answer to its end.
    async fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    async fn send(&self, method: &str, path: &str, signature: &str, stamp: i64, body: &str) -> String {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {}\r\n{HEADER_SIGNATURE}: {signature}\r\n\
             {HEADER_TIMESTAMP}: {stamp}\r\n\r\n",
            body.len()
        );
        self.raw(format!("{head}{body}").as_bytes()).await
    }

    /// A webhook as it should be, `ago` seconds old.
    async fn signed(&self, body: &str, ago: i64) -> String {
        let at = Utc::now() - chrono::TimeDelta::seconds(ago);
        let signature = sign(&self.token, at, body.as_bytes());
        self.send("POST", &self.path, &signature, at.timestamp(), body).await
    }
}

/// The status of an answer.
fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default()
}

/// One of several, who may say whose turn it is and writes down what was told.
#[derive(Clone, Default)]
struct OneOf(Arc<Mutex<(Option<Turn>, Vec<Heard>)>>);

/// An outcome and the repository that it is about.
type Heard = (Outcome, Option<String>);

impl OneOf {
    fn turn_to(&self, turn: Turn) {
        self.0.lock().unwrap().0 = Some(turn);
    }

    fn told(&self) -> Vec<Heard> {
        std::mem::take(&mut self.0.lock().unwrap().1)
    }
}

impl Manner for OneOf {
    fn turn(&self) -> Turn {
        self.0.lock().unwrap().0.unwrap_or(Turn::Ours)
    }

    fn answered(&self, outcome: Outcome, repository: Option<&str>) {
        self.0.lock().unwrap().1.push((outcome, repository.map(str::to_owned)));
    }
}

#[tokio::test]
async fn whoever_does_not_look_at_repositories_hands_on() {
    let (one, other) = (OneOf::default(), OneOf::default());
    let mut leader = Bench::of(one.clone(), BODY_TIME).await;
    let mut follower = Bench::of(other.clone(), BODY_TIME).await;
    follower.receiver.set([]);
    other.turn_to(Turn::Theirs(leader.address));
    let none = format!("/hook/{}", "0".repeat(64));
    let now = Utc::now();
    let signature = sign(&follower.token, now, b"{}");
    for (path, signature, expected, outcome, repository) in [
        (&leader.path, signature.as_str(), 202, Outcome::Accepted, Some("mail/company")),
        (&leader.path, signature.as_str(), 200, Outcome::Repeated, Some("mail/company")),
        (&leader.path, "sha256=00", 404, Outcome::Refused(Refusal::Signature), Some("mail/company")),
        (&none, signature.as_str(), 404, Outcome::Unknown, None),
    ] {
        let answer = follower.send("POST", path, signature, now.timestamp(), "{}").await;
        assert_eq!(status(&answer), expected, "{answer}");
        assert_eq!(answer.ends_with("the repository is looked at\n"), expected == 202, "{answer}");
        assert_eq!(one.told(), [(outcome, repository.map(str::to_owned))]);
        assert_eq!(other.told(), [(Outcome::Relayed(StatusCode::from_u16(expected).unwrap()), None)]);
    }
    assert_eq!(leader.told.try_recv().unwrap().repository, "mail/company");
    assert!(leader.told.try_recv().is_err() && follower.told.try_recv().is_err());
    assert_eq!(status(&follower.send("GET", &leader.path, "x", 0, "").await), 404);
    assert_eq!(one.told(), [], "only what may be a webhook is handed on");

    // Two who each take the other for the one that leads.
    one.turn_to(Turn::Theirs(follower.address));
    assert_eq!(status(&follower.signed("", 0).await), 503);
    assert_eq!(one.told(), [(Outcome::Leaderless, None)], "handed on once");
    other.told();
    // Somebody who is gone, or nobody.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for turn in [Turn::Theirs(free), Turn::Nobodys] {
        other.turn_to(turn);
        let answer = follower.signed("", 0).await;
        assert_eq!(status(&answer), 503, "{turn:?}");
        assert!(answer.contains("send it again, or wait for the interval"), "{answer}");
        assert_eq!(other.told(), [(Outcome::Leaderless, None)]);
    }
    other.turn_to(Turn::Ours);
    follower.receiver.set([follower.hook()]);
    assert_eq!(status(&follower.signed("", 0).await), 202, "nothing of it was remembered");
    assert!(follower.told.try_recv().is_ok());
}

#[tokio::test]
async fn a_push_is_told_once_however_often_it_is_sent() {
    let mut bench = Bench::new(BODY_TIME).await;
    let at = Utc::now();
    let body = r#"{"ref":"refs/heads/main"}"#;
    let signature = sign(&bench.token, at, body.as_bytes());
    for (round, expected) in [202, 200, 200].into_iter().enumerate() {
        let answer = bench.send("POST", &bench.path, &signature, at.timestamp(), body).await;
        assert_eq!(status(&answer), expected, "{round}: {answer}");
    }
    let delivery = bench.told.try_recv().unwrap();
    assert_eq!(
        (delivery.repository.as_str(), delivery.push.references[0].as_str()),
        ("mail/company", "refs/heads/main")
    );
    assert!(bench.told.try_recv().is_err(), "the replays are told to nobody");
    bench.receiver.set([bench.hook()]);
    assert_eq!(
        status(&bench.send("POST", &bench.path, &signature, at.timestamp(), body).await),
        200,
        "known still"
    );
    assert_eq!(status(&bench.signed(body, 301).await), 403, "too old to be sent again");
    assert_eq!(status(&bench.signed(body, 2).await), 202, "another push");
}

/// What an outsider sees does not depend on what exists.
#[tokio::test]
async fn nobody_learns_which_paths_exist() {
    let mut bench = Bench::new(BODY_TIME).await;
    let other = format!("/hook/{}", "0".repeat(64));
    let now = Utc::now().timestamp();
    let wrong = format!("sha256={}", "0".repeat(64));
    let without_date = |answer: String| {
        answer.lines().filter(|line| !line.starts_with("date:")).map(str::to_owned).collect::<Vec<_>>()
    };
    let mut answers = Vec::new();
    for (method, path, body) in [
        ("POST", bench.path.as_str(), "{}"),
        ("POST", other.as_str(), "{}"),
        ("POST", bench.path.as_str(), ""),
        ("GET", bench.path.as_str(), ""),
        ("PUT", other.as_str(), ""),
        ("POST", "/hook/x", "{}"),
        ("POST", "/elsewhere", "{}"),
        ("POST", "/hook", "{}"),
    ] {
        let answer = bench.send(method, path, &wrong, now, body).await;
        assert_eq!(status(&answer), 404, "{method} {path}: {answer}");
        answers.push(without_date(answer));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    bench.receiver.set([]);
    assert_eq!(without_date(bench.signed("{}", 0).await), answers[0], "a repository that is gone");
    assert!(bench.told.try_recv().is_err());
}

#[tokio::test]
async fn large_bodies_are_refused_announced_or_not() {
    let mut bench = Bench::new(BODY_TIME).await;
    for path in [bench.path.clone(), "/hook/none".to_owned()] {
        let head =
            |line: &str| format!("POST {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{line}\r\n\r\n");
        let announced = head(&format!("Content-Length: {}", MAX_BODY + 1));
        assert_eq!(status(&bench.raw(announced.as_bytes()).await), 413);
        let nonsense = head("Content-Length: 99999999999999999999");
        assert!(matches!(status(&bench.raw(nonsense.as_bytes()).await), 400 | 413));
        let mut chunked = head("Transfer-Encoding: chunked").into_bytes();
        let chunk = "x".repeat(0x10000);
        for _ in 0..MAX_BODY / 0x10000 + 1 {
            chunked.extend(format!("10000\r\n{chunk}\r\n").bytes());
        }
        assert_eq!(status(&bench.raw(&chunked).await), 413);
    }
    let largest = format!("{{\"x\":\"{}\"}}", "y".repeat(MAX_BODY - 8));
    assert_eq!(largest.len(), MAX_BODY);
    assert_eq!(status(&bench.signed(&largest, 0).await), 202);
    assert!(bench.told.try_recv().is_ok());
}

/// Bodies that do not come hold up nobody else, and not for long.
#[tokio::test]
async fn slow_bodies_are_given_up() {
    let mut bench = Bench::new(Duration::from_millis(300)).await;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\nConnection: close\r\n\r\n{{",
        bench.path
    );
    let mut slow = Vec::new();
    for _ in 0..BODIES {
        let mut stream = TcpStream::connect(bench.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    for mut stream in slow {
        let mut answer = Vec::new();
        timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        assert_eq!(status(&String::from_utf8(answer).unwrap()), 408);
    }
    assert_eq!(status(&bench.signed("{}", 0).await), 202);
    assert!(bench.told.try_recv().is_ok());
}

#[tokio::test]
async fn floods_are_cut_off() {
    let mut bench = Bench::new(BODY_TIME).await;
    let now = Instant::now();
    let statuses: Vec<u16> = (0..SIGNED.0 + 2)
        .map(|number| {
            let body = format!("{{\"x\":{number}}}");
            let at = Utc::now();
            let mut headers = HeaderMap::new();
            headers.insert(HEADER_SIGNATURE, sign(&bench.token, at, body.as_bytes()).parse().unwrap());
            headers.insert(HEADER_TIMESTAMP, at.timestamp().to_string().parse().unwrap());
            bench.receiver.settle(&bench.path, &headers, body.as_bytes(), now).answer().0.as_u16()
        })
        .collect();
    assert_eq!(statuses.iter().filter(|status| **status == 202).count(), SIGNED.0 as usize);
    assert_eq!(statuses[SIGNED.0 as usize..], [429, 429]);
    let mut told = 0;
    while bench.told.try_recv().is_ok() {
        told += 1;
    }
    assert_eq!(told, SIGNED.0);
    // Anyone at all: the same for paths that exist and those that do not.
    let empty = Bucket::new(1, Duration::from_secs(3600), Instant::now());
    *bench.receiver.0.anyone.lock().unwrap() = empty;
    for expected in [404, 429, 429] {
        let answer = bench.send("POST", "/hook/none", "x", 0, "{}").await;
        assert_eq!(status(&answer), expected, "{answer}");
    }
}

#[tokio::test]
async fn a_receiver_shows_no_token_and_no_path() {
    let bench = Bench::new(BODY_TIME).await;
    let shown = format!("{:?} {:?}", bench.receiver, bench.hook());
    assert!(!shown.contains("the token"), "{shown}");
    assert!(format!("{:?}", bench.receiver).contains("repositories: 1"));
}
