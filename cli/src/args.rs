//! Owns the command line: every subcommand with its options and help. Leaves out doing anything.

pub mod history;
pub mod import;
pub mod kubectl;
pub mod mail;
pub mod operator;
pub mod policy;
pub mod preview;
pub mod probe;
mod serve;
mod treat;
pub mod webhook;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A company's mail, run from a Git repository.
///
/// Start with `mailwright up examples/quickstart`: it reads the manifests, shows what it will change, and serves mail on
/// 127.0.0.1. While it runs, `mailwright get mailboxes` shows the state of every mailbox, and editing a manifest changes the
/// accounts.
///
/// Exit codes of `plan`, `apply` and `diff`: 0 nothing to do, 2 there are changes (apply: they were made), 1 an error,
/// 3 a guard holds something back until its plan is approved.
#[derive(Debug, Parser)]
#[command(name = "mailwright", version, max_term_width = 100, infer_subcommands = true)]
pub struct Arguments {
    /// What every subcommand takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Reads a command line, the name of the executable first: as `kubectl-mailwright` it is the plugin of kubectl.
pub fn parse(words: Vec<OsString>) -> Result<Arguments, clap::Error> {
    let name = words.first().and_then(|name| Path::new(name).file_stem()).and_then(OsStr::to_str);
    if name == Some(kubectl::EXECUTABLE) {
        let kubectl::Plugin { global, kubectl } = kubectl::Plugin::try_parse_from(words)?;
        return Ok(Arguments { global, command: Command::Kubectl(Box::new(kubectl)) });
    }
    Arguments::try_parse_from(words)
}

/// Options of every subcommand.
#[derive(Debug, Args)]
pub struct Global {
    /// Directory of everything that must be kept: accounts, mail, keys, certificates
    #[arg(long, global = true, env = "MAILWRIGHT_DATA", default_value = "./data", value_name = "DIR")]
    pub data: PathBuf,
    /// Form of log lines on standard error
    #[arg(long, global = true, env = "MAILWRIGHT_LOG_FORMAT", default_value = "text", value_name = "FORMAT")]
    pub log_format: LogFormat,
    /// What to log: error, warn, info, debug, trace, or a filter such as `info,mailwright_server=debug`
    #[arg(long, global = true, env = "MAILWRIGHT_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    /// Colours: automatically on a terminal, always, or never (NO_COLOR is honoured)
    #[arg(long, global = true, default_value = "auto", value_name = "WHEN")]
    pub color: ColorWhen,
}

/// Form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One line of text per event
    Text,
    /// One JSON object per event
    Json,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Apply a directory or Git repository of manifests, serve mail from it, and follow its changes
    Up(Up),
    /// Serve mail from the data directory as it is, without following manifests
    Serve(Serve),
    /// Watch a Kubernetes cluster and keep its mail servers as their resources say
    Operator(Box<operator::Operator>),
    /// Check manifests without a database: schema, rules, and everything that refers to something else
    Validate(Validate),
    /// Show what applying the manifests would change, and what that does to mail
    Plan(PlanAgainst),
    /// Apply the manifests once
    Apply(Plan),
    /// Show what changes between two revisions of a repository
    Diff(Diff),
    /// List resources with the columns kubectl would print
    Get(Get),
    /// Show one resource with its conditions
    Describe(Describe),
    /// Print the DNS records to publish
    Dns(Dns),
    /// Set the password of a mailbox, as its owner
    Passwd(Passwd),
    /// Delete the kept mail of a mailbox that was removed from the manifests
    Purge(Purge),
    /// Show what was done to an address, to a domain, or by a revision, and who did it
    History(history::History),
    /// Explain why an address is as it is: file, line, commit, author, signature, plan
    Why(history::Why),
    /// Plan the way back from a revision, and say how to revert it
    Undo(history::Undo),
    /// Approve the plan that a running `mailwright up` holds back
    Approve(history::Approve),
    /// Look at the mail that waits to leave, and act on it
    Queue(mail::Queue),
    /// Send a test message to the server that runs here
    Send(mail::Send),
    /// Try a login without a mail program
    AuthTest(mail::AuthTest),
    /// Print messages of a mailbox
    Fetch(mail::Fetch),
    /// Show where mail would go, without sending any
    Trace(mail::Trace),
    /// Test policies, and try expressions
    Policy(policy::Policy),
    /// Print the token that lets another source take over what this one manages
    Adopt(Adopt),
    /// Print the running state as manifests
    Export(Export),
    /// Write the state without its secrets, for plans where there is no way to the installation (`plan --against`)
    Snapshot(SnapshotTo),
    /// Write manifests out of another mail system's files
    Import(import::Import),
    /// Print what is in the account database, as the planner sees it
    Observe(Observe),
    /// Ask about mail in a Kubernetes cluster; also as `kubectl mailwright`
    Kubectl(Box<kubectl::Kubectl>),
    /// Ask an HTTP endpoint of Mailwright whether it is well
    Probe(probe::Probe),
    /// Print a completion script for a shell
    Completions(Completions),
}

