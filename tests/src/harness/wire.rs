//! Protocols by hand, line by line, for what no client program does: wrong input, half sessions, many connections.

use super::{PATIENCE, tls};
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};

/// What a connection is made of: TCP, or TLS over it.
trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

/// A connection on which lines are sent and read.
pub struct Wire {
    reader: BufReader<Box<dyn Stream>>,
}

impl Wire {
    /// Connects to `port` on loopback.
    pub fn connect(port: u16) -> Result<Self> {
        Self::connect_to(IpAddr::from([127, 0, 0, 1]), port)
    }

    /// Connects to `port` of `server`.
    pub fn connect_to(server: IpAddr, port: u16) -> Result<Self> {
        Self::over(TcpStream::connect((server, port))?)
    }

    /// Connects to `port` on loopback as another client of it, 127.0.0.2 for one.
    pub fn connect_from(client: IpAddr, port: u16) -> Result<Self> {
        Self::connect_between(client, SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// Connects to a server that is not on 127.0.0.1 as a client of this address.
    pub fn connect_between(client: IpAddr, server: SocketAddr) -> Result<Self> {
        // The standard library cannot choose the address of a client.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let stream = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4()?;
            socket.bind(SocketAddr::new(client, 0))?;
            socket.connect(server).await?.into_std()
        })?;
        stream.set_nonblocking(false)?;
        Self::over(stream)
    }

    pub(super) fn over(stream: TcpStream) -> Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { reader: BufReader::new(Box::new(stream)) })
    }

    /// Connects to `port` on loopback under TLS from the first byte (RFC 8314 §3), whatever certificate is shown.
    pub fn connect_tls(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { reader: BufReader::new(Box::new(tls::over(stream)?)) })
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    /// One line without its end; an error when the connection ends first.
    pub fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        if self.reader.read_until(b'\n', &mut line)? == 0 {
            return Err(Error::from(ErrorKind::UnexpectedEof));
        }
        Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
    }

    /// An SMTP reply with all its lines (RFC 5321 §4.2.1).
    pub fn reply(&mut self) -> Result<String> {
        let mut reply = self.line()?;
        while reply.lines().last().is_some_and(|line| line.as_bytes().get(3) == Some(&b'-')) {
            reply.push('\n');
            reply.push_str(&self.line()?);
        }
        Ok(reply)
    }

    /// Sends an SMTP command and reads the reply.
    pub fn smtp(&mut self, command: &str) -> Result<String> {
        self.send(format!("{command}\r\n").as_bytes())?;
        self.reply()
    }

    /// Sends an IMAP command under `tag` and reads up to its tagged answer.
    pub fn imap(&mut self, tag: &str, command: &str) -> Result<String> {
        self.send(format!("{tag} {command}\r\n").as_bytes())?;
        let mut answer = String::new();
        loop {
            let line = self.line()?;
            answer.push_str(&line);
            answer.push('\n');
            if line.starts_with(&format!("{tag} ")) {
                return Ok(answer);
            }
        }
    }

    /// Everything up to the end of the connection.
    pub fn rest(mut self) -> String {
        let mut bytes = Vec::new();
        let _ = self.reader.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// An SMTP session past its greeting and EHLO.
pub fn smtp(port: u16) -> Result<Wire> {
    greeted(Wire::connect(port)?)
}

/// A submission session of alice@example.test under TLS.
pub fn submissions(port: u16) -> Result<Wire> {
    logged_in(greeted(Wire::connect_tls(port)?)?)
}

fn greeted(mut wire: Wire) -> Result<Wire> {
    wire.reply()?;
    wire.smtp("EHLO client.example.org")?;
    Ok(wire)
}

/// AUTH PLAIN of alice@example.test with the password of the examples.
const PLAIN_ALICE: &str = "AGFsaWNlQGV4YW1wbGUudGVzdABtYWlsd3JpZ2h0";

/// A submission session of alice@example.test without TLS; the manifest must allow that (`auth.plaintextOnLoopback`).
pub fn submission(port: u16) -> Result<Wire> {
    logged_in(smtp(port)?)
}

/// The same for a session that is past its EHLO.
pub fn logged_in(mut wire: Wire) -> Result<Wire> {
    let reply = wire.smtp(&format!("AUTH PLAIN {PLAIN_ALICE}"))?;
    if reply.starts_with("235") { Ok(wire) } else { Err(Error::other(reply)) }
}

/// Hands in one message without TLS; the reply to its end, or the first that refuses it.
pub fn deliver(port: u16, from: &str, to: &[&str], message: &str) -> Result<String> {
    send(&mut smtp(port)?, from, to, message)
}

/// One message on an open session; the reply to its end, or the first that refuses it.
pub fn send(wire: &mut Wire, from: &str, to: &[&str], message: &str) -> Result<String> {
    let mut commands = vec![format!("MAIL FROM:<{from}>")];
    commands.extend(to.iter().map(|to| format!("RCPT TO:<{to}>")));
    commands.push("DATA".to_owned());
    for command in commands {
        let reply = wire.smtp(&command)?;
        if !reply.starts_with(['2', '3']) {
            return Ok(reply);
        }
    }
    wire.send(message.as_bytes())?;
    wire.smtp("\r\n.")
}

/// The whole answer to a GET.
pub fn http_get(port: u16, path: &str) -> Result<String> {
    http_get_at(IpAddr::from([127, 0, 0, 1]), port, path)
}

/// The same of a server that is not on 127.0.0.1.
pub fn http_get_at(server: IpAddr, port: u16, path: &str) -> Result<String> {
    let mut wire = Wire::connect_to(server, port)?;
    wire.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())?;
    Ok(wire.rest())
}
