//! A transcript's connection over TCP.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::Peer;

/// How long a line of the server is waited for. Debug builds on a busy machine are slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// What octets go through: TCP, or TLS over it.
pub trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// Turns a stream into one under TLS (`= starttls`).
pub type StartTls = Box<dyn FnMut(TcpStream) -> Result<Box<dyn Stream>, String>>;

/// A connection to a server.
pub struct Socket {
    tcp: TcpStream,
    stream: Box<dyn Stream>,
    received: Vec<u8>,
    starttls: Option<StartTls>,
}

impl Socket {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Result<Socket, String> {
        let connect = || {
            let tcp = TcpStream::connect(address)?;
            tcp.set_read_timeout(Some(PATIENCE))?;
            tcp.set_write_timeout(Some(PATIENCE))?;
            tcp.set_nodelay(true)?;
            let stream = Box::new(tcp.try_clone()?);
            Ok(Socket { tcp, stream, received: Vec::new(), starttls: None })
        };
        connect().map_err(|error: std::io::Error| format!("cannot connect to {address}: {error}"))
    }

    /// The same socket, which can do TLS at `= starttls`.
    pub fn with_starttls(mut self, starttls: StartTls) -> Socket {
        self.starttls = Some(starttls);
        self
    }
}

impl Peer for Socket {
    /// A server that has closed the connection may have done so for a reason that the transcript expects next.
    fn send(&mut self, octets: &[u8]) -> Result<(), String> {
        match self.stream.write_all(octets).and_then(|()| self.stream.flush()) {
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                Ok(())
            }
            result => result.map_err(|error| format!("cannot send: {error}")),
        }
    }

    fn line(&mut self) -> Result<Option<Vec<u8>>, String> {
        let mut buffer = [0; 4096];
        loop {
            if let Some(end) = self.received.iter().position(|octet| *octet == b'\n') {
                return Ok(Some(self.received.drain(..=end).collect()));
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => self.received.extend_from_slice(&buffer[..read]),
                Err(error)
                    if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof) =>
                {
                    break;
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Err(format!("the server said nothing for {} s", PATIENCE.as_secs()));
                }
                Err(error) => return Err(format!("cannot read: {error}")),
            }
        }
        match self.received.is_empty() {
            true => Ok(None),
            false => Ok(Some(std::mem::take(&mut self.received))),
        }
    }

    fn directive(&mut self, words: &str) -> Result<(), String> {
        match (words, &mut self.starttls) {
            ("starttls", Some(starttls)) => {
                let tcp = self.tcp.try_clone().map_err(|error| error.to_string())?;
                self.stream = starttls(tcp)?;
                self.received.clear();
                Ok(())
            }
            _ if words.starts_with("only ") => Ok(()),
            _ => Err(format!("a socket cannot do “{words}”")),
        }
    }
}
