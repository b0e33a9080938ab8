//! Runs one command of a stage and says how it went.

use super::tally::Tally;
use anyhow::{Context, Result};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

/// How a stage went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Tests, or the stage itself, that passed.
    pub passed: usize,
    /// Tests, or the stage itself, that failed.
    pub failed: usize,
    /// Tests that were ignored, and parts that a test left out for want of a program.
    pub skipped: usize,
}

impl Outcome {
    /// A stage that counts as one.
    pub fn of(passed: bool) -> Self {
        Self { passed: usize::from(passed), failed: usize::from(!passed), skipped: 0 }
    }

    /// The same with `count` more skipped parts.
    pub fn with_skips(self, count: usize) -> Self {
        Self { skipped: self.skipped + count, ..self }
    }
}

/// Runs `command` with its output passed on; its exit status is the outcome.
pub fn status(command: &mut Command) -> Result<Outcome> {
    let status = command.stdin(Stdio::null()).status().with_context(|| describe(command))?;
    Ok(Outcome::of(status.success()))
}

/// Runs a `cargo test` command, passes its output on to `screen` and counts the tests.
pub fn tests(command: &mut Command, screen: &mut impl Write) -> Result<Outcome> {
    let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = started.with_context(|| describe(command))?;
    let mut tally = Tally::default();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            tally.read(&line);
            writeln!(screen, "{line}")?;
        }
    }
    let clean = child.wait()?.success();
    Ok(tally.outcome(clean))
}

fn describe(command: &Command) -> String {
    format!("cannot run {}", command.get_program().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn the_exit_status_is_the_outcome() {
        assert_eq!(status(&mut shell("exit 0")).unwrap(), Outcome::of(true));
        assert_eq!(status(&mut shell("exit 3")).unwrap(), Outcome::of(false));
        let error = status(&mut Command::new("no-such-program-here")).unwrap_err();
        assert_eq!(error.to_string(), "cannot run no-such-program-here");
    }

    #[test]
    fn tests_are_counted_from_the_output() {
        let line =
            "test result: ok. 7 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s";
        let mut screen = Vec::new();
        let outcome = tests(&mut shell(&format!("echo '{line}'")), &mut screen).unwrap();
        assert_eq!(String::from_utf8(screen).unwrap(), format!("{line}\n"));
        assert_eq!(outcome, Outcome { passed: 7, failed: 0, skipped: 1 });
    }

    #[test]
    fn a_command_that_fails_without_a_failed_test_counts_as_one() {
        let outcome =
            tests(&mut shell("echo 'error: could not compile'; exit 101"), &mut Vec::new()).unwrap();
        assert_eq!(outcome, Outcome { passed: 0, failed: 1, skipped: 0 });
    }
}
