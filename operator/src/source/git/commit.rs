//! Commits and annotated tags as they are stored: who, when, what was said, and the signature with what it signs.
//!
//! Owns parsing raw objects, within limits, and cutting them into signature and signed payload as Git does
//! (gitformat-signature(5)). It leaves out judging a signature (`source/verify`) and reading trees.

mod trailers;

use chrono::{DateTime, Utc};

/// A commit or tag object beyond this is refused: Git itself writes a few hundred bytes, a signature some thousand.
pub(crate) const MAX_OBJECT_BYTES: usize = 1024 * 1024;
/// Parents of one commit: an octopus merge of more is no one's daily work, and each is checked.
const MAX_PARENTS: usize = 64;
/// Characters of a name or subject that are kept: they go into status and history.
const MAX_SHOWN: usize = 200;

/// What is known of a commit; it goes into status, history and `mailwright why`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitInfo {
    /// 40 hexadecimal digits.
    pub id: String,
    /// `alice <alice@example.test>`, as the commit claims it.
    pub author: String,
    /// The committer's time, as the commit claims it.
    pub committed_at: DateTime<Utc>,
    /// The first paragraph of the message, on one line.
    pub subject: String,
    /// The trailers of the message in their order, as `git interpret-trailers --parse --no-divider` reads them.
    pub trailers: Vec<(String, String)>,
    /// Who signed it; only a verified signature is told here.
    pub signer: Option<Signer>,
}

/// Whose key made a verified signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The principal of the allowed signers file, or the user ID of the OpenPGP key.
    pub principal: String,
    /// `SHA256:…` of an SSH key, the fingerprint of an OpenPGP key.
    pub key: String,
}

/// Why an object is not understood; nobody but its author or a damaged repository can be the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// It does not begin with the header lines that Git writes, in their order.
    #[error("its header is not as Git writes it ({0})")]
    Header(&'static str),
    /// It has more than one signature, so it is not clear which of them counts.
    #[error("it has more than one signature")]
    Signatures,
    /// It is larger than anything that Git writes.
    #[error("it is larger than {MAX_OBJECT_BYTES} bytes or has more than {MAX_PARENTS} parents")]
    TooLarge,
}

/// A commit object, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// What is shown of it; `signer` is `None`.
    pub info: CommitInfo,
    /// The committer's address, as the commit claims it.
    pub address: String,
    /// The commits that it follows, the first parent first.
    pub parents: Vec<String>,
    /// Its signature, if it has one.
    pub signed: Option<Signed>,
}

/// An annotated tag object, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// 40 hexadecimal digits.
    pub id: String,
    /// The object that it names.
    pub target: String,
    /// Whether that is a commit.
    pub names_commit: bool,
    /// Its name as it is written, and signed, inside.
    pub name: String,
    /// The tagger's address, as the tag claims it.
    pub address: String,
    /// The tagger's time, as the tag claims it.
    pub tagged_at: DateTime<Utc>,
    /// Its signature, if it has one.
    pub signed: Option<Signed>,
}

/// A signature block and the exact bytes that it signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The armoured block.
    pub signature: Vec<u8>,
    /// The object without it.
    pub payload: Vec<u8>,
}

impl Commit {
    /// A commit that is not understood, where nobody asks who made it.
    pub(crate) fn unknown(id: &str) -> Commit {
        let info = CommitInfo {
            id: id.to_owned(),
            author: String::new(),
            committed_at: DateTime::UNIX_EPOCH,
            subject: String::new(),
            trailers: Vec::new(),
            signer: None,
        };
        Commit { info, address: String::new(), parents: Vec::new(), signed: None }
    }

    /// Takes a raw commit object apart; `id` is its name.
    pub fn parse(id: &str, raw: &[u8]) -> Result<Commit, ObjectError> {
        let mut header = Header::new(raw)?;
        header.line("tree")?;
        let mut parents = Vec::new();
        while let Some(parent) = header.optional("parent")? {
            parents.push(object_id(parent)?);
            if parents.len() > MAX_PARENTS {
                return Err(ObjectError::TooLarge);
            }
        }
        let (author, _) = person(header.line("author")?)?;
        let (committer, committed_at) = person(header.line("committer")?)?;
        let (message, mut signatures, payload) = header.signatures()?;
        let signed = match signatures.len() {
            0 => None,
            1 => Some(Signed { signature: signatures.remove(0), payload }),
            _ => return Err(ObjectError::Signatures),
        };
        let message = String::from_utf8_lossy(message);
        let info = CommitInfo {
            id: id.to_owned(),
            author,
            committed_at,
            subject: subject(&message),
            trailers: trailers::parse(&message),
            signer: None,
        };
        Ok(Commit { info, address: address(&committer), parents, signed })
    }
}

impl Tag {
    /// Takes a raw tag object apart; `id` is its name.
    pub fn parse(id: &str, raw: &[u8]) -> Result<Tag, ObjectError> {
        let mut header = Header::new(raw)?;
        let target = object_id(header.line("object")?)?;
        let names_commit = header.line("type")? == b"commit";
        let name = text(header.line("tag")?);
        let (tagger, tagged_at) = person(header.line("tagger")?)?;
        let (message, headers, mut payload) = header.signatures()?;
        // A signature in the header belongs to the same tag under another hash, and is no part of what is signed here.
        if headers.len() > 1 {
            return Err(ObjectError::Signatures);
        }
        let signed = block(message).map(|start| {
            let signature = message[start..].to_vec();
            payload.truncate(payload.len() - signature.len());
            Signed { signature, payload }
        });
        let address = address(&tagger);
        Ok(Tag { id: id.to_owned(), target, names_commit, name, address, tagged_at, signed })
    }
}

