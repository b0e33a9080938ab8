//! A door between an operator and the management port of a pod that can be shut in the middle of a large request: what an operator
//! has sent waits in it, as in a network that is slow, and arrives when it is opened, whatever became of the sender.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Handshakes, questions and keys are smaller; a batch of dozens of operations is larger.
const LARGE: usize = 12 * 1024;

/// The door.
#[derive(Debug)]
pub struct Gate {
    port: u16,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    shut: Mutex<bool>,
    opened: Condvar,
    held: AtomicUsize,
    is_over: AtomicBool,
}

impl Gate {
    /// An open door to `address`.
    ///
    /// # Panics
    /// When there is no free port.
    pub fn new(address: SocketAddr) -> Gate {
        let listener = TcpListener::bind((IpAddr::from([127, 0, 0, 1]), 0)).expect("a port on loopback");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if shared.is_over.load(Ordering::Relaxed) {
                    return;
                }
                // A pod that is not there yet refuses; so does the door.
                let Ok(server) = TcpStream::connect(address) else { continue };
                let state = Arc::clone(&shared);
                let pair = client.try_clone().and_then(|from| Ok((from, server.try_clone()?)));
                let Ok((from, to)) = pair else { continue };
                std::thread::spawn(move || carry(from, to, Some(&state)));
                std::thread::spawn(move || carry(server, client, None));
            }
        });
        Gate { port, state }
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on large requests stop half-way.
    pub fn shut(&self) {
        *lock(&self.state.shut) = true;
    }

    /// How many requests wait in it.
    pub fn held(&self) -> usize {
        self.state.held.load(Ordering::SeqCst)
    }

    /// Lets them go on, and everything else.
    pub fn open(&self) {
        *lock(&self.state.shut) = false;
        self.state.opened.notify_all();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
        self.state.is_over.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

fn lock(mutex: &Mutex<bool>) -> std::sync::MutexGuard<'_, bool> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Carries one direction to its end; with a `state` it is the one that can be held.
fn carry(mut from: TcpStream, mut to: TcpStream, state: Option<&State>) {
    let mut buffer = [0; 4096];
    let mut carried = 0;
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        carried += count;
        if let Some(state) = state.filter(|_| carried > LARGE) {
            state.wait();
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}

impl State {
    fn wait(&self) {
        let mut shut = lock(&self.shut);
        if *shut {
            self.held.fetch_add(1, Ordering::SeqCst);
            while *shut {
                shut = self.opened.wait(shut).unwrap_or_else(PoisonError::into_inner);
            }
            self.held.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{PATIENCE, wait_for};

    #[test]
    fn a_large_request_waits_and_a_small_one_does_not() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let gate = Gate::new(server.local_addr().unwrap());
        let taken: Arc<Mutex<Vec<usize>>> = Arc::default();
        let list = Arc::clone(&taken);
        std::thread::spawn(move || {
            for mut stream in server.incoming().map_while(Result::ok) {
                let list = Arc::clone(&list);
                std::thread::spawn(move || {
                    let mut all = Vec::new();
                    let _ = stream.read_to_end(&mut all);
                    list.lock().unwrap().push(all.len());
                });
            }
        });
        gate.shut();
        for size in [LARGE + 1, 100] {
            let mut client = TcpStream::connect(("127.0.0.1", gate.port())).unwrap();
            client.write_all(&vec![b'x'; size]).unwrap();
        }
        let has = |expected: &[usize]| {
            wait_for("the requests", PATIENCE, || (*taken.lock().unwrap() == expected).then_some(()));
        };
        has(&[100]);
        wait_for("one to be held", PATIENCE, || (gate.held() == 1).then_some(()));
        gate.open();
        has(&[100, LARGE + 1]);
    }
}
