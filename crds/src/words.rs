//! Enumerations of the API: one list of words, from which come the Rust type, the texts in manifests, the schema, and what the
//! reference says about each word.

/// A word of an enumeration and what it means, for the schema's descriptions and the reference.
pub(crate) type Meaning = (&'static str, &'static str);

/// Every closed enumeration of the specs, so that the definitions can tell what each of their words means.
pub(crate) fn enumerations() -> Vec<Vec<Meaning>> {
    use crate::alias::Senders;
    use crate::mail_domain::{DkimAlgorithm, DmarcPolicy, MtaStsMode, Requirement, SpfAll};
    use crate::mail_repository::{
        Adoption, ApprovalMode, DecryptionProvider, DriftPolicy, FailurePolicy, PreviewProvider,
        RepositoryMode, Sink, VerifyMode, WebhookProvider,
    };
    use crate::mail_server::{
        ImagePullPolicy, RelayTls, ServiceType, TaintEffect, TolerationOperator, TrafficPolicy,
        WhenUnsatisfiable,
    };
    use crate::mailbox::{DeletionPolicy, Management};
    use crate::namespaces::{LabelOperator, NamespacesFrom};
    use crate::policy::{PolicyAction, PolicyKind};
    vec![
        Adoption::meanings(),
        ApprovalMode::meanings(),
        DecryptionProvider::meanings(),
        DriftPolicy::meanings(),
        FailurePolicy::meanings(),
        PreviewProvider::meanings(),
        RepositoryMode::meanings(),
        Sink::meanings(),
        VerifyMode::meanings(),
        WebhookProvider::meanings(),
        DeletionPolicy::meanings(),
        DkimAlgorithm::meanings(),
        DmarcPolicy::meanings(),
        ImagePullPolicy::meanings(),
        LabelOperator::meanings(),
        Management::meanings(),
        MtaStsMode::meanings(),
        NamespacesFrom::meanings(),
        PolicyAction::meanings(),
        PolicyKind::meanings(),
        RelayTls::meanings(),
        Requirement::meanings(),
        Senders::meanings(),
        ServiceType::meanings(),
        SpfAll::meanings(),
        TaintEffect::meanings(),
        TolerationOperator::meanings(),
        TrafficPolicy::meanings(),
        WhenUnsatisfiable::meanings(),
    ]
}

/// The text of a word: its name, or what `as` says.
macro_rules! word {
    ($word:ident) => {
        stringify!($word)
    };
    ($word:ident, $text:literal) => {
        $text
    };
}
pub(crate) use word;

/// Writes an enumeration: `Name { /// meaning \n Word, … }`, with `Word as "text"` where the text is not a Rust name and
/// `Name = Word { … }` where there is a default.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident = $default:ident { $($body:tt)+ }) => {
        $crate::words::words! { $(#[$meta])* $name { $($body)+ } }

        impl Default for $name {
            fn default() -> $name {
                $name::$default
            }
        }
    };
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $doc:literal])+ $word:ident $(as $text:literal)?,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[doc = $doc])+ $word,)+ }

        impl $name {
            /// Every value, in the order of the reference.
            pub const ALL: &'static [$name] = &[$($name::$word,)+];

            /// The text in the API.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$word => $crate::words::word!($word $(, $text)?),)+ }
            }

            /// What it means, in the words of the reference.
            pub fn meaning(self) -> &'static str {
                match self { $($name::$word => concat!($($doc,)+).trim_ascii(),)+ }
            }

            /// Every text with its meaning.
            #[allow(dead_code)]
            pub(crate) fn meanings() -> Vec<$crate::words::Meaning> {
                $name::ALL.iter().map(|word| (word.as_str(), word.meaning())).collect()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                const TEXTS: &[&str] = &[$($crate::words::word!($word $(, $text)?),)+];
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                let found = $name::ALL.iter().find(|word| word.as_str() == text).copied();
                found.ok_or_else(|| serde::de::Error::unknown_variant(&text, TEXTS))
            }
        }
    };
}
pub(crate) use words;

/// The schema of an enumeration: `closed` lists the words, `open` takes any text up to a length, so that the definition of
/// an older release accepts the words of a newer one.
macro_rules! words_schema {
    (closed $type:ty) => {
        $crate::words::words_schema!(@ $type, {
            let words: Vec<&str> = <$type>::ALL.iter().map(|word| word.as_str()).collect();
            schemars::json_schema!({"type": "string", "enum": words})
        });
    };
    (open $type:ty, $max:literal) => {
        $crate::words::words_schema!(@ $type, {
            schemars::json_schema!({"type": "string", "minLength": 1, "maxLength": $max})
        });
    };
    (@ $type:ty, $schema:block) => {
        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema $schema
        }
    };
}
pub(crate) use words_schema;

#[cfg(test)]
mod tests {
    use super::*;

    words! {
        /// Colours.
        Colour = Red {
            /// Like a rose.
            Red,
            /// Like the sky,
            /// at noon.
            Blue as "sky-blue",
        }
    }

    #[test]
    fn words_have_texts_meanings_and_a_default() {
        assert_eq!(Colour::meanings(), [("Red", "Like a rose."), ("sky-blue", "Like the sky, at noon.")]);
        assert_eq!(Colour::default(), Colour::Red);
        for colour in Colour::ALL {
            let text = serde_json::to_string(colour).unwrap();
            assert_eq!(text, format!("\"{colour}\""));
            assert_eq!(serde_json::from_str::<Colour>(&text).unwrap(), *colour);
        }
        let error = serde_json::from_str::<Colour>("\"blue\"").unwrap_err().to_string();
        assert!(error.starts_with("unknown variant `blue`, expected `Red` or `sky-blue`"), "{error}");
    }

    #[test]
    fn no_two_enumerations_have_the_same_words() {
        let lists: Vec<Vec<&str>> =
            enumerations().iter().map(|words| words.iter().map(|(word, _)| *word).collect()).collect();
        for (i, list) in lists.iter().enumerate() {
            assert!(!lists[..i].contains(list), "{list:?}: the reference could not tell them apart");
        }
    }
}
