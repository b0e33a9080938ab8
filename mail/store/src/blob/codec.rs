//! zstd for inline blobs; contexts are kept per thread because making one costs more than a small message.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

use crate::error::{Error, Result};

/// Level 1 compresses mail almost as well as 3 at half the time.
const LEVEL: i32 = 1;

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// The compressed bytes, unless that saves less than an eighth.
pub(crate) fn compress(raw: &[u8]) -> Option<Vec<u8>> {
    let packed = COMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = Compressor::new(LEVEL).ok();
        }
        slot.as_mut()?.compress(raw).ok()
    })?;
    (packed.len() < raw.len() - raw.len() / 8).then_some(packed)
}

/// The bytes again; `size` is known from the row and bounds the output.
pub(crate) fn decompress(packed: &[u8], size: usize) -> Result<Vec<u8>> {
    let raw = DECOMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = Some(Decompressor::new()?);
        }
        match slot.as_mut() {
            Some(decompressor) => decompressor.decompress(packed, size),
            None => Err(std::io::ErrorKind::OutOfMemory.into()),
        }
    });
    raw.map_err(|error| Error::Damaged(format!("a compressed message cannot be read: {error}")))
}
