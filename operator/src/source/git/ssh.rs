//! The carriers for ssh: the client inside this process when there are credentials as values, and the user's own
//! program, with its agent and configuration, when there are none.

mod known_hosts;
mod program;
mod session;
mod tunnel;

pub(super) use program::ProgramCarrier;
pub(super) use session::SessionCarrier;

use super::GitError;
use super::location::SshLocation;
use super::upload_pack::remote_text;

/// What is run at the other end.
fn command_line(location: &SshLocation) -> String {
    // One word for the shell there.
    let path = location.path.replace('\'', "'\\''").replace('!', "'\\!'");
    format!("git-upload-pack '{path}'")
}

/// Why a conversation ended early, in the words of the other end.
fn said(text: &str) -> GitError {
    let shown = remote_text(text.as_bytes());
    let table = [
        ("Host key verification failed", "; add the host's key to known_hosts"),
        ("Permission denied", "; give the server a key that it knows"),
        ("does not appear to be a git repository", "; check the path"),
        ("epository not found", "; check the path, and what the key may read"),
    ];
    match table.iter().find(|(sign, _)| text.contains(sign)) {
        Some(("Host key verification failed", remedy)) => GitError::HostKey(format!("{shown}{remedy}")),
        Some((_, remedy)) => GitError::Refused(format!("{shown}{remedy}")),
        None if shown.is_empty() => GitError::Unreachable("the connection ended early".to_owned()),
        None => GitError::Unreachable(shown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_other_end_says_is_told_with_a_remedy() {
        let table = [
            ("", "cannot be reached: the connection ended early", true),
            (
                "ssh: connect to host x: Connection refused\r\n",
                "cannot be reached: ssh: connect to host x: Connection refused",
                true,
            ),
            (
                "Host key verification failed.",
                "Host key verification failed.; add the host's key to known_hosts",
                false,
            ),
            (
                "git@x: Permission denied (publickey).",
                "git@x: Permission denied (publickey).; give the server a key that it knows",
                false,
            ),
            (
                "fatal: '/x' does not appear to be a git repository",
                "fatal: '/x' does not appear to be a git repository; check the path",
                false,
            ),
            (
                "ERROR: Repository not found.",
                "ERROR: Repository not found.; check the path, and what the key may read",
                false,
            ),
        ];
        for (text, expected, temporary) in table {
            let error = said(text);
            assert_eq!((error.to_string().as_str(), error.is_temporary()), (expected, temporary));
        }
    }

    #[test]
    fn the_path_is_one_word_for_the_shell() {
        let location =
            |path: &str| SshLocation { destination: "x".to_owned(), port: None, path: path.to_owned() };
        assert_eq!(command_line(&location("/srv/mail.git")), "git-upload-pack '/srv/mail.git'");
        assert_eq!(command_line(&location("it's; rm -rf !x")), r"git-upload-pack 'it'\''s; rm -rf '\!'x'");
    }
}
