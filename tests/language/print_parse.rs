//! Tree → text → tree: what is printed from a syntax tree reads as the same tree, places aside.
//!
//! The printer is this file's own. It knows the tree alone: no tokens, no text of the file, nothing of the formatter, whose
//! spelling it does not share (every list has brackets, every statement a line, no numbers are shortened). It names every
//! variant, so what is added to the tree has to be printed here. Files are those of the repository and texts made up from a
//! seed; conditions are also made up as trees, which no parser has seen.

use std::path::{Path, PathBuf};

use wayside::policy::ast::*;
use wayside::policy::diagnostic::Level;
use wayside::policy::source::{FileId, Sources, Span, Spanned};
use wayside::policy::syntax::parse;

use crate::generate::{Dice, Draw as _, text};

/// The tree of a text that has no error, else the first one.
fn read(text: &str) -> Result<File, String> {
    let mut sources = Sources::default();
    let id = sources.add("one.route", text);
    let mut findings = Vec::new();
    let tree = parse(id, text, &mut findings);
    match findings.iter().find(|finding| finding.level == Level::Error) {
        None => Ok(tree),
        Some(finding) => {
            let at = &text[finding.span.lo as usize..];
            Err(format!("{} {} at `{}`", finding.code.code, finding.message, at.lines().next().unwrap_or("")))
        }
    }
}

/// Items as text, without places.
fn shape(tree: &File) -> Vec<String> {
    tree.items.iter().map(|item| placeless(&format!("{:?}", item.kind))).collect()
}

fn placeless(debug: &str) -> String {
    let mut parts = debug.split("Span { file: FileId(");
    let mut out = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let (place, rest) = part.split_once(" }").unwrap();
        assert!(place.contains("), lo: ") && place.contains(", hi: "), "{place}");
        out.push('@');
        out.push_str(rest);
    }
    out
}

fn survives(name: &str, tree: &File) {
    let printed = file(tree);
    let again = read(&printed).unwrap_or_else(|why| panic!("{name}: {why}\n{printed}"));
    let (was, is) = (shape(tree), shape(&again));
    for (was, is) in was.iter().zip(&is) {
        assert_eq!(was, is, "{name}\n{printed}");
    }
    assert_eq!(was.len(), is.len(), "{name}\n{printed}");
}

fn routes(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            routes(&path, found);
        } else if path.extension().is_some_and(|end| end == "route") {
            found.push(path);
        }
    }
}

#[test]
fn every_policy_of_the_repository_survives() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for folder in ["tests/corpus", "policies", "benches"] {
        routes(&root.join(folder), &mut paths);
    }
    let mut seen = 0;
    for path in paths {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        if let Ok(tree) = read(&text) {
            survives(&path.display().to_string(), &tree);
            seen += 1;
        }
    }
    assert!(seen >= 400, "{seen}");
}

#[test]
fn made_up_policies_survive() {
    survives("long rules", &read(&text::long_rules(5)).unwrap());
    for seed in 0..12 {
        survives(&format!("structured {seed}"), &read(&text::structured(40, seed)).unwrap());
        survives(&format!("random {seed}"), &read(&text::random(40, seed)).unwrap());
    }
}

#[test]
fn made_up_conditions_survive() {
    let id = FileId(0);
    for seed in 0..2_000 {
        let mut dice = Dice(seed);
        let name = Spanned { node: "made_up".to_owned(), span: NOWHERE };
        let kind = ItemKind::Define { name, cond: made_up(&mut dice, 4) };
        let first = Item { span: NOWHERE, kind: ItemKind::Version(Spanned { node: 1, span: NOWHERE }) };
        let items = vec![first, Item { span: NOWHERE, kind }];
        survives(&format!("condition {seed}"), &File { id, items, broken: Vec::new() });
    }
}

/// The comparison sees a word, an operator, a unit and parentheses.
#[test]
fn different_policies_have_different_shapes() {
    let texts =
        ["a and b", "a or b", "a and c", "(a and b)", "not a", "a < 1k", "a < 1000", "a < 1", "a <= 1", "a is b"];
    let shapes: Vec<_> =
        texts.iter().map(|cond| shape(&read(&format!("route 1\ndefine d as {cond}\n")).unwrap())).collect();
    for (at, one) in shapes.iter().enumerate() {
        assert!(!shapes[..at].contains(one), "{}", texts[at]);
    }
}

