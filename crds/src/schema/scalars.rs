//! Which scalar type is behind a pattern of the schema: so that a refused text gets the type's own explanation instead of a
//! regular expression.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use regex::Regex;

use crate::address::{Address, AliasAddress};
use crate::domain::DomainName;
use crate::duration::Duration;
use crate::name::{DisplayName, ObjectName, SecretKey};
use crate::network::{Ip4Network, Ip6Network, RecordName};
use crate::password_hash::PasswordHash;
use crate::quantity::Quantity;
use crate::scalar::{Refusal, Scalar};

/// A scalar type as the walk sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScalarInfo {
    pattern: &'static str,
    /// What the value is called.
    pub(crate) what: &'static str,
    /// The name of the type in the reference.
    pub(crate) name: &'static str,
    /// Explains what is wrong with a text.
    pub(crate) explain: fn(&str) -> Option<Refusal>,
}

const fn info<T: Scalar>(name: &'static str) -> ScalarInfo {
    ScalarInfo { pattern: T::PATTERN, what: T::WHAT, name, explain: |text| T::parse(text).err() }
}

/// All of them.
pub(crate) const SCALARS: [ScalarInfo; 12] = [
    info::<Address>("Address"),
    info::<AliasAddress>("Address or @domain"),
    info::<DomainName>("Domain name"),
    info::<Duration>("Duration"),
    info::<DisplayName>("Text"),
    info::<ObjectName>("Object name"),
    info::<SecretKey>("Secret key"),
    info::<Ip4Network>("IPv4 network"),
    info::<Ip6Network>("IPv6 network"),
    info::<RecordName>("Record name"),
    info::<PasswordHash>("Password hash"),
    info::<Quantity>("Quantity"),
];

/// The scalar type with this pattern.
pub(crate) fn by_pattern(pattern: &str) -> Option<&'static ScalarInfo> {
    SCALARS.iter().find(|info| info.pattern == pattern)
}

/// Whether a text matches a pattern of the schema. Patterns come from this crate only and all compile (a test holds that).
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    static COMPILED: LazyLock<Mutex<HashMap<String, Option<Regex>>>> = LazyLock::new(Mutex::default);
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let regex = compiled.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).ok());
    regex.as_ref().is_some_and(|regex| regex.is_match(text))
}
