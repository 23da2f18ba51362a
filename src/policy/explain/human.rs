//! An explanation as a person reads it, in the layout of section 9.7.
//!
//! In: an [`Explanation`]. Out: text without colors. Must not know: terminals.

use std::fmt::Write;

use super::super::ast::{Intent, Order};
use super::super::bounds;
use super::super::checked::{Chain, Claim, Class, Degrade, Hold, Promise, Retry};
use super::super::plan::{Action, PlannedHop, Run};
use super::super::shown::options as written;
use super::super::source::{Sources, Span};
use super::rollouts::{Met, Why};
use super::{Explanation, detail};
use crate::units::{Millis, Share, Usd};

/// Where the place of the rule begins.
pub(super) const PLACE_COLUMN: usize = 72;
/// Width of the first words of a line.
pub(super) const WORD_COLUMN: usize = 16;
/// A retirement this many days ahead is worth a word.
const RETIREMENT_DAYS: i32 = 60;

impl Explanation<'_> {
    /// The whole page, ending in a newline.
    pub fn human(&self, sources: &Sources) -> String {
        let mut page = Page(String::new());
        match self.rule() {
            None => page.0.push_str("no rule matches\n"),
            Some(rule) => {
                let _ = writeln!(page.0, "{:<PLACE_COLUMN$}{}", format!("{} ", rule.name), place(sources, rule.span));
                if let Some(because) = &rule.because {
                    page.line("because", because);
                }
                self.decision(&mut page);
            }
        }
        self.read(&mut page);
        let assumed: Vec<String> = self.assumed().map(|(key, value)| format!("{key} {value}")).collect();
        if !assumed.is_empty() {
            page.line("assumed", &assumed.join(", "));
        }
        self.passed_over(&mut page);
        if let Some(logged) = &self.logged {
            page.0.push_str("logged\n");
            logged.human(self.tree.hash(), &mut page.0);
        }
        page.0
    }

    fn decision(&self, page: &mut Page) {
        match self.plan.as_ref().map(|plan| &plan.action) {
            None => {}
            Some(Action::Reject { status, message }) => page.line("reject", &format!("{status} \"{message}\"")),
            Some(Action::Run(run)) => {
                if let Some(chain) = self.chain() {
                    self.run(page, chain, run);
                }
            }
        }
    }

    fn run(&self, page: &mut Page, chain: &Chain, run: &Run) {
        let tier = self.plan.as_ref().and_then(|plan| plan.tier).map(|id| &*self.checked().tiers[id.index()].name);
        if chain.promise != Promise::Nothing {
            let order = match chain.order {
                Order::InOrder => String::new(),
                other => format!(", {}", written::order(other)),
            };
            let requested = if chain.promise == Promise::AsRequested { ", as requested" } else { "" };
            page.line("tier", &format!("{}{order}{requested}", tier.unwrap_or("none")));
        }
        self.hops(page, run);
        for step in &run.degrade {
            page.line("degrade", &degrade(self, step));
        }
        if run.hops.is_empty() && run.degrade.is_empty() {
            page.line("degrade", "nothing: the caller gets a 503");
        }
        self.conduct(page, chain, run);
        if !run.hops.is_empty() {
            page.line("time", &time(run, self.asked.facts.streaming));
        }
        for met in self.rollouts() {
            self.rollout(page, &met);
        }
        for dropped in &run.dropped {
            let name = dropped
                .snapshot
                .map_or("requested".to_owned(), |id| self.checked().snapshots[id.index()].model.to_string());
            let why = detail::detail(self.checked(), chain, dropped, &self.asked.facts);
            page.line("dropped", &format!("{name}: {why}"));
        }
    }

    /// What a rollout does here; one at 0% does nothing for anybody.
    fn rollout(&self, page: &mut Page, met: &Met<'_>) {
        let old = &self.checked().snapshots[met.rollout.replace.node.index()].model;
        let does = match met.why {
            Why::Idle => return,
            Why::Acts => format!("in front of {old}"),
            Why::WaitsFor(other) => format!("but it waits for {other} to stand at its last stage"),
            Why::Above => format!("which this request, at {}, is above", Share(met.bucket)),
            Why::Outside => "but this request is outside its `where`".to_owned(),
            Why::BehindAnother => format!("but another snapshot is in front of {old} already"),
        };
        page.line("rollout", &format!("{} at {}, {does}", met.rollout.name, met.stage));
    }

    /// One line for each hop: claim, snapshot, limit, bound on cost.
    fn hops(&self, page: &mut Page, run: &Run) {
        let streaming = self.asked.facts.streaming;
        let names: Vec<String> =
            run.hops.iter().map(|hop| self.checked().snapshots[hop.snapshot.index()].model.to_string()).collect();
        let limits: Vec<String> = run.hops.iter().map(|hop| seconds(bounds::limit(hop, run.hold, streaming))).collect();
        let widest = |list: &[String]| list.iter().map(String::len).max().unwrap_or(0);
        let (name_width, limit_width) = (widest(&names), widest(&limits));
        for (at, hop) in run.hops.iter().enumerate() {
            let (name, limit) = (&names[at], &limits[at]);
            let text = format!("{name:<name_width$}  {limit:>limit_width$}  {}", self.hop_notes(run, at));
            page.line(word(hop, at), text.trim_end());
        }
    }

    fn hop_notes(&self, run: &Run, at: usize) -> String {
        let hop = &run.hops[at];
        let mut notes = match self.hop_cost(hop) {
            Some(cost) => format!("up to ${}", dollars(cost)),
            None => "no bound on its cost is known".to_owned(),
        };
        let extra = self.extra(run, at);
        if !extra.is_nothing() {
            let hedged = hop.hedge_after.map_or("hedged".to_owned(), |after| format!("hedged after {after}"));
            let words = [(extra.legs > 0, &*hedged), (extra.again, "billed twice"), (extra.resumed, "resumed")];
            let words: Vec<&str> = words.into_iter().filter_map(|(so, word)| so.then_some(word)).collect();
            let words = words.join(" and ");
            let _ = match self.bill(run, at) {
                Some(cost) => write!(notes, ", {words} up to ${}", dollars(cost)),
                None => write!(notes, ", {words}"),
            };
            if extra.legs > 0 && hop.hedge_after.is_none() {
                notes.push_str(" once its p95 is known");
            }
        }
        let usual = if at == 0 { Retry::DEFAULT } else { Retry::NONE };
        if hop.retry != usual {
            let _ = match hop.retry.count {
                0 => write!(notes, ", no retry"),
                1 => write!(notes, ", 1 retry"),
                more => write!(notes, ", {more} retries"),
            };
        }
        let entry = self.checked().snapshots[hop.snapshot.index()].facts.as_deref();
        if let Some(days) =
            entry.and_then(|entry| entry.days_left(self.asked.readings.today)).filter(|days| *days <= RETIREMENT_DAYS)
        {
            let _ = write!(notes, ", retires in {days} {}", if days == 1 { "day" } else { "days" });
        }
        notes
    }

    /// What else the rule says about the way an answer travels.
    fn conduct(&self, page: &mut Page, chain: &Chain, run: &Run) {
        if self.asked.facts.streaming && !run.hops.is_empty() && run.hold != Hold::FirstToken {
            page.line("hold", &written::hold(run.hold));
        }
        for guard in &chain.extras.guards {
            page.line("guard", &self.tree.checked().moving.guards[guard.node.index()].name);
        }
    }

    fn read(&self, page: &mut Page) {
        let of_class = |class: Class| {
            let columns = self.reads.iter().map(|read| self.tree.space().column(read.column));
            columns.filter(|column| column.class == class).map(|column| &*column.name).collect::<Vec<_>>().join(", ")
        };
        let mut parts = vec![of_class(Class::Reading)];
        let paid = of_class(Class::Paid);
        if !paid.is_empty() {
            parts.push(format!("classifier {paid}"));
        }
        parts.retain(|part| !part.is_empty());
        if !parts.is_empty() {
            page.line("read", &parts.join("; "));
        }
    }

    fn passed_over(&self, page: &mut Page) {
        if self.passed.is_empty() {
            return;
        }
        page.0.push_str("passed over\n");
        let rows: Vec<(&str, String, String)> = self
            .passed
            .iter()
            .map(|one| {
                let column = &self.tree.space().column(one.column).name;
                (
                    &*self.checked().rules[one.rule.index()].name,
                    format!("{column} is {}", one.is),
                    format!("(wants {})", one.wants),
                )
            })
            .collect();
        let name_width = rows.iter().map(|row| row.0.chars().count()).max().unwrap_or(0);
        let is_width = rows.iter().map(|row| row.1.chars().count()).max().unwrap_or(0);
        for (name, is, wants) in rows {
            let _ = writeln!(page.0, "  {name:<name_width$}  {is:<is_width$}  {wants}");
        }
    }
}

