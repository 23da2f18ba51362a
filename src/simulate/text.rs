//! What a simulated model says: always the same for the same prompt, in pieces.
//!
//! In: a seed and a size. Out: an iterator of pieces, one per content event; nothing is kept in memory. Must not know:
//! dialects, faults.

use sha2::{Digest, Sha256};

/// Fewest and most pieces of an answer nobody sized.
const LEAST_PIECES: u64 = 12;
const SPREAD_PIECES: u64 = 28;
/// Bytes per piece of a text that has to be cut into pieces (JSON, arguments).
const LITERAL_PIECE: usize = 8;

const ARTICLES: [&str; 6] = ["the", "every", "this", "that", "one", "another"];
const QUALITIES: [&str; 12] =
    ["small", "old", "quiet", "green", "steady", "western", "clear", "slow", "bright", "distant", "narrow", "patient"];
const THINGS: [&str; 16] = [
    "river", "boat", "hill", "stone", "lamp", "road", "harbor", "field", "song", "bird", "bridge", "traveler",
    "garden", "window", "market", "letter",
];
const DEEDS: [&str; 10] =
    ["carries", "finds", "keeps", "follows", "passes", "remembers", "crosses", "watches", "meets", "leaves"];
const PLACES: [&str; 8] = ["near", "under", "beyond", "behind", "beside", "above", "before", "across"];
/// One sentence.
const SENTENCE: [&[&str]; 10] =
    [&ARTICLES, &QUALITIES, &THINGS, &DEEDS, &ARTICLES, &THINGS, &PLACES, &ARTICLES, &QUALITIES, &THINGS];

/// The last place at or before `at` where the text can be cut (`str::floor_char_boundary` is newer than the Rust we promise).
pub fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// A small deterministic generator (splitmix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Starts from the hash of some bytes and a number.
    pub fn of(bytes: &[u8], seed: u64) -> Self {
        let digest = Sha256::digest(bytes);
        let start = digest.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        Self(start ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// The next 64 bits.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `bound` (0 for 0).
    pub fn below(&mut self, bound: u64) -> u64 {
        self.roll().checked_rem(bound).unwrap_or(0)
    }
}

/// How much is said.
#[derive(Clone, Copy, Debug, Default)]
pub struct Size {
    /// Exactly so many pieces.
    pub pieces: Option<u64>,
    /// At least so many bytes.
    pub bytes: Option<u64>,
    /// A first piece of so many bytes.
    pub huge: Option<u64>,
    /// The caller's cap, in pieces.
    pub cap: Option<u64>,
}

/// The pieces of one answer. A piece counts as one token.
#[derive(Clone, Debug)]
pub struct Pieces {
    source: Source,
    huge: Option<usize>,
    /// Pieces still allowed by the cap.
    allowed: u64,
    /// Whether the cap cut something off; known once the pieces are used up.
    pub was_cut: bool,
}

#[derive(Clone, Debug)]
enum Source {
    Prose { dice: Dice, pieces: Option<u64>, bytes: u64, spoken: usize },
    Literal { text: String, at: usize },
}

impl Pieces {
    /// Prose for a prompt.
    pub fn prose(mut dice: Dice, size: Size) -> Self {
        let pieces = match (size.pieces, size.bytes) {
            (None, None) => Some(LEAST_PIECES + dice.below(SPREAD_PIECES)),
            (pieces, _) => pieces,
        };
        let bytes = size.bytes.unwrap_or(0);
        Self::new(Source::Prose { dice, pieces, bytes, spoken: 0 }, size)
    }

    /// A given text, in pieces.
    pub fn literal(text: String, size: Size) -> Self {
        Self::new(Source::Literal { text, at: 0 }, size)
    }

    fn new(source: Source, size: Size) -> Self {
        let huge = size.huge.and_then(|bytes| usize::try_from(bytes).ok());
        Self { source, huge, allowed: size.cap.unwrap_or(u64::MAX), was_cut: false }
    }

    /// How many pieces there are, and whether the cap cut the rest off.
    pub fn measure(&self) -> (u64, bool) {
        let mut pieces = self.clone();
        let count = pieces.by_ref().count() as u64;
        (count, pieces.was_cut)
    }
}

impl Iterator for Pieces {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let next = match self.huge.take() {
            Some(bytes) => Some("x".repeat(bytes)),
            None => self.source.next(),
        }?;
        if self.allowed == 0 {
            self.was_cut = true;
            self.source = Source::Literal { text: String::new(), at: 0 };
            return None;
        }
        self.allowed -= 1;
        Some(next)
    }
}

