//! Hashes that deliveries in progress rely on.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::blob::Hash;

/// The pinned hashes, and those released since the writer looked last.
#[derive(Default)]
pub(crate) struct Pins {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pinned: HashMap<Hash, usize>,
    released: Vec<Hash>,
}

/// Holds a hash until dropped; then the writer looks whether a row names it.
pub(crate) struct Pin {
    pins: Arc<Pins>,
    hash: Hash,
}

impl Pins {
    pub(crate) fn pin(self: &Arc<Self>, hash: Hash) -> Pin {
        *self.state().pinned.entry(hash).or_default() += 1;
        Pin { pins: Arc::clone(self), hash }
    }

    /// Runs `remove` unless the hash is pinned; nobody can pin it meanwhile. None: it is pinned.
    pub(crate) fn unless_pinned<T>(&self, hash: Hash, remove: impl FnOnce() -> T) -> Option<T> {
        let state = self.state();
        (!state.pinned.contains_key(&hash)).then(remove)
    }

    pub(crate) fn take_released(&self) -> Vec<Hash> {
        mem::take(&mut self.state().released)
    }

    pub(crate) fn has_released(&self) -> bool {
        !self.state().released.is_empty()
    }

    /// The counts stay whole even when a holder of the lock panicked.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut state = self.pins.state();
        if let Some(count) = state.pinned.get_mut(&self.hash) {
            *count -= 1;
            if *count == 0 {
                state.pinned.remove(&self.hash);
                state.released.push(self.hash);
            }
        }
    }
}
