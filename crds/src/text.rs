//! Owns a text that is kept in many places and never changed: names, namespaces, files. A copy is a reference count, since a source
//! of a hundred thousand objects names each of them a dozen times. Written, compared and ordered as the string it is.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An immutable text whose copies share it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Arc<str>);

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Text {
    fn default() -> Text {
        Text(Arc::from(""))
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text(Arc::from(text))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text(Arc::from(text))
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Text {
        Text::from(text.as_str())
    }
}

impl From<&Text> for Text {
    fn from(text: &Text) -> Text {
        text.clone()
    }
}

impl From<Text> for String {
    fn from(text: Text) -> String {
        text.as_str().to_owned()
    }
}

impl From<&Text> for String {
    fn from(text: &Text) -> String {
        text.as_str().to_owned()
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<String> for Text {
    fn eq(&self, other: &String) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<Text> for str {
    fn eq(&self, other: &Text) -> bool {
        self == other.as_str()
    }
}

impl PartialEq<Text> for &str {
    fn eq(&self, other: &Text) -> bool {
        *self == other.as_str()
    }
}

impl PartialEq<Text> for String {
    fn eq(&self, other: &Text) -> bool {
        self == other.as_str()
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        String::deserialize(deserializer).map(Text::from)
    }
}

/// Texts of which the same one comes again and again from somewhere that does not share them: a reader of files or rows.
#[derive(Debug, Default)]
pub struct Texts(HashSet<Text>);

impl Texts {
    /// This text, one for all that are the same.
    pub fn share(&mut self, text: &str) -> Text {
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        let new = Text::from(text);
        self.0.insert(new.clone());
        new
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_is_written_and_read_as_a_string() {
        let text = Text::from("Zoë\n\"x\"");
        let json = serde_json::to_string(&text).unwrap();
        assert_eq!(json, serde_json::to_string(text.as_str()).unwrap());
        assert_eq!(serde_json::from_str::<Text>(&json).unwrap(), text);
        assert!(serde_json::from_str::<Text>("7").is_err());
        assert_eq!((format!("{text}"), format!("{text:?}")), (text.to_string(), format!("{:?}", &*text)));
        assert_eq!(format!("{:>3}|{:<3}|", Text::from("a"), Text::from("b")), "  a|b  |");
        assert_eq!(Text::default(), "");
    }

    #[test]
    fn it_is_found_and_ordered_as_a_string() {
        let words = ["b", "", "ä", "a", "B"];
        let mut strings = words.to_vec();
        strings.sort_unstable();
        let texts: BTreeSet<Text> = words.map(Text::from).into();
        assert_eq!(texts.iter().map(Text::as_str).collect::<Vec<_>>(), strings);
        assert!(texts.contains("ä") && !texts.contains("c"));
        let texts: HashSet<Text> = texts.into_iter().collect();
        assert!(texts.contains("ä") && !texts.contains("c"));
    }

    #[test]
    fn copies_share_it() {
        let mut texts = Texts::default();
        let one = texts.share("default");
        let shares = |other: &Text| Arc::ptr_eq(&one.0, &other.0);
        assert!(shares(&one.clone()) && shares(&texts.share("default")));
        assert!(!shares(&texts.share("other")) && !shares(&Text::from("default")));
        assert_eq!((texts.share("other"), one), (Text::from("other"), Text::from("default")));
    }
}
