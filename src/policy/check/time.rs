//! Whether a chain can finish before its deadline (codes R501 to R503; R504 is judged where options are inherited).
//!
//! In: a [`Checked`]. Out: findings. Must not know: requests.

use super::super::bounds::{backoffs, limit_of};
use super::super::checked::{Chain, Checked, Hop, Origin, Outcome, Retry, Rule};
use super::super::diagnostic::{Diagnostic, R501, R502, R503};
use crate::units::Millis;

/// All findings about time.
pub fn check(checked: &Checked, findings: &mut Vec<Diagnostic>) {
    for rule in &checked.rules {
        if let Outcome::Chain(chain) = &rule.outcome {
            above_deadline(chain, findings);
            cannot_fit(rule, chain, findings);
        }
    }
}

/// The longest a chain can take until it is released or given up, every hop failing at its limit: the sum that R502 judges.
pub fn worst_time(chain: &Chain) -> Millis {
    [false, true].into_iter().map(|streaming| total(chain, streaming, true)).max().unwrap_or_default()
}

/// R503: an attempt that is allowed more than the whole chain has.
fn above_deadline(chain: &Chain, findings: &mut Vec<Diagnostic>) {
    let mut said = Vec::new();
    for hop in &chain.hops {
        let options = &hop.options;
        // A written `timeout` is one for both kinds; the two built-in ones are not, and end at the deadline without a word.
        let written = options.timeout == options.stream_timeout;
        if !written || options.timeout <= chain.deadline || said.contains(&hop.span) {
            continue;
        }
        said.push(hop.span);
        let title = format!("`timeout` is {}, above the deadline of {}", shown(options.timeout), shown(chain.deadline));
        let finding = Diagnostic::new(&R503, hop.span, title).here("the chain ends before this attempt may");
        findings.push(finding.help(format!("write `timeout {}` or less, or raise `deadline`", shown(chain.deadline))));
    }
}

/// R501 and R502.
fn cannot_fit(rule: &Rule, chain: &Chain, findings: &mut Vec<Diagnostic>) {
    for streaming in [false, true] {
        let kind = if streaming { "a stream" } else { "an answer" };
        let mut sum = Millis(0);
        for hop in counted(chain) {
            let limit = limit_of(&hop.options, chain.hold, streaming);
            sum += limit;
            // One attempt alone above the deadline is R503, or simply ends with it.
            if sum > chain.deadline && limit < sum {
                let title = format!(
                    "the hops of `{}` need {}, and the deadline is {}",
                    rule.name,
                    shown(sum),
                    shown(chain.deadline)
                );
                let finding = Diagnostic::new(&R501, hop.span, title)
                    .here("the first hop that cannot finish")
                    .note(format!("one attempt at each hop, for {kind}: {}", parts(chain, streaming)))
                    .help("lower the timeouts of this chain, raise `deadline`, or delete a hop");
                findings.push(finding);
                return;
            }
        }
    }
    for streaming in [false, true] {
        let sum = total(chain, streaming, true);
        let alone = counted(chain).count() == 1 && total(chain, streaming, false) > chain.deadline;
        if sum > chain.deadline && !alone {
            let kind = if streaming { "streams" } else { "answers" };
            let title = format!(
                "with retries, `{}` can need {}, and the deadline is {}",
                rule.name,
                shown(sum),
                shown(chain.deadline)
            );
            let finding = Diagnostic::new(&R502, rule.span, title)
                .note(format!("attempts and waits, for {kind}: {}", retried_parts(chain, streaming)))
                .help("lower the timeouts or the retries of this chain, or raise `deadline`");
            findings.push(finding);
            return;
        }
    }
}

/// Written hops, and one hop of each expansion: the members that no longer fit are simply not tried.
fn counted(chain: &Chain) -> impl Iterator<Item = &Hop> {
    let expanded_before = |at: usize| {
        at > 0
            && matches!(chain.hops[at].origin, Origin::Tier(_))
            && chain.hops[at - 1].origin == chain.hops[at].origin
            && chain.hops[at - 1].span == chain.hops[at].span
    };
    chain.hops.iter().enumerate().filter(move |(at, _)| !expanded_before(*at)).map(|(_, hop)| hop)
}

fn retry(hop: &Hop, at: usize) -> Retry {
    hop.options.retry.unwrap_or(if at == 0 { Retry::DEFAULT } else { Retry::NONE })
}

fn total(chain: &Chain, streaming: bool, retries: bool) -> Millis {
    let mut sum = Millis(0);
    for (at, hop) in counted(chain).enumerate() {
        let retry = if retries { retry(hop, at) } else { Retry::NONE };
        let limit = limit_of(&hop.options, chain.hold, streaming);
        sum += Millis(limit.0.saturating_mul(u64::from(retry.count) + 1));
        sum += backoffs(retry);
    }
    sum
}

fn parts(chain: &Chain, streaming: bool) -> String {
    let limits: Vec<String> = counted(chain).map(|hop| shown(limit_of(&hop.options, chain.hold, streaming))).collect();
    limits.join(" + ")
}

fn retried_parts(chain: &Chain, streaming: bool) -> String {
    let hops = counted(chain).enumerate().map(|(at, hop)| {
        let retry = retry(hop, at);
        let limit = limit_of(&hop.options, chain.hold, streaming);
        if retry.count == 0 { shown(limit) } else { format!("{} x {}", retry.count + 1, shown(limit)) }
    });
    hops.collect::<Vec<_>>().join(" + ")
}

/// Up to two minutes in seconds, so that a sum and its deadline read alike.
fn shown(time: Millis) -> String {
    const SECONDS_UPTO: u64 = 120_000;
    if time.0 < SECONDS_UPTO && time.0.is_multiple_of(1000) { format!("{}s", time.0 / 1000) } else { time.to_string() }
}
