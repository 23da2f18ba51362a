//! To which requests a fault applies.
//!
//! In: the number of the request among those that match, and the time since counting began. Out: yes or no. Must not
//! know: clocks (time is an argument), what the fault does.

use std::time::Duration;

use super::fault::MAX_WAIT;
use super::words::{Word, WordError, duration, whole};

/// All conditions that are given must hold. The default holds always.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct When {
    from: Option<u64>,
    to: Option<u64>,
    /// In millionths.
    share: Option<u64>,
    after: Option<Duration>,
    lasting: Option<Duration>,
}

const WHOLE_SHARE: u64 = 1_000_000;

impl When {
    /// Takes the word if it is one of its own.
    pub(super) fn word(&mut self, word: &Word<'_>) -> Result<bool, WordError> {
        match word.name.as_str() {
            "first" | "to" if self.to.is_some() => {
                return Err(WordError("`first` and `to` say the same thing; keep one".to_owned()));
            }
            "first" | "to" => self.to = Some(whole(word, 1, u64::MAX)?),
            "from" => self.from = Some(whole(word, 1, u64::MAX)?),
            "share" => self.share = Some(share(word)?),
            "after" => self.after = Some(duration(word, MAX_WAIT)?),
            "for" => self.lasting = Some(duration(word, MAX_WAIT)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn check(&self) -> Result<(), WordError> {
        match (self.from, self.to) {
            (Some(from), Some(to)) if from > to => {
                Err(WordError(format!("`from={from}` is after `to={to}`; no request would ever be hit")))
            }
            _ => Ok(()),
        }
    }

    /// Whether it depends on how many requests came before.
    pub fn counts(&self) -> bool {
        self.from.is_some() || self.to.is_some() || self.share.is_some()
    }

    /// Whether request `number` (from 1), `elapsed` after counting began, is hit. A share is spread evenly, never at
    /// random: of four requests, `share=25%` hits exactly the fourth.
    pub fn holds(&self, number: u64, elapsed: Duration) -> bool {
        let counted = self.from.is_none_or(|from| number >= from) && self.to.is_none_or(|to| number <= to);
        let due = |n: u64, share: u64| u128::from(n) * u128::from(share) / u128::from(WHOLE_SHARE);
        let shared = self.share.is_none_or(|share| due(number, share) != due(number.saturating_sub(1), share));
        counted && shared && self.holds_at(elapsed)
    }

    fn holds_at(&self, elapsed: Duration) -> bool {
        let start = self.after.unwrap_or_default();
        elapsed >= start && self.lasting.is_none_or(|lasting| elapsed < start + lasting)
    }

    /// The next moment (since counting began) at which the answer may change with time alone.
    pub fn next_change(&self, elapsed: Duration) -> Option<Duration> {
        let start = self.after.unwrap_or_default();
        [Some(start), self.lasting.map(|lasting| start + lasting)].into_iter().flatten().find(|at| *at > elapsed)
    }
}

/// `25%` or `0.25`, in millionths.
fn share(word: &Word<'_>) -> Result<u64, WordError> {
    let wrong = || WordError(format!("`{}` needs a share such as `share=25%` or `share=0.25`", word.text));
    let value = word.value.ok_or_else(wrong)?;
    let (digits, scale) = value.strip_suffix('%').map_or((value, 1.0), |percent| (percent, 100.0));
    let share = digits.parse::<f64>().map_err(|_| wrong())? / scale;
    if (0.0..=1.0).contains(&share) { Ok((share * WHOLE_SHARE as f64).round() as u64) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::super::fault::Fault;
    use super::*;

    fn hits(text: &str, requests: u64) -> Vec<u64> {
        let when = Fault::parse(text).unwrap().when;
        (1..=requests).filter(|number| when.holds(*number, Duration::ZERO)).collect()
    }

    #[test]
    fn counted_requests_are_hit() {
        assert_eq!(hits("503", 3), [1, 2, 3]);
        assert_eq!(hits("503;first=2", 4), [1, 2]);
        assert_eq!(hits("503;from=2;to=3", 5), [2, 3]);
        assert_eq!(hits("503;share=25%", 8), [4, 8]);
        assert!(hits("503;share=0", 8).is_empty());
        assert_eq!(hits("503;share=1.0", 2), [1, 2]);
    }

    #[test]
    fn time_opens_and_closes_the_fault() {
        let when = Fault::parse("503;after=2s;for=3s").unwrap().when;
        let at = |seconds| when.holds(1, Duration::from_secs(seconds));
        assert_eq!([at(0), at(2), at(4), at(5)], [false, true, true, false]);
        assert_eq!(when.next_change(Duration::ZERO), Some(Duration::from_secs(2)));
        assert_eq!(when.next_change(Duration::from_secs(2)), Some(Duration::from_secs(5)));
        assert_eq!(when.next_change(Duration::from_secs(5)), None);
    }

    #[test]
    fn impossible_conditions_are_refused() {
        for text in ["503;from=3;to=2", "503;share=2", "503;share=-1%", "503;first=0", "503;first=1;to=2"] {
            assert!(Fault::parse(text).is_err(), "{text}");
        }
    }
}
