//! Bedrock as the simulator plays it: signed calls, whole answers, streams in frames, and what can go wrong with them.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use wayside::config::{Auth, BaseUrl, Provider, Secret, SigV4};
use wayside::dialect::canonical::{Completion, Delta, Finish, Judge};
use wayside::dialect::{Dialect, converse, event_stream};
use wayside::failure::Failure;
use wayside::simulate::{Handle, Options, start};
use wayside::upstream::{Call, Pools, Upstream};

const MODEL: &str = "anthropic.claude-haiku-4-5-20251001-v1:0";
const ASKED: &str = r#"{"messages":[{"role":"user","content":[{"text":"hello"}]}],"inferenceConfig":{"maxTokens":50}}"#;

fn upstream(sim: &Handle, auth: Auth, key: Option<&str>) -> Arc<Upstream> {
    let url = format!("http://{}/bedrock", sim.addr);
    let provider = Provider {
        dialect: Dialect::Converse,
        auth,
        base_url: BaseUrl::parse(&url, &url).unwrap(),
        key: key.map(Secret::new),
        headers: Vec::new(),
        ..super::provider("127.0.0.1", 1)
    };
    Arc::new(Upstream::new(Arc::new(provider), &Pools::new(8)).unwrap())
}

fn signing() -> Auth {
    Auth::SigV4(SigV4 {
        region: "eu-central-1".into(),
        service: "bedrock".into(),
        access_key: Secret::new("AKIDEXAMPLE"),
        secret_key: Secret::new("secret"),
        session_token: Some(Secret::new("token")),
    })
}

/// Status, media type and body.
async fn ask(upstream: &Arc<Upstream>, model: &str, stream: bool) -> (u16, String, Vec<Bytes>) {
    let path = converse::upstream_path(model, stream);
    let body = [Bytes::from_static(ASKED.as_bytes())];
    let mut answer = upstream.call(&Call { path: Some(&path), headers: &[], body: &body }).await.unwrap();
    let kind = answer.header("content-type").unwrap().to_owned();
    let mut pieces = Vec::new();
    while let Ok(Some(piece)) = answer.read().await {
        pieces.push(piece);
    }
    (answer.status(), kind, pieces)
}

/// What a stream says: its text, why it ended, how it failed.
fn read(pieces: &[Bytes]) -> (String, Judge, Option<Failure>) {
    let (mut framer, mut reader) = (event_stream::Framer::default(), converse::Reader::default());
    let (mut text, mut judge, mut failed) = (String::new(), Judge::default(), None);
    for piece in pieces {
        framer.push(piece.clone());
        while let Some(event) = framer.next_event().unwrap() {
            let outcome = reader.event(event.name(), event.data(), &mut |delta| {
                judge.take(&delta);
                match delta {
                    Delta::Text(piece) => text.push_str(&piece.decode()),
                    Delta::Failed(error) => failed = Some(error.failure),
                    _ => {}
                }
            });
            outcome.unwrap();
        }
    }
    (text, judge, failed)
}

fn text(completion: &Completion<'_>) -> String {
    let text = |part: &wayside::dialect::canonical::Part<'_>| match part {
        wayside::dialect::canonical::Part::Text(text) => text.decode().into_owned(),
        _ => String::new(),
    };
    completion.parts.iter().map(text).collect()
}

#[tokio::test]
async fn a_signed_call_is_answered_whole_and_as_a_stream() {
    let sim = start(Options::default()).await.unwrap();
    for upstream in [upstream(&sim, signing(), None), upstream(&sim, Auth::Usual, Some("bedrock-api-key"))] {
        let (status, kind, pieces) = ask(&upstream, MODEL, false).await;
        assert_eq!((status, kind.as_str()), (200, "application/json"));
        let body = pieces.concat();
        let completion = converse::read(&body).unwrap();
        assert_eq!((completion.finish, completion.failure()), (Some(Finish::Stop), None));
        let (status, kind, pieces) = ask(&upstream, MODEL, true).await;
        assert_eq!((status, kind.as_str()), (200, event_stream::MEDIA_TYPE));
        let (streamed, judge, failed) = read(&pieces);
        assert_eq!((streamed, failed), (text(&completion), None));
        assert!(judge.complete() && judge.ended());
        assert_eq!(judge.usage(), completion.usage);
    }
    let seen = sim.seen();
    let of = |at: usize| (seen.requests[at].endpoint, seen.requests[at].model.as_str(), seen.requests[at].stream);
    assert_eq!((of(0), of(1)), (("converse", MODEL, false), ("converse", MODEL, true)));
    assert!(seen.requests[0].headers.contains_key("x-amz-security-token"));
}

#[tokio::test]
async fn a_call_that_shows_nothing_is_refused() {
    let sim = start(Options::default()).await.unwrap();
    let (status, _, pieces) = ask(&upstream(&sim, Auth::Usual, None), MODEL, false).await;
    let body: Value = serde_json::from_slice(&pieces.concat()).unwrap();
    assert_eq!((status, body["message"].as_str()), (403, Some("Missing Authentication Token")));
}

#[tokio::test]
async fn streams_break_with_the_providers_own_exception() {
    let sim = start(Options::default()).await.unwrap();
    let upstream = upstream(&sim, signing(), None);
    for (fault, wanted) in [
        ("error-event=2;as=rate-limit", Some(Failure::RateLimit)),
        ("error-event=2;as=overloaded", Some(Failure::Overload)),
        ("error-event=0;as=context-length", Some(Failure::ContextLength)),
        ("error-event=2", Some(Failure::ServerError)),
        ("end=2", None),
    ] {
        let (status, _, pieces) = ask(&upstream, &format!("{MODEL}!{fault}"), true).await;
        let (_, judge, failed) = read(&pieces);
        assert_eq!((status, failed, judge.complete()), (200, wanted, false), "{fault}");
    }
    let (_, _, pieces) = ask(&upstream, &format!("{MODEL}!no-done"), true).await;
    let (_, judge, failed) = read(&pieces);
    assert!(judge.complete() && !judge.ended() && failed.is_none(), "only the usage is missing");
}
