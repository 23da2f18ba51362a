//! What the policy says about a scene, and whether it came true.
//!
//! In: the compiled policy, a scene, the providers that are down; afterwards the answer and what the providers saw. Out: an
//! [`Expected`], and a list of differences. Must not know: sockets. It asks the same functions as `wayside explain`.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;

use super::client::Answer;
use super::scenes::Scene;
use crate::catalog::Catalog;
use crate::policy::checked::{Checked, Degrade};
use crate::policy::explain::{self, Explanation};
use crate::policy::plan::{Action, Plan, PlannedHop};
use crate::policy::tree::Tree;

/// What should happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The rule that decides.
    pub rule: String,
    /// Where it stands: the line in the policy, from 1.
    pub line: u32,
    /// Its author's reason.
    pub because: Option<String>,
    /// HTTP status.
    pub status: u16,
    /// The tier of the answer; the promised one when nothing answers.
    pub tier: Option<String>,
    /// The chain, first choice first.
    pub hops: Vec<Hop>,
    /// The position of the hop that answers.
    pub answers: Option<u8>,
    /// The degrade step that stands in.
    pub degraded: Option<String>,
    /// What a rule that refuses says.
    pub refusal: Option<String>,
    /// What stands at the end of the chain, whether it is needed or not.
    pub last_word: Option<String>,
}

/// One hop of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// From 1.
    pub position: u8,
    /// Who.
    pub provider: String,
    /// `provider/id`.
    pub snapshot: String,
    /// Its tier.
    pub tier: Option<String>,
    /// Calls at most: one and the retries.
    pub calls: u64,
}

/// Asks the policy.
///
/// # Errors
/// If the scene is none of this policy's: every mistake, one to a line.
pub fn expect(
    tree: &Tree,
    catalog: &Arc<Catalog>,
    today: Date,
    scene: &Scene,
    line_of: impl Fn(u32) -> u32,
    down: &[String],
) -> Result<Expected, String> {
    let asked = explain::ask(tree, catalog, today, &scene.facts()).map_err(|errors| errors.join("\n"))?;
    let Explanation { rule, plan, .. } = explain::explain(tree, &asked);
    let (Some(rule), Some(plan)) = (rule, plan) else { return Err(format!("{}: no rule matches", scene.title)) };
    let checked = tree.checked();
    let rule = &checked.rules[rule.index()];
    let mut expected = Expected {
        rule: rule.name.to_string(),
        line: line_of(rule.span.lo),
        because: rule.because.as_deref().map(str::to_owned),
        status: 200,
        tier: plan.tier.map(|tier| checked.tiers[tier.index()].name.to_string()),
        hops: Vec::new(),
        answers: None,
        degraded: None,
        refusal: None,
        last_word: None,
    };
    expected.play(checked, &plan, down);
    Ok(expected)
}

impl Expected {
    /// Walks the plan: a hop whose provider is down does not answer.
    fn play(&mut self, checked: &Checked, plan: &Plan, down: &[String]) {
        let run = match &plan.action {
            Action::Reject { status, message } => {
                (self.status, self.tier, self.refusal) = (*status, None, Some(message.clone()));
                return;
            }
            Action::Run(run) => run,
        };
        self.hops = run.hops.iter().map(|hop| Hop::of(checked, hop)).collect();
        let up = self.hops.iter().find(|hop| !down.contains(&hop.provider));
        self.answers = up.map(|hop| hop.position);
        if let Some(tier) = up.and_then(|hop| hop.tier.clone()) {
            self.tier = Some(tier);
        }
        self.last_word = run.degrade.first().map(|step| match step {
            Degrade::Template(template) => format!("template {}", checked.templates[template.index()].name),
            Degrade::Error { status, .. } => format!("error {status}"),
            Degrade::Cached { .. } => "cached answer".to_owned(),
            Degrade::Queue { name, .. } => format!("queue {name}"),
        });
        if self.answers.is_none() {
            self.degraded.clone_from(&self.last_word);
            self.status = match run.degrade.first() {
                Some(Degrade::Template(_) | Degrade::Cached { .. }) => 200,
                Some(Degrade::Queue { .. }) => 202,
                Some(Degrade::Error { status, .. }) => *status,
                None => 503,
            };
        }
    }

    /// The hop that answers.
    pub fn answering(&self) -> Option<&Hop> {
        self.hops.iter().find(|hop| Some(hop.position) == self.answers)
    }

