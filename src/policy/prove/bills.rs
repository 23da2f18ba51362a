//! What one answered request of a chain can cost, and how long a chain can take, at most (section 5.5, clarification 16.7).
//!
//! In: a chain's calls, a feature, a prompt size. Out: bounds, and the smallest prompt past which a bound is broken. Must not
//! know: findings. The prices are those of the catalog's own functions, which `explain` and the ledger use.

use jiff::civil::Date;

use super::super::ast::OnCut;
use super::super::bounds::{Extra, backoffs, limit_of};
use super::super::checked::{Chain, Checked, Feature, Retry};
use super::super::eligible;
use super::calls::{Call, Via};
use crate::catalog::window::with_margin;
use crate::units::{Millis, Tokens, Usd};

/// What an answer of one call can cost, with what may run beside it or be billed again.
pub(super) struct Bill<'a> {
    checked: &'a Checked,
    chain: &'a Chain,
    /// The calls of the chain; `at` is the one that answers.
    all: &'a [Call<'a>],
    at: usize,
    today: Date,
}

/// A bound that is not known, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// The catalog states no price.
    Price,
    /// Nothing limits the answer.
    Answer,
}

impl<'a> Bill<'a> {
    pub fn new(checked: &'a Checked, chain: &'a Chain, all: &'a [Call<'a>], at: usize, today: Date) -> Self {
        Self { checked, chain, all, at, today }
    }

    /// The same, had it no hedge.
    pub fn without_hedge(&self, prompt: Tokens, feature: Option<&Feature>) -> Result<Usd, Unknown> {
        self.with(Extra { legs: 0, ..self.extra() }, prompt, feature)
    }

    /// The most that one answered request of this size can cost.
    pub fn at_prompt(&self, prompt: Tokens, feature: Option<&Feature>) -> Result<Usd, Unknown> {
        self.with(self.extra(), prompt, feature)
    }

    /// The calls that can come after this one. A shadow's copy is not billed to the request.
    fn behind(&self) -> impl Iterator<Item = usize> {
        (self.at + 1..self.all.len()).filter(|at| self.all[*at].via != Via::Shadow)
    }

    fn extra(&self) -> Extra {
        let options = &self.all[self.at].hop.options;
        let resumes = self.chain.on_cut == OnCut::Resume;
        Extra::of(options.hedge, options.retry, resumes, self.behind().count())
    }

    fn with(&self, extra: Extra, prompt: Tokens, feature: Option<&Feature>) -> Result<Usd, Unknown> {
        let own = self.one(self.at, prompt, feature)?;
        extra.bill(own, self.behind().map(|at| self.one(at, prompt, feature)))
    }

    /// The smallest prompt that can cost more than `most`; `None` when none can. A price only ever rises with the prompt.
    pub fn first_over(&self, most: Usd, feature: Option<&Feature>) -> Result<Option<Tokens>, Unknown> {
        self.first(|prompt| Ok(self.at_prompt(prompt, feature)? > most))
    }

    /// The smallest prompt that together with its longest answer is more tokens than `most`.
    pub fn first_over_tokens(&self, most: Tokens, feature: Option<&Feature>) -> Result<Option<Tokens>, Unknown> {
        let call = &self.all[self.at];
        let entry = self.checked.snapshots[call.snapshot.index()].facts.as_deref().ok_or(Unknown::Answer)?;
        let cap = eligible::policy_cap(&call.hop.options, feature);
        let answer = eligible::longest_answer(entry, cap).ok_or(Unknown::Answer)?;
        self.first(|prompt| Ok(with_margin(entry, prompt).0.saturating_add(answer.0) > most.0))
    }

    /// Whether a request without a feature has no cap on its answer but the catalog's.
    pub fn is_uncapped(&self) -> bool {
        self.all[self.at].hop.options.max_output.is_none()
    }

    fn first(&self, over: impl Fn(Tokens) -> Result<bool, Unknown>) -> Result<Option<Tokens>, Unknown> {
        let (mut low, mut high) = (0, self.checked.max_prompt.0);
        if !over(Tokens(high))? {
            return Ok(None);
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if over(Tokens(middle))? {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(Some(Tokens(low)))
    }

    fn one(&self, at: usize, prompt: Tokens, feature: Option<&Feature>) -> Result<Usd, Unknown> {
        let call = &self.all[at];
        let entry = self.checked.snapshots[call.snapshot.index()].facts.as_deref().ok_or(Unknown::Price)?;
        let cap = eligible::policy_cap(&call.hop.options, feature);
        let answer = eligible::longest_answer(entry, cap).ok_or(Unknown::Answer)?;
        entry.worst_cost(prompt, answer, self.today).ok_or(Unknown::Price)
    }
}

/// The most time that these calls of a chain, in their order, can take until something is released or everything has failed:
/// attempts and backoffs, bounded by the deadline.
pub(super) fn worst_time(chain: &Chain, calls: &[&Call<'_>], feature: Option<&Feature>, streaming: bool) -> Millis {
    let mut sum = Millis(0);
    let mut before: Option<&Call<'_>> = None;
    for (at, call) in calls.iter().filter(|call| call.via != Via::Shadow).enumerate() {
        let options = &call.hop.options;
        let limit = limit_of(options, chain.hold, streaming);
        // Behind what a rollout put in front of it, a hop has one attempt: the retry belongs to the new snapshot.
        let rolled = before.is_some_and(|one| matches!(one.via, Via::Rollout(_)) && std::ptr::eq(one.hop, call.hop));
        let unsaid = if at == 0 { Retry::DEFAULT } else { Retry::NONE };
        let retry = if rolled { Retry::NONE } else { options.retry.unwrap_or(unsaid) };
        sum = sum + Millis(limit.0.saturating_mul(u64::from(retry.count) + 1)) + backoffs(retry);
        before = Some(call);
    }
    let deadline = feature.and_then(|one| one.deadline).map_or(chain.deadline, |own| own.min(chain.deadline));
    sum.min(deadline)
}
