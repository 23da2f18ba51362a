//! What is declared, what is looked up, and what nobody uses.
//!
//! In: declarations in the order of the set. Out: lookups with "did you mean". Must not know: what a declaration means.

use rustc_hash::FxHashMap;

use super::super::ast::{Item, ItemKind, Name};
use super::super::diagnostic::{Code, Diagnostic, R007, R101, R102, R103, R104, R107, R108, R109, R116, R122};
use super::super::source::Span;
use super::{Desk, Loaded, subjects};
use crate::names::nearest;

/// Declarations of one kind in a set. Tables are indexed with 16 bits, and no person reads past this many.
pub const MAX_DECLARATIONS: usize = 10_000;

/// What a name can stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Sort {
    Tier,
    Ladder,
    Template,
    Queue,
    Rule,
    Plan,
    Feature,
    Tenant,
    Group,
    Residency,
    Attribute,
    Define,
    Budget,
    Switch,
    Signal,
    Classifier,
    Guard,
    Judge,
    Rollout,
    Drill,
    Guarantee,
}

impl Sort {
    /// As messages say it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tier => "tier",
            Self::Ladder => "ladder",
            Self::Template => "template",
            Self::Queue => "queue",
            Self::Rule => "rule",
            Self::Plan => "plan",
            Self::Feature => "feature",
            Self::Tenant => "tenant",
            Self::Group => "group",
            Self::Residency => "residency",
            Self::Attribute => "attribute",
            Self::Define => "define",
            Self::Budget => "budget",
            Self::Switch => "switch",
            Self::Signal => "signal",
            Self::Classifier => "classifier",
            Self::Guard => "guard",
            Self::Judge => "judge",
            Self::Rollout => "rollout",
            Self::Drill => "drill",
            Self::Guarantee => "guarantee",
        }
    }

    fn of_kind(word: &str) -> Option<Self> {
        const BY_WORD: [Sort; 11] = [
            Sort::Queue,
            Sort::Feature,
            Sort::Tenant,
            Sort::Budget,
            Sort::Switch,
            Sort::Signal,
            Sort::Classifier,
            Sort::Guard,
            Sort::Judge,
            Sort::Rollout,
            Sort::Drill,
        ];
        BY_WORD.into_iter().chain([Self::Guarantee]).find(|sort| sort.word() == word)
    }

    /// Kinds whose names are subjects of conditions share one space, so that a bare word means one thing.
    const fn space(self) -> Self {
        match self {
            Self::Define | Self::Switch | Self::Signal | Self::Classifier => Self::Attribute,
            other => other,
        }
    }

    const fn code(self) -> &'static Code {
        match self {
            Self::Attribute => &R101,
            Self::Feature => &R102,
            Self::Tenant => &R103,
            Self::Plan => &R104,
            Self::Template | Self::Queue => &R116,
            _ => &R107,
        }
    }

    /// Whether a declaration that nothing uses is worth a word. A budget counts, a guarantee proves and a rollout acts
    /// without being named.
    const fn wants_use(self) -> bool {
        use Sort::{
            Attribute, Classifier, Define, Group, Guard, Judge, Ladder, Queue, Residency, Signal, Switch, Template,
            Tier,
        };
        matches!(
            self,
            Tier | Ladder
                | Template
                | Queue
                | Group
                | Residency
                | Attribute
                | Define
                | Switch
                | Signal
                | Classifier
                | Guard
                | Judge
        )
    }
}

const RESERVED: [&str; 8] = ["default", "other", "requested", "unsure", "unknown", "anywhere", "weekdays", "weekend"];

/// A declaration.
#[derive(Debug)]
pub(super) struct Decl<'a> {
    pub sort: Sort,
    pub name: &'a str,
    pub span: Span,
    pub item: &'a Item,
    used: bool,
}

/// Every declaration of a set.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    decls: Vec<Decl<'a>>,
    by_name: FxHashMap<(Sort, &'a str), usize>,
    counts: FxHashMap<Sort, usize>,
    /// Names that a broken declaration would have declared.
    broken: Vec<&'a str>,
}

