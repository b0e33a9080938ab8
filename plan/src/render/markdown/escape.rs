//! Foreign text in Markdown: code spans that nothing gets out of (CommonMark §6.1), and paths in URLs (RFC 3986 §2.1).
//!
//! In a code span no forge takes anything for markup, a mention, a reference to an issue, a formula or a command. What it
//! may not hold are line ends, which end a paragraph and with it the span, and characters that change how a line is read.

use std::fmt::Write as _;

/// Characters of one piece of text: a display name or a forward longer than this is not read in a comment.
const LONGEST: usize = 400;

/// Text in a code span, with what cannot be seen made visible.
pub fn code(text: &str) -> String {
    let mut seen = String::with_capacity(text.len());
    for character in text.chars().take(LONGEST) {
        match is_hidden(character) {
            true => drop(write!(seen, "\\u{{{:x}}}", u32::from(character))),
            false => seen.push(character),
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        seen.push('…');
    }
    if seen.trim_matches(' ').is_empty() {
        return "(empty)".to_owned();
    }
    let fence = "`".repeat(longest_run(&seen) + 1);
    let edge = |it: bool| if it { " " } else { "" };
    // One space at both ends is taken away again, so both or none.
    let pad = edge(seen.starts_with(['`', ' ']) || seen.ends_with(['`', ' ']));
    format!("{fence}{pad}{seen}{pad}{fence}")
}

/// Control characters, what changes the direction of a line, and what has no width: all of it can make a line look like
/// another one.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

fn longest_run(text: &str) -> usize {
    text.split(|character| character != '`').map(str::len).max().unwrap_or(0)
}

/// A path behind an URL: `/` stays, everything that is not unreserved is encoded, so that it ends neither the URL nor the link.
pub fn path(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            byte => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_a_code_span() {
        for (text, expected) in [
            ("alice@one.test", "`alice@one.test`"),
            ("@everyone <b> [x](y) | #12 $a$ /close", "`@everyone <b> [x](y) | #12 $a$ /close`"),
            ("a`b", "``a`b``"),
            ("`a`", "`` `a` ``"),
            ("``` ````", "````` ``` ```` `````"),
            (" a ", "`  a  `"),
            ("a\n\n/approve\r\n# b", "`a\\u{a}\\u{a}/approve\\u{d}\\u{a}# b`"),
            ("\u{202e}tset.eno@ecila", "`\\u{202e}tset.eno@ecila`"),
            ("pay\u{200b}pal\u{feff}", "`pay\\u{200b}pal\\u{feff}`"),
            ("", "(empty)"),
            ("   ", "(empty)"),
        ] {
            assert_eq!(code(text), expected, "{text:?}");
        }
    }

    #[test]
    fn long_text_is_cut() {
        let long = code(&"ä".repeat(LONGEST + 1));
        assert_eq!(long.chars().count(), LONGEST + 3);
        assert!(long.ends_with("…`"));
        assert!(!code(&"a".repeat(LONGEST)).contains('…'));
    }

    #[test]
    fn paths_end_no_link() {
        for (text, expected) in [
            ("mail/people.yaml", "mail/people.yaml"),
            ("a b).yaml", "a%20b%29.yaml"),
            ("x](javascript:y)#L1?", "x%5D%28javascript%3Ay%29%23L1%3F"),
            ("ä\n", "%C3%A4%0A"),
        ] {
            assert_eq!(path(text), expected);
        }
    }
}
