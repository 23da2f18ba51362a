//! What all requests share, and what is in force for the next one.
//!
//! In: a configuration and a policy, now and after every reload. Out: one [`InForce`] for each request. Must not know: HTTP.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use http::HeaderValue;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::Notify;

use super::cached::Answers;
use super::health::{Health, Healths, Shut};
use super::latency::Measured;
use super::policy::Policy;
use super::queue::{AGAIN_EVERY, Queues};
use super::schema::Schemas;
use super::tally::{Most, Shown, Tally};
use crate::chain::breaker::Turned;
use crate::config::{Config, Environment, Fixed, ProviderKind};
use crate::names::ModelRef;
use crate::policy::checked::{RuleId, SnapshotId, TierId};
use crate::policy::readings::Readings;
use crate::telemetry::Telemetry;
use crate::units::Millis;
use crate::upstream::{Pools, Upstream};

/// One running sidecar.
pub struct Sidecar {
    in_force: ArcSwap<InForce>,
    origin: Origin,
    /// What was configured at the start, where only a start can change it.
    fixed: Fixed,
    /// Keys of it that the command line stands in for.
    overridden: Vec<&'static str>,
    pools: Arc<Pools>,
    /// Counters and the request log.
    pub telemetry: Arc<Telemetry>,
    /// What is in work.
    pub tally: Arc<Tally>,
    /// What is known about snapshots, whatever policy names them.
    healths: Healths,
    /// Schemas that answers are held against.
    pub schemas: Schemas,
    /// When the process began.
    pub started: Instant,
    last_reload: Mutex<Option<LastReload>>,
    reloading: tokio::sync::Mutex<()>,
    /// Tickets that wait are to be tried now.
    again: Arc<Notify>,
}

/// Where configuration and policy come from, so that they can be read again.
#[derive(Clone, Debug)]
pub struct Origin {
    /// `wayside.yaml`; `None` keeps the configuration the sidecar was started with.
    pub config: Option<PathBuf>,
    /// Stands in for the file's own `policy`.
    pub policy: Option<PathBuf>,
}

/// Configuration and policy that belong together, and everything that can be prepared from them.
pub struct InForce {
    /// As meant.
    pub config: Arc<Config>,
    /// Compiled.
    pub policy: Policy,
    /// Where requests wait for a person.
    pub queues: Queues,
    /// Answers that may be given again.
    pub answers: Answers,
    /// How long snapshots take, where the policy asks.
    pub measured: Measured,
    /// Since when.
    pub loaded_at: jiff::Timestamp,
    upstreams: Vec<Option<Arc<Upstream>>>,
    healths: Vec<Arc<Health>>,
    upstream_ids: Vec<Box<str>>,
    snapshot_texts: Vec<Box<str>>,
    snapshot_names: Vec<HeaderValue>,
    rule_names: Vec<HeaderValue>,
    tier_names: Vec<HeaderValue>,
}

/// The last attempt to load.
#[derive(Clone, Debug, Serialize)]
pub struct LastReload {
    /// When.
    pub at: String,
    /// Why it was tried.
    pub why: &'static str,
    /// `ok`, `unchanged` or `rejected`.
    pub result: &'static str,
    /// Why it was rejected; what was in force before still is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<String>,
}

/// Something is wrong with what was read. What was in force before still is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected(pub String);

impl std::fmt::Display for Rejected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Rejected {}

/// What a reload did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// Something new is in force.
    Changed,
    /// The files say what they said before.
    Unchanged,
}

