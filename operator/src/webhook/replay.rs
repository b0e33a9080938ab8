//! Which deliveries were seen: a bounded memory, the oldest forgotten first.

use std::collections::{HashSet, VecDeque};

use http::HeaderMap;
use sha2::{Digest as _, Sha256};

use super::{Provider, Push, signature, text};

/// Deliveries that are remembered of one repository: at the rate that is let in, more than half an hour of them.
const REMEMBERED: usize = 1024;

type Mark = [u8; 32];

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    order: VecDeque<Mark>,
    marks: HashSet<Mark>,
}

impl Seen {
    /// Whether none of the marks was seen before; they are from now on.
    pub(super) fn first(&mut self, marks: &[Mark]) -> bool {
        let fresh = marks.iter().all(|mark| !self.marks.contains(mark));
        for mark in marks {
            if self.marks.insert(*mark) {
                self.order.push_back(*mark);
            }
        }
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.marks.remove(&oldest);
            }
        }
        fresh
    }
}

/// What tells a delivery from others: its name, and what was signed. The name alone would not do: a forge does not sign it, so
/// whoever caught a request could send it under another.
pub(super) fn marks(provider: Provider, headers: &HeaderMap, body: &[u8], push: &Push) -> Vec<Mark> {
    let digest = |parts: &[&[u8]]| -> Mark {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    };
    let stamp = match provider {
        Provider::Generic => text(headers, signature::HEADER_TIMESTAMP).unwrap_or_default(),
        _ => "",
    };
    let mut marks = vec![digest(&[b"body", stamp.as_bytes(), body])];
    marks.extend(push.delivery.as_ref().map(|name| digest(&[b"name", name.as_bytes()])));
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_is_bounded_and_forgets_the_oldest() {
        let mut seen = Seen::default();
        let mark = |number: usize| -> Mark { Sha256::digest(number.to_be_bytes()).into() };
        for number in 0..REMEMBERED * 3 {
            assert!(seen.first(&[mark(number)]), "{number}");
            assert!(!seen.first(&[mark(number)]), "{number}");
        }
        assert_eq!((seen.order.len(), seen.marks.len()), (REMEMBERED, REMEMBERED));
        assert!(seen.first(&[mark(0)]) && !seen.first(&[mark(REMEMBERED * 3 - 1)]));
    }

    #[test]
    fn one_known_mark_is_enough() {
        let mut seen = Seen::default();
        assert!(seen.first(&[[1; 32], [2; 32]]));
        assert!(!seen.first(&[[1; 32], [3; 32]]) && !seen.first(&[[4; 32], [2; 32]]));
        assert!(!seen.first(&[[3; 32]]), "what came with a replay is known too");
    }
}
