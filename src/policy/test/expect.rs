//! `expect` statements and output cells of tables.
//!
//! In: values as written, a policy. Out: an [`Expect`], or findings with the forms that exist. Must not know: what really
//! happens.

use std::sync::Arc;

use super::super::ast::{CompareOp, Unit, Value, ValueKind};
use super::super::checked::{Checked, Class, ColumnId, Degrade, Outcome, RuleId, Subject, TierId};
use super::super::diagnostic::{Diagnostic, R002, R107, R110, R111, R112, R116, R912};
use super::super::resolve::{Desk, unknown};
use super::super::source::Span;
use super::super::tree::Tree;
use super::given::snapshot;
use super::{Expect, Expectation, Step};
use crate::units::Usd;

/// First words, and an example of each.
const FORMS: [(&str, &str); 14] = [
    ("rule", "expect rule NAME"),
    ("otherwise", "expect otherwise"),
    ("reject", "expect reject 403"),
    ("tier", "expect tier NAME"),
    ("not", "expect not tier NAME"),
    ("snapshot", "expect snapshot PROVIDER/ID"),
    ("chain", "expect chain [PROVIDER/ID, queue]"),
    ("skips", "expect skips PROVIDER/ID"),
    ("served", "expect served by PROVIDER/ID"),
    ("degrade", "expect degrade template NAME"),
    ("cut", "expect cut"),
    ("cache", "expect cache exact"),
    ("reads", "expect reads [NAME]"),
    ("cost", "expect cost <= $0.02"),
];
const TIME: (&str, &str) = ("time", "expect time <= 20s");

/// Words of degrade steps.
const STEPS: [&str; 4] = ["template", "cached", "queue", "error"];
/// Words of caches.
const CACHES: [&str; 3] = ["exact", "semantic", "none"];

/// Names that an expectation may use.
pub(super) struct Expecting<'a> {
    pub tree: &'a Tree,
}

