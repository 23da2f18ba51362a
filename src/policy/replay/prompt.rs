//! The size of a logged prompt.
//!
//! In: the least and the most it can be, as the proxy found out. Out: answers to "more than N?". Must not know: tokenizers.

use super::super::facts::PromptSize;

/// Bytes of a token of English: what is assumed where nobody counted, as for usage that a provider did not state.
const BYTES_PER_TOKEN: u64 = 4;

/// The size of a logged prompt. Every question that was asked then is answered as it was then; any other by the likeliest size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedPrompt {
    least: u64,
    most: u64,
    guessed: bool,
}

impl LoggedPrompt {
    /// Between `least` and `most`, both included.
    pub fn new((least, most): (u64, u64)) -> Self {
        Self { least, most: most.max(least), guessed: false }
    }

    /// The likeliest size.
    pub fn likely(&self) -> u64 {
        (self.most / BYTES_PER_TOKEN).max(self.least)
    }

    /// Least and most.
    pub const fn bounds(&self) -> (u64, u64) {
        (self.least, self.most)
    }

    /// Whether an answer hung on the likeliest size.
    pub const fn guessed(&self) -> bool {
        self.guessed
    }
}

impl PromptSize for LoggedPrompt {
    fn exceeds(&mut self, tokens: u64) -> bool {
        if self.least <= tokens && self.most > tokens {
            self.guessed = true;
        }
        self.likely() > tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_no_guess() {
        let mut prompt = LoggedPrompt::new((10, 400));
        assert!(prompt.exceeds(9) && !prompt.exceeds(400) && !prompt.guessed());
        assert!(prompt.exceeds(99) && !prompt.exceeds(100) && prompt.guessed());
        let mut counted = LoggedPrompt::new((70, 70));
        assert!(counted.exceeds(69) && !counted.exceeds(70) && !counted.guessed());
    }
}
