//! A TCP connection that can be broken in the ways networks break.
//!
//! In: an accepted stream. Out: the same stream for hyper, with a control that other tasks hold. Must not know: HTTP.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What comes instead of HTTP.
const GARBAGE: &[u8] = b"\x16\x03this is not HTTP\r\n\r\n";

/// How a connection is to behave from now on.
#[derive(Default)]
pub struct Control {
    reset: AtomicBool,
    garbage: AtomicBool,
}

impl Control {
    /// Closing sends RST instead of FIN.
    pub fn reset_on_close(&self, reset: bool) {
        self.reset.store(reset, Ordering::Relaxed);
    }

    /// Everything written from now on is replaced by a few bytes that are not HTTP.
    pub fn write_garbage(&self) {
        self.garbage.store(true, Ordering::Relaxed);
    }
}

/// See the module.
pub struct Socket {
    stream: TcpStream,
    control: Arc<Control>,
    garbage_written: usize,
}

impl Socket {
    /// Wraps a connection.
    pub fn new(stream: TcpStream, control: Arc<Control>) -> Self {
        Self { stream, control, garbage_written: 0 }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.control.reset.load(Ordering::Relaxed) {
            // A connection that is already gone cannot be reset any more; nothing to do then.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if !self.control.garbage.load(Ordering::Relaxed) {
            return Pin::new(&mut self.stream).poll_write(cx, buf);
        }
        while let Some(rest) = GARBAGE.get(self.garbage_written..).filter(|rest| !rest.is_empty()) {
            let written = std::task::ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
            self.garbage_written += written.max(1);
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.control.reset.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(())); // a FIN before the RST would look like a clean end
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
