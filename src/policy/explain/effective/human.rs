//! Options in force, as a person reads them.
//!
//! In: [`Effective`]. Out: aligned lines, with styles that a pipe takes out. Must not know: terminals.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::super::super::checked::{Chain, Checked, Hop, Origin, Outcome, Promise, Retry, Rule, WrittenAt};
use super::super::super::resolve::FIRST_TOKEN;
use super::super::super::shown::options as written;
use super::super::super::source::Sources;
use super::super::human::{PLACE_COLUMN, WORD_COLUMN, place};
use super::{Effective, From, Setting, chain, claim, of_chain, of_hop, target};
use crate::failure::FailureSet;

const NAME: Style = Style::new().bold();
const ORIGIN: Style = AnsiColor::Cyan.on_default();
/// What nobody wrote is there to be looked up, not to be read.
const QUIET: Style = Style::new().dimmed();
/// Values beyond this width do not push the places of all others away.
const WIDEST: usize = 44;
/// Width of the scope before a place.
const SCOPE: usize = 10;

impl Effective<'_> {
    /// The whole page, ending in a newline.
    pub fn human(&self, sources: &Sources) -> String {
        let mut page =
            Page { checked: self.tree.checked(), sources, text: String::new(), retries: false, moves_on: false };
        for (at, rule) in self.rules.iter().enumerate() {
            if at > 0 {
                page.text.push('\n');
            }
            page.rule(rule);
        }
        let features: Vec<_> = self.features().collect();
        if !features.is_empty() && self.rules.iter().any(|rule| chain(rule).is_some()) {
            page.text.push_str("\nfor requests of a feature, at most\n");
        }
        for feature in features {
            let caps = [
                feature.max_output.map(|most| format!("max_output {most}")),
                feature.deadline.map(|most| format!("deadline {most}")),
            ];
            let caps = caps.into_iter().flatten().collect::<Vec<_>>().join(", ");
            let at = place(sources, feature.span);
            let _ = writeln!(page.text, "  {:<WORD_COLUMN$}{caps:<WIDEST$}  {at}", feature.name);
        }
        page.defaults();
        page.text
    }
}

struct Page<'a> {
    checked: &'a Checked,
    sources: &'a Sources,
    text: String,
    /// Some hop's `retry` is `default`.
    retries: bool,
    /// Some hop's `on` has `default` in it.
    moves_on: bool,
}

/// Options that hold for a rule, or for hops of it.
struct Block<'a> {
    /// The first of them, and the names of all.
    hops: Option<(&'a Hop, Vec<String>)>,
    settings: Vec<Setting>,
}

impl Page<'_> {
    fn rule(&mut self, rule: &Rule) {
        let place = place(self.sources, rule.span);
        let width = PLACE_COLUMN.saturating_sub(1).saturating_sub(rule.name.chars().count());
        let _ = writeln!(self.text, "{NAME}{}{NAME:#} {:width$}{place}", rule.name, "");
        match &rule.outcome {
            Outcome::Reject { status, message } => {
                let message = message.as_deref().map(|text| format!(" \"{text}\"")).unwrap_or_default();
                let _ = writeln!(self.text, "  {:<WORD_COLUMN$}{status}{message}", "reject");
            }
            Outcome::Chain(chain) => self.chain(chain),
        }
    }

    fn chain(&mut self, chain: &Chain) {
        let tier = match chain.promise {
            Promise::Nothing => None,
            Promise::Tier(id) => Some(&*self.checked.tiers[id.index()].name),
            Promise::AsRequested => Some("as requested"),
        };
        if let Some(tier) = tier {
            let _ = writeln!(self.text, "  {:<WORD_COLUMN$}{tier}, {}", "tier", written::order(chain.order));
        }
        let mut blocks = vec![Block { hops: None, settings: of_chain(self.checked, chain) }];
        for hop in &chain.hops {
            self.hop(hop, &mut blocks);
        }
        let lines = blocks.iter().flat_map(|block| &block.settings);
        let width = lines.map(|one| one.text.chars().count()).filter(|width| *width <= WIDEST).max().unwrap_or(0);
        for block in blocks {
            if let Some((hop, names)) = &block.hops {
                let _ = writeln!(self.text, "  {:<WORD_COLUMN$}{}", claim(hop), names.join(", "));
            }
            let indent = if block.hops.is_some() { 2 } else { 0 };
            for setting in block.settings.iter().filter(|one| !one.text.is_empty()) {
                self.setting(setting, indent, width);
            }
        }
    }

    /// One more hop; what one statement made of a tier stands together, with the values that differ side by side.
    fn hop<'b>(&mut self, hop: &'b Hop, blocks: &mut Vec<Block<'b>>) {
        let (settings, name) = (of_hop(self.checked, hop), target(self.checked, hop));
        self.retries |= hop.options.retry.is_none();
        self.moves_on |= hop.options.on.union(FailureSet::MOVES_ON) == hop.options.on;
        if let Some(Block { hops: Some((first, names)), settings: whole }) = blocks.last_mut()
            && together(first, hop)
            && whole.iter().zip(&settings).all(|(whole, own)| whole.from == own.from)
        {
            names.push(name);
            for (whole, own) in whole.iter_mut().zip(settings) {
                if !whole.text.split(", ").any(|part| part == own.text) && whole.text != own.text {
                    whole.text = format!("{}, {}", whole.text, own.text);
                }
            }
            return;
        }
        blocks.push(Block { hops: Some((hop, vec![name])), settings });
    }

    /// What the word `default` stands for, once for the whole page.
    fn defaults(&mut self) {
        let mut said = String::new();
        if self.retries {
            let once = written::retry(Retry::DEFAULT);
            let _ = writeln!(said, "  {:<WORD_COLUMN$}{once} at the hop that is tried first, 0 at the others", "retry");
        }
        if self.moves_on {
            let _ = writeln!(said, "  {:<WORD_COLUMN$}{}", "on", written::failures(FailureSet::MOVES_ON));
        }
        if !said.is_empty() {
            let _ = write!(self.text, "\n`default` is\n{said}");
        }
    }

    fn setting(&mut self, one: &Setting, indent: usize, width: usize) {
        let name = WORD_COLUMN - indent;
        let style = if one.from.place().is_some() { ORIGIN } else { QUIET };
        let from = self.from(one.from);
        let _ = writeln!(self.text, "  {:indent$}{:<name$}{:<width$}  {style}{from}{style:#}", "", one.name, one.text);
    }

    fn from(&self, from: From) -> String {
        let at = |at: WrittenAt| place(self.sources, at.span);
        match from {
            From::BuiltIn | From::Catalog => from.word().to_owned(),
            From::Written(written) => format!("{:<SCOPE$}{}", from.word(), at(written)),
            From::Lowered { by, from: outer } => {
                let lowered = outer.map_or_else(|| format!("the built-in {FIRST_TOKEN}"), at);
                format!("{:<SCOPE$}{}, its timeout lowers {lowered}", from.word(), at(by))
            }
        }
    }
}

fn together(first: &Hop, other: &Hop) -> bool {
    matches!(first.origin, Origin::Tier(_)) && first.origin == other.origin && first.span == other.span
}
