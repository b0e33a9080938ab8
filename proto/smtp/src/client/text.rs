//! Message text on its way out: every line ended by CRLF, a CR or LF of its own never sent, dots doubled for DATA.
//!
//! RFC 5321 §2.3.8, §4.1.1.4 and §4.5.2.

/// Writes text; how it was cut into pieces makes no difference.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writer {
    /// Double a dot at the beginning of a line: for DATA, not for BDAT.
    stuff: bool,
    at_start: bool,
    cr: bool,
}

impl Writer {
    pub(super) fn new(stuff: bool) -> Writer {
        Writer { stuff, at_start: true, cr: false }
    }

    /// Appends what is certain to `out`. A bare CR or LF, which no message should have, becomes CRLF: what the next server
    /// would make of it is a matter of opinion.
    pub(super) fn write(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut rest = piece;
        while let Some((&first, tail)) = rest.split_first() {
            if std::mem::take(&mut self.cr) {
                self.end_line(out);
                if first == b'\n' {
                    rest = tail;
                }
                continue;
            }
            match first {
                b'\r' => {
                    self.cr = true;
                    rest = tail;
                }
                b'\n' => {
                    self.end_line(out);
                    rest = tail;
                }
                _ => {
                    if self.at_start && self.stuff && first == b'.' {
                        out.push(b'.');
                    }
                    let end = rest.iter().position(|b| matches!(b, b'\r' | b'\n')).unwrap_or(rest.len());
                    out.extend_from_slice(&rest[..end]);
                    self.at_start = false;
                    rest = &rest[end..];
                }
            }
        }
    }

    /// The message is complete: its last line is ended, and for DATA the dot follows.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.cr) || !self.at_start {
            self.end_line(out);
        }
        if self.stuff {
            out.extend_from_slice(b".\r\n");
        }
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n");
        self.at_start = true;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(pieces: &[&[u8]], stuff: bool) -> Vec<u8> {
        let (mut writer, mut out) = (Writer::new(stuff), Vec::new());
        for piece in pieces {
            writer.write(piece, &mut out);
        }
        writer.finish(&mut out);
        out
    }

    #[test]
    fn table() {
        for (text, data, bdat) in [
            ("", ".\r\n", ""),
            ("a\r\n", "a\r\n.\r\n", "a\r\n"),
            ("a", "a\r\n.\r\n", "a\r\n"),
            (".", "..\r\n.\r\n", ".\r\n"),
            (".\r\n..\r\na.\r\n", "..\r\n...\r\na.\r\n.\r\n", ".\r\n..\r\na.\r\n"),
            ("a\r\n.\r\nQUIT\r\n", "a\r\n..\r\nQUIT\r\n.\r\n", "a\r\n.\r\nQUIT\r\n"),
            // Smuggling: none of these ends the message.
            ("a\n.\nb", "a\r\n..\r\nb\r\n.\r\n", "a\r\n.\r\nb\r\n"),
            ("a\r.\rb", "a\r\n..\r\nb\r\n.\r\n", "a\r\n.\r\nb\r\n"),
            ("a\r\r\n", "a\r\n\r\n.\r\n", "a\r\n\r\n"),
            ("a\r", "a\r\n.\r\n", "a\r\n"),
        ] {
            assert_eq!(String::from_utf8(written(&[text.as_bytes()], true)).unwrap(), data, "{text:?}");
            assert_eq!(String::from_utf8(written(&[text.as_bytes()], false)).unwrap(), bdat, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "[.a\r\n]{0,40}", cut in 1..5usize, stuff in any::<bool>()) {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(cut).collect();
            prop_assert_eq!(written(&pieces, stuff), written(&[text.as_bytes()], stuff));
        }

        #[test]
        fn the_end_comes_once_and_last(text in "[.a\r\n]{0,40}") {
            let out = String::from_utf8(written(&[text.as_bytes()], true)).unwrap();
            let framed = format!("\r\n{out}");
            prop_assert_eq!(framed.find("\r\n.\r\n"), Some(framed.len() - 5));
            prop_assert!(!out.replace("\r\n", "").contains(['\r', '\n']));
        }
    }
}
