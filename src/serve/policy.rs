//! A policy from disk, ready to decide.
//!
//! In: the path in the configuration. Out: a compiled [`Policy`], or every finding that keeps it from being served. Must not
//! know: requests.

use std::path::PathBuf;
use std::sync::Arc;

use super::sidecar::Rejected;
use crate::catalog::Catalog;
use crate::config::Config;
use crate::files::Disk;
use crate::policy::admit::{Defaults, Door};
use crate::policy::check::{Report, check, not_carried_out};
use crate::policy::checked::Checked;
use crate::policy::diagnostic::{Diagnostic, Level};
use crate::policy::readings::Readings;
use crate::policy::render::short::short;
use crate::policy::source::Sources;
use crate::policy::tree::Tree;
use crate::workspace::facts;

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
        let disk = workspace(config)?;
        let overlay = facts::overlay(config.catalog.as_deref(), &disk, &config.policy);
        let providers = config.known_providers();
        let read = overlay.as_deref().map(|path| (path, facts::read(path)));
        let catalog = facts::catalog(read, &providers).map_err(|bad| Rejected(bad.to_string()))?;
        let catalog = Arc::new(catalog);
        let today = Readings::at(jiff::Timestamp::now(), &jiff::tz::TimeZone::UTC).today;
        let report = check(&root, &disk, &catalog, &facts::settings(today, &providers, &config.check));
        let mut files: Vec<PathBuf> = report.sources.files().map(|(_, file)| PathBuf::from(&*file.path)).collect();
        files.extend(overlay);
        match report.compiled {
            Some(tree) if tree.checked().unsupported.is_empty() => Self::of(tree, catalog, files, config),
            // Ignoring a part of a policy would be to serve another policy.
            Some(tree) => Err(Rejected(lines(&not_carried_out(tree.checked()), &report.sources))),
            None => Err(Rejected(findings(&report))),
        }
    }

    fn of(tree: Tree, catalog: Arc<Catalog>, files: Vec<PathBuf>, config: &Config) -> Result<Self, Rejected> {
        let identity = &config.identity;
        let defaults = Defaults {
            plan: identity.default_plan.as_deref(),
            residency: identity.default_residency.as_deref(),
            feature: identity.default_feature.as_deref(),
        };
        let door = Door::new(Arc::clone(tree.checked()), catalog, defaults)
            .map_err(|refusal| Rejected(format!("identity: {refusal}")))?;
        let wants_metadata = crate::facts::head::wants_metadata(&tree.checked().attributes);
        if tree.needs_prompt() {
            // Takes a tenth of a second, which nobody has to wait for who is not first.
            std::thread::spawn(crate::facts::tokens::preload);
        }
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

/// What the policy may read: the same files as under `wayside check`.
fn workspace(config: &Config) -> Result<Disk, Rejected> {
    let cannot = |error| Rejected(format!("`{}` cannot be read: {error}", config.policy.display()));
    Disk::around(&config.policy).map_err(cannot)
}
