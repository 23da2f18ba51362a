//! Requests that wait for a person: a directory with one file for each ticket.
//!
//! In: a request that no model answered, and what is known about it. Out: a file that is on the disk before anybody hears of its
//! ticket; and the tickets again, for whoever works them. Must not know: HTTP, the async runtime, how tickets are shown.
//!
//! ```text
//! tkt_019adf3c2b7f4b1c0d5e6f708192.ticket     {"schema":1,"ticket":"tkt_…","queue":"refunds_desk",…}\n  and the body, byte for byte
//! tkt_019adf3c2b7f4b1c0d5e6f708192.part       the same while it is written
//! ```
//!
//! A ticket is written under its temporary name, synced, renamed, and its directory is synced; only then is it *kept*. So a crash
//! at any moment leaves either no ticket, which the caller was not given, or a whole one. One thread writes: tickets that come
//! while it works are written together and share the last sync.
//!
//! Nothing is ever deleted to make room. A spool that is full, or whose oldest ticket nobody took for too long, takes no more.

mod disk;
mod shelf;
mod ticket;
mod writer;

pub use disk::{Bad, look, names, remove, take};
pub use shelf::{Full, Refused, Shelf};
pub use ticket::{MAX_HEAD, Ticket, TicketId};
pub use writer::{Pending, Spool, WAITING};
