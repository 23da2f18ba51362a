//! The small language of faults: words, values, and what is said when one is wrong.
//!
//! In: text. Out: words with their values as numbers and durations, or a sentence. Must not know: what the words mean.

use std::time::Duration;

/// Why a fault cannot be read, as one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordError(pub String);

impl std::fmt::Display for WordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WordError {}

/// `name` or `name=value`.
#[derive(Clone, Debug)]
pub struct Word<'a> {
    /// As written.
    pub text: &'a str,
    /// Before the `=`, lower case, with `-` for `_`.
    pub name: String,
    /// After the `=`.
    pub value: Option<&'a str>,
}

impl<'a> Word<'a> {
    /// The words of a text; separators are `;`, `,` and blanks.
    pub fn split(text: &'a str) -> impl Iterator<Item = Self> {
        text.split([';', ',', ' ', '\t']).filter(|word| !word.is_empty()).map(|text| {
            let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
            Self { text, name: name.to_ascii_lowercase().replace('_', "-"), value }
        })
    }

    /// Nothing to say if the word has no value.
    ///
    /// # Errors
    /// If it has one.
    pub fn bare(&self) -> Result<(), WordError> {
        match self.value {
            None => Ok(()),
            Some(_) => Err(WordError(format!("`{}` takes no value", self.name))),
        }
    }

    /// The complaint about a word nobody knows.
    pub fn unknown(&self, known: impl Iterator<Item = &'static str>) -> WordError {
        const CLOSE: f64 = 0.7;
        let name_of = |entry: &'static str| entry.split(['=', '[', ' ']).next().unwrap_or(entry);
        let best = known
            .map(|entry| (strsim::jaro_winkler(name_of(entry), &self.name), name_of(entry)))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        match best {
            Some((likeness, name)) if likeness >= CLOSE => {
                WordError(format!("unknown fault `{}`; did you mean `{name}`?", self.name))
            }
            _ => WordError(format!("unknown fault `{}`; GET /simulate lists them all", self.name)),
        }
    }
}

/// The value as a whole number within bounds.
///
/// # Errors
/// If it is missing, not a number, or out of bounds.
pub fn whole(word: &Word<'_>, least: u64, most: u64) -> Result<u64, WordError> {
    let wrong = || {
        WordError(format!(
            "`{}` needs a number from {least} to {most}, as in `{}={}`",
            word.text,
            word.name,
            least.max(3)
        ))
    };
    let number = word.value.and_then(|value| value.replace('_', "").parse().ok()).ok_or_else(wrong)?;
    if (least..=most).contains(&number) { Ok(number) } else { Err(wrong()) }
}

/// The value as a duration with its unit: `20ms`, `1.5s`, `2m`.
///
/// # Errors
/// If it is missing, has no unit, or is above `most`.
pub fn duration(word: &Word<'_>, most: Duration) -> Result<Duration, WordError> {
    let wrong =
        |why: &str| WordError(format!("`{}` {why}; write a time with its unit, as in `{}=20ms`", word.text, word.name));
    let value = word.value.ok_or_else(|| wrong("has no time"))?;
    let split = value.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(|| wrong("has no unit"))?;
    let (number, unit) = value.split_at(split);
    let scale = match unit {
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return Err(wrong("has an unknown unit")),
    };
    let seconds = number.parse::<f64>().map_err(|_| wrong("is not a time"))? * scale;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if time <= most => Ok(time),
        _ => Err(wrong(&format!("is not between 0s and {}s", most.as_secs()))),
    }
}
