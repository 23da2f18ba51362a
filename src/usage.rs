//! What one answer consumed, in one record from which every dialect's `usage` and every price is derived.
//!
//! In: counts out of provider answers, or estimates. Out: [`Usage`]. Must not know: prices, HTTP.

use std::ops::{Add, AddAssign};

use serde::Serialize;

/// Tokens of one attempt, or of several added up.
///
/// The three input counts are disjoint; their sum is the prompt. `output` includes `reasoning`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Prompt tokens charged at the full price.
    pub input_uncached: u64,
    /// Prompt tokens read from the provider's cache.
    pub cache_read: u64,
    /// Prompt tokens written to the provider's cache.
    pub cache_write: u64,
    /// The part of `cache_write` that is kept for an hour, where the provider says so.
    pub cache_write_hour: u64,
    /// Answer tokens, thinking included.
    pub output: u64,
    /// The part of `output` that was thinking, where the provider says so.
    pub reasoning: u64,
    /// At least one count is our own estimate: the provider sent none, or the answer broke off.
    pub estimated: bool,
    /// How it was served, as the provider says: prices differ.
    pub service: Service,
}

/// How a provider served an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// As usual.
    #[default]
    Standard,
    /// Later and cheaper, at the price of a batch.
    Flex,
    /// Sooner and dearer.
    Priority,
    /// As part of a batch.
    Batch,
}

impl Service {
    /// As logs write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Flex => "flex",
            Self::Priority => "priority",
            Self::Batch => "batch",
        }
    }

    /// What an answer's own word means.
    pub fn from_word(word: &str) -> Self {
        match word {
            "flex" => Self::Flex,
            "priority" | "fast" => Self::Priority,
            "batch" => Self::Batch,
            _ => Self::Standard,
        }
    }
}

impl Usage {
    /// The whole prompt.
    pub const fn input(self) -> u64 {
        self.input_uncached.saturating_add(self.cache_read).saturating_add(self.cache_write)
    }

    /// Prompt and answer.
    pub const fn total(self) -> u64 {
        self.input().saturating_add(self.output)
    }

    /// What is charged when the provider said nothing.
    pub const fn estimate(input: u64, output: u64) -> Self {
        Self {
            input_uncached: input,
            cache_read: 0,
            cache_write: 0,
            cache_write_hour: 0,
            output,
            reasoning: 0,
            estimated: true,
            service: Service::Standard,
        }
    }

    /// From totals that include the cached and written parts (Chat Completions, Responses). Parts larger than the whole,
    /// which some servers send, are cut to it.
    pub fn from_totals(input: u64, cache_read: u64, cache_write: u64, output: u64, reasoning: u64) -> Self {
        let cache_read = cache_read.min(input);
        let cache_write = cache_write.min(input - cache_read);
        Self {
            input_uncached: input - cache_read - cache_write,
            cache_read,
            cache_write,
            output,
            reasoning: reasoning.min(output),
            ..Self::default()
        }
    }
}

impl Add for Usage {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            input_uncached: self.input_uncached.saturating_add(other.input_uncached),
            cache_read: self.cache_read.saturating_add(other.cache_read),
            cache_write: self.cache_write.saturating_add(other.cache_write),
            cache_write_hour: self.cache_write_hour.saturating_add(other.cache_write_hour),
            output: self.output.saturating_add(other.output),
            reasoning: self.reasoning.saturating_add(other.reasoning),
            estimated: self.estimated || other.estimated,
            service: if self.service == Service::Standard { other.service } else { self.service },
        }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_prompt_never_exceed_it() {
        let usage = Usage::from_totals(100, 30, 20, 7, 3);
        assert_eq!((usage.input_uncached, usage.input(), usage.total()), (50, 100, 107));
        let lying = Usage::from_totals(100, 130, 20, 7, 30);
        assert_eq!((lying.input_uncached, lying.cache_read, lying.cache_write, lying.reasoning), (0, 100, 0, 7));
    }

    #[test]
    fn one_estimate_makes_the_sum_an_estimate() {
        let sum = Usage::from_totals(10, 0, 0, 1, 0) + Usage::estimate(5, 2);
        assert_eq!((sum.input(), sum.output, sum.estimated), (15, 3, true));
    }
}
