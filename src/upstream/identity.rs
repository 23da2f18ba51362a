//! How a call shows who sends it, where that is not the same for every call.
//!
//! In: a provider's [`Auth`], a call. Out: the headers of that call. Must not know: what the call asks.

use std::sync::Arc;
use std::time::SystemTime;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use smallvec::smallvec;

use super::connector::Pools;
use super::grant::Grant;
use super::peers::{Call, Upstream};
use super::sigv4::{Headers, Request, Signer};
use super::tokens::Tokens;
use crate::config::{Auth, BaseUrl, Provider, Secret};
use crate::names::Dialect;

/// What a provider is shown.
pub(super) enum Identity {
    /// The same key every time: it stands in the head that all calls begin with.
    Fixed,
    /// A signature of the call.
    Signature(Signer),
    /// A token that changes now and then.
    Tokens(Arc<Tokens>),
}

impl Identity {
    /// Of a provider.
    ///
    /// # Errors
    /// When its keys are none, in words that begin with the key of its row.
    pub(super) fn of(provider: &Provider, pools: &Pools) -> Result<Self, String> {
        let grant = match &provider.auth {
            Auth::Usual | Auth::Header(_) | Auth::Bearer => return Ok(Self::Fixed),
            Auth::SigV4(keys) => return Ok(Self::Signature(Signer::new(keys))),
            Auth::ServiceAccount(account) => (Grant::of_account(account)?, &account.token_url),
            Auth::Entra(entra) => (Grant::Password(entra.clone()), &entra.token_url),
        };
        let (grant, url) = grant;
        let endpoint = Upstream::posting(Arc::new(endpoint(provider, url)), pools, "")?;
        Ok(Self::Tokens(Tokens::new(grant, endpoint)))
    }

    /// What a call carries beside its own headers.
    ///
    /// # Errors
    /// Why nothing can be shown.
    pub(super) async fn headers(&self, upstream: &Upstream, call: &Call<'_>) -> Result<Headers, String> {
        match self {
            Self::Fixed => Ok(Headers::new()),
            Self::Signature(signer) => {
                let host = upstream.provider.base_url.authority();
                let path = upstream.path(call);
                let headers = &[(CONTENT_TYPE.as_str(), "application/json")];
                let request = Request { method: "POST", host: &host, path: &path, headers, body: call.body };
                signer.headers(&request, SystemTime::now())
            }
            Self::Tokens(tokens) => Ok(smallvec![(AUTHORIZATION, tokens.authorization().await?)]),
        }
    }

    /// Begins what goes on in the background. Needs a runtime.
    pub(super) fn keep_fresh(&self) {
        if let Self::Tokens(tokens) = self {
            tokens.keep_fresh();
        }
    }
}

/// Who gives a provider's tokens: another host, reached the same way.
fn endpoint(provider: &Provider, url: &BaseUrl) -> Provider {
    Provider {
        name: format!("{}.auth", provider.name).as_str().into(),
        dialect: Dialect::Chat,
        auth: Auth::Usual,
        cloud: None,
        api_version: None,
        base_url: url.clone(),
        key: None,
        headers: vec![("content-type".to_owned(), Secret::new("application/x-www-form-urlencoded"))],
        authorities: None,
        client_certificate: None,
        ..provider.clone()
    }
}