/// Where manifests come from.
#[derive(Debug, Clone, Args)]
pub struct SourceArgs {
    /// Directory of manifests, or a Git repository: a path, file://, https:// or ssh:// URL
    #[arg(value_name = "DIR|URL", required_unless_present = "config")]
    pub source: Option<String>,
    /// File with a MailRepository that says what is followed and how, and the Secrets that it names
    #[arg(long, value_name = "FILE", conflicts_with_all = ["source", "branch", "path", "age_key_file"])]
    pub config: Option<PathBuf>,
    /// Branch to follow; makes a local repository be read from its commits instead of its files
    #[arg(long, value_name = "NAME")]
    pub branch: Option<String>,
    /// Folder of the manifests inside the repository
    #[arg(long, value_name = "FOLDER")]
    pub path: Option<String>,
    /// Keys for encrypted manifests.
    #[command(flatten)]
    pub keys: Keys,
}

/// What encrypted manifests are decrypted with.
#[derive(Debug, Clone, Default, Args)]
pub struct Keys {
    /// File with age keys for manifests that sops encrypted, as age-keygen writes it; may be given more than once
    #[arg(long, env = "SOPS_AGE_KEY_FILE", value_name = "FILE")]
    pub age_key_file: Vec<PathBuf>,
}

pub use serve::{Listen, Role, Serve};
pub use treat::{Adopt, Treat};

/// `mailwright up`
#[derive(Debug, Args)]
pub struct Up {
    /// Where the manifests are.
    #[command(flatten)]
    pub source: SourceArgs,
    /// How often to look at a Git branch: 10s, 1m; with --config its spec.interval counts
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = interval)]
    pub interval: Duration,
    /// Where to listen.
    #[command(flatten)]
    pub listen: Listen,
    /// Who may say that something was pushed.
    #[command(flatten)]
    pub webhook: webhook::Webhook,
    /// Where plans of pull requests are told.
    #[command(flatten)]
    pub preview: preview::Preview,
    /// Approve the plan with this digest at start, guards notwithstanding
    #[arg(long, value_name = "DIGEST")]
    pub approve: Option<String>,
    /// Rows of others, and changes of others.
    #[command(flatten)]
    pub treat: Treat,
    /// When a plan needs an approval before it is applied
    #[arg(long, default_value = "on-guard", value_name = "WHEN")]
    pub approval: history::ApprovalMode,
    /// How long Ctrl-C waits for sessions to finish
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = interval)]
    pub grace: Duration,
}

/// Output for people or programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Form of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanOutput {
    /// For people
    Text,
    /// For programs
    Json,
    /// For the comment of a pull request
    Markdown,
}

/// `mailwright validate`
#[derive(Debug, Args)]
pub struct Validate {
    /// Where the manifests are.
    #[command(flatten)]
    pub source: SourceArgs,
    /// Output format
    #[arg(short, long, default_value = "text")]
    pub output: PlanFormat,
}

/// `mailwright plan`
#[derive(Debug, Args)]
pub struct PlanAgainst {
    /// What `apply` takes too.
    #[command(flatten)]
    pub plan: Plan,
    /// Plan against the state in this file, written by `mailwright snapshot`, and ask no installation; whether a declared
    /// password is another one than before is not told by it
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
}

/// `mailwright apply`
#[derive(Debug, Args)]
pub struct Plan {
    /// Where the manifests are.
    #[command(flatten)]
    pub source: SourceArgs,
    /// Approve the plan with this digest, guards notwithstanding
    #[arg(long, value_name = "DIGEST")]
    pub approve: Option<String>,
    /// Rows of others, and changes of others.
    #[command(flatten)]
    pub treat: Treat,
    /// When a plan needs an approval before it is applied
    #[arg(long, default_value = "on-guard", value_name = "WHEN")]
    pub approval: history::ApprovalMode,
    /// Output format
    #[arg(short, long, default_value = "text")]
    pub output: PlanOutput,
}

/// `mailwright diff`
#[derive(Debug, Args)]
pub struct Diff {
    /// Git repository: a path
    #[arg(value_name = "REPOSITORY")]
    pub repository: String,
    /// The earlier revision: a commit, tag, branch or HEAD~1
    pub from: String,
    /// The later revision
    #[arg(default_value = "HEAD")]
    pub to: String,
    /// Folder of the manifests inside the repository
    #[arg(long, value_name = "FOLDER")]
    pub path: Option<String>,
    /// Keys for encrypted manifests.
    #[command(flatten)]
    pub keys: Keys,
    /// Output format
    #[arg(short, long, default_value = "text")]
    pub output: PlanOutput,
}

