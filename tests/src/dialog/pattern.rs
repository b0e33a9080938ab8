//! Texts with escapes, and patterns with `…`.

use std::fmt;

/// Stands for any run of characters.
const ANY: char = '…';

/// Repetitions of one `\{N text}`: more than any limit under test needs.
const REPEAT_MAX: usize = 1 << 20;

/// What a line of the server must look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    written: String,
    parts: Vec<String>,
}

impl Pattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Pattern, String> {
        let part = |part: &str| Ok(String::from_utf8_lossy(&octets(part)?).into_owned());
        Ok(Pattern {
            written: text.to_owned(),
            parts: text.split(ANY).map(part).collect::<Result<_, String>>()?,
        })
    }

    /// Whether a line matches from its beginning to its end.
    pub fn matches(&self, line: &str) -> bool {
        let Some((first, rest)) = self.parts.split_first() else { return line.is_empty() };
        let Some(mut line) = line.strip_prefix(first.as_str()) else { return false };
        let Some((last, middle)) = rest.split_last() else { return line.is_empty() };
        for part in middle {
            match line.find(part.as_str()) {
                Some(at) => line = &line[at + part.len()..],
                None => return false,
            }
        }
        line.ends_with(last.as_str())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// The octets that a text with escapes stands for.
pub(super) fn octets(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = &rest[at + 1..];
        let Some(kind) = escape.chars().next() else { return Err("a backslash at the end".to_owned()) };
        rest = &escape[kind.len_utf8()..];
        match kind {
            'r' => out.push(b'\r'),
            'n' => out.push(b'\n'),
            't' => out.push(b'\t'),
            '0' => out.push(0),
            '\\' => out.push(b'\\'),
            'x' => {
                let digits = rest.get(..2).ok_or("\\x needs two digits")?;
                out.push(u8::from_str_radix(digits, 16).map_err(|_| "\\x needs two hexadecimal digits")?);
                rest = &rest[2..];
            }
            '{' => {
                let (inner, behind) = rest.split_once('}').ok_or("\\{ is not closed")?;
                let (count, text) = inner.split_once(' ').ok_or("\\{ needs a number and a text")?;
                let count = count.parse().ok().filter(|count| *count <= REPEAT_MAX);
                let repeated = octets(text)?.repeat(count.ok_or("\\{ needs a number that is not too large")?);
                out.extend_from_slice(&repeated);
                rest = behind;
            }
            other => return Err(format!("\\{other} is no escape")),
        }
    }
    out.extend_from_slice(rest.as_bytes());
    Ok(out)
}