const NOWHERE: Span = Span { file: FileId(0), lo: 0, hi: 0 };

fn made_up(dice: &mut Dice, depth: usize) -> Cond {
    let kind = match if depth == 0 { 9 } else { dice.below(10) } {
        0 | 1 => CondKind::Any((0..2 + dice.below(3)).map(|_| tighter(made_up(dice, depth - 1), false)).collect()),
        2 | 3 => CondKind::All((0..2 + dice.below(3)).map(|_| tighter(made_up(dice, depth - 1), true)).collect()),
        4 => CondKind::Not(Box::new(tighter(made_up(dice, depth - 1), true))),
        5 => CondKind::Paren(Box::new(made_up(dice, depth - 1))),
        _ => CondKind::Test(made_up_test(dice)),
    };
    Cond { span: NOWHERE, kind }
}

/// In parentheses where the tree could not be written without.
fn tighter(cond: Cond, in_all: bool) -> Cond {
    let loose = match cond.kind {
        CondKind::Any(_) => true,
        CondKind::All(_) => in_all,
        _ => false,
    };
    if loose { Cond { span: NOWHERE, kind: CondKind::Paren(Box::new(cond)) } } else { cond }
}

fn made_up_test(dice: &mut Dice) -> Test {
    let word = |dice: &mut Dice| value_of(ValueKind::Word(format!("word_{}", dice.below(5))));
    let number = |dice: &mut Dice| {
        let units =
            [Unit::None, Unit::Dollar, Unit::Percent, Unit::Millisecond, Unit::Second, Unit::Minute, Unit::Hour];
        let unit = [&units[..], &[Unit::Day, Unit::Kilo, Unit::Mega]].concat()[dice.below(10)];
        let (digits, scale) = (dice.below(2_000) as u64, dice.below(3) as u8);
        value_of(ValueKind::Quantity(Quantity { digits, scale, unit }))
    };
    let negated = dice.chance(50);
    let relation = match dice.below(7) {
        0 => None,
        1 => Some(RelationKind::Is { negated, value: word(dice) }),
        2 => {
            let list = (0..1 + dice.below(3)).map(|_| word(dice)).collect();
            Some(RelationKind::In { negated, set: value_of(ValueKind::List(list)) })
        }
        3 => Some(RelationKind::Has(word(dice))),
        4 => Some(RelationKind::Like(Spanned { node: "a \\ \"b\"\n*".to_owned(), span: NOWHERE })),
        5 => {
            let (low, high) = (value_of(ValueKind::Time(dice.below(1440) as u16)), value_of(ValueKind::Time(1440)));
            Some(RelationKind::In { negated, set: value_of(ValueKind::Range(Box::new(low), Box::new(high))) })
        }
        _ => {
            let op = [CompareOp::Less, CompareOp::AtMost, CompareOp::Greater, CompareOp::AtLeast][dice.below(4)];
            Some(RelationKind::Compare { op, value: number(dice) })
        }
    };
    let name = Spanned { node: format!("name_{}", dice.below(5)), span: NOWHERE };
    let kind = match dice.below(4) {
        0 => SubjectKind::Budget(name),
        1 => SubjectKind::Metric { metric: Spanned { node: "errors".to_owned(), ..name }, of: Some(word(dice)) },
        _ => SubjectKind::Name(name.node),
    };
    let relation = relation.map(|kind| Relation { span: NOWHERE, kind });
    Test { subject: Subject { span: NOWHERE, kind }, relation }
}

const fn value_of(kind: ValueKind) -> Value {
    Value { span: NOWHERE, kind }
}

// The printer.

fn file(tree: &File) -> String {
    tree.items.iter().map(|one| item(&one.kind) + "\n").collect()
}

