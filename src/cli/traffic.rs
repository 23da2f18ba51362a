//! Recorded traffic: the request log of a proxy, as `diff`, `check` and `test` read it.

use std::path::Path;

use crate::files::{self, lines::Lines};
use crate::policy::replay::{Line, MAX_LINE};

/// Requests of a log, one after the other. Lines that are none, and requests that no rule decided, are counted and skipped.
pub struct Traffic {
    lines: Lines,
    shown: String,
    /// Requests that a rule decided.
    pub requests: u64,
    /// Requests that were refused before any rule.
    pub refused: u64,
    /// Lines that are no requests.
    pub broken: u64,
    first_broken: Option<(u64, String)>,
}

impl Traffic {
    /// Opens a log; `-` is standard input.
    ///
    /// # Errors
    /// A sentence.
    pub fn open(path: &Path) -> Result<Self, String> {
        let shown = files::shown(path);
        let lines = Lines::open(path, MAX_LINE).map_err(|error| format!("`{shown}` cannot be read: {error}"))?;
        Ok(Self { lines, shown, requests: 0, refused: 0, broken: 0, first_broken: None })
    }

    /// What has to be said about the lines read so far.
    ///
    /// # Errors
    /// A sentence, when nothing in it is a request: that is no log.
    pub fn note(&self) -> Result<Option<String>, String> {
        let first = self.first_broken.as_ref().map(|(line, why)| format!("line {line}: {why}"));
        match (self.requests + self.refused, first) {
            (0, None) => Err(format!("`{}` is empty", self.shown)),
            (0, Some(first)) => Err(format!("`{}` is no request log; {first}", self.shown)),
            (_, None) => Ok(None),
            (_, Some(first)) => {
                let noun = if self.broken == 1 { "line is no request" } else { "lines are no requests" };
                Ok(Some(format!("`{}`: {} {noun} and left out; {first}", self.shown, self.broken)))
            }
        }
    }
}

impl Iterator for Traffic {
    /// Number of the line, and the request.
    type Item = (u64, Line);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (number, text) = self.lines.next()?;
            match text.and_then(|text| Line::parse(&text).map_err(|bad| bad.to_string())) {
                Ok(line) if line.rule.is_none() => self.refused += 1,
                Ok(line) => {
                    self.requests += 1;
                    return Some((number, line));
                }
                Err(why) => {
                    self.broken += 1;
                    self.first_broken.get_or_insert((number, why));
                }
            }
        }
    }
}
