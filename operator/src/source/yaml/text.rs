//! Bytes into text: UTF-8 only, no control characters, with the place of the first thing wrong.

use super::{Fault, Mark};

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Takes off a byte order mark and refuses what is no printable UTF-8 text (YAML 1.2.2 §5.1, §5.2).
///
/// A NUL or control character would end or garble the text for some readers: it never gets past here.
pub(super) fn decode(bytes: &[u8]) -> Result<&str, Fault> {
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        return Err(Fault::whole(
            Mark { line: 1, column: 1 },
            "the file is UTF-16, not UTF-8",
            "save it as UTF-8",
        ));
    }
    let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let (good, bad) = bytes.split_at(error.valid_up_to());
            let mark = mark_after(&String::from_utf8_lossy(good));
            let message = format!("the byte 0x{:02x} is not UTF-8", bad.first().copied().unwrap_or_default());
            return Err(Fault::whole(mark, message, "save the file as UTF-8"));
        }
    };
    if let Some((at, c)) = text.char_indices().find(|(_, c)| !is_printable(*c)) {
        let message = format!("the control character U+{:04X} is not allowed", u32::from(c));
        let remedy = r#"remove it, or write it as \x.. in a double-quoted string"#;
        return Err(Fault::whole(mark_after(&text[..at]), message, remedy));
    }
    Ok(text)
}

/// YAML 1.2.2 §5.1 `c-printable`.
fn is_printable(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{A0}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

fn mark_after(text: &str) -> Mark {
    let line = text.matches('\n').count() + 1;
    let column = text.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    Mark { line: saturate(line), column: saturate(column) }
}

fn saturate(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