impl Source {
    fn next(&mut self) -> Option<String> {
        match self {
            Self::Literal { text, at } => {
                let rest = text.get(*at..).filter(|rest| !rest.is_empty())?;
                let end = rest.char_indices().map(|(i, c)| i + c.len_utf8()).find(|end| *end >= LITERAL_PIECE);
                let piece = rest.get(..end.unwrap_or(rest.len()))?;
                *at += piece.len();
                Some(piece.to_owned())
            }
            Self::Prose { dice, pieces, bytes, spoken } => {
                match pieces {
                    Some(0) if *bytes == 0 => return None,
                    None if *bytes == 0 => return None,
                    Some(left) => *left = left.saturating_sub(1),
                    None => {}
                }
                let at = *spoken % SENTENCE.len();
                let words = SENTENCE.get(at).copied().unwrap_or(&THINGS);
                let word = words.get(dice.below(words.len() as u64) as usize).copied().unwrap_or("word");
                let mut piece = String::with_capacity(word.len() + 2);
                if *spoken > 0 {
                    piece.push(' ');
                }
                if at == 0 {
                    piece.extend(word.chars().next().map(|first| first.to_ascii_uppercase()));
                    piece.push_str(word.get(1..).unwrap_or(""));
                } else {
                    piece.push_str(word);
                }
                *spoken += 1;
                if *spoken % SENTENCE.len() == 0 || *pieces == Some(0) {
                    piece.push('.');
                }
                *bytes = bytes.saturating_sub(piece.len() as u64);
                Some(piece)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(size: Size) -> String {
        Pieces::prose(Dice::of(b"hello", 0), size).collect()
    }

    #[test]
    fn the_same_prompt_gets_the_same_words() {
        assert_eq!(said(Size::default()), said(Size::default()));
        let other: String = Pieces::prose(Dice::of(b"hello", 1), Size::default()).collect();
        assert_ne!(said(Size::default()), other);
    }

    #[test]
    fn sizes_are_met() {
        let pieces = Pieces::prose(Dice::of(b"x", 0), Size { pieces: Some(200), ..Size::default() });
        assert_eq!(pieces.measure(), (200, false));
        let long = said(Size { bytes: Some(10_000), ..Size::default() });
        assert!((10_000..10_020).contains(&long.len()));
        let huge = Pieces::prose(Dice::of(b"x", 0), Size { huge: Some(5000), pieces: Some(2), ..Size::default() });
        assert_eq!(huge.clone().map(|piece| piece.len()).next(), Some(5000));
        assert_eq!(huge.count(), 3);
    }

    #[test]
    fn a_cap_cuts_exactly_when_something_is_left() {
        let with_cap =
            |cap| Pieces::prose(Dice::of(b"x", 0), Size { pieces: Some(5), cap: Some(cap), ..Size::default() });
        assert_eq!(with_cap(4).measure(), (4, true));
        assert_eq!(with_cap(5).measure(), (5, false));
    }

    #[test]
    fn literals_come_back_whole() {
        let text = "{\"grüße\": \"日本語のテキスト\"}".to_owned();
        assert_eq!(Pieces::literal(text.clone(), Size::default()).collect::<String>(), text);
    }
}