/// Form of resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GetFormat {
    /// A table with every column
    Wide,
    /// YAML
    Yaml,
    /// JSON
    Json,
    /// kind/name, one a line
    Name,
}

/// `mailwright get`
#[derive(Debug, Args)]
pub struct Get {
    /// Kind or short name: mailservers, msrv, maildomain, mdom, mailbox, mbx, alias, malias, all; or `removed`: mailboxes
    /// that are no longer declared and whose mail is kept
    pub kind: String,
    /// Only these names
    pub names: Vec<String>,
    /// Only this namespace
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Output format
    #[arg(short, long)]
    pub output: Option<GetFormat>,
}

/// `mailwright describe`
#[derive(Debug, Args)]
pub struct Describe {
    /// Kind or short name
    pub kind: String,
    /// Name of the resource
    pub name: String,
    /// Namespace of the resource
    #[arg(short, long, default_value = "default", value_name = "NAMESPACE")]
    pub namespace: String,
}

/// Form of DNS records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DnsFormat {
    /// A zone file for BIND, NSD, Knot (RFC 1035 §5)
    Zone,
    /// A table with the purpose of each record
    Table,
    /// JSON
    Json,
}

/// `mailwright dns`
#[derive(Debug, Args)]
pub struct Dns {
    /// Only this domain
    pub domain: Option<String>,
    /// Output format
    #[arg(long, short = 'o', alias = "output", default_value = "table")]
    pub format: DnsFormat,
}

/// `mailwright passwd`
#[derive(Debug, Args)]
pub struct Passwd {
    /// Address of the mailbox
    pub address: String,
    /// Read the new password from the first line of standard input instead of asking
    #[arg(long)]
    pub stdin: bool,
}

/// `mailwright purge`
#[derive(Debug, Args)]
pub struct Purge {
    /// Address of the mailbox
    pub address: String,
    /// Delete although `retainFor` has not passed
    #[arg(long)]
    pub force: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// `mailwright export`
#[derive(Debug, Args)]
pub struct Export {
    /// Directory to write files to instead of printing; it must be empty or not there
    #[arg(long, value_name = "DIR")]
    pub into: Option<PathBuf>,
    /// How files are cut: each object where it was declared, a file for each domain, or a file for each object
    #[arg(long, value_enum, default_value = "origin", requires = "into", value_name = "WAY")]
    pub split: SplitBy,
}

/// How an export is cut into files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SplitBy {
    /// Each object where it was declared
    Origin,
    /// A file for each domain
    Domain,
    /// A file for each object
    Object,
}

/// `mailwright snapshot`
#[derive(Debug, Args)]
pub struct SnapshotTo {
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `mailwright observe`
#[derive(Debug, Args)]
pub struct Observe {
    /// Output format
    #[arg(short, long, default_value = "text")]
    pub output: PlanFormat,
}

/// `mailwright completions`
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// Reads `500ms`, `10s`, `2m`, `1h`.
fn interval(text: &str) -> Result<Duration, String> {
    let hint = || format!("{text:?} is not a time; write 500ms, 10s, 2m or 1h");
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().map_err(|_| hint())?;
    let unit = match &text[digits..] {
        "ms" => 1,
        "s" | "" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(hint()),
    };
    match number.saturating_mul(unit) {
        0 => Err("it must be longer than zero".into()),
        milliseconds => Ok(Duration::from_millis(milliseconds)),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_name_of_the_executable_chooses_the_plugin() {
        for (line, plugin) in [
            ("kubectl-mailwright status", true),
            ("/usr/local/bin/kubectl-mailwright.exe why mbx/alice", true),
            ("mailwright kubectl status", true),
            ("/opt/mailwright plan .", false),
        ] {
            let arguments = parse(line.split(' ').map(OsString::from).collect()).unwrap();
            assert_eq!(matches!(arguments.command, Command::Kubectl(_)), plugin, "{line}");
        }
        assert!(parse(vec!["kubectl-mailwright".into(), "up".into()]).is_err());
        assert!(parse(Vec::new()).is_err());
    }

    #[test]
    fn times_have_units() {
        for (text, expected) in
            [("10s", 10_000), ("500ms", 500), ("2m", 120_000), ("1h", 3_600_000), ("7", 7000)]
        {
            assert_eq!(interval(text).unwrap(), Duration::from_millis(expected), "{text}");
        }
        for text in ["", "s", "0s", "-1s", "10 s", "1d", "99999999999999999999s"] {
            assert!(interval(text).is_err(), "{text}");
        }
    }
}
