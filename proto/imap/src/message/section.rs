//! Sections of a message: what BODY[…] names (RFC 3501 §6.4.5).

use super::header;
use super::{Content, Index, Part};
use std::borrow::Cow;

/// `section` of RFC 3501 §9: the part numbers, and what of that part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Section {
    /// Part numbers from the outside, each at least 1; none is the message itself.
    pub part: Vec<u32>,
    /// `None` is the whole.
    pub text: Option<SectionText>,
}

/// `section-text` of RFC 3501 §9.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SectionText {
    /// `HEADER`
    Header,
    /// `HEADER.FIELDS (…)`
    Fields(Vec<Vec<u8>>),
    /// `HEADER.FIELDS.NOT (…)`
    FieldsNot(Vec<Vec<u8>>),
    /// `TEXT`
    Text,
    /// `MIME`: the part's own header; only behind a part number.
    Mime,
}

impl Section {
    /// Whether the message's own header answers it: [`crate::Need::Header`] then is enough.
    pub fn is_header(&self) -> bool {
        use SectionText::{Fields, FieldsNot, Header};
        self.part.is_empty() && matches!(self.text, Some(Header | Fields(_) | FieldsNot(_)))
    }
}

impl Index {
    /// The octets of a section; `None` where the message has no such part, or the raw bytes are not this message's.
    pub fn section<'a>(&self, raw: &'a [u8], section: &Section) -> Option<Cow<'a, [u8]>> {
        let message = match (section.part.is_empty(), &section.text) {
            (true, None) => return Some(Cow::Borrowed(raw)),
            (true, _) => &self.root,
            (false, None) => return raw.get(self.part(&section.part)?.body.clone()).map(Cow::Borrowed),
            (false, Some(SectionText::Mime)) => {
                return raw.get(self.part(&section.part)?.header.clone()).map(Cow::Borrowed);
            }
            // HEADER and TEXT of a part are those of the message attached there.
            (false, _) => match &self.part(&section.part)?.content {
                Content::Message(_, inner) => inner,
                _ => return None,
            },
        };
        let named = |list: &[Vec<u8>], name: &[u8]| list.iter().any(|n| n.eq_ignore_ascii_case(name));
        let head = || raw.get(message.header.clone());
        match section.text.as_ref()? {
            SectionText::Header => head().map(Cow::Borrowed),
            SectionText::Fields(list) => {
                head().map(|h| Cow::Owned(header::subset(h, |name| named(list, name))))
            }
            SectionText::FieldsNot(list) => {
                head().map(|h| Cow::Owned(header::subset(h, |name| !named(list, name))))
            }
            SectionText::Text => raw.get(message.body.clone()).map(Cow::Borrowed),
            SectionText::Mime => None,
        }
    }

    /// The part that the numbers name. "Every message has at least one part number": of a message that is no multipart,
    /// that is 1, its body (RFC 3501 §6.4.5).
    pub fn part(&self, numbers: &[u32]) -> Option<&Part> {
        let mut part = &self.root;
        let mut is_message = true;
        for number in numbers {
            if !is_message && let Content::Message(_, inner) = &part.content {
                part = inner;
                is_message = true;
            }
            match &part.content {
                Content::Multipart(parts) => {
                    let at = usize::try_from(*number).ok()?.checked_sub(1)?;
                    part = parts.get(at)?;
                }
                _ if is_message && *number == 1 => {}
                _ => return None,
            }
            is_message = false;
        }
        Some(part)
    }
}

#[cfg(test)]
mod tests;
