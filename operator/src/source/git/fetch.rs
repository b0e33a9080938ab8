//! A conversation over a carrier, and the pack it brings into a bare repository.

use std::time::{Duration, Instant};

use git2::Repository;

use super::super::Credentials;
use super::GitError;
use super::http::{HttpCarrier, HttpServer};
use super::location::SshLocation;
use super::pack::PackSink;
use super::ssh::{ProgramCarrier, SessionCarrier};
use super::upload_pack::{Ask, Output, RemoteRef, UploadPack, Want};

/// One conversation from beginning to end: the largest pack over a slow line.
const MAX_DURATION: Duration = Duration::from_secs(600);
/// Time between two pieces of an answer; a server may think long about a large pack.
const MAX_SILENCE: Duration = Duration::from_secs(60);
/// Time to reach the server.
const MAX_CONNECT: Duration = Duration::from_secs(15);
/// Bytes read at once.
const PIECE: usize = 64 * 1024;

/// How long is waited for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For the next piece of an answer.
    pub silence: Duration,
    /// For everything.
    pub total: Duration,
}

impl Patience {
    /// `limit` is one for everything, and so for each part.
    pub(super) fn new(limit: Option<Duration>) -> Patience {
        let total = limit.unwrap_or(MAX_DURATION);
        Patience { connect: MAX_CONNECT.min(total), silence: MAX_SILENCE.min(total), total }
    }
}

/// How the bytes travel.
pub(super) enum Carrier<'a> {
    Http(Box<HttpCarrier<'a>>),
    Program(ProgramCarrier),
    Session(Box<SessionCarrier>),
}

impl<'a> Carrier<'a> {
    pub(super) fn http(server: &'a HttpServer) -> Result<Self, GitError> {
        Ok(Carrier::Http(Box::new(server.connect()?)))
    }

    /// The client inside this process when there is anything for it, else the program.
    pub(super) fn ssh(
        location: &SshLocation,
        credentials: &Credentials,
        command: Option<&str>,
        patience: Patience,
    ) -> Result<Self, GitError> {
        match (&credentials.ssh, &credentials.proxy) {
            (Some(ssh), proxy) => {
                let session = SessionCarrier::connect(location, ssh, proxy.as_ref(), patience)?;
                Ok(Carrier::Session(Box::new(session)))
            }
            (None, Some(_)) => Err(GitError::Refused(
                "ssh through a proxy wants identity and known_hosts given; add them to the Secret".to_owned(),
            )),
            (None, None) => Ok(Carrier::Program(ProgramCarrier::connect(location, command, patience)?)),
        }
    }

    fn send(&mut self, request: Vec<u8>) -> Result<(), GitError> {
        match self {
            Carrier::Http(http) => http.send(request),
            Carrier::Program(program) => program.send(&request),
            Carrier::Session(session) => session.send(request),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, GitError> {
        match self {
            Carrier::Http(http) => http.read(buffer),
            Carrier::Program(program) => program.read(buffer),
            Carrier::Session(session) => session.read(buffer),
        }
    }

    fn ended(&mut self) -> GitError {
        match self {
            Carrier::Http(_) => GitError::Unreachable("the answer ended early".to_owned()),
            Carrier::Program(program) => program.ended(),
            Carrier::Session(session) => session.ended(),
        }
    }
}

/// One fetch: first [`Fetch::list`], then, when there is news, [`Fetch::download`].
pub(super) struct Fetch<'a> {
    carrier: Carrier<'a>,
    talk: UploadPack,
    deadline: Instant,
    patience: Patience,
}

impl<'a> Fetch<'a> {
    pub(super) fn new(carrier: Carrier<'a>, ask: Ask, patience: Patience) -> Self {
        Fetch { carrier, talk: UploadPack::new(ask), deadline: Instant::now() + patience.total, patience }
    }

    /// The references that were asked for.
    pub(super) fn list(&mut self) -> Result<Vec<RemoteRef>, GitError> {
        loop {
            match self.step()? {
                Output::Listed(refs) => return Ok(refs),
                Output::Pack(_) | Output::Done => return Err(self.carrier.ended()),
                Output::Wait | Output::Send(_) => {}
            }
        }
    }

    /// Brings what is wanted into the repository.
    pub(super) fn download(&mut self, repository: &Repository, want: &Want) -> Result<(), GitError> {
        self.talk.fetch(want)?;
        let odb = repository.odb()?;
        let mut sink = PackSink::new(&odb)?;
        loop {
            match self.step()? {
                Output::Pack(bytes) => sink.write(&bytes)?,
                Output::Done => return sink.finish(),
                Output::Listed(_) | Output::Wait | Output::Send(_) => {}
            }
        }
    }

    /// One output; requests are sent and input is read on the way.
    fn step(&mut self) -> Result<Output, GitError> {
        let output = self.talk.poll()?;
        match &output {
            Output::Send(request) => self.carrier.send(request.clone())?,
            Output::Wait => {
                if Instant::now() > self.deadline {
                    let text = format!("the fetch takes longer than {} s", self.patience.total.as_secs());
                    return Err(GitError::Unreachable(text));
                }
                let mut buffer = vec![0; PIECE];
                let length = self.carrier.read(&mut buffer)?;
                if length == 0 {
                    return Err(self.carrier.ended());
                }
                self.talk.input(&buffer[..length])?;
            }
            Output::Listed(_) | Output::Pack(_) | Output::Done => {}
        }
        Ok(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_limit_is_one_for_every_step() {
        let seconds = |patience: Patience| {
            (patience.connect.as_secs(), patience.silence.as_secs(), patience.total.as_secs())
        };
        let table = [
            (None, (15, 60, 600)),
            (Some(5), (5, 5, 5)),
            (Some(30), (15, 30, 30)),
            (Some(900), (15, 60, 900)),
        ];
        for (limit, expected) in table {
            assert_eq!(seconds(Patience::new(limit.map(Duration::from_secs))), expected);
        }
    }
}
