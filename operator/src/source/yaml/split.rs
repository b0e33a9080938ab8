//! Cuts a file at its document markers.
//!
//! `---` in the first column is a marker wherever it stands, even in a block scalar or a quoted one
//! (YAML 1.2.2 §9.1.2, `c-forbidden`), so cutting before parsing changes the meaning of no valid file.

/// The text of one document (or several, parted by `...`), and the line it begins at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk<'a> {
    pub text: &'a str,
    pub line: u32,
}

/// The chunks of `text`. Comments and directives before a marker belong to the document it starts.
pub(super) fn chunks(text: &str) -> impl Iterator<Item = Chunk<'_>> {
    let mut rest = text;
    let mut line = 1u32;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (bytes, lines) = chunk_len(rest);
        let chunk = Chunk { text: &rest[..bytes], line };
        rest = &rest[bytes..];
        line = line.saturating_add(lines);
        Some(chunk)
    })
}

/// Length of the first chunk in bytes and lines.
fn chunk_len(text: &str) -> (usize, u32) {
    let (mut bytes, mut lines, mut begun) = (0, 0u32, false);
    for line in text.split_inclusive('\n') {
        if is_marker(line) {
            if begun {
                break;
            }
            begun = true;
        } else if !is_prologue(line) {
            begun = true;
        }
        bytes += line.len();
        lines = lines.saturating_add(1);
    }
    (bytes, lines)
}

fn is_marker(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

/// What may stand before a document's marker: blank lines, comments, directives, a byte order mark.
fn is_prologue(line: &str) -> bool {
    let line = line.trim_start_matches('\u{FEFF}');
    line.starts_with('%') || matches!(line.trim_start().chars().next(), None | Some('#'))
}
