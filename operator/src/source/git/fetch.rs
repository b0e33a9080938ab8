//! A conversation over a carrier, and the pack it brings into a bare repository.

use std::io::Write;
use std::time::{Duration, Instant};

use git2::{Odb, OdbPackwriter, Repository};

use super::GitError;
use super::http::{HttpCarrier, HttpServer};
use super::location::SshLocation;
use super::ssh::SshCarrier;
use super::upload_pack::{CommitId, Head, Output, UploadPack};

/// The compressed size of one fetch: a million manifests are below it.
const MAX_PACK_BYTES: u64 = 256 * 1024 * 1024;
/// Objects of one fetch, announced in the pack's header; memory is set aside for each.
const MAX_PACK_OBJECTS: u32 = 2_000_000;
/// One conversation from beginning to end.
const MAX_DURATION: Duration = Duration::from_secs(600);
/// Bytes read at once.
const PIECE: usize = 64 * 1024;

/// How the bytes travel.
pub(super) enum Carrier<'a> {
    Http(Box<HttpCarrier<'a>>),
    Ssh(SshCarrier),
}

impl<'a> Carrier<'a> {
    pub(super) fn http(server: &'a HttpServer) -> Result<Self, GitError> {
        Ok(Carrier::Http(Box::new(server.connect()?)))
    }

    pub(super) fn ssh(location: &SshLocation, command: Option<&str>) -> Result<Self, GitError> {
        Ok(Carrier::Ssh(SshCarrier::connect(location, command)?))
    }

    fn send(&mut self, request: Vec<u8>) -> Result<(), GitError> {
        match self {
            Carrier::Http(http) => http.send(request),
            Carrier::Ssh(ssh) => ssh.send(&request),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, GitError> {
        match self {
            Carrier::Http(http) => http.read(buffer),
            Carrier::Ssh(ssh) => ssh.read(buffer),
        }
    }

    fn ended(&mut self) -> GitError {
        match self {
            Carrier::Http(_) => GitError::Unreachable("the answer ended early".to_owned()),
            Carrier::Ssh(ssh) => ssh.ended(),
        }
    }
}

/// One fetch: first [`Fetch::find`], then, when it is news, [`Fetch::download`].
pub(super) struct Fetch<'a> {
    carrier: Carrier<'a>,
    talk: UploadPack,
    deadline: Instant,
}

impl<'a> Fetch<'a> {
    pub(super) fn new(carrier: Carrier<'a>, reference: Option<String>) -> Self {
        Fetch { carrier, talk: UploadPack::new(reference), deadline: Instant::now() + MAX_DURATION }
    }

    /// What the reference points at.
    pub(super) fn find(&mut self) -> Result<Head, GitError> {
        loop {
            match self.step()? {
                Output::Found(head) => return Ok(head),
                Output::Pack(_) | Output::Done => return Err(self.carrier.ended()),
                Output::Wait | Output::Send(_) => {}
            }
        }
    }

    /// Brings what was found into the repository; `known` is a commit that is complete there.
    pub(super) fn download(
        &mut self,
        repository: &Repository,
        known: Option<&CommitId>,
    ) -> Result<(), GitError> {
        self.talk.fetch(known)?;
        let odb = repository.odb()?;
        let mut sink = PackSink::new(&odb)?;
        loop {
            match self.step()? {
                Output::Pack(bytes) => sink.write(&bytes)?,
                Output::Done => return sink.finish(),
                Output::Found(_) | Output::Wait | Output::Send(_) => {}
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
                    let text = format!("the fetch takes longer than {} s", MAX_DURATION.as_secs());
                    return Err(GitError::Unreachable(text));
                }
                let mut buffer = vec![0; PIECE];
                let length = self.carrier.read(&mut buffer)?;
                if length == 0 {
                    return Err(self.carrier.ended());
                }
                self.talk.input(&buffer[..length])?;
            }
            Output::Found(_) | Output::Pack(_) | Output::Done => {}
        }
        Ok(output)
    }
}

/// Writes a pack within the limits; libgit2 checks and indexes it.
struct PackSink<'a> {
    writer: OdbPackwriter<'a>,
    /// "PACK", version, number of objects (gitformat-pack(5)).
    header: Vec<u8>,
    bytes: u64,
}

