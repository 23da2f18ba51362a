//! Rollouts that a running proxy has finished: R719.
//!
//! In: a policy, its files, what a proxy says of itself. Out: findings. Must not know: sockets, the clock; how long a stage has
//! stood is the proxy's to say.

use serde::{Deserialize, Serialize};

use super::super::ast::{File, HopRef, ItemKind, Model, RuleBody, RuleStmtKind, TierLine};
use super::super::checked::{Checked, Rollout, SnapshotId};
use super::super::diagnostic::{Diagnostic, Edit, Fix, R719};
use super::super::source::{Sources, Span};
use crate::units::{Millis, Share};

/// What `GET /status` of the admin listener says, as far as `check --live` compares it. Other fields are skipped.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Running {
    /// The policy's name.
    pub policy: String,
    /// Its content hash.
    pub policy_hash: String,
    /// Where its rollouts stand.
    #[serde(default)]
    pub rollouts: Vec<Stands>,
}

/// Where a rollout stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stands {
    /// Its name.
    pub rollout: String,
    /// Its stage, like `50%`.
    pub stage: String,
    /// For how long it has stood there, in seconds.
    pub stood_s: u64,
}

/// R719 for each rollout that has stood at its last stage for as long as it holds a stage.
pub fn finished(checked: &Checked, files: &[File], sources: &Sources, running: &Running) -> Vec<Diagnostic> {
    let rollouts = checked.moving.rollouts.iter();
    let one = |rollout: &Rollout| {
        let stands = running.rollouts.iter().find(|one| *one.rollout == *rollout.name)?;
        let last = rollout.stages.last()?.node;
        let stood = Millis(stands.stood_s.saturating_mul(1000));
        let done = stands.stage.parse::<Share>() == Ok(last) && stood >= rollout.hold.node;
        done.then(|| finding(checked, files, sources, rollout, stood))
    };
    rollouts.filter_map(one).collect()
}

fn finding(checked: &Checked, files: &[File], sources: &Sources, rollout: &Rollout, stood: Millis) -> Diagnostic {
    let model = |id: SnapshotId| checked.snapshots[id.index()].model.to_string();
    let (old, new) = (model(rollout.replace.node), model(rollout.with.node));
    let last = rollout.stages.last().map_or(Share(0), |last| last.node);
    let message = format!("rollout `{}` has stood at its last stage, {last}, for {}", rollout.name, rounded(stood));
    let found = Diagnostic::new(&R719, rollout.span, message);
    let found = found.label(rollout.hold.span, format!("finished after {}", rollout.hold.node));
    if last != Share::WHOLE || rollout.within.is_some() {
        let who = if last == Share::WHOLE { "requests outside its `where`" } else { "the rest of its requests" };
        return found
            .note(format!("{who} still get {old}, so a rule has to say who gets which"))
            .help(format!("write {new} where these requests are decided, and delete rollout `{}`", rollout.name));
    }
    let title = format!("swap {old} and {new} in tiers and rules, and delete rollout `{}`", rollout.name);
    let mut edits = swaps(files, &old, &new);
    edits.push(Edit { span: lines(rollout.whole, sources), text: String::new() });
    // Behind the new snapshot the old one no longer follows by itself, so decisions change.
    Diagnostic { fixes: vec![Fix { safe: false, title: title.clone(), edits }], ..found.help(title) }
}

/// Days, hours or what is left, without a rest.
fn rounded(stood: Millis) -> Millis {
    let unit = [86_400_000, 3_600_000, 60_000, 1000].into_iter().find(|unit| stood.0 >= *unit).unwrap_or(1);
    Millis(stood.0 / unit * unit)
}

/// Each of the two in the place of the other, in tiers, ladders and rules.
fn swaps(files: &[File], old: &str, new: &str) -> Vec<Edit> {
    let mut models: Vec<&Model> = Vec::new();
    for item in files.iter().flat_map(|file| &file.items) {
        match &item.kind {
            ItemKind::Tier(tier) => models.extend(tier.lines.iter().filter_map(member)),
            ItemKind::Ladder { body, .. } | ItemKind::Rule { body, .. } | ItemKind::Otherwise { body, .. } => {
                models.extend(hops(body));
            }
            _ => {}
        }
    }
    let swap = |model: &Model| {
        let name = format!("{}/{}", model.provider, model.id);
        let text = [(old, new), (new, old)].into_iter().find(|(from, _)| *from == name)?.1;
        Some(Edit { span: model.span, text: text.to_owned() })
    };
    models.into_iter().filter_map(swap).collect()
}

const fn member(line: &TierLine) -> Option<&Model> {
    match line {
        TierLine::Member { model, .. } => Some(model),
        TierLine::Requires { .. } | TierLine::Setting(_) => None,
    }
}

fn hops(body: &RuleBody) -> impl Iterator<Item = &Model> {
    body.stmts.iter().filter_map(|stmt| match &stmt.kind {
        RuleStmtKind::Snapshot { hop: HopRef::Model(model), .. }
        | RuleStmtKind::Fallback { hop: HopRef::Model(model), .. } => Some(model),
        _ => None,
    })
}

/// A declaration with the rest of its last line and the blank lines behind it.
fn lines(whole: Span, sources: &Sources) -> Span {
    let text = &sources.file(whole.file).text;
    let rest = &text[whole.hi as usize..];
    let blank = rest.len() - rest.trim_start_matches(['\n', '\r', ' ']).len();
    Span { hi: whole.hi + blank as u32, ..whole }
}
