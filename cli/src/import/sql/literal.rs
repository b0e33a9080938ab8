//! What a value in a dump says: strings with MySQL's or PostgreSQL's escapes, and fields of `COPY`.

/// A string's text, with what stands after a backslash (MySQL's manual, String Literals; PostgreSQL's E'…').
pub(super) fn unescaped(escaped: char) -> Option<char> {
    Some(match escaped {
        '0' => '\0',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'Z' => '\u{1a}',
        // Patterns keep their backslash; no column that is asked for holds one.
        '%' | '_' => return None,
        other => other,
    })
}

/// A field of COPY's text format (PostgreSQL's manual, COPY): `\N` is NULL.
pub(super) fn copied(field: &str) -> Option<String> {
    if field == "\\N" {
        return None;
    }
    if !field.contains('\\') {
        return Some(field.to_owned());
    }
    let mut text = String::with_capacity(field.len());
    let mut rest = field.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => text.extend(rest.next().map(|next| match next {
                'v' => '\u{b}',
                other => unescaped(other).unwrap_or(other),
            })),
            other => text.push(other),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_copy() {
        for (field, text) in [
            ("", Some("")),
            ("plain", Some("plain")),
            ("\\N", None),
            ("a\\tb\\nc\\\\d", Some("a\tb\nc\\d")),
            ("\\\\N", Some("\\N")),
            ("x\\v", Some("x\u{b}")),
            ("half\\", Some("half")),
        ] {
            assert_eq!(copied(field).as_deref(), text, "{field}");
        }
    }
}
