//! Message text on its way in: finds the end of DATA, takes the dots off, and looks for what must not be in a message.
//!
//! RFC 5321 §4.1.1.4 (only `CRLF.CRLF` ends DATA), §4.5.2 (transparency), §2.3.8 (no bare CR or LF); RFC 2045 §2.8 (8bit
//! text has no NUL).

/// Reads the text of DATA up to its end.
///
/// What other servers took for an end or a line break (`LF.LF`, `LF.CRLF`, `CR.CRLF`, `CRLF.LF`, `CRLF.CR`) is text here:
/// two servers that disagree on it let a client smuggle a second message through the first (RFC 5321 §4.1.1.4: receivers
/// must not take `LF.LF` for the end).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum DotReader {
    /// Behind CRLF, or at the very beginning.
    #[default]
    LineStart,
    /// Within a line.
    Text,
    /// Behind a CR.
    Cr,
    /// Behind a dot that begins a line.
    Dot,
    /// Behind a CR that follows such a dot.
    DotCr,
}

impl DotReader {
    /// Appends the text to `out`; gives the octets used and whether the end was there. The end is not part of the text,
    /// the CRLF in front of its dot is.
    pub(super) fn read(&mut self, input: &[u8], out: &mut Vec<u8>) -> (usize, bool) {
        let mut used = 0;
        while let Some(&byte) = input.get(used) {
            match (*self, byte) {
                (DotReader::LineStart, b'.') => *self = DotReader::Dot,
                (DotReader::Dot, b'\r') => *self = DotReader::DotCr,
                (DotReader::DotCr, b'\n') => {
                    *self = DotReader::LineStart;
                    return (used + 1, true);
                }
                (DotReader::DotCr, _) => {
                    // Not the end: the dot was stuffing, the CR is text, this octet is read again behind it.
                    out.push(b'\r');
                    *self = DotReader::Cr;
                    continue;
                }
                (DotReader::Cr, b'\n') => {
                    out.push(byte);
                    *self = DotReader::LineStart;
                }
                (_, b'\r') => {
                    out.push(byte);
                    *self = DotReader::Cr;
                }
                _ => {
                    let rest = &input[used..];
                    let end = rest.iter().position(|b| *b == b'\r').unwrap_or(rest.len());
                    out.extend_from_slice(&rest[..end]);
                    *self = DotReader::Text;
                    used += end;
                    continue;
                }
            }
            used += 1;
        }
        (used, false)
    }
}

/// What makes a message one that is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// More octets than the limit (RFC 1870 §6.3).
    TooBig,
    /// A NUL: no server has to carry it (RFC 2045 §2.8), and IMAP could not give it out (RFC 3501 §4.3).
    Nul,
    /// A bare CR or LF (RFC 5321 §2.3.8). The worst: the session ends with it.
    Bare,
}

/// Passes text on piece by piece as long as every line ends in CRLF. A CR waits for its LF.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cleaner {
    cr: bool,
    in_line: bool,
}

impl Cleaner {
    /// Looks at the next piece and appends what is certain to be clean to `out`. Behind a NUL it goes on looking for the
    /// worse; behind a bare CR or LF it does not, and must not be called again.
    pub(super) fn pass(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let (mut rest, mut verdict) = (piece, Ok(()));
        while let Some((&first, tail)) = rest.split_first() {
            if self.cr {
                if first != b'\n' {
                    return Err(Fault::Bare);
                }
                out.extend_from_slice(b"\r\n");
                (self.cr, self.in_line) = (false, false);
                rest = tail;
                continue;
            }
            let text = rest.iter().position(|b| matches!(b, b'\r' | b'\n' | 0)).unwrap_or(rest.len());
            out.extend_from_slice(&rest[..text]);
            self.in_line |= text > 0;
            rest = match rest.get(text) {
                Some(b'\r') => {
                    self.cr = true;
                    &rest[text + 1..]
                }
                Some(b'\n') => return Err(Fault::Bare),
                Some(_) => {
                    verdict = Err(Fault::Nul);
                    &rest[text + 1..]
                }
                None => &[],
            };
        }
        verdict
    }

    /// The message is complete; its last line gets the CRLF that BDAT lets a client leave out (RFC 5322 §2.1: a message is
    /// a sequence of lines).
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        if self.cr {
            return Err(Fault::Bare);
        }
        if std::mem::take(&mut self.in_line) {
            out.extend_from_slice(b"\r\n");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
