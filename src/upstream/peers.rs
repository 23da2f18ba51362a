//! Where a provider is: its addresses, kept fresh in the background, and the head every call to it begins with.
//!
//! In: a provider's configuration. Out: an [`Upstream`] that can be called. Must not know: models, bodies.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderName, HeaderValue};
use pingora::http::RequestHeader;
use pingora::protocols::ALPN;
use pingora::protocols::http::v1::client::http_req_header_to_wire;
use pingora::upstreams::peer::{HttpPeer, Peer};
use tokio::task::AbortHandle;

use super::connector::{Pool, Pools, Security};
use super::identity::Identity;
use super::idle::KEPT;
use super::tunnel::Through;
use crate::config::Provider;
use crate::names::Dialect;

/// Streams on one HTTP/2 connection; pingora's default is 1.
const H2_STREAMS: usize = 100;
/// How often a name is resolved again.
const RESOLVE_EVERY: Duration = Duration::from_secs(30);
/// How soon a failed resolution is tried again.
const RESOLVE_AGAIN: Duration = Duration::from_secs(2);
/// Addresses used of one name.
const MAX_ADDRESSES: usize = 16;
/// Headers that no configuration may set.
const FRAMING: [&str; 3] = ["content-length", "transfer-encoding", "connection"];

/// A provider that can be called.
pub struct Upstream {
    /// What was configured.
    pub provider: Arc<Provider>,
    pub(super) pool: Pool,
    peers: ArcSwap<Vec<Arc<Place>>>,
    /// Which of `peers` is used; moved on when it cannot be reached.
    turn: AtomicUsize,
    /// Looks the name up now and then; ends with this.
    resolver: OnceLock<AbortHandle>,
    head: Head,
    pub(super) identity: Identity,
}

/// One address of a provider.
pub(super) struct Place {
    pub peer: HttpPeer,
    /// Of its connections in the pool.
    pub key: u64,
}

/// What one call has that others to the same provider have not.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Behind the base URL, ready for a request line; `None` is where calls to this upstream usually go.
    pub path: Option<&'a str>,
    /// Beside the provider's own headers, which they must not name.
    pub headers: &'a [(HeaderName, HeaderValue)],
    /// In order.
    pub body: &'a [Bytes],
}

impl<'a> Call<'a> {
    /// To where calls usually go, with the provider's own headers alone.
    pub const fn of(body: &'a [Bytes]) -> Self {
        Self { path: None, headers: &[], body }
    }
}

/// The head that calls begin with, but for the length of their body.
struct Head {
    fields: RequestHeader,
    /// The base URL's part of every path.
    base: Box<str>,
    /// The usual request line as HTTP/1 writes it.
    line: Box<[u8]>,
    /// The fields as HTTP/1 writes them, up to the length.
    wire: Box<[u8]>,
}

impl Upstream {
    /// Prepares a provider. No name is resolved yet: see [`Self::keep_resolved`].
    pub fn new(provider: Arc<Provider>, pools: &Pools) -> Result<Self, String> {
        let at = |error: String| format!("providers.{}: {error}", provider.name);
        let path = match provider.dialect {
            Dialect::Chat => "/chat/completions",
            Dialect::Responses => "/responses",
            Dialect::Messages => "/messages",
            // Each model has a path of its own.
            Dialect::Gemini | Dialect::Converse | Dialect::Embeddings => "",
        };
        Self::posting(Arc::clone(&provider), pools, path).map_err(at)
    }

    /// Likewise, for another path behind its base URL.
    pub fn posting(provider: Arc<Provider>, pools: &Pools, path: &str) -> Result<Self, String> {
        let pool = pools.with(Security::of(&provider))?;
        let head = Head::of(&provider, path)?;
        let identity = Identity::of(&provider, pools)?;
        let upstream = Self {
            pool,
            peers: ArcSwap::default(),
            turn: AtomicUsize::new(0),
            resolver: OnceLock::new(),
            head,
            identity,
            provider,
        };
        let (host, port) = upstream.first_stop();
        if let Ok(address) = host.parse::<IpAddr>() {
            upstream.know(vec![SocketAddr::new(address, port)]);
        }
        Ok(upstream)
    }

