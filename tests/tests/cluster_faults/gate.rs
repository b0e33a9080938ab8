//! A door in front of a pod's management port. It cannot see what is said behind TLS, but it can count: a question is what the
//! operator says after it was answered. At one of them it falls silent, with the question undelivered or the answer kept.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A running gate; it serves as long as the process.
pub struct Gate {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// When it falls silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silent {
    /// The question is not delivered.
    Before,
    /// The question is delivered, and its answer is not.
    After,
}

#[derive(Default)]
struct State {
    at: Option<(usize, Silent)>,
    questions: usize,
    hit: bool,
}

impl Gate {
    /// One in front of `port` at `pod`.
    pub fn new(pod: IpAddr, port: u16) -> Gate {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Ok(pod) = TcpStream::connect((pod, port)) else { continue };
                carry(&stream, &pod, &shared);
            }
        });
        Gate { address, state }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Counts from the beginning, and falls silent at question `at`.
    pub fn arm(&self, at: usize, silent: Silent) {
        *self.state.lock().unwrap() = State { at: Some((at, silent)), ..State::default() };
    }

    /// Whether it has fallen silent.
    pub fn is_silent(&self) -> bool {
        self.state.lock().unwrap().hit
    }
}

fn carry(operator: &TcpStream, pod: &TcpStream, state: &Arc<Mutex<State>>) {
    let asking = Arc::new(Mutex::new(false));
    for (from, to, asks) in [(operator, pod, true), (pod, operator, false)] {
        let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        let (state, asking) = (Arc::clone(state), Arc::clone(&asking));
        std::thread::spawn(move || copy(from, to, || passes(&state, &asking, asks)));
    }
}

/// Whether what is said now is passed on.
fn passes(state: &Mutex<State>, asking: &Mutex<bool>, asks: bool) -> bool {
    let (mut state, mut asking) = (state.lock().unwrap(), asking.lock().unwrap());
    let is_question = asks && !*asking;
    *asking = asks;
    state.questions += usize::from(is_question);
    let reached = state.at.is_some_and(|(at, silent)| {
        state.questions >= at && if silent == Silent::Before { asks } else { !asks }
    });
    state.hit |= reached;
    !state.hit
}

fn copy(mut from: TcpStream, mut to: TcpStream, passes: impl Fn() -> bool) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 || (passes() && to.write_all(&buffer[..count]).is_err()) {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
