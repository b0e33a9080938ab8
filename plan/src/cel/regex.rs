//! Regular expressions (RE2 syntax): written in the policy, compiled with it, bounded in size. One that comes from an object
//! would be compiled for every object, and by whoever writes the object.

use regex::RegexBuilder;

use super::{At, Fault};

/// The longest pattern; a list of names is written with `in`.
const MAX_PATTERN: usize = 500;
/// The largest compiled pattern: `(a{1,50}){1,50}` is refused, what people write is a hundredth of it.
const MAX_COMPILED: usize = 256 * 1024;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    regex: regex::Regex,
}

impl Pattern {
    pub(super) fn new(at: At, text: &str) -> Result<Self, Fault> {
        if text.len() > MAX_PATTERN {
            return Err(Fault::new(at, format!("a pattern has at most {MAX_PATTERN} bytes")));
        }
        let built = RegexBuilder::new(text).size_limit(MAX_COMPILED).dfa_size_limit(MAX_COMPILED).build();
        let regex = built.map_err(|error| Fault::new(at, why(&error)))?;
        Ok(Self { regex })
    }

    /// Whether it matches anywhere in the text.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// The steps for a text of so many bytes: a byte may be looked at for every byte of the pattern.
    pub(super) fn steps(&self, bytes: usize) -> u64 {
        let work = bytes.saturating_mul(self.regex.as_str().len().max(1));
        (work / super::TEXT_STEP) as u64
    }
}

/// The last line of the library's explanation says what is wrong; those before draw an arrow.
fn why(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => {
            "the pattern is too large once it is compiled: fewer repetitions of repetitions".to_owned()
        }
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("not a regular expression: {last}")
        }
    }
}
