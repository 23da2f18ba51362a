//! Everything `wayside check` knows about a policy set: reading, names, facts, chains, time, and what is proven.
//!
//! In: a path, something that reads files, the catalog, a day. Out: a [`Report`] with every finding, and the compiled tree when
//! nothing speaks against it. Must not know: terminals, formats, exit codes.

pub mod chains;
mod clock;
mod drift;
mod legs;
pub mod live;
pub mod models;
mod moving;
mod pinning;
mod private;
mod shorter;
pub mod style;
mod tested;
pub mod time;
pub mod traffic;

use std::sync::Arc;

use jiff::civil::Date;

pub use self::tested::Tested;
use super::ast;
use super::checked::Checked;
use super::diagnostic::{Diagnostic, Level, R990, in_page_order};
use super::prove::{self, ProveError};
use super::resolve::{self, Context, Files};
use super::source::Sources;
use super::suppress;
use super::tree::Tree;
use crate::catalog::Catalog;
use crate::names::Dialect;

/// What a project, a command line or the runtime configuration can set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The day that dates are judged on.
    pub today: Date,
    /// Days before a snapshot's end at which it is warned about.
    pub models: models::Settings,
    /// Steps of the proof.
    pub prove: prove::Options,
    /// Providers of the runtime configuration, beside those of the catalog.
    pub providers: Vec<String>,
    /// What configured providers speak; every other speaks what it is known for.
    pub dialects: Vec<(String, Dialect)>,
    /// Groups of providers that fail together.
    pub shares_fate: Vec<Vec<String>>,
    /// Codes or names that the project allows everywhere.
    pub allow: Vec<String>,
    /// Codes, or beginnings of codes, of pedantic findings that are wanted: `R412`, `R4`.
    pub select: Vec<String>,
    /// Whether to prove what holds for every request, and compile; an editor asks for that once its author rests.
    pub exact: bool,
    /// Whether the layout is judged (R901). It takes as long as parsing three times, and `serve` does not care.
    pub layout: bool,
}

impl Settings {
    /// The defaults, on a day.
    pub fn on(today: Date) -> Self {
        Self {
            today,
            models: models::Settings::default(),
            prove: prove::Options::default(),
            providers: Vec::new(),
            dialects: Vec::new(),
            shares_fate: Vec::new(),
            allow: Vec::new(),
            select: Vec::new(),
            exact: true,
            layout: false,
        }
    }
}

/// The answer about one set.
#[derive(Debug)]
pub struct Report {
    /// The files of the set, in the order they were read.
    pub sources: Sources,
    /// One tree for each file.
    pub files: Vec<ast::File>,
    /// In page order, without those that are allowed or that nobody selected.
    pub findings: Vec<Diagnostic>,
    /// How many findings a comment or a setting allowed.
    pub suppressed: usize,
    /// Every finding, allowed or not, for who merges several sets before it asks what is allowed.
    pub everything: Vec<Diagnostic>,
    /// As far as it could be settled.
    pub checked: Arc<Checked>,
    /// `None` when a finding is an error.
    pub compiled: Option<Tree>,
    /// The tests of the set's first file, when their policy can be decided with.
    pub tested: Option<Tested>,
    /// The analysis contradicted itself: a fault of this program, for exit code 2.
    pub fault: Option<ProveError>,
}

impl Report {
    /// Whether a finding blocks loading.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.level == Level::Error)
    }
}

/// Checks the set that begins with the file `root`.
pub fn check(root: &str, files: &dyn Files, catalog: &Catalog, settings: &Settings) -> Report {
    let loaded = resolve::load(root, files);
    let mut findings = loaded.findings.clone();
    let ctx = Context { catalog, files, today: settings.today, providers: &settings.providers };
    let checked = resolve::resolve(&loaded, &ctx, &mut findings);
    models::check(&checked, catalog, settings.today, settings.models, &mut findings);
    chains::check(&checked, &loaded.sources, &settings.shares_fate, &mut findings);
    time::check(&checked, &mut findings);
    clock::check(&checked, settings.today, &mut findings);
    drift::check(&checked, catalog, settings.today, settings.models.retire_window, &mut findings);
    legs::check(&checked, settings.today, &mut findings);
    moving::check(&checked, &loaded.sources, settings.today, &mut findings);
    private::check(&checked, &mut findings);
    style::check(&loaded, &mut findings);
    if settings.layout {
        findings.extend(loaded.sources.files().filter_map(|(id, file)| style::layout(id, file)));
    }
    let settled = findings.len();
    let mut fault = None;
    if settings.exact && conditions_stand(&findings) {
        let options = prove::Options { today: Some(settings.today), ..settings.prove };
        match prove::prove_written(&checked, options, &loaded, &settings.dialects) {
            Ok(proven) => findings.extend(proven),
            Err(error) => fault = Some(error),
        }
    }
    let checked = Arc::new(checked);
    let tested = match fault {
        None => tested::read(&loaded, &checked, catalog, settings, settled, &mut findings),
        Some(_) => None,
    };
    findings.extend(tested::untested(&checked, tested.as_ref()));
    let mut everything = findings.clone();
    let selected =
        |finding: &Diagnostic| settings.select.iter().any(|code| finding.code.code.starts_with(code.as_str()));
    findings.retain(|finding| finding.level != Level::Pedantic || selected(finding));
    let (mut findings, suppressed) = suppress::apply(findings, &loaded.sources, &settings.allow);
    let mut compiled = None;
    if settings.exact && fault.is_none() && !findings.iter().any(|finding| finding.level == Level::Error) {
        match Tree::compile(Arc::clone(&checked)) {
            Ok(tree) => compiled = Some(tree),
            Err(wide) => {
                everything.extend(wide.iter().cloned());
                findings.extend(wide);
            }
        }
    }
    in_page_order(&mut findings, &loaded.sources);
    let (sources, files) = (loaded.sources, loaded.files);
    Report { sources, files, findings, suppressed, everything, checked, compiled, tested, fault }
}

/// Whether what the proof looks at is what the author wrote. A rule that lost its condition to a misspelled name would make
/// every rule behind it look dead.
pub fn conditions_stand(findings: &[Diagnostic]) -> bool {
    let reading = |finding: &Diagnostic| {
        let code = finding.code.code;
        code.starts_with("R0") || code.starts_with("R1") || code == "R411"
    };
    !findings.iter().any(|finding| finding.level == Level::Error && reading(finding))
}

/// R990 for each construct that `serve` of this version does not carry out. The language has it, so it is no finding of [`check`];
/// `serve` refuses to load the policy instead of ignoring a part of it.
pub fn not_carried_out(checked: &Checked) -> Vec<Diagnostic> {
    let finding = |(what, span): &(String, _)| {
        let title = format!("{what} is not carried out by this version");
        let help = "leave it out to serve this policy; every other command works on it as it is";
        Diagnostic::new(&R990, *span, title).help(help)
    };
    checked.unsupported.iter().map(finding).collect()
}
