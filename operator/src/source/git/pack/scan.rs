//! Reads over a pack in whatever pieces it comes, and counts.
//!
//! ```text
//! Header → Entry → Body → Entry → … → Body → Trailer
//! ```

use std::collections::HashMap;

use flate2::{Decompress, FlushDecompress, Status};

use super::super::GitError;
use super::Limits;

/// "PACK", version, number of objects.
const HEADER: usize = 12;
/// The SHA-1 of everything before it.
const TRAILER: usize = 20;
/// Type and size take at most ten bytes, an offset as many, the name of a base twenty.
const MAX_ENTRY: usize = 32;
/// The two sizes at the beginning of a delta.
const DELTA_SIZES: usize = 20;
/// Inflated bytes at once; they are only counted.
const SCRATCH: usize = 32 * 1024;

/// Looks through a pack.
pub(super) struct Scanner {
    limits: Limits,
    state: State,
    /// Bytes that were taken in.
    offset: u64,
    /// Objects that are still to come.
    left: u32,
    inflated: u64,
    named: u32,
    /// How many deltas are below a delta, by its place in the pack.
    depths: HashMap<u64, u16>,
    scratch: Vec<u8>,
}

enum State {
    Header(Vec<u8>),
    /// The place of the entry, and what came of its head.
    Entry(u64, Vec<u8>),
    Body(Box<Body>),
    /// Bytes of the trailer that are still to come.
    Trailer(usize),
}

struct Body {
    inflater: Decompress,
    /// Bytes that the head announced.
    size: u64,
    seen: u64,
    /// The beginning of a delta.
    delta: Option<Vec<u8>>,
}

/// What stands before the data of an object.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    size: u64,
    base: Base,
}

#[derive(Debug, PartialEq, Eq)]
enum Base {
    None,
    /// This many bytes before.
    Offset(u64),
    Named,
}

fn damaged(what: &str) -> GitError {
    GitError::Repository(format!("the pack cannot be stored: {what}"))
}

impl Scanner {
    pub(super) fn new(limits: Limits) -> Scanner {
        Scanner {
            limits,
            state: State::Header(Vec::with_capacity(HEADER)),
            offset: 0,
            left: 0,
            inflated: 0,
            named: 0,
            depths: HashMap::new(),
            scratch: vec![0; SCRATCH],
        }
    }