fn item(kind: &ItemKind) -> String {
    match kind {
        ItemKind::Version(version) => format!("route {}", version.node),
        ItemKind::Use(path) => format!("use {}", quoted(&path.node)),
        ItemKind::FactsFrom { what, path } => format!("{} from {}", what.node, quoted(&path.node)),
        ItemKind::Plans(plans) => format!("plans {}", list(plans)),
        ItemKind::Define { name, cond: of } => format!("define {} as {}", name.node, cond(of)),
        ItemKind::Attribute(one) => attribute(one),
        ItemKind::Group { kind, name, members } => format!("{} {} = {}", kind.node, name.node, list(members)),
        ItemKind::Tier(tier) => {
            let special = if tier.specialized.is_some() { " specialized" } else { "" };
            braced(&format!("tier {}{special}", tier.name.node), tier.lines.iter().map(tier_line))
        }
        ItemKind::Template { name, body: TemplateBody::Text(text) } => {
            format!("template {} {}", name.node, quoted(&text.node))
        }
        ItemKind::Template { name, body: TemplateBody::File(path) } => {
            format!("template {} from {}", name.node, quoted(&path.node))
        }
        ItemKind::Ladder { name, body } => braced(&format!("ladder {}", name.node), body.stmts.iter().map(statement)),
        ItemKind::Rule { name, body } => braced(&format!("rule {}", name.node), body.stmts.iter().map(statement)),
        ItemKind::Otherwise { keyword: _, body } => braced("otherwise", body.stmts.iter().map(statement)),
        ItemKind::Decl { kind, name, body } => block(
            &format!("{}{}", kind.node, name.as_ref().map(|name| format!(" {}", name.node)).unwrap_or_default()),
            body,
        ),
        ItemKind::Test { name, body } => {
            braced(&format!("test {}", quoted(&name.node)), body.iter().map(test_statement))
        }
        ItemKind::Property { name, body } => block(&format!("property {}", quoted(&name.node)), body),
        ItemKind::Given(fact) => given(fact),
        ItemKind::Bad => panic!("a tree without errors has no such item"),
    }
}

fn braced(head: &str, lines: impl Iterator<Item = String>) -> String {
    format!("{head} {{\n{}}}", lines.map(|line| line + "\n").collect::<String>())
}

fn attribute(one: &Attribute) -> String {
    let domain = match &one.domain.node {
        AttributeDomain::OneOf(values) => format!("one of {}", list(values)),
        AttributeDomain::Number(range) => format!("number {}", value(range)),
        AttributeDomain::YesOrNo => "yes or no".to_owned(),
        AttributeDomain::Text => "text".to_owned(),
    };
    let sources = one.sources.iter().map(|from| format!(", from {} {}", from.kind.node, quoted(&from.key.node)));
    let default = one.default.iter().map(|default| format!(", default {}", value(default)));
    format!("attribute {} is {domain}{}", one.name.node, sources.chain(default).collect::<String>())
}

fn tier_line(line: &TierLine) -> String {
    match line {
        TierLine::Member { candidate, model: of } => {
            format!("{}{}", if candidate.is_some() { "candidate " } else { "" }, model(of))
        }
        TierLine::Requires { span: _, suite, op, score, within } => {
            let head = format!("requires eval {} {} {}", quoted(&suite.node), compare(op.node), value(score));
            format!("{head}{}", optional(" within ", within.as_ref()))
        }
        TierLine::Setting(one) => setting(one),
    }
}

fn statement(statement: &RuleStmt) -> String {
    match &statement.kind {
        RuleStmtKind::When(of) => format!("when {}", cond(of)),
        RuleStmtKind::Because(text) => format!("because {}", quoted(&text.node)),
        RuleStmtKind::Tier { tier, order, options } => {
            let tier = match tier {
                TierName::Named(name) => name.node.as_str(),
                TierName::AsRequested(_) => "as requested",
            };
            let order = order.as_ref().map_or("", |order| match order.node {
                Order::InOrder => ", in order",
                Order::Cheapest => ", cheapest",
                Order::Fastest => ", fastest",
            });
            format!("tier {tier}{order}{}", hop_options(options))
        }
        RuleStmtKind::Snapshot { hop, options } => format!("snapshot {}{}", hop_ref(hop), hop_options(options)),
        RuleStmtKind::Fallback { intent, hop, options } => {
            let intent = intent.as_ref().map_or("", |intent| match intent.node {
                Intent::Peer => "peer ",
                Intent::Lower => "lower ",
                Intent::Higher => "higher ",
            });
            format!("fallback {intent}{}{}", hop_ref(hop), hop_options(options))
        }
        RuleStmtKind::Ladder(name) => format!("ladder {}", name.node),
        RuleStmtKind::Degrade(to) => format!("degrade {}", degrade(to)),
        RuleStmtKind::Reject { status, message } => format!("reject {}{}", status.node, text_behind(message.as_ref())),
        RuleStmtKind::NoCache => "no cache".to_owned(),
        RuleStmtKind::Cache { similarity, fresh, per } => {
            let kind = similarity.as_ref().map_or("exact".to_owned(), |one| format!("semantic {}", value(one)));
            let per = per.as_ref().map(|per| format!(" per {}", list(per))).unwrap_or_default();
            format!("cache {kind} for {}{per}", value(fresh))
        }
        RuleStmtKind::Shadow { share, model: of, keep, budget, scored } => {
            let named = |word: &str, name: &Option<Name>| {
                name.as_ref().map(|name| format!(", {word} {}", name.node)).unwrap_or_default()
            };
            let (keep, budget) = (optional(", keep ", keep.as_ref()), named("budget", budget));
            format!("shadow {} to {}{keep}{budget}{}", value(share), model(of), named("scored by", scored))
        }
        RuleStmtKind::Guard(names) => format!("guard {}", list(names)),
        RuleStmtKind::Hold(Hold::FirstToken) => "hold first_token".to_owned(),
        RuleStmtKind::Hold(Hold::Tokens(count)) => format!("hold {} tokens", value(count)),
        RuleStmtKind::Hold(Hold::Complete) => "hold complete".to_owned(),
        RuleStmtKind::OnCut(cut) => match cut.node {
            OnCut::Error => "on cut error".to_owned(),
            OnCut::Resume => "on cut resume".to_owned(),
        },
        RuleStmtKind::Setting(one) => setting(one),
    }
}

