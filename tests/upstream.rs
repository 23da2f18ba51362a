//! Calls to upstreams that behave as real ones do: they keep connections, drop them, answer early, say "continue".
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

#[path = "upstream/bedrock.rs"]
mod bedrock;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wayside::config::{BaseUrl, Provider, Secret};
use wayside::units::Millis;
use wayside::upstream::{Call, CallError, Pools, Reached, Upstream};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";

fn upstream(host: &str, port: u16) -> Arc<Upstream> {
    Arc::new(Upstream::new(Arc::new(provider(host, port)), &Pools::new(8)).unwrap())
}

fn provider(host: &str, port: u16) -> Provider {
    Provider {
        key: Some(Secret::new("sk-1")),
        headers: vec![("x-team".to_owned(), Secret::new("blue"))],
        connect_timeout: Millis(1000),
        ..Provider::at("lab", BaseUrl::parse(&format!("http://{host}:{port}/v1"), host).unwrap())
    }
}

/// Reads one request, the whole of it.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        text.extend_from_slice(&piece[..read]);
        let so_far = String::from_utf8_lossy(&text).into_owned();
        if let Some((head, body)) = so_far.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() >= length.trim().parse().unwrap() {
                return Some(so_far);
            }
        }
    }
}

async fn whole(upstream: &Arc<Upstream>, body: &str) -> Result<(u16, Bytes), CallError> {
    let mut answer = upstream.call(&Call::of(&[Bytes::copy_from_slice(body.as_bytes())])).await?;
    let mut text = Vec::new();
    while let Some(piece) = answer.read().await? {
        text.extend_from_slice(&piece);
    }
    let status = answer.status();
    answer.finish().await;
    Ok((status, text.into()))
}

#[test]
fn headers_that_frame_a_request_are_nobodys_to_set() {
    for name in ["content-length", "transfer-encoding", "connection"] {
        let mut provider = provider("127.0.0.1", 1);
        provider.headers.push((name.to_owned(), Secret::new("1")));
        let error = Upstream::new(Arc::new(provider), &Pools::new(1)).err().unwrap();
        assert!(error.contains(name), "{error}");
    }
}

#[tokio::test]
async fn a_connection_serves_one_call_after_the_other() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            while let Some(text) = request(&mut stream).await {
                assert!(text.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{text}");
                let text = text.to_ascii_lowercase();
                assert!(text.contains("authorization: bearer sk-1\r\n") && text.contains("x-team: blue\r\n"), "{text}");
                stream.write_all(OK.as_bytes()).await.unwrap();
            }
        }
    });
    let upstream = upstream("127.0.0.1", port);
    for _ in 0..5 {
        assert_eq!(whole(&upstream, "{}").await.unwrap(), (200, "{}".into()));
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_pooled_connection_that_closes_under_a_call_is_nobodys_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                request(&mut stream).await;
                stream.write_all(OK.as_bytes()).await.unwrap();
                // The next request is read and then left unanswered, as a server does that gives up at that moment.
                request(&mut stream).await;
            });
        }
    });
    let upstream = upstream("127.0.0.1", port);
    for _ in 0..6 {
        assert_eq!(whole(&upstream, "{}").await.unwrap().0, 200);
    }
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_request_is_the_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 1024];
            stream.read_exact(&mut head).await.unwrap();
            let refusal = "HTTP/1.1 413 Payload Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbig";
            stream.write_all(refusal.as_bytes()).await.unwrap();
            // Goes on reading for a moment, as careful servers do, so that no reset overtakes the answer.
            let mut rest = vec![0; 1 << 20];
            for _ in 0..3 {
                let _ = stream.read(&mut rest).await;
            }
        }
    });
    let answer = whole(&upstream("127.0.0.1", port), &"x".repeat(30 << 20)).await;
    assert_eq!(answer.map(|(status, _)| status), Ok(413));
}

#[tokio::test]
async fn interim_answers_are_skipped() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        request(&mut stream).await;
        stream
            .write_all(format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n{OK}").as_bytes())
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
    });
    assert_eq!(whole(&upstream("127.0.0.1", port), "{}").await.unwrap(), (200, "{}".into()));
}

#[tokio::test]
async fn sixteen_interim_answers_are_skipped_and_not_one_more() {
    for (count, wanted) in [(16, Ok(200)), (17, Err(Reached::Connection))] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            request(&mut stream).await;
            let interim = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(count);
            stream.write_all(format!("{interim}{OK}").as_bytes()).await.unwrap();
            let _ = stream.read(&mut [0; 1]).await;
        });
        let answer = whole(&upstream("127.0.0.1", port), "{}").await;
        assert_eq!(answer.map(|(status, _)| status).map_err(|error| error.reached), wanted, "{count}");
    }
}

#[tokio::test]
async fn when_all_pooled_connections_close_under_a_call_a_new_one_serves_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    // Answers when all of the first four have asked, so that each has a connection of its own; then closes at the next request.
    let together = Arc::new(tokio::sync::Barrier::new(4));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let number = counted.fetch_add(1, Ordering::Relaxed);
            let together = Arc::clone(&together);
            tokio::spawn(async move {
                request(&mut stream).await;
                if number < 4 {
                    together.wait().await;
                }
                stream.write_all(OK.as_bytes()).await.unwrap();
                request(&mut stream).await;
            });
        }
    });
    let upstream = upstream("127.0.0.1", port);
    let call = || {
        let upstream = Arc::clone(&upstream);
        tokio::spawn(async move { whole(&upstream, "{}").await.map(|(status, _)| status) })
    };
    let first: Vec<_> = (0..4).map(|_| call()).collect();
    for one in first {
        assert_eq!(one.await.unwrap(), Ok(200));
    }
    // Two that close under it, and a new one.
    assert_eq!(call().await.unwrap(), Ok(200));
    assert_eq!(connections.load(Ordering::Relaxed), 5);
}

#[tokio::test]
async fn how_far_a_failed_call_got_is_said() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(whole(&upstream("127.0.0.1", free), "{}").await.unwrap_err().reached, Reached::Nothing);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for answer in ["", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"] {
            let (mut stream, _) = listener.accept().await.unwrap();
            request(&mut stream).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let upstream = upstream("127.0.0.1", port);
    assert_eq!(whole(&upstream, "{}").await.unwrap_err().reached, Reached::Connection);
    assert_eq!(whole(&upstream, "{}").await.unwrap_err().reached, Reached::Head);
}

#[tokio::test]
async fn a_name_is_resolved_on_the_first_call_and_an_unknown_one_is_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        request(&mut stream).await;
        stream.write_all(OK.as_bytes()).await.unwrap();
    });
    // Where the name also means ::1, that address refuses and the next one is tried.
    assert_eq!(whole(&upstream("localhost", port), "{}").await.unwrap().0, 200);
    let error = whole(&upstream("nobody.invalid", 80), "{}").await.unwrap_err();
    assert_eq!(error.reached, Reached::Nothing);
}
