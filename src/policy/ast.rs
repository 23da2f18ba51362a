//! What was written, with places, before anything is known about names.
//!
//! In: [`super::syntax`] fills these types. Out: [`super::resolve`] and the formatter read them. Must not know: pest, the
//! catalog, meaning. The grammar accepts a superset on purpose, so kinds, keys, units and intents are still words here.

use super::source::{FileId, Span, Spanned};

/// A name and where it stands.
pub type Name = Spanned<String>;

/// One file.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// Which.
    pub id: FileId,
    /// Declarations, in page order.
    pub items: Vec<Item>,
    /// What broken declarations would have declared, where that could be read: a use of such a name is not a second finding.
    pub broken: Vec<BrokenDecl>,
}

/// A declaration that did not parse, as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenDecl {
    /// Its first word: `rule`, `define`, `attribute`.
    pub kind: String,
    /// The name it would have declared.
    pub name: Name,
}

/// One declaration.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// From its keyword to its last character.
    pub span: Span,
    /// What it declares.
    pub kind: ItemKind,
}

/// The constructs of section 3.
#[derive(Clone, Debug, PartialEq)]
pub enum ItemKind {
    /// `route 1`
    Version(Spanned<u32>),
    /// `use "x.route"`
    Use(Spanned<String>),
    /// `evals from "evals/*.json"`, `tenants from "tenants.yaml"`
    FactsFrom { what: Name, path: Spanned<String> },
    /// `plans [free, pro]`
    Plans(Vec<Value>),
    /// `define long as prompt_tokens >= 100k`
    Define { name: Name, cond: Cond },
    /// `attribute channel is one of [..], from header "..", default chat`
    Attribute(Attribute),
    /// `group regulated = [nordbank]` or `residency eu = [eu-west]`; `kind` is that first word.
    Group { kind: Name, name: Name, members: Vec<Value> },
    /// `tier mid { .. }`
    Tier(Tier),
    /// `template sorry "..."` or `template sorry from "file"`
    Template { name: Name, body: TemplateBody },
    /// `ladder reply { .. }`
    Ladder { name: Name, body: RuleBody },
    /// `rule enterprise { .. }`
    Rule { name: Name, body: RuleBody },
    /// `otherwise { .. }`
    Otherwise { keyword: Span, body: RuleBody },
    /// Everything of the form `kind name { settings }`: policy, defaults, feature, tenant, queue, budget, classifier, switch,
    /// signal, judge, guard, rollout, drill, guarantee, and kinds nobody knows.
    Decl { kind: Name, name: Option<Name>, body: Block },
    /// `test "..." { .. }`
    Test { name: Spanned<String>, body: Vec<TestStmt> },
    /// `property "..." { .. }`
    Property { name: Spanned<String>, body: Block },
    /// `given ..` at file level.
    Given(GivenFact),
    /// A declaration that did not parse; the diagnostic is already made.
    Bad,
}

/// Where a template's text comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum TemplateBody {
    /// In the policy.
    Text(Spanned<String>),
    /// In a file beside it.
    File(Spanned<String>),
}

/// An attribute declaration.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// Its name.
    pub name: Name,
    /// Its domain.
    pub domain: Spanned<AttributeDomain>,
    /// Where values come from, tried in order.
    pub sources: Vec<AttributeSource>,
    /// The value when none is given.
    pub default: Option<Value>,
}

/// `one of [..]`, `number a..b`, `yes or no`, `text`
#[derive(Clone, Debug, PartialEq)]
pub enum AttributeDomain {
    /// A closed list.
    OneOf(Vec<Value>),
    /// A half-open range.
    Number(Value),
    /// Yes or no.
    YesOrNo,
    /// Anything.
    Text,
}

/// `from header "x-…"`, `from metadata "key"`, `from claim "…"`
#[derive(Clone, Debug, PartialEq)]
pub struct AttributeSource {
    /// `header`, `metadata` or `claim`.
    pub kind: Name,
    /// Its name there.
    pub key: Spanned<String>,
}

