//! The index as bytes: a version, then the tree in depth-first order; numbers as LEB128, texts with their length.

use super::address::Address;
use super::mime::{Mime, Parameters};
use super::tree::MAX_DEPTH;
use super::{Content, DecodeError, Envelope, Index, Part};
use std::ops::Range;

/// Changes when the form changes; older ones must stay readable.
const VERSION: u8 = 1;

const LEAF: u8 = 0;
const MULTIPART: u8 = 1;
const MESSAGE: u8 = 2;

pub(super) fn encode(index: &Index) -> Vec<u8> {
    let mut to = vec![VERSION];
    put_number(&mut to, index.size);
    put_envelope(&mut to, &index.envelope);
    put_part(&mut to, &index.root);
    to
}

pub(super) fn decode(bytes: &[u8]) -> Result<Index, DecodeError> {
    let mut from = Reader { rest: bytes };
    if from.octet()? != VERSION {
        return Err(DecodeError::Malformed);
    }
    let size = from.number()?;
    let index = Index { size, envelope: from.envelope()?, root: from.part(size, 0)? };
    if from.rest.is_empty() { Ok(index) } else { Err(DecodeError::Malformed) }
}

fn put_number(to: &mut Vec<u8>, number: usize) {
    let mut number = number as u64;
    while number >= 0x80 {
        to.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

fn put_text(to: &mut Vec<u8>, text: &[u8]) {
    put_number(to, text.len());
    to.extend_from_slice(text);
}

/// 0 is none, any other number is the length plus one.
fn put_option(to: &mut Vec<u8>, text: &Option<Vec<u8>>) {
    match text {
        Some(text) => {
            put_number(to, text.len() + 1);
            to.extend_from_slice(text);
        }
        None => to.push(0),
    }
}

fn put_range(to: &mut Vec<u8>, range: &Range<usize>) {
    put_number(to, range.start);
    put_number(to, range.len());
}

fn put_parameters(to: &mut Vec<u8>, parameters: &Parameters) {
    put_number(to, parameters.len());
    for (name, value) in parameters {
        put_text(to, name);
        put_text(to, value);
    }
}

fn put_envelope(to: &mut Vec<u8>, envelope: &Envelope) {
    for text in [&envelope.date, &envelope.subject, &envelope.in_reply_to, &envelope.message_id] {
        put_option(to, text);
    }
    let e = envelope;
    for list in [&e.from, &e.sender, &e.reply_to, &e.to, &e.cc, &e.bcc] {
        put_number(to, list.len());
        for address in list {
            for text in [&address.name, &address.route, &address.mailbox, &address.host] {
                put_option(to, text);
            }
        }
    }
}

fn put_part(to: &mut Vec<u8>, part: &Part) {
    put_range(to, &part.header);
    put_range(to, &part.body);
    put_number(to, part.lines);
    let mime = &part.mime;
    put_text(to, &mime.media_type);
    put_text(to, &mime.subtype);
    put_parameters(to, &mime.parameters);
    for text in [&mime.id, &mime.description, &mime.encoding, &mime.md5, &mime.location] {
        put_option(to, text);
    }
    match &mime.disposition {
        Some((kind, parameters)) => {
            to.push(1);
            put_text(to, kind);
            put_parameters(to, parameters);
        }
        None => to.push(0),
    }
    put_number(to, mime.language.len());
    for tag in &mime.language {
        put_text(to, tag);
    }
    match &part.content {
        Content::Leaf => to.push(LEAF),
        Content::Multipart(parts) => {
            to.push(MULTIPART);
            put_number(to, parts.len());
            for part in parts {
                put_part(to, part);
            }
        }
        Content::Message(envelope, inner) => {
            to.push(MESSAGE);
            put_envelope(to, envelope);
            put_part(to, inner);
        }
    }
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    rest: &'a [u8],
}

/// The envelope of an encoded index as it lies there: for answers that need nothing else of ten thousand messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeRef<'a> {
    /// `Date`
    pub date: Option<&'a [u8]>,
    /// `Subject`
    pub subject: Option<&'a [u8]>,
    /// `In-Reply-To`
    pub in_reply_to: Option<&'a [u8]>,
    /// `Message-ID`
    pub message_id: Option<&'a [u8]>,
    /// From, Sender, Reply-To, To, Cc, Bcc.
    lists: [AddressesRef<'a>; 6],
}

/// Addresses of an [`EnvelopeRef`], which were read once to know that they can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressesRef<'a> {
    count: usize,
    octets: &'a [u8],
}

impl<'a> EnvelopeRef<'a> {
    /// Reads [`Index::encode`]'s form up to the end of the envelope; random bytes are an error.
    pub fn read(bytes: &'a [u8]) -> Result<EnvelopeRef<'a>, DecodeError> {
        let mut from = Reader { rest: bytes };
        if from.octet()? != VERSION {
            return Err(DecodeError::Malformed);
        }
        from.number()?;
        let (date, subject) = (from.option_ref()?, from.option_ref()?);
        let (in_reply_to, message_id) = (from.option_ref()?, from.option_ref()?);
        let mut lists = [AddressesRef { count: 0, octets: &[] }; 6];
        for list in &mut lists {
            let count = from.number()?;
            *list = AddressesRef { count, octets: from.rest };
            for _ in 0..count {
                from.address_ref()?;
            }
        }
        Ok(EnvelopeRef { date, subject, in_reply_to, message_id, lists })
    }

    /// From, Sender, Reply-To, To, Cc, Bcc; who sends and who is replied to is From unless it is said (RFC 3501 §7.4.2).
    pub fn lists(&self) -> [AddressesRef<'a>; 6] {
        let [from, sender, reply_to, to, cc, bcc] = self.lists;
        let or_from = |list: AddressesRef<'a>| if list.count == 0 { from } else { list };
        [from, or_from(sender), or_from(reply_to), to, cc, bcc]
    }
}

impl<'a> AddressesRef<'a> {
    /// Name, route, mailbox and host of each.
    pub fn iter(self) -> impl Iterator<Item = [Option<&'a [u8]>; 4]> {
        let mut from = Reader { rest: self.octets };
        (0..self.count).map_while(move |_| from.address_ref().ok())
    }
}

impl<'a> Reader<'a> {
    fn slice(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (text, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::Malformed)?;
        self.rest = rest;
        Ok(text)
    }

    fn option_ref(&mut self) -> Result<Option<&'a [u8]>, DecodeError> {
        match self.number()? {
            0 => Ok(None),
            length => self.slice(length - 1).map(Some),
        }
    }

    fn address_ref(&mut self) -> Result<[Option<&'a [u8]>; 4], DecodeError> {
        Ok([self.option_ref()?, self.option_ref()?, self.option_ref()?, self.option_ref()?])
    }

    fn octet(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.rest.split_first().ok_or(DecodeError::Malformed)?;
        self.rest = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Result<usize, DecodeError> {
        let mut number = 0u64;
        for shift in (0..63).step_by(7) {
            let octet = self.octet()?;
            number |= u64::from(octet & 0x7f) << shift;
            if octet & 0x80 == 0 {
                return usize::try_from(number).map_err(|_| DecodeError::Malformed);
            }
        }
        Err(DecodeError::Malformed)
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>, DecodeError> {
        self.slice(length).map(<[u8]>::to_vec)
    }

    fn text(&mut self) -> Result<Vec<u8>, DecodeError> {
        let length = self.number()?;
        self.take(length)
    }

    fn option(&mut self) -> Result<Option<Vec<u8>>, DecodeError> {
        match self.number()? {
            0 => Ok(None),
            length => self.take(length - 1).map(Some),
        }
    }

    /// A list whose every element takes at least an octet: a length that the bytes cannot hold allocates nothing.
    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Result<T, DecodeError>) -> Result<Vec<T>, DecodeError> {
        let length = self.number()?;
        if length > self.rest.len() {
            return Err(DecodeError::Malformed);
        }
        let mut list = Vec::new();
        for _ in 0..length {
            list.push(item(self)?);
        }
        Ok(list)
    }

    /// A range inside the message: slicing by a decoded index never leaves it.
    fn range(&mut self, size: usize) -> Result<Range<usize>, DecodeError> {
        let start = self.number()?;
        let end = start.checked_add(self.number()?).ok_or(DecodeError::Malformed)?;
        if end <= size { Ok(start..end) } else { Err(DecodeError::Malformed) }
    }

    fn parameters(&mut self) -> Result<Parameters, DecodeError> {
        self.list(|from| Ok((from.text()?, from.text()?)))
    }

    fn addresses(&mut self) -> Result<Vec<Address>, DecodeError> {
        self.list(|from| {
            let (name, route) = (from.option()?, from.option()?);
            Ok(Address { name, route, mailbox: from.option()?, host: from.option()? })
        })
    }

    fn envelope(&mut self) -> Result<Envelope, DecodeError> {
        let (date, subject) = (self.option()?, self.option()?);
        let (in_reply_to, message_id) = (self.option()?, self.option()?);
        let (from, sender, reply_to) = (self.addresses()?, self.addresses()?, self.addresses()?);
        let (to, cc, bcc) = (self.addresses()?, self.addresses()?, self.addresses()?);
        Ok(Envelope { date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id })
    }

    fn mime(&mut self) -> Result<Mime, DecodeError> {
        let (media_type, subtype, parameters) = (self.text()?, self.text()?, self.parameters()?);
        let (id, description, encoding) = (self.option()?, self.option()?, self.option()?);
        let (md5, location) = (self.option()?, self.option()?);
        let disposition = match self.octet()? {
            0 => None,
            1 => Some((self.text()?, self.parameters()?)),
            _ => return Err(DecodeError::Malformed),
        };
        let language = self.list(Reader::text)?;
        Ok(Mime {
            media_type,
            subtype,
            parameters,
            id,
            description,
            encoding,
            md5,
            disposition,
            language,
            location,
        })
    }

    fn part(&mut self, size: usize, depth: usize) -> Result<Part, DecodeError> {
        // The walk nests one level of leaves below its limit.
        if depth > MAX_DEPTH + 1 {
            return Err(DecodeError::Malformed);
        }
        let (header, body, lines) = (self.range(size)?, self.range(size)?, self.number()?);
        let mime = self.mime()?;
        let content = match self.octet()? {
            LEAF => Content::Leaf,
            MULTIPART => Content::Multipart(self.list(|from| from.part(size, depth + 1))?),
            MESSAGE => Content::Message(Box::new(self.envelope()?), Box::new(self.part(size, depth + 1)?)),
            _ => return Err(DecodeError::Malformed),
        };
        Ok(Part { header, body, lines, mime, content })
    }
}
