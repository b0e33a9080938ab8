//! The options of `mailwright up` about previews: whose forge, which references, and the token.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mailwright_operator::preview::Provider;

/// Previews: what a pull request would change is told where the pull request is.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Previews")]
pub struct Preview {
    /// Plan open pull requests, and post the plan as a commit status and a comment to this forge
    #[arg(
        id = "preview-provider",
        long = "preview-provider",
        value_name = "FORGE",
        requires = "preview-token-file"
    )]
    pub provider: Option<Forge>,
    /// Where the forge's API is: `https://git.example.org/api/v1` [default: that of github.com or gitlab.com]
    #[arg(long = "preview-api", value_name = "URL", requires = "preview-provider")]
    pub api: Option<String>,
    /// References that are planned; may be given more than once [default: the heads of pull requests]
    #[arg(long = "preview-ref", value_name = "PATTERN", requires = "preview-provider")]
    pub refs: Vec<String>,
    /// File with a token that may read pull requests and write commit statuses and comments
    #[arg(
        id = "preview-token-file",
        long = "preview-token-file",
        value_name = "FILE",
        requires = "preview-provider"
    )]
    pub token_file: Option<PathBuf>,
}

/// The forges that are posted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Forge {
    /// github.com and GitHub Enterprise
    #[value(name = "github")]
    GitHub,
    /// GitLab
    #[value(name = "gitlab")]
    GitLab,
    /// Gitea and Forgejo
    Gitea,
}

impl From<Forge> for Provider {
    fn from(forge: Forge) -> Provider {
        match forge {
            Forge::GitHub => Provider::GitHub,
            Forge::GitLab => Provider::GitLab,
            Forge::Gitea => Provider::Gitea,
        }
    }
}
