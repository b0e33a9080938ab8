//! Bytes of the peer that are not read yet.

/// A queue of octets; reading from its front moves no others.
#[derive(Debug, Default)]
pub(crate) struct Input {
    bytes: Vec<u8>,
    at: usize,
}

impl Input {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.at > 0 {
            self.bytes.drain(..self.at);
            self.at = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// What is not read yet.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    /// So many octets are read now.
    pub(crate) fn consume(&mut self, octets: usize) {
        self.at = (self.at + octets).min(self.bytes.len());
        if self.at == self.bytes.len() {
            self.clear();
        }
    }

    /// At most so many octets from the front, read now.
    pub(crate) fn take(&mut self, most: u64) -> Vec<u8> {
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(self.len());
        let taken = self.rest()[..most].to_vec();
        self.consume(most);
        taken
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all of it.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.at = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue() {
        let mut input = Input::default();
        input.push(b"abcdef");
        input.consume(2);
        assert_eq!((input.rest(), input.len()), (&b"cdef"[..], 4));
        input.push(b"gh");
        assert_eq!(input.take(3), b"cde");
        assert_eq!(input.take(u64::MAX), b"fgh");
        assert!(input.is_empty());
        assert_eq!(input.take(1), b"");
        input.push(b"x");
        input.consume(9);
        assert!(input.is_empty());
        input.push(b"y");
        input.clear();
        assert_eq!(input.rest(), b"");
    }
}
