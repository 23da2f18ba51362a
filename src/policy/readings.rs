//! What memory and the clock say, copied once per decision.
//!
//! In: whoever runs a decision fills it: `serve` from its state, `explain` and `test` from what was given. Out: reading columns
//! and the log line. Must not know: where the values come from.

use serde::Serialize;

/// One consistent set of readings (language specification, section 4.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Readings {
    /// Minute of the week in the policy's timezone; Monday 00:00 is 0.
    pub minute_of_week: u16,
    /// The day, for retirement dates.
    #[serde(serialize_with = "day")]
    pub today: jiff::civil::Date,
}

impl Readings {
    /// At a moment, in a policy's timezone.
    pub fn at(now: jiff::Timestamp, timezone: &jiff::tz::TimeZone) -> Self {
        let civil = timezone.to_datetime(now);
        Self::civil(civil)
    }

    /// At a wall-clock time of the policy's timezone.
    pub fn civil(now: jiff::civil::DateTime) -> Self {
        let day = now.date().weekday().to_monday_zero_offset() as u16;
        let minute = day * 1440 + now.hour() as u16 * 60 + now.minute() as u16;
        Self { minute_of_week: minute, today: now.date() }
    }
}

fn day<S: serde::Serializer>(date: &jiff::civil::Date, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_week_begins_on_monday_at_midnight() {
        let at = |text: &str| Readings::civil(text.parse().unwrap()).minute_of_week;
        assert_eq!(at("2026-11-23T00:00:00"), 0);
        assert_eq!(at("2026-11-29T23:59:59"), 10_079);
    }
}
