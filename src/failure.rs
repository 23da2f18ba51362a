//! The words for what can go wrong with an attempt (language specification, section 5.3).
//!
//! In: nothing. Out: one closed enum shared by policy text (`on [..]`, `retry .. on [..]`), the chain, the dialects that
//! recognize failures, the simulator that makes them, and metrics labels. Must not know: anything else.

use serde::{Deserialize, Serialize};

/// An attempt ends in success or in exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// No connection, a reset, malformed HTTP, or a stream that ended without its terminal event before release.
    Network,
    /// A limit of section 5.5 passed, or HTTP 408 or 504.
    Timeout,
    /// The account behind the key is out of money or quota.
    QuotaExhausted,
    /// Any other 429.
    RateLimit,
    /// 529, 503, or an in-band event that says the model is overloaded.
    Overload,
    /// Every other 5xx, or an in-band error event of that kind before release.
    ServerError,
    /// The prompt, or prompt plus output, is too long for this model.
    ContextLength,
    /// The provider's content filter took the prompt or the answer.
    ContentFilter,
    /// HTTP 200 whose structure says that the model declined.
    Refusal,
    /// HTTP 200, but the answer does not have the shape the caller demanded.
    InvalidOutput,
    /// 401, or a 403 that is not about quota.
    Auth,
    /// The model is not there, or another one answered.
    ModelGone,
    /// The caller's mistake: any other 4xx. Never moves on, cannot be named in `on`.
    BadRequest,
}

impl Failure {
    /// Every word, in the order section 5.3 tries them.
    pub const ALL: [Self; 13] = [
        Self::Network,
        Self::Timeout,
        Self::QuotaExhausted,
        Self::RateLimit,
        Self::Overload,
        Self::ServerError,
        Self::ContextLength,
        Self::ContentFilter,
        Self::Refusal,
        Self::InvalidOutput,
        Self::Auth,
        Self::ModelGone,
        Self::BadRequest,
    ];

    /// The word as policies, logs and metrics write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Timeout => "timeout",
            Self::QuotaExhausted => "quota_exhausted",
            Self::RateLimit => "rate_limit",
            Self::Overload => "overload",
            Self::ServerError => "server_error",
            Self::ContextLength => "context_length",
            Self::ContentFilter => "content_filter",
            Self::Refusal => "refusal",
            Self::InvalidOutput => "invalid_output",
            Self::Auth => "auth",
            Self::ModelGone => "model_gone",
            Self::BadRequest => "bad_request",
        }
    }

    /// The failure a policy means by `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|failure| failure.word() == word)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// A set of failures: what an `on [..]` list means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FailureSet(u16);

impl FailureSet {
    /// Nothing.
    pub const EMPTY: Self = Self(0);

    /// What moves to the next hop when the policy says nothing: everything but `content_filter` and `refusal`.
    pub const MOVES_ON: Self = Self::EMPTY
        .with(Failure::Network)
        .with(Failure::Timeout)
        .with(Failure::QuotaExhausted)
        .with(Failure::RateLimit)
        .with(Failure::Overload)
        .with(Failure::ServerError)
        .with(Failure::ContextLength)
        .with(Failure::InvalidOutput)
        .with(Failure::Auth)
        .with(Failure::ModelGone);

    /// What the first hop retries once when the policy says nothing (section 5.4).
    pub const RETRIES: Self = Self::EMPTY.with(Failure::ServerError).with(Failure::Network);

    /// This set and one more.
    #[must_use]
    pub const fn with(self, failure: Failure) -> Self {
        Self(self.0 | 1 << failure as u16)
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the failure is in the set.
    pub const fn contains(self, failure: Failure) -> bool {
        self.0 & 1 << failure as u16 != 0
    }

    /// The members, in the order of section 5.3.
    pub fn iter(self) -> impl Iterator<Item = Failure> {
        Failure::ALL.into_iter().filter(move |failure| self.contains(*failure))
    }
}

impl Serialize for FailureSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back() {
        for failure in Failure::ALL {
            assert_eq!(Failure::from_word(failure.word()), Some(failure));
        }
        assert_eq!(Failure::from_word("gone"), None);
    }

    #[test]
    fn a_refusal_and_a_filter_are_answers_by_default() {
        let stays: Vec<_> = Failure::ALL.into_iter().filter(|f| !FailureSet::MOVES_ON.contains(*f)).collect();
        assert_eq!(stays, [Failure::ContentFilter, Failure::Refusal, Failure::BadRequest]);
    }
}
