//! `usage` of a message, which may come in pieces.
//!
//! In: one `usage` object after the other. Out: [`Usage`]. Must not know: what was said for it.
//!
//! A message that took several turns at the provider lists them in `iterations`: its own tools, a model that took over where another
//! declined (`fallback_message`). The totals beside the list have all of these in them, so nothing is added; but where a list of such
//! turns comes to more than its totals, as it would if the totals were those of the last turn alone, the list counts. Summaries of
//! a long context (`compaction`) are in no total, and neither is what an advisor said (`advisor_message`): these are added (types of
//! anthropic 2.14.0, read 2026-11-26).

use crate::json::{Cursor, JsonError, Kind};
use crate::usage::{Service, Usage};

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    cache_write_hour: Option<u64>,
    service: Service,
    output: Option<u64>,
    thinking: Option<u64>,
    iterations: Iterations,
}

/// What a list of turns comes to.
#[derive(Clone, Copy, Debug, Default)]
struct Iterations {
    /// Turns that the totals have in them.
    within: Sums,
    /// Turns that they do not.
    beside: Sums,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    input: u64,
    cache_read: u64,
    cache_write: u64,
    cache_write_hour: u64,
    output: u64,
}

impl Counts {
    /// Later figures replace earlier ones.
    pub(super) fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<(), JsonError> {
        cursor.members(|cursor, key| {
            let into = match (key.raw, cursor.kind()?) {
                ("input_tokens", Kind::Number) => &mut self.input,
                ("cache_read_input_tokens", Kind::Number) => &mut self.cache_read,
                ("cache_creation_input_tokens", Kind::Number) => &mut self.cache_write,
                ("output_tokens", Kind::Number) => &mut self.output,
                ("service_tier", Kind::String) => {
                    self.service = Service::from_word(&cursor.string()?.decode());
                    return Ok(());
                }
                ("cache_creation", Kind::Object) => {
                    let hour = within(cursor, "ephemeral_1h_input_tokens")?;
                    self.cache_write_hour = hour.or(self.cache_write_hour);
                    return Ok(());
                }
                ("output_tokens_details", Kind::Object) => {
                    self.thinking = within(cursor, "thinking_tokens")?.or(self.thinking);
                    return Ok(());
                }
                ("iterations", Kind::Array) => {
                    self.iterations = Iterations::read(cursor)?;
                    return Ok(());
                }
                _ => return cursor.skip().map(drop),
            };
            *into = cursor.unsigned_or_skip()?.or(*into);
            Ok(())
        })
    }

    /// The parts of a prompt are disjoint here already (dialects.md, section 3.3).
    pub(super) fn usage(self) -> Option<Usage> {
        if self.input.is_none() && self.output.is_none() {
            return None;
        }
        let Iterations { within, beside } = self.iterations;
        let all = |total: Option<u64>, within: u64, beside: u64| total.unwrap_or(0).max(within).saturating_add(beside);
        let output = all(self.output, within.output, beside.output);
        Some(Usage {
            input_uncached: all(self.input, within.input, beside.input),
            cache_read: all(self.cache_read, within.cache_read, beside.cache_read),
            cache_write: all(self.cache_write, within.cache_write, beside.cache_write),
            cache_write_hour: all(self.cache_write_hour, within.cache_write_hour, beside.cache_write_hour),
            service: self.service,
            output,
            reasoning: self.thinking.unwrap_or(0).min(output),
            estimated: self.input.is_none() || self.output.is_none(),
        })
    }
}

/// One number of an object.
fn within(cursor: &mut Cursor<'_>, name: &str) -> Result<Option<u64>, JsonError> {
    let mut found = None;
    cursor.members(|cursor, key| {
        let count = cursor.unsigned_or_skip()?;
        if key.raw == name {
            found = count;
        }
        Ok::<(), JsonError>(())
    })?;
    Ok(found)
}

impl Iterations {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, JsonError> {
        let mut all = Self::default();
        cursor.items(|cursor| {
            if cursor.kind()? != Kind::Object {
                return cursor.skip().map(drop);
            }
            let (mut one, mut beside) = (Sums::default(), false);
            cursor.members(|cursor, key| {
                match (key.raw, cursor.kind()?) {
                    ("type", Kind::String) => {
                        beside = matches!(&*cursor.string()?.decode(), "compaction" | "advisor_message");
                    }
                    ("input_tokens", _) => one.input = cursor.unsigned_or_skip()?.unwrap_or(0),
                    ("cache_read_input_tokens", _) => one.cache_read = cursor.unsigned_or_skip()?.unwrap_or(0),
                    ("cache_creation_input_tokens", _) => one.cache_write = cursor.unsigned_or_skip()?.unwrap_or(0),
                    ("output_tokens", _) => one.output = cursor.unsigned_or_skip()?.unwrap_or(0),
                    ("cache_creation", Kind::Object) => {
                        one.cache_write_hour = within(cursor, "ephemeral_1h_input_tokens")?.unwrap_or(0);
                    }
                    _ => drop(cursor.skip()?),
                }
                Ok::<(), JsonError>(())
            })?;
            if beside {
                all.beside.add(one)
            } else {
                all.within.add(one)
            }
            Ok(())
        })?;
        Ok(all)
    }
}

