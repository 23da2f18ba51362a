//! From what was written to what was meant: names, facts, units, inheritance, expansion.
//!
//! In: parsed files, the catalog, the files beside a policy. Out: [`Checked`], and findings about names, types, units and the
//! form of rules. Must not know: pest, the disk, the clock (the day is an argument), sockets.

mod attributes;
mod budgets;
mod chains;
mod classifiers;
mod clauses;
mod conditions;
mod drills;
mod evals;
mod facts;
mod files;
mod guarantees;
mod guards;
mod header;
mod implications;
mod metrics;
mod moving;
mod names;
mod options;
mod people;
mod properties;
mod rollouts;
mod rules;
mod sets;
mod subjects;
mod tiers;
mod values;

use std::sync::Arc;

use jiff::civil::Date;
use rustc_hash::FxHashMap;

use super::checked::{Beside, Checked, ColumnId, Endpoint, Moving, Residency, RolloutId, SnapshotId, Subject};
use super::diagnostic::{Diagnostic, Level};
use super::source::{FileId, Sources, Span};
use crate::catalog::Catalog;
use crate::names::ModelRef;
use crate::units::{Millis, Tokens};

pub use classifiers::{CLASSIFIER_TIMEOUT, JUDGE_TIMEOUT};
pub use conditions::{MAX_CONDITION_TESTS, MAX_DEFINE_DEPTH};
pub use evals::MIN_CASES;
pub use files::{Files, Loaded, MAX_FILES, beside, load};
pub use guards::WEBHOOK_TIMEOUT;
pub use names::MAX_DECLARATIONS;
pub(super) use names::unknown;
pub use options::FIRST_TOKEN;
pub use subjects::built_in_names;
pub use values::{MAX_COUNT, MAX_DURATION};

/// The whole chain, when neither header nor rule says otherwise.
pub const DEFAULT_DEADLINE: Millis = Millis::secs(60);

/// What a policy is read against.
pub struct Context<'a> {
    /// Facts about models.
    pub catalog: &'a Catalog,
    /// Templates and tenants beside the policy.
    pub files: &'a dyn Files,
    /// For dates that have passed.
    pub today: Date,
    /// Providers of the runtime configuration, beside those of the catalog.
    pub providers: &'a [String],
}

/// Settles every name, unit and value of a set. Never stops at the first finding; what could not be settled is left out of the
/// result.
pub fn resolve(loaded: &Loaded, ctx: &Context<'_>, findings: &mut Vec<Diagnostic>) -> Checked {
    let mut desk = Desk::over(&loaded.sources);
    let names = names::Names::collect(loaded, &mut desk);
    let mut resolver = Resolver {
        ctx,
        loaded,
        desk,
        names,
        out: empty(loaded),
        columns: FxHashMap::default(),
        snapshots: FxHashMap::default(),
        tenants: FxHashMap::default(),
        mentioned: Vec::new(),
        defines: FxHashMap::default(),
        define_depth: 0,
        defaults: options::Written::default(),
        conduct: options::Conduct::default(),
        deadline_at: None,
        accepted: Vec::new(),
        consent: None,
        ladders: Vec::new(),
        rings: Vec::new(),
        served_from_file: FxHashMap::default(),
        measured_of: None,
    };
    resolver.run();
    let Resolver { desk, out, .. } = resolver;
    let mut seen: Vec<Diagnostic> = desk.findings;
    // One line of a ladder or a tier is read for every rule that uses it; its finding is one.
    let mut unique: rustc_hash::FxHashSet<(&str, Span, String)> = rustc_hash::FxHashSet::default();
    seen.retain(|finding| unique.insert((finding.code.code, finding.span, finding.message.clone())));
    findings.append(&mut seen);
    out
}

/// Where findings are put down, and the text they are about.
#[derive(Debug)]
pub(super) struct Desk<'a> {
    sources: &'a Sources,
    findings: Vec<Diagnostic>,
}

impl<'a> Desk<'a> {
    /// An empty one.
    pub(super) const fn over(sources: &'a Sources) -> Self {
        Self { sources, findings: Vec::new() }
    }

    pub(super) fn report(&mut self, finding: Diagnostic) {
        self.findings.push(finding);
    }

    /// How many findings there are.
    pub(super) const fn count(&self) -> usize {
        self.findings.len()
    }

    /// Errors among the findings after the first so many.
    pub(super) fn errors_since(&self, count: usize) -> Vec<Diagnostic> {
        let later = self.findings.get(count..).unwrap_or_default();
        later.iter().filter(|finding| finding.level == Level::Error).cloned().collect()
    }

