//! What an edit does to the requests of a group, in the words of `--fail-on`.
//!
//! In: two outcomes, each with its policy. Out: flags, with the numbers and names behind them. Must not know: conditions.

use std::fmt;

use super::super::ast::Order;
use super::super::checked::{Chain, Checked, Claim, Degrade, Hold, Hop, Outcome, Promise, SnapshotId, Target, TierId};
use crate::catalog::Price;
use crate::units::{Millis, Usd};

/// Share of more time at worst that counts as slower, in percent.
const SLOWER_PERCENT: u64 = 10;
/// Tokens of prompt by which prices are compared.
const USUAL_PROMPT: u64 = 2000;
/// Tokens of answer by which prices are compared.
const USUAL_ANSWER: u64 = 400;

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident $word:literal $title:literal,)*) => {
        /// A kind of change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Flag { $($(#[$doc])* $name,)* }
        impl Flag {
            /// Every flag, in the order in which they are shown.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
            /// As `--fail-on` takes it.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }
            /// As people read it.
            const fn title(self) -> &'static str {
                match self { $(Self::$name => $title),* }
            }
        }
    };
}

flags! {
    /// A lower tier is promised, or none where there was one.
    Downgrade "downgrade" "DOWNGRADE",
    /// A higher tier is promised, or one where there was none.
    Upgrade "upgrade" "UPGRADE",
    /// A chain became a refusal.
    Rejected "rejected" "REJECTED",
    /// A refusal became a chain.
    Admitted "admitted" "ADMITTED",
    /// A queue stood at the end of the chain, and none does.
    LosesPerson "loses-person" "LOSES PERSON",
    /// A provider that saw none of these requests can see them.
    NewProvider "new-provider" "NEW PROVIDER",
    /// A region that saw none of these requests can see them, or one that nobody stated.
    LeavesRegion "leaves-region" "LEAVES REGION",
    /// Fewer hops than before.
    LosesFallback "loses-fallback" "LOSES FALLBACKS",
    /// The state of a budget decided, and decides no more.
    BudgetBypassed "budget-bypassed" "BUDGET BYPASSED",
    /// The first choice costs more for a usual request.
    CostUp "cost-up" "COST UP",
    /// The chain can take longer, by a tenth or more.
    Slower "slower" "SLOWER",
    /// Answers were kept, and are no more.
    CacheLost "cache-lost" "CACHE LOST",
    /// The old rule decides nothing any more.
    DeadRule "dead-rule" "NOW UNREACHABLE",
}

/// A flag, and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raised {
    /// Which.
    pub flag: Flag,
    /// Of [`Flag::CostUp`]: by how much.
    pub percent: Option<u64>,
    /// Names or numbers; may be empty.
    pub detail: String,
}

impl Raised {
    /// A flag with what it rests on.
    pub fn new(flag: Flag, detail: impl Into<String>) -> Self {
        Self { flag, percent: None, detail: detail.into() }
    }

    /// As documents write it: `downgrade`, `cost-up=40%`.
    pub fn word(&self) -> String {
        self.percent.map_or_else(|| self.flag.word().to_owned(), |percent| format!("{}={percent}%", self.flag.word()))
    }
}

/// As people read it: `LOSES FALLBACKS (azure, mistral)`, `COST UP 40%`.
impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.flag == Flag::DeadRule {
            return write!(f, "{} is now unreachable (R401)", self.detail);
        }
        f.write_str(self.flag.title())?;
        match (self.percent, &*self.detail) {
            (Some(percent), _) => write!(f, " {percent}%"),
            (None, "") => Ok(()),
            (None, detail) => write!(f, " ({detail})"),
        }
    }
}

/// A word of `--fail-on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Which.
    pub flag: Flag,
    /// Of [`Flag::CostUp`]: from how much on; 0 is any.
    pub percent: u64,
}

impl Wanted {
    /// Whether a flag is one of those.
    pub fn is(self, raised: &Raised) -> bool {
        self.flag == raised.flag && raised.percent.unwrap_or(self.percent) >= self.percent
    }
}

impl std::str::FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (word, percent) = text.split_once('=').map_or((text, None), |(word, percent)| (word, Some(percent)));
        let words = || Flag::ALL.iter().map(|flag| flag.word());
        let Some(flag) = Flag::ALL.iter().copied().find(|flag| flag.word() == word) else {
            return Err(match crate::names::nearest(word, words()).first() {
                Some(near) => format!("`{word}` is no flag; the nearest is `{near}`"),
                None => format!("`{word}` is no flag; there are {}", words().collect::<Vec<_>>().join(", ")),
            });
        };
        match percent {
            None => Ok(Self { flag, percent: 0 }),
            Some(_) if flag != Flag::CostUp => Err(format!("`{word}` takes no number; `cost-up=20%` does")),
            Some(number) => {
                let number = number.strip_suffix('%').unwrap_or(number);
                let percent = number.parse().map_err(|_| format!("`{text}` has no percentage; write `cost-up=20%`"))?;
                Ok(Self { flag, percent })
            }
        }
    }
}

