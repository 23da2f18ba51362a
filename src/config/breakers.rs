//! When snapshots that fail are left alone: the `breakers:` section.
//!
//! In: the section as typed. Out: [`BreakerSettings`]. Must not know: breakers.

use super::raw::RawBreakers;
use crate::units::Millis;

/// The longest `window`: a breaker keeps a counter for each of its seconds.
pub const MAX_WINDOW: Millis = Millis::secs(120);

/// The `breakers:` section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Attempts that ended this lately count.
    pub window: Millis,
    /// With fewer of them, nothing is known.
    pub attempts: u32,
    /// A breaker opens when more than this share of them failed.
    pub percent: u32,
    /// The first pause; each failed probe behind the first doubles it …
    pub pause: Millis,
    /// … to this.
    pub longest_pause: Millis,
}

impl Default for BreakerSettings {
    /// Section 5.8 of the language specification.
    fn default() -> Self {
        Self {
            window: Millis::secs(30),
            attempts: 20,
            percent: 50,
            pause: Millis::secs(30),
            longest_pause: Millis::secs(300),
        }
    }
}

/// The section as meant; what means nothing goes to `errors`.
pub(super) fn meant(raw: &RawBreakers, errors: &mut Vec<String>) -> BreakerSettings {
    let usual = BreakerSettings::default();
    let mut time = |key: &str, text: &Option<String>, usual: Millis| {
        text.as_deref().map_or(usual, |text| {
            text.parse().unwrap_or_else(|error| {
                errors.push(format!("breakers.{key}: {error}"));
                usual
            })
        })
    };
    let settings = BreakerSettings {
        window: time("window", &raw.window, usual.window),
        attempts: raw.attempts.unwrap_or(usual.attempts),
        percent: raw.percent.unwrap_or(usual.percent),
        pause: time("pause", &raw.pause, usual.pause),
        longest_pause: time("longest_pause", &raw.longest_pause, usual.longest_pause),
    };
    let wrong = [
        (settings.window.0 == 0, "breakers.window: nothing ends within 0 s; write `30s`"),
        (settings.window > MAX_WINDOW, "breakers.window: longer than the 120s that are remembered"),
        (settings.attempts == 0, "breakers.attempts: 0 attempts say nothing; write at least 1"),
        (settings.percent >= 100, "breakers.percent: more than 100 % never fail; write at most 99"),
        (settings.pause.0 == 0, "breakers.pause: 0 would leave nothing alone; write `30s`"),
        (settings.longest_pause < settings.pause, "breakers.longest_pause: shorter than `breakers.pause`"),
    ];
    errors.extend(wrong.into_iter().filter(|(wrong, _)| *wrong).map(|(_, error)| error.to_owned()));
    settings
}

#[cfg(test)]
mod tests {
    use super::super::check::project;

    #[test]
    fn limits_are_taken_and_what_is_beyond_them_is_said_at_once() {
        let limits = "breakers: {window: 120s, attempts: 1, percent: 99, pause: 1ms, longest_pause: 1ms}\n";
        assert!(project(limits).is_ok());
        let beyond = "breakers: {window: 121s, attempts: 0, percent: 100, pause: 2s, longest_pause: 1s}\n";
        let errors = project(beyond).unwrap_err().to_string();
        for key in ["window", "attempts", "percent", "longest_pause"] {
            assert!(errors.contains(&format!("breakers.{key}: ")), "{key}\n{errors}");
        }
    }
}
