//! `git http-backend` behind a small server that can also misbehave.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::repository::Repository;

pub const BACKEND: &str = "/usr/lib/git-core/git-http-backend";

/// What the server does with a request before it comes to Git.
#[derive(Clone, Debug, PartialEq)]
pub enum Mood {
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
    /// Nothing at all, until the other end goes away.
    Silence,
    /// One byte of every answer each 200 ms.
    Drip,
    /// Whatever is asked of a repository with a commit: this pack.
    Pack(Vec<u8>),
}

/// A server on loopback; ends with the test.
pub struct Server {
    pub port: u16,
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
    pub fn start(root: &Path, mood: Mood, tls: Option<Arc<ServerConfig>>) -> Server {
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

    pub fn turn(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    pub fn seen(&self) -> Vec<String> {
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
    if *mood == Mood::Silence {
        let _ = stream.read(&mut [0; 1]);
        return Ok(());
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
    if let (Mood::Pack(pack), true) = (mood, request.body.windows(13).any(|bytes| bytes == b"command=fetch"))
    {
        body = b"000dpackfile\n".to_vec();
        for piece in pack.chunks(60_000) {
            body.extend(format!("{:04x}\u{1}", piece.len() + 5).as_bytes());
            body.extend(piece);
        }
        body.extend(b"0000");
    }
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
    write!(stream, "HTTP/1.1 {status}\r\n{head}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    if *mood == Mood::Drip {
        for byte in body {
            stream.write_all(&[byte])?;
            stream.flush()?;
            std::thread::sleep(Duration::from_millis(200));
        }
        return Ok(());
    }
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
pub fn root(repository: &Repository) -> PathBuf {
    repository.path().parent().unwrap().to_owned()
}

/// A server configuration for `localhost`, and the certificate in PEM.
pub fn certified() -> (Arc<ServerConfig>, String) {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let chain = vec![CertificateDer::from(certified.cert.der().to_vec())];
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    (Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap()), certified.cert.pem())
}