impl Expecting<'_> {
    fn checked(&self) -> &Checked {
        self.tree.checked()
    }

    /// Understands one `expect`; nothing when it has a finding.
    pub fn statement(&self, values: &[Value], span: Span, desk: &mut Desk<'_>) -> Option<Expectation> {
        let (first, rest) = values.split_first()?;
        let ValueKind::Word(form) = &first.kind else { return self.no_form(first, desk) };
        let what = match (form.as_str(), rest) {
            ("rule", [name]) => self.rule(name, desk).map(Expect::Rule),
            ("otherwise", []) => self.rule(first, desk).map(Expect::Rule),
            ("not", [word, name]) if is(word, "tier") => self.tier(name, desk).map(Expect::NotTier),
            ("chain", [list]) => self.chain(list, desk),
            ("served", [by, model]) if is(by, "by") => self.cell("served", model, desk),
            ("degrade", [word]) => self.step(word, None, desk),
            ("degrade", [word, name]) => self.step(word, Some(name), desk),
            ("cut", []) => Some(Expect::Cut),
            ("reads", [list]) => self.reads(list, desk),
            ("cost" | "time", [op, bound]) => self.bound(form, op, bound, desk),
            ("reject" | "tier" | "snapshot" | "skips" | "cache", [value]) => self.cell(form, value, desk),
            _ => return self.misformed(form, first, span, desk),
        };
        what.map(|what| Expectation { span, what })
    }

    /// Understands an output cell under its column: the forms of one value.
    pub fn cell(&self, form: &str, value: &Value, desk: &mut Desk<'_>) -> Option<Expect> {
        match form {
            "rule" => self.rule(value, desk).map(Expect::Rule),
            "tier" => self.tier(value, desk).map(Expect::Tier),
            "snapshot" => self.model(value, "`snapshot`", desk).map(Expect::Snapshot),
            "served" => self.model(value, "`served by`", desk).map(Expect::Served),
            "skips" => self.model(value, "`skips`", desk).map(Expect::Skips),
            "reject" => {
                let status = desk.number(value, "`reject`", "an HTTP status")?;
                let fits = u16::try_from(status).ok().filter(|status| (400..600).contains(status));
                if fits.is_none() {
                    let message = format!("`{status}` is no status that a rule rejects with");
                    desk.report(Diagnostic::new(&R112, value.span, message).help("write a status from 400 to 599"));
                }
                fits.map(Expect::Reject)
            }
            "cache" => {
                let word = desk.word(value, "`cache`")?;
                let known = CACHES.into_iter().find(|one| *one == word);
                if known.is_none() {
                    let message = format!("`{word}` is no kind of cache");
                    desk.report(unknown(&R112, "kind of cache", message, word, value.span, &CACHES));
                }
                known.map(Expect::Cache)
            }
            _ => None,
        }
    }

    /// Output columns of tables.
    pub const CELLS: [&'static str; 4] = ["rule", "tier", "snapshot", "reject"];

    /// The rule of a name; R912 for one that is not there.
    pub fn rule(&self, value: &Value, desk: &mut Desk<'_>) -> Option<RuleId> {
        let name = desk.word(value, "`rule`")?;
        let rules = &self.checked().rules;
        let found = rules.iter().position(|rule| *rule.name == *name);
        if found.is_none() {
            let known: Vec<&str> = rules.iter().map(|rule| &*rule.name).collect();
            let message = format!("there is no rule `{name}`");
            desk.report(unknown(&R912, "rule", message, name, value.span, &known));
        }
        found.map(|at| RuleId(at as u32))
    }

    fn tier(&self, value: &Value, desk: &mut Desk<'_>) -> Option<TierId> {
        let name = desk.word(value, "`tier`")?;
        let tiers = &self.checked().tiers;
        let found = tiers.iter().position(|tier| *tier.name == *name);
        if found.is_none() {
            let known: Vec<&str> = tiers.iter().map(|tier| &*tier.name).collect();
            desk.report(unknown(&R107, "tier", format!("there is no tier `{name}`"), name, value.span, &known));
        }
        found.map(|at| TierId(at as u16))
    }

    fn model(&self, value: &Value, what: &str, desk: &mut Desk<'_>) -> Option<super::SnapshotId> {
        match &value.kind {
            ValueKind::Model(model) => snapshot(self.checked(), model, value.span, desk),
            _ => desk.mismatch(value, what, "a model, like `openai/gpt-5.4-2026-03-05`"),
        }
    }

    fn chain(&self, list: &Value, desk: &mut Desk<'_>) -> Option<Expect> {
        let ValueKind::List(values) = &list.kind else {
            return desk.mismatch(list, "`chain`", "a list of models that may end with the word of a degrade step");
        };
        let (mut hops, mut ends, mut whole) = (Vec::new(), None, true);
        for (at, value) in values.iter().enumerate() {
            match &value.kind {
                ValueKind::Word(word) if at + 1 == values.len() && self.step_word(word).is_some() => {
                    ends = self.step_word(word);
                }
                ValueKind::Word(word) if self.step_word(word).is_some() => {
                    let message = format!("`{word}` is where a chain ends, and more follows it");
                    desk.report(Diagnostic::new(&R110, value.span, message).help("write it last"));
                    whole = false;
                }
                ValueKind::Word(word) => {
                    let message = format!("`{word}` is neither a model nor the word of a degrade step");
                    desk.report(unknown(&R110, "degrade step", message, word, value.span, &STEPS));
                    whole = false;
                }
                _ => match self.model(value, "`chain`", desk) {
                    Some(hop) => hops.push(hop),
                    None => whole = false,
                },
            }
        }
        whole.then_some(Expect::Chain(hops, ends))
    }

    fn step_word(&self, word: &str) -> Option<&'static str> {
        STEPS.into_iter().find(|one| *one == word)
    }

    fn step(&self, value: &Value, name: Option<&Value>, desk: &mut Desk<'_>) -> Option<Expect> {
        let word = desk.word(value, "`degrade`")?;
        let Some(word) = self.step_word(word) else {
            let message = format!("`{word}` is no degrade step");
            desk.report(unknown(&R110, "degrade step", message, word, value.span, &STEPS));
            return None;
        };
        let name = match (word, name) {
            (_, None) => None,
            ("cached", Some(more)) => {
                let message = "`cached` takes nothing behind it in a test";
                desk.report(Diagnostic::new(&R110, more.span, message).help("write `expect degrade cached`"));
                return None;
            }
            ("error", Some(status)) => Some(Arc::from(desk.number(status, "`error`", "an HTTP status")?.to_string())),
            (_, Some(name)) => Some(self.place(word, name, desk)?),
        };
        Some(Expect::Degrade(Step { word, name }))
    }

    /// A template or a queue that some rule degrades to.
    fn place(&self, word: &str, value: &Value, desk: &mut Desk<'_>) -> Option<Arc<str>> {
        let name = desk.word(value, "`degrade`")?;
        let checked = self.checked();
        let steps = checked.rules.iter().filter_map(|rule| match &rule.outcome {
            Outcome::Chain(chain) => Some(&chain.degrade),
            Outcome::Reject { .. } => None,
        });
        let mut known: Vec<&Arc<str>> = steps
            .flatten()
            .filter_map(|step| match step {
                Degrade::Template(id) if word == "template" => Some(&checked.templates[id.index()].name),
                Degrade::Queue { name, .. } if word == "queue" => Some(name),
                _ => None,
            })
            .collect();
        known.sort_unstable();
        known.dedup();
        let found = known.iter().find(|one| ****one == *name).map(|one| Arc::clone(one));
        if found.is_none() {
            let known: Vec<&str> = known.iter().map(|one| &***one).collect();
            let message = format!("no rule degrades to {word} `{name}`");
            desk.report(unknown(&R116, word, message, name, value.span, &known));
        }
        found
    }

    fn reads(&self, list: &Value, desk: &mut Desk<'_>) -> Option<Expect> {
        let ValueKind::List(values) = &list.kind else {
            return desk.mismatch(list, "`reads`", "a list of readings and classifiers");
        };
        let mut columns: Vec<ColumnId> = Vec::new();
        for value in values {
            columns.push(self.reading(value, desk)?);
        }
        columns.sort_unstable();
        columns.dedup();
        Some(Expect::Reads(columns))
    }

    /// The column of a reading or a classifier that rules look at.
    fn reading(&self, value: &Value, desk: &mut Desk<'_>) -> Option<ColumnId> {
        // A metric has more than one word: `"p95 of openai"`.
        let word = match &value.kind {
            ValueKind::Str(text) => text.as_str(),
            _ => desk.word(value, "`reads`")?,
        };
        let space = self.tree.space();
        let late = || space.ids().filter(|id| space.column(*id).class != Class::Free);
        let named = |id: &ColumnId| {
            let column = space.column(*id);
            *column.name == *word || column.subject == Subject::Clock && matches!(word, "now" | "day")
        };
        let found = late().find(named);
        if found.is_none() {
            let known: Vec<&str> = late().map(|id| &*space.column(id).name).collect();
            let message = format!("no rule looks at a reading `{word}`");
            desk.report(unknown(&R107, "reading", message, word, value.span, &known));
        }
        found
    }

    fn bound(&self, form: &str, op: &Value, bound: &Value, desk: &mut Desk<'_>) -> Option<Expect> {
        if !matches!(op.kind, ValueKind::Compare(CompareOp::AtMost)) {
            let message = format!("`{form}` is bounded from above, with `<=`");
            let help = format!("write `expect {form} <= {}`", desk.text(bound.span));
            desk.report(Diagnostic::new(&R110, op.span, message).help(help));
            return None;
        }
        if form == "time" { desk.duration(bound, "`time`").map(Expect::Time) } else { money(bound, desk) }
    }

    fn no_form<T>(&self, value: &Value, desk: &mut Desk<'_>) -> Option<T> {
        let message = "an expectation begins with a word that says what is expected";
        desk.report(Diagnostic::new(&R110, value.span, message).help("write it like `expect rule NAME`"));
        None
    }

    /// R002 for a first word nobody knows, R110 for one with the wrong number of values.
    fn misformed<T>(&self, form: &str, first: &Value, span: Span, desk: &mut Desk<'_>) -> Option<T> {
        let known: Vec<&str> = FORMS.iter().chain([&TIME]).map(|(word, _)| *word).collect();
        match FORMS.iter().chain([&TIME]).find(|(word, _)| *word == form) {
            Some((_, example)) => {
                let message = format!("`{}` is not a whole expectation", desk.text(span));
                desk.report(Diagnostic::new(&R110, span, message).help(format!("the form is `{example}`")));
            }
            None => {
                let message = format!("`{form}` begins no expectation");
                desk.report(unknown(&R002, "expectation", message, form, first.span, &known));
            }
        }
        None
    }
}

fn is(value: &Value, word: &str) -> bool {
    matches!(&value.kind, ValueKind::Word(text) if text == word)
}

fn money(value: &Value, desk: &mut Desk<'_>) -> Option<Expect> {
    const SCALE: u32 = 12;
    let ValueKind::Quantity(quantity) = value.kind else {
        return desk.mismatch(value, "`cost`", "an amount of money, like `$0.02`");
    };
    let exact = SCALE
        .checked_sub(u32::from(quantity.scale))
        .and_then(|zeros| quantity.digits.checked_mul(10u64.checked_pow(zeros)?))
        .filter(|_| quantity.unit == Unit::Dollar);
    if exact.is_none() {
        let message = format!("`cost` takes dollars, and `{}` are none", desk.text(value.span));
        desk.report(Diagnostic::new(&R111, value.span, message).help("write it like `$0.02`"));
    }
    exact.map(|amount| Expect::Cost(Usd(amount)))
}
