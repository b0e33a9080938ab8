//! Names of Kubernetes objects and of keys in a Secret, as the API server accepts them.

use crate::scalar::{Refusal, Scalar, scalar_traits};

/// The name of an object: a DNS subdomain (RFC 1123 §2.1), 253 characters at most.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName(String);

impl ObjectName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scalar for ObjectName {
    const WHAT: &'static str = "the name of an object";
    const PATTERN: &'static str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
    const MAX_LENGTH: u32 = 253;
    const RULES: &'static [(&'static str, &'static str)] = &[];

    fn parse(text: &str) -> Result<ObjectName, Refusal> {
        let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let label = |label: &str| {
            !label.is_empty() && label.bytes().all(inside) && !label.starts_with('-') && !label.ends_with('-')
        };
        if text.len() > Self::MAX_LENGTH as usize {
            return Err(Refusal::new(format!(
                "a name has at most {} characters, this one {}",
                Self::MAX_LENGTH,
                text.len()
            )));
        }
        if !text.split('.').all(label) {
            let refusal = Refusal::new(format!("{text:?} is not the name of an object"));
            let suggestion = text.to_lowercase().replace(['_', ' ', '@'], "-");
            return Err(match ObjectName::parse_quietly(&suggestion) {
                true => refusal.remedy(format!("write {suggestion}")),
                false => refusal.remedy(
                    "use lower-case letters, digits, hyphens and dots, a letter or digit at both ends",
                ),
            });
        }
        Ok(ObjectName(text.to_owned()))
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

impl ObjectName {
    fn parse_quietly(text: &str) -> bool {
        let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        text.split('.').all(|label| {
            !label.is_empty() && label.chars().all(inside) && !label.starts_with('-') && !label.ends_with('-')
        })
    }
}

scalar_traits!(ObjectName);

/// A key in the data of a Secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretKey(String);

impl SecretKey {
    /// `password`, where nothing else is said.
    pub(crate) fn password() -> SecretKey {
        SecretKey("password".to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scalar for SecretKey {
    const WHAT: &'static str = "a key of a Secret";
    const PATTERN: &'static str = "^[-._a-zA-Z0-9]+$";
    const MAX_LENGTH: u32 = 253;
    const RULES: &'static [(&'static str, &'static str)] = &[];

    fn parse(text: &str) -> Result<SecretKey, Refusal> {
        let inside = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if text.is_empty() || text.len() > Self::MAX_LENGTH as usize || !text.chars().all(inside) {
            return Err(Refusal::new(format!("{text:?} is not a key of a Secret"))
                .remedy("use 1 to 253 letters, digits, hyphens, underscores and dots"));
        }
        Ok(SecretKey(text.to_owned()))
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

scalar_traits!(SecretKey);