/// Where the signature at the end of a tag's message begins: at the last line that opens a block.
fn block(message: &[u8]) -> Option<usize> {
    const OPENINGS: [&[u8]; 4] = [
        b"-----BEGIN PGP SIGNATURE-----",
        b"-----BEGIN PGP MESSAGE-----",
        b"-----BEGIN SIGNED MESSAGE-----",
        b"-----BEGIN SSH SIGNATURE-----",
    ];
    let (mut start, mut found) = (0, None);
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        if OPENINGS.iter().any(|opening| line.starts_with(opening)) {
            found = Some(start);
        }
        start += line.len();
    }
    found
}

/// Reads header lines in their order.
struct Header<'a> {
    raw: &'a [u8],
    at: usize,
}

impl<'a> Header<'a> {
    fn new(raw: &'a [u8]) -> Result<Header<'a>, ObjectError> {
        if raw.len() > MAX_OBJECT_BYTES {
            return Err(ObjectError::TooLarge);
        }
        Ok(Header { raw, at: 0 })
    }

    /// The next line, without its end.
    fn peek(&self) -> Result<&'a [u8], ObjectError> {
        let rest = &self.raw[self.at..];
        let end =
            rest.iter().position(|byte| *byte == b'\n').ok_or(ObjectError::Header("a line has no end"))?;
        if rest[..end].contains(&0) {
            return Err(ObjectError::Header("a line holds NUL"));
        }
        Ok(&rest[..end])
    }

    /// The value of the next line if it is `key`.
    fn optional(&mut self, key: &str) -> Result<Option<&'a [u8]>, ObjectError> {
        let line = self.peek()?;
        let value = line.strip_prefix(key.as_bytes()).and_then(|rest| rest.strip_prefix(b" "));
        if value.is_some() {
            self.at += line.len() + 1;
        }
        Ok(value)
    }

    fn line(&mut self, key: &'static str) -> Result<&'a [u8], ObjectError> {
        self.optional(key)?.ok_or(ObjectError::Header(key))
    }

    /// Reads the rest.
    fn signatures(mut self) -> Result<Rest<'a>, ObjectError> {
        let mut payload = self.raw[..self.at].to_vec();
        let mut signatures: Vec<Vec<u8>> = Vec::new();
        let mut part = Part::Kept;
        // An object may end with its header: then there is no empty line and no message.
        while self.at < self.raw.len() {
            let line = self.peek()?;
            let whole = &self.raw[self.at..self.at + line.len() + 1];
            if line.is_empty() {
                payload.extend_from_slice(&self.raw[self.at..]);
                return Ok((&self.raw[self.at + 1..], signatures, payload));
            }
            let value = if let Some(continued) = whole.strip_prefix(b" ") {
                continued
            } else if let Some(value) = whole.strip_prefix(b"gpgsig ") {
                signatures.push(Vec::new());
                part = Part::Signature;
                value
            } else {
                part = if line.starts_with(b"gpgsig") { Part::Other } else { Part::Kept };
                whole
            };
            match (part, signatures.last_mut()) {
                (Part::Signature, Some(signature)) => signature.extend_from_slice(value),
                (Part::Kept, _) => payload.extend_from_slice(whole),
                _ => {}
            }
            self.at += whole.len();
        }
        Ok((b"", signatures, payload))
    }
}

/// The message, the `gpgsig` values of the header, and the object without `gpgsig` and `gpgsig-sha256`.
type Rest<'a> = (&'a [u8], Vec<Vec<u8>>, Vec<u8>);

/// What a line of the header belongs to; a line that begins with a space continues the one before.
#[derive(Clone, Copy)]
enum Part {
    Kept,
    Signature,
    Other,
}

fn object_id(value: &[u8]) -> Result<String, ObjectError> {
    let hex = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let valid = value.len() == 40 && value.iter().all(hex);
    if valid { Ok(text(value)) } else { Err(ObjectError::Header("the name of an object")) }
}

/// `name <address> seconds zone`.
fn person(value: &[u8]) -> Result<(String, DateTime<Utc>), ObjectError> {
    let wrong = ObjectError::Header("a person and a time");
    let end = value.iter().rposition(|byte| *byte == b'>').ok_or(wrong)?;
    let seconds = std::str::from_utf8(&value[end + 1..]).ok().and_then(|rest| rest.split_whitespace().next());
    let seconds = seconds.and_then(|seconds| seconds.parse().ok()).ok_or(wrong)?;
    let time = DateTime::from_timestamp(seconds, 0).ok_or(wrong)?;
    Ok((text(&value[..=end]), time))
}

/// What is between the last angle brackets.
fn address(person: &str) -> String {
    let start = person.rfind('<').map_or(0, |at| at + 1);
    person[start..].trim_end_matches('>').to_owned()
}

fn subject(message: &str) -> String {
    let paragraph = message.trim_start_matches('\n').lines().take_while(|line| !line.trim().is_empty());
    text(paragraph.map(str::trim).collect::<Vec<_>>().join(" ").as_bytes())
}

/// What is shown of bytes that anyone may have written: valid, without control characters, not endless.
fn text(value: &[u8]) -> String {
    let value = String::from_utf8_lossy(value);
    value.trim().chars().filter(|c| !c.is_control()).take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests;