/// A tier.
#[derive(Clone, Debug, PartialEq)]
pub struct Tier {
    /// Its name.
    pub name: Name,
    /// The word `specialized`, if written.
    pub specialized: Option<Span>,
    /// Its lines.
    pub lines: Vec<TierLine>,
    /// A line of it did not parse: what is absent may only be unreadable.
    pub broken: bool,
}

/// A line of a tier.
#[derive(Clone, Debug, PartialEq)]
pub enum TierLine {
    /// `candidate? provider/id`
    Member { candidate: Option<Span>, model: Model },
    /// `requires eval "suite" >= 92% within 180d`
    Requires { span: Span, suite: Spanned<String>, op: Spanned<CompareOp>, score: Value, within: Option<Value> },
    /// Anything else of the form `key value*`; no version of the parser keeps one, it reports R002.
    Setting(Setting),
}

/// The statements of a rule, a ladder or `otherwise`, in page order.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct RuleBody {
    /// Statements that parsed.
    pub stmts: Vec<RuleStmt>,
    /// A statement of it did not parse: what is absent may only be unreadable.
    pub broken: bool,
}

/// A statement of section 3.3 and its whole span.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleStmt {
    /// All of it.
    pub span: Span,
    /// The first word.
    pub keyword: Span,
    /// What it says.
    pub kind: RuleStmtKind,
}

/// The statements of section 3.3.
#[derive(Clone, Debug, PartialEq)]
pub enum RuleStmtKind {
    /// `when COND`
    When(Cond),
    /// `because "…"`
    Because(Spanned<String>),
    /// `tier T, cheapest, timeout 5s`
    Tier { tier: TierName, order: Option<Spanned<Order>>, options: Vec<HopOption> },
    /// `snapshot M, opts`
    Snapshot { hop: HopRef, options: Vec<HopOption> },
    /// `fallback peer M, opts`; without an intent it parses, and is R319.
    Fallback { intent: Option<Spanned<Intent>>, hop: HopRef, options: Vec<HopOption> },
    /// `ladder NAME`
    Ladder(Name),
    /// `degrade …`
    Degrade(Degrade),
    /// `reject N "…"`
    Reject { status: Spanned<u32>, message: Option<Spanned<String>> },
    /// `no cache`
    NoCache,
    /// `cache exact for D per [..]`, `cache semantic S for D per [..]`; `similarity` is given for semantic.
    Cache { similarity: Option<Value>, fresh: Value, per: Option<Vec<Value>> },
    /// `shadow P% to M, keep D, budget NAME, scored by JUDGE`
    Shadow { share: Value, model: Model, keep: Option<Value>, budget: Option<Name>, scored: Option<Name> },
    /// `guard NAME` or `guard [..]`
    Guard(Vec<Value>),
    /// `hold first_token`, `hold N tokens`, `hold complete`
    Hold(Hold),
    /// `on cut error`, `on cut resume`
    OnCut(Spanned<OnCut>),
    /// `deadline D`, `timeout D`, `max_output N`, `in REGION`, `owner "…"`, `expires DATE`, `tag [..]`. Words nobody knows are
    /// reported by the parser (R002) and not kept.
    Setting(Setting),
}

/// What stands after `tier` in a rule.
#[derive(Clone, Debug, PartialEq)]
pub enum TierName {
    /// A tier by name.
    Named(Name),
    /// `as requested`
    AsRequested(Span),
}

/// The order inside a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// As declared.
    InOrder,
    /// By expected cost.
    Cheapest,
    /// By observed first-token time.
    Fastest,
}

/// The direction a fallback claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Intent {
    /// Same tier.
    Peer,
    /// A lower tier.
    Lower,
    /// A higher tier.
    Higher,
}

impl Intent {
    /// As written.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Lower => "lower",
            Self::Higher => "higher",
        }
    }
}

/// What a hop names.
#[derive(Clone, Debug, PartialEq)]
pub enum HopRef {
    /// `tier T`
    Tier { keyword: Span, name: Name },
    /// `requested`
    Requested(Span),
    /// `provider/id`
    Model(Model),
}

