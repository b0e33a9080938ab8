//! The base subject of a message (RFC 5256 §2.1): what SORT and THREAD compare.

use super::encoded_word;
use std::borrow::Cow;

/// Octets of a decoded subject that are looked at: lines on the wire are far shorter, and every message keeps its own.
pub const MAX_SUBJECT: usize = 8 * 1024;

/// A subject without what replying and forwarding put around it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BaseSubject {
    /// As written, runs of white space made one space.
    pub text: String,
    /// Whether something was taken away that says reply or forward.
    pub is_reply: bool,
}

/// Extracts it from a Subject field's value.
pub fn base_subject(field: &[u8]) -> BaseSubject {
    let decoded = one_spaced(&encoded_word::decode(field));
    let mut rest = decoded.as_str();
    let mut is_reply = false;
    loop {
        // (2) subj-trailer
        loop {
            rest = rest.trim_end_matches(' ');
            let Some(cut) = cut_end(rest, "(fwd)") else { break };
            (rest, is_reply) = (cut, true);
        }
        // (3) to (5) subj-leader and subj-blob
        loop {
            rest = rest.trim_start_matches(' ');
            let blobs = blobs(rest);
            if let Some(cut) = refwd(&rest[blobs..]) {
                (rest, is_reply) = (cut, true);
                continue;
            }
            // Blobs go as long as something is left behind them.
            rest = match rest[blobs..].is_empty() {
                false => &rest[blobs..],
                true => &rest[last_blob(rest)..],
            };
            break;
        }
        // (6) subj-fwd
        let inside = cut_start(rest, "[fwd:").and_then(|inside| inside.strip_suffix(']'));
        let Some(inside) = inside else { break };
        (rest, is_reply) = (inside, true);
    }
    BaseSubject { text: rest.to_owned(), is_reply }
}

/// Runs of white space as one space, no more of it than [`MAX_SUBJECT`].
fn one_spaced(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len().min(MAX_SUBJECT));
    for c in text.chars() {
        let c = if c.is_ascii_whitespace() { ' ' } else { c };
        if spaced.len() + c.len_utf8() > MAX_SUBJECT {
            break;
        }
        if c != ' ' || !spaced.ends_with(' ') {
            spaced.push(c);
        }
    }
    spaced
}

fn cut_start<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let head = text.get(..word.len())?;
    head.eq_ignore_ascii_case(word).then(|| &text[word.len()..])
}

fn cut_end<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let at = text.len().checked_sub(word.len())?;
    text.get(at..)?.eq_ignore_ascii_case(word).then(|| &text[..at])
}

/// Octets of `subj-blob = "[" *BLOBCHAR "]" *WSP`; 0 without one.
fn blob(text: &str) -> usize {
    let Some(inside) = text.strip_prefix('[') else { return 0 };
    match inside.find(['[', ']']) {
        Some(at) if inside[at..].starts_with(']') => {
            let end = at + 2;
            text.len() - text[end..].trim_start_matches(' ').len()
        }
        _ => 0,
    }
}

/// Octets of all blobs at the start.
fn blobs(text: &str) -> usize {
    let mut end = 0;
    loop {
        match blob(&text[end..]) {
            0 => return end,
            length => end += length,
        }
    }
}

/// Where the last of a text of blobs begins.
fn last_blob(text: &str) -> usize {
    let mut start = 0;
    loop {
        let length = blob(&text[start..]);
        if length == 0 || start + length >= text.len() {
            return start;
        }
        start += length;
    }
}

/// What follows `subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"`.
fn refwd(text: &str) -> Option<&str> {
    let rest = cut_start(text, "re").or_else(|| cut_start(text, "fwd")).or_else(|| cut_start(text, "fw"))?;
    let rest = rest.trim_start_matches(' ');
    rest[blob(rest)..].strip_prefix(':')
}

/// The key that base subjects are compared by (RFC 5051 §2).
pub fn key(subject: Option<&[u8]>) -> (String, bool) {
    let base = base_subject(&subject.map_or(Cow::Borrowed(b"".as_slice()), Cow::Borrowed));
    (crate::search::fold(&base.text), base.is_reply)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(subject: &str, expected: &str, is_reply: bool) {
        let found = base_subject(subject.as_bytes());
        assert_eq!((found.text.as_str(), found.is_reply), (expected, is_reply), "{subject:?}");
    }

    /// RFC 5256 §2.1 step by step.
    #[test]
    fn known_answers() {
        check("hello", "hello", false);
        check("Re: hello", "hello", true);
        check("RE: re: Fw: fwd:FWD :hello", "hello", true);
        check("Re[2]: hello", "hello", true);
        check("re [4] : hello", "hello", true);
        check("[list] hello", "hello", false);
        check("[list] Re: hello", "hello", true);
        check("[a] [b] Re: [c] hello", "hello", true);
        check("Re: [list] Re: hello", "hello", true);
        check("hello (fwd)", "hello", true);
        check("hello (fwd) (FWD)  ", "hello", true);
        check("[fwd: hello]", "hello", true);
        check("[Fwd: Re: [fwd: [x] hello (fwd)]]", "hello", true);
        check("Re:  many \t spaces ", "many spaces", true);
        check("=?utf-8?q?Re=3A_gr=C3=BCn?=", "grün", true);
        check("Re: =?utf-8?q?gr=C3=BCn?=", "grün", true);
    }

    /// What looks like one and is none.
    #[test]
    fn leave_alone() {
        check("", "", false);
        check("   ", "", false);
        check("Re:", "", true);
        check("Reply: hello", "Reply: hello", false);
        check("re hello", "re hello", false);
        check("forward: hello", "forward: hello", false);
        check("[list]", "[list]", false);
        check("[a] [b]", "[b]", false);
        check("[open hello", "[open hello", false);
        check("[a [b] hello", "[a [b] hello", false);
        check("[fwd: open", "[fwd: open", false);
        check("hello (fwd", "hello (fwd", false);
        check("é: x", "é: x", false);
    }

    #[test]
    fn keys_have_no_case() {
        assert_eq!(key(Some(b"Re: HELLO")), ("hello".to_owned(), true));
        assert_eq!(key(None), (String::new(), false));
    }

    /// Long runs of what is taken away end soon.
    #[test]
    fn hostile_subjects() {
        for piece in ["re:", "[a]", "[fwd:", "(fwd)", "[", "fw [x]:", "[fwd: re: [b]"] {
            let found = base_subject(piece.repeat(100_000).as_bytes());
            assert!(found.text.len() <= MAX_SUBJECT, "{piece}");
        }
    }

    proptest! {
        #[test]
        fn taking_away_twice_is_once(text in "(re:|fwd?:|\\[[a-z ]{0,3}\\]|\\(fwd\\)|\\[fwd:|\\]| |[a-zé]{1,4}){0,12}") {
            let once = base_subject(text.as_bytes()).text;
            let again = base_subject(once.as_bytes());
            prop_assert_eq!(&again.text, &once);
            prop_assert!(!again.is_reply, "{:?} of {:?}", once, text);
        }
    }
}
