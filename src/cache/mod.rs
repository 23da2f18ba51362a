//! Answers that may be given again: at once while they are fresh, and longer where nothing else answers.
//!
//! In: complete answers, the key of the request they were given to, times. Out: an answer that is young enough. Must not know: what
//! a request means, clocks, sockets.
//!
//! Everything is in memory, bounded by bytes and by number; what was used longest ago makes room. Time is an argument.

mod key;
mod store;

pub use key::{Key, KeyBuilder};
pub use store::{Entry, OVERHEAD, Store};
