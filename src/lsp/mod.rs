//! The language server: what `check`, `explain` and `fmt` know, while somebody types.
//!
//! In: messages of an editor, the files of its workspace. Out: diagnostics, quick fixes, completion, hover, hints, lenses, names
//! and layout. Must not know: terminals, the clock. It asks the functions the command line asks; nothing is judged twice.
//!
//! ```text
//! server: message -> state: documents, discover, set -> diagnostics, complete, hover, navigate, hints, outline, witness
//! ```
//!
//! One thread owns the state and takes messages in wire order. An edit is parsed and its names are settled as soon as no message
//! waits; what must hold for every possible request is proven when nobody typed for [`REST`].

mod buffers;
mod capabilities;
mod carry;
mod client;
mod complete;
mod context;
mod diagnostics;
mod discover;
mod documents;
mod hints;
mod hover;
mod navigate;
mod offers;
mod outline;
mod position;
mod server;
mod set;
mod state;
mod symbols;
mod uri;
mod walk;
mod witness;

use std::time::Duration;

use lsp_server::Connection;

pub use discover::{MAX_BYTES, MAX_FILES};
pub use documents::MAX_OPEN;
pub use state::MAX_POLICIES;

use self::server::{Next, Server};
use crate::workspace::How;

/// How long nobody must have typed before the exact analysis runs.
pub const REST: Duration = Duration::from_millis(25);

/// How a conversation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// `shutdown`, then `exit` or the end of the stream.
    Clean,
    /// `exit`, or the end of the stream, without `shutdown`.
    Abrupt,
    /// The stream is no protocol, or could not be read.
    Broken(String),
}

/// Speaks the protocol over standard input and output until it ends.
pub fn serve(how: How) -> End {
    let (connection, threads) = Connection::stdio();
    let (clean, heard) = converse(&connection, how);
    // The threads end when nobody can send to them any more.
    drop(connection);
    if !heard {
        return End::Broken("nobody reads the answers".to_owned());
    }
    match threads.join() {
        Err(error) if !clean => End::Broken(format!("the input is not the protocol: {error}")),
        _ if clean => End::Clean,
        _ => End::Abrupt,
    }
}

/// Whether it was ended properly, and whether somebody heard it.
fn converse(connection: &Connection, how: How) -> (bool, bool) {
    let heard = std::cell::Cell::new(true);
    let send = |message| {
        let sent = connection.sender.send(message).is_ok();
        heard.set(heard.get() && sent);
        sent
    };
    let mut server = Server::new(how, &send);
    while heard.get() {
        let message = match connection.receiver.try_recv() {
            Ok(message) => Some(message),
            Err(_) => {
                server.pause();
                if server.is_open() {
                    match connection.receiver.recv_timeout(REST) {
                        Ok(message) => Some(message),
                        Err(error) if error.is_timeout() => {
                            server.rest();
                            continue;
                        }
                        Err(_) => None,
                    }
                } else {
                    connection.receiver.recv().ok()
                }
            }
        };
        let Some(message) = message else { return (server.is_shut_down(), true) };
        if let Next::End { clean } = server.message(message) {
            return (clean, heard.get());
        }
    }
    (false, false)
}
