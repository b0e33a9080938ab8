//! The command line of what was done and why: history, why, undo, approve.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Output for people or programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people
    Text,
    /// For programs
    Json,
}

/// When a plan needs an approval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ApprovalMode {
    /// Never lift a guard: what it holds stays held until the manifests change
    Never,
    /// Hold what a guard holds until its plan is approved
    #[default]
    OnGuard,
    /// Apply nothing before its plan is approved
    Always,
}

impl From<ApprovalMode> for mailwright_plan::Approval {
    fn from(mode: ApprovalMode) -> Self {
        match mode {
            ApprovalMode::Never => Self::Never,
            ApprovalMode::OnGuard => Self::OnGuard,
            ApprovalMode::Always => Self::Always,
        }
    }
}

/// `mailwright history`
#[derive(Debug, Args)]
pub struct History {
    /// Address or domain; a domain's history is also that of its addresses [default: everything]
    #[arg(value_name = "ADDRESS|DOMAIN")]
    pub subject: Option<String>,
    /// Only what this revision did: a commit (or its beginning), a revision as it is printed, or a plan's digest
    #[arg(long, value_name = "REVISION")]
    pub revision: Option<String>,
    /// At most so many, the newest first
    #[arg(long, default_value_t = 50, value_name = "NUMBER")]
    pub limit: usize,
    /// Output format
    #[arg(short, long, default_value = "text")]
    pub output: Form,
}

/// `mailwright why`
#[derive(Debug, Args)]
pub struct Why {
    /// Address or domain
    #[arg(value_name = "ADDRESS|DOMAIN")]
    pub subject: String,
}

/// `mailwright undo`
#[derive(Debug, Args)]
pub struct Undo {
    /// What is to be undone: a commit (or its beginning), or a revision as the history prints it
    #[arg(value_name = "REVISION")]
    pub revision: String,
    /// A local clone: shows the patch that reverts the commit there, and the plan of the manifests after it
    #[arg(long, value_name = "DIR")]
    pub repository: Option<PathBuf>,
    /// Folder of the manifests inside the repository
    #[arg(long, value_name = "FOLDER", requires = "repository")]
    pub path: Option<String>,
    /// Write the reverting commit to a new branch of the clone; neither its files nor its branches change
    #[arg(long, requires = "repository")]
    pub write: bool,
    /// Output format of the plan
    #[arg(short, long, default_value = "text")]
    pub output: super::PlanOutput,
}

/// `mailwright approve`
#[derive(Debug, Args)]
pub struct Approve {
    /// The digest that the plan prints, at least its first 16 characters
    #[arg(value_name = "DIGEST")]
    pub digest: String,
}
