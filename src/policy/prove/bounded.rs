//! Where a chain can cost or take more than a guarantee allows: `worst_cost` and `worst_time` of section 6.8.
//!
//! In: a chain's reaches, a bound. Out: the areas of requests that can break it. Must not know: what a bound is made of, messages
//! of findings.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::super::atoms::Mentions;
use super::super::boxes::AtomBox;
use super::super::checked::{Chain, Checked, ColumnId, Domain, Feature, Held, Promise, Subject, TierId, Values};
use super::super::diagnostic::Level;
use super::super::shown::grouped;
use super::super::source::Span;
use super::Proof;
use super::bills::{Bill, Unknown, worst_time};
use super::calls::{Call, Called, Via, calls};
use super::guarantees::Break;
use super::limits::chain_of;
use crate::units::{Millis, Tokens, Usd};

/// Features by position, `none` behind the last; `None` where all of them are alike.
pub(super) type Features = Option<Vec<usize>>;

/// What is asked of each feature by itself where some feature has a bound of its own, else once for all.
fn apart(checked: &Checked, bounded: impl Fn(&Feature) -> bool) -> Vec<Option<usize>> {
    match checked.features.iter().any(bounded) {
        true => (0..=checked.features.len()).map(Some).collect(),
        false => vec![None],
    }
}

fn feature(checked: &Checked, at: Option<usize>) -> Option<&Feature> {
    checked.features.get(at?)
}

/// The smallest prompt that is over a bound, by the features that make it so.
fn by_size(
    checked: &Checked,
    first: impl Fn(Option<&Feature>) -> Result<Option<Tokens>, Unknown>,
) -> Result<Vec<(Tokens, Features)>, Unknown> {
    let mut sizes: BTreeMap<Tokens, Features> = BTreeMap::new();
    for at in apart(checked, |feature| feature.max_output.is_some()) {
        if let Some(from) = first(feature(checked, at))? {
            let list = sizes.entry(from).or_insert_with(|| at.map(|_| Vec::new()));
            if let (Some(list), Some(at)) = (list, at) {
                list.push(at);
            }
        }
    }
    Ok(sizes.into_iter().collect())
}

/// The smallest prompts that can cost more than `most`, by what the features make of it.
pub(super) fn over_cost(checked: &Checked, bill: &Bill<'_>, most: Usd) -> Result<Vec<(Tokens, Features)>, Unknown> {
    by_size(checked, |feature| bill.first_over(most, feature))
}

/// The smallest prompts that with their answers are more tokens than `most`. Nothing where that is unknown.
pub(super) fn over_tokens(checked: &Checked, bill: &Bill<'_>, most: Tokens) -> Vec<(Tokens, Features)> {
    by_size(checked, |feature| bill.first_over_tokens(most, feature)).unwrap_or_default()
}

/// `worst_cost <= most`, for requests whose prompts are at most `largest`.
pub(super) fn costs(
    proof: &Proof<'_>,
    chain: &Chain,
    reaches: &[Called<'_>],
    most: Usd,
    largest: Tokens,
) -> Vec<Break> {
    let checked = proof.checked;
    let mut found = Vec::new();
    let calls: Vec<Call<'_>> = reaches.iter().map(|called| called.call.clone()).collect();
    for (at, called) in reaches.iter().enumerate().filter(|(_, called)| called.call.via != Via::Shadow) {
        let bill = Bill::new(checked, chain, &calls, at, proof.today);
        let name = called.call.shown(checked);
        let by_size = match over_cost(checked, &bill, most) {
            Ok(by_size) => by_size,
            Err(unknown) => {
                let why = match unknown {
                    Unknown::Price => "has no price, so nothing bounds its cost",
                    Unknown::Answer => "has no longest answer, so nothing bounds its cost",
                };
                found.push(Break::by(called, format!("{name} {why}")));
                continue;
            }
        };
        for (first, features) in by_size {
            let first_of = features.as_ref().and_then(|list| list.first().copied());
            let cost = bill.at_prompt(largest, feature(checked, first_of)).unwrap_or_default();
            let here = format!("{name} can cost ${cost} for {} tokens", grouped(largest.0));
            let here = match first.0 {
                0 => here,
                from => format!("{here}, and more than ${most} from {} on", grouped(from)),
            };
            let area = area(proof, Some(first), features.as_deref(), None);
            let among = called.among.iter().filter_map(|one| one.and(area.as_ref()?)).collect();
            // Nothing but the catalog bounds the answer to a request that names no feature. That is said, and blocks only where
            // warnings do; for a feature that is declared it is an error.
            let nameless = features.as_deref() == Some(&[checked.features.len()][..]);
            let hedged = bill.without_hedge(largest, feature(checked, first_of)).is_ok_and(|alone| alone <= most);
            let level = if nameless && bill.is_uncapped() { Level::Warning } else { Level::Error };
            found.push(Break { among, level, hedged, ..Break::by(called, here) });
        }
    }
    found
}

/// `worst_time <= most`
pub(super) fn times(proof: &Proof<'_>, chain: &Chain, reaches: &[Called<'_>], most: Millis, rule: Span) -> Vec<Break> {
    let checked = proof.checked;
    let chains: Vec<(AtomBox, Vec<&Call<'_>>)> = match chain.promise {
        // Each tier that can be asked for has a chain of its own.
        Promise::AsRequested => {
            let asked = (0..checked.tiers.len() as u16).filter_map(|tier| proof.asks_for(&[TierId(tier)]));
            let meets = |called: &&Called<'_>, area: &AtomBox| called.among.iter().any(|one| one.meets(area));
            let own = |area: &AtomBox| -> Vec<&Call<'_>> {
                reaches.iter().filter(|called| meets(called, area)).map(|called| &called.call).collect()
            };
            asked.map(|area| (area.clone(), own(&area))).collect()
        }
        _ => vec![(AtomBox::everything(), reaches.iter().map(|called| &called.call).collect())],
    };
    let mut found = Vec::new();
    for (asked, calls) in &chains {
        for streaming in [false, true] {
            for at in apart(checked, |feature| feature.deadline.is_some()) {
                let time = worst_time(chain, calls, feature(checked, at), streaming);
                let own = area(proof, None, at.map(|at| vec![at]).as_deref(), Some(streaming));
                let area = own.and_then(|area| area.and(asked));
                if time <= most || area.is_none() {
                    continue;
                }
                let kind = if streaming { "a stream" } else { "an answer" };
                let here = format!("{kind} can take {time} until it begins or is given up");
                let among = area.into_iter().collect();
                found.push(Break { span: rule, here, among, except: Vec::new(), level: Level::Error, hedged: false });
            }
        }
    }
    found
}

