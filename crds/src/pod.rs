//! Texts that go into a pod as they are: amounts of its resources, images, and the kinds of other people's objects. Whether
//! a cluster has what they name is for it to say.

use crate::scalar::{Refusal, Scalar, quote, scalar_traits};

/// An amount of CPU time or memory: `100m`, `0.5`, `512Mi`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(String);

/// The suffixes of an amount; the longer ones first.
const UNITS: [&str; 12] = ["m", "Ki", "Mi", "Gi", "Ti", "Pi", "k", "M", "G", "T", "P", ""];
/// More digits than any node has bytes.
const MAX_DIGITS: usize = 15;
/// A thousandth of a CPU is the finest amount there is.
const MAX_FRACTION: usize = 3;

impl Amount {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A default.
    pub(crate) fn of(text: &str) -> Amount {
        Amount(text.to_owned())
    }

    pub(crate) fn schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "x-kubernetes-int-or-string": true,
            "pattern": Amount::PATTERN,
            "maxLength": Amount::MAX_LENGTH,
            "minimum": 0,
            "maximum": 999_999_999_999_999_i64,
        })
    }
}

impl Scalar for Amount {
    const WHAT: &'static str = "an amount of a resource";
    const PATTERN: &'static str = "^[0-9]{1,15}(\\.[0-9]{1,3})?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi)?$";
    const MAX_LENGTH: u32 = 21;
    const RULES: &'static [(&'static str, &'static str)] = &[];

    fn parse(text: &str) -> Result<Amount, Refusal> {
        let number = UNITS.into_iter().find_map(|unit| text.strip_suffix(unit)).unwrap_or(text);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        if !digits(whole, MAX_DIGITS) || !digits(fraction, MAX_FRACTION) {
            return Err(Refusal::new(format!("{} is not an amount of a resource", quote(text)))
                .remedy("write one like 100m or 2 for cpu, 512Mi for memory"));
        }
        Ok(Amount(text.to_owned()))
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

fn digits(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for Amount {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// `cpu: 2` is a number in YAML, and everybody writes it.
impl<'de> serde::Deserialize<'de> for Amount {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u64),
            Text(String),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Number(number) => number.to_string(),
            Written::Text(text) => text,
        };
        Amount::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Amount {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Amount::schema(generator)
    }
}

/// The reference of a container image: `registry.example.org/mail/mailwright:1.2`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageName(String);

impl ImageName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scalar for ImageName {
    const WHAT: &'static str = "the name of an image";
    const PATTERN: &'static str = "^[a-zA-Z0-9]([-a-zA-Z0-9._/:@]*[a-zA-Z0-9])?$";
    const MAX_LENGTH: u32 = 512;
    const RULES: &'static [(&'static str, &'static str)] = &[];

    fn parse(text: &str) -> Result<ImageName, Refusal> {
        let end = |c: char| c.is_ascii_alphanumeric();
        let inside = text.chars().all(|c| end(c) || "-._/:@".contains(c));
        if !inside || !text.starts_with(end) || !text.ends_with(end) || text.len() > Self::MAX_LENGTH as usize
        {
            return Err(Refusal::new(format!("{} is not the name of an image", quote(text)))
                .remedy("write one like registry.example.org/mail/mailwright:1.2"));
        }
        Ok(ImageName(text.to_owned()))
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

scalar_traits!(ImageName);

/// The kind of an object of another API: `ClusterIssuer`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KindName(String);

impl KindName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A default.
    pub(crate) fn of(text: &str) -> KindName {
        KindName(text.to_owned())
    }
}

impl Scalar for KindName {
    const WHAT: &'static str = "the name of a kind";
    const PATTERN: &'static str = "^[A-Z][a-zA-Z0-9]*$";
    const MAX_LENGTH: u32 = 63;
    const RULES: &'static [(&'static str, &'static str)] = &[];

    fn parse(text: &str) -> Result<KindName, Refusal> {
        let inside = text.chars().all(|c| c.is_ascii_alphanumeric());
        let first = text.starts_with(|c: char| c.is_ascii_uppercase());
        if !inside || !first || text.len() > Self::MAX_LENGTH as usize {
            return Err(Refusal::new(format!("{} is not the name of a kind", quote(text)))
                .remedy("write one like Issuer: a capital letter, then letters and digits"));
        }
        Ok(KindName(text.to_owned()))
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

scalar_traits!(KindName);
