//! Where a provider is: its addresses, kept fresh in the background, and the head every call to it begins with.
//!
//! In: a provider's configuration. Out: an [`Upstream`] that can be called. Must not know: models, bodies.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::header::CONTENT_LENGTH;
use pingora::http::RequestHeader;
use pingora::protocols::ALPN;
use pingora::protocols::http::v1::client::http_req_header_to_wire;
use pingora::upstreams::peer::{HttpPeer, Peer};

use super::connector::{Pool, Pools, Trust};
use super::idle::KEPT;
use crate::config::Provider;

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
    chat: Head,
}

/// One address of a provider.
pub(super) struct Place {
    pub peer: HttpPeer,
    /// Of its connections in the pool.
    pub key: u64,
}

/// The head that calls begin with, but for the length of their body.
struct Head {
    fields: RequestHeader,
    /// The same as HTTP/1 writes it, up to the length.
    wire: Box<[u8]>,
}

impl Upstream {
    /// Prepares a provider. No name is resolved yet: see [`keep_resolved`].
    pub fn new(provider: Arc<Provider>, pools: &Pools) -> Result<Self, String> {
        let at = |error: String| format!("providers.{}: {error}", provider.name);
        let trust = Trust::of(provider.base_url.tls, provider.ca_file.as_deref()).map_err(at)?;
        let pool = pools.trusting(trust).map_err(at)?;
        let chat = Head::of(&provider, "/chat/completions").map_err(at)?;
        let upstream =
            Self { pool, peers: ArcSwap::default(), turn: AtomicUsize::new(0), chat, provider: provider.clone() };
        if let Ok(address) = provider.base_url.host.parse::<IpAddr>() {
            upstream.know(vec![SocketAddr::new(address, provider.base_url.port)]);
        }
        Ok(upstream)
    }

    /// The head of a call to Chat Completions with a body of this length.
    pub(super) fn chat_head(&self, length: usize) -> pingora::Result<RequestHeader> {
        let mut head = self.chat.fields.clone();
        head.insert_header(CONTENT_LENGTH, length)?;
        Ok(head)
    }

    /// The same as HTTP/1 writes it.
    pub(super) fn chat_wire(&self, length: usize) -> Vec<u8> {
        const LONGEST_LENGTH: usize = 24;
        let mut wire = Vec::with_capacity(self.chat.wire.len() + LONGEST_LENGTH);
        wire.extend_from_slice(&self.chat.wire);
        // Writing to memory cannot fail.
        let _ = write!(wire, "{length}\r\n\r\n");
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

    /// Whether the name must be looked up at all.
    fn is_named(&self) -> bool {
        self.provider.base_url.host.parse::<IpAddr>().is_err()
    }

    /// Looks the name up once. The last good answer is kept when there is none.
    pub(super) async fn resolve(&self) -> Result<(), String> {
        let base = &self.provider.base_url;
        let found = tokio::net::lookup_host((base.host.as_str(), base.port)).await;
        let found: Vec<_> = found.map_err(|error| format!("cannot resolve `{}`: {error}", base.host))?.collect();
        if found.is_empty() {
            return Err(format!("`{}` has no address", base.host));
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
        (self.pool.key, &self.provider.name).hash(&mut hasher);
        peer.group_key = hasher.finish();
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

/// Resolves the upstream's name now and then for as long as somebody holds it. Ends at once where there is only an address.
pub async fn keep_resolved(upstream: Weak<Upstream>) {
    loop {
        let Some(alive) = upstream.upgrade().filter(|upstream| upstream.is_named()) else { return };
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
            put("authorization".to_owned(), &format!("Bearer {}", key.expose()), true)?;
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
        let wire = [open, CONTENT_LENGTH.as_str().as_bytes(), b": "].concat().into();
        Ok(Self { fields, wire })
    }
}
