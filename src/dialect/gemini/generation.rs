//! What a model's generation changes about how it is asked.
//!
//! In: a model's id. Out: the answers to a few questions. Must not know: conversations.

/// Where the Files API keeps what was uploaded.
pub(super) const FILES: &str = "https://generativelanguage.googleapis.com/";

/// The generation of a model, from the number behind its family's name. A name without one moves, so it is a current model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation(u32);

impl Generation {
    pub(super) fn of(model: &str) -> Self {
        let number = model.split_once("gemini-").and_then(|(_, rest)| {
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse().ok()
        });
        Self(number.unwrap_or(u32::MAX))
    }

    /// It wants its signatures back with calls, takes levels of thinking, media in results, and functions beside a schema.
    pub(super) const fn signs(self) -> bool {
        self.0 >= 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_generation() {
        for (model, signs) in [
            ("gemini-2.5-flash", false),
            ("gemini-1.5-pro", false),
            ("models/gemini-2.0-flash-lite", false),
            ("gemini-3.8-flash", true),
            ("gemini-10-pro", true),
            ("gemini-flash-latest", true),
            ("something-else", true),
        ] {
            assert_eq!(Generation::of(model).signs(), signs, "{model}");
        }
    }
}
