//! A policy from disk, ready to decide.
//!
//! In: the path in the configuration. Out: a compiled [`Policy`], or every finding that keeps it from being served. Must not
//! know: requests.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::sidecar::Rejected;
use crate::catalog::{Catalog, Overlay, ProviderKind};
use crate::config::{self, Config};
use crate::facts;
use crate::files::{self, Disk};
use crate::policy::admit::{Defaults, Door};
use crate::policy::check::{Report, Settings, check, not_carried_out};
use crate::policy::checked::Checked;
use crate::policy::diagnostic::{Diagnostic, Level};
use crate::policy::readings::Readings;
use crate::policy::render::short::short;
use crate::policy::source::Sources;
use crate::policy::tree::Tree;

/// A compiled policy.
pub struct Policy {
    /// Decides.
    pub tree: Tree,
    /// Admits.
    pub door: Door,
    /// Every file it was read from.
    pub files: Vec<PathBuf>,
    /// Some attribute comes from the body's `metadata`.
    pub wants_metadata: bool,
}

impl Policy {
    /// Reads, checks and compiles. A finding of level error is a rejection; warnings are for `wayside check`.
    pub fn load(config: &Config) -> Result<Self, Rejected> {
        let root = config.policy.display().to_string();
        let catalog = Arc::new(catalog(config)?);
        let today = Readings::at(jiff::Timestamp::now(), &jiff::tz::TimeZone::UTC).today;
        let mut settings = Settings::on(today);
        settings.providers = config.providers.keys().map(ToString::to_string).collect();
        settings.shares_fate = shared_fates(config);
        let report = check(&root, &workspace(config)?, &catalog, &settings);
        let files = report.sources.files().map(|(_, file)| PathBuf::from(&*file.path)).collect();
        match report.compiled {
            Some(tree) if tree.checked().unsupported.is_empty() => Self::of(tree, catalog, files, config),
            // Ignoring a part of a policy would be to serve another policy.
            Some(tree) => Err(Rejected(lines(&not_carried_out(tree.checked()), &report.sources))),
            None => Err(Rejected(findings(&report))),
        }
    }

    fn of(tree: Tree, catalog: Arc<Catalog>, mut files: Vec<PathBuf>, config: &Config) -> Result<Self, Rejected> {
        let identity = &config.identity;
        let defaults = Defaults {
            plan: identity.default_plan.as_deref(),
            residency: identity.default_residency.as_deref(),
            feature: identity.default_feature.as_deref(),
        };
        let door = Door::new(Arc::clone(tree.checked()), catalog, defaults)
            .map_err(|refusal| Rejected(format!("identity: {refusal}")))?;
        let wants_metadata = facts::head::wants_metadata(&tree.checked().attributes);
        if tree.needs_prompt() {
            // Takes a tenth of a second, which nobody has to wait for who is not first.
            std::thread::spawn(facts::tokens::preload);
        }
        files.extend(overlay_path(config));
        Ok(Self { tree, door, files, wants_metadata })
    }

    /// Names, tiers, snapshots.
    pub fn checked(&self) -> &Arc<Checked> {
        self.tree.checked()
    }

    /// Content hash.
    pub fn hash(&self) -> &Arc<str> {
        self.tree.hash()
    }
}

/// What keeps a policy from being served, a line for each finding.
fn findings(report: &Report) -> String {
    let blocks = |finding: &&Diagnostic| finding.level == Level::Error;
    let blocking: Vec<Diagnostic> = report.findings.iter().filter(blocks).cloned().collect();
    let mut text = lines(&blocking, &report.sources);
    if let Some(fault) = &report.fault {
        text.push_str(&format!("\nthe analysis contradicted itself: {fault:?}"));
    }
    text.trim().to_owned()
}

fn lines(findings: &[Diagnostic], sources: &Sources) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = short(findings, sources, &mut text);
    text.trim_end().to_owned()
}

/// The catalog with its overlay, told of the configured providers and which of them run our own weights.
pub fn catalog(config: &Config) -> Result<Catalog, Rejected> {
    let mut catalog = overlaid(config)?;
    for provider in config.providers.values().filter(|provider| provider.kind == config::ProviderKind::Hosted) {
        // Where name or overlay say more about it, that stands.
        if catalog.provider_kind(&provider.name).is_none() {
            catalog = catalog.with_provider(&provider.name, ProviderKind::Other);
        }
    }
    Ok(catalog)
}

fn overlaid(config: &Config) -> Result<Catalog, Rejected> {
    let own = config.providers.values().filter(|provider| provider.kind == config::ProviderKind::SelfHosted);
    let catalog = own
        .fold(Catalog::embedded(), |catalog, provider| catalog.with_provider(&provider.name, ProviderKind::SelfHosted));
    let Some(path) = overlay_path(config) else { return Ok(catalog) };
    let at = |error: &dyn std::fmt::Display| Rejected(format!("{}: {error}", path.display()));
    let text = files::read(&path, files::MAX_FACTS_BYTES).map_err(|error| at(&error))?;
    let overlay = Overlay::parse(&text).map_err(|error| at(&error))?;
    catalog.with_overlay(&overlay).map_err(|error| at(&error))
}

/// The overlay that is named, else the one `wayside check` would find.
fn overlay_path(config: &Config) -> Option<PathBuf> {
    config.catalog.clone().or_else(|| workspace(config).ok()?.overlay(&config.policy))
}

/// What the policy may read: the same files as under `wayside check`.
fn workspace(config: &Config) -> Result<Disk, Rejected> {
    let cannot = |error| Rejected(format!("`{}` cannot be read: {error}", config.policy.display()));
    Disk::around(&config.policy).map_err(cannot)
}

fn shared_fates(config: &Config) -> Vec<Vec<String>> {
    let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for provider in config.providers.values() {
        if let Some(fate) = &provider.shares_fate {
            groups.entry(fate).or_default().push(provider.name.to_string());
        }
    }
    groups.into_values().collect()
}
