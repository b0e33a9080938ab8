//! Which scalar type is behind a pattern of the schema: so that a refused text gets the type's own explanation instead of a
//! regular expression.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use regex::Regex;

use crate::address::{Address, AliasAddress};
use crate::domain::DomainName;
use crate::duration::Duration;
use crate::label::{LabelKey, LabelValue};
use crate::mail_repository::{
    CommitId, ForgeUrl, RefName, RefPattern, RepositoryPath, RepositoryUrl, VersionRange,
};
use crate::name::{DisplayName, NamespaceName, ObjectName, SecretKey};
use crate::network::{Ip4Network, Ip6Network, RecordName, RelayHost, Resolver, TrustedNetwork};
use crate::password_hash::PasswordHash;
use crate::pod::{Amount, ImageName, KindName};
use crate::policy::{Expression, PolicyMessage};
use crate::quantity::Quantity;
use crate::scalar::{Refusal, Scalar};

/// A scalar type as the walk sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScalarInfo {
    /// Its pattern in the schema.
    pub(crate) pattern: &'static str,
    /// Its CEL rules.
    pub(crate) rules: &'static [(&'static str, &'static str)],
    /// The shortest text.
    #[cfg_attr(not(test), allow(dead_code))]
    pub(crate) min_length: u32,
    /// The longest text.
    pub(crate) max_length: u32,
    /// What it looks like, for the reference.
    pub(crate) looks: &'static str,
    /// What the value is called.
    pub(crate) what: &'static str,
    /// The name of the type in the reference.
    pub(crate) name: &'static str,
    /// Explains what is wrong with a text.
    pub(crate) explain: fn(&str) -> Option<Refusal>,
}

const fn info<T: Scalar>(name: &'static str, looks: &'static str) -> ScalarInfo {
    ScalarInfo {
        pattern: T::PATTERN,
        rules: T::RULES,
        min_length: T::MIN_LENGTH,
        max_length: T::MAX_LENGTH,
        looks,
        what: T::WHAT,
        name,
        explain: |text| T::parse(text).err(),
    }
}

/// All of them.
pub(crate) const SCALARS: [ScalarInfo; 30] = [
    info::<Address>("Address", "`alice@example.org`: lower case, the domain in A-labels"),
    info::<AliasAddress>(
        "Address or @domain",
        "`office@example.org`, or `@example.org` for all other addresses of the domain",
    ),
    info::<DomainName>(
        "Domain name",
        "`example.org`, `xn--bcher-kva.example`: lower-case A-labels, fully qualified, no final dot",
    ),
    info::<Duration>("Duration", "`720h`, `1h30m`, `45s`: numbers with h, m, s or ms"),
    info::<DisplayName>("Text", "any text on one line"),
    info::<Expression>("CEL expression", "`object.spec.enabled`: on one line or several"),
    info::<PolicyMessage>("Message", "a sentence on one line"),
    info::<ObjectName>(
        "Object name",
        "`mail`, `alice-password`: lower-case letters, digits, hyphens and dots",
    ),
    info::<NamespaceName>("Namespace", "`mail`, `team-a`: lower-case letters, digits and hyphens"),
    info::<LabelKey>(
        "Label key",
        "`team`, `topology.kubernetes.io/zone`: a name, with or without a domain before it",
    ),
    info::<LabelValue>(
        "Label value",
        "`a`, `eu-1`: letters, digits, hyphens, underscores and dots, or nothing",
    ),
    info::<Amount>(
        "Amount",
        "`100m`, `2`, `512Mi`: a number with m (thousandths), k, M, G, T, P or Ki, Mi, Gi, Ti, Pi",
    ),
    info::<ImageName>("Image", "`registry.example.org/mail/mailwright:1.2`"),
    info::<KindName>("Kind", "`ClusterIssuer`: a capital letter, then letters and digits"),
    info::<SecretKey>("Secret key", "`password`, `tls.crt`: letters, digits, hyphens, underscores and dots"),
    info::<Ip4Network>("IPv4 network", "`192.0.2.1`, `192.0.2.0/24`"),
    info::<Ip6Network>("IPv6 network", "`2001:db8::1`, `2001:db8::/32`"),
    info::<RecordName>("Record name", "`_spf.example.org`: a fully qualified name, underscores allowed"),
    info::<TrustedNetwork>(
        "Network",
        "`192.0.2.7`, `10.42.0.0/16`, `2001:db8:7::/48`: IPv4 from /8 on, IPv6 from /7 on",
    ),
    info::<RelayHost>("Host", "`smtp.example.org`, `relay`, `192.0.2.7`: a host name or an IP address"),
    info::<Resolver>(
        "Name server",
        "`192.0.2.53`, `192.0.2.53:5353`, `[2001:db8::53]:53`: an IP address, with or without a port",
    ),
    info::<PasswordHash>(
        "Password hash",
        "`$argon2id$…`, `$2b$…`, `$6$…`, `{SSHA512}…`: PHC, crypt or `{SCHEME}` form",
    ),
    info::<Quantity>(
        "Quantity",
        "`500Mi`, `1.5Gi`, `2G`: a number with k, M, G, T, P, E (1000) or Ki, Mi, Gi, Ti, Pi, Ei (1024)",
    ),
    info::<RepositoryUrl>(
        "Repository URL",
        "`https://git.example.org/mail.git`, `ssh://git@git.example.org/mail.git`, `git@git.example.org:mail.git`, \
         `file:///srv/mail.git`: without credentials",
    ),
    info::<RepositoryPath>("Path", "`mail`, `clusters/production`: below the root of the repository"),
    info::<RefName>("Branch or tag", "`main`, `release/1.x`, `v1.2.0`"),
    info::<VersionRange>("Version range", "`>=1.2, <2`, `^1.4`, `~2.1`, `*`"),
    info::<CommitId>("Commit", "40 or 64 lower-case hexadecimal digits"),
    info::<RefPattern>("References", "`refs/pull/*/head`, `refs/heads/preview-*`"),
    info::<ForgeUrl>("API URL", "`https://git.example.org/api/v1`: https, or http of this very machine"),
];

/// The scalar type with this pattern.
pub(crate) fn by_pattern(pattern: &str) -> Option<&'static ScalarInfo> {
    SCALARS.iter().find(|info| info.pattern == pattern)
}

/// Whether a text matches a pattern of the schema. Patterns come from this crate only and all compile (a test holds that).
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    static COMPILED: LazyLock<Mutex<HashMap<String, Option<Regex>>>> = LazyLock::new(Mutex::default);
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let regex = compiled.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).ok());
    regex.as_ref().is_some_and(|regex| regex.is_match(text))
}
