//! A proxy on loopback that does nothing but CONNECT.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use base64::Engine;
use mailwright_operator::source::Proxy;

/// Ends with the test.
pub struct HttpProxy {
    port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// Request lines of tunnels that were made.
    seen: Arc<Mutex<Vec<String>>>,
    /// Everything that went through.
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Drop for HttpProxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl HttpProxy {
    /// `login`: the `user:password` that it asks for.
    pub fn start(login: Option<&'static str>) -> HttpProxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, seen, bytes) = (Arc::new(AtomicBool::new(false)), Arc::default(), Arc::default());
        let (stopped, log, through) = (stop.clone(), Arc::clone(&seen), Arc::clone(&bytes));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (log, through) = (Arc::clone(&log), Arc::clone(&through));
                std::thread::spawn(move || serve(stream, login, &log, &through));
            }
        });
        HttpProxy { port, stop, thread: Some(thread), seen, bytes }
    }

    /// How a source is told of it; `login` is `user:password@` or empty.
    pub fn options(&self, login: &str) -> Proxy {
        Proxy::parse(&format!("http://{login}127.0.0.1:{}", self.port)).unwrap()
    }

    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    pub fn saw_nothing_of(&self, secret: &str) -> bool {
        let bytes = self.bytes.lock().unwrap();
        !bytes.is_empty() && !bytes.windows(secret.len()).any(|part| part == secret.as_bytes())
    }
}

fn serve(
    mut client: TcpStream,
    login: Option<&str>,
    seen: &Mutex<Vec<String>>,
    bytes: &Arc<Mutex<Vec<u8>>>,
) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).ok()?;
        head.extend(byte);
    }
    let head = String::from_utf8(head).ok()?;
    let authorization = login.map(|login| {
        format!("basic {}", base64::engine::general_purpose::STANDARD.encode(login)).to_ascii_lowercase()
    });
    let given = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("proxy-authorization: ").map(str::to_owned));
    if authorization.is_some() && given != authorization {
        let answer =
            "HTTP/1.1 407 X\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        return client.write_all(answer.as_bytes()).ok();
    }
    let line = head.lines().next()?.to_owned();
    let target = line.strip_prefix("CONNECT ")?.split(' ').next()?.to_owned();
    let server = TcpStream::connect(&target).ok()?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
    seen.lock().unwrap().push(line);
    let (back, forth) = (client.try_clone().ok()?, server.try_clone().ok()?);
    let log = Arc::clone(bytes);
    let copying = std::thread::spawn(move || copy(server, back, &log));
    copy(client, forth, bytes);
    let _ = copying.join();
    Some(())
}

fn copy(mut from: TcpStream, mut to: TcpStream, log: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        log.lock().unwrap().extend(&buffer[..length]);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
