//! The network of a node, seen from the test: connections into it, and ports of this machine that lead there.

use std::fs::File;
use std::io::{self, Error};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::time::Duration;

/// How long a connection may take; everything is on this machine.
const PATIENCE: Duration = Duration::from_secs(5);

/// A network namespace.
#[derive(Debug, Clone)]
pub struct Network {
    path: PathBuf,
}

impl Network {
    /// That of process `pid`.
    pub fn of(pid: u32) -> Network {
        Network { path: PathBuf::from(format!("/proc/{pid}/ns/net")) }
    }

    /// The words that make a command run in it.
    pub fn enter(&self) -> Vec<String> {
        vec!["nsenter".to_owned(), format!("--net={}", self.path.display()), "--".to_owned()]
    }

    /// A connection to `address`, which is one of its own. The connection may be used anywhere.
    pub fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.inside(move || TcpStream::connect_timeout(&address, PATIENCE))
    }

    /// A socket that listens in it on a free port of all its addresses. It may be used anywhere.
    pub fn listen(&self) -> io::Result<TcpListener> {
        self.inside(|| TcpListener::bind(("0.0.0.0", 0)))
    }

    /// What `make` makes in it. A thread can be in another network than its process; this one ends with the thing made.
    fn inside<T: Send + 'static>(
        &self,
        make: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let path = self.path.clone();
        let inside = std::thread::spawn(move || {
            let namespace = File::open(path)?;
            let kind = rustix::thread::LinkNameSpaceType::Network;
            rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(kind))?;
            make()
        });
        inside.join().map_err(|_| Error::other("the thread in the other network panicked"))?
    }

    /// A port on 127.0.0.1 that leads to `address` in it for as long as this process runs.
    pub fn forward(&self, address: SocketAddr) -> io::Result<u16> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let network = self.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let network = network.clone();
                std::thread::spawn(move || {
                    if let Ok(server) = network.connect(address) {
                        join(&client, &server);
                    }
                });
            }
        });
        Ok(port)
    }
}

/// Carries bytes both ways until both sides are done.
fn join(client: &TcpStream, server: &TcpStream) {
    let copy = |mut from: &TcpStream, mut to: &TcpStream| {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    };
    std::thread::scope(|scope| {
        scope.spawn(|| copy(client, server));
        copy(server, client);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};

    #[test]
    fn a_port_leads_to_another_and_tells_when_a_side_is_done() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let port = forward_here(address);
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(b"question").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut text = String::new();
        server.read_to_string(&mut text).unwrap();
        assert_eq!(text, "question");
        server.write_all(b"answer").unwrap();
        drop(server);
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        assert_eq!(text, "answer");
    }

    /// Without entering anything, which takes root.
    fn forward_here(address: SocketAddr) -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (client, _) = listener.accept().unwrap();
            join(&client, &TcpStream::connect(address).unwrap());
        });
        port
    }

    #[test]
    fn a_network_that_is_gone_is_an_error() {
        let gone = Network { path: "/proc/0/ns/net".into() };
        assert!(gone.connect(SocketAddr::from(([127, 0, 0, 1], 9))).is_err());
        assert_eq!(gone.enter(), ["nsenter", "--net=/proc/0/ns/net", "--"]);
    }
}
