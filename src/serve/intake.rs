//! The caller's body, whole, under a limit of size and of time.
//!
//! In: a session whose head was read. Out: bytes, or what to tell the caller. Must not know: what the bytes mean.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pingora::protocols::http::ServerSession;
use tokio::time::Instant;

use super::reply::Problem;
use super::tally::Held;

/// Reserved at once for a declared length; a declaration alone must not cost its whole memory.
const FIRST_RESERVE: usize = 1 << 20;

/// Why there is no body.
#[derive(Debug)]
pub enum NoBody {
    /// Tell the caller.
    Problem(Problem),
    /// There is nobody to tell.
    ClientGone,
}

/// Reads the whole body: at most `limit` bytes, within `patience`. `held` grows with it, as far as there is room.
pub async fn body(
    session: &mut ServerSession,
    limit: usize,
    patience: Duration,
    held: &mut Held,
) -> Result<Bytes, NoBody> {
    let declared = declared_length(session);
    if declared.is_some_and(|length| length > limit as u64) {
        return Err(NoBody::Problem(too_large(limit)));
    }
    if expects_continue(session) && session.write_continue_response().await.is_err() {
        return Err(NoBody::ClientGone);
    }
    let deadline = Instant::now() + patience;
    let mut gathered = BytesMut::new();
    let mut only: Option<Bytes> = None;
    loop {
        let piece = match tokio::time::timeout_at(deadline, session.read_request_body()).await {
            Err(_) => return Err(NoBody::Problem(too_slow(patience))),
            Ok(Err(error)) => return Err(broken(&error, patience)),
            Ok(Ok(None)) => break,
            Ok(Ok(Some(piece))) => piece,
        };
        let so_far = gathered.len() + only.as_ref().map_or(0, Bytes::len);
        if so_far + piece.len() > limit {
            return Err(NoBody::Problem(too_large(limit)));
        }
        if !held.grow(piece.len()) {
            return Err(NoBody::Problem(no_room()));
        }
        if so_far == 0 {
            // Most bodies arrive in one piece, which is then taken as it is.
            only = Some(piece);
            continue;
        }
        if let Some(first) = only.take() {
            gathered.reserve(declared.map_or(first.len() * 2, |length| length as usize).min(FIRST_RESERVE));
            gathered.extend_from_slice(&first);
        }
        gathered.extend_from_slice(&piece);
    }
    Ok(only.unwrap_or_else(|| gathered.freeze()))
}

fn declared_length(session: &ServerSession) -> Option<u64> {
    std::str::from_utf8(session.get_header_bytes(http::header::CONTENT_LENGTH)).ok()?.trim().parse().ok()
}

fn expects_continue(session: &ServerSession) -> bool {
    session.get_header_bytes(http::header::EXPECT).eq_ignore_ascii_case(b"100-continue")
}

fn too_large(limit: usize) -> Problem {
    Problem::caller(
        413,
        "body_too_large",
        format!("The request's body is larger than {limit} bytes, the limit of this sidecar (`limits.body` in wayside.yaml)."),
    )
    .unread()
}

fn no_room() -> Problem {
    Problem::busy(
        "too_many_bytes_in_work",
        "The requests in work take all the memory this sidecar has for their bodies (`limits.bodies` in wayside.yaml); try again.",
    )
    .unread()
}

fn too_slow(patience: Duration) -> Problem {
    Problem::caller(
        408,
        "body_too_slow",
        format!(
            "The request's body did not arrive within {} s (`limits.read_timeout` in wayside.yaml).",
            patience.as_secs()
        ),
    )
    .unread()
}

fn broken(error: &pingora::Error, patience: Duration) -> NoBody {
    match error.etype() {
        pingora::ErrorType::ReadTimedout => NoBody::Problem(too_slow(patience)),
        pingora::ErrorType::ConnectionClosed | pingora::ErrorType::ReadError => NoBody::ClientGone,
        _ => NoBody::Problem(
            Problem::caller(
                400,
                "bad_request_body",
                "The request's body is not framed as HTTP demands (chunked encoding).",
            )
            .unread(),
        ),
    }
}
