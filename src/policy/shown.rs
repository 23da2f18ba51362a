//! Atoms as a person writes them.
//!
//! In: a column and a set of its atoms. Out: `eu`, `pro or enterprise`, `100,000 or more`, `mon 22:00..24:00`. Must not know:
//! requests, rules.

pub mod options;

use super::atom_set::{AtomId, AtomSet};
use super::atoms::{Atoms, Space, WEEK};
use super::checked::{ColumnId, Domain, Observed, Subject, UNKNOWN};
use crate::units::{Millis, Share};

/// Most names a list of values shows; the rest is counted.
const SHOWN_NAMES: usize = 6;

const DAY: u64 = 24 * 60;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// `2,000`: digits in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The day of a minute of the week: `mon`.
pub fn day_of(minute: u64) -> &'static str {
    DAYS[(minute / DAY % 7) as usize]
}

/// The time of day of a minute of the week: `22:00`.
pub fn time_of(minute: u64) -> String {
    format!("{:02}:{:02}", minute % DAY / 60, minute % 60)
}

/// `mon 22:00`.
pub fn minute_of_week(minute: u64) -> String {
    format!("{} {}", day_of(minute), time_of(minute))
}

/// A metric's value as a policy writes it: `9s`, `2%`, `unknown`.
pub fn measured(observed: Observed, value: u64) -> String {
    match observed {
        _ if value == UNKNOWN => "unknown".to_owned(),
        Observed::P95 => Millis(value).to_string(),
        Observed::Errors | Observed::Score => {
            u16::try_from(value).map_or_else(|_| value.to_string(), |part| Share(part).to_string())
        }
    }
}

impl Space {
    /// A set of atoms as a person asks for it.
    pub fn shown(&self, id: ColumnId, set: &AtomSet) -> String {
        if set.len() == self.count(id) {
            return "anything".to_owned();
        }
        match (&self.column(id).domain, self.atoms(id)) {
            (Domain::Enum { values, open }, atoms) => {
                let named = |wanted: bool| {
                    let chosen = values.iter().enumerate().filter(|(at, _)| set.has(atoms.of_position(*at)) == wanted);
                    chosen.map(|(_, name)| &**name).collect::<Vec<_>>()
                };
                let rest = *open && set.has(atoms.of_position(values.len()));
                if rest && !named(false).is_empty() {
                    format!("not {}", joined(&named(false)))
                } else if rest {
                    "anything".to_owned()
                } else {
                    joined(&named(true))
                }
            }
            (Domain::Number { lo, hi }, atoms) => {
                let pieces = pieces(atoms, set).into_iter().map(|(from, to)| match (from <= *lo, to >= *hi) {
                    (_, _) if from == to => grouped(from),
                    (_, true) => format!("{} or more", grouped(from)),
                    (true, false) => format!("below {}", grouped(to + 1)),
                    (false, false) => format!("{} or more and below {}", grouped(from), grouped(to + 1)),
                });
                pieces.collect::<Vec<_>>().join(", or ")
            }
            (Domain::Metric(observed), atoms) => {
                let (observed, hi) = (*observed, observed.most());
                let pieces = pieces(atoms, set).into_iter().map(|(from, to)| {
                    let (first, last) = (measured(observed, from), measured(observed, to.saturating_add(1)));
                    match (from == 0, to >= hi) {
                        _ if from > hi => measured(observed, UNKNOWN),
                        // The unknown value stands behind the largest, so this piece may hold it.
                        (_, true) if to > hi => format!("{first} or more, or unknown"),
                        (_, true) => format!("{first} or more"),
                        (true, false) => format!("below {last}"),
                        (false, false) => format!("{first} or more and below {last}"),
                    }
                });
                pieces.collect::<Vec<_>>().join(", or ")
            }
            (Domain::Clock, atoms) => clock(&pieces(atoms, set)),
            (Domain::Bool, _) => self.yes_or_no(id, set.has(AtomId(1))).to_owned(),
            (Domain::Text, Atoms::Text(text)) => {
                let quoted = |wanted: bool| {
                    let atoms = (0..self.count(id) as u16).map(AtomId).filter(|atom| set.has(*atom) == wanted);
                    let patterns = atoms.filter_map(|atom| text.pattern(atom));
                    patterns
                        .map(|one| format!("\"{}{}\"", one.text, if one.prefix { "*" } else { "" }))
                        .collect::<Vec<_>>()
                };
                let rest =
                    (0..self.count(id) as u16).any(|at| set.has(AtomId(at)) && text.pattern(AtomId(at)).is_none());
                if rest { format!("not {}", joined(&quoted(false))) } else { joined(&quoted(true)) }
            }
            (Domain::Text, _) => String::new(),
        }
    }
}

