//! `requires eval`: whether every member of a tier has passed what the tier asks for (section 3.2).
//!
//! In: files of results, requirements, a day. Out: findings R214 to R216; nothing of it reaches a request. Must not know: rules.

use jiff::civil::Date;
use rustc_hash::FxHashMap;
use serde::Deserialize;

use super::super::ast::{CompareOp, ItemKind, Quantity, TierLine, Unit, Value, ValueKind};
use super::super::checked::SnapshotId;
use super::super::diagnostic::{Diagnostic, R111, R121, R214, R215, R216};
use super::super::source::Span;
use super::Resolver;
use super::sets::op_word;
use crate::units::Millis;

/// A result over fewer cases than this says nothing.
pub const MIN_CASES: u64 = 30;

#[derive(Deserialize)]
struct ResultsFile {
    suite: String,
    results: Vec<ResultRow>,
}

#[derive(Deserialize)]
struct ResultRow {
    snapshot: String,
    score: f64,
    cases: u64,
    #[serde(deserialize_with = "day")]
    run_at: Date,
}

fn day<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Date, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(|_| serde::de::Error::custom(format!("`{text}` is no date; write it like `2026-11-16`")))
}

/// The newest result of a snapshot in a suite.
#[derive(Clone, Copy, Debug)]
struct Score {
    score: f64,
    run_at: Date,
}

/// What has been measured, by suite and snapshot.
type Scores = FxHashMap<(String, String), Score>;

/// One `requires` line.
struct Wanted<'a> {
    tier: &'a str,
    suite: &'a str,
    op: CompareOp,
    /// 0 to 1.
    least: f64,
    shown: &'a str,
    within: Option<Millis>,
    span: Span,
}

impl<'a> Resolver<'a> {
    /// Judges the members of every tier that requires something. `members` are those of one tier each, candidates included.
    pub(super) fn evals(&mut self, members: &[(&'a super::super::ast::Tier, Vec<(SnapshotId, Span)>)]) {
        let requires =
            |tier: &super::super::ast::Tier| tier.lines.iter().any(|line| matches!(line, TierLine::Requires { .. }));
        if !members.iter().any(|(tier, _)| requires(tier)) {
            return;
        }
        let scores = self.scores();
        for (tier, members) in members {
            for line in &tier.lines {
                let TierLine::Requires { span, suite, op, score, within } = line else { continue };
                let Some(least) = self.share(score) else { continue };
                let within = within.as_ref().and_then(|value| self.desk.some_time(value, "`within`"));
                let wanted = Wanted {
                    tier: &tier.name.node,
                    suite: &suite.node,
                    op: op.node,
                    least,
                    shown: self.desk.text(score.span),
                    within,
                    span: *span,
                };
                for (id, place) in members {
                    let name = self.out.snapshots[id.index()].model.to_string();
                    let found = scores.get(&(wanted.suite.to_owned(), name.clone())).copied();
                    if let Some(finding) = judge(&wanted, &name, *place, found, self.ctx.today) {
                        self.desk.report(finding);
                    }
                }
            }
        }
    }

    /// Every `evals from "…"`.
    fn scores(&mut self) -> Scores {
        let mut scores = Scores::default();
        for item in self.loaded.items() {
            let ItemKind::FactsFrom { what, path } = &item.kind else { continue };
            if what.node != "evals" {
                continue;
            }
            for (file, text) in self.facts(path) {
                match serde_json::from_str::<ResultsFile>(&text) {
                    Ok(found) => {
                        for row in found.results.into_iter().filter(|row| row.cases >= MIN_CASES) {
                            let new = Score { score: row.score, run_at: row.run_at };
                            let known = scores.entry((found.suite.clone(), row.snapshot)).or_insert(new);
                            if new.run_at > known.run_at {
                                *known = new;
                            }
                        }
                    }
                    Err(error) => {
                        let message = format!("`{file}` cannot be read: {error}");
                        let help = "write `{\"schema\": 1, \"suite\": \"..\", \"results\": [{\"snapshot\": \"..\", \"score\": 0.95, \
                                    \"cases\": 480, \"run_at\": \"2026-11-16\"}]}`";
                        self.desk.report(Diagnostic::new(&R121, path.span, message).help(help));
                    }
                }
            }
        }
        scores
    }

    fn share(&mut self, value: &Value) -> Option<f64> {
        match value.kind {
            ValueKind::Quantity(Quantity { digits, scale, unit: Unit::Percent }) => {
                Some(digits as f64 / 10f64.powi(i32::from(scale)) / 100.0)
            }
            _ => {
                let message = format!("`requires eval` takes a share, and `{}` is none", self.desk.text(value.span));
                self.desk.report(Diagnostic::new(&R111, value.span, message).help("write it like `92%`"));
                None
            }
        }
    }
}

fn judge(wanted: &Wanted<'_>, name: &str, place: Span, found: Option<Score>, today: Date) -> Option<Diagnostic> {
    let Wanted { tier, suite, .. } = wanted;
    let Some(found) = found else {
        let title = format!("{name} has no result of suite `{suite}`, which tier `{tier}` requires");
        return Some(
            Diagnostic::new(&R214, place, title)
                .label(wanted.span, "required here")
                .note(format!("a result over fewer than {MIN_CASES} cases does not count"))
                .help("run the suite and add its result to the files of `evals from`, or take the snapshot out of the tier"),
        );
    };
    // Both sides are decimals somebody typed; a millionth is far below what any suite can tell apart.
    let difference = ((found.score - wanted.least) * 1e6).round();
    let passes = match wanted.op {
        CompareOp::AtLeast => difference >= 0.0,
        CompareOp::Greater => difference > 0.0,
        CompareOp::AtMost => difference <= 0.0,
        CompareOp::Less => difference < 0.0,
    };
    if !passes {
        let title = format!(
            "{name} has {:.1}% in suite `{suite}`; tier `{tier}` requires {} {}",
            found.score * 100.0,
            op_word(wanted.op),
            wanted.shown
        );
        return Some(
            Diagnostic::new(&R215, place, title)
                .here(format!("measured on {}", found.run_at))
                .label(wanted.span, "required here")
                .help("move the snapshot to a tier it passes for, or measure it again"),
        );
    }
    let age = Millis(u64::try_from((today - found.run_at).get_days()).unwrap_or(0) * 86_400_000);
    let within = wanted.within.filter(|within| age > *within)?;
    let title =
        format!("the result of {name} in suite `{suite}` is {age} old; tier `{tier}` wants one of the last {within}");
    Some(
        Diagnostic::new(&R216, place, title)
            .here(format!("measured on {}", found.run_at))
            .label(wanted.span, "required here")
            .help("run the suite again and add its result to the files of `evals from`"),
    )
}
