//! Listening sockets: opening them with an error that names the port and the remedy, accepting under limits, and closing
//! them without a word to those who are already in.
//!
//! Leaves out what is spoken: a refused connection gets its protocol's one-line goodbye here, before any task or buffer
//! is spent on it.

pub(crate) mod descriptors;
pub(crate) mod gate;
pub(crate) mod local;

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use self::gate::Full;
use crate::config::Protocol;
use crate::metrics;
use crate::server::StartError;

/// Connections the kernel keeps for us between two accepts: a burst of a mailing list's size.
const BACKLOG: i32 = 1024;
/// Pause after accept failed for lack of file descriptors; retrying at once would only burn the CPU.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An open listener; closes when dropped.
pub(crate) struct Listening {
    task: JoinHandle<()>,
}

/// What was asked for: the same key after a reload keeps its socket, also when the port was left to the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) protocol: Protocol,
    pub(crate) ip: IpAddr,
    pub(crate) port: u16,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What an accept loop needs to decide whether a connection may come in; `P` is the right to be in, given back when dropped.
pub(crate) struct Admission<P> {
    /// Asks for a place for a connection of this address.
    pub(crate) enter: Box<dyn Fn(IpAddr) -> Result<P, Full> + Send + Sync>,
    /// What is said to a connection over a limit, before it is closed.
    pub(crate) goodbye: Box<dyn Fn() -> Vec<u8> + Send + Sync>,
}

/// Opens a socket.
pub(crate) fn bind(key: &Key) -> Result<TcpListener, StartError> {
    let address = SocketAddr::new(key.ip, key.port);
    open(address).map_err(|source| StartError::Bind {
        protocol: key.protocol,
        address,
        remedy: remedy(&source, key.port),
        source,
    })
}

/// Whether the machine has no IPv6 at all: an address of it that stands for every one is then no error beside others.
pub(crate) fn lacks_family(address: SocketAddr, error: &io::Error) -> bool {
    let unsupported = error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error());
    let every = address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    every && (unsupported || error.kind() == io::ErrorKind::AddrNotAvailable)
}

/// Opens a socket, without a word on what it is for.
pub(crate) fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), None)?;
    // A restarted server must not wait for the sockets of its predecessor.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // [::] and 0.0.0.0 are listened on separately, so that neither takes the other's connections.
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

pub(crate) fn remedy(error: &io::Error, port: u16) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there; stop it or choose another port in the MailServer"
        }
        io::ErrorKind::PermissionDenied if port < 1024 => {
            "ports below 1024 need privileges; choose a port above 1023 in the MailServer"
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address; choose another one with --bind",
        _ => "look at the address and the system's limits",
    }
}

/// Accepts until dropped; `serve` starts a task for each connection, with its permit.
pub(crate) fn listen<P: Send + 'static>(
    listener: TcpListener,
    protocol: Protocol,
    admission: Admission<P>,
    mut serve: impl FnMut(TcpStream, SocketAddr, P) + Send + 'static,
) -> Listening {
    let task = tokio::spawn(async move {
        loop {
            let (stream, peer, permit) = accept(&listener, protocol, &admission).await;
            serve(stream, peer, permit);
        }
    });
    Listening { task }
}

/// The next connection within the limits.
pub(crate) async fn accept<P>(
    listener: &TcpListener,
    protocol: Protocol,
    admission: &Admission<P>,
) -> (TcpStream, SocketAddr, P) {
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%protocol, %error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        match (admission.enter)(peer.ip()) {
            Ok(permit) => {
                // Replies are written whole; waiting for more to send only delays them.
                let _ = stream.set_nodelay(true);
                return (stream, peer, permit);
            }
            Err(full) => {
                metrics::refused(protocol, full.name());
                tracing::info!(%protocol, peer = %peer.ip(), limit = full.name(), "connection refused");
                // The send buffer of a new connection is empty: this line fits or the peer is gone.
                let _ = stream.try_write(&(admission.goodbye)());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::AsyncReadExt;

    use super::gate::{Gate, Permit};
    use super::*;

    fn key(port: u16) -> Key {
        Key { protocol: Protocol::Smtp, ip: "127.0.0.1".parse().unwrap(), port }
    }

    fn admission(total: u32, per_address: u32) -> Admission<Permit> {
        let gate = Arc::new(Gate::default());
        Admission {
            enter: Box::new(move |peer| gate.enter(peer, total, per_address)),
            goodbye: Box::new(|| b"421 busy\r\n".to_vec()),
        }
    }

    async fn read(stream: &mut TcpStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn a_taken_port_is_named_with_the_remedy() {
        let taken = bind(&key(0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = bind(&key(port)).unwrap_err().to_string();
        assert!(error.contains(&format!("127.0.0.1:{port} for smtp")), "{error}");
        assert!(error.contains("another program listens there"), "{error}");
        let missing = Key { ip: "192.0.2.1".parse().unwrap(), ..key(0) };
        assert!(bind(&missing).unwrap_err().to_string().contains("no such address"));
    }

    #[tokio::test]
    async fn connections_over_the_limit_hear_goodbye() {
        let socket = bind(&key(0)).unwrap();
        let address = socket.local_addr().unwrap();
        let listening = listen(socket, Protocol::Smtp, admission(10, 2), |stream, _, permit| {
            tokio::spawn(async move {
                let (_stream, _permit) = (stream, permit);
                std::future::pending::<()>().await;
            });
        });
        let _first = TcpStream::connect(address).await.unwrap();
        let _second = TcpStream::connect(address).await.unwrap();
        let mut third = TcpStream::connect(address).await.unwrap();
        assert_eq!(read(&mut third).await, "421 busy\r\n");
        drop(listening);
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(TcpStream::connect(address).await.is_err(), "a dropped listener is closed");
    }

    #[test]
    fn a_machine_without_ipv6_is_told_from_other_trouble() {
        let unsupported = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
        let absent = rustix::io::Errno::ADDRNOTAVAIL.raw_os_error();
        let in_use = rustix::io::Errno::ADDRINUSE.raw_os_error();
        for (address, error, expected) in [
            ("[::]:25", unsupported, true),
            ("[::]:25", absent, true),
            ("[::]:25", in_use, false),
            ("[2001:db8::1]:25", absent, false),
            ("0.0.0.0:25", absent, false),
        ] {
            let lacks = lacks_family(address.parse().unwrap(), &io::Error::from_raw_os_error(error));
            assert_eq!(lacks, expected, "{address} {error}");
        }
    }

    #[tokio::test]
    async fn both_address_families_can_be_opened_on_one_port() {
        let wildcard = |ip: &str, port| Key { ip: ip.parse().unwrap(), ..key(port) };
        let four = bind(&wildcard("0.0.0.0", 0)).unwrap();
        let port = four.local_addr().unwrap().port();
        match bind(&wildcard("::", port)) {
            Ok(six) => assert_eq!(six.local_addr().unwrap().port(), port),
            // A machine without IPv6 says so; that is not what is tested.
            Err(error) => assert!(!error.to_string().contains("another program"), "{error}"),
        }
    }
}
