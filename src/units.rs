//! Numbers that know their unit.
//!
//! In: integers. Out: newtypes whose arithmetic cannot mix tokens, time and money. Must not know: anything else.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

/// A span of time in whole milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Millis(pub u64);

impl Millis {
    /// The largest span: no limit.
    pub const MAX: Self = Self(u64::MAX);

    /// Whole seconds.
    pub const fn secs(seconds: u64) -> Self {
        Self(seconds * 1000)
    }

    /// What is left of `self` after `other`, never below zero.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// For timers.
    pub const fn duration(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
}

impl Add for Millis {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Millis {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.saturating_sub(other)
    }
}

impl AddAssign for Millis {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// As a policy author writes it: `250ms`, `12s`, `41.3s`, `4h`, `14d`.
impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")];
        for (size, unit) in UNITS {
            if self.0 >= size && self.0.is_multiple_of(size) {
                return write!(f, "{}{unit}", self.0 / size);
            }
        }
        if self.0 >= 1000 {
            return write!(f, "{:.1}s", self.0 as f64 / 1000.0);
        }
        write!(f, "{}ms", self.0)
    }
}

/// From what `Display` writes: a whole number and `ms`, `s`, `m`, `h` or `d`.
impl std::str::FromStr for Millis {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
        let wrong = || format!("`{text}` is not a duration; write `250ms`, `12s`, `20m`, `4h` or `14d`");
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = text.split_at(split);
        let (_, size) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let number: u64 = number.parse().map_err(|_| wrong())?;
        number.checked_mul(size).map(Self).ok_or_else(wrong)
    }
}

/// A number of bytes, as configuration writes it: `512`, `64KiB`, `32MiB`, `1GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl std::str::FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const UNITS: [(&str, u64); 4] = [("", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
        let wrong = || format!("`{text}` is not a size; write `65536`, `64KiB`, `32MiB` or `1GiB`");
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let (_, size) = UNITS.into_iter().find(|(name, _)| *name == unit.trim()).ok_or_else(wrong)?;
        let number: u64 = number.parse().map_err(|_| wrong())?;
        number.checked_mul(size).map(Self).ok_or_else(wrong)
    }
}

/// A number of tokens, counted or estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tokens(pub u64);

/// As a policy author writes it: `800`, `64k`, `2M`.
impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n >= 1_000_000 && n.is_multiple_of(1_000_000) => write!(f, "{}M", n / 1_000_000),
            n if n >= 1000 && n.is_multiple_of(1000) => write!(f, "{}k", n / 1000),
            n => write!(f, "{n}"),
        }
    }
}

/// A part of a whole in ten-thousandths: 2% is 200, 0.97 is 9,700.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Share(pub u16);

impl Share {
    /// All of it.
    pub const WHOLE: Self = Self(10_000);

    /// This part of a number, rounded down.
    pub const fn of(self, whole: u64) -> u64 {
        (whole as u128 * self.0 as u128 / Self::WHOLE.0 as u128) as u64
    }
}

/// As a policy author writes it: `2%`, `12.5%`.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{}.{:02}", self.0 / 100, self.0 % 100);
        write!(f, "{}%", digits.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// From what a policy writes: `2%`, `12.5%`.
impl std::str::FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a share; write `2%` or `12.5%`, at most `100%`");
        let number = text.strip_suffix('%').ok_or_else(wrong)?;
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let digits = [whole, part].iter().all(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        if !digits || whole.is_empty() || part.len() > 2 || number.ends_with('.') {
            return Err(wrong());
        }
        let parts: u32 = format!("{whole}{part:0<2}").parse().map_err(|_| wrong())?;
        u16::try_from(parts).ok().filter(|parts| *parts <= Self::WHOLE.0).map(Self).ok_or_else(wrong)
    }
}

/// US dollars, held as whole millionths of a microdollar (1e-12), so that a price per token is an integer:
/// a catalog price of `0.15` USD per million tokens is 150,000 of these per token. Holds up to 18 million dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Usd(pub u64);

impl Usd {
    /// The largest amount: no limit.
    pub const MAX: Self = Self(u64::MAX);

    /// From dollars, as a policy or a catalog writes them.
    pub fn from_dollars(dollars: f64) -> Self {
        Self((dollars * 1e12).round().max(0.0) as u64)
    }

