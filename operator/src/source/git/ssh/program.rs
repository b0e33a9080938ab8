//! The user's own `ssh`: a child process whose input and output are the conversation.
//!
//! `ssh` itself does keys, agents, known hosts and its configuration; it is started in batch mode, so that it never asks.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use super::super::GitError;
use super::super::fetch::Patience;
use super::super::location::SshLocation;
use super::super::upload_pack::VERSION_REQUEST;
use super::{command_line, said};

/// Time for a program that ended to say why.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Bytes read at once.
const PIECE: usize = 64 * 1024;
/// Pieces that wait between the reading thread and us.
const PIECES: usize = 4;
/// What is kept of the program's messages.
const MAX_STDERR: u64 = 4096;

/// One conversation with `git-upload-pack` on another machine.
pub(in super::super) struct ProgramCarrier {
    child: Child,
    stdin: Option<ChildStdin>,
    pieces: Receiver<Vec<u8>>,
    /// What was received and not yet read.
    piece: Vec<u8>,
    messages: Receiver<String>,
    patience: Patience,
}

impl ProgramCarrier {
    /// Starts `ssh`, or what `command` says (a shell command line, as in `GIT_SSH_COMMAND`).
    pub(in super::super) fn connect(
        location: &SshLocation,
        command: Option<&str>,
        patience: Patience,
    ) -> Result<ProgramCarrier, GitError> {
        let mut process = match command {
            // As Git does it: the shell splits the command, the arguments stay as they are.
            Some(command) => {
                let mut shell = Command::new("/bin/sh");
                shell.arg("-c").arg(format!("{command} \"$@\"")).arg("ssh");
                shell
            }
            None => Command::new("ssh"),
        };
        process.args(arguments(location, patience));
        process.env("GIT_PROTOCOL", VERSION_REQUEST);
        process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = process.spawn();
        let mut child = started.map_err(|error| {
            GitError::Refused(format!("ssh cannot be started ({error}); install openssh-client"))
        })?;
        let (sender, pieces) = sync_channel(PIECES);
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || forward(stdout, &sender));
        }
        let (teller, messages) = sync_channel(1);
        if let Some(stderr) = child.stderr.take() {
            std::thread::spawn(move || collect(stderr, &teller));
        }
        let stdin = child.stdin.take();
        Ok(ProgramCarrier { child, stdin, pieces, piece: Vec::new(), messages, patience })
    }

    pub(in super::super) fn send(&mut self, request: &[u8]) -> Result<(), GitError> {
        let written = self.stdin.as_mut().map(|stdin| stdin.write_all(request).and_then(|()| stdin.flush()));
        match written {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => Err(self.ended()),
        }
    }

    /// Some bytes of the answer; 0 at its end.
    pub(in super::super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, GitError> {
        if self.piece.is_empty() {
            match self.pieces.recv_timeout(self.patience.silence) {
                Ok(piece) => self.piece = piece,
                Err(RecvTimeoutError::Timeout) => {
                    return Err(GitError::silent());
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
        let length = self.piece.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.piece[..length]);
        self.piece.drain(..length);
        Ok(length)
    }

    /// Why the conversation ended early, in the words of `ssh` or of the server.
    pub(in super::super) fn ended(&mut self) -> GitError {
        self.stdin = None;
        said(&self.messages.recv_timeout(LAST_WORDS).unwrap_or_default())
    }
}

/// The child does not outlive the conversation.
impl Drop for ProgramCarrier {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `ssh` is called with. `--` is left out because other ssh programs do not know it; [`SshLocation`] never
/// begins with a hyphen.
fn arguments(location: &SshLocation, patience: Patience) -> Vec<String> {
    let connect = format!("ConnectTimeout={}", patience.connect.as_secs().max(1));
    let mut arguments: Vec<String> =
        ["-o", "BatchMode=yes", "-o", connect.as_str(), "-o", "SendEnv=GIT_PROTOCOL"]
            .map(str::to_owned)
            .into();
    if let Some(port) = location.port {
        arguments.extend(["-p".to_owned(), port.to_string()]);
    }
    arguments.push(location.destination.clone());
    arguments.push(command_line(location));
    arguments
}

fn forward(mut stdout: impl Read, sender: &SyncSender<Vec<u8>>) {
    let mut buffer = vec![0; PIECE];
    while let Ok(length @ 1..) = stdout.read(&mut buffer) {
        if sender.send(buffer[..length].to_vec()).is_err() {
            return;
        }
    }
}

/// The beginning of what the program says; the rest is read and dropped, so that it never blocks.
fn collect(mut stderr: impl Read, teller: &SyncSender<String>) {
    let mut said = Vec::new();
    let _ = stderr.by_ref().take(MAX_STDERR).read_to_end(&mut said);
    let _ = teller.send(String::from_utf8_lossy(&said).trim().to_owned());
    let _ = std::io::copy(&mut stderr, &mut std::io::sink());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_is_called_with_one_quoted_word() {
        let location = |port| SshLocation {
            destination: "git@example.org".to_owned(),
            port,
            path: "/srv/it's; rm -rf !x.git".to_owned(),
        };
        let options = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-o", "SendEnv=GIT_PROTOCOL"];
        let command = r"git-upload-pack '/srv/it'\''s; rm -rf '\!'x.git'";
        assert_eq!(
            arguments(&location(None), Patience::new(None)),
            [&options[..], &["git@example.org", command]].concat()
        );
        assert_eq!(
            arguments(&location(Some(2222)), Patience::new(None)),
            [&options[..], &["-p", "2222", "git@example.org", command]].concat()
        );
    }

    #[test]
    fn what_the_program_says_becomes_the_error() {
        let location = SshLocation { destination: "x".to_owned(), port: None, path: "y".to_owned() };
        let command = "sh -c 'echo Host key verification failed. >&2; exit 255'";
        let mut carrier = ProgramCarrier::connect(&location, Some(command), Patience::new(None)).unwrap();
        assert_eq!(carrier.read(&mut [0; 10]).unwrap(), 0);
        let error = carrier.ended().to_string();
        assert_eq!(error, "Host key verification failed.; add the host's key to known_hosts");
    }
}
