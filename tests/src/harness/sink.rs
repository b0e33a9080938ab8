//! A next hop that keeps what it takes, and refuses those it is told to.
//!
//! Leaves out everything that a real server offers: no TLS, no extensions, one thread for each connection.

use super::wire::Wire;
use std::io::Result;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// One message as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The argument of MAIL.
    pub from: String,
    /// The arguments of RCPT that were accepted.
    pub to: Vec<String>,
    /// Header and body, without the dots of the transport.
    pub text: String,
}

impl Taken {
    /// Its subject.
    pub fn subject(&self) -> Option<&str> {
        self.text.lines().find_map(|line| line.strip_prefix("Subject: "))
    }
}

/// It listens as long as the test runs.
pub struct Sink {
    /// Where, on 127.0.0.1 unless it was made over another socket.
    pub port: u16,
    kept: Arc<Kept>,
}

#[derive(Default)]
struct Kept {
    taken: Mutex<Vec<Taken>>,
    /// Its answer to a message waits.
    slow: AtomicBool,
}

impl Kept {
    fn keep(&self, message: Taken) {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).push(message);
        while self.slow.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Sink {
    /// Listens; a recipient whose address contains `refused` is none of its users.
    ///
    /// # Panics
    /// When there is no free port.
    pub fn start(refused: &'static str) -> Self {
        Self::over(TcpListener::bind(("127.0.0.1", 0)).expect("a free port on loopback"), refused)
    }

    /// The same on a socket that listens already, which may be in another network.
    ///
    /// # Panics
    /// When it is not bound.
    pub fn over(listener: TcpListener, refused: &'static str) -> Self {
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let kept = Arc::new(Kept::default());
        let shared = Arc::clone(&kept);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&shared);
                // A client that goes away ends its session with an error, which is nobody's concern.
                std::thread::spawn(move || Wire::over(stream).and_then(|wire| serve(wire, refused, &kept)));
            }
        });
        Self { port, kept }
    }

    /// What it has taken so far.
    pub fn taken(&self) -> Vec<Taken> {
        self.kept.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it keeps to itself that it has taken a message, until it is told otherwise.
    pub fn slow(&self, slow: bool) {
        self.kept.slow.store(slow, Ordering::Release);
    }
}

fn serve(mut wire: Wire, refused: &str, kept: &Kept) -> Result<()> {
    let (mut from, mut to) = (String::new(), Vec::new());
    wire.send(b"220 sink.example.net ESMTP\r\n")?;
    loop {
        let line = wire.line()?;
        let (verb, rest) = line.split_at_checked(4).unwrap_or((&line, ""));
        let reply: &[u8] = match verb.to_ascii_uppercase().as_str() {
            "MAIL" => {
                rest.clone_into(&mut from);
                to.clear();
                b"250 2.1.0 OK\r\n"
            }
            "RCPT" if rest.contains(refused) => b"550 5.1.1 nobody of that name here\r\n",
            "RCPT" => {
                to.push(rest.to_owned());
                b"250 2.1.5 OK\r\n"
            }
            "DATA" if to.is_empty() => b"503 5.5.1 no recipients\r\n",
            "DATA" => {
                wire.send(b"354 go on\r\n")?;
                let text = text(&mut wire)?;
                let message = Taken { from: from.clone(), to: std::mem::take(&mut to), text };
                kept.keep(message);
                b"250 2.0.0 OK\r\n"
            }
            "QUIT" => return wire.send(b"221 2.0.0 bye\r\n"),
            _ => b"250 2.0.0 OK\r\n",
        };
        wire.send(reply)?;
    }
}

/// RFC 5321 §4.5.2: a dot at the start of a line was doubled.
fn text(wire: &mut Wire) -> Result<String> {
    let mut text = String::new();
    loop {
        let line = wire.line()?;
        if line == "." {
            return Ok(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
        text.push_str("\r\n");
    }
}