/// Lines of a page.
struct Page(String);

impl Page {
    fn line(&mut self, word: &str, text: &str) {
        let _ = writeln!(self.0, "  {word:<WORD_COLUMN$}{text}");
    }
}

/// `file:line`
pub(super) fn place(sources: &Sources, span: Span) -> String {
    let file = sources.file(span.file);
    format!("{}:{}", file.path, file.place(span.lo).line)
}

const fn word(hop: &PlannedHop, at: usize) -> &'static str {
    match hop.claim {
        Claim::Promised if at == 0 => "snapshot",
        Claim::Promised => "then",
        Claim::Fallback(Intent::Peer) => "fallback peer",
        Claim::Fallback(Intent::Lower) => "fallback lower",
        Claim::Fallback(Intent::Higher) => "fallback higher",
    }
}

fn degrade(explanation: &Explanation<'_>, step: &Degrade) -> String {
    match step {
        Degrade::Template(id) => format!("template {}", explanation.checked().templates[id.index()].name),
        Degrade::Cached { up_to } => format!("cached up to {up_to}"),
        Degrade::Queue { name, within: Some(within) } => format!("queue {name} within {within}"),
        Degrade::Queue { name, within: None } => format!("queue {name}"),
        Degrade::Error { status, message: Some(message) } => format!("error {status} \"{message}\""),
        Degrade::Error { status, message: None } => format!("error {status}"),
    }
}

