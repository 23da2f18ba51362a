//! Every column's domain, cut into the pieces that the policy tells apart (language specification, section 9.1).
//!
//! In: columns, and every set of values that a condition or a fact names. Out: [`Space`]: value to atom without allocation,
//! values to sets of atoms. Must not know: rules' outcomes, requests, how values are shown.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::atom_set::{AtomId, AtomSet};
use super::checked::{Checked, Column, ColumnId, Cond, Domain, Subject, TextPattern, UNKNOWN, Values};
use super::diagnostic::{Diagnostic, R411};

/// Most atoms a column may have; above it is R411. Leaf tables grow with it.
pub const MAX_ATOMS: usize = 4096;

/// Minutes of a week, the clock's domain.
pub const WEEK: u64 = 7 * 24 * 60;

/// A column has more than [`MAX_ATOMS`] atoms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooManyAtoms {
    /// The column's name.
    pub column: Arc<str>,
    /// How many it would have.
    pub atoms: usize,
}

impl TooManyAtoms {
    /// R411.
    pub fn finding(&self, checked: &Checked) -> Diagnostic {
        let title = format!("the rules tell {} values of `{}` apart", self.atoms, self.column);
        Diagnostic::new(&R411, checked.place, title)
            .here(format!("{MAX_ATOMS} is the limit"))
            .help(format!("test `{}` with groups or ranges instead of single values", self.column))
    }
}

/// The columns of one question, each with its atoms. The first columns are those of [`Checked::columns`], with their ids;
/// analysis may add columns that no condition tests.
#[derive(Clone, Debug)]
pub struct Space {
    columns: Vec<Column>,
    atoms: Vec<Atoms>,
}

/// The atoms of one column.
#[derive(Clone, Debug)]
pub enum Atoms {
    /// Values no test distinguishes share an atom; one more entry than values when the domain is open.
    Enum { atom_of: Box<[u16]>, by_name: FxHashMap<Arc<str>, u16>, other: Option<u16>, count: usize },
    /// Numbers and the clock: atom `k` begins at `cuts[k - 1]`, the first at `lo`; the last ends at `hi`, inclusive.
    Number { lo: u64, hi: u64, cuts: Box<[u64]> },
    /// No is 0, yes is 1.
    Bool,
    /// One atom for each pattern, then everything else.
    Text(TextAtoms),
}

/// Texts by their longest match.
#[derive(Clone, Debug)]
pub struct TextAtoms {
    patterns: Box<[TextPattern]>,
    literals: FxHashMap<Box<[u8]>, u16>,
    prefixes: FxHashMap<Box<[u8]>, u16>,
    /// Distinct lengths of prefixes, longest first. With 0 among them, no text is left for the last atom, and there is none.
    lengths: Box<[usize]>,
}

/// What a condition or a fact names of each column.
#[derive(Debug, Default)]
pub struct Mentions {
    sets: FxHashMap<ColumnId, FxHashSet<Mention>>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum Mention {
    Enum(Vec<u32>),
    Edge(u64),
    Text(TextPattern),
}

impl Mentions {
    /// Everything that the rules and facts of a policy name.
    pub fn of(checked: &Checked) -> Self {
        let mut mentions = Self::default();
        mentions.add_all_of(checked);
        mentions
    }

    /// Also everything that the rules and facts of this policy name.
    pub fn add_all_of(&mut self, checked: &Checked) {
        for rule in &checked.rules {
            self.add_cond(&rule.when);
        }
        for fact in merged_implications(checked) {
            self.add(fact.if_column, &fact.if_values);
            self.add(fact.then_column, &fact.then_values);
        }
    }

    /// Everything a condition names.
    pub fn add_cond(&mut self, cond: &Cond) {
        match cond {
            Cond::True => {}
            Cond::Any(parts) | Cond::All(parts) => parts.iter().for_each(|part| self.add_cond(part)),
            Cond::Not(inner) => self.add_cond(inner),
            Cond::Test { column, values, .. } => self.add(*column, values),
        }
    }

    /// One set of values.
    pub fn add(&mut self, column: ColumnId, values: &Values) {
        let of_column = self.sets.entry(column).or_default();
        match values {
            Values::Enum(set) => {
                of_column.insert(Mention::Enum(set.clone()));
            }
            Values::Ranges(ranges) => {
                for (from, to) in ranges {
                    of_column.insert(Mention::Edge(*from));
                    of_column.insert(Mention::Edge(*to));
                }
            }
            Values::Bool(_) => {}
            Values::Text(patterns) => of_column.extend(patterns.iter().cloned().map(Mention::Text)),
        }
    }

