//! Bytes that arrive in any pieces, before they are cut into events.
//!
//! In: chunks of a body. Out: the first so many bytes, as a slice of one chunk where they lie in one. Must not know: where an event
//! ends.

use bytes::{Buf, Bytes, BytesMut};

/// What arrived and is not cut off yet.
#[derive(Debug, Default)]
pub struct Unread {
    // INVARIANT: at most one of the two holds bytes.
    chunk: Bytes,
    partial: BytesMut,
}

impl Unread {
    /// Takes what arrived: as it is if nothing waits, else as a copy behind what does.
    pub fn push(&mut self, chunk: Bytes) {
        if self.bytes().is_empty() {
            self.chunk = chunk;
        } else {
            self.keep();
            self.partial.extend_from_slice(&chunk);
        }
    }

    /// All of it.
    pub fn bytes(&self) -> &[u8] {
        if self.partial.is_empty() { &self.chunk } else { &self.partial }
    }

    /// Cuts the first `end` bytes off.
    pub fn take(&mut self, end: usize) -> Bytes {
        if self.partial.is_empty() { self.chunk.split_to(end) } else { self.partial.split_to(end).freeze() }
    }

    /// Cuts them off unseen.
    pub fn skip(&mut self, end: usize) {
        if self.partial.is_empty() { self.chunk.advance(end) } else { self.partial.advance(end) }
    }

    /// Lets the chunk go, whose rest may be a small part of it: for when nothing is complete.
    pub fn keep(&mut self) {
        if !self.chunk.is_empty() {
            self.partial.extend_from_slice(&self.chunk);
            self.chunk = Bytes::new();
        }
    }

    /// The rest, in a buffer that can grow.
    pub fn rest(&mut self) -> BytesMut {
        self.keep();
        std::mem::take(&mut self.partial)
    }
}
