//! The way through an HTTP proxy.
//!
//! In: a [`Tunnel`] and the address of its proxy. Out: a connection that leads to the provider, or why the proxy gave none. Must
//! not know: what travels through it.
//!
//! pingora speaks `CONNECT` over Unix sockets alone.

use std::io::{Error, ErrorKind};

use async_trait::async_trait;
use pingora::connectors::L4Connect;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::{ErrorType, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::config::{BaseUrl, Secret, Tunnel};

/// Bytes of the head a proxy may answer with.
const MAX_HEAD: usize = 16 << 10;

/// Asks a proxy for one provider.
pub struct Through {
    /// `host:port`, whose name the proxy looks up.
    to: String,
    authorization: Option<Secret>,
}

impl Through {
    pub fn new(tunnel: &Tunnel, to: &BaseUrl) -> Self {
        Self { to: to.host_and_port(), authorization: tunnel.authorization.clone() }
    }

    async fn open(&self, proxy: std::net::SocketAddr) -> std::io::Result<TcpStream> {
        let mut stream = TcpStream::connect(proxy).await?;
        let to = &self.to;
        let mut head = format!("CONNECT {to} HTTP/1.1\r\nhost: {to}\r\n");
        if let Some(authorization) = &self.authorization {
            head.extend(["proxy-authorization: ", authorization.expose(), "\r\n"]);
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).await?;
        self.granted(&read_head(&mut stream).await?)?;
        Ok(stream)
    }

    fn granted(&self, head: &[u8]) -> std::io::Result<()> {
        let refused = |why: String| Err(Error::other(why));
        match (status(head), &self.authorization) {
            (Some(200..=299), _) => Ok(()),
            (Some(407), None) => refused("the proxy answered 407: it wants a user and a password".to_owned()),
            (Some(407), Some(_)) => refused("the proxy answered 407: it wants another user or password".to_owned()),
            (Some(status), _) => refused(format!("the proxy answered {status} when asked for `{}`", self.to)),
            (None, _) => refused("the proxy answered something that is not HTTP/1".to_owned()),
        }
    }
}

/// Everything up to the empty line. Nobody has been asked for more yet, so that nothing may follow it.
async fn read_head(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    loop {
        if head.len() >= MAX_HEAD {
            return Err(Error::other(format!("the proxy's head is larger than {MAX_HEAD} bytes")));
        }
        let room = (MAX_HEAD - head.len()) as u64;
        if (&mut *stream).take(room).read_buf(&mut head).await? == 0 {
            return Err(Error::new(ErrorKind::UnexpectedEof, "the proxy hung up before it answered"));
        }
        if let Some(end) = memchr::memmem::find(&head, b"\r\n\r\n") {
            let follows = end + 4 < head.len();
            head.truncate(end);
            // After a refusal comes its page, which nobody reads.
            let granted = matches!(status(&head), Some(200..=299));
            return if follows && granted {
                Err(Error::other("the proxy sent more than it was asked for"))
            } else {
                Ok(head)
            };
        }
    }
}

/// From `HTTP/1.1 200 ...`.
fn status(head: &[u8]) -> Option<u16> {
    let rest = head.strip_prefix(b"HTTP/1.")?;
    std::str::from_utf8(rest.get(2..5)?).ok()?.parse().ok()
}

#[async_trait]
impl L4Connect for Through {
    async fn connect(&self, proxy: &SocketAddr) -> Result<Stream> {
        let opened = match proxy.as_inet() {
            Some(proxy) => self.open(*proxy).await,
            None => Err(ErrorKind::Unsupported.into()),
        };
        match opened {
            Ok(stream) => Ok(stream.into()),
            Err(error) => pingora::Error::e_because(ErrorType::ConnectProxyFailure, "asking a proxy", error),
        }
    }
}

impl std::fmt::Debug for Through {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Through({})", self.to)
    }
}