impl Sidecar {
    /// Prepares the first configuration and policy; an error here means that nothing is started.
    pub fn new(config: Config, origin: Origin, telemetry: Arc<Telemetry>) -> Result<Arc<Self>, Rejected> {
        let metrics = &telemetry.metrics;
        let tally = Arc::new(Tally::new(Shown {
            connections: Some(metrics.connections.clone()),
            exchanges: Some(metrics.in_flight.clone()),
            waiting: Some(metrics.waiting.clone()),
        }));
        let pools = Arc::new(Pools::new(config.limits.pool));
        let (fixed, overridden) = (config.fixed.clone(), config.overridden());
        let healths = Healths::default();
        let first = InForce::prepare(config, None, &pools, &healths)?.opened(None, &telemetry)?;
        let sidecar = Self {
            in_force: ArcSwap::from_pointee(first),
            origin,
            fixed,
            overridden,
            pools,
            telemetry,
            tally,
            healths,
            schemas: Schemas::default(),
            started: Instant::now(),
            last_reload: Mutex::default(),
            reloading: tokio::sync::Mutex::default(),
            again: Arc::default(),
        };
        sidecar.announce(&sidecar.in_force());
        Ok(Arc::new(sidecar))
    }

    /// Prepares everything and throws it away; nothing is opened.
    pub fn try_out(config: Config) -> Result<(), Rejected> {
        let pools = Pools::new(config.limits.pool);
        InForce::prepare(config, None, &pools, &Healths::default()).map(drop)
    }

    /// What holds for a request that begins now. It keeps it to its end, whatever is loaded meanwhile.
    pub fn in_force(&self) -> Arc<InForce> {
        self.in_force.load_full()
    }

    /// Since the process began.
    pub fn uptime(&self) -> Millis {
        Millis(self.started.elapsed().as_millis() as u64)
    }

    /// A breaker opened or closed, if it did: said aloud, since somebody may be looking for the reason of a fallback.
    pub fn turned(&self, snapshot: &str, turned: Option<Turned>) {
        let Some(turned) = turned else { return };
        self.telemetry.metrics.breaker(snapshot, matches!(turned, Turned::Opened(_)));
        match turned {
            Turned::Opened(pause) => {
                tracing::warn!(snapshot, pause = %pause, "breaker opened: no attempt before a probe is answered");
            }
            Turned::Closed => tracing::info!(snapshot, "breaker closed: the snapshot answers again"),
        }
    }

    /// Counts a request that never became an exchange.
    pub fn refused(&self, reason: &str) {
        self.telemetry.metrics.refused(reason);
    }

    /// How the last reload went.
    pub fn last_reload(&self) -> Option<LastReload> {
        self.last_reload.lock().clone()
    }

    /// Files whose change is a change of what is in force.
    pub fn files(&self) -> Vec<PathBuf> {
        let now = self.in_force();
        let mut files = now.policy.files.clone();
        files.extend(self.origin.config.clone());
        files.extend(now.config.files.iter().cloned());
        files
    }

    /// Reads everything again. What is in force stays so when any of it is wrong, and that is said aloud.
    pub async fn reload(self: &Arc<Self>, why: &'static str) -> Result<Reloaded, Rejected> {
        let _one_at_a_time = self.reloading.lock().await;
        let sidecar = Arc::clone(self);
        let loaded = tokio::task::spawn_blocking(move || sidecar.load()).await;
        let loaded = loaded.unwrap_or_else(|_| Err(Rejected("loading failed inside; see the log".to_owned())));
        let (result, errors) = match &loaded {
            Ok(Reloaded::Changed) => ("ok", None),
            Ok(Reloaded::Unchanged) => ("unchanged", None),
            Err(rejected) => ("rejected", Some(rejected.to_string())),
        };
        self.telemetry.metrics.reloads.with_label_values(&[result]).inc();
        match (&errors, &loaded) {
            (Some(errors), _) => tracing::error!(why, "reload rejected, the last good policy stays in force: {errors}"),
            (None, Ok(Reloaded::Changed)) => {
                let now = self.in_force();
                self.keep_resolved(&now);
                tracing::info!(why, policy = &*now.policy.checked().name, hash = &**now.policy.hash(), "reloaded");
                for key in self.needs_restart() {
                    tracing::warn!("`{key}` has changed and needs a restart; until then the value of the start holds");
                }
            }
            (None, _) => tracing::debug!(why, "reload: nothing changed"),
        }
        self.again.notify_one();
        let at = jiff::Timestamp::now().to_string();
        *self.last_reload.lock() = Some(LastReload { at, why, result, errors });
        loaded
    }