    /// What stands in the request line of a call.
    pub(super) fn path(&self, call: &Call<'_>) -> String {
        match call.path {
            Some(path) => format!("{}{path}", self.head.base),
            None => String::from_utf8_lossy(self.head.fields.raw_path()).into_owned(),
        }
    }

    /// The head of a call with a body of this length.
    pub(super) fn head(&self, call: &Call<'_>, length: usize) -> pingora::Result<RequestHeader> {
        let mut head = self.head.fields.clone();
        if let Some(path) = call.path {
            head.set_raw_path([self.head.base.as_bytes(), path.as_bytes()].concat().as_slice())?;
        }
        for (name, value) in call.headers {
            head.append_header(name, value)?;
        }
        head.insert_header(CONTENT_LENGTH, length)?;
        Ok(head)
    }

    /// The same as HTTP/1 writes it.
    pub(super) fn wire(&self, call: &Call<'_>, length: usize) -> Vec<u8> {
        const LONGEST_LENGTH: usize = 24;
        let more = |(name, value): &(HeaderName, HeaderValue)| name.as_str().len() + value.len() + 4;
        let more: usize = call.headers.iter().map(more).sum();
        let path = call.path.map_or(self.head.line.len(), |path| self.head.base.len() + path.len() + 16);
        let mut wire = Vec::with_capacity(path + self.head.wire.len() + more + LONGEST_LENGTH);
        match call.path {
            None => wire.extend_from_slice(&self.head.line),
            Some(path) => {
                for part in ["POST ", &*self.head.base, path, " HTTP/1.1\r\n"] {
                    wire.extend_from_slice(part.as_bytes());
                }
            }
        }
        wire.extend_from_slice(&self.head.wire);
        // Writing to memory cannot fail.
        let _ = write!(wire, "{length}\r\n");
        for (name, value) in call.headers {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                wire.extend_from_slice(part);
            }
        }
        wire.extend_from_slice(b"\r\n");
        wire
    }

    /// The address whose turn it is.
    pub(super) fn place(&self) -> Option<Arc<Place>> {
        let peers = self.peers.load();
        let turn = self.turn.load(Ordering::Relaxed);
        peers.get(turn.checked_rem(peers.len())?).cloned()
    }

    /// How many addresses are known.
    pub(super) fn addresses(&self) -> usize {
        self.peers.load().len()
    }

    /// The address could not be reached: the next one's turn.
    pub(super) fn rotate(&self) {
        self.turn.fetch_add(1, Ordering::Relaxed);
    }

    /// Where connections are opened to: the provider, or the proxy that leads there.
    fn first_stop(&self) -> (&str, u16) {
        match &self.provider.tunnel {
            Some(tunnel) => (&tunnel.host, tunnel.port),
            None => (&self.provider.base_url.host, self.provider.base_url.port),
        }
    }

    /// Whether the name must be looked up at all.
    fn is_named(&self) -> bool {
        self.first_stop().0.parse::<IpAddr>().is_err()
    }

    /// Looks the name up now and then for as long as somebody holds this. Once is enough; needs a runtime.
    pub fn keep_resolved(self: &Arc<Self>) {
        self.identity.keep_fresh();
        if self.is_named() {
            self.resolver.get_or_init(|| tokio::spawn(resolve_again_and_again(Arc::downgrade(self))).abort_handle());
        }
    }

    /// Looks the name up once. The last good answer is kept when there is none.
    pub(super) async fn resolve(&self) -> Result<(), String> {
        let (host, port) = self.first_stop();
        let found = tokio::net::lookup_host((host, port)).await;
        let found: Vec<_> = found.map_err(|error| format!("cannot resolve `{host}`: {error}"))?.collect();
        if found.is_empty() {
            return Err(format!("`{host}` has no address"));
        }
        self.know(found);
        Ok(())
    }

    fn know(&self, mut addresses: Vec<SocketAddr>) {
        addresses.truncate(MAX_ADDRESSES);
        let known = self.peers.load();
        if known.iter().map(|place| place.peer._address.as_inet()).eq(addresses.iter().map(Some)) {
            return;
        }
        self.peers.store(Arc::new(addresses.into_iter().map(|address| Arc::new(self.place_at(address))).collect()));
    }

    fn place_at(&self, address: SocketAddr) -> Place {
        let base = &self.provider.base_url;
        // An empty name would turn certificate verification off, so the address itself stands in for a missing one.
        let mut peer = HttpPeer::new(address, base.tls, base.host.clone());
        let mut hasher = DefaultHasher::new();
        // pingora's own key leaves out what a connection leads to beyond its first stop, and who it was opened as.
        (self.pool.key, &self.provider.name, &self.provider.tunnel, base.host_and_port()).hash(&mut hasher);
        peer.group_key = hasher.finish();
        if let Some(tunnel) = &self.provider.tunnel {
            peer.options.custom_l4 = Some(Arc::new(Through::new(tunnel, base)));
        }
        peer.options.total_connection_timeout = Some(self.provider.connect_timeout.duration());
        peer.options.connection_timeout = Some(self.provider.connect_timeout.duration());
        peer.options.max_h2_streams = H2_STREAMS;
        peer.options.idle_timeout = Some(KEPT);
        if base.tls {
            peer.options.alpn = ALPN::H2H1;
        }
        Place { key: peer.reuse_hash(), peer }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        if let Some(resolver) = self.resolver.get() {
            resolver.abort();
        }
    }
}

