//! Results as a person reads them: one line a test, and below a failed one what was expected, what is so, and why.
//!
//! In: [`Ran`]s. Out: text without colors. Must not know: terminals.

use std::fmt::Write as _;

use super::coverage::{Coverage, MAX_SHOWN};
use super::judge::rule_name;
use super::mutate::{MAX_MUTANTS, Mutation};
use super::{PolicyRun, Ran};
use crate::policy::render::witness_words;
use crate::policy::source::Sources;

/// Width of the words before expected and actual.
const WORD: usize = 10;

/// The lines of one file, ending in a newline. `mark` writes the two words of a result; colors are the caller's decision.
pub fn lines(ran: &[Ran], sources: &Sources, mark: &dyn Fn(bool) -> String) -> String {
    let mut text = String::new();
    for one in ran {
        let _ = writeln!(text, "{}  {}", mark(one.passed()), title(one, sources));
        if !one.passed() {
            failure(one, sources, &mut text);
        }
    }
    text
}

/// `plans and budgets, row 3: free summarize 60k -> free_long_prompt`
pub fn title(ran: &Ran, sources: &Sources) -> String {
    match ran.row {
        None => ran.name.to_string(),
        Some(row) => {
            let words: Vec<&str> = sources.text(ran.span).split_whitespace().collect();
            format!("{}, row {row}: {}", ran.name, words.join(" "))
        }
    }
}

fn failure(ran: &Ran, sources: &Sources, text: &mut String) {
    let file = sources.file(ran.span.file);
    let _ = writeln!(text, "      at {}:{}", file.path, file.place(ran.span.lo).line);
    for line in explained(ran).lines() {
        let _ = writeln!(text, "      {line}");
    }
}

/// What was expected, what is so, and why.
pub fn explained(ran: &Ran) -> String {
    let mut text = String::new();
    for fault in &ran.faults {
        let _ = writeln!(text, "could not run: {} ({})", fault.message, fault.code.code);
        if let Some(help) = &fault.help {
            let _ = writeln!(text, "help: {help}");
        }
    }
    for check in ran.checks.iter().filter(|check| !check.holds) {
        let expected = check.expected.to_string();
        let _ = writeln!(text, "{:<WORD$}{} {}", "expected", check.word, plain(check.word, &expected));
        let _ = writeln!(text, "{:<WORD$}{}", "actual", check.actual);
    }
    for line in ran.explained.iter().flat_map(|explained| explained.human.lines()) {
        let _ = writeln!(text, "| {line}");
    }
    text
}

/// `degrade queue x` behind the word `degrade` says it once.
fn plain<'t>(word: &str, expected: &'t str) -> &'t str {
    expected.strip_prefix(word).map_or(expected, str::trim_start)
}

/// What the tests of a policy reach, and what they do not.
pub fn coverage(policy: &str, coverage: &Coverage) -> String {
    let mut text = format!("coverage of {policy}\n");
    let rows = [
        ("rules", coverage.rules, &coverage.missing[0]),
        ("hops", coverage.hops, &coverage.missing[1]),
        ("degrade steps", coverage.degrade, &coverage.missing[2]),
        ("boundaries", coverage.boundaries, &coverage.missing[3]),
    ];
    for (word, part, missing) in rows {
        let _ = write!(text, "  {word:<14}{:>4} of {:<4}", part.reached, part.total);
        if !missing.is_empty() {
            let shown = missing.iter().take(MAX_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = missing.len().saturating_sub(MAX_SHOWN);
            let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
            let _ = write!(text, "  not {shown}{rest}");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    let _ = writeln!(text, "  {:<14}{}", "total", percent(coverage.total()));
    text
}

/// A share in percent, rounded down so that a gate is not met by rounding.
pub fn percent(share: f64) -> String {
    let tenths = (share * 1000.0).floor();
    format!("{:.1}%", tenths / 10.0)
}

/// Wrong conditions that no test notices.
pub fn mutants(run: &PolicyRun<'_>, mutation: &Mutation) -> String {
    let survived = mutation.survived.len();
    let mut text =
        format!("mutants of {}: {} tried, {} caught, {survived} survived\n", run.name, mutation.tried, mutation.caught);
    for one in &mutation.survived {
        let file = run.sources.file(one.span.file);
        let place = format!("{}:{}", file.path, file.place(one.span.lo).line);
        let words: Vec<&str> = run.sources.text(one.span).split_whitespace().collect();
        let rule = rule_name(run.tree.checked(), Some(one.rule));
        let _ = writeln!(text, "  {place}  rule {rule}: no test fails when `{}` is turned around", words.join(" "));
        let request = witness_words(&one.witness);
        let _ = writeln!(text, "      a test would: {request} -> {}, and not {}", one.was, one.now);
    }
    if mutation.left_out > 0 {
        let _ = writeln!(text, "  {} more conditions were not tried: {MAX_MUTANTS} is the limit", mutation.left_out);
    }
    text
}