impl<'a> PackSink<'a> {
    fn new(odb: &'a Odb<'_>) -> Result<Self, GitError> {
        Ok(PackSink { writer: odb.packwriter()?, header: Vec::with_capacity(12), bytes: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), GitError> {
        self.bytes += bytes.len() as u64;
        if self.bytes > MAX_PACK_BYTES {
            return Err(GitError::TooLarge(format!("a fetch of more than {MAX_PACK_BYTES} bytes")));
        }
        let missing = 12 - self.header.len();
        let (head, rest) = bytes.split_at(missing.min(bytes.len()));
        if missing > 0 {
            self.header.extend_from_slice(head);
            if self.header.len() < 12 {
                return Ok(());
            }
            self.check_header()?;
            let header = std::mem::take(&mut self.header);
            self.append(&header)?;
            self.header = header;
        }
        if rest.is_empty() { Ok(()) } else { self.append(rest) }
    }

    fn check_header(&self) -> Result<(), GitError> {
        let objects = self.header.get(8..12).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
        match objects {
            Some(objects) if self.header.starts_with(b"PACK") && objects <= MAX_PACK_OBJECTS => Ok(()),
            Some(_) if self.header.starts_with(b"PACK") => {
                Err(GitError::TooLarge(format!("a fetch of more than {MAX_PACK_OBJECTS} objects")))
            }
            _ => Err(GitError::Refused("the server sent no pack".to_owned())),
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), GitError> {
        let damaged =
            |error: std::io::Error| GitError::Repository(format!("the pack cannot be stored: {error}"));
        self.writer.write_all(bytes).map_err(damaged)
    }

    fn finish(mut self) -> Result<(), GitError> {
        if self.header.len() < 12 {
            return Err(GitError::Refused("the server sent no pack".to_owned()));
        }
        self.writer.commit()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An empty pack (gitformat-pack(5)): header, no objects, SHA-1 of the header.
    const EMPTY: &[u8] = b"PACK\0\0\0\x02\0\0\0\0\x02\x9d\x08\x82\x3b\xd8\xa8\xea\xb5\x10\xad\x6a\xc7\x5c\x82\x3c\xfd\x3e\xd3\x1e";

    fn store(bytes: &[u8], piece: usize) -> Result<(), GitError> {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(directory.path()).unwrap();
        let odb = repository.odb().unwrap();
        let mut sink = PackSink::new(&odb)?;
        for piece in bytes.chunks(piece) {
            sink.write(piece)?;
        }
        sink.finish()
    }

    fn error(bytes: &[u8]) -> String {
        store(bytes, 5).map_err(|error| error.to_string()).unwrap_err()
    }

    #[test]
    fn packs_are_stored_in_any_pieces() {
        for piece in [1, 5, 12, 13, 100] {
            assert!(store(EMPTY, piece).is_ok(), "{piece}");
        }
    }

    #[test]
    fn what_is_no_pack_or_too_large_is_refused_at_its_header() {
        let objects = |count: u32| [b"PACK\0\0\0\x02", &count.to_be_bytes()[..], &[0; 40]].concat();
        let too_many = format!(
            "a fetch of more than {MAX_PACK_OBJECTS} objects is refused; follow a smaller repository"
        );
        assert_eq!(error(&objects(u32::MAX)), too_many);
        assert_eq!(error(&objects(MAX_PACK_OBJECTS + 1)), too_many);
        for bytes in [&b""[..], b"PACK", b"<html>not a pack</html>"] {
            assert_eq!(error(bytes), "the server sent no pack", "{bytes:?}");
        }
        let mut damaged = EMPTY.to_vec();
        damaged[20] ^= 1;
        for bytes in [&EMPTY[..20], &damaged, &objects(1)] {
            assert!(store(bytes, 7).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_pack_without_end_is_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(directory.path()).unwrap();
        let odb = repository.odb().unwrap();
        let mut sink = PackSink::new(&odb).unwrap();
        sink.bytes = MAX_PACK_BYTES;
        let error = sink.write(b"P").unwrap_err().to_string();
        assert_eq!(
            error,
            format!("a fetch of more than {MAX_PACK_BYTES} bytes is refused; follow a smaller repository")
        );
    }
}
