//! Names of Kubernetes objects and of keys in a Secret, as the API server accepts them, and display names of people.

use crate::scalar::{Refusal, Scalar, quote, scalar_traits};

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
    const WHAT: &'static str = "an object name";
    const PATTERN: &'static str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
    const MAX_LENGTH: u32 = 253;
    const RULES: &'static [(&'static str, &'static str)] = &[];

    fn parse(text: &str) -> Result<ObjectName, Refusal> {
        if text.len() > Self::MAX_LENGTH as usize {
            return Err(Refusal::new(format!(
                "a name has at most {} characters, this one {}",
                Self::MAX_LENGTH,
                text.len()
            )));
        }
        if !text.split('.').all(is_label) {
            let refusal = Refusal::new(format!("{} is not the name of an object", quote(text)));
            let suggestion = text.to_lowercase().replace(['_', ' ', '@'], "-");
            return Err(match suggestion.split('.').all(is_label) {
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

scalar_traits!(ObjectName);

fn is_label(label: &str) -> bool {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !label.is_empty() && label.chars().all(inside) && !label.starts_with('-') && !label.ends_with('-')
}

/// The name of a namespace: a DNS label (RFC 1123 §2.1), 63 characters at most.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamespaceName(String);

impl NamespaceName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scalar for NamespaceName {
    const WHAT: &'static str = "the name of a namespace";
    const PATTERN: &'static str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
    const MAX_LENGTH: u32 = 63;
    const RULES: &'static [(&'static str, &'static str)] = &[];

    fn parse(text: &str) -> Result<NamespaceName, Refusal> {
        if text.len() > Self::MAX_LENGTH as usize || !is_label(text) {
            return Err(Refusal::new(format!("{} is not the name of a namespace", quote(text))).remedy(
                "use at most 63 lower-case letters, digits and hyphens, a letter or digit at both ends",
            ));
        }
        Ok(NamespaceName(text.to_owned()))
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

scalar_traits!(NamespaceName);

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
            return Err(Refusal::new(format!("{} is not a key of a Secret", quote(text)))
                .remedy("use 1 to 253 letters, digits, hyphens, underscores and dots"));
        }
        Ok(SecretKey(text.to_owned()))
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

scalar_traits!(SecretKey);

/// The name of a person or a purpose: one line of any characters but controls.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DisplayName(String);

impl DisplayName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scalar for DisplayName {
    const WHAT: &'static str = "a display name";
    const PATTERN: &'static str = "^[^\\x00-\\x1F\\x7F]+$";
    const MAX_LENGTH: u32 = 255;
    const RULES: &'static [(&'static str, &'static str)] = &[];

    fn parse(text: &str) -> Result<DisplayName, Refusal> {
        let length = text.chars().count();
        if length == 0 {
            return Err(Refusal::new("a display name cannot be empty").remedy("leave the field out"));
        }
        if length > Self::MAX_LENGTH as usize {
            return Err(Refusal::new(format!(
                "a display name has at most {} characters, this one {length}",
                Self::MAX_LENGTH
            )));
        }
        if text.chars().any(|c| c.is_ascii_control()) {
            return Err(Refusal::new(format!("{} has a control character in it", quote(text)))
                .remedy("write the name on one line, without tabs"));
        }
        Ok(DisplayName(text.to_owned()))
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

scalar_traits!(DisplayName);