    pub(super) fn into_findings(self) -> Vec<Diagnostic> {
        self.findings
    }

    pub(super) fn text(&self, span: Span) -> &'a str {
        self.sources.text(span)
    }

    /// The span and the rest of its last line, when nothing else stands there: what deleting a statement takes away.
    fn whole_lines(&self, span: Span) -> Span {
        let text = &self.sources.file(span.file).text;
        let start = text[..span.lo as usize].rfind('\n').map_or(0, |at| at + 1);
        let rest = &text[span.hi as usize..];
        let end = rest.find('\n').map_or(rest.len(), |at| at + 1);
        let alone = text[start..span.lo as usize].trim().is_empty() && rest[..end].trim().is_empty();
        if alone { Span { lo: start as u32, hi: span.hi + end as u32, ..span } } else { span }
    }
}

struct Resolver<'a> {
    ctx: &'a Context<'a>,
    loaded: &'a Loaded,
    desk: Desk<'a>,
    names: names::Names<'a>,
    out: Checked,
    columns: FxHashMap<Subject, ColumnId>,
    snapshots: FxHashMap<ModelRef, SnapshotId>,
    /// Tenants with a row, by name.
    tenants: FxHashMap<Arc<str>, u32>,
    /// Positions in the domain of `tenant` that some condition names.
    mentioned: Vec<u32>,
    defines: FxHashMap<&'a str, conditions::Define>,
    /// Defines that are being read, each inside the one before.
    define_depth: usize,
    /// What `defaults` says about hops.
    defaults: options::Written,
    /// What `defaults` says about streams.
    conduct: options::Conduct,
    /// Where the header states the deadline.
    deadline_at: Option<Span>,
    /// `accept_undated`, as written.
    accepted: Vec<ModelRef>,
    /// Where one more would be written.
    consent: Option<header::Consent>,
    /// Ladders that are being expanded, outermost first.
    ladders: Vec<&'a str>,
    /// Rings of ladders already reported, each sorted.
    rings: Vec<Vec<&'a str>>,
    /// Tenants that only a tenants file has, and which file.
    served_from_file: FxHashMap<Arc<str>, Arc<str>>,
    /// The rollout whose `halt when` is being read: what it measures is its own.
    measured_of: Option<RolloutId>,
}

impl Resolver<'_> {
    fn run(&mut self) {
        self.header();
        self.people();
        self.attributes();
        self.templates();
        self.queues();
        self.tiers();
        self.max_prompt();
        self.moving();
        self.rules();
        self.implications();
        let of_rules = self.out.columns.len();
        self.moving_bodies();
        self.hedged_by_p95();
        self.properties();
        // What only unused defines look at is no column at all.
        let columns = self.out.columns.len();
        self.unused_defines();
        self.out.columns.truncate(columns);
        self.columns.retain(|_, column| column.index() < columns);
        self.set_aside(of_rules);
        // What a broken statement uses cannot be known.
        if !self.loaded.findings.iter().any(|finding| finding.level == Level::Error) {
            self.used_tiers();
            self.names.report_unused(&mut self.desk);
        }
    }
}

fn empty(loaded: &Loaded) -> Checked {
    let stem = loaded.root.rsplit('/').next().unwrap_or_default();
    let stem = stem.strip_suffix(".route").unwrap_or(stem);
    // Tests are about the policy they stand beside.
    let stem = stem.strip_suffix(".test").unwrap_or(stem);
    Checked {
        name: stem.into(),
        owner: None,
        timezone: jiff::tz::TimeZone::UTC,
        deadline: DEFAULT_DEADLINE,
        max_prompt: Tokens(0),
        endpoints: vec![Endpoint::Chat, Endpoint::Responses, Endpoint::Messages],
        plans: Vec::new(),
        features: Vec::new(),
        tenants: Vec::new(),
        residencies: vec![Residency { name: "anywhere".into(), regions: Vec::new() }],
        attributes: Vec::new(),
        columns: Vec::new(),
        implications: Vec::new(),
        beside: Beside::default(),
        snapshots: Vec::new(),
        tiers: Vec::new(),
        templates: Vec::new(),
        queues: Vec::new(),
        rules: Vec::new(),
        moving: Moving::default(),
        properties: Vec::new(),
        unsupported: Vec::new(),
        place: Span { file: FileId(0), lo: 0, hi: 0 },
    }
}
