//! Numbers beside the code: how long a rule can take, what a hop can cost.
//!
//! In: a proven set and a range. Out: inlay hints. Must not know: messages. The time is the sum that R502 judges. The cost is
//! the most one answer of that hop can cost for any request that reaches the rule: its largest prompt and its longest answer.

use std::collections::BTreeMap;

use gen_lsp_types::{InlayHint, InlayHintKind, Position};
use jiff::civil::Date;

use super::position::Encoding;
use super::set::Set;
use crate::policy::ast::OnCut;
use crate::policy::bounds::Extra;
use crate::policy::check::time::worst_time;
use crate::policy::checked::{Chain, Checked, Hop, Outcome, RuleId, Target};
use crate::policy::eligible;
use crate::policy::explain::{dollars, seconds};
use crate::policy::prove::Reach;
use crate::policy::source::{FileId, Span};
use crate::units::{Tokens, Usd};

/// The most an answer can cost, and for which request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Bound {
    cost: Usd,
    prompt: Tokens,
    answer: Tokens,
}

/// Hints for what stands between two bytes of a file.
pub fn hints(set: &Set, file: FileId, (lo, hi): (u32, u32), encoding: Encoding, today: Date) -> Vec<InlayHint> {
    let Some(checked) = &set.checked else { return Vec::new() };
    let shown = |span: Span| span.file == file && span.lo <= hi && lo <= span.hi;
    let chains = || {
        checked.rules.iter().enumerate().filter_map(|(at, rule)| match &rule.outcome {
            Outcome::Chain(chain) if !chain.hops.is_empty() => Some((RuleId(at as u32), rule, chain)),
            _ => None,
        })
    };
    // A hop of a ladder stands far from the rules that use it.
    let wanted: Vec<RuleId> = chains()
        .filter(|(_, rule, chain)| shown(rule.whole) || chain.hops.iter().any(|hop| shown(hop.span)))
        .map(|(id, _, _)| id)
        .collect();
    let reaches: BTreeMap<RuleId, Option<Reach>> = wanted.iter().copied().zip(set.reaches(&wanted)).collect();
    let mut costs: BTreeMap<Span, Option<Bound>> = BTreeMap::new();
    let mut hints = Vec::new();
    for (id, rule, chain) in chains() {
        let Some(Some(reach)) = reaches.get(&id) else { continue };
        let mut dearest = Some(Bound { cost: Usd(0), prompt: Tokens(0), answer: Tokens(0) });
        for hop in &chain.hops {
            let bound = worst_cost(checked, hop, reach, today);
            dearest = dearest.and_then(|most| Some(most.max(bound?)));
            let known = costs.entry(hop.span).or_insert(bound);
            *known = known.and_then(|most| Some(most.max(bound?)));
        }
        if shown(rule.span) {
            hints.push(rule_hint(set, rule.span, chain, dearest.filter(|_| one_answer(chain)), encoding));
        }
    }
    for (span, bound) in costs.into_iter().filter(|(span, _)| shown(*span)) {
        let Some(bound) = bound else { continue };
        let label = format!("up to ${}", dollars(bound.cost));
        hints.push(hint(set.range(span, encoding).end, label, tooltip(bound)));
    }
    hints
}

/// Whether a request pays for one answer at most: no second leg, no second try of something that may have been billed.
fn one_answer(chain: &Chain) -> bool {
    let resumes = chain.on_cut == OnCut::Resume;
    let extra = |hop: &Hop| Extra::of(hop.options.hedge, hop.options.retry, resumes, chain.hops.len());
    chain.hops.iter().all(|hop| extra(hop).is_nothing())
}

fn worst_cost(checked: &Checked, hop: &Hop, reach: &Reach, today: Date) -> Option<Bound> {
    let Target::Snapshot(id) = hop.target else { return None };
    let entry = checked.snapshots[id.index()].facts.as_deref()?;
    let bounds = reach.features.iter().map(|feature| {
        let feature = feature.and_then(|at| checked.features.get(at));
        let cap = eligible::policy_cap(&hop.options, feature);
        let answer = eligible::longest_answer(entry, cap)?;
        let prompt =
            eligible::largest_prompt(Some(entry), cap).map_or(reach.most_prompt, |most| most.min(reach.most_prompt));
        Some(Bound { cost: entry.worst_cost(prompt, answer, today)?, prompt, answer })
    });
    bounds.collect::<Option<Vec<Bound>>>()?.into_iter().max()
}

fn rule_hint(set: &Set, name: Span, chain: &Chain, dearest: Option<Bound>, encoding: Encoding) -> InlayHint {
    let mut label = format!("{} of {}", seconds(worst_time(chain)), seconds(chain.deadline));
    let mut tip = "the longest this chain can take, every attempt failing at its limit; and the deadline".to_owned();
    if let Some(bound) = dearest {
        label = format!("{label}, up to ${}", dollars(bound.cost));
        tip = format!("{tip}\n{}", tooltip(bound));
    }
    hint(set.range(name, encoding).end, label, tip)
}

fn tooltip(bound: Bound) -> String {
    format!("the most one answer can cost here: a prompt of {} tokens, an answer of {}", bound.prompt, bound.answer)
}

fn hint(position: Position, label: String, tip: String) -> InlayHint {
    InlayHint {
        position,
        label: label.into(),
        kind: Some(InlayHintKind::Type),
        text_edits: None,
        tooltip: Some(tip.into()),
        padding_left: Some(true),
        padding_right: None,
        data: None,
    }
}
