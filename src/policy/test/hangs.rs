//! What the chain of a test hangs on, beyond who decides: the size of the prompt, stages of rollouts, labels that rollouts ask for.
//!
//! In: a request as understood, what was said, who decides. Out: what is missing, with what to write. Must not know: expectations.

use super::super::checked::{RolloutId, RuleId};
use super::super::explain::Asked;
use super::super::plan::{Action, asks, plan};
use super::super::readings::Readings;
use super::super::tree::Tree;
use super::Input;
use crate::units::Share;

/// A missing input of a chain: in words, and what to write.
pub struct Lacks {
    /// Which input.
    pub what: String,
    /// How it is given.
    pub help: String,
}

/// Everything that could give this request another chain and that the test does not say.
pub fn lacking(tree: &Tree, asked: &Asked, rule: RuleId, said: &[Input]) -> Vec<Lacks> {
    let checked = tree.checked();
    let is_said = |name: &str| said.iter().any(|input| input.name == name);
    let hops = |prompt: u64, readings: &Readings| {
        let mut prompt = prompt;
        match plan(tree, rule, &asked.facts, &mut prompt, readings, &|_| None).action {
            Action::Run(run) => run.hops.iter().map(|hop| hop.snapshot).collect(),
            Action::Reject { .. } => Vec::new(),
        }
    };
    let mut lacks = Vec::new();
    if !is_said("prompt_tokens") && hops(0, &asked.readings) != hops(checked.max_prompt.0, &asked.readings) {
        let help = "add `prompt_tokens 2k` to the request".to_owned();
        lacks.push(Lacks { what: "`prompt_tokens`".to_owned(), help });
    }
    for (at, rollout) in checked.moving.rollouts.iter().enumerate() {
        let key = format!("rollout {}", rollout.name);
        let staged = |stage: Share| {
            let mut readings = asked.readings.clone();
            readings.standing_mut().set_stage(RolloutId(at as u16), stage);
            hops(asked.prompt_tokens, &readings)
        };
        if !is_said(&key) && staged(Share(0)) != staged(Share::WHOLE) {
            lacks.push(Lacks { what: format!("rollout `{}`", rollout.name), help: format!("add `given {key} at 0%`") });
        }
    }
    let mut prompt = asked.prompt_tokens;
    let labeled = |id: super::super::checked::ClassifierId| {
        checked.moving.classifiers.get(id.index()).is_none_or(|one| is_said(&one.name))
    };
    if let Some(id) = asks(checked, rule, &asked.facts, &mut prompt, &asked.readings, &labeled) {
        let name = &checked.moving.classifiers[id.index()].name;
        lacks.push(Lacks {
            what: format!("classifier `{name}`, which a rollout asks for"),
            help: format!("add `{name} LABEL` to the request"),
        });
    }
    lacks
}