/// Prompts of at least `from`, of these features, streaming or not.
pub(super) fn area(
    proof: &Proof<'_>,
    from: Option<Tokens>,
    features: Option<&[usize]>,
    streaming: Option<bool>,
) -> Option<AtomBox> {
    let tests = tests(proof.checked, from, features, streaming);
    tests.into_iter().try_fold(AtomBox::everything(), |area, (column, values)| {
        area.and(&AtomBox::only(&proof.space, column, proof.space.set(column, &values))?)
    })
}

pub(super) fn tests(
    checked: &Checked,
    from: Option<Tokens>,
    features: Option<&[usize]>,
    streaming: Option<bool>,
) -> Vec<(ColumnId, Values)> {
    let find = |subject: Subject| {
        let at = checked.columns.iter().position(|column| column.subject == subject)?;
        Some((ColumnId(at as u16), &checked.columns[at].domain))
    };
    let mut tests = Vec::new();
    if let (Some(from), Some((id, _))) = (from.filter(|from| from.0 > 0), find(Subject::PromptTokens)) {
        tests.push((id, Values::Ranges(vec![(from.0, u64::MAX)])));
    }
    if let (Some(features), Some((id, Domain::Enum { values, .. }))) = (features, find(Subject::Feature)) {
        let name = |at: &usize| checked.features.get(*at).map_or("none", |feature| &*feature.name);
        let place = |at: &usize| values.iter().position(|value| **value == *name(at)).map(|at| at as u32);
        let mut places: Vec<u32> = features.iter().filter_map(place).collect();
        places.sort_unstable();
        tests.push((id, Values::Enum(places)));
    }
    if let (Some(streaming), Some((id, _))) = (streaming, find(Subject::Streaming)) {
        tests.push((id, Values::Bool(streaming)));
    }
    tests
}

/// What guarantees look at and no condition does: columns that analysis needs.
pub(super) fn subjects(checked: &Checked) -> Vec<Subject> {
    let mut wanted = Vec::new();
    for held in checked.moving.guarantees.iter().flat_map(|one| &one.clauses) {
        match held.node {
            Held::WorstCost(_) => wanted.extend([Subject::PromptTokens, Subject::Feature]),
            Held::WorstTime(_) => wanted.extend([Subject::Streaming, Subject::Feature]),
            _ => {}
        }
    }
    wanted
}

/// Cuts columns where a bound begins to be broken.
pub(super) fn mention(checked: &Checked, today: Date, mentions: &mut Mentions) {
    let bounds: Vec<Usd> = checked.moving.guarantees.iter().flat_map(|one| &one.clauses).filter_map(cost).collect();
    for chain in checked.rules.iter().filter_map(|rule| chain_of(&rule.outcome)).filter(|_| !bounds.is_empty()) {
        let calls = calls(checked, chain);
        for (at, most) in (0..calls.len()).flat_map(|at| bounds.iter().map(move |most| (at, *most))) {
            let bill = Bill::new(checked, chain, &calls, at, today);
            for (first, features) in over_cost(checked, &bill, most).unwrap_or_default() {
                tests(checked, Some(first), features.as_deref(), None)
                    .iter()
                    .for_each(|(id, values)| mentions.add(*id, values));
            }
        }
    }
    // Each feature is asked about by itself where its deadline may be its own.
    for at in apart(checked, |feature| feature.deadline.is_some()).into_iter().flatten() {
        tests(checked, None, Some(&[at]), None).iter().for_each(|(id, values)| mentions.add(*id, values));
    }
}

fn cost(held: &super::super::source::Spanned<Held>) -> Option<Usd> {
    match held.node {
        Held::WorstCost(most) => Some(most),
        _ => None,
    }
}
