//! Calls over TLS: whose certificates are believed, who we say we are, HTTP/2 where the server offers it, HTTP/1 where not, and the
//! way through a proxy.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

#[path = "upstream_tls/identity.rs"]
mod identity;
#[path = "upstream_tls/server.rs"]
mod server;
#[path = "upstream_tls/tunnel.rs"]
mod tunnel;

use std::sync::Arc;

use bytes::Bytes;
use server::{Server, authority, call, pem, upstream};
use wayside::upstream::{Call, Reached};

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
        let answer = upstream.call(&Call::of(&[Bytes::from_static(b"{}")])).await.unwrap();
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