impl Space {
    /// A set of atoms as a condition: `plan is pro or enterprise`, `not streaming`, `modality has image`.
    pub fn test(&self, id: ColumnId, set: &AtomSet) -> String {
        let column = self.column(id);
        match column.domain {
            Domain::Bool if set.has(AtomId(1)) => column.name.to_string(),
            Domain::Bool => format!("not {}", column.name),
            _ => format!("{} is {}", column.name, self.shown(id, set)),
        }
    }

    /// The name of a listed value; empty for a column without a list.
    pub fn name_of(&self, id: ColumnId, value: u32) -> String {
        match &self.column(id).domain {
            Domain::Enum { values, .. } => values.get(value as usize).map_or("other".into(), ToString::to_string),
            _ => String::new(),
        }
    }

    /// The words of a column with two values.
    pub fn yes_or_no(&self, id: ColumnId, yes: bool) -> &'static str {
        let operated = matches!(self.column(id).subject, Subject::Switch(_) | Subject::Signal(_));
        match (operated, yes) {
            (true, true) => "on",
            (true, false) => "off",
            (false, true) => "yes",
            (false, false) => "no",
        }
    }
}

/// Neighboring atoms as ranges, both ends inclusive.
fn pieces(atoms: &Atoms, set: &AtomSet) -> Vec<(u64, u64)> {
    let mut pieces: Vec<(u64, u64)> = Vec::new();
    for (from, to) in set.iter().filter_map(|atom| atoms.bounds(atom)) {
        match pieces.last_mut() {
            Some(last) if last.1 + 1 == from => last.1 = to,
            _ => pieces.push((from, to)),
        }
    }
    pieces
}

fn joined<S: AsRef<str>>(names: &[S]) -> String {
    let shown: Vec<&str> = names.iter().take(SHOWN_NAMES).map(AsRef::as_ref).collect();
    if names.len() > SHOWN_NAMES {
        return format!("{} or {} more", shown.join(", "), names.len() - SHOWN_NAMES);
    }
    match shown.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => "nothing".to_owned(),
    }
}

/// Ranges of the week by day, days with the same hours together: `mon..fri 09:00..17:00`.
fn clock(pieces: &[(u64, u64)]) -> String {
    let hours_of = |day: u64| {
        let inside = pieces.iter().filter_map(|(from, to)| {
            let (start, end) = ((*from).max(day * DAY), (to + 1).min((day + 1) * DAY));
            (start < end)
                .then(|| format!("{}..{}", time_of(start), if end % DAY == 0 { "24:00".into() } else { time_of(end) }))
        });
        inside.collect::<Vec<_>>().join(", ")
    };
    let days: Vec<String> = (0..WEEK / DAY).map(hours_of).collect();
    let mut groups: Vec<(usize, usize)> = Vec::new();
    for at in (0..days.len()).filter(|at| !days[*at].is_empty()) {
        match groups.last_mut() {
            Some((start, last)) if *last + 1 == at && days[*start] == days[at] => *last = at,
            _ => groups.push((at, at)),
        }
    }
    let shown = groups.iter().map(|(first, last)| {
        let hours = if days[*first] == "00:00..24:00" { String::new() } else { format!(" {}", days[*first]) };
        match (first, last) {
            (0, 6) => hours.trim_start().to_owned(),
            (first, last) if first == last => format!("{}{hours}", DAYS[*first]),
            (first, last) => format!("{}..{}{hours}", DAYS[*first], DAYS[*last]),
        }
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_group_their_digits() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(100_000), "100,000");
    }

    #[test]
    fn a_week_joins_days_with_the_same_hours() {
        let nine_to_five: Vec<_> = (0..5).map(|day| (day * DAY + 540, day * DAY + 1019)).collect();
        assert_eq!(clock(&nine_to_five), "mon..fri 09:00..17:00");
        assert_eq!(clock(&[(5 * DAY, WEEK - 1)]), "sat..sun");
        assert_eq!(clock(&[(22 * 60, DAY + 359)]), "mon 22:00..24:00, tue 00:00..06:00");
    }
}
