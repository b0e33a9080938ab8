//! The command line of `mailwright policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::PlanFormat;

/// `mailwright policy`
#[derive(Debug, Args)]
pub struct Policy {
    /// What to do.
    #[command(subcommand)]
    pub command: PolicyCommand,
}

/// The subcommands of `policy`.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Run the tests (kind: MailPolicyTest) of the policies of a directory; exit code 1 when one fails
    Test(PolicyTest),
    /// Try an expression on the objects of a file; exit code 1 when it is not true for all
    Eval(PolicyEval),
}

/// `mailwright policy test`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailwright policy test examples/policies
  mailwright policy test . -o json

Policies are the MailPolicy documents and the policies of MailServers and MailRepositories in the directory.")]
pub struct PolicyTest {
    /// Directory of manifests with policies and tests
    #[arg(value_name = "DIR")]
    pub directory: String,
    /// Output format
    #[arg(short, long, default_value = "text")]
    pub output: PlanFormat,
}

/// `mailwright policy eval`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailwright policy eval 'has(object.spec.displayName)' people.yaml
  mailwright policy eval \"quantity(object.spec.quota) <= quantity('10Gi')\" alice.yaml

Of the file, Mailboxes, Aliases and MailDomains are judged, each with the others around it.")]
pub struct PolicyEval {
    /// The expression, in CEL
    #[arg(value_name = "EXPRESSION")]
    pub expression: String,
    /// File of manifests
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Output format
    #[arg(short, long, default_value = "text")]
    pub output: PlanFormat,
}
