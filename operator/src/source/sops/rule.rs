//! Which values of a file are encrypted: those below a key that the rule of the `sops` block names.

use regex::{Regex, RegexBuilder};

/// What applies when the block has no rule.
const DEFAULT_SUFFIX: &str = "_unencrypted";
/// Memory of a compiled expression: those that people write take some kilobytes.
const MAX_COMPILED: usize = 256 * 1024;

/// The rule of a file.
#[derive(Debug)]
pub(super) enum Rule {
    /// All but what is below a key with this end.
    UnencryptedSuffix(String),
    /// Only what is below a key with this end.
    EncryptedSuffix(String),
    /// All but what is below a key that matches.
    UnencryptedRegex(Regex),
    /// Only what is below a key that matches.
    EncryptedRegex(Regex),
    /// Comments decide, and the parser leaves those out: a value that looks encrypted is. The MAC holds either way.
    Comments,
}

impl Rule {
    /// The fields that may say it.
    pub(super) const KEYS: &[&str] = &[
        "unencrypted_suffix",
        "encrypted_suffix",
        "unencrypted_regex",
        "encrypted_regex",
        "unencrypted_comment_regex",
        "encrypted_comment_regex",
    ];

    /// The rule of a field; `None` when it is not understood.
    pub(super) fn new(key: &str, text: &str) -> Option<Rule> {
        let regex = || RegexBuilder::new(text).size_limit(MAX_COMPILED).build().ok();
        match key {
            "unencrypted_suffix" => Some(Rule::UnencryptedSuffix(text.to_owned())),
            "encrypted_suffix" => Some(Rule::EncryptedSuffix(text.to_owned())),
            "unencrypted_regex" => regex().map(Rule::UnencryptedRegex),
            "encrypted_regex" => regex().map(Rule::EncryptedRegex),
            "unencrypted_comment_regex" | "encrypted_comment_regex" => Some(Rule::Comments),
            _ => None,
        }
    }

    /// Whether the rule names this key; everything below it then counts as named.
    pub(super) fn names(&self, key: &str) -> bool {
        match self {
            Rule::UnencryptedSuffix(suffix) | Rule::EncryptedSuffix(suffix) => key.ends_with(suffix),
            Rule::UnencryptedRegex(regex) | Rule::EncryptedRegex(regex) => regex.is_match(key),
            Rule::Comments => false,
        }
    }

    /// Whether a value is encrypted, from whether a key above it is named; `None` when its look decides.
    pub(super) fn encrypts(&self, named: bool) -> Option<bool> {
        match self {
            Rule::UnencryptedSuffix(_) | Rule::UnencryptedRegex(_) => Some(!named),
            Rule::EncryptedSuffix(_) | Rule::EncryptedRegex(_) => Some(named),
            Rule::Comments => None,
        }
    }
}

impl Default for Rule {
    fn default() -> Rule {
        Rule::UnencryptedSuffix(DEFAULT_SUFFIX.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_decide_about_paths() {
        let table: [(&str, &str, &[&str], Option<bool>); 12] = [
            ("encrypted_regex", "^(data|stringData)$", &["stringData", "password"], Some(true)),
            ("encrypted_regex", "^(data|stringData)$", &["metadata", "name"], Some(false)),
            ("encrypted_regex", "^data$", &["stringData"], Some(false)),
            ("encrypted_regex", "word", &["a", "passwords", "b"], Some(true)),
            ("unencrypted_regex", "^meta", &["metadata", "name"], Some(false)),
            ("unencrypted_regex", "^meta", &["data"], Some(true)),
            ("encrypted_suffix", "_enc", &["a_enc", "b"], Some(true)),
            ("encrypted_suffix", "_enc", &["_enc_", "b"], Some(false)),
            ("unencrypted_suffix", "_clear", &["a_clear"], Some(false)),
            ("unencrypted_suffix", "_clear", &["a"], Some(true)),
            ("encrypted_comment_regex", "secret", &["a"], None),
            ("unencrypted_comment_regex", "clear", &["a"], None),
        ];
        for (key, text, path, expected) in table {
            let rule = Rule::new(key, text).unwrap();
            let named = path.iter().any(|key| rule.names(key));
            assert_eq!(rule.encrypts(named), expected, "{key} {text} {path:?}");
        }
    }

    #[test]
    fn without_a_rule_one_suffix_is_left_out() {
        let rule = Rule::default();
        assert_eq!(rule.encrypts(rule.names("note_unencrypted")), Some(false));
        assert_eq!(rule.encrypts(rule.names("note")), Some(true));
    }

    #[test]
    fn what_is_no_expression_or_too_large_is_no_rule() {
        for text in ["(", "[a", r"(?=x)", "(a{1000}){1000}"] {
            assert!(Rule::new("encrypted_regex", text).is_none(), "{text}");
        }
        assert!(Rule::new("other", "x").is_none());
    }
}