impl<'a> Names<'a> {
    /// Collects all declarations; reports R108 and R122. The first declaration of a name stays.
    pub fn collect(loaded: &'a Loaded, desk: &mut Desk<'a>) -> Self {
        let mut names = Self::default();
        names.broken.extend(loaded.files.iter().flat_map(|file| &file.broken).map(|decl| decl.name.node.as_str()));
        for item in loaded.items() {
            if let ItemKind::Plans(values) = &item.kind {
                for value in values {
                    if let Some(name) = desk.name(value, "a plan") {
                        names.declare(Sort::Plan, name, value.span, item, desk);
                    }
                }
            } else if let Some((sort, name)) = declared(item) {
                names.declare(sort, &name.node, name.span, item, desk);
            }
        }
        names
    }

    fn declare(&mut self, sort: Sort, name: &'a str, span: Span, item: &'a Item, desk: &mut Desk<'a>) {
        if let Some(finding) = reserved(sort, name, span) {
            desk.report(finding);
            return;
        }
        let key = (sort.space(), name);
        if let Some(first) = self.by_name.get(&key).map(|at| &self.decls[*at]) {
            let message = if first.sort == sort {
                format!("{} `{name}` is declared twice", sort.word())
            } else {
                format!("`{name}` is a {} already, and both are looked up in conditions", first.sort.word())
            };
            let finding = Diagnostic::new(&R108, span, message)
                .here("declared again")
                .label(first.span, "first declared here")
                .help(format!("rename one of the two, or delete this {}", sort.word()));
            desk.report(finding);
            return;
        }
        let count = self.counts.entry(sort).or_default();
        *count += 1;
        if *count > MAX_DECLARATIONS {
            if *count == MAX_DECLARATIONS + 1 {
                let message = format!(
                    "a set has at most {MAX_DECLARATIONS} declarations of one kind, and this {} is one more",
                    sort.word()
                );
                desk.report(Diagnostic::new(&R007, span, message).help("split the policy into several sets"));
            }
            return;
        }
        self.by_name.insert(key, self.decls.len());
        self.decls.push(Decl { sort, name, span, item, used: false });
    }

    /// Declarations of one sort, in the order of the set.
    pub fn all(&self, sort: Sort) -> Vec<(&'a str, Span, &'a Item)> {
        self.decls.iter().filter(|decl| decl.sort == sort).map(|decl| (decl.name, decl.span, decl.item)).collect()
    }

    /// Looks a name up and notes the use.
    pub fn find(&mut self, sort: Sort, name: &str) -> Option<&Decl<'a>> {
        let at = *self.by_name.get(&(sort.space(), name))?;
        let decl = &mut self.decls[at];
        if decl.sort != sort && sort != Sort::Attribute {
            return None;
        }
        decl.used = true;
        Some(&self.decls[at])
    }

    /// The declaration behind a name, without noting a use.
    pub fn item(&self, sort: Sort, name: &str) -> Option<&'a Item> {
        let decl = &self.decls[*self.by_name.get(&(sort.space(), name))?];
        (decl.sort == sort).then_some(decl.item)
    }

    /// Looks a name up without noting a use.
    pub fn knows(&self, sort: Sort, name: &str) -> bool {
        self.by_name.contains_key(&(sort.space(), name))
    }

    /// Looks a name up; reports it when nothing declares it.
    pub fn want(&mut self, sort: Sort, name: &Name, desk: &mut Desk<'a>) -> Option<&Decl<'a>> {
        if !self.by_name.contains_key(&(sort.space(), name.node.as_str())) {
            self.report_unknown(sort, &name.node, name.span, desk);
            return None;
        }
        self.find(sort, &name.node)
    }

    /// Whether a name is one that a group can hold.
    pub fn is_member(&self, name: &str) -> bool {
        [Sort::Tenant, Sort::Feature, Sort::Plan].into_iter().any(|sort| self.knows(sort, name))
    }

    /// Whether a broken declaration would have declared the name.
    pub fn is_broken(&self, name: &str) -> bool {
        self.broken.contains(&name)
    }

    /// Notes a use of what was surely meant: its own "unused" would be the same mistake told twice.
    pub fn meant(&mut self, sorts: &[Sort], name: &str) {
        let known = self.decls.iter().filter(|decl| sorts.contains(&decl.sort)).map(|decl| decl.name);
        if let Some(near) = nearest(name, known).first().copied() {
            let meant = |decl: &&mut Decl<'a>| sorts.contains(&decl.sort) && decl.name == near;
            self.decls.iter_mut().filter(meant).for_each(|decl| decl.used = true);
        }
    }

    /// "Unknown", with the nearest declared name as help and fix; silent when a broken declaration would have declared it.
    pub fn report_unknown(&mut self, sort: Sort, name: &str, span: Span, desk: &mut Desk<'a>) {
        if self.is_broken(name) {
            return;
        }
        self.meant(&[sort], name);
        let known: Vec<&str> = self.decls.iter().filter(|decl| decl.sort == sort).map(|decl| decl.name).collect();
        let message = format!("there is no {} `{name}`", sort.word());
        desk.report(unknown(sort.code(), sort.word(), message, name, span, &known));
    }

    /// R109 for everything that nothing used.
    pub fn report_unused(&self, desk: &mut Desk<'a>) {
        for decl in self.decls.iter().filter(|decl| !decl.used && decl.sort.wants_use()) {
            let message = format!("{} `{}` is used by nothing", decl.sort.word(), decl.name);
            let title = format!("delete {} `{}`", decl.sort.word(), decl.name);
            let whole = desk.whole_lines(decl.item.span);
            desk.report(
                Diagnostic::new(&R109, decl.span, message).help("delete it, or use it").fix(true, title, whole, ""),
            );
        }
    }
}