    fn of_column(&self, column: ColumnId) -> impl Iterator<Item = &Mention> {
        self.sets.get(&column).into_iter().flatten()
    }
}

/// One fact for all values of a column that say the same: a thousand tenants on one plan are one set, and one atom.
#[derive(Clone, Debug)]
pub struct Fact {
    /// Left.
    pub if_column: ColumnId,
    /// Left.
    pub if_values: Values,
    /// Right.
    pub then_column: ColumnId,
    /// Right.
    pub then_values: Values,
    /// Positions in [`Checked::implications`].
    pub from: Vec<usize>,
}

/// The implications of a policy, joined where they differ only in the values of an enumeration on the left.
pub fn merged_implications(checked: &Checked) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    let mut place: FxHashMap<(ColumnId, ColumnId, String), usize> = FxHashMap::default();
    for (at, one) in checked.implications.iter().enumerate() {
        let Values::Enum(left) = &one.if_values else {
            facts.push(Fact {
                if_column: one.if_column,
                if_values: one.if_values.clone(),
                then_column: one.then_column,
                then_values: one.then_values.clone(),
                from: vec![at],
            });
            continue;
        };
        let key = (one.if_column, one.then_column, format!("{:?}", one.then_values));
        let slot = *place.entry(key).or_insert(facts.len());
        if slot == facts.len() {
            facts.push(Fact {
                if_column: one.if_column,
                if_values: Values::Enum(Vec::new()),
                then_column: one.then_column,
                then_values: one.then_values.clone(),
                from: Vec::new(),
            });
        }
        facts[slot].from.push(at);
        if let Values::Enum(all) = &mut facts[slot].if_values {
            all.extend(left);
        }
    }
    for fact in &mut facts {
        if let Values::Enum(all) = &mut fact.if_values {
            all.sort_unstable();
            all.dedup();
        }
    }
    facts
}

impl Space {
    /// Cuts the columns of a policy at what it mentions.
    ///
    /// # Errors
    /// When a column has more than [`MAX_ATOMS`] atoms.
    pub fn of(checked: &Checked) -> Result<Self, TooManyAtoms> {
        Self::build(checked.columns.clone(), &Mentions::of(checked))
    }

    /// Cuts columns at what is mentioned.
    ///
    /// # Errors
    /// When a column has more than [`MAX_ATOMS`] atoms.
    pub fn build(columns: Vec<Column>, mentions: &Mentions) -> Result<Self, TooManyAtoms> {
        let mut atoms = Vec::with_capacity(columns.len());
        for (at, column) in columns.iter().enumerate() {
            let id = ColumnId(at as u16);
            let cut = Atoms::cut(&column.domain, mentions.of_column(id));
            if cut.count() > MAX_ATOMS {
                return Err(TooManyAtoms { column: column.name.clone(), atoms: cut.count() });
            }
            atoms.push(cut);
        }
        Ok(Self { columns, atoms })
    }

    /// All columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// One column.
    pub fn column(&self, id: ColumnId) -> &Column {
        &self.columns[id.index()]
    }

    /// Its atoms.
    pub fn atoms(&self, id: ColumnId) -> &Atoms {
        &self.atoms[id.index()]
    }

    /// How many atoms it has.
    pub fn count(&self, id: ColumnId) -> usize {
        self.atoms[id.index()].count()
    }

    /// Every column's id.
    pub fn ids(&self) -> impl Iterator<Item = ColumnId> + use<> {
        (0..self.columns.len() as u16).map(ColumnId)
    }

    /// The column that looks at something, if there is one.
    pub fn find(&self, subject: Subject) -> Option<ColumnId> {
        self.columns.iter().position(|column| column.subject == subject).map(|at| ColumnId(at as u16))
    }

    /// The atoms that values cover. Exact when the values were among the mentions that cut the column; otherwise the atoms they
    /// touch.
    pub fn set(&self, id: ColumnId, values: &Values) -> AtomSet {
        self.atoms[id.index()].set(values)
    }
}

