//! Listeners and connections.
//!
//! In: addresses. Out: connections served until shutdown. A provider with a port of its own can be made to refuse
//! connections: its listener is closed while a second, silent socket keeps the port. Must not know: requests.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::socket::{Control, Socket};
use super::{State, exchange};

/// Connections served at once on one port; further ones wait to be accepted.
pub const MAX_CONNECTIONS: usize = 4096;
const BACKLOG: u32 = 1024;
/// A request head has to be complete in this time.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// Pause after a failed accept (out of file descriptors), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A port that can be closed and opened again without anyone else getting it in between.
pub struct Port {
    addr: SocketAddr,
    /// Bound, never listening: keeps a provider's port while its listener is closed.
    _holder: Option<TcpSocket>,
    listener: Option<TcpListener>,
    /// `None` serves all providers, told apart by path.
    provider: Option<Arc<str>>,
}

impl Port {
    /// Binds an address; port 0 takes a free one.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub fn bind(addr: SocketAddr, provider: Option<&str>) -> io::Result<Self> {
        // Sockets that share a port would also share it with a second simulator; so first make sure it is free.
        let first = socket(addr, false)?;
        let addr = first.local_addr()?;
        let Some(provider) = provider else {
            return Ok(Self { addr, _holder: None, listener: Some(first.listen(BACKLOG)?), provider: None });
        };
        drop(first);
        let holder = Some(socket(addr, true)?);
        let listener = Some(socket(addr, true)?.listen(BACKLOG)?);
        Ok(Self { addr, _holder: holder, listener, provider: Some(Arc::from(provider)) })
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Accepts until `stop` changes.
    pub async fn serve(mut self, state: Arc<State>, mut stop: watch::Receiver<bool>) {
        let mut connections = JoinSet::new();
        let mut rules = state.watch_rules();
        loop {
            let (closed, change) = match &self.provider {
                Some(provider) => rules.borrow_and_update().port_closed(provider, Instant::now()),
                None => (false, None),
            };
            self.set_open(!closed);
            if closed {
                connections.shutdown().await;
            }
            tokio::select! {
                _ = stop.changed() => break,
                _ = rules.changed(), if self.provider.is_some() => {}
                () = tokio::time::sleep(change.unwrap_or_default()), if change.is_some() => {}
                _ = connections.join_next(), if !connections.is_empty() => {}
                stream = accept(self.listener.as_ref()), if connections.len() < MAX_CONNECTIONS => {
                    connections.spawn(serve(stream, Arc::clone(&state), self.provider.clone()));
                }
            }
        }
        connections.shutdown().await;
    }

    fn set_open(&mut self, open: bool) {
        if !open {
            self.listener = None;
        } else if self.listener.is_none() {
            // The holder owns the port, so this fails only when sockets run out; the next change tries again.
            self.listener = socket(self.addr, true).and_then(|socket| socket.listen(BACKLOG)).ok();
        }
    }
}

fn socket(addr: SocketAddr, shared: bool) -> io::Result<TcpSocket> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    #[cfg(unix)]
    socket.set_reuseport(shared)?;
    socket.bind(addr)?;
    Ok(socket)
}

/// The next connection; never, while the port is closed.
async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else { return std::future::pending().await };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn serve(stream: TcpStream, state: Arc<State>, provider: Option<Arc<str>>) {
    // Without it small events wait for acknowledgments; a connection already gone shows itself on the first read.
    let _ = stream.set_nodelay(true);
    let control = Arc::new(Control::default());
    let socket = Socket::new(stream, Arc::clone(&control));
    let service = service_fn(move |request| {
        exchange::answer(Arc::clone(&state), provider.clone(), Arc::clone(&control), request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(socket), service);
    // Errors here are broken connections: faults on purpose, or clients that left. Both are in the log already.
    let _ = connection.await;
}