/// One outcome, and the policy it belongs to.
#[derive(Clone, Copy)]
pub struct Of<'a> {
    /// The policy.
    pub checked: &'a Checked,
    /// The outcome.
    pub outcome: &'a Outcome,
}

/// What changes from one outcome to another, as far as the two outcomes show it.
pub fn flags(was: Of<'_>, now: Of<'_>) -> Vec<Raised> {
    let (before, after) = match (was.outcome, now.outcome) {
        (Outcome::Chain(before), Outcome::Chain(after)) => (before, after),
        (Outcome::Chain(_), Outcome::Reject { status, .. }) => {
            return vec![Raised::new(Flag::Rejected, status.to_string())];
        }
        (Outcome::Reject { status, .. }, Outcome::Chain(_)) => {
            return vec![Raised::new(Flag::Admitted, format!("was {status}"))];
        }
        _ => return Vec::new(),
    };
    let (was, now) = (Side { checked: was.checked, chain: before }, Side { checked: now.checked, chain: after });
    let mut raised = Vec::new();
    raised.extend(tier(was, now));
    if was.has_queue() && !now.has_queue() {
        raised.push(Raised::new(Flag::LosesPerson, ""));
    }
    let (old, new) = (was.providers(), now.providers());
    let strange: Vec<&str> = new.iter().filter(|one| !old.contains(one)).copied().collect();
    if !strange.is_empty() {
        raised.push(Raised::new(Flag::NewProvider, strange.join(", ")));
    }
    raised.extend(region(was, now));
    if !after.hops.is_empty() && after.hops.len() < before.hops.len() {
        let left: Vec<&str> = now.called();
        let gone: Vec<&str> = was.called().into_iter().filter(|one| !left.contains(one)).collect();
        let counts = || format!("{} to {}", before.hops.len(), after.hops.len());
        raised.push(Raised::new(Flag::LosesFallback, if gone.is_empty() { counts() } else { gone.join(", ") }));
    }
    if let (Some(old), Some(new)) = (was.usual_cost(), now.usual_cost()) {
        let percent = new.0.saturating_sub(old.0).saturating_mul(100) / old.0.max(1);
        raised.extend((percent > 0).then(|| Raised { percent: Some(percent), ..Raised::new(Flag::CostUp, "") }));
    }
    if let (Some(cache), None) = (&before.extras.cache, &after.extras.cache) {
        raised.push(Raised::new(Flag::CacheLost, cache.fresh.to_string()));
    }
    let (old, new) = (was.worst_time(), now.worst_time());
    if new.0.saturating_mul(100) > old.0.saturating_mul(100 + SLOWER_PERCENT) && !before.hops.is_empty() {
        raised.push(Raised::new(Flag::Slower, format!("{old} to {new} at worst")));
    }
    raised
}

/// A lower or a higher promise. Tiers are compared by their order in the new policy.
fn tier(was: Side<'_>, now: Side<'_>) -> Option<Raised> {
    let place = |name: &str| {
        let found = now.checked.tiers.iter().enumerate().find(|(_, tier)| *tier.name == *name)?;
        (!found.1.specialized).then_some(found.0)
    };
    let (from, to) = (was.tier_name(), now.tier_name());
    let text = |from: Option<&str>, to: Option<&str>| format!("{} to {}", from.unwrap_or("none"), to.unwrap_or("none"));
    let flag = match (from.map(place), to.map(place)) {
        (Some(Some(from)), Some(Some(to))) if from < to => Flag::Downgrade,
        (Some(Some(from)), Some(Some(to))) if from > to => Flag::Upgrade,
        (Some(_), None) if now.chain.hops.is_empty() => Flag::Downgrade,
        (None, Some(_)) if was.chain.hops.is_empty() => Flag::Upgrade,
        _ => return None,
    };
    Some(Raised::new(flag, text(from, to)))
}

/// A region nobody stated may be any; where that was so before, nothing is left that could be lost.
fn region(was: Side<'_>, now: Side<'_>) -> Option<Raised> {
    let before = was.regions()?;
    if before.is_empty() {
        return None;
    }
    match now.regions() {
        None => Some(Raised::new(Flag::LeavesRegion, "to one nobody stated")),
        Some(after) => {
            let strange: Vec<&str> = after.iter().filter(|one| !before.contains(one)).map(|one| &**one).collect();
            (!strange.is_empty()).then(|| Raised::new(Flag::LeavesRegion, strange.join(", ")))
        }
    }
}

#[derive(Clone, Copy)]
struct Side<'a> {
    checked: &'a Checked,
    chain: &'a Chain,
}

impl<'a> Side<'a> {
    fn promised(self) -> Option<TierId> {
        match self.chain.promise {
            Promise::Tier(id) => Some(id),
            Promise::Nothing | Promise::AsRequested => None,
        }
    }

