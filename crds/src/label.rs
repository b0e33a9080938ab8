//! Labels as Kubernetes takes them: their keys and their values. What a selector of them chooses is in `namespaces`.

use crate::scalar::{Refusal, Scalar, quote, scalar_traits};

/// The key of a label: a name, with an optional DNS subdomain and a slash before it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelKey(String);

impl LabelKey {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A prefix of 253 characters, a slash, and a name of 63.
const MAX_KEY: u32 = 317;
const MAX_PREFIX: usize = 253;
const MAX_NAME: usize = 63;

impl Scalar for LabelKey {
    const WHAT: &'static str = "the key of a label";
    const PATTERN: &'static str =
        "^([a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$";
    const MAX_LENGTH: u32 = MAX_KEY;
    const RULES: &'static [(&'static str, &'static str)] = &[];

    fn parse(text: &str) -> Result<LabelKey, Refusal> {
        let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
        let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let prefixed = prefix.is_none_or(|prefix| is_word(prefix, MAX_PREFIX, lower, "-."));
        if !prefixed || !is_word(name, MAX_NAME, |c| c.is_ascii_alphanumeric(), "-_.") {
            return Err(Refusal::new(format!("{} is not the key of a label", quote(text)))
                .remedy("write one like team or example.org/team"));
        }
        Ok(LabelKey(text.to_owned()))
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

scalar_traits!(LabelKey);

/// The value of a label; it may be empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelValue(String);

impl LabelValue {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scalar for LabelValue {
    const WHAT: &'static str = "the value of a label";
    const PATTERN: &'static str = "^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$";
    const MIN_LENGTH: u32 = 0;
    const MAX_LENGTH: u32 = 63;
    const RULES: &'static [(&'static str, &'static str)] = &[];

    fn parse(text: &str) -> Result<LabelValue, Refusal> {
        if !text.is_empty() && !is_word(text, MAX_NAME, |c| c.is_ascii_alphanumeric(), "-_.") {
            return Err(Refusal::new(format!("{} is not the value of a label", quote(text))).remedy(
                "use at most 63 letters, digits, hyphens, underscores and dots, a letter or digit at both ends",
            ));
        }
        Ok(LabelValue(text.to_owned()))
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

scalar_traits!(LabelValue);

/// Some characters at both ends, and a few more kinds between.
fn is_word(text: &str, longest: usize, end: impl Fn(char) -> bool, beside: &str) -> bool {
    let ends = text.starts_with(&end) && text.ends_with(&end);
    ends && text.len() <= longest && text.chars().all(|c| end(c) || beside.contains(c))
}
