//! Sockets, bound before anything else is started.
//!
//! In: [`Listen`]. Out: listening sockets handed to pingora, and the addresses they really have. Must not know: HTTP.
//!
//! pingora would retry for half a minute when a port is in use, make Unix sockets writable for everybody, and cannot tell which
//! port 0 became; so binding is done here.

use std::net::SocketAddr;
use std::os::fd::IntoRawFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use pingora::apps::ServerApp;
use pingora::listeners::ListenerConfig;
use pingora::protocols::l4::stream::{L4BufferSettings, Stream};
use pingora::server::{Fds, ListenFds, ShutdownWatch};
use pingora::services::Service as _;
use pingora::services::listening::Service;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::config::Listen;

/// Connections the kernel may hold before they are accepted.
const BACKLOG: i32 = 1024;
/// Bytes read at once on a caller's connection: a head with a usual prompt. What a body has beyond them is read past this buffer.
const READ_BUFFER: usize = 16 << 10;
/// Bytes put together for one write: an answer's head with a usual body, or what is ready of a stream.
const WRITE_BUFFER: usize = 16 << 10;
/// The owner alone: whoever may write to the socket spends the sidecar's keys.
const SOCKET_MODE: u32 = 0o600;

/// A socket that listens and that nobody accepts from yet.
pub struct Bound {
    /// Where callers connect.
    pub address: Address,
    socket: Socket,
}

/// Where callers connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// With the port that was really taken.
    Tcp(SocketAddr),
    /// A path.
    Unix(PathBuf),
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "http://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Binds and listens, or says at once why not.
pub fn bind(listen: &Listen) -> Result<Bound, String> {
    match listen {
        Listen::Tcp(address) => tcp(*address).map_err(|error| format!("cannot listen on {address}: {error}")),
        Listen::Unix(path) => unix(path).map_err(|error| format!("cannot listen on unix:{}: {error}", path.display())),
    }
}

fn tcp(address: SocketAddr) -> Result<Bound, std::io::Error> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // A restart must not wait for the last connections of the process before it; two listeners on a port stay impossible.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    let real = socket.local_addr()?.as_socket().unwrap_or(address);
    Ok(Bound { address: Address::Tcp(real), socket })
}

fn unix(path: &Path) -> Result<Bound, std::io::Error> {
    clear(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // Between bind and listen nobody can connect, so there is no moment with a wider mode.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(Bound { address: Address::Unix(path.to_owned()), socket })
}

/// Removes the socket a process left behind; never a file that is something else, never a socket somebody answers on.
fn clear(path: &Path) -> Result<(), std::io::Error> {
    let in_the_way = |why| Err(std::io::Error::new(std::io::ErrorKind::AddrInUse, why));
    match std::fs::symlink_metadata(path) {
        Err(_) => Ok(()),
        Ok(file) if !file.file_type().is_socket() => in_the_way("a file that is no socket is in the way"),
        Ok(_) if UnixStream::connect(path).is_ok() => in_the_way("another process listens there"),
        Ok(_) => std::fs::remove_file(path),
    }
}

/// Accepts on all of `sockets` until `shutdown` turns true, and then takes those who had connected by then.
pub async fn accept<A: ServerApp + Send + Sync + 'static>(
    app: impl Fn() -> A,
    sockets: Vec<Bound>,
    shutdown: ShutdownWatch,
) {
    let mut service = Service::new("wayside".to_owned(), app());
    let mut fds = Fds::new();
    let mut paths = Vec::new();
    // A second handle keeps the queue of each socket open when pingora closes its own.
    let queues: Vec<Socket> = sockets.iter().filter_map(|bound| bound.socket.try_clone().ok()).collect();
    for bound in sockets {
        let (name, listener) = match bound.address {
            Address::Tcp(address) => {
                let name = address.to_string();
                (name.clone(), ListenerConfig::tcp(name))
            }
            Address::Unix(path) => {
                let name = path.display().to_string();
                paths.push(path);
                let mode = std::fs::Permissions::from_mode(SOCKET_MODE);
                (name.clone(), ListenerConfig::uds(name).permissions(mode))
            }
        };
        service.add_listener(listener.l4_buffer(L4BufferSettings::new(READ_BUFFER, WRITE_BUFFER)));
        fds.add(name, bound.socket.into_raw_fd());
    }
    let fds: ListenFds = Arc::new(Mutex::new(fds));
    service.start_service(Some(fds), shutdown.clone(), 1).await;
    let app = Arc::new(app());
    for stream in queues.iter().flat_map(queued) {
        tokio::spawn(Service::handle_event(Box::new(stream), Arc::clone(&app), shutdown.clone()));
    }
    for path in paths {
        // Best effort: the next start removes what is left.
        let _ = std::fs::remove_file(path);
    }
}

/// Connections that the kernel has made and nobody has accepted yet: their callers believe to be connected.
fn queued(socket: &Socket) -> Vec<Stream> {
    let mut streams = Vec::new();
    while let Ok((accepted, address)) = socket.accept() {
        if accepted.set_nonblocking(true).is_err() {
            continue;
        }
        let stream = if address.is_unix() {
            tokio::net::UnixStream::from_std(accepted.into()).map(Stream::from)
        } else {
            tokio::net::TcpStream::from_std(accepted.into()).map(Stream::from)
        };
        streams.extend(stream);
    }
    streams
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_fails_at_once() {
        let first = bind(&Listen::Tcp("127.0.0.1:0".parse().unwrap())).unwrap();
        let Address::Tcp(address) = first.address else { panic!("a TCP address") };
        assert_ne!(address.port(), 0);
        let again = bind(&Listen::Tcp(address)).err().unwrap();
        assert!(again.contains(&address.to_string()) && again.contains("in use"), "{again}");
    }

    #[test]
    fn a_socket_is_for_its_owner_and_replaces_only_a_dead_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("wayside.sock");
        let listen = Listen::Unix(path.clone());
        let first = bind(&listen).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, SOCKET_MODE);
        assert!(bind(&listen).err().unwrap().contains("another process"));
        drop(first);
        drop(bind(&listen).unwrap());
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "precious").unwrap();
        assert!(bind(&listen).err().unwrap().contains("no socket"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }
}
