//! The one test command: installs what the tests need, runs every check in the order of its cost, sums up in one table.
//!
//! The last line of the output is `N passed, N failed, N skipped`: each test counts, and each other stage counts as one.

mod node;
mod prerequisites;
mod python;
mod stage;
mod summary;
mod tally;

use crate::{licences, tidy, workspace};
use anyhow::Result;
use clap::ValueEnum;
use stage::Outcome;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

/// How to run the tests.
#[derive(clap::Args)]
pub struct Options {
    /// Run only this stage (may be given several times)
    #[arg(long, value_name = "PART")]
    only: Vec<Part>,
    /// Install no packages, even as root on Debian; parts that need a missing one are skipped and say so
    #[arg(long)]
    no_install: bool,
}

/// A stage of the test command, in the order they run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Part {
    /// Install the programs that the client tests use (Debian packages)
    Install,
    /// cargo fmt --check
    Fmt,
    /// The rules of the house
    Tidy,
    /// Licences of the dependencies
    Licences,
    /// cargo build of everything that the tests run
    Build,
    /// cargo test of the whole workspace
    Test,
    /// cargo clippy with warnings denied
    Clippy,
    /// cargo doc with warnings denied
    Doc,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Part::Install => "install",
            Part::Fmt => "fmt",
            Part::Tidy => "tidy",
            Part::Licences => "licences",
            Part::Build => "build",
            Part::Test => "test",
            Part::Clippy => "clippy",
            Part::Doc => "doc",
        }
    }
}

/// Installs what tests and clusters are made of; whether all of it is there.
pub fn install(forbidden: bool) -> Result<bool> {
    let outcome = prerequisites::install(forbidden)?;
    Ok(outcome.failed == 0)
}

/// Runs the stages and prints the summary; `Ok(false)` when anything failed.
pub fn run(options: &Options) -> Result<bool> {
    let chosen: Vec<Part> = Part::value_variants()
        .iter()
        .copied()
        .filter(|part| options.only.is_empty() || options.only.contains(part))
        .collect();
    let mut rows = Vec::new();
    for part in chosen {
        println!("\n{}", heading(part.name()));
        let start = Instant::now();
        let outcome = perform(part, options).unwrap_or_else(|error| {
            println!("error: {error:#}");
            Outcome::of(false)
        });
        rows.push(summary::Row { name: part.name(), outcome, took: start.elapsed() });
    }
    let (text, passed) = summary::render(&rows);
    println!("\n{text}");
    Ok(passed)
}

fn heading(name: &str) -> String {
    let line = format!("── {name} {}", "─".repeat(60_usize.saturating_sub(name.len())));
    if std::io::stdout().is_terminal() { format!("\x1b[1m{line}\x1b[0m") } else { line }
}

fn perform(part: Part, options: &Options) -> Result<Outcome> {
    let cargo = |arguments: &str| {
        let mut command = Command::new(workspace::cargo());
        command.args(arguments.split_whitespace()).current_dir(workspace::root());
        command
    };
    Ok(match part {
        Part::Install => prerequisites::install(options.no_install)?,
        Part::Fmt => stage::status(&mut cargo("fmt --all --check"))?,
        Part::Tidy => Outcome::of(tidy::run()?),
        Part::Licences => Outcome::of(licences::run()?),
        Part::Build => stage::status(&mut cargo("build --locked --workspace --all-targets"))?,
        Part::Test => test(cargo("test --locked --workspace --no-fail-fast"))?,
        Part::Clippy => stage::status(&mut cargo(
            "clippy --locked --workspace --all-targets --keep-going -- -D warnings",
        ))?,
        Part::Doc => {
            let mut doc = cargo("doc --locked --workspace --no-deps --document-private-items --keep-going");
            // Nothing is published, so the private half is documented too, and links into it resolve.
            stage::status(doc.env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links"))?
        }
    })
}

/// The seed of the property tests. One revision gets one verdict here; `cargo test` draws new cases each time, and a seed
/// given from outside is kept.
const RANDOM_SEED: &str = "PROPTEST_RNG_SEED";
const SEED: &str = "20261120";

/// Runs the tests; what they had to skip is collected in a file, because a passing test's output is not shown.
fn test(mut command: Command) -> Result<Outcome> {
    let skips = skips_file();
    let _ = std::fs::remove_file(&skips);
    if std::env::var_os(RANDOM_SEED).is_none() {
        command.env(RANDOM_SEED, SEED);
    }
    let outcome = stage::tests(command.env("MAILWRIGHT_TEST_SKIPS", &skips), &mut std::io::stdout())?;
    let skipped = std::fs::read_to_string(&skips).unwrap_or_default();
    let _ = std::fs::remove_file(&skips);
    for line in skipped.lines() {
        println!("skipped: {line}");
    }
    Ok(outcome.with_skips(skipped.lines().count()))
}

fn skips_file() -> PathBuf {
    std::env::temp_dir().join(format!("mailwright-test-skips-{}", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_names_are_what_the_command_line_takes() {
        for part in Part::value_variants() {
            let name = part.to_possible_value().unwrap().get_name().to_owned();
            assert_eq!(name, part.name());
        }
    }
}
