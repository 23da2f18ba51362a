//! The least a pingora proxy can do: read the request, send it to one upstream, copy the answer back.
//!
//! The same building blocks as `wayside serve`, without facts, policy, chain, limits, record or log.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::IntoRawFd;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use parking_lot::Mutex;
use pingora::apps::{HttpPersistentSettings, HttpServerApp, HttpServerOptions, ReusedHttpStream};
use pingora::connectors::http::Connector;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::http::ServerSession;
use pingora::server::{Fds, ShutdownWatch};
use pingora::services::Service as _;
use pingora::services::listening::Service;
use pingora::upstreams::peer::HttpPeer;

/// Bytes of ready answer that are written at once.
const COALESCE: usize = 16 << 10;

struct Copy {
    connector: Connector,
    peer: HttpPeer,
}

pub fn run(port: u16) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let mut fds = Fds::new();
        fds.add(address.to_string(), listener.into_raw_fd());
        let upstream = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let peer = HttpPeer::new(upstream, false, String::new());
        let app = Copy { connector: Connector::new(None), peer };
        let mut service = Service::new("copy".to_owned(), app);
        service.add_tcp(&address.to_string());
        let (_stop, watch) = tokio::sync::watch::channel(false);
        println!("{address}");
        service.start_service(Some(Arc::new(Mutex::new(fds))), watch, 1).await;
    });
}

#[async_trait]
impl HttpServerApp for Copy {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        _: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        if !session.read_request().await.ok()? {
            return None;
        }
        session.set_keepalive(Some(75));
        let body = read_body(&mut session).await?;
        let mut head = RequestHeader::build_no_case("POST", session.req_header().raw_path(), Some(4)).ok()?;
        head.insert_header("host", "upstream").ok()?;
        head.insert_header("content-type", "application/json").ok()?;
        head.insert_header("content-length", body.len()).ok()?;
        let (mut up, _) = self.connector.get_http_session(&self.peer).await.ok()?;
        up.write_request_header(Box::new(head)).await.ok()?;
        up.write_request_body(body, true).await.ok()?;
        up.finish_request_body().await.ok()?;
        up.read_response_header().await.ok()?;
        let answered = up.response_header()?;
        let mut reply = ResponseHeader::build_no_case(answered.status, Some(4)).ok()?;
        for name in ["content-type", "content-length", "transfer-encoding"] {
            if let Some(value) = answered.headers.get(name) {
                reply.insert_header(name, value).ok()?;
            }
        }
        session.write_response_header(Box::new(reply)).await.ok()?;
        while let Some(first) = up.read_response_body().await.ok()? {
            let mut ready = BytesMut::from(first);
            while ready.len() < COALESCE {
                match tokio::task::unconstrained(up.read_response_body()).now_or_never() {
                    Some(Ok(Some(more))) => ready.extend_from_slice(&more),
                    _ => break,
                }
            }
            session.write_response_body(ready.freeze(), false).await.ok()?;
        }
        self.connector.release_http_session(up, &self.peer, Some(Duration::from_secs(60))).await;
        let settings = HttpPersistentSettings::for_session(&session);
        session.finish_body().await.ok()?;
        let (stream, _) = session.finish().await.ok()??.into_parts();
        Some(ReusedHttpStream::new(stream, Some(settings)))
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        None
    }
}

async fn read_body(session: &mut ServerSession) -> Option<Bytes> {
    let declared = std::str::from_utf8(session.get_header_bytes("content-length")).ok()?.parse().ok()?;
    let mut body = BytesMut::with_capacity(declared);
    while let Some(more) = session.read_request_body().await.ok()? {
        body.extend_from_slice(&more);
    }
    Some(body.freeze())
}
