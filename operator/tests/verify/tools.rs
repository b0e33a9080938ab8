//! A repository, keys, and the programs that sign and verify.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chrono::{DateTime, Utc};
use mailwright_operator::source::verify::{Keys, Last, Mode, Read, Since, Verification, judge};
use mailwright_operator::source::{Commit, Tag};
use tempfile::TempDir;

/// A place for one test.
pub struct Bench {
    directory: TempDir,
    gpg: bool,
}

impl Bench {
    pub fn new() -> Bench {
        // Sockets of gpg-agent have short paths.
        let bench =
            Bench { directory: tempfile::Builder::new().prefix("v").tempdir_in("/tmp").unwrap(), gpg: false };
        fs::create_dir(bench.path("repository")).unwrap();
        bench.git(&["init", "-q", "-b", "main"]);
        bench
    }

    /// With a home for gpg; `None` where there is no gpg, which the test then says.
    pub fn with_gpg() -> Option<Bench> {
        let found = Path::new("/usr/bin/gpg").exists();
        assert!(found || std::env::var("CI").as_deref() != Ok("true"), "gpg is missing");
        if !found {
            eprintln!("skipped: gpg is missing");
            return None;
        }
        let mut bench = Bench::new();
        bench.gpg = true;
        for home in ["gpg", "checker"] {
            fs::DirBuilder::new().mode(0o700).create(bench.path(home)).unwrap();
        }
        Some(bench)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path("repository")).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("TZ", "UTC").env("LC_ALL", "C");
        command.env("HOME", self.directory.path()).env("GIT_CONFIG_NOSYSTEM", "1");
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), "alice")
                .env(format!("GIT_{role}_EMAIL"), "alice@example.test");
        }
        command
    }

    /// Runs a program with input; what it printed when it succeeded, what it complained about otherwise.
    pub fn run(
        &self,
        program: &str,
        arguments: &[&str],
        input: &[u8],
        time: Option<i64>,
    ) -> Result<Vec<u8>, String> {
        let mut command = self.command(program);
        if let Some(time) = time {
            command.env("GIT_COMMITTER_DATE", format!("{time} +0000"));
        }
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    fn text(&self, program: &str, arguments: &[&str], time: Option<i64>) -> String {
        let output = self.run(program, arguments, b"", time);
        let output = output.unwrap_or_else(|error| panic!("{program} {arguments:?}: {error}"));
        String::from_utf8(output).unwrap().trim().to_owned()
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        self.text("git", arguments, None)
    }

    /// A key of SSH; the path of the private one.
    pub fn ssh_key(&self, name: &str, kind: &[&str]) -> String {
        let path = self.path(name).display().to_string();
        let mut arguments = vec!["-q", "-N", "", "-C", "", "-f", &path];
        arguments.extend(kind);
        self.text("ssh-keygen", &arguments, None);
        path
    }

    pub fn public(&self, key: &str) -> String {
        fs::read_to_string(format!("{key}.pub")).unwrap().trim().to_owned()
    }

    /// Runs ssh-keygen, for certificates.
    pub fn ssh_keygen(&self, arguments: &[&str]) -> String {
        self.text("ssh-keygen", arguments, None)
    }

    /// A commit signed with a key of SSH at a time.
    pub fn ssh_commit(&self, key: &str, time: i64) -> String {
        let signing = format!("user.signingkey={key}");
        let arguments =
            ["-c", "gpg.format=ssh", "-c", &signing, "commit", "-q", "-S", "--allow-empty", "-m", "change"];
        self.text("git", &arguments, Some(time));
        self.git(&["rev-parse", "HEAD"])
    }

    /// Writes an object that no program would.
    pub fn store(&self, kind: &str, content: &[u8]) -> String {
        let stored =
            self.run("git", &["hash-object", "-t", kind, "-w", "--stdin", "--literally"], content, None);
        String::from_utf8(stored.unwrap()).unwrap().trim().to_owned()
    }

    pub fn object(&self, kind: &str, id: &str) -> Vec<u8> {
        self.run("git", &["cat-file", kind, id], b"", None).unwrap()
    }

    pub fn commit(&self, id: &str) -> Commit {
        Commit::parse(id, &self.object("commit", id)).unwrap()
    }

    pub fn tag(&self, name: &str) -> Tag {
        let id = self.git(&["rev-parse", &format!("refs/tags/{name}")]);
        Tag::parse(&id, &self.object("tag", &id)).unwrap()
    }

    /// The program for `gpg.program`: gpg with its own home, at a time.
    pub fn gpg_program(&self, home: &str, time: Option<i64>, options: &str) -> String {
        let path = self.path(&format!("gpg-{home}-{}-{}", time.unwrap_or_default(), options.len()));
        let time = time.map(|time| format!("--faked-system-time {time}! ")).unwrap_or_default();
        let home = self.path(home).display().to_string();
        let text = format!("#!/bin/sh\nexec gpg --homedir {home} --batch {time}{options} \"$@\"\n");
        let path = path.display().to_string();
        // Written here, it might be open in a child that another test has just forked, and could not be run (ETXTBSY).
        self.run("install", &["-m", "755", "/dev/stdin", &path], text.as_bytes(), None).unwrap();
        path
    }

    /// Runs gpg in the home of those who sign.
    pub fn gpg(&self, time: i64, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let program = self.gpg_program(
            "gpg",
            Some(time),
            "--quiet --no-tty --passphrase \"\" --pinentry-mode loopback",
        );
        let output = self.run(&program, arguments, input, None);
        output.unwrap_or_else(|error| panic!("gpg {arguments:?}: {error}"))
    }

    /// A key of OpenPGP, made at a time; its fingerprint.
    pub fn gpg_key(&self, user: &str, algorithm: &str, usage: &str, expires: &str, time: i64) -> String {
        self.gpg(time, &["--quick-gen-key", user, algorithm, usage, expires], b"");
        let listed = self.gpg(time, &["--with-colons", "--list-keys", user], b"");
        fingerprints(&String::from_utf8(listed).unwrap())[0].clone()
    }

    pub fn gpg_commit(&self, key: &str, time: i64, options: &str) -> String {
        let program = format!("gpg.program={}", self.gpg_program("gpg", Some(time), options));
        let sign = format!("-S{key}");
        let arguments = [
            "-c",
            "gpg.format=openpgp",
            "-c",
            &program,
            "commit",
            "-q",
            &sign,
            "--allow-empty",
            "-m",
            "change",
        ];
        self.text("git", &arguments, Some(time));
        self.git(&["rev-parse", "HEAD"])
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for home in ["gpg", "checker"] {
            if self.gpg {
                let home = self.path(home).display().to_string();
                let _ = self.run("gpgconf", &["--homedir", &home, "--kill", "all"], b"", None);
            }
        }
    }
}