fn time(run: &Run, streaming: bool) -> String {
    let worst = bounds::worst_time(run, streaming);
    if worst > run.deadline {
        return format!(
            "{0} of {0} at worst; all attempts together could take {1}",
            seconds(run.deadline),
            seconds(worst)
        );
    }
    format!("{} of {} at worst", seconds(worst), seconds(run.deadline))
}

/// A bound in dollars, rounded up so that it stays one: four digits after the point are enough to compare hops.
pub fn dollars(cost: Usd) -> String {
    const FOURTH: u64 = 100_000_000;
    if cost.0 < FOURTH {
        return cost.to_string();
    }
    Usd(cost.0.div_ceil(FOURTH).saturating_mul(FOURTH)).to_string()
}

/// A bound in seconds, rounded up so that it stays one; from ten minutes on as a policy writes it.
pub fn seconds(time: Millis) -> String {
    if time.0 < 1000 || time.0 >= 600_000 {
        return time.to_string();
    }
    let tenths = time.0.div_ceil(100);
    if tenths.is_multiple_of(10) { format!("{}s", tenths / 10) } else { format!("{}.{}s", tenths / 10, tenths % 10) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_rounded_up() {
        for (amount, text) in [(0.0205, "0.0205"), (0.00072, "0.0008"), (0.000_012, "0.000012"), (1.2, "1.20")] {
            assert_eq!(dollars(Usd::from_dollars(amount)), text);
        }
        for (millis, text) in
            [(41_250, "41.3s"), (41_000, "41s"), (40_999, "41s"), (250, "250ms"), (60_000, "60s"), (600_000, "10m")]
        {
            assert_eq!(seconds(Millis(millis)), text);
        }
    }
}
