//! DEFLATE in both directions of a connection (RFC 4978 §3, RFC 1951 §3.2): what an idle compressed session holds is the
//! window that its peer may refer to, and nothing for what it sends.
//!
//! Each piece of output ends with a sync flush, at a byte boundary, so the next may be made by another compressor that knows
//! nothing of the first: it never refers to what was before. One compressor per thread is enough. What is decompressed comes
//! in pieces of bounded size, each asked for by who reads, so that input of a thousandth of its size grows in nobody's memory.

use std::cell::RefCell;
use std::io;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// Octets of room made at a time for compressed output: a large response shrinks to less.
const ROOM: usize = 16 * 1024;

thread_local! {
    /// Mail compresses to nearly the same size at the fastest level, at a third of the work.
    static COMPRESSOR: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), false));
}

/// Compresses one piece of output; the peer can read all of it.
pub(super) fn compress(bytes: &[u8]) -> io::Result<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|compressor| {
        compressor.reset();
        let mut compressed = Vec::with_capacity((bytes.len() / 2).max(64));
        loop {
            let done = usize::try_from(compressor.total_in()).unwrap_or(usize::MAX);
            let rest = bytes.get(done..).unwrap_or_default();
            compressor.compress_vec(rest, &mut compressed, FlushCompress::Sync).map_err(io::Error::other)?;
            let all = compressor.total_in() >= bytes.len() as u64;
            if all && compressed.len() < compressed.capacity() {
                return Ok(compressed);
            }
            compressed.reserve(ROOM);
        }
    })
}

/// The peer's compressed stream.
pub(super) struct Inflater {
    /// Holds the window: 32 KiB and what the format's tables take.
    decompressor: Decompress,
    /// Octets that came and are not decompressed yet.
    pending: Vec<u8>,
    /// More of what was taken in may come out.
    more: bool,
    ended: bool,
}

impl Inflater {
    pub(super) fn new() -> Inflater {
        Inflater { decompressor: Decompress::new(false), pending: Vec::new(), more: false, ended: false }
    }

    /// Octets from the peer, all of what came before decompressed.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Fills `to` as far as it goes; 0: more has to come first, or the peer's stream ended.
    pub(super) fn pull(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.ended || (self.pending.is_empty() && !self.more) {
            return Ok(0);
        }
        let (input, output) = (self.decompressor.total_in(), self.decompressor.total_out());
        let status = self
            .decompressor
            .decompress(&self.pending, to, FlushDecompress::Sync)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let taken = usize::try_from(self.decompressor.total_in() - input).unwrap_or(usize::MAX);
        let made = usize::try_from(self.decompressor.total_out() - output).unwrap_or(usize::MAX);
        if taken >= self.pending.len() {
            // An idle connection keeps no room for input.
            self.pending = Vec::new();
        } else {
            self.pending.drain(..taken);
        }
        self.more = made == to.len();
        self.ended = status == Status::StreamEnd;
        if taken == 0 && made == 0 && !self.pending.is_empty() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(made)
    }

    /// The peer's stream is over: nothing more can come.
    pub(super) fn is_over(&self) -> bool {
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a peer reads of these pieces, `room` octets at a time.
    fn read(compressed: &[u8], room: usize) -> io::Result<Vec<u8>> {
        let (mut inflater, mut text) = (Inflater::new(), Vec::new());
        let mut buffer = vec![0; room];
        for piece in compressed.chunks(7) {
            inflater.push(piece);
            loop {
                let made = inflater.pull(&mut buffer)?;
                if made == 0 {
                    break;
                }
                text.extend_from_slice(&buffer[..made]);
            }
        }
        Ok(text)
    }

    #[test]
    fn pieces_of_several_compressors_are_one_stream() {
        let mut compressed = Vec::new();
        let mut expected = Vec::new();
        for number in 0..50 {
            let piece = format!("* {number} FETCH (FLAGS (\\Seen))\r\n").repeat(number + 1);
            expected.extend_from_slice(piece.as_bytes());
            let sent = std::thread::spawn(move || compress(piece.as_bytes()).unwrap()).join().unwrap();
            assert!(sent.len() < 200, "{number}: {}", sent.len());
            compressed.extend(sent);
        }
        assert!(read(&compressed, 1000).unwrap() == expected);
        // A peer of another make reads it, too.
        let mut peer = flate2::read::DeflateDecoder::new(compressed.as_slice());
        let mut text = vec![0; expected.len()];
        io::Read::read_exact(&mut peer, &mut text).unwrap();
        assert!(text == expected);
    }

    #[test]
    fn bombs_come_in_small_pieces() {
        let mut compressor = Compress::new(Compression::best(), false);
        let mut bomb = Vec::with_capacity(256 * 1024);
        compressor.compress_vec(&vec![b'x'; 64 << 20], &mut bomb, FlushCompress::Sync).unwrap();
        assert!(bomb.len() < 128 * 1024, "{}", bomb.len());
        let mut inflater = Inflater::new();
        inflater.push(&bomb);
        let mut buffer = vec![0; 64 * 1024];
        assert_eq!(inflater.pull(&mut buffer).unwrap(), buffer.len());
        assert!(inflater.pending.len() > bomb.len() / 2, "the rest waits as it came");
        let mut total = buffer.len();
        loop {
            match inflater.pull(&mut buffer).unwrap() {
                0 => break,
                made => total += made,
            }
        }
        assert_eq!((total, inflater.pending.capacity()), (64 << 20, 0));
    }

    #[test]
    fn an_ended_stream_and_nonsense() {
        let mut compressor = Compress::new(Compression::fast(), false);
        let mut last = Vec::with_capacity(100);
        compressor.compress_vec(b"a LOGOUT\r\n", &mut last, FlushCompress::Finish).unwrap();
        let mut inflater = Inflater::new();
        inflater.push(&last);
        let mut buffer = [0; 100];
        assert_eq!(inflater.pull(&mut buffer).unwrap(), 10);
        assert!(inflater.is_over());
        inflater.push(b"more");
        assert_eq!(inflater.pull(&mut buffer).unwrap(), 0);
        let mut inflater = Inflater::new();
        inflater.push(b"a NOOP\r\nb NOOP\r\n");
        let mut outcome = Ok(1);
        while matches!(outcome, Ok(made) if made > 0) {
            outcome = inflater.pull(&mut buffer);
        }
        assert!(outcome.is_err(), "{outcome:?}");
    }

    proptest! {
        #[test]
        fn there_and_back(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..6), room in 1usize..100) {
            let compressed: Vec<u8> = pieces.iter().flat_map(|piece| compress(piece).unwrap()).collect();
            prop_assert_eq!(read(&compressed, room).unwrap(), pieces.concat());
        }

        #[test]
        fn random_octets_are_survived(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&octets, 50);
        }
    }
}
