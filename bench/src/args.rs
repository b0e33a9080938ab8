//! Owns the command line. Leaves out doing anything.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::load;

/// Load generators, Mailwright beside Postfix and Dovecot in one run, the operator with thousands of resources, a repository of
/// a hundred thousand.
#[derive(Debug, Parser)]
#[command(name = "mailwright-bench", version, max_term_width = 100)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure Mailwright and Debian's Postfix + Dovecot side by side and print ratios
    Compare(Compare),
    /// Keep thousands of Mailboxes as resources of a real API server and count what they cost
    Scale(Scale),
    /// Follow a Git repository of a hundred thousand accounts: first apply, a changed line, nothing changed
    Gitops(Gitops),
}

/// `compare`
#[derive(Debug, Args)]
pub struct Compare {
    /// Groups of figures to take, by the part of their name before the dot, comma-separated [default: all]
    #[arg(long, value_delimiter = ',', value_name = "GROUP")]
    pub only: Vec<String>,
    /// Runs of each load; the median is shown
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub runs: usize,
    /// Divide all counts by this: a quick look instead of a measurement
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub divide: usize,
    /// Speak IMAP over TLS to both servers, instead of in clear on loopback
    #[arg(long)]
    pub tls: bool,
    /// Leave Postfix and Dovecot out
    #[arg(long)]
    pub alone: bool,
    /// The executable to measure [default: built by cargo in this profile]
    #[arg(long, env = "MAILWRIGHT_BIN", value_name = "FILE")]
    pub mailwright: Option<PathBuf>,
    /// Where both servers keep their data: the same filesystem for both [default: a temporary directory]
    #[arg(long, value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Also write the figures as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Also write the table between the markers of this Markdown file
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Keep the servers' directory and stay until Enter is pressed, for a profiler
    #[arg(long)]
    pub stay: bool,
}

/// `scale`
#[derive(Debug, Args)]
pub struct Scale {
    /// Mailboxes; one in twenty has its password in a Secret, and there is an Alias for each ten
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    pub mailboxes: usize,
    /// Domains, each with its share of the addresses
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub domains: usize,
    /// Objects that are created at once
    #[arg(long, default_value_t = 16, value_name = "N")]
    pub creators: usize,
    /// How long nothing is changed while writes are counted, in seconds
    #[arg(long, default_value_t = 180, value_name = "SECONDS")]
    pub idle: u64,
    /// How often each change is made; the median is shown
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub changes: usize,
    /// Also write the figures as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Also write the table between the markers of this Markdown file
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
}

/// `gitops`
#[derive(Debug, Args)]
pub struct Gitops {
    /// Mailboxes
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    pub mailboxes: usize,
    /// Aliases with two targets each
    #[arg(long, default_value_t = 20_000, value_name = "N")]
    pub aliases: usize,
    /// Domains, each with its share of the addresses
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub domains: usize,
    /// Objects in a file
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub per_file: usize,
    /// How often each change is pushed; the median is shown
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub changes: usize,
    /// Mailboxes of a second repository that become objects of a real API server; 0 leaves it out
    #[arg(long, default_value_t = 2_000, value_name = "N")]
    pub resources: usize,
    /// The executable to measure [default: built by cargo in this profile]
    #[arg(long, env = "MAILWRIGHT_BIN", value_name = "FILE")]
    pub mailwright: Option<PathBuf>,
    /// Where the repository and the data are [default: a temporary directory]
    #[arg(long, value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Also write the figures as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Also write the table between the markers of this Markdown file
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
}

impl Compare {
    /// How much load.
    pub fn scale(&self) -> load::Scale {
        load::Scale { divide: self.divide.max(1), runs: self.runs.max(1) }
    }

    /// Whether a group of figures is wanted.
    pub fn wants(&self, group: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == group)
    }
}