    /// The price of one token, from a price in dollars per million tokens.
    pub fn per_token(dollars_per_million: f64) -> Self {
        Self((dollars_per_million * 1e6).round().max(0.0) as u64)
    }

    /// `self` for each of `count` tokens.
    pub const fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }

    /// As a floating number of dollars, for metrics.
    pub fn dollars(self) -> f64 {
        self.0 as f64 / 1e12
    }
}

impl Add for Usd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Usd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Usd {
    /// What [`Display`](fmt::Display) shows, in parts.
    pub fn digits(self, mut part: impl FnMut(&[u8])) {
        let micro = self.0.div_ceil(1_000_000);
        let (mut fraction, mut digits) = (micro % 1_000_000, *b".000000");
        for digit in digits[1..].iter_mut().rev() {
            *digit += (fraction % 10) as u8;
            fraction /= 10;
        }
        let zeros = digits[3..].iter().rev().take_while(|digit| **digit == b'0').count();
        part(itoa::Buffer::new().format(micro / 1_000_000).as_bytes());
        part(&digits[..digits.len() - zeros]);
    }
}

/// A decimal number of dollars without the sign: `0.0205`; at least two and at most six digits after the point, rounded up,
/// so that a bound stays a bound.
impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut written = Ok(());
        self.digits(|part| {
            let part = std::str::from_utf8(part).unwrap_or_default();
            written = written.and_then(|()| f.write_str(part));
        });
        written
    }
}

/// Money is a decimal string in every JSON document.
impl Serialize for Usd {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_read_back() {
        for text in ["250ms", "12s", "20m", "4h", "14d"] {
            assert_eq!(text.parse::<Millis>().unwrap().to_string(), text);
        }
        for (text, parts) in [("2%", 200), ("12.5%", 1250), ("0.01%", 1), ("100%", 10_000), ("0%", 0)] {
            assert_eq!(text.parse(), Ok(Share(parts)), "{text}");
        }
        for wrong in ["", "2", "%", "-1%", "+1%", "100.01%", "1.234%", ".5%", "7000%"] {
            assert!(wrong.parse::<Share>().unwrap_err().contains("write `2%`"), "{wrong}");
        }
        assert_eq!("32MiB".parse(), Ok(Bytes(32 << 20)));
        assert_eq!("512".parse(), Ok(Bytes(512)));
        for wrong in ["", "12", "s", "12 s", "-1s", "99999999999999999999s", "300000000000d"] {
            assert!(wrong.parse::<Millis>().unwrap_err().contains("write `250ms`"), "{wrong}");
        }
        for text in ["0%", "2%", "12.5%", "97.05%", "100%"] {
            assert_eq!(text.parse::<Share>().unwrap().to_string(), text);
        }
        for wrong in ["", "%", "2", "-1%", "+2%", "100.01%", "1.234%", "1.%", ".5%", "99999999999%"] {
            assert!(wrong.parse::<Share>().unwrap_err().contains("write `2%`"), "{wrong}");
        }
        for wrong in ["", "MiB", "3MB", "-1", "99999999999GiB"] {
            assert!(wrong.parse::<Bytes>().unwrap_err().contains("write `65536`"), "{wrong}");
        }
    }

    #[test]
    fn units_read_as_an_author_writes_them() {
        assert_eq!(Millis(250).to_string(), "250ms");
        assert_eq!(Millis::secs(12).to_string(), "12s");
        assert_eq!(Millis(41_300).to_string(), "41.3s");
        assert_eq!(Millis::secs(14 * 86_400).to_string(), "14d");
        assert_eq!(Tokens(64_000).to_string(), "64k");
        assert_eq!(Tokens(1_500).to_string(), "1500");
        assert_eq!(Usd::per_token(0.15).times(1_000_000).to_string(), "0.15");
        assert_eq!(Usd(1).to_string(), "0.000001");
        assert_eq!(
            [0, 200, 1250, 9_705, 10_000].map(|part| Share(part).to_string()),
            ["0%", "2%", "12.5%", "97.05%", "100%"]
        );
        assert_eq!((Share(200).of(1_000), Share::WHOLE.of(u64::MAX)), (20, u64::MAX));
        assert_eq!(Usd::default().to_string(), "0.00");
    }
}