/// A model literal, judged later.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Model {
    /// All of `provider/id`.
    pub span: Span,
    /// Before the first slash.
    pub provider: String,
    /// After it, untouched.
    pub id: String,
}

/// One option behind a hop.
#[derive(Clone, Debug, PartialEq)]
pub struct HopOption {
    /// All of it.
    pub span: Span,
    /// Which.
    pub kind: HopOptionKind,
}

/// The options of section 3.3.
#[derive(Clone, Debug, PartialEq)]
pub enum HopOptionKind {
    /// `timeout D`
    Timeout(Value),
    /// `first_token D`
    FirstToken(Value),
    /// `idle D`
    Idle(Value),
    /// `max_output N`
    MaxOutput(Value),
    /// `retry N on [..] backoff D`
    Retry { count: Value, on: Option<Vec<Value>>, backoff: Option<Value> },
    /// `hedge after p95 up to 1` (`after` is `None`) or `hedge after D up to 1`
    Hedge { after: Option<Value>, up_to: Option<Spanned<u32>> },
    /// `on [..]`
    On(Vec<Value>),
    /// `in REGION`, `in [..]`
    In(Vec<Value>),
}

/// What the caller gets when no hop delivered.
#[derive(Clone, Debug, PartialEq)]
pub enum Degrade {
    /// `template NAME`
    Template(Name),
    /// `cached up to D`
    Cached(Option<Value>),
    /// `queue NAME within D`
    Queue { name: Name, within: Option<Value> },
    /// `error N "…"`
    Error { status: Spanned<u32>, message: Option<Spanned<String>> },
}

/// How much of a stream is held back.
#[derive(Clone, Debug, PartialEq)]
pub enum Hold {
    /// Until the first content event.
    FirstToken,
    /// Until that many tokens.
    Tokens(Value),
    /// Until the end.
    Complete,
}

/// What happens when a released stream breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnCut {
    /// An error event.
    Error,
    /// The next hop, if it repeats what was sent.
    Resume,
}

/// `{ settings }` of any other declaration.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Block {
    /// From brace to brace.
    pub span: Option<Span>,
    /// Statements, in page order. A key the kind does not know is reported by the parser (R002) and not kept.
    pub stmts: Vec<BlockStmt>,
    /// A statement of it did not parse: what is absent may only be unreadable.
    pub broken: bool,
}

/// One statement of a block.
#[derive(Clone, Debug, PartialEq)]
pub enum BlockStmt {
    /// `key value*`
    Setting(Setting),
    /// `covers COND`, `where COND`, `for COND`, `halt when COND`, `on when COND`, `off when COND`; the key has single spaces.
    Cond { key: Name, cond: Cond },
    /// `key { .. }`
    Nested { key: Name, block: Block },
}

/// `key value*`
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// All of it.
    pub span: Span,
    /// The first word.
    pub key: Name,
    /// The rest.
    pub values: Vec<Value>,
}

/// A value as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// Where.
    pub span: Span,
    /// What.
    pub kind: ValueKind,
}

/// The literals of section 2.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueKind {
    /// A bare word.
    Word(String),
    /// `"…"`, unescaped.
    Str(String),
    /// `provider/id`
    Model(Model),
    /// A number with or without a unit.
    Quantity(Quantity),
    /// `22:00`, minutes since midnight, up to 1,440.
    Time(u16),
    /// `2026-12-11`
    Date(jiff::civil::Date),
    /// `a..b`; the ends are quantities or times.
    Range(Box<Value>, Box<Value>),
    /// `[a, b]`
    List(Vec<Value>),
    /// `<=` and the like, where a statement has one (`worst_cost <= $0.02`).
    Compare(CompareOp),
    /// `*` in a table cell.
    Any,
}

/// `<`, `<=`, `>`, `>=`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

