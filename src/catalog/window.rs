//! Whether a model is large enough for a prompt and its answer. Analysis and runtime call these functions and no other.
//!
//! In: a row, tokens. Out: yes or no, and the largest prompt for which it is yes. Must not know: policies, tokenizers.

use super::entry::Entry;
use crate::units::Tokens;

/// Share by which a provider's tokenizer may count more than our estimate, where the row does not say.
pub const DEFAULT_MARGIN: f64 = 0.10;

/// Room kept for an answer that nothing but the catalog limits.
pub const DEFAULT_ROOM: Tokens = Tokens(1024);

/// Parts of a whole: margins are applied in integers, so that [`fits`] and [`largest_prompt`] agree on every token.
const WHOLE: u128 = 1_000_000;

/// The answer's share of the window: the least cap of caller, hop, rule, feature and defaults, and the model's own; if no one
/// caps it, [`DEFAULT_ROOM`]. A model that answers no tokens needs none.
pub fn room(entry: &Entry, cap: Option<Tokens>) -> Tokens {
    if is_embedding(entry) {
        return Tokens(0);
    }
    let wanted = cap.unwrap_or(DEFAULT_ROOM);
    Tokens(entry.max_output.map_or(wanted.0, |most| most.min(wanted.0)))
}

/// A prompt with the margin of this model's tokenizer.
pub fn with_margin(entry: &Entry, prompt: Tokens) -> Tokens {
    let more = (u128::from(prompt.0) * margin(entry)).div_ceil(WHOLE);
    Tokens(prompt.0.saturating_add(u64::try_from(more).unwrap_or(u64::MAX)))
}

/// Whether a prompt of this estimate and `room` for an answer fit. A row that states no window is not held against the model:
/// the provider's own refusal moves to the next hop.
pub fn fits(entry: &Entry, prompt: Tokens, room: Tokens) -> bool {
    limit(entry, room).is_none_or(|limit| with_margin(entry, prompt).0 <= limit)
}

/// The largest estimate for which [`fits`] holds; `None` when none is known. Where not even an empty prompt fits, 0.
pub fn largest_prompt(entry: &Entry, room: Tokens) -> Option<Tokens> {
    let limit = u128::from(limit(entry, room)?);
    // ceil(p * (1 + m)) <= limit  <=>  p <= limit / (1 + m), because the limit is whole.
    Some(Tokens(u64::try_from(limit * WHOLE / (WHOLE + margin(entry))).unwrap_or(u64::MAX)))
}

/// The most tokens of prompt, counted by the provider.
fn limit(entry: &Entry, room: Tokens) -> Option<u64> {
    let input = entry.max_input.or(entry.context_window)?;
    let Some(window) = entry.context_window.filter(|window| shares_window(entry, input, *window)) else {
        return Some(input);
    };
    Some(input.min(window.saturating_sub(room.0)))
}

/// Prompt and answer share one window unless the window is as large as both together.
fn shares_window(entry: &Entry, input: u64, window: u64) -> bool {
    entry.max_output.is_none_or(|output| window <= input.saturating_add(output))
}

fn margin(entry: &Entry) -> u128 {
    (entry.tokens_margin.unwrap_or(DEFAULT_MARGIN) * WHOLE as f64).round() as u128
}

fn is_embedding(entry: &Entry) -> bool {
    entry.mode.as_deref() == Some("embedding")
}