impl Atoms {
    fn cut<'a>(domain: &Domain, mentions: impl Iterator<Item = &'a Mention>) -> Self {
        match domain {
            Domain::Enum { values, open } => {
                let mut sets: Vec<&Vec<u32>> =
                    mentions.filter_map(|one| if let Mention::Enum(set) = one { Some(set) } else { None }).collect();
                sets.sort_unstable();
                Self::cut_enum(values, *open, &sets)
            }
            Domain::Number { lo, hi } => Self::cut_number(*lo, *hi, mentions),
            Domain::Metric(observed) => Self::cut_metric(observed.most(), mentions),
            Domain::Clock => Self::cut_number(0, WEEK - 1, mentions),
            Domain::Bool => Self::Bool,
            Domain::Text => {
                let mut patterns: Vec<TextPattern> = mentions
                    .filter_map(|one| if let Mention::Text(pattern) = one { Some(pattern.clone()) } else { None })
                    .collect();
                patterns.sort_unstable();
                Self::Text(TextAtoms::new(patterns))
            }
        }
    }

    /// Splits one class of all values by each set in turn; classes are then numbered in the order of declaration.
    fn cut_enum(values: &[Arc<str>], open: bool, sets: &[&Vec<u32>]) -> Self {
        let total = values.len() + usize::from(open);
        let mut class = vec![0usize; total];
        let mut size = vec![total];
        for set in sets {
            let mut inside: FxHashMap<usize, Vec<usize>> = FxHashMap::default();
            for value in set.iter().map(|value| *value as usize).filter(|value| *value < values.len()) {
                inside.entry(class[value]).or_default().push(value);
            }
            for (old, mut members) in inside {
                members.sort_unstable();
                members.dedup();
                if members.len() == size[old] {
                    continue;
                }
                size[old] -= members.len();
                members.iter().for_each(|member| class[*member] = size.len());
                size.push(members.len());
            }
        }
        let mut number: FxHashMap<usize, u16> = FxHashMap::default();
        let mut atom_of = Vec::with_capacity(total);
        for old in class {
            let next = number.len();
            atom_of.push(*number.entry(old).or_insert(u16::try_from(next).unwrap_or(u16::MAX)));
        }
        let by_name = values.iter().zip(&atom_of).map(|(name, atom)| (name.clone(), *atom)).collect();
        let other = if open { atom_of.last().copied() } else { None };
        Self::Enum { atom_of: atom_of.into(), by_name, other, count: number.len() }
    }

    fn cut_number<'a>(lo: u64, hi: u64, mentions: impl Iterator<Item = &'a Mention>) -> Self {
        let edges = mentions.filter_map(|one| if let Mention::Edge(at) = one { Some(*at) } else { None });
        let mut cuts: Vec<u64> = edges.filter(|at| lo < *at && *at <= hi).collect();
        cuts.sort_unstable();
        cuts.dedup();
        Self::Number { lo, hi, cuts: cuts.into() }
    }

    /// Behind the largest value comes one more atom, which is unknown.
    fn cut_metric<'a>(hi: u64, mentions: impl Iterator<Item = &'a Mention>) -> Self {
        let edges = mentions.filter_map(|one| if let Mention::Edge(at) = one { Some(*at) } else { None });
        let mut cuts: Vec<u64> = edges.filter(|at| (1..=hi).contains(at)).chain([hi + 1]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        Self::Number { lo: 0, hi: UNKNOWN, cuts: cuts.into() }
    }

    /// How many atoms.
    pub fn count(&self) -> usize {
        match self {
            Self::Enum { count, .. } => *count,
            Self::Number { cuts, .. } => cuts.len() + 1,
            Self::Bool => 2,
            Self::Text(text) => text.patterns.len() + usize::from(text.has_rest()),
        }
    }

    /// How many values an enumeration lists, with one more for `other`.
    pub fn positions(&self) -> usize {
        match self {
            Self::Enum { atom_of, .. } => atom_of.len(),
            _ => 0,
        }
    }

    /// The atom of a value by its position in the domain; positions past the last are `other`.
    pub fn of_position(&self, value: usize) -> AtomId {
        match self {
            Self::Enum { atom_of, .. } => AtomId(atom_of.get(value).or(atom_of.last()).copied().unwrap_or(0)),
            _ => AtomId(0),
        }
    }

    /// The atom of a name of an enumeration; an unknown name is `other`, or `None` where the list is closed.
    pub fn of_name(&self, name: &str) -> Option<AtomId> {
        match self {
            Self::Enum { by_name, other, .. } => by_name.get(name).copied().or(*other).map(AtomId),
            _ => None,
        }
    }

    /// The atom of a number or a minute of the week.
    pub fn of_number(&self, value: u64) -> AtomId {
        match self {
            Self::Number { cuts, .. } => AtomId(cuts.partition_point(|cut| *cut <= value) as u16),
            _ => AtomId(0),
        }
    }

    /// The atom of a text.
    pub fn of_text(&self, value: &str) -> AtomId {
        match self {
            Self::Text(text) => text.of(value.as_bytes()),
            _ => AtomId(0),
        }
    }

    /// The numbers of an atom, both ends inclusive.
    pub fn bounds(&self, atom: AtomId) -> Option<(u64, u64)> {
        let Self::Number { lo, hi, cuts } = self else { return None };
        let at = atom.index();
        let from = if at == 0 { *lo } else { *cuts.get(at - 1)? };
        Some((from, cuts.get(at).map_or(*hi, |next| next - 1)))
    }

    /// The cuts of a number column, ascending: atom `k` begins at the `k`-th cut, counted from 1.
    pub fn cuts(&self) -> &[u64] {
        match self {
            Self::Number { cuts, .. } => cuts,
            _ => &[],
        }
    }

    /// The atoms that values cover or touch.
    pub fn set(&self, values: &Values) -> AtomSet {
        let count = self.count();
        let mut set = AtomSet::empty(count);
        match (self, values) {
            (Self::Enum { atom_of, .. }, Values::Enum(members)) => {
                let known = members.iter().filter_map(|value| atom_of.get(*value as usize));
                known.for_each(|atom| set.insert(AtomId(*atom)));
            }
            (Self::Number { lo, hi, .. }, Values::Ranges(ranges)) => {
                for (from, to) in ranges {
                    let (first, last) = ((*from).max(*lo), to.saturating_sub(1).min(*hi));
                    if from < to && first <= last {
                        for at in self.of_number(first).0..=self.of_number(last).0 {
                            set.insert(AtomId(at));
                        }
                    }
                }
            }
            (Self::Bool, Values::Bool(yes)) => set.insert(AtomId(u16::from(*yes))),
            (Self::Text(text), Values::Text(patterns)) => {
                patterns.iter().for_each(|pattern| text.add_matches(pattern, &mut set));
            }
            // INVARIANT: resolve gives every test values of its column's own kind; values of another kind match nothing.
            _ => {}
        }
        set
    }
}

