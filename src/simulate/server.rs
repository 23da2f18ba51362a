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
    /// [`MAX_CONNECTIONS`], but in tests.
    most: usize,
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
            let listener = Some(first.listen(BACKLOG)?);
            return Ok(Self { addr, _holder: None, listener, provider: None, most: MAX_CONNECTIONS });
        };
        drop(first);
        let holder = Some(socket(addr, true)?);
        let listener = Some(socket(addr, true)?.listen(BACKLOG)?);
        Ok(Self { addr, _holder: holder, listener, provider: Some(Arc::from(provider)), most: MAX_CONNECTIONS })
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
                stream = accept(self.listener.as_ref()), if connections.len() < self.most => {
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::super::rules::{Rules, Wishes};
    use super::super::seen::Log;
    use super::*;

    async fn ask(stream: &mut TcpStream) {
        stream.write_all(b"GET /simulate/faults HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    }

    async fn answer(stream: &mut TcpStream) {
        let (mut answer, mut piece) = (Vec::new(), [0; 1024]);
        while !answer.ends_with(b"}\n") {
            let read = stream.read(&mut piece).await.unwrap();
            assert_ne!(read, 0, "it is closed");
            answer.extend_from_slice(&piece[..read]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn so_many_connections_are_served_at_once_and_one_more_waits() {
        const MOST: usize = 3;
        let now = Instant::now();
        let rules = watch::Sender::new(Arc::new(Rules::none(now)));
        let state = Arc::new(State { seen: Log::new(now), wishes: Wishes::default(), rules });
        let mut port = Port::bind(SocketAddr::from(([127, 0, 0, 1], 0)), None).unwrap();
        assert_eq!(port.most, MAX_CONNECTIONS);
        port.most = MOST;
        let (addr, (_stop, stopped)) = (port.addr(), watch::channel(false));
        tokio::spawn(port.serve(state, stopped));
        let mut served = Vec::new();
        for _ in 0..MOST {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            ask(&mut stream).await;
            answer(&mut stream).await;
            served.push(stream);
        }
        let mut waiting = TcpStream::connect(addr).await.unwrap();
        ask(&mut waiting).await;
        // Whoever is served is served many times meanwhile.
        for _ in 0..100 {
            ask(&mut served[0]).await;
            answer(&mut served[0]).await;
        }
        let nothing = waiting.try_read(&mut [0; 1]).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock, "one more than the limit is served");
        served.pop();
        answer(&mut waiting).await;
    }
}
