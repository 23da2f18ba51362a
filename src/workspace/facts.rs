//! What a policy is judged by, for `check` and for `serve` alike: what one accepts, the other runs.
//!
//! In: the configured providers, the path of an overlay. Out: a catalog, and settings of the check. Must not know: where either
//! was configured, flags, the clock.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;

use super::{Verdict, means};
use crate::catalog::{Catalog, Overlay, ProviderKind};
use crate::config::{self, Known, shared_fates};
use crate::files::{self, Disk};
use crate::policy::check::Settings;
use crate::policy::diagnostic::{CODES, Diagnostic, R121};
use crate::policy::source::{Sources, Span};

/// The settings of a check on a day, told of the configured providers and of what the project wants.
pub fn settings(today: Date, providers: &[Known], project: &config::check::Settings) -> Settings {
    let mut settings = Settings::on(today);
    settings.providers = providers.iter().map(|provider| provider.name.clone()).collect();
    settings.dialects = providers.iter().map(|provider| (provider.name.clone(), provider.dialect)).collect();
    settings.shares_fate = shared_fates(providers);
    settings.models.retire_window = i32::try_from(project.retire_window).unwrap_or(i32::MAX);
    settings.prove.fuel = project.fuel;
    let allowed = CODES.iter().filter(|code| project.allow.iter().any(|name| means(name, code)));
    settings.allow = allowed.map(|code| code.code.to_owned()).collect();
    settings
}

/// The text of an overlay on the disk.
pub fn read(path: &Path) -> Result<String, String> {
    files::read(path, files::MAX_FACTS_BYTES)
}

/// The overlay that belongs to a policy: the one that was named, else the one beside it, else the one at the root of its
/// workspace.
pub fn overlay(named: Option<&Path>, disk: &Disk, policy: &Path) -> Option<PathBuf> {
    named.map(Path::to_owned).or_else(|| disk.overlay(policy)).map(|path| files::from_here(&path))
}

/// The built-in catalog with an overlay, told which providers there are and which of them run our own weights.
///
/// # Errors
/// When the overlay cannot be read, by what came of reading it, or means nothing.
pub fn catalog(overlay: Option<(&Path, Result<String, String>)>, providers: &[Known]) -> Result<Catalog, BadOverlay> {
    let of = |kind| providers.iter().filter(move |provider| provider.kind == kind);
    let told = |catalog: Catalog, one: &Known| catalog.with_provider(&one.name, ProviderKind::SelfHosted);
    let mut catalog = of(config::ProviderKind::SelfHosted).fold(Catalog::embedded(), told);
    if let Some((path, text)) = overlay {
        catalog = overlaid(catalog, path, text)?;
    }
    for provider in of(config::ProviderKind::Hosted) {
        // Where name or overlay say more about it, that stands.
        if catalog.provider_kind(&provider.name).is_none() {
            catalog = catalog.with_provider(&provider.name, ProviderKind::Other);
        }
    }
    Ok(catalog)
}

fn overlaid(catalog: Catalog, path: &Path, text: Result<String, String>) -> Result<Catalog, BadOverlay> {
    let bad = |text: &str, line: Option<usize>, message: String| BadOverlay {
        path: files::shown(path),
        text: text.to_owned(),
        line,
        message,
    };
    let text = text.map_err(|error| bad("", None, format!("it cannot be read: {error}")))?;
    let overlay = Overlay::parse(&text).and_then(|overlay| catalog.with_overlay(&overlay));
    overlay.map_err(|error| bad(&text, error.line, error.message))
}

/// An overlay that cannot be used. Nothing else is judged without it: half the facts would give wrong findings.
#[derive(Clone, Debug)]
pub struct BadOverlay {
    path: String,
    text: String,
    line: Option<usize>,
    message: String,
}

impl std::fmt::Display for BadOverlay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.message),
            None => write!(f, "{}: {}", self.path, self.message),
        }
    }
}

impl BadOverlay {
    /// R121 at its line, as all that can be said about a policy.
    pub(super) fn verdict(self, policy: String) -> Verdict {
        let mut sources = Sources::default();
        let file = sources.add(&self.path, &self.text);
        let start =
            self.text.split_inclusive('\n').take(self.line.unwrap_or(1).saturating_sub(1)).map(str::len).sum::<usize>();
        let line = self.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or("");
        let span = Span { file, lo: start as u32, hi: (start + line.trim_end().len()) as u32 };
        let title = format!("the catalog overlay `{}` cannot be used: {}", self.path, self.message);
        let finding = Diagnostic::new(&R121, span, title).note(format!("`{policy}` is not judged without its facts"));
        Verdict {
            path: policy,
            sources,
            everything: vec![finding.clone()],
            findings: vec![finding],
            name: None,
            files: Vec::new(),
            tree: None,
            tested: None,
            checked: None,
            catalog: Arc::new(Catalog::embedded()),
            fault: None,
        }
    }
}
