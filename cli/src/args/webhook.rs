//! The options of `mailwright up` about webhooks: where they arrive, from whom, and the token.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mailwright_operator::webhook::Provider;

/// Webhooks of a forge: a push is in force at once instead of at the next interval.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Webhooks")]
pub struct Webhook {
    /// Listen here for webhooks, without TLS: put a proxy that has it in front. The token comes from a file, or from spec.webhook
    #[arg(id = "webhook-listen", long = "webhook-listen", value_name = "IP:PORT")]
    pub listen: Option<SocketAddr>,
    /// Whose webhooks they are
    #[arg(
        long = "webhook-provider",
        default_value = "generic",
        value_name = "FORGE",
        requires = "webhook-listen"
    )]
    pub provider: Forge,
    /// File with the token that the forge was told
    #[arg(
        id = "webhook-token-file",
        long = "webhook-token-file",
        value_name = "FILE",
        requires = "webhook-listen"
    )]
    pub token_file: Option<PathBuf>,
}

/// The forges whose webhooks are understood.
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
    /// Anything that signs as docs/gitops.md says
    Generic,
}

impl From<Forge> for Provider {
    fn from(forge: Forge) -> Provider {
        match forge {
            Forge::GitHub => Provider::GitHub,
            Forge::GitLab => Provider::GitLab,
            Forge::Gitea => Provider::Gitea,
            Forge::Generic => Provider::Generic,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Parser as _, ValueEnum as _};

    use super::*;
    use crate::args::{Arguments, Command};

    fn parse(line: &str) -> Result<Webhook, String> {
        let words = ["mailwright", "up", "."].into_iter().chain(line.split_whitespace());
        match Arguments::try_parse_from(words).map_err(|error| error.to_string())?.command {
            Command::Up(up) => Ok(up.webhook),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_token_and_a_provider_need_a_listener() {
        let all = parse("--webhook-listen 127.0.0.1:9292 --webhook-provider gitlab --webhook-token-file t")
            .unwrap();
        assert_eq!(all.listen.unwrap().port(), 9292);
        assert_eq!((Provider::from(all.provider), all.token_file.is_some()), (Provider::GitLab, true));
        assert!(
            parse("--webhook-listen 127.0.0.1:9292").unwrap().token_file.is_none(),
            "spec.webhook may have it"
        );
        let none = parse("").unwrap();
        assert!(none.listen.is_none() && none.token_file.is_none());
        for (line, says) in [
            ("--webhook-token-file t", "--webhook-listen"),
            ("--webhook-provider github", "--webhook-listen"),
            ("--webhook-listen 127.0.0.1:1 --webhook-token-file t --webhook-provider x", "invalid value"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(says), "{line}: {error}");
        }
    }

    #[test]
    fn every_forge_has_its_provider() {
        let names =
            [("github", Provider::GitHub), ("gitea", Provider::Gitea), ("generic", Provider::Generic)];
        for (name, provider) in names {
            assert_eq!(Provider::from(Forge::from_str(name, false).unwrap()), provider);
        }
    }
}