/// An exact decimal and its unit: `0.97` is 97 with scale 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quantity {
    /// All digits.
    pub digits: u64,
    /// How many of them stand behind the point.
    pub scale: u8,
    /// What follows the number.
    pub unit: Unit,
}

/// What follows a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Nothing.
    None,
    /// `$` in front.
    Dollar,
    /// `%`
    Percent,
    /// `ms`
    Millisecond,
    /// `s`
    Second,
    /// `m`
    Minute,
    /// `h`
    Hour,
    /// `d`
    Day,
    /// `k`, a thousand
    Kilo,
    /// `M`, a million
    Mega,
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Cond {
    /// All of it.
    pub span: Span,
    /// What.
    pub kind: CondKind,
}

/// Section 4.1. `Any` and `All` have at least two members; parentheses are kept, so that R908 can tell mixed `and`/`or`.
#[derive(Clone, Debug, PartialEq)]
pub enum CondKind {
    /// `a or b`
    Any(Vec<Cond>),
    /// `a and b`
    All(Vec<Cond>),
    /// `not a`
    Not(Box<Cond>),
    /// `( a )`
    Paren(Box<Cond>),
    /// `subject relation?`
    Test(Test),
}

/// `subject relation?`; without a relation the subject is a boolean or a define.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// What is looked at.
    pub subject: Subject,
    /// How.
    pub relation: Option<Relation>,
}

/// What a test looks at.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// Where.
    pub span: Span,
    /// Which.
    pub kind: SubjectKind,
}

/// The forms of a subject.
#[derive(Clone, Debug, PartialEq)]
pub enum SubjectKind {
    /// A plain name: built in, attribute, switch, signal, classifier, define.
    Name(String),
    /// `budget N`
    Budget(Name),
    /// `p95 of M`, `errors of M`, or bare inside a rollout; `of` is a model or a provider.
    Metric { metric: Name, of: Option<Value> },
}

/// `is V`, `in ..`, …
#[derive(Clone, Debug, PartialEq)]
pub struct Relation {
    /// From its first word.
    pub span: Span,
    /// Which.
    pub kind: RelationKind,
}

/// The relations of section 4.1.
#[derive(Clone, Debug, PartialEq)]
pub enum RelationKind {
    /// `is V`, `is not V`
    Is { negated: bool, value: Value },
    /// `in X`, `not in X`: a range, a list, or a group's name as a word.
    In { negated: bool, set: Value },
    /// `has V`
    Has(Value),
    /// `like "x*"`
    Like(Spanned<String>),
    /// `< N` and the like.
    Compare { op: CompareOp, value: Value },
}

/// A statement of a test.
#[derive(Clone, Debug, PartialEq)]
pub struct TestStmt {
    /// All of it.
    pub span: Span,
    /// Which.
    pub kind: TestStmtKind,
}

/// The statements of section 10.
#[derive(Clone, Debug, PartialEq)]
pub enum TestStmtKind {
    /// `given …`
    Given(GivenFact),
    /// `request { … }`
    Request(Block),
    /// `expect …`
    Expect(Vec<Value>),
    /// `table a, b -> rule { rows }`
    Table { inputs: Vec<Name>, outputs: Vec<Name>, rows: Vec<TableRow> },
}

/// One row of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableRow {
    /// All of it.
    pub span: Span,
    /// Left of the arrow.
    pub inputs: Vec<Value>,
    /// Right of it.
    pub outputs: Vec<Value>,
}

/// What a `given` fixes.
#[derive(Clone, Debug, PartialEq)]
pub enum GivenFact {
    /// `now DATE TIME`
    Now { date: Value, time: Value },
    /// `rollout R at P%`
    Rollout { name: Name, stage: Value },
    /// `M gives [..]`
    Gives { who: Value, failures: Vec<Value> },
    /// `M cuts after N tokens`
    Cuts { who: Value, after: Value },
    /// `PROVIDER is down`, `SWITCH is on`
    Is { who: Value, state: Name },
    /// `budget B is ok`, `p95 of M is 3s`
    Reading { subject: Subject, relation: Relation },
}