impl Sums {
    fn add(&mut self, other: Self) {
        for (into, more) in [
            (&mut self.input, other.input),
            (&mut self.cache_read, other.cache_read),
            (&mut self.cache_write, other.cache_write),
            (&mut self.cache_write_hour, other.cache_write_hour),
            (&mut self.output, other.output),
        ] {
            *into = into.saturating_add(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(objects: &[&str]) -> Option<Usage> {
        let mut counts = Counts::default();
        for object in objects {
            counts.read(&mut Cursor::new(object.as_bytes()).unwrap()).unwrap();
        }
        counts.usage()
    }

    /// Input, cache read, cache write, output.
    fn figures(objects: &[&str]) -> [u64; 4] {
        let usage = usage(objects).unwrap();
        [usage.input_uncached, usage.cache_read, usage.cache_write, usage.output]
    }

    const DECLINED: &str = r#"{"type":"message","model":"claude-opus-5-5","input_tokens":100,"cache_read_input_tokens":10,"cache_creation_input_tokens":0,"output_tokens":3}"#;
    const SERVED: &str = r#"{"type":"fallback_message","model":"claude-sonnet-5-5","input_tokens":100,"cache_read_input_tokens":0,"cache_creation_input_tokens":20,"output_tokens":40}"#;

    #[test]
    fn turns_that_the_totals_have_in_them_are_not_counted_twice() {
        let list = format!("[{DECLINED},{SERVED}]");
        let totals = |input, read, write, output| {
            format!(
                r#"{{"input_tokens":{input},"cache_read_input_tokens":{read},"cache_creation_input_tokens":{write},"output_tokens":{output},"iterations":{list}}}"#
            )
        };
        assert_eq!(figures(&[&totals(200, 10, 20, 43)]), [200, 10, 20, 43]);
        assert_eq!(figures(&[&totals(100, 0, 20, 40)]), [200, 10, 20, 43], "the totals of the last turn alone");
        // A stream says the first figures before there is a list, and its figures are totals each time.
        let begun = r#"{"input_tokens":100,"cache_read_input_tokens":10,"output_tokens":1}"#;
        assert_eq!(figures(&[begun, &totals(200, 10, 20, 43)]), [200, 10, 20, 43]);
        assert_eq!(figures(&[begun, &totals(200, 10, 20, 43), &totals(200, 10, 20, 43)]), [200, 10, 20, 43]);
    }

    #[test]
    fn turns_that_are_in_no_total_are_added() {
        let one = |kind: &str| {
            format!(
                r#"{{"input_tokens":5,"output_tokens":2,"iterations":[{{"type":"{kind}","input_tokens":30,"output_tokens":7,"cache_creation_input_tokens":4,"cache_creation":{{"ephemeral_1h_input_tokens":4}}}},
                {{"type":"message","input_tokens":5,"output_tokens":2}}]}}"#
            )
        };
        for kind in ["compaction", "advisor_message"] {
            assert_eq!(figures(&[&one(kind)]), [35, 0, 4, 9], "{kind}");
            assert_eq!(usage(&[&one(kind)]).unwrap().cache_write_hour, 4);
        }
        assert_eq!(figures(&[&one("a_new_kind")]), [35, 0, 4, 9], "the list counts where it comes to more");
    }

    #[test]
    fn what_is_no_list_counts_nothing() {
        for list in ["null", "[]", "[7,null,[]]", r#"[{"type":7,"input_tokens":"x"}]"#, r#""x""#] {
            assert_eq!(
                figures(&[&format!(r#"{{"input_tokens":5,"output_tokens":2,"iterations":{list}}}"#)]),
                [5, 0, 0, 2]
            );
        }
        assert_eq!(usage(&["{}"]), None);
        let most = u64::MAX;
        let one = format!(r#"{{"type":"compaction","input_tokens":{most}}}"#);
        let many = format!(r#"{{"input_tokens":1,"output_tokens":1,"iterations":[{one},{one}]}}"#);
        assert_eq!(figures(&[&many])[0], most);
    }
}
