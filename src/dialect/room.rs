//! Where events are put together that did not arrive as they leave.
//!
//! In: pieces of one event. Out: its bytes, cut off memory that many events share, and that is used again once they are gone. Must not
//! know: what they say.

use bytes::{Bytes, BytesMut};

/// Bytes of the memory that events share.
const SHARED: usize = 8 * 1024;

/// That memory.
#[derive(Debug)]
pub struct Room(BytesMut);

impl Default for Room {
    fn default() -> Self {
        Self(BytesMut::with_capacity(SHARED))
    }
}

impl Room {
    /// The pieces, one behind the other.
    pub fn join(&mut self, pieces: &[&[u8]]) -> Bytes {
        pieces.iter().for_each(|piece| self.0.extend_from_slice(piece));
        self.0.split().freeze()
    }

    /// What `write` writes into `most` bytes; it answers how many those are, or nothing.
    pub fn fill(&mut self, most: usize, write: impl FnOnce(&mut [u8]) -> Option<usize>) -> Option<BytesMut> {
        self.0.resize(most, 0);
        let written = write(&mut self.0);
        self.0.truncate(written.unwrap_or(0));
        written.map(|_| self.0.split())
    }
}
