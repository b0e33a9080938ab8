//! Runs other people's programs with a time limit and keeps what they said.

use super::needs::node_packages;
use super::{PATIENCE, root, wait_for};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::JoinHandle;

/// What a program said and how it ended.
#[derive(Debug)]
pub struct Output {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Both streams, output first.
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// The same output, if the program succeeded.
    ///
    /// # Panics
    /// When it did not, with all it said.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// The same output, if the program ended with `code`.
    ///
    /// # Panics
    /// When it did not, with all it said.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// The same output, if it contains `text` on either stream.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.all().contains(text), "does not say {text:?}:\n{}", self.all());
        self
    }
}

/// Runs `command` to its end with no input.
///
/// # Panics
/// When it cannot be started, or runs longer than twice [`PATIENCE`]; it is killed then.
#[track_caller]
pub fn run(command: &mut Command) -> Output {
    run_with_input(command, "")
}

/// Runs `command` to its end with `input`, which must fit into a pipe.
///
/// # Panics
/// As [`run`].
#[track_caller]
pub fn run_with_input(command: &mut Command, input: &str) -> Output {
    let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = started.unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let mut child = KillOnDrop(child);
    if let Some(mut pipe) = child.0.stdin.take() {
        // A program that wants no input may have ended already.
        let _ = pipe.write_all(input.as_bytes());
    }
    let stdout = drain(child.0.stdout.take());
    let stderr = drain(child.0.stderr.take());
    let status = wait_for(&format!("{command:?} to end"), PATIENCE * 2, || {
        child.0.try_wait().expect("a child can be waited for")
    });
    let text = |reader: JoinHandle<Vec<u8>>| {
        String::from_utf8_lossy(&reader.join().expect("a pipe can be read")).into_owned()
    };
    Output { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// A script of `tests/clients/`, run with `arguments`: Python or Node by its ending, otherwise as it is.
pub fn script(name: &str, arguments: &[&str]) -> Output {
    let path = root().join("tests/clients").join(name);
    let mut command = match path.extension() {
        Some(ending) if ending == "py" => {
            let mut python = Command::new("python3");
            python.arg("-B").arg(&path);
            python
        }
        Some(ending) if ending == "cjs" => {
            let mut node = Command::new("node");
            node.arg(&path).env("NODE_PATH", node_packages());
            node
        }
        _ => Command::new(&path),
    };
    run(command.args(arguments).env("PYTHONUNBUFFERED", "1"))
}

/// The directory of Python's own e-mail test messages (`msg_01.txt` …), wherever an installed Python keeps it.
pub fn email_test_data() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND.get_or_init(find_test_data).as_deref()
}

fn find_test_data() -> Option<PathBuf> {
    let find = "import os, test.test_email as t; print(os.path.join(os.path.dirname(t.__file__), 'data'))";
    for python in ["python3", "/usr/bin/python3"] {
        let output = run(Command::new(python).args(["-c", find]));
        let path = PathBuf::from(output.stdout.trim());
        if output.code == Some(0) && path.join("msg_01.txt").exists() {
            return Some(path);
        }
    }
    // Debian's python3.X-testsuite without the interpreter of that version.
    let versions = std::fs::read_dir("/usr/lib").ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    versions.map(|path| path.join("test/test_email/data")).find(|path| path.join("msg_01.txt").exists())
}