    fn load(&self) -> Result<Reloaded, Rejected> {
        let before = self.in_force();
        let mut config = match &self.origin.config {
            Some(path) => read_config(path)?,
            None => Config::clone(&before.config),
        };
        if let Some(policy) = &self.origin.policy {
            config.policy.clone_from(policy);
        }
        // These stay what they are until the next start (see `needs_restart`), and a command line may have chosen them.
        config.listen.clone_from(&before.config.listen);
        config.admin = before.config.admin;
        config.limits.threads = before.config.limits.threads;
        let next = InForce::prepare(config, Some(&before), &self.pools, &self.healths)?;
        let next = next.opened(Some(&before), &self.telemetry)?;
        if next.same_as(&before) {
            return Ok(Reloaded::Unchanged);
        }
        self.announce(&next);
        self.in_force.store(Arc::new(next));
        self.healths.forget_unused(self.uptime());
        Ok(Reloaded::Changed)
    }

    /// Keys of the configuration whose new values wait for a restart.
    pub fn needs_restart(&self) -> Vec<&'static str> {
        let mut changed = self.in_force().config.fixed.changed(&self.fixed);
        changed.retain(|key| !self.overridden.contains(key));
        changed
    }

    fn announce(&self, next: &InForce) {
        let limits = &next.config.limits;
        self.tally.limit(Most {
            connections: limits.connections,
            exchanges: limits.concurrent,
            waiting: limits.waiting,
            bytes: limits.bodies,
        });
        let today = Readings::at(jiff::Timestamp::now(), &next.policy.checked().timezone).today;
        let days = |snapshot: &crate::policy::checked::Snapshot| {
            let end = snapshot.facts.as_ref()?.retires_on?;
            let left = end.since((jiff::Unit::Day, today)).ok()?.get_days();
            Some((snapshot.model.to_string(), f64::from(left)))
        };
        let checked = next.policy.checked();
        self.telemetry.metrics.policy(&checked.name, next.policy.hash(), checked.snapshots.iter().filter_map(days));
        let open = next.snapshot_texts.iter().zip(&next.healths).map(|(name, health)| (&**name, health.is_open()));
        self.telemetry.metrics.breakers(open);
    }

    /// Starts letting go of idle connections that have ended. Needs a runtime.
    pub fn keep_swept(&self) {
        tokio::spawn(Pools::keep_swept(Arc::downgrade(&self.pools)));
    }

    /// Starts delivering what could not be delivered before: now and then, and when something was loaded. Needs a runtime.
    pub fn keep_delivering(self: &Arc<Self>) {
        let (sidecar, again) = (Arc::downgrade(self), Arc::clone(&self.again));
        tokio::spawn(async move {
            while let Some(alive) = sidecar.upgrade() {
                alive.in_force().queues.deliver_again(&alive.telemetry).await;
                drop(alive);
                // Either is a reason to look.
                let _ = tokio::time::timeout(AGAIN_EVERY, again.notified()).await;
            }
        });
    }

    /// Starts looking names up. Needs a runtime.
    pub fn keep_resolved(&self, now: &InForce) {
        now.upstreams.iter().flatten().chain(now.queues.upstreams()).for_each(Upstream::keep_resolved);
    }
}

