//! Calls over TLS: whose certificates are believed, HTTP/2 where the server offers it, HTTP/1 where not.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use wayside::config::{BaseUrl, OutputCap, Provider, ProviderKind, Secret};
use wayside::units::Millis;
use wayside::upstream::{CallError, Pools, Reached, Upstream};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server with a certificate for `host`. It answers with the protocol and the length of the body it was sent.
struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn start(authority: &Authority, host: &str, protocols: &[&str]) -> Self {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![host.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, counted) = (acceptor.clone(), Arc::clone(&counted));
                tokio::spawn(async move {
                    // A client that does not believe the certificate ends the handshake.
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    counted.fetch_add(1, Ordering::Relaxed);
                    let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                    let (io, answer) = (TokioIo::new(stream), service_fn(answer));
                    let _ = if h2 {
                        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                            .serve_connection(io, answer)
                            .await
                    } else {
                        hyper::server::conn::http1::Builder::new().serve_connection(io, answer).await
                    };
                });
            }
        });
        Self { port, connections }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    assert_eq!(request.headers()["authorization"], "Bearer sk-1");
    assert_eq!(request.uri().path(), "/v1/chat/completions");
    let version = request.version();
    let length = request.into_body().collect().await.unwrap().to_bytes().len();
    Ok(Response::new(Full::new(Bytes::from(format!("{version:?} {length}")))))
}

fn upstream(host: &str, port: u16, ca_file: &Path) -> Arc<Upstream> {
    let provider = Provider {
        name: "lab".into(),
        kind: ProviderKind::Hosted,
        base_url: BaseUrl::parse(&format!("https://{host}:{port}/v1")).unwrap(),
        key: Some(Secret::new("sk-1")),
        headers: Vec::new(),
        ca_file: Some(ca_file.to_owned()),
        connect_timeout: Millis(5000),
        shares_fate: None,
        output_cap: OutputCap::MaxTokens,
    };
    Arc::new(Upstream::new(Arc::new(provider), &Pools::new(8)).unwrap())
}

fn pem(authority: &Authority) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority.pem()).unwrap();
    file
}

async fn call(upstream: &Arc<Upstream>, parts: &[Bytes]) -> Result<String, CallError> {
    let mut answer = upstream.call(parts).await?;
    assert_eq!(answer.status(), 200);
    let mut text = Vec::new();
    while let Some(piece) = answer.read().await? {
        text.extend_from_slice(&piece);
    }
    answer.finish().await;
    Ok(String::from_utf8(text).unwrap())
}

/// Bodies of every kind: one part, several, and more than goes out at once.
fn bodies() -> [Vec<Bytes>; 3] {
    let large = Bytes::from(vec![b'x'; 3 << 20]);
    let parts = ["{", "\"m\"", "}"].map(|part| Bytes::from_static(part.as_bytes()));
    [vec![Bytes::from_static(b"{}")], parts.to_vec(), vec![large.clone(), large]]
}

#[tokio::test]
async fn a_server_that_speaks_http2_is_called_on_one_connection() {
    let ours = authority();
    let server = Server::start(&ours, "localhost", &["h2", "http/1.1"]).await;
    let file = pem(&ours);
    let upstream = upstream("localhost", server.port, file.path());
    for body in bodies() {
        let length: usize = body.iter().map(Bytes::len).sum();
        assert_eq!(call(&upstream, &body).await.unwrap(), format!("HTTP/2.0 {length}"));
    }
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let upstream = Arc::clone(&upstream);
            tokio::spawn(async move { call(&upstream, &[Bytes::from_static(b"{}")]).await.unwrap() })
        })
        .collect();
    for one in calls {
        assert_eq!(one.await.unwrap(), "HTTP/2.0 2");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_call_that_is_given_up_leaves_the_http2_connection_to_the_others() {
    let ours = authority();
    let server = Server::start(&ours, "localhost", &["h2"]).await;
    let file = pem(&ours);
    let upstream = upstream("localhost", server.port, file.path());
    for _ in 0..5 {
        let answer = upstream.call(&[Bytes::from_static(b"{}")]).await.unwrap();
        drop(answer);
    }
    assert_eq!(call(&upstream, &[Bytes::from_static(b"{}")]).await.unwrap(), "HTTP/2.0 2");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_server_without_http2_is_called_over_tls_on_a_kept_connection() {
    let ours = authority();
    let server = Server::start(&ours, "localhost", &["http/1.1"]).await;
    let file = pem(&ours);
    let upstream = upstream("localhost", server.port, file.path());
    for body in bodies() {
        let length: usize = body.iter().map(Bytes::len).sum();
        assert_eq!(call(&upstream, &body).await.unwrap(), format!("HTTP/1.1 {length}"));
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_certificate_of_another_authority_or_another_name_is_refused() {
    let (ours, theirs) = (authority(), authority());
    let file = pem(&ours);
    for (signer, name) in [(&theirs, "localhost"), (&ours, "example.com")] {
        for protocols in [&["h2", "http/1.1"][..], &["http/1.1"]] {
            let server = Server::start(signer, name, protocols).await;
            let upstream = upstream("localhost", server.port, file.path());
            let error = call(&upstream, &[Bytes::from_static(b"{}")]).await.unwrap_err();
            assert_eq!(error.reached, Reached::Nothing, "{}", error.reason);
            assert!(error.reason.contains("TLS"), "{}", error.reason);
            assert_eq!(server.connections(), 0);
        }
    }
}
