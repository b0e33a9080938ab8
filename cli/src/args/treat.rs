//! Owns the options about rows that others manage and changes that others made. Leaves out deciding.

use clap::{Args, ValueEnum};
use mailwright_plan::settings::{Adoption, DriftPolicy};

/// What every subcommand that plans takes.
#[derive(Debug, Clone, Default, Args)]
pub struct Treat {
    /// Take over rows that another source manages, or nobody: `never`, `if-identical`, `force`, or the token of that source;
    /// may be given more than once [default: those that nobody manages]
    #[arg(long, value_name = "WAY|TOKEN")]
    pub adopt: Vec<String>,
    /// What becomes of rows that were changed behind the manifests' back
    #[arg(long, value_enum, default_value_t, value_name = "POLICY")]
    pub drift: Drift,
}

/// What becomes of drift.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Drift {
    /// It is put back as it is declared
    #[default]
    Repair,
    /// It is held back and shown
    Report,
}

impl Treat {
    /// The same as settings of a plan: ways and tokens apart. The last way counts.
    pub fn settings(&self) -> (Adoption, Vec<String>, DriftPolicy) {
        let mut adoption = Adoption::default();
        let mut tokens = Vec::new();
        for word in &self.adopt {
            match word.as_str() {
                "never" => adoption = Adoption::Never,
                "if-identical" => adoption = Adoption::IfIdentical,
                "force" => adoption = Adoption::Force,
                token => tokens.push(token.to_owned()),
            }
        }
        let drift = match self.drift {
            Drift::Repair => DriftPolicy::Repair,
            Drift::Report => DriftPolicy::Report,
        };
        (adoption, tokens, drift)
    }
}

/// `mailwright adopt`
#[derive(Debug, Args)]
pub struct Adopt {
    /// The source whose rows are to be taken over, as conflicts name it
    #[arg(value_name = "SOURCE")]
    pub source: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_and_tokens_are_told_apart() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        for (adopt, adoption, tokens) in [
            (words(&[]), Adoption::Unmanaged, words(&[])),
            (words(&["never"]), Adoption::Never, words(&[])),
            (words(&["if-identical", "0011"]), Adoption::IfIdentical, words(&["0011"])),
            (words(&["0011", "2233", "never", "force"]), Adoption::Force, words(&["0011", "2233"])),
        ] {
            let treat = Treat { adopt, drift: Drift::Report };
            assert_eq!(treat.settings(), (adoption, tokens, DriftPolicy::Report));
        }
    }
}
