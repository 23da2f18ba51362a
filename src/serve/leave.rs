//! Leave to try a snapshot, and the word of what became of it.
//!
//! In: a hop, the health of its snapshot. Out: leave, or none; how an attempt ended, for all requests to know. Must not know: what
//! was asked, what was answered.

use super::health::{Health, Shut};
use super::sidecar::{InForce, Sidecar};
use super::walk::Walk;
use crate::chain::SkipReason;
use crate::chain::breaker::{Pass, Turned};
use crate::dialect::upstream_error::UpstreamError;
use crate::policy::plan::PlannedHop;
use crate::units::Millis;

/// Leave to try a snapshot. Dropped before anything is told about the attempt, nobody waited for it any more.
pub struct Leave<'a> {
    sidecar: &'a Sidecar,
    now: &'a InForce,
    health: &'a Health,
    snapshot: &'a str,
    /// How long it takes is counted: something waits for its p95.
    measured: bool,
    pass: Option<Pass>,
}

impl<'a> Leave<'a> {
    /// None when its breaker is open, unless nothing else is left to try.
    pub fn of(walk: &Walk<'a>, hop: &PlannedHop) -> Result<Self, SkipReason> {
        Self::given(walk, hop, walk.chain.is_last_chance())
    }

    /// For an attempt beside another: none when its snapshot asked for a pause, either.
    pub fn beside(walk: &Walk<'a>, hop: &PlannedHop) -> Result<Self, SkipReason> {
        match walk.now.health(hop.snapshot).shut(walk.sidecar.uptime()) {
            Some(Shut::CoolingDown) => Err(SkipReason::CoolingDown),
            Some(Shut::BreakerOpen) => Err(SkipReason::BreakerOpen),
            None => Self::given(walk, hop, false),
        }
    }

    fn given(walk: &Walk<'a>, hop: &PlannedHop, forced: bool) -> Result<Self, SkipReason> {
        let (sidecar, now) = (walk.sidecar, walk.now);
        let health = &**now.health(hop.snapshot);
        let pass = health.begin(sidecar.uptime(), forced).ok_or(SkipReason::BreakerOpen)?;
        let measured = now.policy.checked().moving.p95_of(hop.snapshot).is_some();
        Ok(Self { sidecar, now, health, snapshot: now.snapshot_text(hop.snapshot), measured, pass: Some(pass) })
    }

    /// Its attempt finds out whether a breaker can close.
    pub fn is_probe(&self) -> bool {
        self.pass.is_some_and(Pass::is_probe)
    }

    /// It was answered; for a stream, its first content was here after so long.
    pub fn answered(mut self, took: Millis) {
        let measured = self.measured.then_some(took);
        self.end(|health, pass, leave| {
            health.answered(pass, measured, leave.sidecar.uptime(), &leave.now.config.breakers)
        });
    }

    /// It failed after so long.
    pub fn failed(mut self, error: &UpstreamError, took: Millis) {
        let measured = self.measured.then_some(took);
        self.end(|health, pass, leave| {
            let (uptime, settings) = (leave.sidecar.uptime(), &leave.now.config.breakers);
            health.failed(pass, (error.failure, error.retry_after), measured, uptime, settings)
        });
    }

    fn end(&mut self, end: impl FnOnce(&Health, Pass, &Self) -> Option<Turned>) {
        if let Some(pass) = self.pass.take() {
            let turned = end(self.health, pass, self);
            self.sidecar.turned(self.snapshot, turned);
        }
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if let Some(pass) = self.pass.take() {
            self.health.canceled(pass, self.sidecar.uptime(), &self.now.config.breakers);
        }
    }
}
