//! Names, labels and annotations of the Secrets and ConfigMaps that hold keys and records.

use std::collections::BTreeMap;

/// Says on every object of ours whose it is.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "mailwright");
/// On Secrets with a DKIM key, as a label cut to its length and as an annotation whole: the domain.
pub use mailwright_crds::well_known::DOMAIN_LABEL as DOMAIN;
/// On generated passwords, the same way: the Mailbox that it was made for.
pub use mailwright_crds::well_known::MAILBOX_LABEL as MAILBOX;
pub use mailwright_crds::well_known::{
    DKIM_LABEL as DKIM, ROTATED_ANNOTATION as ROTATED, SERVER_LABEL as SERVER,
};

/// The most characters of a label's value.
const LONGEST_LABEL: usize = 63;
/// The most characters of an object's name.
const LONGEST_NAME: usize = 253;
/// Hexadecimal digits that tell apart what was cut: 64 bits.
const DIGEST: usize = 16;

/// A text as the value of a label; a long one is cut, and a digest of the whole tells it from others.
pub fn label(text: &str) -> String {
    shortened(text, LONGEST_LABEL)
}

/// The name of an object: a text that may be long, and what follows it.
pub fn name(text: &str, suffix: &str) -> String {
    format!("{}{suffix}", shortened(text, LONGEST_NAME - suffix.len().min(LONGEST_NAME / 2)))
}

fn shortened(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let digest = blake3::hash(text.as_bytes()).to_hex();
    let kept: String = text.chars().take(longest - DIGEST - 1).collect();
    format!("{}-{}", kept.trim_end_matches(['-', '.']), &digest[..DIGEST])
}

/// Labels that say that an object is ours, and more.
pub fn labels<const N: usize>(more: [(&str, String); N]) -> BTreeMap<String, String> {
    let ours = (MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned());
    more.into_iter().map(|(name, value)| (name.to_owned(), value)).chain([ours]).collect()
}

/// Labels of a child of a MailServer.
pub fn of_server(server: &str) -> BTreeMap<String, String> {
    labels([
        ("app.kubernetes.io/name", "mailwright".to_owned()),
        ("app.kubernetes.io/instance", label(server)),
        ("app.kubernetes.io/component", "mail".to_owned()),
        (SERVER, label(server)),
    ])
}

/// Whether the labels of an object say that it is ours.
pub fn is_ours(labels: &BTreeMap<String, String>) -> bool {
    labels.get(MANAGED_BY.0).map(String::as_str) == Some(MANAGED_BY.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_and_stay_apart() {
        let long = |end: &str| format!("{}{end}.example.test", "a123456789.".repeat(20));
        for (text, longest) in [("example.test".to_owned(), 63), (long("b"), 63), (long("b"), 240)] {
            let short = shortened(&text, longest);
            assert!(short.len() <= longest, "{short}");
            assert_eq!(short == text, text.len() <= longest);
        }
        assert_ne!(label(&long("b")), label(&long("c")));
        assert!(name(&long("b"), "-dkim-202611e").len() <= 253);
        assert!(name(&long("b"), "-dkim-202611e").ends_with("-dkim-202611e"));
        assert_eq!(name("example.test", "-dkim-202611e"), "example.test-dkim-202611e");
    }

    #[test]
    fn what_is_cut_stays_a_valid_name() {
        for length in 60..90 {
            let text = format!("{}.test", "a-".repeat(length));
            let short = label(&text);
            assert!(!short.contains("--") && !short.contains(".-"), "{short}");
        }
    }
}