    /// More of the pack.
    pub(super) fn input(&mut self, mut bytes: &[u8]) -> Result<(), GitError> {
        if self.offset + bytes.len() as u64 > self.limits.bytes {
            let what = format!("a fetch of more than {} bytes", self.limits.bytes);
            return Err(GitError::too_large(what, "follow a smaller repository"));
        }
        while !bytes.is_empty() {
            let taken = self.piece(bytes)?;
            self.offset += taken as u64;
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    /// After the last piece.
    pub(super) fn finish(&self) -> Result<(), GitError> {
        match self.state {
            State::Trailer(0) => Ok(()),
            State::Header(_) => Err(GitError::Refused("the server sent no pack".to_owned())),
            _ => Err(damaged("it ends early")),
        }
    }

    /// Takes some bytes of a piece, at least one.
    fn piece(&mut self, bytes: &[u8]) -> Result<usize, GitError> {
        match &mut self.state {
            State::Header(header) => {
                let taken = (HEADER - header.len()).min(bytes.len());
                header.extend_from_slice(&bytes[..taken]);
                if header.len() == HEADER {
                    self.left = objects(header, self.limits)?;
                    self.next(self.offset + taken as u64);
                }
                Ok(taken)
            }
            State::Entry(start, head) => {
                let start = *start;
                head.extend_from_slice(&bytes[..1]);
                if let Some(head) = parse(head)? {
                    self.entry(start, &head)?;
                }
                Ok(1)
            }
            State::Body(_) => self.body(bytes),
            State::Trailer(missing) => {
                let taken = (*missing).min(bytes.len());
                if taken == 0 {
                    return Err(damaged("there is something behind its end"));
                }
                *missing -= taken;
                Ok(taken)
            }
        }
    }

    fn next(&mut self, offset: u64) {
        self.state = match self.left {
            0 => State::Trailer(TRAILER),
            _ => State::Entry(offset, Vec::with_capacity(MAX_ENTRY)),
        };
    }

    /// The head of an object is complete.
    fn entry(&mut self, start: u64, head: &Head) -> Result<(), GitError> {
        self.left -= 1;
        match head.base {
            Base::None => self.object(head.size)?,
            Base::Offset(back) => {
                let base = start.checked_sub(back).ok_or_else(|| damaged("a delta has no base"))?;
                let depth = self.depths.get(&base).copied().unwrap_or_default() + 1;
                if depth > self.limits.depth {
                    let what = format!("a pack with more than {} deltas on each other", self.limits.depth);
                    return Err(GitError::too_large(what, "run git gc on the server"));
                }
                self.depths.insert(start, depth);
            }
            Base::Named => {
                self.named += 1;
                if self.named > self.limits.named {
                    let what = format!("a pack with more than {} named bases", self.limits.named);
                    return Err(GitError::too_large(what, "run git gc on the server"));
                }
            }
        }
        if head.size > self.limits.object {
            return Err(self.too_large(head.size));
        }
        let delta = (head.base != Base::None).then(|| Vec::with_capacity(DELTA_SIZES));
        let inflater = Decompress::new(true);
        self.state = State::Body(Box::new(Body { inflater, size: head.size, seen: 0, delta }));
        Ok(())
    }

    /// Counts an object with the size that it has in the end.
    fn object(&mut self, size: u64) -> Result<(), GitError> {
        if size > self.limits.object {
            return Err(self.too_large(size));
        }
        self.inflated += size;
        if self.inflated > self.limits.inflated {
            let what = format!("a fetch that unpacks to more than {} bytes", self.limits.inflated);
            return Err(GitError::too_large(what, "follow a smaller repository"));
        }
        Ok(())
    }

    fn too_large(&self, size: u64) -> GitError {
        let what = format!("a file of {size} bytes in the commit (the limit is {})", self.limits.object);
        GitError::too_large(what, "take it out of the branch: manifests are small")
    }

    /// Inflates a piece of an object; gives how much of the piece belongs to it.
    fn body(&mut self, bytes: &[u8]) -> Result<usize, GitError> {
        let State::Body(body) = &mut self.state else { return Ok(0) };
        let mut taken = 0;
        loop {
            let (input, output, ended) = body.inflate(&bytes[taken..], &mut self.scratch)?;
            taken += input;
            if ended {
                break;
            }
            // The output may be full before the input is taken.
            if output < SCRATCH && taken == bytes.len() {
                return Ok(taken);
            }
            if input == 0 && output == 0 {
                return Err(damaged("an object does not end"));
            }
        }
        if body.seen != body.size {
            return Err(damaged("an object is smaller than it says"));
        }
        let delta = body.delta.take();
        if let Some(delta) = delta {
            let (base, result) = delta_sizes(&delta).ok_or_else(|| damaged("a delta without sizes"))?;
            if base > self.limits.object {
                return Err(self.too_large(base));
            }
            self.object(result)?;
        }
        self.next(self.offset + taken as u64);
        Ok(taken)
    }
}

impl Body {
    /// One step: bytes taken, bytes made, and whether that was the end.
    fn inflate(&mut self, bytes: &[u8], scratch: &mut [u8]) -> Result<(usize, usize, bool), GitError> {
        let (before_in, before_out) = (self.inflater.total_in(), self.inflater.total_out());
        let status = self.inflater.decompress(bytes, scratch, FlushDecompress::None);
        let status = status.map_err(|_| damaged("an object is not compressed as it should be"))?;
        let input = (self.inflater.total_in() - before_in) as usize;
        let output = (self.inflater.total_out() - before_out) as usize;
        self.seen += output as u64;
        if self.seen > self.size {
            return Err(damaged("an object is larger than it says"));
        }
        if let Some(delta) = &mut self.delta {
            let missing = DELTA_SIZES - delta.len();
            delta.extend_from_slice(&scratch[..output.min(missing)]);
        }
        Ok((input, output, status == Status::StreamEnd))
    }
}

/// "PACK", version 2, and how many objects there are.
fn objects(header: &[u8], limits: Limits) -> Result<u32, GitError> {
    let number =
        |at: usize| header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    match (header.starts_with(b"PACK"), number(4), number(8)) {
        (true, Some(2), Some(objects)) if objects <= limits.objects => Ok(objects),
        (true, Some(2), Some(_)) => {
            let what = format!("a fetch of more than {} objects", limits.objects);
            Err(GitError::too_large(what, "follow a smaller repository"))
        }
        _ => Err(GitError::Refused("the server sent no pack".to_owned())),
    }
}

/// gitformat-pack(5), "Pack Entries"; `None` until the head is complete.
fn parse(head: &[u8]) -> Result<Option<Head>, GitError> {
    let Some((first, rest)) = head.split_first() else { return Ok(None) };
    let (mut size, mut shift, mut at, mut more) = (u64::from(first & 15), 4, 0, first & 128 != 0);
    while more {
        let Some(byte) = rest.get(at) else { return Ok(None) };
        if shift > 57 {
            return Err(damaged("an object of an impossible size"));
        }
        size |= u64::from(byte & 127) << shift;
        (shift, at, more) = (shift + 7, at + 1, byte & 128 != 0);
    }
    let rest = &rest[at..];
    let base = match (first >> 4) & 7 {
        1..=4 => Some(Base::None),
        6 => offset(rest)?.map(Base::Offset),
        7 => (rest.len() == 20).then_some(Base::Named),
        _ => return Err(damaged("an object of an unknown kind")),
    };
    Ok(base.map(|base| Head { size, base }))
}

/// gitformat-pack(5), "offset encoding".
fn offset(bytes: &[u8]) -> Result<Option<u64>, GitError> {
    let mut value: u64 = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if at > 8 {
            return Err(damaged("a delta has no base"));
        }
        value = (value << 7) + u64::from(byte & 127);
        if byte & 128 == 0 {
            return Ok(Some(value));
        }
        value += 1;
    }
    Ok(None)
}

/// The size of the base and of the result, at the beginning of a delta.
fn delta_sizes(delta: &[u8]) -> Option<(u64, u64)> {
    let mut bytes = delta.iter();
    let mut size = || {
        let (mut size, mut shift) = (0, 0);
        loop {
            let byte = bytes.next()?;
            if shift > 56 {
                return None;
            }
            size |= u64::from(byte & 127) << shift;
            shift += 7;
            if byte & 128 == 0 {
                return Some(size);
            }
        }
    };
    Some((size()?, size()?))
}
