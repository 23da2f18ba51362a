//! What stands around a policy: its settings, its catalog, the day.
//!
//! In: a path, the day. Out: everything `check` needs, read and judged; shared by the command line and the language server. Must
//! not know: how findings are shown, the clock.

pub mod facts;
mod findings;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;

use crate::catalog::Catalog;
use crate::config::Known;
use crate::config::check::{Settings, project};
use crate::files::history::Revision;
use crate::files::{self, Disk};
use crate::policy::ast::File;
use crate::policy::check::{self, Report};
use crate::policy::checked::Checked;
use crate::policy::diagnostic::{CODES, Diagnostic, Level};
use crate::policy::resolve::Files;
use crate::policy::source::Sources;
use crate::policy::suppress::is_code;
use crate::policy::tree::Tree;

pub use findings::Findings;

/// What a caller may set about every set it reads.
#[derive(Clone, Debug)]
pub struct How {
    /// The day that dates are judged on.
    pub today: Date,
    /// Facts to lay over the built-in catalog, instead of those found beside a policy.
    pub catalog: Option<PathBuf>,
    /// Steps of the exact analysis, instead of the project's.
    pub fuel: Option<u64>,
}

/// A policy file and what was found out about it.
pub struct Verdict {
    /// As messages show it.
    pub path: String,
    /// Texts of the set.
    pub sources: Sources,
    /// What stands, in page order.
    pub findings: Vec<Diagnostic>,
    /// Also what is allowed: several sets are merged before anybody asks what an `allow` takes away.
    pub everything: Vec<Diagnostic>,
    /// The policy's name, once it is known.
    pub name: Option<Arc<str>>,
    /// When nothing speaks against it.
    pub tree: Option<Tree>,
    /// One tree for each file of the set.
    pub files: Vec<File>,
    /// As far as it could be settled.
    pub checked: Option<Arc<Checked>>,
    /// Facts with the overlay.
    pub catalog: Arc<Catalog>,
    /// Its tests, when there are any and the policy decides something.
    pub tested: Option<check::Tested>,
    /// A fault of this program.
    pub fault: Option<String>,
}

impl Verdict {
    /// The policy compiled, when nothing speaks against it. `serve` may still refuse it for what it does not carry out.
    pub fn decides(&self) -> Option<Tree> {
        self.tree.clone()
    }

    /// The policy, also when `serve` would refuse it for what is proven of its requests or for the day it is: what it means is
    /// settled, so it can be compared. Where a name is unknown or a statement is broken, it is not.
    pub fn means(&self) -> Option<&Arc<Checked>> {
        let settled = |finding: &Diagnostic| finding.level != Level::Error || is_settled(finding.code.code);
        self.checked.as_ref().filter(|_| self.fault.is_none() && self.findings.iter().all(settled))
    }
}

/// Whether a policy with this error still says one thing.
pub fn is_settled(code: &str) -> bool {
    const ABOUT_REQUESTS: [&str; 6] = ["R207", "R209", "R213", "R310", "R312", "R314"];
    const ABOUT_DAYS_AND_FACTS: [&str; 9] = ["R203", "R204", "R206", "R210", "R211", "R214", "R215", "R216", "R218"];
    let proven = ["R4", "R5", "R6", "R7", "R8", "R9"].iter().any(|family| code.starts_with(family));
    let unfinished = matches!(code, "R410" | "R411" | "R504");
    (proven && !unfinished) || ABOUT_REQUESTS.contains(&code) || ABOUT_DAYS_AND_FACTS.contains(&code)
}

/// One directory's settings and facts.
pub struct Workspace {
    disk: Disk,
    /// Where its files are read, instead of the disk.
    history: Option<Revision>,
    /// The `check:` section of the nearest `wayside.yaml`, or defaults.
    pub settings: Settings,
    /// The overlay that `wayside.yaml` names.
    overlay: Option<PathBuf>,
    /// The providers that `wayside.yaml` configures.
    providers: Vec<Known>,
    how: How,
}

impl Workspace {
    /// Finds the workspace around a policy file or directory and reads its settings.
    ///
    /// # Errors
    /// A sentence, when something that must be readable is not.
    pub fn open(path: &Path, how: &How) -> Result<Self, String> {
        let disk = Disk::around(path).map_err(|error| format!("{}: {error}", files::shown(path)))?;
        Self::over(disk, None, how)
    }

    /// The workspace around a policy file as it was in a revision.
    ///
    /// # Errors
    /// A sentence, when something that must be readable is not.
    pub fn of_revision(revision: Revision, how: &How) -> Result<Self, String> {
        let disk = Disk::around(revision.dir()).map_err(|error| error.to_string())?;
        Self::over(disk, Some(revision), how)
    }