    /// What came out differently, one sentence each. `calls` is what each `provider/id` saw.
    pub fn differences(&self, answer: &Answer, calls: &BTreeMap<String, u64>) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |what: &str, wanted: Option<&str>, got: Option<&str>| {
            if wanted != got {
                let show = |value: Option<&str>| value.map_or("nothing".to_owned(), |value| format!("`{value}`"));
                found.push(format!("{what}: the policy says {}, the answer says {}", show(wanted), show(got)));
            }
        };
        compare("status", Some(&self.status.to_string()), Some(&answer.status.to_string()));
        compare("rule", Some(&self.rule), answer.header("x-wayside-rule"));
        compare("tier", self.tier.as_deref(), answer.header("x-wayside-tier"));
        let answering = self.answering();
        compare("snapshot", answering.map(|hop| &*hop.snapshot), answer.header("x-wayside-snapshot"));
        let position = answering.map(|hop| hop.position.to_string());
        compare("hop", position.as_deref(), answer.header("x-wayside-hop"));
        // The header names the kind of step, and may name which one of that kind.
        let kind = |step: &str| step.split_whitespace().next().map(str::to_owned);
        let wanted = self.degraded.as_deref().and_then(kind);
        compare("degraded", wanted.as_deref(), answer.header("x-wayside-degraded").and_then(kind).as_deref());
        if !answer.complete {
            found.push("the answer ended before its end".to_owned());
        }
        found.extend(self.wrong_calls(calls));
        found
    }

    /// Calls that the chain does not explain.
    fn wrong_calls(&self, calls: &BTreeMap<String, u64>) -> Vec<String> {
        let mut found = Vec::new();
        for (snapshot, seen) in calls {
            let hop = self.hops.iter().find(|hop| hop.snapshot == *snapshot);
            // A hop that failed a moment ago may be left out; it is never called more often than its retries allow.
            let most = match hop {
                Some(hop) if Some(hop.position) == self.answers => 1,
                Some(hop) if self.answers.is_none_or(|answers| hop.position < answers) => hop.calls,
                _ => 0,
            };
            if *seen > most {
                found.push(format!("{snapshot} was called {seen} times; the chain allows {most}"));
            }
        }
        if let Some(hop) = self.answering().filter(|hop| !calls.contains_key(&hop.snapshot)) {
            found.push(format!("{} should have answered and was never called", hop.snapshot));
        }
        found
    }
}

impl Hop {
    fn of(checked: &Checked, hop: &PlannedHop) -> Self {
        let model = &checked.snapshots[hop.snapshot.index()].model;
        Self {
            position: hop.position,
            provider: model.provider.to_string(),
            snapshot: model.to_string(),
            tier: hop.tier.map(|tier| checked.tiers[tier.index()].name.to_string()),
            calls: 1 + u64::from(hop.retry.count),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hyper::HeaderMap;

    use super::super::{Policy, SCENES};
    use super::*;

    fn expected(scene: usize, down: &[&str]) -> Expected {
        let down: Vec<_> = down.iter().map(|name| (*name).to_owned()).collect();
        Policy::compile().unwrap().expect(&SCENES[scene], &down).unwrap()
    }

    /// An answer that says what the policy says, and the calls that go with it.
    fn obedient(expected: &Expected) -> (Answer, BTreeMap<String, u64>) {
        let mut headers = HeaderMap::new();
        let mut set = |name: &'static str, value: Option<String>| {
            headers.extend(value.map(|value| (Some(name.parse().unwrap()), value.parse().unwrap())));
        };
        set("x-wayside-rule", Some(expected.rule.clone()));
        set("x-wayside-tier", expected.tier.clone());
        set("x-wayside-snapshot", expected.answering().map(|hop| hop.snapshot.clone()));
        set("x-wayside-hop", expected.answers.map(|hop| hop.to_string()));
        set("x-wayside-degraded", expected.degraded.clone());
        let answer = Answer {
            status: expected.status,
            headers,
            text: String::new(),
            events: 0,
            complete: true,
            first_word: None,
            took: Duration::ZERO,
        };
        let calls = expected.answering().map(|hop| (hop.snapshot.clone(), 1)).into_iter().collect();
        (answer, calls)
    }

    #[test]
    fn each_scene_shows_something_else() {
        let rules: Vec<_> = (0..SCENES.len()).map(|scene| expected(scene, SCENES[scene].down).rule).collect();
        assert_eq!(rules, ["paying", "otherwise", "paying", "long_threads", "free_long_prompt", "paying", "tags"]);
        assert_eq!(expected(0, &[]).answers, Some(1));
        assert_eq!(expected(4, &[]).status, 413);
        assert_eq!(expected(5, &["anthropic"]).answers, Some(2));
        let degraded = expected(6, &["anthropic", "openai"]);
        assert_eq!((degraded.answers, degraded.degraded.as_deref()), (None, Some("template untagged")));
    }

    #[test]
    fn an_obedient_answer_has_no_differences() {
        for (at, scene) in SCENES.iter().enumerate() {
            let expected = expected(at, scene.down);
            let (answer, calls) = obedient(&expected);
            assert_eq!(expected.differences(&answer, &calls), [""; 0], "{}", scene.title);
        }
    }

    #[test]
    fn every_kind_of_difference_is_found() {
        let expected = expected(5, &["anthropic"]);
        for name in ["rule", "tier", "snapshot", "hop"] {
            let (mut answer, calls) = obedient(&expected);
            let header: hyper::header::HeaderName = format!("x-wayside-{name}").parse().unwrap();
            answer.headers.insert(header, "other".parse().unwrap());
            let found = expected.differences(&answer, &calls);
            assert!(found.len() == 1 && found[0].starts_with(name), "{found:?}");
        }
        let (mut answer, calls) = obedient(&expected);
        (answer.status, answer.complete) = (500, false);
        answer.headers.insert("x-wayside-degraded", "template sorry".parse().unwrap());
        assert_eq!(expected.differences(&answer, &calls).len(), 3);

        let (answer, _) = obedient(&expected);
        let calls = |calls: &[(&str, u64)]| calls.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
        let (first, second, third) =
            ("anthropic/claude-sonnet-5", "openai/gpt-5.4-2026-03-05", "openai/gpt-5.4-mini-2026-03-17");
        assert!(expected.differences(&answer, &calls(&[(first, 1), (second, 1)])).is_empty());
        for wrong in [
            &[][..],
            &[(second, 2)],
            &[(second, 1), (third, 1)],
            &[(first, 3), (second, 1)],
            &[(second, 1), ("x/y", 1)],
        ] {
            assert_eq!(expected.differences(&answer, &calls(wrong)).len(), 1, "{wrong:?}");
        }
    }
}
