//! A Git server on loopback: `git http-backend` behind as much HTTP as `git push` and our own client speak, and the same repository by
//! https for whoever has a token.

use super::{run, wait_for};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;

const BACKEND: &str = "/usr/lib/git-core/git-http-backend";

/// A bare repository that can be pushed to and fetched from; gone with the test.
pub struct GitServer {
    home: TempDir,
    port: u16,
    stop: Arc<AtomicBool>,
    fetches: Arc<AtomicUsize>,
}

impl GitServer {
    /// Serves an empty repository. `None` where Git has no HTTP server.
    pub fn start() -> Option<GitServer> {
        if !super::need(&["git"]) || !Path::new(BACKEND).exists() {
            return None;
        }
        let home = TempDir::new().expect("a temporary directory");
        let bare = home.path().join("mail.git");
        run(Command::new("git").args(["init", "-q", "--bare", "-b", "main"]).arg(&bare)).ok();
        run(Command::new("git").arg("-C").arg(&bare).args(["config", "http.receivepack", "true"])).ok();
        let (stop, fetches) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let root = home.path().to_owned();
        let counted = Arc::clone(&fetches);
        let port = listen(0, &stop, move |stream| answer(stream, &root, &counted, None));
        Some(GitServer { home, port, stop, fetches })
    }

    /// Where the repository is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mail.git", self.port)
    }

    /// How often somebody asked what there is to fetch.
    pub fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    /// Waits until somebody asked again since `before`.
    pub fn wait_fetched(&self, before: usize, patience: Duration) {
        wait_for("a fetch", patience, || (self.fetches() > before).then_some(()));
    }

    /// Commits all of a directory and pushes it; the commit's id.
    pub fn push(&self, work_tree: &Path, subject: &str) -> String {
        let git = |arguments: &[&str]| {
            let mut command = Command::new("git");
            command.arg("-C").arg(work_tree);
            command.args(["-c", "user.name=alice", "-c", "user.email=alice@example.test"]);
            command.args(["-c", "commit.gpgsign=false", "-c", "gc.auto=0"]).args(arguments);
            command.env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", self.home.path());
            run(&mut command).ok().stdout.trim().to_owned()
        };
        if !work_tree.join(".git").exists() {
            git(&["init", "-q", "-b", "main"]);
        }
        git(&["add", "-A"]);
        git(&["commit", "-q", "--allow-empty", "-m", subject]);
        git(&["push", "-q", "--force", &self.url(), "HEAD:refs/heads/main"]);
        git(&["rev-parse", "HEAD"])
    }

    /// Nobody listens any more.
    pub fn leave(&self) {
        self.stop.store(true, Ordering::SeqCst);
        wait_for("the Git server to be away", Duration::from_secs(10), || {
            TcpStream::connect(("127.0.0.1", self.port)).is_err().then_some(())
        });
    }

    /// It listens at the same place again.
    pub fn come_back(&self) {
        self.stop.store(false, Ordering::SeqCst);
        let (root, counted) = (self.home.path().to_owned(), Arc::clone(&self.fetches));
        listen(self.port, &self.stop, move |stream| answer(stream, &root, &counted, None));
    }

    /// The same repository by https, for whoever shows this bearer token and no one else.
    ///
    /// # Panics
    /// When no certificate can be made.
    pub fn secured(&self, token: &str) -> Secured {
        let certified =
            rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
        let chain = vec![CertificateDer::from(certified.cert.der().to_vec())];
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("versions").with_no_client_auth().with_single_cert(chain, key);
        let config = Arc::new(config.expect("a certificate and its key"));
        let (root, fetches) = (self.home.path().to_owned(), Arc::clone(&self.fetches));
        let (stop, expected) = (Arc::new(AtomicBool::new(false)), format!("Bearer {token}"));
        let port = listen(0, &stop, move |stream| {
            let connection = ServerConnection::new(Arc::clone(&config)).map_err(std::io::Error::other)?;
            answer(StreamOwned::new(connection, stream), &root, &fetches, Some(&expected))
        });
        Secured { port, authority: certified.cert.pem(), stop }
    }

    /// The repository's directory.
    pub fn path(&self) -> PathBuf {
        self.home.path().join("mail.git")
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// A server by https; ends with the test.
pub struct Secured {
    port: u16,
    /// The certificate of who signed the server's, which is the same, in PEM.
    pub authority: String,
    stop: Arc<AtomicBool>,
}

impl Secured {
    /// Where the repository is.
    pub fn url(&self) -> String {
        format!("https://localhost:{}/mail.git", self.port)
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// Serves every connection on a thread of its own until `stop`; the port.
fn listen(
    port: u16,
    stop: &Arc<AtomicBool>,
    serve: impl Fn(TcpStream) -> std::io::Result<()> + Clone + Send + 'static,
) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let ended = Arc::clone(stop);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            if ended.load(Ordering::SeqCst) {
                return;
            }
            let serve = serve.clone();
            std::thread::spawn(move || stream.and_then(serve));
        }
    });
    port
}

/// One request by one run of the CGI program.
fn answer(
    stream: impl Read + Write,
    root: &Path,
    fetches: &AtomicUsize,
    expected: Option<&str>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if query == "service=git-upload-pack" {
        fetches.fetch_add(1, Ordering::SeqCst);
    }
    let mut command = Command::new(BACKEND);
    command.env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1").env("PATH_INFO", path);
    command.env("QUERY_STRING", query).env("REQUEST_METHOD", method).env("REMOTE_ADDR", "127.0.0.1");
    let (mut length, mut allowed) = (0, expected.is_none());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        let (name, value) = (name.to_ascii_lowercase(), value.trim());
        match name.as_str() {
            "authorization" => allowed |= expected == Some(value),
            "content-length" => length = value.parse().unwrap_or(0),
            "content-type" => drop(command.env("CONTENT_TYPE", value)),
            "content-encoding" => drop(command.env("HTTP_CONTENT_ENCODING", value)),
            "git-protocol" => drop(command.env("GIT_PROTOCOL", value)),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    if !allowed {
        let head = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        reader.get_mut().write_all(head.as_bytes())?;
        return reader.get_mut().flush();
    }
    command.env("CONTENT_LENGTH", length.to_string());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(&body)?;
    }
    let output = child.wait_with_output()?.stdout;
    let end =
        output.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap_or(output.len().saturating_sub(4));
    let head = String::from_utf8_lossy(output.get(..end + 2).unwrap_or_default()).into_owned();
    let body = output.get(end + 4..).unwrap_or_default();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
    let stream = reader.get_mut();
    write!(stream, "HTTP/1.1 {status}\r\n{head}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    stream.write_all(body)?;
    stream.flush()
}
