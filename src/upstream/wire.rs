//! A request on an HTTP/1 connection: head and body in as few writes as the socket takes.
//!
//! In: a stream, the bytes of a head, the parts of a body. Out: whether all of it was sent. Must not know: what the bytes mean.
//!
//! pingora sends a head by itself, ahead of its body: one system call more, and a server that wakes up twice. So requests are
//! written here, and pingora reads what comes back.

use std::future::poll_fn;
use std::io::{Error, ErrorKind, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use pingora::protocols::Stream;
use pingora::{ErrorType, OrErr};
use smallvec::SmallVec;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// How much of a request went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// All of it.
    Whole,
    /// An answer began first, or the server hung up, and the rest was not sent.
    Overtaken,
}

/// Writes a head and its body.
pub async fn send(stream: &mut Stream, head: &[u8], body: &[Bytes]) -> pingora::Result<Sent> {
    let mut slices: SmallVec<[IoSlice<'_>; 8]> = SmallVec::with_capacity(body.len() + 1);
    slices.push(IoSlice::new(head));
    slices.extend(body.iter().filter(|part| !part.is_empty()).map(|part| IoSlice::new(part)));
    let mut rest = &mut slices[..];
    let sent = poll_fn(|context| write(stream, &mut rest, context)).await;
    let sent = sent.or_err(ErrorType::WriteError, "writing a request")?;
    if sent == Sent::Whole {
        stream.flush().await.or_err(ErrorType::WriteError, "flushing a request")?;
    }
    Ok(sent)
}

fn write(stream: &mut Stream, rest: &mut &mut [IoSlice<'_>], context: &mut Context<'_>) -> Poll<Result<Sent, Error>> {
    while !rest.is_empty() {
        match Pin::new(&mut *stream).poll_write_vectored(context, rest) {
            Poll::Ready(Ok(0)) => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(count)) => IoSlice::advance_slices(rest, count),
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            // The server has stopped reading, perhaps because it has answered already.
            Poll::Pending if is_readable(stream, context) => return Poll::Ready(Ok(Sent::Overtaken)),
            Poll::Pending => return Poll::Pending,
        }
    }
    Poll::Ready(Ok(Sent::Whole))
}

/// Whether there is something to read, if only the end; what is there stays. Streams that cannot tell (TLS) say no.
fn is_readable(stream: &mut Stream, context: &mut Context<'_>) -> bool {
    let mut first = [0; 1];
    let peek = pin!(stream.try_peek(&mut first));
    match peek.poll(context) {
        Poll::Ready(peeked) => peeked.unwrap_or(true),
        Poll::Pending => false,
    }
}
