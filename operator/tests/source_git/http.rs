//! Repositories over http and https: `git http-backend` behind a small server that can also misbehave.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use base64::Engine;
use mailwright_operator::source::{Options, SecretValue};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::repository::{Repository, failure, follow, have, load, open};

const BACKEND: &str = "/usr/lib/git-core/git-http-backend";

/// What the server does with a request before it comes to Git.
#[derive(Clone, Debug, PartialEq)]
enum Mood {
    Serve,
    /// Without the header that asks for version 2.
    VersionZero,
    /// Only with this user and password.
    Ask(&'static str),
    /// A status and a body, whatever is asked.
    Answer(u16, &'static str),
    /// `/old/…` moved to this base.
    Redirect(String),
    /// Half of every answer to a POST.
    Half,
    /// A bit turned in the middle of every long answer to a POST.
    Damage,
}

/// A server on loopback; ends with the test.
struct Server {
    port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    mood: Arc<Mutex<Mood>>,
    /// Request lines and their Authorization headers.
    seen: Arc<Mutex<Vec<String>>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Server {
    fn start(root: &Path, mood: Mood, tls: Option<Arc<ServerConfig>>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let root = root.to_owned();
        let mood = Arc::new(Mutex::new(mood));
        let (stopped, log, current) = (stop.clone(), seen.clone(), mood.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let mood = current.lock().unwrap().clone();
                let (root, tls, log) = (root.clone(), tls.clone(), log.clone());
                std::thread::spawn(move || match tls {
                    Some(config) => {
                        let connection = ServerConnection::new(config).unwrap();
                        let _ = answer(StreamOwned::new(connection, stream), &root, &mood, &log);
                    }
                    None => {
                        let _ = answer(stream, &root, &mood, &log);
                    }
                });
            }
        });
        Server { port, stop, thread: Some(thread), mood, seen }
    }

    fn turn(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

fn read_request(stream: &mut impl Read) -> std::io::Result<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (method, target) =
        (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut request = Request { method, target, headers, body: Vec::new() };
    let length = request.header("content-length").parse().unwrap_or(0);
    request.body.resize(length, 0);
    reader.read_exact(&mut request.body)?;
    Ok(request)
}

fn answer(
    mut stream: impl Read + Write,
    root: &Path,
    mood: &Mood,
    seen: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let request = read_request(&mut stream)?;
    let authorization = request.header("authorization").to_owned();
    seen.lock()
        .unwrap()
        .push(format!("{} {} {authorization}", request.method, request.target).trim().to_owned());
    match mood {
        Mood::Answer(status, body) => {
            return write!(
                stream,
                "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
        Mood::Redirect(base) if request.target.starts_with("/old/") => {
            let to = request.target.replacen("/old", base, 1);
            return write!(
                stream,
                "HTTP/1.1 302 X\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
        }
        Mood::Ask(expected) => {
            let expected = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(expected));
            if authorization != expected {
                let head = "HTTP/1.1 401 X\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                return stream.write_all(head.as_bytes());
            }
        }
        _ => {}
    }
    let (head, mut body) = run_backend(root, &request, *mood != Mood::VersionZero);
    if *mood == Mood::Half && request.method == "POST" && body.len() > 1000 {
        let length = body.len();
        body.truncate(length / 2);
        write!(stream, "HTTP/1.1 200 OK\r\n{head}Content-Length: {length}\r\nConnection: close\r\n\r\n")?;
        return stream.write_all(&body);
    }
    if *mood == Mood::Damage && request.method == "POST" && body.len() > 1000 {
        let middle = body.len() / 2;
        body[middle] ^= 1;
    }
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
    write!(stream, "HTTP/1.1 {status}\r\n{head}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    stream.write_all(&body)?;
    stream.flush()
}

/// Headers and body of the CGI program.
fn run_backend(root: &Path, request: &Request, version_2: bool) -> (String, Vec<u8>) {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let mut command = Command::new(BACKEND);
    command.env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1").env("PATH_INFO", path);
    command.env("QUERY_STRING", query).env("REQUEST_METHOD", &request.method);
    command.env("CONTENT_TYPE", request.header("content-type")).env("REMOTE_ADDR", "127.0.0.1");
    command.env("CONTENT_LENGTH", request.body.len().to_string());
    if version_2 {
        command.env("GIT_PROTOCOL", request.header("git-protocol"));
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(&request.body);
    let output = child.wait_with_output().unwrap().stdout;
    let end = output.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap_or(output.len() - 4);
    (String::from_utf8_lossy(&output[..end + 2]).into_owned(), output[end + 4..].to_vec())
}

/// The directory that holds the repository `mail.git`.
fn root(repository: &Repository) -> PathBuf {
    repository.path().parent().unwrap().to_owned()
}

#[test]
fn a_branch_is_followed_over_version_2() {
    if !have(BACKEND) {
        return;
    }
    let repository = Repository::new();
    let server = Server::start(&root(&repository), Mood::Serve, None);
    follow(&repository, &server.url("/mail.git/"), &repository.options());
    assert!(server.seen().iter().all(|line| !line.contains("Basic")), "nobody asked for credentials");
}

#[test]
fn a_branch_is_followed_over_version_0() {
    if !have(BACKEND) {
        return;
    }
    let repository = Repository::new();
    let server = Server::start(&root(&repository), Mood::VersionZero, None);
    follow(&repository, &server.url("/mail.git"), &repository.options());
}

/// As the server uses it: loaded on a blocking thread, dropped anywhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_lives_in_an_asynchronous_program() {
    if !have(BACKEND) {
        return;
    }
    let repository = Repository::new();
    repository.commit_secret("a.yaml", "a", "1");
    let server = Server::start(&root(&repository), Mood::Serve, None);
    let mut source = open(&server.url("/mail.git"), repository.options());
    for expected in [true, false] {
        let loaded = tokio::task::spawn_blocking(move || {
            let loaded = source.load().map(|snapshot| snapshot.is_some());
            (source, loaded)
        });
        let (back, result) = loaded.await.unwrap();
        source = back;
        assert_eq!(result.unwrap(), expected);
    }
    drop(source);
}

#[test]
fn only_news_is_fetched() {
    if !have(BACKEND) {
        return;
    }
    let repository = Repository::new();
    repository.commit_secret("a.yaml", "a", "1");
    let server = Server::start(&root(&repository), Mood::Serve, None);
    let mut source = open(&server.url("/mail.git"), repository.options());
    load(&mut source);
    let requests = server.seen().len();
    for _ in 0..3 {
        assert!(source.load().unwrap().is_none());
    }
    assert_eq!(server.seen().len(), requests + 6, "a poll is the greeting and the list of references");
}

#[test]
fn credentials_go_to_their_own_server_only() {
    if !have(BACKEND) {
        return;
    }
    let repository = Repository::new();
    repository.commit_secret("a.yaml", "a", "1");
    let server = Server::start(&root(&repository), Mood::Ask("alice:hunter2"), None);
    let url = server.url("/mail.git");
    let with_user = url.replace("http://", "http://alice:hunter2@");
    assert_eq!(load(&mut open(&with_user, repository.options())).objects.len(), 1);
    let token = Options { token: Some(SecretValue::new("hunter2")), ..repository.options() };
    assert_eq!(load(&mut open(&url.replace("http://", "http://alice@"), token.clone())).objects.len(), 1);

    let none = failure(&mut open(&url, repository.options()));
    assert!(none.contains("the server asks for credentials (401 Unauthorized); give a token"), "{none}");
    let wrong = url.replace("http://", "http://alice:hunter3@");
    let mut source = open(&wrong, repository.options());
    let refused = failure(&mut source);
    assert!(refused.contains("the server refused the credentials (401"), "{refused}");
    assert!(!refused.contains("hunter3") && !format!("{source:?}").contains("hunter3"), "{refused}");

    // A redirect to another server takes the credentials nowhere.
    let other = Server::start(&root(&repository), Mood::Serve, None);
    let moved = Server::start(&root(&repository), Mood::Redirect(other.url("")), None);
    let old = moved.url("/old/mail.git").replace("http://", "http://alice:hunter2@");
    assert_eq!(load(&mut open(&old, repository.options())).objects.len(), 1);
    assert!(moved.seen()[0].contains("Basic"));
    assert!(
        other.seen().len() >= 3 && other.seen().iter().all(|line| !line.contains("Basic")),
        "{:?}",
        other.seen()
    );
    let plain = Options { token: Some(SecretValue::new("hunter2")), ..repository.options() };
    let text = failure(&mut open("http://example.org/mail.git", plain));
    assert!(text.contains("credentials are never sent over http; use https"), "{text}");
}

#[test]
fn what_a_server_answers_is_told_in_words() {
    let repository = Repository::new();
    let table = [
        (Mood::Answer(404, ""), "there is no such repository, or it is private (404 Not Found)"),
        (Mood::Answer(403, ""), "the server asks for credentials (403 Forbidden); give a token"),
        (Mood::Answer(429, ""), "the server asks for fewer requests (429); use a longer interval"),
        (Mood::Answer(500, "oops"), "cannot be reached: the server answered 500 Internal Server Error"),
        (Mood::Answer(200, "<html>log in</html>"), "not with Git's smart protocol; check the URL"),
        (Mood::Redirect("/old/again".to_owned()), "the server redirects in circles"),
    ];
    for (mood, expected) in table {
        let server = Server::start(&root(&repository), mood.clone(), None);
        let text = failure(&mut open(&server.url("/old/mail.git"), repository.options()));
        assert!(text.contains(expected), "{mood:?}: {text}");
        assert!(text.contains("/old/mail.git: "), "the message names the repository: {text}");
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = failure(&mut open(&format!("http://127.0.0.1:{port}/mail.git"), repository.options()));
    assert!(text.contains("Connection refused"), "{text}");
    let text = failure(&mut open("https://no-such-host.invalid/mail.git", repository.options()));
    assert!(text.contains("cannot be reached: "), "{text}");
}

#[test]
fn half_or_damaged_packs_are_never_taken() {
    if !have(BACKEND) {
        return;
    }
    let repository = Repository::new();
    repository.write("a.yaml", (0..2000).map(|n| format!("# {n} {}\n", n * 7919)).collect::<String>());
    repository.commit();
    for (mood, expected) in [(Mood::Half, "cannot be reached"), (Mood::Damage, "the pack cannot be stored")] {
        let server = Server::start(&root(&repository), mood.clone(), None);
        let mut source = open(&server.url("/mail.git"), repository.options());
        let text = failure(&mut source);
        assert!(text.contains(expected), "{mood:?}: {text}");
        server.turn(Mood::Serve);
        assert_eq!(load(&mut source).files.len(), 1, "{mood:?}: the next poll mends it");
    }
}

#[test]
fn https_is_checked_against_the_given_authorities() {
    if !have(BACKEND) {
        return;
    }
    let repository = Repository::new();
    repository.commit_secret("a.yaml", "a", "1");
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let ca_file = repository.beside("ca.pem");
    fs::write(&ca_file, certified.cert.pem()).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let chain = vec![CertificateDer::from(certified.cert.der().to_vec())];
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap());
    let server = Server::start(&root(&repository), Mood::Ask("x-access-token:hunter2"), Some(config));
    let url = format!("https://localhost:{}/mail.git", server.port);
    let trusted = Options {
        ca_file: Some(ca_file.clone()),
        token: Some(SecretValue::new("hunter2")),
        ..repository.options()
    };
    assert_eq!(load(&mut open(&url, trusted.clone())).objects.len(), 1);
    let unknown = failure(&mut open(&url, repository.options()));
    assert!(unknown.contains("invalid peer certificate"), "{unknown}");
    fs::write(&ca_file, "no certificate").unwrap();
    assert!(failure(&mut open(&url, trusted.clone())).contains("invalid peer certificate"));
    let missing = Options { ca_file: Some(repository.beside("none.pem")), ..trusted };
    let text = failure(&mut open(&url, missing));
    assert!(text.contains("none.pem cannot be used") && text.contains("give a PEM file"), "{text}");
}
