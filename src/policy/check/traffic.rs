//! Rules that recorded requests seldom reach: R412.
//!
//! In: a policy, lines of a request log. Out: how many were asked, and findings. Must not know: files. What was sent says nothing
//! of what can be sent; that is what R401 and R403 are about.

use std::sync::Arc;

use super::super::admit::{Defaults, Door};
use super::super::checked::{Checked, Cond, RuleId};
use super::super::decide::decide;
use super::super::diagnostic::{Diagnostic, R412};
use super::super::holds::{Answer, Seen};
use super::super::replay::Line;
use super::super::shown::grouped;
use super::super::tree::Tree;
use crate::catalog::Catalog;

/// Requests that a rule must match before a share of them means anything: as many samples as a metric needs.
pub const MIN_MATCHES: u64 = 30;
/// Percent of them that rules above may take.
const MOST_TAKEN: u64 = 95;
/// Rules above that a finding points at.
const MAX_SHOWN: usize = 3;

/// The rules of one policy, counted over requests.
pub struct Counted<'a> {
    tree: &'a Tree,
    door: Door,
    rules: Vec<Count>,
    /// Requests that the policy decided.
    pub requests: u64,
    /// Requests that it would not admit, or that say too little to be decided again.
    pub left_out: u64,
    /// The first of those.
    pub first_left_out: Option<String>,
}

/// What a rule matches, and who above it takes that.
#[derive(Clone, Default)]
struct Count {
    matches: u64,
    /// By position of the rule that decides.
    taken: Vec<u64>,
}

impl<'a> Counted<'a> {
    /// For one policy, with the facts it was checked with.
    ///
    /// # Errors
    /// None that can happen: there are no defaults to be undeclared.
    pub fn new(tree: &'a Tree, catalog: Arc<Catalog>) -> Result<Self, String> {
        let door = Door::new(Arc::clone(tree.checked()), catalog, Defaults::default());
        let door = door.map_err(|refusal| refusal.to_string())?;
        let rules = (0..tree.checked().rules.len()).map(|at| Count { matches: 0, taken: vec![0; at] }).collect();
        Ok(Self { tree, door, rules, requests: 0, left_out: 0, first_left_out: None })
    }

    /// Asks every rule about one request.
    pub fn add(&mut self, number: u64, line: &Line) {
        let replay = match line.admit(&self.door) {
            Ok(replay) => replay,
            Err(why) => {
                self.left_out += 1;
                self.first_left_out.get_or_insert_with(|| format!("line {number}: {why}"));
                return;
            }
        };
        self.requests += 1;
        let (checked, readings) = (self.tree.checked(), &replay.readings);
        let mut prompt = replay.prompt.clone();
        let request = self.tree.request(&replay.facts, &mut prompt);
        let Some(decider) = decide(self.tree, &request, &mut self.tree.fetch(readings)) else { return };
        let seen = Seen { checked, facts: &replay.facts, readings };
        let asked = |id| readings.label(id).is_some();
        for (at, count) in self.rules.iter_mut().enumerate().skip(decider.index()) {
            // A classifier that nobody had to ask might have said anything.
            let matches =
                at == decider.index() || seen.answer(&checked.rules[at].when, &mut prompt, &asked) == Answer::Yes;
            count.matches += u64::from(matches);
            if let Some(taken) = count.taken.get_mut(decider.index()).filter(|_| matches) {
                *taken += 1;
            }
        }
    }

    /// R412, in page order.
    pub fn findings(&self) -> Vec<Diagnostic> {
        let checked = self.tree.checked();
        let rules = self.rules.iter().enumerate();
        rules.filter_map(|(at, count)| finding(checked, RuleId(at as u32), count)).collect()
    }
}

fn finding(checked: &Checked, id: RuleId, count: &Count) -> Option<Diagnostic> {
    let rule = &checked.rules[id.index()];
    let taken: u64 = count.taken.iter().sum();
    let seldom = count.matches >= MIN_MATCHES && taken * 100 > count.matches * MOST_TAKEN;
    // What has no condition is there for what is left.
    if !seldom || matches!(rule.when, Cond::True) {
        return None;
    }
    let percent = taken * 100 / count.matches;
    let message = format!("rules above take {percent}% of what `{}` matches in recorded traffic", rule.name);
    let left = match count.matches - taken {
        0 => "decides none".to_owned(),
        left => format!("decides {}", grouped(left)),
    };
    let here = format!("{left} of the {} requests it matches", grouped(count.matches));
    let mut takers: Vec<(usize, u64)> = count.taken.iter().copied().enumerate().filter(|(_, n)| *n > 0).collect();
    // The one that takes most first; of two that take as much, the upper one.
    takers.sort_by_key(|(at, n)| (std::cmp::Reverse(*n), *at));
    let first = checked.rules.get(takers.first()?.0)?;
    let found = Diagnostic::new(&R412, rule.span, message).here(here);
    let found = takers
        .iter()
        .take(MAX_SHOWN)
        .fold(found, |found, (at, n)| found.label(checked.rules[*at].span, format!("takes {} of them", grouped(*n))));
    let help = format!(
        "move `{}` above `{}` if it is meant for them, or say in its `when` what is left for it",
        rule.name, first.name
    );
    Some(found.help(help))
}
