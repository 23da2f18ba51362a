//! A provider's token, always at hand.
//!
//! In: a [`Grant`] and the endpoint that takes it. Out: the `Authorization` of the next call. Must not know: what a call asks,
//! policies.
//!
//! A token is fetched when its provider is first looked up or called, and again well before it ends; the last good one serves
//! until then. A call waits only for the first one, and not longer than [`PATIENCE`]; once a fetch has failed and no token is
//! good any more, calls fail at once until a later fetch succeeds.

use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use super::grant::{self, Given, Grant};
use super::peers::{Call, Upstream};

/// How long a call waits for the first token.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long one fetch may take.
const FETCH: Duration = Duration::from_secs(8);
/// A token is fetched again this long before it ends, or at three quarters of its life if that is sooner.
const AHEAD: Duration = Duration::from_secs(300);
/// Between fetches, however short a token lives.
const LEAST: Duration = Duration::from_secs(1);
/// The longest pause after failed fetches.
const LONGEST: Duration = Duration::from_secs(30);

/// The tokens of one provider.
pub(super) struct Tokens {
    grant: Grant,
    endpoint: Arc<Upstream>,
    told: watch::Sender<Told>,
    refresher: OnceLock<AbortHandle>,
}

/// What the last fetches said.
#[derive(Debug, Default)]
struct Told {
    token: Option<(HeaderValue, Instant)>,
    failure: Option<String>,
}

impl Told {
    /// The token, or why there is none; `None` while nothing is known yet.
    fn ready(&self, now: Instant) -> Option<Result<HeaderValue, String>> {
        match &self.token {
            Some((token, end)) if now < *end => Some(Ok(token.clone())),
            _ => self.failure.clone().map(Err),
        }
    }
}

impl Tokens {
    pub(super) fn new(grant: Grant, endpoint: Upstream) -> Arc<Self> {
        let told = watch::Sender::new(Told::default());
        Arc::new(Self { grant, endpoint: Arc::new(endpoint), told, refresher: OnceLock::new() })
    }

    /// Fetches now and again, for as long as somebody holds this. Once is enough; needs a runtime.
    pub(super) fn keep_fresh(self: &Arc<Self>) {
        self.endpoint.keep_resolved();
        self.refresher.get_or_init(|| tokio::spawn(fetch_again_and_again(Arc::downgrade(self))).abort_handle());
    }

    /// For the header `authorization`.
    ///
    /// # Errors
    /// Why there is no token.
    pub(super) async fn authorization(self: &Arc<Self>) -> Result<HeaderValue, String> {
        self.keep_fresh();
        let mut told = self.told.subscribe();
        let known = told.wait_for(|told| told.ready(Instant::now()).is_some());
        let known = timeout(PATIENCE, known).await;
        let Ok(Ok(told)) = known else { return Err(format!("no token within {} s", PATIENCE.as_secs())) };
        told.ready(Instant::now()).unwrap_or_else(|| Err("the token has just ended".to_owned()))
    }

    async fn fetch(&self) -> Result<Given, String> {
        let form = self.grant.form(SystemTime::now())?;
        let body = [Bytes::from(form)];
        let mut answer = self.endpoint.call(&Call::of(&body)).await.map_err(|error| error.reason)?;
        let mut body = BytesMut::new();
        while let Some(piece) = answer.read().await.map_err(|error| error.reason)? {
            body.extend_from_slice(&piece);
            if body.len() > grant::MAX_ANSWER {
                return Err(format!("the token endpoint's answer has more than {} bytes", grant::MAX_ANSWER));
            }
        }
        let given = grant::given(answer.status(), &body);
        answer.finish().await;
        given
    }

    /// Tells what came of a fetch that began at `asked`; says when the next one is due.
    fn tell(&self, fetched: Result<Given, String>, asked: Instant, failures: &mut u32) -> Duration {
        let given = fetched.and_then(|given| {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", given.token.expose()))
                .map_err(|_| "the token holds a control character".to_owned())?;
            value.set_sensitive(true);
            Ok((value, given.lifetime))
        });
        match given {
            Ok((value, lifetime)) => {
                *failures = 0;
                self.told.send_replace(Told { token: Some((value, asked + lifetime)), failure: None });
                next_in(lifetime)
            }
            Err(reason) => {
                tracing::warn!(
                    provider = &*self.endpoint.provider.name,
                    "no new token: {reason}; the last one is kept"
                );
                *failures = failures.saturating_add(1);
                self.told.send_modify(|told| told.failure = Some(reason));
                again_in(*failures)
            }
        }
    }
}

impl Drop for Tokens {
    fn drop(&mut self) {
        if let Some(refresher) = self.refresher.get() {
            refresher.abort();
        }
    }
}

async fn fetch_again_and_again(tokens: Weak<Tokens>) {
    let mut failures = 0;
    loop {
        let Some(alive) = tokens.upgrade() else { return };
        let asked = Instant::now();
        let fetched = timeout(FETCH, alive.fetch()).await;
        let fetched = fetched.unwrap_or_else(|_| Err(format!("no answer within {} s", FETCH.as_secs())));
        let pause = alive.tell(fetched, asked, &mut failures);
        drop(alive);
        tokio::time::sleep(pause).await;
    }
}

/// When a token that lives this long is fetched again.
fn next_in(lifetime: Duration) -> Duration {
    lifetime.saturating_sub(AHEAD.min(lifetime / 4)).max(LEAST)
}