    fn tier_name(self) -> Option<&'a str> {
        self.promised().map(|id| &*self.checked.tiers[id.index()].name)
    }

    fn has_queue(self) -> bool {
        self.chain.degrade.iter().any(|step| matches!(step, Degrade::Queue { .. }))
    }

    /// Every snapshot that a hop can call: `requested` can be any that a client may ask for.
    fn snapshots(self, hop: &Hop) -> Vec<SnapshotId> {
        match hop.target {
            Target::Snapshot(id) => vec![id],
            Target::Requested => {
                let ordered = self.checked.tiers.iter().filter(|tier| !tier.specialized);
                ordered.flat_map(|tier| tier.members.iter().chain(&tier.candidates).copied()).collect()
            }
        }
    }

    fn shadow(self) -> Option<SnapshotId> {
        self.chain.extras.shadow.as_ref().map(|shadow| shadow.snapshot.node)
    }

    /// Whoever sees these requests: the providers of its hops, and of the shadow that gets copies.
    fn providers(self) -> Vec<&'a str> {
        let shadow = self.shadow().map(|id| &*self.checked.snapshots[id.index()].model.provider);
        let mut names = self.called();
        names.extend(shadow.filter(|name| !names.contains(name)));
        names
    }

    /// Providers of its hops, in the order in which they are first tried.
    fn called(self) -> Vec<&'a str> {
        let mut names: Vec<&str> = Vec::new();
        for id in self.chain.hops.iter().flat_map(|hop| self.snapshots(hop)) {
            let name: &'a str = &self.checked.snapshots[id.index()].model.provider;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Where its hops can run; `None` as soon as one of them says nothing about it.
    fn regions(self) -> Option<Vec<String>> {
        let mut all = Vec::new();
        for hop in &self.chain.hops {
            let only = &hop.options.regions;
            for id in self.snapshots(hop) {
                let stated = self.checked.snapshots[id.index()].facts.as_deref()?.regions.as_ref()?;
                let kept = stated.iter().filter(|region| only.is_empty() || only.iter().any(|one| **one == ***region));
                all.extend(kept.map(ToString::to_string));
            }
        }
        all.sort();
        all.dedup();
        Some(all)
    }

    /// What a usual request costs at the first choice: the dearest of those that may come first.
    fn usual_cost(self) -> Option<Usd> {
        let first = self.chain.hops.iter().take(1);
        let promised = self.chain.hops.iter().filter(|hop| hop.claim == Claim::Promised);
        let choices: Vec<&Hop> = if self.chain.order == Order::InOrder { first.collect() } else { promised.collect() };
        let cost = |hop: &&Hop| match hop.target {
            Target::Requested => None,
            Target::Snapshot(id) => self.checked.snapshots[id.index()].facts.as_deref()?.price.as_ref().map(usual_cost),
        };
        choices.iter().map(cost).collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// Every hop at its limit, retries included, waits between them left out.
    fn worst_time(self) -> Millis {
        let attempts =
            |at: usize, hop: &Hop| hop.options.retry.map_or(u64::from(at == 0), |retry| retry.count.into()) + 1;
        let limit = |hop: &Hop| match self.chain.hold {
            Hold::FirstToken => hop.options.timeout.max(hop.options.first_token),
            Hold::Tokens(_) | Hold::Complete => hop.options.timeout.max(hop.options.stream_timeout),
        };
        let all = self.chain.hops.iter().enumerate();
        let sum = all.fold(Millis(0), |sum, (at, hop)| sum + Millis(limit(hop).0.saturating_mul(attempts(at, hop))));
        sum.min(self.chain.deadline)
    }
}

fn usual_cost(price: &Price) -> Usd {
    Usd::per_token(price.input).times(USUAL_PROMPT) + Usd::per_token(price.output).times(USUAL_ANSWER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_flag_or_names_the_nearest() {
        for flag in Flag::ALL {
            assert_eq!(flag.word().parse(), Ok(Wanted { flag: *flag, percent: 0 }));
        }
        assert_eq!("cost-up=20%".parse(), Ok(Wanted { flag: Flag::CostUp, percent: 20 }));
        assert_eq!("cost-up=20".parse(), Ok(Wanted { flag: Flag::CostUp, percent: 20 }));
        for (wrong, says) in [
            ("downgrad", "`downgrad` is no flag; the nearest is `downgrade`"),
            ("", "`` is no flag; there are downgrade, upgrade"),
            ("slower=3%", "`slower` takes no number"),
            ("cost-up=much", "write `cost-up=20%`"),
        ] {
            assert!(wrong.parse::<Wanted>().unwrap_err().contains(says), "{wrong}");
        }
    }

    #[test]
    fn a_threshold_of_cost_is_met_at_its_own_number() {
        let raised = Raised { percent: Some(20), ..Raised::new(Flag::CostUp, "") };
        let is = |text: &str| text.parse::<Wanted>().unwrap().is(&raised);
        assert!(is("cost-up") && is("cost-up=20%") && !is("cost-up=21%") && !is("slower"));
        assert_eq!((raised.word(), raised.to_string()), ("cost-up=20%".to_owned(), "COST UP 20%".to_owned()));
    }
}