fn hop_ref(hop: &HopRef) -> String {
    match hop {
        HopRef::Tier { keyword: _, name } => format!("tier {}", name.node),
        HopRef::Requested(_) => "requested".to_owned(),
        HopRef::Model(of) => model(of),
    }
}

fn hop_options(options: &[HopOption]) -> String {
    let option = |option: &HopOption| match &option.kind {
        HopOptionKind::Timeout(time) => format!(", timeout {}", value(time)),
        HopOptionKind::FirstToken(time) => format!(", first_token {}", value(time)),
        HopOptionKind::Idle(time) => format!(", idle {}", value(time)),
        HopOptionKind::MaxOutput(tokens) => format!(", max_output {}", value(tokens)),
        HopOptionKind::Retry { count, on, backoff } => {
            let on = on.as_ref().map(|on| format!(" on {}", list(on))).unwrap_or_default();
            format!(", retry {}{on}{}", value(count), optional(" backoff ", backoff.as_ref()))
        }
        HopOptionKind::Hedge { after, up_to } => {
            let up_to = up_to.as_ref().map(|legs| format!(" up to {}", legs.node)).unwrap_or_default();
            format!(", hedge after {}{up_to}", after.as_ref().map_or("p95".to_owned(), value))
        }
        HopOptionKind::On(failures) => format!(", on {}", list(failures)),
        HopOptionKind::In(regions) => format!(", in {}", list(regions)),
    };
    options.iter().map(option).collect()
}

fn degrade(to: &Degrade) -> String {
    match to {
        Degrade::Template(name) => format!("template {}", name.node),
        Degrade::Cached(up_to) => format!("cached{}", optional(" up to ", up_to.as_ref())),
        Degrade::Queue { name, within } => format!("queue {}{}", name.node, optional(" within ", within.as_ref())),
        Degrade::Error { status, message } => format!("error {}{}", status.node, text_behind(message.as_ref())),
    }
}

fn block(head: &str, body: &Block) -> String {
    let line = |line: &BlockStmt| match line {
        BlockStmt::Setting(one) => setting(one),
        BlockStmt::Cond { key, cond: of } => format!("{} {}", key.node, cond(of)),
        BlockStmt::Nested { key, block: inner } => block(&key.node, inner),
    };
    braced(head, body.stmts.iter().map(line))
}

fn setting(one: &Setting) -> String {
    format!("{}{}", one.key.node, one.values.iter().map(|one| format!(" {}", value(one))).collect::<String>())
}

fn test_statement(statement: &TestStmt) -> String {
    match &statement.kind {
        TestStmtKind::Given(fact) => given(fact),
        TestStmtKind::Request(body) => block("request", body),
        TestStmtKind::Expect(values) => format!("expect {}", joined(values, " ")),
        TestStmtKind::Table { inputs, outputs, rows } => {
            let names = |names: &[Name]| names.iter().map(|name| name.node.as_str()).collect::<Vec<_>>().join(", ");
            let row = |row: &TableRow| format!("{} -> {}", joined(&row.inputs, " "), joined(&row.outputs, " "));
            braced(&format!("table {} -> {}", names(inputs), names(outputs)), rows.iter().map(row))
        }
    }
}