async fn resolve_again_and_again(upstream: Weak<Upstream>) {
    loop {
        let Some(alive) = upstream.upgrade() else { return };
        let pause = match alive.resolve().await {
            Ok(()) => RESOLVE_EVERY,
            Err(error) => {
                tracing::warn!(provider = &*alive.provider.name, "{error}; the last good addresses are kept");
                RESOLVE_AGAIN
            }
        };
        drop(alive);
        tokio::time::sleep(pause).await;
    }
}

impl Head {
    /// Everything a provider is told, from configuration alone: nothing of the caller's head is ever passed on.
    fn of(provider: &Provider, path: &str) -> Result<Self, String> {
        let base = &provider.base_url;
        let path = format!("{}{path}", base.path);
        let path = if path.is_empty() { "/".to_owned() } else { path };
        let mut fields =
            RequestHeader::build_no_case("POST", path.as_bytes(), Some(8)).map_err(|error| error.to_string())?;
        let mut put = |name: String, value: &str, hidden: bool| {
            let mut value =
                http::HeaderValue::from_str(value).map_err(|_| format!("`{name}` holds a control character"))?;
            value.set_sensitive(hidden);
            fields.insert_header(name, value).map(drop).map_err(|error| error.to_string())
        };
        put("host".to_owned(), &base.authority(), false)?;
        put("content-type".to_owned(), "application/json", false)?;
        put("accept".to_owned(), "application/json, text/event-stream", false)?;
        put("user-agent".to_owned(), concat!("wayside/", env!("CARGO_PKG_VERSION")), false)?;
        if let Some(key) = &provider.key {
            let (name, front) = provider.key_header();
            put(name.to_owned(), &format!("{front}{}", key.expose()), true)?;
        }
        for (name, value) in &provider.headers {
            if FRAMING.contains(&name.as_str()) {
                return Err(format!(
                    "headers: `{name}` says where a request ends, which every call does itself; leave it out"
                ));
            }
            put(name.clone(), value.expose(), true)?;
        }
        let whole = http_req_header_to_wire(&fields).ok_or("its path holds a character that no request line can")?;
        let open = whole.strip_suffix(b"\r\n").unwrap_or(&whole);
        let end = memchr::memchr(b'\n', open).map_or(0, |newline| newline + 1);
        let (line, names) = open.split_at(end);
        let wire = [names, CONTENT_LENGTH.as_str().as_bytes(), b": "].concat().into();
        Ok(Self { fields, base: base.path.as_str().into(), line: line.into(), wire })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BaseUrl;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    fn upstream(host: &str) -> Arc<Upstream> {
        let provider = Provider::at("lab", BaseUrl::parse(&format!("http://{host}:80/v1"), host).unwrap());
        Arc::new(Upstream::new(Arc::new(provider), &Pools::new(8)).unwrap())
    }

    /// A name that cannot be asked about: a label may have 63 letters.
    fn unresolvable() -> String {
        "a".repeat(64)
    }

    /// Answers one request on each connection.
    async fn alive() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 4096]).await;
                stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await.unwrap();
            }
        });
        address
    }

    /// Nobody listens there.
    async fn dead() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
    }

    async fn status(upstream: &Arc<Upstream>) -> Result<u16, String> {
        let answer = upstream.call(&Call::of(&[Bytes::from_static(b"{}")])).await;
        answer.map(|answer| answer.status()).map_err(|error| error.reason)
    }

    #[tokio::test]
    async fn an_address_that_cannot_be_reached_gives_its_turn_to_the_next_for_good() {
        let upstream = upstream(&unresolvable());
        let (dead, alive) = (dead().await, alive().await);
        upstream.know(vec![dead, alive]);
        assert_eq!(status(&upstream).await, Ok(204));
        assert_eq!(upstream.place().unwrap().peer._address.as_inet(), Some(&alive));
        assert_eq!(status(&upstream).await, Ok(204));
        assert_eq!(upstream.turn.load(Ordering::Relaxed), 1, "the dead one was asked once");
    }

    #[tokio::test]
    async fn three_addresses_are_tried_in_one_call_and_the_fourth_in_the_next() {
        let (one, two, three, alive) = (dead().await, dead().await, dead().await, alive().await);
        let near = upstream(&unresolvable());
        near.know(vec![one, two, alive]);
        assert_eq!(status(&near).await, Ok(204));
        let far = upstream(&unresolvable());
        far.know(vec![one, two, three, alive]);
        status(&far).await.unwrap_err();
        assert_eq!(status(&far).await, Ok(204));
    }

    #[tokio::test]
    async fn a_failed_look_up_keeps_the_last_good_addresses() {
        let upstream = upstream(&unresolvable());
        assert!(status(&upstream).await.unwrap_err().contains("cannot resolve"));
        upstream.know(vec![alive().await]);
        assert!(upstream.resolve().await.unwrap_err().contains("cannot resolve"));
        assert_eq!((upstream.addresses(), status(&upstream).await), (1, Ok(204)));
    }

    #[test]
    fn of_one_name_sixteen_addresses_are_known() {
        let upstream = upstream(&unresolvable());
        let addresses = |count: u8| (1..=count).map(|last| SocketAddr::from(([127, 0, 0, last], 1))).collect();
        for (count, known) in [(16, 16), (17, 16)] {
            upstream.know(addresses(count));
            assert_eq!(upstream.addresses(), known);
        }
    }

    #[tokio::test]
    async fn one_task_looks_a_name_up_and_ends_with_its_upstream() {
        let upstream = upstream(&unresolvable());
        upstream.keep_resolved();
        let resolver = upstream.resolver.get().unwrap().clone();
        upstream.keep_resolved();
        assert_eq!(upstream.resolver.get().unwrap().id(), resolver.id());
        drop(upstream);
        while !resolver.is_finished() {
            tokio::task::yield_now().await;
        }
        let addressed = super::tests::upstream("127.0.0.1");
        addressed.keep_resolved();
        assert!(addressed.resolver.get().is_none(), "an address is no name");
    }
}