/// An unknown name: says what is known, offers the nearest, edits it in.
pub(in crate::policy) fn unknown(
    code: &'static Code,
    word: &str,
    message: String,
    name: &str,
    span: Span,
    known: &[&str],
) -> Diagnostic {
    const LISTED: usize = 12;
    let mut finding = Diagnostic::new(code, span, message);
    let near = nearest(name, known.iter().copied());
    if !known.is_empty() && known.len() <= LISTED {
        let list: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
        finding = finding.note(format!("known: {}", list.join(", ")));
    } else if known.is_empty() {
        finding = finding.note(format!("no {word} is declared"));
    }
    match near.first() {
        Some(near) => finding.help(format!("write `{near}`")).fix(true, format!("write `{near}`"), span, *near),
        None => finding,
    }
}

fn reserved(sort: Sort, name: &str, span: Span) -> Option<Diagnostic> {
    let help = format!("choose another name, like `{name}_1`");
    if RESERVED.contains(&name) {
        let message = format!("`{name}` has a meaning of its own and cannot name a {}", sort.word());
        return Some(Diagnostic::new(&R122, span, message).help(help));
    }
    if sort.space() == Sort::Attribute && subjects::is_built_in(name) {
        let message = format!("`{name}` is built in and cannot name a {}", sort.word());
        return Some(Diagnostic::new(&R122, span, message).help(help));
    }
    let special = match sort {
        Sort::Feature | Sort::Tier => "none",
        Sort::Rule => "otherwise",
        _ => return None,
    };
    (name == special).then(|| {
        let message = format!("`{name}` has a meaning of its own and cannot name a {}", sort.word());
        Diagnostic::new(&R122, span, message).help(help)
    })
}

fn declared(item: &Item) -> Option<(Sort, &Name)> {
    Some(match &item.kind {
        ItemKind::Define { name, .. } => (Sort::Define, name),
        ItemKind::Attribute(attribute) => (Sort::Attribute, &attribute.name),
        ItemKind::Group { kind, name, .. } if kind.node == "residency" => (Sort::Residency, name),
        ItemKind::Group { name, .. } => (Sort::Group, name),
        ItemKind::Tier(tier) => (Sort::Tier, &tier.name),
        ItemKind::Template { name, .. } => (Sort::Template, name),
        ItemKind::Ladder { name, .. } => (Sort::Ladder, name),
        ItemKind::Rule { name, .. } => (Sort::Rule, name),
        ItemKind::Decl { kind, name: Some(name), .. } => (Sort::of_kind(&kind.node)?, name),
        _ => return None,
    })
}
