//! What all string-like field types have in common: a schema (pattern, length, CEL rules) that an API server can
//! run, and a parser that says the same with a better message. Each type itself is in a file of its own.

use serde_json::{Map, Value, json};

/// A string field with a grammar of its own.
///
/// `PATTERN`, `MAX_LENGTH` and `RULES` are what the generated schema carries; [`Scalar::parse`] accepts the same texts and
/// explains what it refuses.
pub trait Scalar: Sized {
    /// What the value is called in messages: `an e-mail address`.
    const WHAT: &'static str;
    /// The pattern in the schema (the common ground of RE2 and ECMA 262), anchored at both ends.
    const PATTERN: &'static str;
    /// The shortest accepted text in characters.
    const MIN_LENGTH: u32 = 1;
    /// The longest accepted text in characters.
    const MAX_LENGTH: u32;
    /// CEL rules `(expression, message)` for what a pattern cannot say.
    const RULES: &'static [(&'static str, &'static str)];
    /// CEL expressions `(rule, message)` for rules whose message can say what would be right for this value.
    const SAYS: &'static [(&'static str, &'static str)] = &[];
    /// Reads a value from its text.
    fn parse(text: &str) -> Result<Self, Refusal>;
    /// The text as it is written in a manifest.
    fn as_text(&self) -> &str;
}

/// Why a text is not a value of a scalar type, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What is wrong.
    pub message: String,
    /// What to write instead, where that can be said.
    pub remedy: Option<String>,
}

impl Refusal {
    /// A refusal that cannot say what would be right.
    pub fn new(message: impl Into<String>) -> Refusal {
        Refusal { message: message.into(), remedy: None }
    }

    /// Adds what to write instead.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Refusal {
        self.remedy = Some(remedy.into());
        self
    }
}

/// A text in quotes for a message, shortened when it is longer than anybody reads.
pub(crate) fn quote(text: &str) -> String {
    /// Longer than any address or name that is nearly right.
    const MAX_QUOTED: usize = 120;
    match text.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// The schema of a scalar type.
pub(crate) fn schema<T: Scalar>() -> schemars::Schema {
    let mut object = Map::new();
    object.insert("type".to_owned(), json!("string"));
    object.insert("minLength".to_owned(), json!(T::MIN_LENGTH));
    object.insert("maxLength".to_owned(), json!(T::MAX_LENGTH));
    object.insert("pattern".to_owned(), json!(T::PATTERN));
    if !T::RULES.is_empty() {
        let rules = T::RULES.iter().map(rule::<T>);
        object.insert("x-kubernetes-validations".to_owned(), Value::Array(rules.collect()));
    }
    schemars::Schema::from(object)
}

fn rule<T: Scalar>((rule, message): &(&str, &str)) -> Value {
    let mut said = json!({"rule": rule, "message": message});
    if let Some((_, expression)) = T::SAYS.iter().find(|(of, _)| of == rule) {
        said["messageExpression"] = json!(expression);
    }
    said
}

/// Writes the traits that every scalar type has from its [`Scalar`] implementation; `secret` leaves out `Display`.
macro_rules! scalar_traits {
    ($type:ty) => {
        $crate::scalar::scalar_traits!($type, secret);

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str($crate::scalar::Scalar::as_text(self))
            }
        }
    };
    ($type:ty, secret) => {
        impl std::str::FromStr for $type {
            type Err = $crate::scalar::Refusal;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                <Self as $crate::scalar::Scalar>::parse(text)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str($crate::scalar::Scalar::as_text(self))
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                <Self as $crate::scalar::Scalar>::parse(&text).map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $crate::scalar::schema::<$type>()
            }
        }
    };
}
pub(crate) use scalar_traits;

#[cfg(test)]
mod tests;
