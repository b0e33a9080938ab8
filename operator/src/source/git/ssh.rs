//! The carrier for ssh: a child process whose input and output are the conversation.
//!
//! `ssh` itself does keys, agents, known hosts and its configuration; it is started in batch mode, so that it never asks.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use super::GitError;
use super::location::SshLocation;
use super::upload_pack::{VERSION_REQUEST, remote_text};

/// Time between two pieces of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Time for a program that ended to say why.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Bytes read at once.
const PIECE: usize = 64 * 1024;
/// Pieces that wait between the reading thread and us.
const PIECES: usize = 4;
/// What is kept of the program's messages.
const MAX_STDERR: u64 = 4096;

/// One conversation with `git-upload-pack` on another machine.
pub(super) struct SshCarrier {
    child: Child,
    stdin: Option<ChildStdin>,
    pieces: Receiver<Vec<u8>>,
    /// What was received and not yet read.
    piece: Vec<u8>,
    messages: Receiver<String>,
}

impl SshCarrier {
    /// Starts `ssh`, or what `command` says (a shell command line, as in `GIT_SSH_COMMAND`).
    pub(super) fn connect(location: &SshLocation, command: Option<&str>) -> Result<SshCarrier, GitError> {
        let mut process = match command {
            // As Git does it: the shell splits the command, the arguments stay as they are.
            Some(command) => {
                let mut shell = Command::new("/bin/sh");
                shell.arg("-c").arg(format!("{command} \"$@\"")).arg("ssh");
                shell
            }
            None => Command::new("ssh"),
        };
        process.args(arguments(location));
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
        Ok(SshCarrier { child, stdin, pieces, piece: Vec::new(), messages })
    }

    pub(super) fn send(&mut self, request: &[u8]) -> Result<(), GitError> {
        let written = self.stdin.as_mut().map(|stdin| stdin.write_all(request).and_then(|()| stdin.flush()));
        match written {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => Err(self.ended()),
        }
    }

    /// Some bytes of the answer; 0 at its end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, GitError> {
        if self.piece.is_empty() {
            match self.pieces.recv_timeout(READ_TIMEOUT) {
                Ok(piece) => self.piece = piece,
                Err(RecvTimeoutError::Timeout) => {
                    return Err(GitError::Unreachable("the server does not answer in time".to_owned()));
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
    pub(super) fn ended(&mut self) -> GitError {
        self.stdin = None;
        let said = self.messages.recv_timeout(LAST_WORDS).unwrap_or_default();
        let hint = if said.contains("Host key verification failed") {
            "; add the host's key to known_hosts"
        } else if said.contains("Permission denied") {
            "; give the server a key that ssh finds without asking"
        } else {
            ""
        };
        let said = if said.is_empty() { "the connection ended early".to_owned() } else { said };
        GitError::Unreachable(format!("{}{hint}", remote_text(said.as_bytes())))
    }
}

/// The child does not outlive the conversation.
impl Drop for SshCarrier {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `ssh` is called with. `--` is left out because other ssh programs do not know it; [`SshLocation`] never
/// begins with a hyphen.
fn arguments(location: &SshLocation) -> Vec<String> {
    let mut arguments: Vec<String> =
        ["-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-o", "SendEnv=GIT_PROTOCOL"]
            .map(str::to_owned)
            .into();
    if let Some(port) = location.port {
        arguments.extend(["-p".to_owned(), port.to_string()]);
    }
    arguments.push(location.destination.clone());
    arguments.push(format!("git-upload-pack {}", quoted(&location.path)));
    arguments
}

/// One word for the shell at the other end.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''").replace('!', "'\\!'"))
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
        assert_eq!(arguments(&location(None)), [&options[..], &["git@example.org", command]].concat());
        assert_eq!(
            arguments(&location(Some(2222))),
            [&options[..], &["-p", "2222", "git@example.org", command]].concat()
        );
    }

    #[test]
    fn what_the_program_says_becomes_the_error() {
        let location = SshLocation { destination: "x".to_owned(), port: None, path: "y".to_owned() };
        let command = "sh -c 'echo Host key verification failed. >&2; exit 255'";
        let mut carrier = SshCarrier::connect(&location, Some(command)).unwrap();
        assert_eq!(carrier.read(&mut [0; 10]).unwrap(), 0);
        let error = carrier.ended().to_string();
        assert_eq!(
            error,
            "cannot be reached: Host key verification failed.; add the host's key to known_hosts"
        );
    }
}
