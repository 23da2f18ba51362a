//! The way through a proxy that is asked to `CONNECT`.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wayside::config::{Provider, Tunnel};
use wayside::units::Millis;
use wayside::upstream::{CallError, Pools, Reached, Upstream};

use super::server::{Server, authority, call, pem, provider};

/// The limit that `upstream/tunnel.rs` has.
const MAX_HEAD: usize = 16 << 10;

/// A proxy that writes down what it is asked.
struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Leads everybody to the port that was asked for on this host, whatever the name; `refusal` is what it says instead.
    async fn start(refusal: Option<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::default());
        let into = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&into), refusal.clone()));
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn to(&self, mut provider: Provider, user: &str) -> Provider {
        provider.tunnel = Some(Tunnel::parse(&format!("http://{user}{}", self.address)).unwrap());
        provider.connect_timeout = Millis(2000);
        provider
    }
}

async fn serve(mut stream: TcpStream, asked: Arc<Mutex<Vec<String>>>, refusal: Option<Vec<u8>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let port: u16 = head.split(' ').nth(1).unwrap().rsplit(':').next().unwrap().parse().unwrap();
    asked.lock().unwrap().push(head);
    if let Some(refusal) = refusal {
        stream.write_all(&refusal).await.unwrap();
        let _ = stream.shutdown().await;
        let _ = stream.read(&mut [0; 1]).await;
        return;
    }
    let mut there = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(b"HTTP/1.1 200 Connection established\r\nvia: lab\r\n\r\n").await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut there).await;
}

fn upstream(provider: Provider, pools: &Pools) -> Arc<Upstream> {
    Arc::new(Upstream::new(Arc::new(provider), pools).unwrap())
}

async fn ask(upstream: &Arc<Upstream>) -> Result<String, CallError> {
    call(upstream, &[Bytes::from_static(b"{}")]).await
}

#[tokio::test]
async fn one_tunnel_serves_one_call_after_the_other_with_tls_inside() {
    let ours = authority();
    let ca_file = pem(&ours);
    for (protocols, version) in [(&["h2", "http/1.1"][..], "HTTP/2.0"), (&["http/1.1"], "HTTP/1.1")] {
        // Only the proxy can tell where this name leads.
        let server = Server::start(&ours, "provider.invalid", protocols).await;
        let proxy = Proxy::start(None).await;
        let there = proxy.to(provider("provider.invalid", server.port, ca_file.path()), "ada:l%40ce@");
        let upstream = upstream(there, &Pools::new(8));
        for _ in 0..4 {
            assert_eq!(ask(&upstream).await.unwrap(), format!("{version} 2"));
        }
        let to = format!("provider.invalid:{}", server.port);
        let asked = format!("CONNECT {to} HTTP/1.1\r\nhost: {to}\r\nproxy-authorization: Basic YWRhOmxAY2U=\r\n\r\n");
        assert_eq!(proxy.asked(), [asked]);
        assert_eq!(server.connections(), 1);
    }
}

#[tokio::test]
async fn tunnels_to_two_ports_of_one_name_are_two() {
    let ours = authority();
    let ca_file = pem(&ours);
    for protocols in [&["h2"][..], &["http/1.1"]] {
        let servers =
            [Server::start(&ours, "localhost", protocols).await, Server::start(&ours, "localhost", protocols).await];
        let (proxy, pools) = (Proxy::start(None).await, Pools::new(8));
        let there = |server: &Server| proxy.to(provider("localhost", server.port, ca_file.path()), "");
        let upstreams = servers.each_ref().map(|server| upstream(there(server), &pools));
        for upstream in upstreams.iter().cycle().take(6) {
            ask(upstream).await.unwrap();
        }
        assert_eq!(servers.each_ref().map(Server::connections), [1, 1]);
        assert!(proxy.asked().iter().all(|head| !head.contains("authorization")), "{:?}", proxy.asked());
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_is_no_connection_and_says_why() {
    let ours = authority();
    let ca_file = pem(&ours);
    let page = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 4\r\n\r\npage";
    for (user, refusal, why) in [
        ("", page, "the proxy answered 407: it wants a user and a password"),
        ("ada:lace@", page, "the proxy answered 407: it wants another user or password"),
        ("", "HTTP/1.0 502 Bad Gateway\r\n\r\n", "the proxy answered 502 when asked for `localhost:1`"),
        ("", "SSH-2.0-OpenSSH_9\r\n\r\n", "not HTTP/1"),
        ("", "HTTP/1.1 200 OK\r\n", "hung up before it answered"),
        ("", "HTTP/1.1 200 OK\r\n\r\nmore", "more than it was asked for"),
    ] {
        let proxy = Proxy::start(Some(refusal.as_bytes().to_vec())).await;
        let there = proxy.to(provider("localhost", 1, ca_file.path()), user);
        let error = ask(&upstream(there, &Pools::new(8))).await.unwrap_err();
        assert_eq!(error.reached, Reached::Nothing, "{}", error.reason);
        assert!(error.reason.contains(why) && !error.reason.contains("lace"), "{}", error.reason);
    }
}

#[tokio::test]
async fn a_head_of_a_proxy_is_read_to_its_limit_and_not_a_byte_beyond() {
    let ours = authority();
    let ca_file = pem(&ours);
    let frame = "HTTP/1.1 502 Bad Gateway\r\nx: \r\n\r\n".len();
    for (size, why) in [(MAX_HEAD, "answered 502"), (MAX_HEAD + 1, "larger than 16384 bytes")] {
        let head = format!("HTTP/1.1 502 Bad Gateway\r\nx: {}\r\n\r\n", "y".repeat(size - frame));
        let proxy = Proxy::start(Some(head.into_bytes())).await;
        let there = proxy.to(provider("localhost", 1, ca_file.path()), "");
        let error = ask(&upstream(there, &Pools::new(8))).await.unwrap_err();
        assert!(error.reason.contains(why), "{size}: {}", error.reason);
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_or_says_nothing_costs_the_time_to_connect() {
    let ours = authority();
    let ca_file = pem(&ours);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (address, why) in [(silent.local_addr().unwrap(), "ConnectTimedout"), (gone, "ConnectProxyFailure")] {
        let mut there = provider("localhost", 1, ca_file.path());
        there.tunnel = Some(Tunnel::parse(&format!("http://{address}")).unwrap());
        there.connect_timeout = Millis(300);
        let error = ask(&upstream(there, &Pools::new(8))).await.unwrap_err();
        assert_eq!(error.reached, Reached::Nothing);
        assert!(error.reason.contains(why), "{}", error.reason);
    }
}
