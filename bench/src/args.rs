//! Owns the command line. Leaves out doing anything.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::load::Scale;

/// Load generators, and Mailwright beside Postfix and Dovecot in one run.
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

impl Compare {
    /// How much load.
    pub fn scale(&self) -> Scale {
        Scale { divide: self.divide.max(1), runs: self.runs.max(1) }
    }

    /// Whether a group of figures is wanted.
    pub fn wants(&self, group: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == group)
    }
}
