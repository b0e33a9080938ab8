//! Ends processes with the test that started them, however the test ends: it returns, panics, or is killed.
//!
//! A test binary cannot promise to clean up after itself, and what is shared by its tests is never dropped at all. So each
//! set of processes has a guard: a shell that reads process ids from a pipe and, when the pipe closes, ends them and removes
//! their directory. The system closes the pipe when the test binary is gone.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Reads `<pid> <start time>` lines. A process is ended only if it started when it was noted, so that a number that was given
/// to somebody else meanwhile is left alone. First all are asked, with what they started; who is there after five seconds is
/// killed.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
noted=
while read -r pid start; do noted="$pid:$start $noted"; done
is_there() {
  [ -r "/proc/${1%%:*}/stat" ] || return 1
  read -r stat <"/proc/${1%%:*}/stat" || return 1
  set -- "$1" ${stat##*) }
  [ "$2" != Z ] && [ "${21}" = "${1##*:}" ]
}
send() { kill -s "$1" -- "-${2%%:*}" 2>/dev/null || kill -s "$1" "${2%%:*}" 2>/dev/null; }
for one in $noted; do if is_there "$one"; then send TERM "$one"; fi; done
wait_gone() {
  for turn in $(seq 50); do
    left=
    for one in $noted; do if is_there "$one"; then left=1; fi; done
    [ -z "$left" ] && break
    sleep 0.1
  done
}
wait_gone
for one in $noted; do if is_there "$one"; then send KILL "$one"; fi; done
wait_gone
[ -r "$1/at-end" ] && . "$1/at-end"
for turn in 1 2 3 4 5; do rm -rf "$1" 2>/dev/null && break; sleep 0.2; done
"#;

/// A directory and the processes that work in it; both end with it.
#[derive(Debug)]
pub struct Guard {
    dir: PathBuf,
    keeps: bool,
    watcher: Mutex<Child>,
}

impl Guard {
    /// Guards a new directory below the system's temporary one.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new(name: &str) -> Guard {
        let dir = tempfile::Builder::new().prefix(&format!("mailwright-{name}-")).tempdir();
        // The shell removes it, because nobody else may be left to do so.
        let dir = dir.expect("a temporary directory").keep();
        let keeps = std::env::var_os("MAILWRIGHT_TEST_KEEP").is_some();
        let mut shell = Command::new("sh");
        shell.args(["-c", SCRIPT, "guard"]).arg(if keeps { Path::new("") } else { &dir });
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let watcher = Mutex::new(shell.spawn().expect("a shell"));
        Guard { dir, keeps, watcher }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Starts `command` in the directory, in a process group of its own, with its output in `log/<name>.log`.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(&self, name: &str, command: &mut Command) -> Child {
        let log = self.log_path(name);
        std::fs::create_dir_all(log.parent().unwrap_or(&log)).expect("a directory for logs");
        let file = File::options().create(true).append(true).open(&log).expect("a log file");
        let copy = file.try_clone().expect("a second handle");
        command.stdin(Stdio::null()).stdout(file).stderr(copy).process_group(0).current_dir(&self.dir);
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        self.note(child.id());
        child
    }

    /// Ends process `pid` with the others.
    pub fn note(&self, pid: u32) {
        let Some(start) = start_time(pid) else { return };
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipe) = watcher.stdin.as_mut() {
            pipe.write_all(format!("{pid} {start}\n").as_bytes()).expect("the guard reads");
        }
    }

    /// Has these lines of shell run when all processes have ended.
    ///
    /// # Panics
    /// When they cannot be written.
    pub fn at_end(&self, lines: &str) {
        let file = File::options().create(true).append(true).open(self.dir.join("at-end"));
        file.and_then(|mut file| file.write_all(lines.as_bytes())).expect("the guard can be told");
    }

    /// What the process called `name` has printed.
    pub fn log(&self, name: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log_path(name)).unwrap_or_default()).into_owned()
    }

    fn log_path(&self, name: &str) -> PathBuf {
        self.dir.join("log").join(format!("{name}.log"))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.keeps {
            eprintln!("kept: {}", self.dir.display());
        }
        let watcher = self.watcher.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(watcher.stdin.take());
        let _ = watcher.wait();
    }
}

/// When process `pid` started, in the kernel's ticks: field 22 of `/proc/<pid>/stat`.
fn start_time(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(") ")?;
    after_name.split(' ').nth(19).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::wait_for;
    use std::time::Duration;

    fn is_running(pid: u32) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn processes_and_their_directory_end_with_it() {
        let guard = Guard::new("guard-test");
        let polite = guard.start("polite", &mut shell("echo hello; sleep 600")).id();
        let stubborn = guard.start("stubborn", &mut shell("trap '' TERM; exec sleep 600")).id();
        wait_for("its first words", Duration::from_secs(10), || {
            (guard.log("polite") == "hello\n").then_some(())
        });
        assert!(is_running(polite) && is_running(stubborn));
        let dir = guard.dir().to_path_buf();
        let home = tempfile::tempdir().unwrap();
        let told = home.path().join("told");
        guard.at_end(&format!("touch '{}'\n", told.display()));
        assert!(!told.exists());
        assert!(dir.join("log/polite.log").exists());
        drop(guard);
        assert!(!is_running(polite) && !is_running(stubborn) && !dir.exists() && told.exists());
    }

    #[test]
    fn a_process_that_is_not_the_noted_one_is_left_alone() {
        let mut other = shell("exec sleep 600").spawn().unwrap();
        let guard = Guard::new("guard-test");
        let line = format!("{} {}\n", other.id(), 1);
        guard.watcher.lock().unwrap().stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
        drop(guard);
        assert!(is_running(other.id()));
        other.kill().unwrap();
        other.wait().unwrap();
    }

    #[test]
    fn a_panic_ends_them_too() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let test = std::thread::spawn(move || {
            let guard = Guard::new("guard-test");
            sender.send(guard.start("sleeper", &mut shell("sleep 600")).id()).unwrap();
            panic!("as a failing test does");
        });
        let pid = receiver.recv().unwrap();
        assert!(test.join().is_err());
        assert!(!is_running(pid));
    }
}
