//! What a hop is sent: the caller's request, for another model or in another dialect.
//!
//! In: what the caller sent, a hop and its upstream. Out: [`Prepared`], or why this hop cannot be asked. Must not know: sockets,
//! what comes back.
//!
//! Each hop is made from the caller's own bytes, so that nothing of one provider leaks into the next. Where both sides speak the same
//! dialect, the bytes pass as they are but for the model and the policy's cap.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use smallvec::SmallVec;

use super::ask::{self, Betas, Told};
use super::sidecar::InForce;
use crate::catalog::Capabilities;
use crate::config::Cloud;
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{Notes, Target};
use crate::dialect::embeddings::request::Ask;
use crate::dialect::messages::hosted::Host;
use crate::dialect::splice::{Change, splice};
use crate::dialect::translate::{BETA_HEADER, VERSION_HEADER};
use crate::dialect::{Dialect, embeddings, messages, translate};
use crate::policy::plan::PlannedHop;
use crate::upstream::{Call, Upstream};

/// Translating a body of this size takes about a millisecond; other requests of the same thread should not wait for more.
const LONG_TRANSLATION: usize = 256 << 10;

type Header = (HeaderName, HeaderValue);
type Body = SmallVec<[Bytes; 7]>;

/// One request, ready to be sent.
pub struct Prepared {
    body: Body,
    path: Option<String>,
    headers: Betas,
    /// What the upstream speaks there.
    pub dialect: Dialect,
    /// What it does not say any more, or says otherwise.
    pub notes: Notes,
}

impl Prepared {
    /// What goes out.
    pub fn call(&self) -> Call<'_> {
        Call { path: self.path.as_deref(), headers: &self.headers, body: &self.body }
    }
}

/// Makes it. Boxed, because it goes from hand to hand before it is sent.
///
/// # Errors
/// The field that the upstream's dialect, or its model, cannot carry.
pub fn prepare(now: &InForce, told: &Told, hop: &PlannedHop, upstream: &Upstream) -> Result<Box<Prepared>, BadBody> {
    let caller = told.entrance.dialect;
    let dialect = spoken(caller, upstream.provider.speaks(now.upstream_id(hop.snapshot)));
    // What passes as it is takes no longer for being long, and moving other requests to another thread costs more.
    let passes = caller == dialect && upstream.provider.hosts(dialect).is_none();
    let long = !passes && told.body.len() >= LONG_TRANSLATION;
    ask::aside(long, || prepare_in(dialect, now, told, hop, upstream))
}

fn prepare_in(
    dialect: Dialect,
    now: &InForce,
    told: &Told,
    hop: &PlannedHop,
    upstream: &Upstream,
) -> Result<Box<Prepared>, BadBody> {
    let (model, caller) = (now.upstream_id(hop.snapshot), told.entrance.dialect);
    let max_output = hop.max_output.map(|cap| cap.0);
    let output_cap = upstream.provider.output_cap.word();
    // A key for one dialect's provider is a secret to another's.
    let takes_key = told.key.as_ref().filter(|_| upstream.provider.caller_key && caller == dialect);
    let key = takes_key.and_then(|key| key.header(&upstream.provider));
    let own = upstream.provider.own_path(dialect, model, told.scan.stream);
    let path = own.or_else(|| translate::upstream_path(dialect, model, told.scan.stream));
    if caller == dialect {
        let change = Change { model, max_output, cap: translate::cap_field(dialect, output_cap) };
        let body = splice(&told.body, &told.scan, change).parts;
        let (body, headers) = hosted(upstream, dialect, body, told.betas.clone());
        let headers = headers.into_iter().chain(key).collect();
        return Ok(Box::new(Prepared { body, path, headers, dialect, notes: Notes::default() }));
    }
    if let Some(ask) = &told.vectors {
        return vectors(told, ask, model, dialect, key);
    }
    let facts = now.policy.checked().snapshots[hop.snapshot.index()].facts.as_ref();
    let target = Target {
        model,
        max_output,
        model_max_output: facts.and_then(|facts| facts.max_output),
        able: facts.map_or(Capabilities::NONE, |facts| facts.capabilities),
        output_cap,
        lenient: now.config.lenient,
    };
    let conversation = told.conversation()?;
    let written = translate::request(dialect, &conversation, &target)?;
    let header = translate::header(dialect, &conversation, &target);
    let headers = header.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    let body = SmallVec::from_iter([written.body.into()]);
    let (body, headers) = hosted(upstream, dialect, body, headers.into_iter().collect());
    let headers = headers.into_iter().chain(key).collect();
    Ok(Box::new(Prepared { body, path, headers, dialect, notes: written.notes }))
}

/// What a provider speaks to a caller of this dialect: whoever speaks OpenAI's other APIs speaks embeddings, too.
const fn spoken(caller: Dialect, provider: Dialect) -> Dialect {
    match (caller, provider) {
        (Dialect::Embeddings, Dialect::Chat | Dialect::Responses) => Dialect::Embeddings,
        _ => provider,
    }
}

/// Vectors of a provider who does not speak OpenAI's embeddings.
fn vectors(
    told: &Told,
    ask: &Ask,
    model: &str,
    dialect: Dialect,
    key: Option<Header>,
) -> Result<Box<Prepared>, BadBody> {
    if dialect != Dialect::Gemini {
        return Err(embeddings::not_spoken(model));
    }
    let body = embeddings::gemini::request(&told.body, ask, model)?;
    let (path, headers) = (Some(embeddings::gemini::path(model)), key.into_iter().collect());
    let body = SmallVec::from_iter([body.into()]);
    Ok(Box::new(Prepared { body, path, headers, dialect, notes: Notes::default() }))
}

/// As a cloud takes it that hosts Claude: the version is in the body, and on Bedrock everything is that is not in the path.
fn hosted(upstream: &Upstream, dialect: Dialect, body: Body, headers: Betas) -> (Body, Betas) {
    let Some(cloud) = upstream.provider.hosts(dialect) else { return (body, headers) };
    let (named, mut headers): (Betas, Betas) = headers.into_iter().partition(|(name, _)| name == BETA_HEADER);
    headers.retain(|(name, _)| *name != VERSION_HEADER);
    let betas: Vec<&str> = named.iter().filter_map(|(_, value)| value.to_str().ok()).collect();
    let version = cloud.anthropic_version();
    let host = match cloud {
        Cloud::Bedrock => Host { version, without: &["model", "stream"], betas: &betas },
        Cloud::Vertex => Host { version, without: &["model"], betas: &[] },
    };
    let body = messages::hosted::hosted(&body.concat(), host).into_owned();
    if cloud == Cloud::Vertex {
        headers.extend(named);
    }
    (SmallVec::from_iter([body.into()]), headers)
}
