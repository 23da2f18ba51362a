//! Rollouts: two snapshots, for whom, in which stages, until what (section 6.1).
//!
//! In: their statements. Out: [`Rollout`]s. Must not know: the chains they act on.

use super::super::ast::{Block, BlockStmt, ItemKind, Setting};
use super::super::checked::{JudgeId, Rollout, RolloutId, ShadowFirst, SnapshotId, Sticky};
use super::super::diagnostic::{Diagnostic, R112};
use super::super::source::{Span, Spanned};
use super::Resolver;
use super::clauses::Line;
use super::header::settings;
use super::names::Sort;
use crate::units::{Millis, Share};

const STAGES: &str = "stages [1%, 10%, 50%, 100%]";

impl<'a> Resolver<'a> {
    /// All rollouts. Those whose two snapshots are known get a row first, so that each can wait for any other.
    pub(super) fn rollouts(&mut self) {
        let mut bodies = Vec::new();
        for (name, span, item) in self.names.all(Sort::Rollout) {
            let ItemKind::Decl { body, .. } = &item.kind else { continue };
            let replace = self.one_model(name, span, body, "replace");
            let with = self.one_model(name, span, body, "with");
            let (Some(replace), Some(with)) = (replace, with) else { continue };
            if replace.node == with.node {
                let message = format!("rollout `{name}` replaces a snapshot with itself");
                let finding = Diagnostic::new(&R112, with.span, message).label(replace.span, "the same snapshot");
                self.desk.report(finding.help("write the snapshot that comes behind `with`"));
                continue;
            }
            bodies.push(body);
            self.out.moving.rollouts.push(Rollout {
                name: name.into(),
                span,
                whole: item.span,
                after: None,
                replace,
                with,
                within: None,
                by: None,
                shadow: None,
                scored_by: None,
                stages: Vec::new(),
                hold: Spanned { node: Millis::MAX, span },
                halt: None,
            });
        }
        for (at, body) in bodies.into_iter().enumerate() {
            self.rollout_body(RolloutId(at as u16), body);
        }
        self.rollouts_that_wait_for_themselves();
    }

    fn one_model(&mut self, name: &str, span: Span, body: &'a Block, word: &str) -> Option<Spanned<SnapshotId>> {
        let form = if word == "replace" { "replace PROVIDER/ID" } else { "with PROVIDER/ID" };
        let mut slot = None;
        for setting in settings(body).filter(|setting| setting.key.node == word) {
            let value = self.desk.only(&mut Line::new(setting, form));
            let read = value.and_then(|value| self.model(value, &format!("`{word}`")));
            self.put(&mut slot, &format!("`{word}`"), setting.span, read);
        }
        if !Self::says(body, word) {
            self.missing(&format!("rollout `{name}`"), span, word, form);
        }
        slot
    }

    fn rollout_body(&mut self, id: RolloutId, body: &'a Block) {
        let row = &self.out.moving.rollouts[id.index()];
        let (name, span) = (row.name.clone(), row.span);
        let (mut after, mut within, mut halt, mut by) = (None, None, None, None);
        let (mut shadow, mut scored_by, mut stages, mut hold) = (None, None, None, None);
        for stmt in &body.stmts {
            match stmt {
                BlockStmt::Cond { key, cond } if key.node == "halt when" => {
                    self.measured_of = Some(id);
                    self.put_measured(&mut halt, key, cond, &name);
                    self.measured_of = None;
                }
                BlockStmt::Cond { key, cond } => self.put_clause(&mut within, key, cond, &name),
                BlockStmt::Setting(setting) => match setting.key.node.as_str() {
                    "after" => {
                        let value = self.desk.only(&mut Line::new(setting, "after NAME"));
                        let read = value.and_then(|value| self.named(Sort::Rollout, value)).map(RolloutId);
                        self.put(&mut after, "`after`", setting.span, read);
                    }
                    "by" => {
                        let read = self.sticky(setting);
                        self.put(&mut by, "`by`", setting.span, read);
                    }
                    "shadow" => {
                        let read = self.shadow_first(setting);
                        self.put(&mut shadow, "`shadow`", setting.span, read);
                    }
                    "budget" => self.shadow_budget(&mut shadow, setting),
                    "scored" => {
                        let mut line = Line::new(setting, "scored by NAME");
                        let read = self.desk.expect(&mut line, "by").and_then(|()| self.desk.only(&mut line));
                        let read = read.and_then(|value| self.named(Sort::Judge, value)).map(JudgeId);
                        self.put(&mut scored_by, "`scored by`", setting.span, read);
                    }
                    "stages" => {
                        let read = self.stages(setting);
                        self.put(&mut stages, "`stages`", setting.span, read);
                    }
                    "hold" => self.put_time(&mut hold, setting, "hold 2d"),
                    _ => {}
                },
                BlockStmt::Nested { .. } => {}
            }
        }
        for (word, form) in [("stages", STAGES), ("hold", "hold 2d")] {
            if !Self::says(body, word) {
                self.missing(&format!("rollout `{name}`"), span, word, form);
            }
        }
        let row = &mut self.out.moving.rollouts[id.index()];
        (row.after, row.within, row.halt, row.by) = (after, within, halt, by);
        (row.scored_by, row.shadow) = (scored_by, shadow.map(|one| one.node));
        row.stages = stages.map(|list| list.node).unwrap_or_default();
        row.hold = hold.unwrap_or(row.hold);
    }

