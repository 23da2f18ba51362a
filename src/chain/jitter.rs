//! Random parts of waiting times, from a seed, so that a chain can be replayed.
//!
//! In: a seed. Out: a share of a duration. Must not know: why somebody waits.

use crate::units::Millis;

/// How the random part is drawn.
#[derive(Clone, Debug)]
pub(super) enum Jitter {
    /// SplitMix64: one addition and three multiplications, good enough to spread callers apart.
    Seeded(u64),
    /// Nobody is lucky: what holds for the longest waits holds for all.
    Longest,
}

impl Jitter {
    pub(super) const fn new(seed: u64) -> Self {
        Self::Seeded(seed)
    }

    /// `longest` times a uniform number in 0..1.
    pub(super) fn of(&mut self, longest: Millis) -> Millis {
        let Self::Seeded(state) = self else { return longest };
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = *state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        Millis(((u128::from(bits) * u128::from(longest.0)) >> 64) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_covers_the_range_and_repeats_with_its_seed() {
        let draw = |seed| {
            let mut jitter = Jitter::new(seed);
            (0..1000).map(|_| jitter.of(Millis(250)).0).collect::<Vec<_>>()
        };
        let drawn = draw(1);
        assert!(drawn.iter().all(|wait| *wait < 250));
        let mean = drawn.iter().sum::<u64>() / 1000;
        assert!((110..140).contains(&mean), "{mean}");
        assert_eq!(drawn, draw(1));
        assert_ne!(drawn, draw(2));
    }
}