impl InForce {
    /// Providers that are as they were `before` keep their upstreams, and with them the addresses that their names had.
    fn prepare(config: Config, before: Option<&Self>, pools: &Pools, healths: &Healths) -> Result<Self, Rejected> {
        let policy = Policy::load(&config)?;
        let checked = policy.checked();
        let mut ready: Vec<Arc<Upstream>> = Vec::new();
        for provider in config.providers.values() {
            if checked.snapshots.iter().any(|snapshot| snapshot.model.provider == provider.name) {
                let mut known = before.iter().flat_map(|before| before.upstreams.iter().flatten());
                ready.push(match known.find(|upstream| upstream.provider == *provider) {
                    Some(same) => Arc::clone(same),
                    None => Arc::new(Upstream::new(Arc::clone(provider), pools).map_err(Rejected)?),
                });
            }
        }
        let of = |name: &str| ready.iter().find(|upstream| &*upstream.provider.name == name).cloned();
        let place = |name: &str| of(name).map(|upstream| upstream.provider.base_url.to_string()).unwrap_or_default();
        Ok(Self {
            healths: checked
                .snapshots
                .iter()
                .map(|snapshot| healths.of(&snapshot.model, &place(&snapshot.model.provider)))
                .collect(),
            upstreams: checked.snapshots.iter().map(|snapshot| of(&snapshot.model.provider)).collect(),
            upstream_ids: checked
                .snapshots
                .iter()
                .map(|snapshot| upstream_id(&config, &snapshot.model).into())
                .collect(),
            snapshot_texts: checked.snapshots.iter().map(|snapshot| snapshot.model.to_string().into()).collect(),
            snapshot_names: checked.snapshots.iter().map(|snapshot| printable(&snapshot.model.to_string())).collect(),
            rule_names: checked.rules.iter().map(|rule| printable(&rule.name)).collect(),
            tier_names: checked.tiers.iter().map(|tier| printable(&tier.name)).collect(),
            loaded_at: jiff::Timestamp::now(),
            queues: Queues::prepare(&config, checked, before.map(|before| &before.queues), pools)?,
            answers: Answers::default(),
            measured: Measured::default(),
            config: Arc::new(config),
            policy,
        })
    }

    /// With what only a running sidecar needs, taken over from what was in force before where that is the same.
    fn opened(mut self, before: Option<&Self>, telemetry: &Telemetry) -> Result<Self, Rejected> {
        let checked = self.policy.checked();
        self.queues.open(&self.config, checked, before.map(|before| &before.queues), telemetry)?;
        self.answers = Answers::open(&self.config, checked, before.map(|before| &before.answers));
        Ok(self)
    }

    /// Whom to call for a snapshot; `None` when its provider is not configured here.
    pub fn upstream(&self, snapshot: SnapshotId) -> Option<&Arc<Upstream>> {
        self.upstreams.get(snapshot.index())?.as_ref()
    }

    /// What is known about a snapshot.
    pub fn health(&self, snapshot: SnapshotId) -> &Arc<Health> {
        &self.healths[snapshot.index()]
    }

    /// Snapshots that are left alone now, and why.
    pub fn left_alone(&self, now: Millis) -> BTreeMap<Box<str>, Shut> {
        let all = self.snapshot_texts.iter().zip(&self.healths);
        all.filter_map(|(name, health)| Some((name.clone(), health.shut(now)?))).collect()
    }

    /// A snapshot's model.
    pub fn model(&self, snapshot: SnapshotId) -> &ModelRef {
        &self.policy.checked().snapshots[snapshot.index()].model
    }

    /// A snapshot's id as its provider's API takes it.
    pub fn upstream_id(&self, snapshot: SnapshotId) -> &str {
        self.upstream_ids.get(snapshot.index()).map_or("", |id| id)
    }

    /// A snapshot's name, for records.
    pub fn snapshot_text(&self, snapshot: SnapshotId) -> &str {
        self.snapshot_texts.get(snapshot.index()).map_or("", |text| text)
    }

    /// For `x-wayside-snapshot`.
    pub fn snapshot_name(&self, snapshot: SnapshotId) -> Option<HeaderValue> {
        self.snapshot_names.get(snapshot.index()).cloned()
    }