    fn over(disk: Disk, history: Option<Revision>, how: &How) -> Result<Self, String> {
        let mut workspace = Self {
            disk,
            history,
            settings: Settings::default(),
            overlay: None,
            providers: Vec::new(),
            how: how.clone(),
        };
        let Some(yaml) = workspace.settings_file() else { return Ok(workspace) };
        let name = files::shown(&yaml);
        let text = workspace.beside(&yaml).map_err(|error| format!("`{name}` cannot be read: {error}"))?;
        let project = project(&text).map_err(|errors| format!("`{name}` is wrong:\n{errors}"))?;
        let settings = project.check;
        for (key, names) in [("select", &settings.select), ("allow", &settings.allow)] {
            known_codes(names).map_err(|error| format!("`{name}`, check.{key}: {error}"))?;
        }
        workspace.settings = settings;
        workspace.overlay = project.catalog.map(|path| files::directory(&yaml).join(path));
        workspace.providers = project.providers;
        Ok(workspace)
    }

    fn settings_file(&self) -> Option<PathBuf> {
        match &self.history {
            None => Some(self.disk.root().join("wayside.yaml")).filter(|path| path.is_file()),
            Some(revision) => revision.settings(),
        }
    }

    /// A file that stands beside policies.
    fn beside(&self, path: &Path) -> Result<String, String> {
        match &self.history {
            None => files::read(path, files::MAX_FACTS_BYTES),
            Some(revision) => revision.read(&path.to_string_lossy()),
        }
    }

    fn files(&self) -> &dyn Files {
        self.history.as_ref().map_or(&self.disk, |revision| revision as &dyn Files)
    }

    /// The same with default settings, whatever the project says.
    ///
    /// # Errors
    /// A sentence, when the path cannot be found.
    pub fn without_settings(path: &Path, how: &How) -> Result<Self, String> {
        let disk = Disk::around(path).map_err(|error| format!("{}: {error}", files::shown(path)))?;
        let (settings, providers) = (Settings::default(), Vec::new());
        Ok(Self { disk, history: None, settings, overlay: None, providers, how: how.clone() })
    }

    /// The day that dates are judged on.
    pub const fn today(&self) -> Date {
        self.how.today
    }

    /// What may be read.
    pub const fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Facts for a policy; without its overlay when that cannot be used.
    pub fn facts(&self, policy: &Path) -> Arc<Catalog> {
        Arc::new(self.catalog(policy).unwrap_or_else(|_| Catalog::embedded()))
    }

    /// Reads and checks one set.
    pub fn check(&self, path: &Path) -> Verdict {
        self.check_over(path, &files::shown(path), self.files(), true)
    }

    /// The same over other files than those of the disk, in which the policy has another name. What is not `exact` leaves out
    /// what must hold for every possible request.
    pub fn check_over(&self, path: &Path, shown: &str, files: &dyn Files, exact: bool) -> Verdict {
        let catalog = match self.catalog(path) {
            Ok(catalog) => Arc::new(catalog),
            Err(bad) => return bad.verdict(shown.to_owned()),
        };
        let mut settings = facts::settings(self.how.today, &self.providers, &self.settings);
        settings.prove.fuel = self.how.fuel.unwrap_or(settings.prove.fuel);
        settings.layout = exact;
        settings.exact = exact;
        let report: Report = check::check(shown, files, &catalog, &settings);
        Verdict {
            path: shown.to_owned(),
            name: Some(report.checked.name.clone()),
            sources: report.sources,
            files: report.files,
            findings: report.findings,
            everything: report.everything,
            tree: report.compiled,
            checked: Some(report.checked),
            catalog,
            tested: report.tested,
            fault: report.fault.map(|fault| fault.to_string()),
        }
    }

    /// The built-in catalog with the overlay that belongs to a policy: the flag's, else the one `wayside.yaml` names, else the one
    /// beside it, else the one at the root of the workspace.
    fn catalog(&self, policy: &Path) -> Result<Catalog, facts::BadOverlay> {
        // The flag names a file of today, also for a policy of the past.
        if let Some(path) = &self.how.catalog {
            return facts::catalog(Some((path, facts::read(path))), &self.providers);
        }
        let found = match &self.history {
            None => facts::overlay(self.overlay.as_deref(), &self.disk, policy),
            Some(revision) => self.overlay.clone().or_else(|| revision.overlay(policy)),
        };
        facts::catalog(found.as_deref().map(|path| (path, self.beside(path))), &self.providers)
    }
}

/// Whether each name is a code, a name of one, or a family (`R4`).
///
/// # Errors
/// The first that is not, with the nearest name.
pub fn known_codes(names: &[String]) -> Result<(), String> {
    for name in names {
        if CODES.iter().any(|code| is_code(code, name)) || is_family(name) {
            continue;
        }
        let all = CODES.iter().flat_map(|code| [code.name, code.code]);
        return Err(match crate::names::nearest(name, all).first() {
            Some(near) => format!("`{name}` is no finding; the nearest is `{near}`"),
            None => format!(
                "`{name}` is no finding; write a code like `R303`, a name like `same-provider-fallback`, or a family like `R4`"
            ),
        });
    }
    Ok(())
}

/// `R4`: all codes that begin so.
fn is_family(name: &str) -> bool {
    matches!(name.as_bytes(), [b'R', digit] if digit.is_ascii_digit())
}

/// Whether a name of `select` or `allow` means this code.
pub fn means(name: &str, code: &crate::policy::diagnostic::Code) -> bool {
    is_code(code, name) || (is_family(name) && code.code.starts_with(name))
}