fn given(fact: &GivenFact) -> String {
    match fact {
        GivenFact::Now { date, time } => format!("given now {} {}", value(date), value(time)),
        GivenFact::Rollout { name, stage } => format!("given rollout {} at {}", name.node, value(stage)),
        GivenFact::Gives { who, failures } => format!("given {} gives {}", value(who), list(failures)),
        GivenFact::Cuts { who, after } => format!("given {} cuts after {} tokens", value(who), value(after)),
        GivenFact::Is { who, state } => format!("given {} is {}", value(who), state.node),
        GivenFact::Reading { subject: what, relation: how } => format!("given {} {}", subject(what), relation(how)),
    }
}

fn cond(of: &Cond) -> String {
    let all = |members: &[Cond], word: &str| members.iter().map(cond).collect::<Vec<_>>().join(word);
    match &of.kind {
        CondKind::Any(members) => all(members, " or "),
        CondKind::All(members) => all(members, " and "),
        CondKind::Not(inner) => format!("not {}", cond(inner)),
        CondKind::Paren(inner) => format!("({})", cond(inner)),
        CondKind::Test(test) => match &test.relation {
            None => subject(&test.subject),
            Some(how) => format!("{} {}", subject(&test.subject), relation(how)),
        },
    }
}

fn subject(what: &Subject) -> String {
    match &what.kind {
        SubjectKind::Name(name) => name.clone(),
        SubjectKind::Budget(name) => format!("budget {}", name.node),
        SubjectKind::Metric { metric, of } => format!("{}{}", metric.node, optional(" of ", of.as_ref())),
    }
}

fn relation(how: &Relation) -> String {
    match &how.kind {
        RelationKind::Is { negated, value: one } => format!("is {}{}", if *negated { "not " } else { "" }, value(one)),
        RelationKind::In { negated, set } => format!("{}in {}", if *negated { "not " } else { "" }, value(set)),
        RelationKind::Has(one) => format!("has {}", value(one)),
        RelationKind::Like(pattern) => format!("like {}", quoted(&pattern.node)),
        RelationKind::Compare { op, value: one } => format!("{} {}", compare(*op), value(one)),
    }
}

fn value(one: &Value) -> String {
    match &one.kind {
        ValueKind::Word(word) => word.clone(),
        ValueKind::Str(text) => quoted(text),
        ValueKind::Model(of) => model(of),
        ValueKind::Quantity(number) => quantity(*number),
        ValueKind::Time(minutes) => format!("{:02}:{:02}", minutes / 60, minutes % 60),
        ValueKind::Date(date) => format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day()),
        ValueKind::Range(low, high) => format!("{}..{}", value(low), value(high)),
        ValueKind::List(values) => list(values),
        ValueKind::Compare(op) => compare(*op).to_owned(),
        ValueKind::Any => "*".to_owned(),
    }
}

fn quantity(number: Quantity) -> String {
    let scale = usize::from(number.scale);
    let digits = format!("{:0>width$}", number.digits, width = scale + 1);
    let (whole, behind) = digits.split_at(digits.len() - scale);
    let plain = if scale == 0 { whole.to_owned() } else { format!("{whole}.{behind}") };
    match number.unit {
        Unit::None => plain,
        Unit::Dollar => format!("${plain}"),
        Unit::Percent => plain + "%",
        Unit::Millisecond => plain + "ms",
        Unit::Second => plain + "s",
        Unit::Minute => plain + "m",
        Unit::Hour => plain + "h",
        Unit::Day => plain + "d",
        Unit::Kilo => plain + "k",
        Unit::Mega => plain + "M",
    }
}

const fn compare(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Less => "<",
        CompareOp::AtMost => "<=",
        CompareOp::Greater => ">",
        CompareOp::AtLeast => ">=",
    }
}

fn model(of: &Model) -> String {
    format!("{}/{}", of.provider, of.id)
}

fn list(values: &[Value]) -> String {
    format!("[{}]", joined(values, ", "))
}

fn joined(values: &[Value], between: &str) -> String {
    values.iter().map(value).collect::<Vec<_>>().join(between)
}

fn optional(before: &str, one: Option<&Value>) -> String {
    one.map(|one| format!("{before}{}", value(one))).unwrap_or_default()
}

fn text_behind(text: Option<&Spanned<String>>) -> String {
    text.map(|text| format!(" {}", quoted(&text.node))).unwrap_or_default()
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
