//! `prompt_tokens`: exact where it matters, cheap everywhere.
//!
//! In: a scanned body. Out: [`PromptTokens`], which answers "more than N?" and remembers what it counted. Must not know: rules.
//!
//! The rule. `prompt_tokens` is the number of o200k tokens of the prompt's text (messages, names, calls; tool and schema
//! definitions as written), plus 3 for each message, plus 3. Images, audio and files count nothing: each provider has its own
//! formula. It is a number of the request alone, not of the model that will answer, so that a decision can be replayed.
//!
//! A question "more than N?" is answered without counting where the byte count settles it: a token covers at least 1 byte, and
//! at most 128. Otherwise text is counted piece by piece, each piece once, until the answer is certain; the rest stays
//! uncounted. So the work is bounded by the largest N that anybody asks about, not by the prompt, and a prompt with fewer bytes
//! than the smallest N costs one comparison.
//!
//! The tokenizer takes about 0.1 s and 66 MB to load. It is loaded at start only if a condition of the policy tests
//! `prompt_tokens` ([`preload`]), else by the first request whose size a limit hangs on.

use crate::dialect::scan::Scan;
use crate::json::{Passage, unescape};
use crate::policy::facts::PromptSize;

/// Tokens a message costs beyond its text, and once more for the answer's beginning (OpenAI's documented recipe for Chat
/// Completions models).
pub const FRAMING: u64 = 3;
/// The longest token of o200k, in bytes.
pub const LONGEST_TOKEN: u64 = 128;
/// The most bytes that JSON writes for one byte of text: `\u0041`.
const LONGEST_ESCAPE: u64 = 6;
/// A piece longer than this is counted with a limit, since it may be the whole prompt.
const LONG_PIECE: usize = 1024;
/// While a tokenizer backtracks it can be ahead of its final count; so much is added to a limit before it is believed.
const SLACK: u64 = 64;

/// Loads the tokenizer.
pub fn preload() {
    bpe_openai::o200k_base();
}

/// The size of one prompt, as far as it is known.
#[derive(Debug)]
pub struct PromptTokens<'a> {
    body: &'a [u8],
    /// Not begun.
    waiting: std::slice::Iter<'a, Passage>,
    current: Option<Current<'a>>,
    /// Tokens of what is behind, framing included.
    counted: u64,
    /// Least and most bytes of what is ahead.
    ahead: (u64, u64),
    /// The size is at least this: what was learned from a piece that went past a limit and was left uncounted.
    floor: u64,
}

/// A passage that is being counted.
#[derive(Debug)]
struct Current<'a> {
    text: std::borrow::Cow<'a, str>,
    at: usize,
}

impl<'a> PromptTokens<'a> {
    /// Of a request. Looks at no text yet.
    pub fn new(body: &'a [u8], scan: &'a Scan) -> Self {
        let ahead = scan.text.iter().fold((0, 0), |(least, most), passage| {
            let bytes = bytes(*passage);
            (least + bytes.0, most + bytes.1)
        });
        let counted = (scan.messages + 1) * FRAMING;
        Self { body, waiting: scan.text.iter(), current: None, counted, ahead, floor: 0 }
    }

    /// Least and most that the size can be, as far as it is known; equal once everything was counted.
    pub fn bounds(&self) -> (u64, u64) {
        let least = self.counted + self.ahead.0.div_ceil(LONGEST_TOKEN);
        (least.max(self.floor), self.counted + self.ahead.1)
    }

    /// The size, counting whatever is left.
    pub fn count(&mut self) -> u64 {
        while self.step(u64::MAX) {}
        self.counted
    }

    /// Counts one more piece. `false` at the end, or when the piece alone goes past `limit`.
    fn step(&mut self, limit: u64) -> bool {
        let Some(current) = &mut self.current else {
            return self.begin();
        };
        let tokenizer = bpe_openai::o200k_base();
        let rest = current.text.get(current.at..).unwrap_or_default();
        let Some(piece) = tokenizer.split(rest).next() else {
            self.ahead = (self.ahead.0 - rest.len() as u64, self.ahead.1 - rest.len() as u64);
            self.current = None;
            return true;
        };
        let tokens = if piece.len() > LONG_PIECE {
            let most = usize::try_from(limit.saturating_add(SLACK)).unwrap_or(usize::MAX);
            tokenizer.bpe.count_till_limit(piece.as_bytes(), most)
        } else {
            Some(tokenizer.bpe.count(piece.as_bytes()))
        };
        let Some(tokens) = tokens else { return false };
        let bytes = piece.len();
        current.at += bytes;
        self.counted += tokens as u64;
        self.ahead = (self.ahead.0 - bytes as u64, self.ahead.1 - bytes as u64);
        true
    }

    fn begin(&mut self) -> bool {
        let Some(passage) = self.waiting.next() else { return false };
        let raw = std::str::from_utf8(passage.span.of(self.body)).unwrap_or_default();
        let text: std::borrow::Cow<'a, str> = if passage.escaped { unescape(raw).into() } else { raw.into() };
        let (least, most) = bytes(*passage);
        let now = text.len() as u64;
        self.ahead = (self.ahead.0 - least + now, self.ahead.1 - most + now);
        self.current = Some(Current { text, at: 0 });
        true
    }

    /// Whether the size is more than `limit`, as far as that is known without counting.
    pub fn settled(&self, limit: u64) -> Option<bool> {
        let (least, most) = self.bounds();
        if least > limit {
            Some(true)
        } else if most <= limit {
            Some(false)
        } else {
            None
        }
    }