/// Of `gpg --with-colons`.
pub fn fingerprints(listed: &str) -> Vec<String> {
    let lines = listed.lines().filter(|line| line.starts_with("fpr:"));
    lines.map(|line| line.split(':').nth(9).unwrap().to_owned()).collect()
}

pub fn keys(file: &str, content: impl Into<Vec<u8>>) -> Keys {
    Keys::parse(&BTreeMap::from([(file.to_owned(), content.into())])).unwrap()
}

/// Our verdict on one commit: the principal, or the reason of the refusal.
pub fn verdict(keys: Keys, commit: &Commit, now: DateTime<Utc>) -> Result<String, String> {
    let verification = Verification { mode: Mode::Head, keys };
    let read = Read { head: commit.clone(), tag_name: None, tag: None, since: Since::First };
    let taken = judge(Some(&verification), &read, &Last::default(), false, now);
    taken
        .map(|taken| taken.head.signer.clone().unwrap().principal)
        .map_err(|refused| refused.reason.to_string())
}

/// Our verdict on one tag of a commit.
pub fn tag_verdict(keys: Keys, name: &str, tag: Tag, commit: &Commit) -> Result<String, String> {
    let verification = Verification { mode: Mode::Tag, keys };
    let read =
        Read { head: commit.clone(), tag_name: Some(name.to_owned()), tag: Some(tag), since: Since::First };
    let taken = judge(Some(&verification), &read, &Last::default(), false, Utc::now());
    taken
        .map(|taken| taken.head.signer.clone().unwrap().principal)
        .map_err(|refused| refused.reason.to_string())
}