    fn sticky(&mut self, setting: &'a Setting) -> Option<Sticky> {
        let value = self.desk.only(&mut Line::new(setting, "by tenant"))?;
        let word = self.desk.word(value, "`by`")?;
        Some(match word {
            "tenant" => Sticky::Tenant,
            "user" => Sticky::User,
            _ => Sticky::Attribute(self.attribute_by_name(word, value.span, &["tenant", "user"])?),
        })
    }

    /// `shadow first 10% for 3d`; a budget may follow as a statement of its own.
    fn shadow_first(&mut self, setting: &'a Setting) -> Option<ShadowFirst> {
        let mut line = Line::new(setting, "shadow first 10% for 3d, budget NAME");
        self.desk.expect(&mut line, "first")?;
        let share = self.desk.following(&mut line)?;
        let share = self.desk.some_share(share, "`shadow first`")?;
        self.desk.expect(&mut line, "for")?;
        let lasts = self.desk.only(&mut line)?;
        let lasts = self.desk.some_time(lasts, "`shadow first .. for`")?;
        Some(ShadowFirst { share, lasts, budget: None, span: setting.span })
    }

    fn shadow_budget(&mut self, shadow: &mut Option<Spanned<ShadowFirst>>, setting: &'a Setting) {
        let value = self.desk.only(&mut Line::new(setting, "budget NAME"));
        let read = value.and_then(|value| self.budget_by_name(value));
        match shadow {
            Some(shadow) => self.put(&mut shadow.node.budget, "`budget`", setting.span, read),
            None => {
                let message = "a rollout's `budget` pays for its `shadow first`, and none is written above it";
                self.misplaced(setting.span, message.into(), "write `shadow first 10% for 3d, budget NAME`");
            }
        }
    }

    /// Shares that grow.
    fn stages(&mut self, setting: &'a Setting) -> Option<Vec<Spanned<Share>>> {
        let value = self.desk.only(&mut Line::new(setting, STAGES))?;
        let stages = self.each_of(value, "`stages`", |own, value| {
            let node = own.desk.some_share(value, "a stage")?;
            Some(Spanned { node, span: value.span })
        })?;
        if let Some(pair) = stages.windows(2).find(|pair| pair[1].node <= pair[0].node) {
            let message = format!("stage {} does not come after {}", pair[1].node, pair[0].node);
            let finding = Diagnostic::new(&R112, pair[1].span, message).label(pair[0].span, "the stage before");
            self.desk.report(finding.help("write the stages from the smallest to the largest, each once"));
            return None;
        }
        Some(stages)
    }

    /// A ring of `after`: none of its rollouts could ever begin.
    fn rollouts_that_wait_for_themselves(&mut self) {
        let rollouts = &self.out.moving.rollouts;
        let mut findings = Vec::new();
        for (at, row) in rollouts.iter().enumerate() {
            let next = |id: &RolloutId| rollouts[id.index()].after.map(|after| after.node);
            let ring: Vec<RolloutId> =
                std::iter::successors(row.after.map(|after| after.node), next).take(rollouts.len()).collect();
            let Some(end) = ring.iter().position(|id| id.index() == at) else { continue };
            // Told once, at the first of the ring.
            if ring[..end].iter().any(|id| id.index() < at) {
                continue;
            }
            let names = ring[..=end].iter().map(|id| &*rollouts[id.index()].name);
            let names: Vec<&str> = std::iter::once(&*row.name).chain(names).collect();
            let span = row.after.map_or(row.span, |after| after.span);
            let message = format!("rollout `{}` waits for itself", row.name);
            let finding = Diagnostic::new(&R112, span, message).note(format!("the ring: {}", names.join(" -> ")));
            findings.push(finding.help("delete one `after` of the ring"));
        }
        findings.into_iter().for_each(|finding| self.desk.report(finding));
    }
}