    /// Bytes that are not counted yet, at most.
    pub const fn uncounted(&self) -> u64 {
        self.ahead.1
    }
}

impl PromptSize for PromptTokens<'_> {
    fn exceeds(&mut self, limit: u64) -> bool {
        loop {
            if let Some(exceeds) = self.settled(limit) {
                return exceeds;
            }
            // Not settled, so something is ahead: a step that fails is a piece that alone goes past the limit.
            if !self.step(limit - self.counted) {
                self.floor = limit + 1;
                return true;
            }
        }
    }
}

/// Least and most bytes of a passage once decoded.
const fn bytes(passage: Passage) -> (u64, u64) {
    let written = passage.span.len() as u64;
    // A surrogate without its partner is written in 6 bytes and decoded to 3, so no escape decodes to more than it is.
    (if passage.escaped { written / LONGEST_ESCAPE } else { written }, written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::chat::request::scan;
    use crate::dialect::scan::Wants;

    fn body(texts: &[String]) -> String {
        let messages: Vec<_> = texts.iter().map(|text| serde_json::json!({"role": "user", "content": text})).collect();
        serde_json::json!({"model": "m", "messages": messages}).to_string()
    }

    /// The same number, counted whole by the tokenizer itself.
    fn plain(texts: &[String]) -> u64 {
        let tokens: usize = texts.iter().map(|text| bpe_openai::o200k_base().count(text.as_str())).sum();
        tokens as u64 + 3 * (texts.len() as u64 + 1)
    }

    fn samples() -> Vec<Vec<String>> {
        let prose =
            "The quick brown fox isn't 1234567 years old, is it?\n\n  \"No\", said I. Größe: 中文字 😀\u{fffd}\t{}; ";
        vec![
            vec![String::new()],
            vec!["hi".to_owned()],
            vec![prose.to_owned(), prose.repeat(20), String::new(), "x".to_owned()],
            vec!["a".repeat(5000), " ".repeat(5000), "\n".repeat(3000), "-".repeat(5000)],
            vec!["é".repeat(3000), "\u{1}\u{2}\"\\".repeat(500)],
        ]
    }

    #[test]
    fn every_question_is_answered_exactly_in_any_order() {
        for texts in samples() {
            let (body, exact) = (body(&texts), plain(&texts));
            let scan = scan(body.as_bytes(), Wants::default()).unwrap();
            let mut limits: Vec<u64> = (0..12).chain(exact.saturating_sub(4)..exact + 4).collect();
            limits.extend([exact / 3, exact / 2, exact * 2, exact * 5, u64::MAX]);
            for limit in &limits {
                let fresh = PromptTokens::new(body.as_bytes(), &scan).exceeds(*limit);
                assert_eq!(fresh, exact > *limit, "{exact} > {limit}");
            }
            let mut random = fastrand::Rng::with_seed(3);
            random.shuffle(&mut limits);
            let mut prompt = PromptTokens::new(body.as_bytes(), &scan);
            for limit in limits {
                assert_eq!(prompt.exceeds(limit), exact > limit, "{exact} > {limit}, asked after others");
                let (least, most) = prompt.bounds();
                assert!(least <= exact && exact <= most);
            }
            assert_eq!((prompt.count(), prompt.bounds()), (exact, (exact, exact)));
        }
    }

    #[test]
    fn no_token_is_longer_than_the_bound_says() {
        let bpe = &bpe_openai::o200k_base().bpe;
        let longest = (0..bpe.num_tokens() as u32).map(|token| bpe.token_len(token)).max().unwrap();
        assert_eq!(longest as u64, LONGEST_TOKEN);
    }

    #[test]
    fn bytes_alone_settle_what_they_can() {
        let body = body(&["word ".repeat(1000)]);
        let scan = scan(body.as_bytes(), Wants::default()).unwrap();
        let mut prompt = PromptTokens::new(body.as_bytes(), &scan);
        assert_eq!(prompt.bounds(), (6 + 40, 6 + 5000));
        assert!(prompt.exceeds(45) && !prompt.exceeds(5006));
        assert_eq!(prompt.bounds(), (46, 5006), "nothing was counted");
        assert!(prompt.exceeds(100));
        let (least, most) = prompt.bounds();
        assert!(least > 100 && least < 200 && most > 4000, "counted no further than asked: {least}..{most}");
    }

    #[test]
    fn what_a_long_piece_taught_is_remembered() {
        let body = body(&["a".repeat(100_000)]);
        let scan = scan(body.as_bytes(), Wants::default()).unwrap();
        let mut prompt = PromptTokens::new(body.as_bytes(), &scan);
        assert!(prompt.exceeds(5000));
        assert_eq!(prompt.bounds(), (5001, 100_006));
        assert_eq!(prompt.count(), 12_506);
        assert_eq!(prompt.bounds(), (12_506, 12_506));
    }

    #[test]
    fn tools_and_schemas_count_as_written() {
        let tools = r#"[{"type":"function","function":{"name":"look"}}]"#;
        let body = format!(r#"{{"model":"m","messages":[{{"content":"hi"}}],"tools":{tools}}}"#);
        let scan = scan(body.as_bytes(), Wants::default()).unwrap();
        let wanted = 6 + bpe_openai::o200k_base().count("hi") + bpe_openai::o200k_base().count(tools);
        assert_eq!(PromptTokens::new(body.as_bytes(), &scan).count(), wanted as u64);
    }
}
