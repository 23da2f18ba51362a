//! A provider that speaks TLS, and what it takes to call it.

use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use wayside::config::{BaseUrl, ClientCertificate, Pem, Provider, Secret};
use wayside::upstream::{Call, CallError, Pools, Upstream};

pub type Authority = CertifiedIssuer<'static, KeyPair>;

pub fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server with a certificate for `host`. It answers with the protocol and the length of the body it was sent.
pub struct Server {
    pub port: u16,
    /// What each connection's client showed.
    clients: Arc<Mutex<Vec<Option<CertificateDer<'static>>>>>,
}

impl Server {
    pub async fn start(authority: &Authority, host: &str, protocols: &[&str]) -> Self {
        Self::start_asking(authority, host, protocols, None).await
    }

    /// With `clients`, it wants a certificate from whoever connects.
    pub async fn start_asking(
        authority: &Authority,
        host: &str,
        protocols: &[&str],
        clients: Option<&Authority>,
    ) -> Self {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![host.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
        let provider = Arc::new(ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().unwrap();
        let config = match clients {
            None => config.with_no_client_auth(),
            Some(clients) => {
                let mut trusted = RootCertStore::empty();
                trusted.add(clients.der().clone()).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(trusted), provider).build().unwrap();
                config.with_client_cert_verifier(verifier)
            }
        };
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let mut config = config.with_single_cert(vec![leaf.der().clone()], key).unwrap();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shown = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&shown);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, seen) = (acceptor.clone(), Arc::clone(&seen));
                tokio::spawn(async move {
                    // A client that does not believe the certificate ends the handshake, and one that shows none does not pass.
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let shown = stream.get_ref().1.peer_certificates().map(|chain| chain[0].clone().into_owned());
                    seen.lock().unwrap().push(shown);
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
        Self { port, clients: shown }
    }

    pub fn connections(&self) -> usize {
        self.clients.lock().unwrap().len()
    }

    pub fn clients(&self) -> Vec<Option<CertificateDer<'static>>> {
        self.clients.lock().unwrap().clone()
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    assert_eq!(request.headers()["authorization"], "Bearer sk-1");
    assert_eq!(request.uri().path(), "/v1/chat/completions");
    let version = request.version();
    let length = request.into_body().collect().await.unwrap().to_bytes().len();
    Ok(Response::new(Full::new(Bytes::from(format!("{version:?} {length}")))))
}

pub fn provider(host: &str, port: u16, ca_file: &Path) -> Provider {
    Provider {
        key: Some(Secret::new("sk-1")),
        authorities: Some(read(ca_file)),
        ..Provider::at("lab", BaseUrl::parse(&format!("https://{host}:{port}/v1"), host).unwrap())
    }
}

pub fn upstream(host: &str, port: u16, ca_file: &Path) -> Arc<Upstream> {
    Arc::new(Upstream::new(Arc::new(provider(host, port, ca_file)), &Pools::new(8)).unwrap())
}

pub fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

pub fn pem(authority: &Authority) -> tempfile::NamedTempFile {
    file(&authority.pem())
}

fn read(path: &Path) -> Pem {
    Pem::new(path.to_owned(), &std::fs::read_to_string(path).unwrap())
}

/// A client with a certificate of its own.
pub struct Client {
    pub der: CertificateDer<'static>,
    pub certificate: tempfile::NamedTempFile,
    pub key: tempfile::NamedTempFile,
}

impl Client {
    pub fn of(authority: &Authority) -> Self {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["sidecar".to_owned()]).unwrap().signed_by(&key, authority).unwrap();
        Self { der: leaf.der().clone(), certificate: file(&leaf.pem()), key: file(&key.serialize_pem()) }
    }

    pub fn files(&self) -> ClientCertificate {
        ClientCertificate { certificate: read(self.certificate.path()), key: read(self.key.path()) }
    }
}

pub async fn call(upstream: &Arc<Upstream>, parts: &[Bytes]) -> Result<String, CallError> {
    let mut answer = upstream.call(&Call::of(parts)).await?;
    assert_eq!(answer.status(), 200);
    let mut text = Vec::new();
    while let Some(piece) = answer.read().await? {
        text.extend_from_slice(&piece);
    }
    answer.finish().await;
    Ok(String::from_utf8(text).unwrap())
}