impl TextAtoms {
    fn new(patterns: Vec<TextPattern>) -> Self {
        let mut literals = FxHashMap::default();
        let mut prefixes = FxHashMap::default();
        for (at, pattern) in patterns.iter().enumerate() {
            let table = if pattern.prefix { &mut prefixes } else { &mut literals };
            table.insert(pattern.text.as_bytes().into(), u16::try_from(at).unwrap_or(u16::MAX));
        }
        let mut lengths: Vec<usize> = patterns.iter().filter(|one| one.prefix).map(|one| one.text.len()).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.dedup();
        Self { patterns: patterns.into(), literals, prefixes, lengths: lengths.into() }
    }

    /// The whole text, else its longest known prefix, else everything else.
    fn of(&self, text: &[u8]) -> AtomId {
        if let Some(atom) = self.literals.get(text) {
            return AtomId(*atom);
        }
        let fitting = self.lengths.iter().filter_map(|len| text.get(..*len));
        let longest = fitting.filter_map(|start| self.prefixes.get(start)).next();
        AtomId(longest.copied().unwrap_or(self.patterns.len() as u16))
    }

    /// A literal is its own atom; a prefix is every atom whose text begins with it. The empty prefix is every text.
    fn add_matches(&self, pattern: &TextPattern, set: &mut AtomSet) {
        for (at, atom) in self.patterns.iter().enumerate() {
            let matches = if pattern.prefix { atom.text.starts_with(&*pattern.text) } else { atom == pattern };
            if matches {
                set.insert(AtomId(at as u16));
            }
        }
    }

    fn has_rest(&self) -> bool {
        self.lengths.last() != Some(&0)
    }

    /// The pattern behind an atom; `None` for everything else.
    pub fn pattern(&self, atom: AtomId) -> Option<&TextPattern> {
        self.patterns.get(atom.index())
    }

    /// A text that has this atom. There always is one: of more endings than there are patterns, one is free.
    pub fn example(&self, atom: AtomId) -> Option<String> {
        let start = self.patterns.get(atom.index()).map_or("", |pattern| &*pattern.text);
        if self.patterns.get(atom.index()).is_some_and(|pattern| !pattern.prefix) {
            return Some(start.to_owned());
        }
        let plain = if start.is_empty() { ["other", ""] } else { ["", "x"] };
        let endings = plain.into_iter().map(str::to_owned).chain((0..=self.patterns.len()).map(|n| format!("{n}-x")));
        endings.map(|end| format!("{start}{end}")).find(|text| self.of(text.as_bytes()) == atom)
    }
}
