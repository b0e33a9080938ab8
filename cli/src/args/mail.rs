//! The command line of what a postmaster does with running mail: the queue, test messages, logins, reading, tracing.

use std::net::IpAddr;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

pub use super::PlanFormat;
use super::interval;

/// `mailwright queue`
#[derive(Debug, Args)]
pub struct Queue {
    /// What to do with it.
    #[command(subcommand)]
    pub verb: QueueVerb,
}

/// What can be done with the queue.
#[derive(Debug, Subcommand)]
pub enum QueueVerb {
    /// List what waits to leave, the oldest first
    #[command(after_help = "Examples:
  mailwright queue list
  mailwright queue list --domain example.org --state deferred
  mailwright queue list --older-than 4h --output json")]
    List(QueueList),
    /// Show one message: its recipients, the last reply for each, and its header
    Show(QueueShow),
    /// Try now what waits for its time
    #[command(after_help = "Examples:
  mailwright queue flush --all
  mailwright queue flush --domain example.org")]
    Flush(QueueSelect),
    /// Keep messages from being tried until they are released
    Hold(QueueSelect),
    /// Give held messages free
    Release(QueueSelect),
    /// Delete messages, without a report to their senders
    #[command(after_help = "Examples:
  mailwright queue delete 18c2f0a3b1d-4-1
  mailwright queue delete --sender spammer@example.test")]
    Delete(QueueSelect),
}

/// Which messages. Every filter that is given must fit.
#[derive(Debug, Clone, Default, Args)]
pub struct QueueFilters {
    /// Identifiers, as `queue list` shows them
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// Envelope sender; `<>` is that of bounces
    #[arg(long, value_name = "ADDRESS")]
    pub sender: Option<String>,
    /// A recipient
    #[arg(long, value_name = "ADDRESS")]
    pub recipient: Option<String>,
    /// Domain of a recipient
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Option<String>,
    /// State of a recipient
    #[arg(long)]
    pub state: Option<QueueState>,
    /// In the queue for longer than this: 30m, 4h
    #[arg(long, value_name = "TIME", value_parser = interval)]
    pub older_than: Option<Duration>,
}

impl QueueFilters {
    /// Whether nothing is selected in particular.
    pub fn is_everything(&self) -> bool {
        self.ids.is_empty()
            && self.sender.is_none()
            && self.recipient.is_none()
            && self.domain.is_none()
            && self.state.is_none()
            && self.older_than.is_none()
    }
}

/// Where a recipient stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum QueueState {
    /// Not tried yet
    Queued,
    /// Being sent
    Active,
    /// Tried, and tried again later
    Deferred,
    /// Held until released
    Held,
}

/// `mailwright queue list`
#[derive(Debug, Args)]
pub struct QueueList {
    /// Which messages.
    #[command(flatten)]
    pub filters: QueueFilters,
    /// The most messages to list
    #[arg(long, default_value_t = 1000, value_name = "NUMBER")]
    pub limit: u32,
    /// Output format
    #[arg(short, long, default_value = "text")]
    pub output: PlanFormat,
}

/// `mailwright queue show`
#[derive(Debug, Args)]
pub struct QueueShow {
    /// Identifier, as `queue list` shows it
    pub id: String,
    /// Output format
    #[arg(short, long, default_value = "text")]
    pub output: PlanFormat,
}

/// `mailwright queue flush|hold|release|delete`
#[derive(Debug, Args)]
pub struct QueueSelect {
    /// Which messages.
    #[command(flatten)]
    pub filters: QueueFilters,
    /// The whole queue
    #[arg(long)]
    pub all: bool,
    /// Output format
    #[arg(short, long, default_value = "text")]
    pub output: PlanFormat,
}

/// `mailwright send`
#[derive(Debug, Args)]
#[command(
    after_help = "Without --login the message comes in as from another server, so its recipients must be here.
With --login it is submitted, as a mail program does it: the password is asked for, or is the first line of standard input.

Examples:
  mailwright send --from bob@example.org --to alice@example.test --body hello
  mailwright send --from alice@example.test --to bob@example.org --login --body hello
  mailwright send --from sales@example.test --to bob@example.org --login alice@example.test --body hello"
)]
pub struct Send {
    /// Envelope sender, and From
    #[arg(long, value_name = "ADDRESS")]
    pub from: String,
    /// Recipient; may be given more than once
    #[arg(long, required = true, value_name = "ADDRESS")]
    pub to: Vec<String>,
    /// Subject
    #[arg(long, default_value = "Test message", value_name = "TEXT")]
    pub subject: String,
    /// Text; without it, what standard input has
    #[arg(long, value_name = "TEXT")]
    pub body: Option<String>,
    /// Submit with the login of this mailbox; without an address that of --from
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "")]
    pub login: Option<String>,
    /// Output format
    #[arg(short, long, default_value = "text")]
    pub output: PlanFormat,
}

/// `mailwright auth-test`
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0 when the login works, 1 when it does not. The password is never an argument:
  mailwright auth-test alice@example.test
  mailwright auth-test alice@example.test --stdin < password.txt"
)]
pub struct AuthTest {
    /// Address of the mailbox
    pub address: String,
    /// Read the password from the first line of standard input instead of asking
    #[arg(long)]
    pub stdin: bool,
}

/// `mailwright fetch`
#[derive(Debug, Args)]
#[command(
    after_help = "Fields: uid, flags, date.received, size, hdr (the whole header), hdr.NAME, body, text (the whole message).

Examples:
  mailwright fetch alice@example.test
  mailwright fetch alice@example.test --mailbox Sent --uid 1:10 uid hdr.to hdr.subject
  mailwright fetch alice@example.test --uid 7 text"
)]
pub struct Fetch {
    /// Address of the mailbox
    pub address: String,
    /// What to show of each message
    #[arg(value_name = "FIELD", default_values_t = ["uid", "flags", "date.received", "size", "hdr.from", "hdr.subject"].map(String::from))]
    pub fields: Vec<String>,
    /// Folder
    #[arg(long, default_value = "INBOX", value_name = "FOLDER")]
    pub mailbox: String,
    /// Only these messages: 7, or 1:10, or 1,3,5:8
    #[arg(long, value_name = "UIDS")]
    pub uid: Option<String>,
    /// The newest, when there are more
    #[arg(long, default_value_t = 100, value_name = "NUMBER")]
    pub limit: u32,
    /// Output format
    #[arg(short, long, default_value = "text")]
    pub output: PlanFormat,
}

/// `mailwright trace`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailwright trace --from bob@example.org --to sales@example.test
  mailwright trace --from alice@example.test --to bob@example.org --authenticated
  mailwright trace --from cron@example.test --to bob@example.org --ip 10.42.0.7")]
pub struct Trace {
    /// Envelope sender; `<>` is that of bounces
    #[arg(long, value_name = "ADDRESS")]
    pub from: String,
    /// Recipient
    #[arg(long, value_name = "ADDRESS")]
    pub to: String,
    /// Address of the client
    #[arg(long, value_name = "IP")]
    pub ip: Option<IpAddr>,
    /// As if the client had logged in
    #[arg(long)]
    pub authenticated: bool,
    /// Output format
    #[arg(short, long, default_value = "text")]
    pub output: PlanFormat,
}
