//! Whoever waits for an answer while it is sought.
//!
//! In: the caller's connection, and comments that keep it alive. Out: the word that it is gone, or that a comment is due. Must not
//! know: attempts. One of several attempts at once has nobody to look after: that is done where all of them are awaited.

use pingora::protocols::http::ServerSession;

use super::keep_alive::{self, KeepAlive};

/// Who waits.
pub enum Caller<'a> {
    /// On this connection.
    Here {
        /// Its connection.
        session: &'a mut ServerSession,
        /// For a caller who sees nothing of a stream before its end.
        alive: &'a mut Option<KeepAlive>,
    },
    /// Somebody else looks after them.
    Elsewhere,
}

/// What a caller needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing more.
    Gone,
    /// A word that they are still heard: [`Caller::answered`].
    Comment,
}

impl Caller<'_> {
    /// Completes when the caller has left, or is to be told something. Dropping the future loses nothing.
    pub async fn turns(&mut self) -> Turn {
        match self {
            Self::Here { session, alive } => tokio::select! {
                biased;
                () = client_gone(session) => Turn::Gone,
                () = keep_alive::due(alive.as_ref()) => Turn::Comment,
            },
            Self::Elsewhere => std::future::pending().await,
        }
    }

    /// Tells them, if that was what was due, and says whether they are still there. Not to be given up half-way.
    pub async fn answered(&mut self, turn: Turn) -> bool {
        match self {
            Self::Here { session, alive } if turn == Turn::Comment => keep_alive::send(alive, session).await,
            _ => false,
        }
    }
}

/// Completes when the caller has closed the connection or reset the stream, and never before.
///
/// A caller that closes only its sending side counts as gone: on the wire that is the same FIN as a full close, and only a write
/// would tell them apart. Serving it (pingora's `set_abort_on_close(false)`) would mean to notice nobody's leaving before an
/// answer begins, and to pay providers for answers that nobody reads.
pub async fn client_gone(session: &mut ServerSession) {
    // Bytes of a next request are put aside by pingora, so only an end of the connection completes this.
    while let Ok(piece) = session.read_body_or_idle(true).await {
        if piece.is_none() {
            std::future::pending::<()>().await;
        }
    }
}