    /// For `x-wayside-rule`.
    pub fn rule_name(&self, rule: RuleId) -> Option<HeaderValue> {
        self.rule_names.get(rule.index()).cloned()
    }

    /// For `x-wayside-tier`.
    pub fn tier_name(&self, tier: TierId) -> Option<HeaderValue> {
        self.tier_names.get(tier.index()).cloned()
    }

    /// Whether a reload would change nothing. `Debug` hides secrets and certificates, so providers are compared by themselves.
    fn same_as(&self, other: &Self) -> bool {
        self.policy.hash() == other.policy.hash()
            && self.config.providers == other.config.providers
            && self.config.queues == other.config.queues
            && format!("{:?}", self.config) == format!("{:?}", other.config)
    }
}

/// Of a self-hosted model, what follows the last `@` says which weights we mean; the server knows only what is before it.
fn upstream_id<'a>(config: &Config, model: &'a ModelRef) -> &'a str {
    let own = config.providers.get(&model.provider).is_some_and(|provider| provider.kind == ProviderKind::SelfHosted);
    match model.id.rsplit_once('@') {
        Some((id, _)) if own => id,
        _ => &model.id,
    }
}

/// A name as a header's value; what a header cannot hold becomes `?`.
fn printable(name: &str) -> HeaderValue {
    let text: String = name.chars().map(|c| if c.is_ascii() && !c.is_ascii_control() { c } else { '?' }).collect();
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("?"))
}

/// Reads a `wayside.yaml` with the process's environment.
pub fn read_config(path: &Path) -> Result<Config, Rejected> {
    let at = |error: &dyn std::fmt::Display| Rejected(format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| at(&error))?;
    let base = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Config::read(&text, base, &Process).map_err(|errors| at(&errors))
}

/// What holds without a `wayside.yaml`: defaults, and the providers whose keys are in the environment.
pub fn default_config() -> Result<Config, Rejected> {
    Config::read("", Path::new("."), &Process).map_err(|errors| Rejected(errors.to_string()))
}

/// The environment and the disk of this process.
pub struct Process;

impl Environment for Process {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> Result<String, String> {
        std::fs::read_to_string(path).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Sink;

    const POLICY: &str = r#"route 1
policy kept { deadline 20s }
tier mid {
  anthropic/claude-sonnet-5
  openai/gpt-5.4-2026-03-05
}
template sorry "edition 0"
otherwise {
  tier mid
  snapshot anthropic/claude-sonnet-5
  fallback peer openai/gpt-5.4-2026-03-05
  degrade template sorry
}
"#;

    #[tokio::test]
    async fn a_reload_keeps_the_upstreams_of_providers_that_are_as_they_were() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("wayside.yaml");
        let write = |edition: &str| {
            let providers = format!(
                "{{anthropic: {{base_url: 'http://127.0.0.1:1', key: same}}, openai: {{base_url: 'http://127.0.0.1:1', key: {edition}}}}}"
            );
            std::fs::write(&path, format!("providers: {providers}\n")).unwrap();
            let policy = POLICY.replace("edition 0", edition);
            std::fs::write(directory.path().join("policy.route"), policy).unwrap();
        };
        write("one");
        let origin = Origin { config: Some(path.clone()), policy: None };
        let telemetry = Telemetry::new(Sink::Off).unwrap();
        let sidecar = Sidecar::new(read_config(&path).unwrap(), origin, telemetry).unwrap();
        let before = sidecar.in_force();
        write("two");
        assert_eq!(sidecar.reload("test").await, Ok(Reloaded::Changed));
        let after = sidecar.in_force();
        for (before, after) in before.upstreams.iter().flatten().zip(after.upstreams.iter().flatten()) {
            let same = &*before.provider.name == "anthropic";
            assert_eq!(Arc::ptr_eq(before, after), same, "{}", before.provider.name);
        }
        assert_eq!(after.upstreams.iter().flatten().count(), 2);
    }
}
