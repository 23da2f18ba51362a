//! Who we say we are to servers that ask.

use std::sync::Arc;

use bytes::Bytes;
use wayside::upstream::{Pools, Upstream};

use super::server::{Client, Server, authority, call, pem, provider};

const PROTOCOLS: [&[&str]; 2] = [&["h2", "http/1.1"], &["http/1.1"]];

#[tokio::test]
async fn a_server_that_asks_is_shown_our_certificate() {
    let (ours, theirs) = (authority(), authority());
    let (ca_file, client) = (pem(&ours), Client::of(&theirs));
    for protocols in PROTOCOLS {
        let server = Server::start_asking(&ours, "localhost", protocols, Some(&theirs)).await;
        let mut provider = provider("localhost", server.port, ca_file.path());
        provider.client_certificate = Some(client.files());
        let upstream = Arc::new(Upstream::new(Arc::new(provider), &Pools::new(8)).unwrap());
        for _ in 0..3 {
            assert!(call(&upstream, &[Bytes::from_static(b"{}")]).await.unwrap().ends_with(" 2"));
        }
        assert_eq!(server.clients(), [Some(client.der.clone())]);
    }
}

#[tokio::test]
async fn without_a_certificate_or_with_one_of_somebody_else_the_server_does_not_answer() {
    let (ours, theirs) = (authority(), authority());
    let (ca_file, stranger) = (pem(&ours), Client::of(&ours));
    for protocols in PROTOCOLS {
        let server = Server::start_asking(&ours, "localhost", protocols, Some(&theirs)).await;
        for client in [None, Some(stranger.files())] {
            let mut provider = provider("localhost", server.port, ca_file.path());
            provider.client_certificate = client;
            let upstream = Arc::new(Upstream::new(Arc::new(provider), &Pools::new(8)).unwrap());
            call(&upstream, &[Bytes::from_static(b"{}")]).await.unwrap_err();
        }
        assert_eq!(server.connections(), 0);
    }
}

#[tokio::test]
async fn a_connection_is_never_used_by_another_client_than_the_one_it_was_opened_as() {
    let (ours, theirs) = (authority(), authority());
    let (ca_file, one, two) = (pem(&ours), Client::of(&theirs), Client::of(&theirs));
    for protocols in PROTOCOLS {
        let server = Server::start_asking(&ours, "localhost", protocols, Some(&theirs)).await;
        let pools = Pools::new(8);
        let upstreams = [&one, &two].map(|client| {
            let mut provider = provider("localhost", server.port, ca_file.path());
            provider.client_certificate = Some(client.files());
            Arc::new(Upstream::new(Arc::new(provider), &pools).unwrap())
        });
        for upstream in upstreams.iter().cycle().take(6) {
            call(upstream, &[Bytes::from_static(b"{}")]).await.unwrap();
        }
        assert_eq!(server.clients(), [Some(one.der.clone()), Some(two.der.clone())]);
    }
}

#[tokio::test]
async fn a_key_that_belongs_to_another_certificate_is_refused_before_any_call() {
    let ours = authority();
    let (ca_file, one, two) = (pem(&ours), Client::of(&ours), Client::of(&ours));
    let mut provider = provider("localhost", 1, ca_file.path());
    let mut files = one.files();
    files.key = two.files().key;
    provider.client_certificate = Some(files);
    let error = Upstream::new(Arc::new(provider), &Pools::new(8)).err().unwrap();
    assert!(error.contains("the key is another one's"), "{error}");
    for file in [one.certificate.path(), two.key.path()] {
        assert!(error.contains(file.to_str().unwrap()), "{error}");
    }
    assert!(!error.contains("BEGIN"), "{error}");
}