/// When a fetch is tried again after so many that failed in a row.
fn again_in(failures: u32) -> Duration {
    LEAST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::config::{Auth, BaseUrl, Entra, Provider, Secret};
    use crate::upstream::Pools;

    #[test]
    fn a_token_is_fetched_again_before_it_ends_and_failures_wait_longer_each_time() {
        let secs = Duration::from_secs;
        for (lifetime, wanted) in [(3600, 3300), (1200, 900), (1199, 899), (100, 75), (0, 1)] {
            assert_eq!(next_in(secs(lifetime)).as_secs(), wanted, "{lifetime}");
        }
        assert_eq!([1, 2, 3, 4, 5, 6, u32::MAX].map(again_in), [1, 2, 4, 8, 16, 30, 30].map(secs));
    }

    /// An endpoint that gives these answers, one a call, and tells what it was asked.
    async fn endpoint(
        answers: &'static [(&'static str, &'static str)],
    ) -> (String, tokio::sync::mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let (asked, seen) = tokio::sync::mpsc::channel(8);
        tokio::spawn(async move {
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"scope=s") {
                    let mut piece = [0; 4096];
                    let count = stream.read(&mut piece).await.unwrap();
                    request.extend_from_slice(&piece[..count]);
                }
                let _ = asked.send(String::from_utf8(request).unwrap()).await;
                let length = body.len();
                let answer =
                    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        (url, seen)
    }

    fn upstream(url: &str) -> Arc<Upstream> {
        let token_url = BaseUrl::parse(url, url).unwrap();
        let entra = Entra { client_id: "app".into(), client_secret: Secret::new("p"), token_url, scope: "s".into() };
        let base_url = BaseUrl::parse("http://127.0.0.1:1", "").unwrap();
        let provider = Provider { auth: Auth::Entra(entra), ..Provider::at("azure", base_url) };
        Arc::new(Upstream::new(Arc::new(provider), &Pools::new(8)).unwrap())
    }

    async fn authorization(upstream: &Arc<Upstream>) -> Result<String, String> {
        let headers = upstream.identity.headers(upstream, &Call::of(&[])).await?;
        assert_eq!(headers[0].0, "authorization");
        assert!(headers[0].1.is_sensitive());
        Ok(headers[0].1.to_str().unwrap().to_owned())
    }

    #[tokio::test]
    async fn the_first_call_waits_and_the_next_ones_have_the_token() {
        let (url, mut seen) = endpoint(&[("200 OK", r#"{"access_token":"t1","expires_in":3600}"#)]).await;
        let upstream = upstream(&url);
        let calls = [authorization(&upstream), authorization(&upstream), authorization(&upstream)];
        for call in futures_util::future::join_all(calls).await {
            assert_eq!(call.as_deref(), Ok("Bearer t1"));
        }
        let asked = seen.recv().await.unwrap();
        assert!(asked.starts_with("POST /token HTTP/1.1\r\n"), "{asked}");
        assert!(asked.to_ascii_lowercase().contains("content-type: application/x-www-form-urlencoded\r\n"), "{asked}");
        assert!(seen.try_recv().is_err(), "one fetch for all of them");
    }

    #[tokio::test]
    async fn without_a_token_a_call_fails_at_once_and_a_later_fetch_mends_it() {
        let (url, _seen) = endpoint(&[
            ("400 Bad Request", r#"{"error":"invalid_client"}"#),
            ("200 OK", r#"{"access_token":"t2","expires_in":3600}"#),
        ])
        .await;
        let upstream = upstream(&url);
        let refused = "the token endpoint answered 400: invalid_client";
        assert_eq!(authorization(&upstream).await, Err(refused.to_owned()));
        assert_eq!(authorization(&upstream).await, Err(refused.to_owned()));
        let error = upstream.call(&Call::of(&[])).await.err().unwrap();
        assert_eq!((error.reached, error.reason.as_str()), (crate::upstream::Reached::Credentials, refused));
        let super::super::identity::Identity::Tokens(tokens) = &upstream.identity else { panic!() };
        tokens.told.subscribe().wait_for(|told| told.token.is_some()).await.unwrap();
        assert_eq!(authorization(&upstream).await.as_deref(), Ok("Bearer t2"));
    }

    #[tokio::test]
    async fn the_last_good_token_serves_while_fetches_fail_and_not_past_its_end() {
        let (url, _seen) = endpoint(&[]).await;
        let upstream = upstream(&url);
        let super::super::identity::Identity::Tokens(tokens) = &upstream.identity else { panic!() };
        let (mut failures, now) = (0, Instant::now());
        let given = Given { token: Secret::new("t"), lifetime: Duration::from_secs(60) };
        assert_eq!(tokens.tell(Ok(given), now, &mut failures), Duration::from_secs(45));
        assert_eq!(tokens.tell(Err("down".to_owned()), now, &mut failures), LEAST);
        let told = tokens.told.borrow();
        assert!(told.ready(now + Duration::from_secs(59)).unwrap().is_ok());
        assert_eq!(told.ready(now + Duration::from_secs(60)), Some(Err("down".to_owned())));
    }

    #[tokio::test]
    async fn the_task_ends_with_its_upstream() {
        let (url, _seen) = endpoint(&[("200 OK", r#"{"access_token":"t","expires_in":3600}"#)]).await;
        let upstream = upstream(&url);
        authorization(&upstream).await.unwrap();
        let super::super::identity::Identity::Tokens(tokens) = &upstream.identity else { panic!() };
        let refresher = tokens.refresher.get().unwrap().clone();
        drop(upstream);
        while !refresher.is_finished() {
            tokio::task::yield_now().await;
        }
    }
}
