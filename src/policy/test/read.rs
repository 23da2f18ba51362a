//! The tests of a set, one after the other.
//!
//! In: a parsed set whose policy compiles. Out: [`Tests`], and findings about them. Must not know: results.

use std::sync::Arc;

use jiff::civil::Date;

use super::super::ast::{Item, ItemKind, TestStmt, TestStmtKind};
use super::super::diagnostic::{Diagnostic, Level, R103, R108, R410, R911, R914, R916};
use super::super::explain::Asker;
use super::super::prove::Options;
use super::super::resolve::{Desk, Loaded, unknown};
use super::super::source::{FileId, Sources, Span, Spanned};
use super::super::syntax;
use super::super::tree::Tree;
use super::decided::{Prover, Question, decided};
use super::expect::Expecting;
use super::given::{Given, Known};
use super::input::{over, request};
use super::{Case, Expect, Expectation, Input, Spell, Tests, hangs, property, refused, table, twins};
use crate::catalog::Catalog;

/// What tests are read against.
pub struct Against<'a> {
    /// The policy under test.
    pub tree: &'a Tree,
    /// The facts it was checked with.
    pub catalog: &'a Arc<Catalog>,
    /// The day of tests that give none.
    pub today: Date,
    /// Steps of the analysis.
    pub options: Options,
}

/// Reads the tests of the set's first file.
pub fn read(loaded: &Loaded, against: &Against<'_>, findings: &mut Vec<Diagnostic>) -> Tests {
    let Ok(asker) = Asker::new(against.tree, against.catalog) else { return Tests::default() };
    let mut reader = Reader {
        against,
        asker,
        desk: Desk::over(&loaded.sources),
        prover: None,
        file: About::default(),
        tests: Tests::default(),
    };
    reader.file = reader.givens_of_files(loaded);
    let root = loaded.files.first().map(|file| file.items.as_slice()).unwrap_or_default();
    for item in root {
        reader.item(item, loaded);
    }
    reader.tests.properties = property::read(against.tree, against.options, &mut reader.desk);
    twins::report(&reader.tests.cases, &mut reader.desk);
    let Reader { desk, tests, .. } = reader;
    findings.extend(desk.into_findings());
    tests
}

/// The tests of a first file whose policy decides nothing: named, and none of them can be run.
pub fn unreadable(sources: &Sources, because: Option<&Diagnostic>) -> Tests {
    let Some((id, file)) = sources.files().next() else { return Tests::default() };
    let tree = syntax::parse(id, &file.text, &mut Vec::new());
    let faults: Vec<Diagnostic> = because.into_iter().cloned().collect();
    let cases = tree.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Test { name, .. } | ItemKind::Property { name, .. } => {
            Some(Case { faults: faults.clone(), ..Case::nothing(&name.node, name.span) })
        }
        _ => None,
    });
    Tests { cases: cases.collect(), properties: Vec::new() }
}

/// What stands around a request.
#[derive(Clone, Default)]
pub(super) struct About {
    pub inputs: Vec<Input>,
    pub weather: Vec<(Spell, Span)>,
}

pub(super) struct Reader<'a> {
    against: &'a Against<'a>,
    asker: Asker<'a>,
    pub desk: Desk<'a>,
    prover: Option<Option<Prover<'a>>>,
    file: About,
    tests: Tests,
}

/// What all requests of one test share.
pub(super) struct Shared<'a> {
    pub name: &'a Spanned<String>,
    pub about: About,
    pub expects: Vec<Expectation>,
    pub faults: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    /// Defaults of the file and of the files it uses; of two that say the same, the later one stands.
    fn givens_of_files(&mut self, loaded: &Loaded) -> About {
        let mut about = About::default();
        for item in loaded.items() {
            let ItemKind::Given(fact) = &item.kind else { continue };
            match self.known().given(fact, item.span, &mut self.desk) {
                Some(Given::Input(input)) => {
                    about.inputs.retain(|one| one.name != input.name);
                    about.inputs.push(Input { of_file: true, ..input });
                }
                Some(Given::Spell(spell, span)) => {
                    about.weather.retain(|(one, _)| one.who != spell.who);
                    about.weather.push((spell, span));
                }
                None => {}
            }
        }
        about
    }

    fn known(&self) -> Known<'a> {
        Known { checked: self.against.tree.checked(), catalog: self.against.catalog }
    }

    pub fn expecting(&self) -> Expecting<'a> {
        Expecting { tree: self.against.tree }
    }

    fn item(&mut self, item: &Item, loaded: &Loaded) {
        let broken = |span: Span| {
            let inside = move |one: &&Diagnostic| {
                one.level == Level::Error && one.span.file == span.file && (span.lo..=span.hi).contains(&one.span.lo)
            };
            loaded.findings.iter().filter(inside).cloned().collect::<Vec<_>>()
        };
        match &item.kind {
            ItemKind::Test { name, body } => {
                self.test(name, body);
                self.unread(&name.node, broken(item.span));
            }
            ItemKind::Property { name, .. } => self.unread(&name.node, broken(item.span)),
            ItemKind::Bad if item.span.file == FileId(0) => {
                self.unread("a declaration that cannot be read", broken(item.span));
            }
            _ => {}
        }
    }

    /// A part of a test that does not parse was not run, so it failed.
    fn unread(&mut self, name: &str, faults: Vec<Diagnostic>) {
        if let Some(first) = faults.first() {
            let span = first.span;
            self.tests.cases.push(Case { faults, ..Case::nothing(name, span) });
        }
    }

    fn test(&mut self, name: &Spanned<String>, body: &[TestStmt]) {
        let before = self.desk.count();
        let mut own = About::default();
        let mut expects = Vec::new();
        let mut asked: Option<Span> = None;
        for stmt in body {
            match &stmt.kind {
                TestStmtKind::Given(fact) => self.given(fact, stmt.span, &mut own),
                TestStmtKind::Request(block) => {
                    if let Some(first) = asked.replace(stmt.span) {
                        let message = "a test makes one request, and this is its second";
                        let finding = Diagnostic::new(&R108, stmt.span, message).label(first, "the first");
                        self.desk.report(finding.help("write a test of its own for it"));
                    } else {
                        own.inputs.extend(request(block, &mut self.desk));
                    }
                }
                TestStmtKind::Expect(values) => {
                    let expectation = self.expecting().statement(values, stmt.span, &mut self.desk);
                    expects.extend(expectation);
                }
                TestStmtKind::Table { .. } => {}
            }
        }
        let unread = self.desk.errors_since(before);
        let shared = Shared { name, about: own, expects, faults: unread };
        let tables = body.iter().filter_map(|stmt| match &stmt.kind {
            TestStmtKind::Table { inputs, outputs, rows } => Some((inputs, outputs, rows)),
            _ => None,
        });
        let mut rows = 0;
        let mut any = false;
        for (inputs, outputs, list) in tables {
            any = true;
            table::rows(self, &shared, inputs, outputs, list, &mut rows);
        }
        if !any {
            self.case(&shared, None, name.span, Vec::new(), Vec::new());
        }
    }

    fn given(&mut self, fact: &super::super::ast::GivenFact, span: Span, own: &mut About) {
        match self.known().given(fact, span, &mut self.desk) {
            Some(Given::Input(input)) => own.inputs.push(input),
            Some(Given::Spell(spell, span)) => {
                if let Some((_, first)) = own.weather.iter().find(|(one, _)| one.who == spell.who) {
                    let finding = Diagnostic::new(&R108, span, "the same one is given twice").here("given again");
                    let help = "write all its failures in one list, like `gives [overload, timeout]`";
                    self.desk.report(finding.label(*first, "first given here").help(help));
                } else {
                    own.weather.push((spell, span));
                }
            }
            None => {}
        }
    }

    /// One request with its expectations; `cells` and `outputs` are those of a row.
    pub fn case(
        &mut self,
        shared: &Shared<'_>,
        row: Option<usize>,
        span: Span,
        cells: Vec<Input>,
        outputs: Vec<Expectation>,
    ) {
        let before = self.desk.count();
        let own: Vec<Input> = shared.about.inputs.iter().cloned().chain(cells).collect();
        let inputs = over(&self.file.inputs, own, &mut self.desk);
        let (any, inputs): (Vec<_>, Vec<_>) = inputs.into_iter().partition(Input::is_any);
        self.tenants(&inputs);
        let asked = self.ask(&inputs, &any, span);
        let mut weather: Vec<Spell> = shared.about.weather.iter().map(|(spell, _)| spell.clone()).collect();
        let of_file = self.file.weather.iter().map(|(spell, _)| spell);
        let of_file: Vec<Spell> =
            of_file.filter(|spell| !weather.iter().any(|own| own.who == spell.who)).cloned().collect();
        weather.extend(of_file);
        let expects: Vec<Expectation> = shared.expects.iter().cloned().chain(outputs).collect();
        let mut case = Case {
            row,
            inputs,
            any,
            asked,
            weather,
            expects,
            faults: shared.faults.clone(),
            ..Case::nothing(&shared.name.node, span)
        };
        if case.asked.is_some() && case.faults.is_empty() && self.desk.errors_since(before).is_empty() {
            self.decide(&mut case);
        }
        case.faults.extend(self.desk.errors_since(before));
        if case.expects.is_empty() && case.faults.is_empty() {
            let message = format!("test `{}` expects nothing, so it cannot fail", case.name);
            let finding = Diagnostic::new(&R916, span, message).help("add what must hold, like `expect rule NAME`");
            self.desk.report(finding.clone());
            case.faults.push(finding);
        }
        self.tests.cases.push(case);
    }

    /// A tenant without a row is admitted as `other`, so a slip of the pen would pass unseen.
    fn tenants(&mut self, inputs: &[Input]) {
        let Some(input) = inputs.iter().find(|input| input.name == "tenant" && input.value != "other") else { return };
        let tenants = &self.against.tree.checked().tenants;
        if !tenants.iter().any(|tenant| *tenant.name == *input.value) {
            let known: Vec<&str> = tenants.iter().map(|tenant| &*tenant.name).collect();
            let message = format!("there is no tenant `{}`; all without a row are `other`", input.value);
            self.desk.report(unknown(&R103, "tenant", message, &input.value, input.value_span, &known));
        }
    }

    fn ask(&mut self, inputs: &[Input], any: &[Input], span: Span) -> Option<super::Asked> {
        let mut today = self.against.today;
        // The row says the hour, the file the day.
        if let Some(now) = self.file.inputs.iter().find(|input| input.name == "now") {
            today = now.value.split_once('T').and_then(|(day, _)| day.parse().ok()).unwrap_or(today);
        }
        let pairs: Vec<(String, String)> =
            inputs.iter().map(|input| (input.name.clone(), input.value.clone())).collect();
        for input in any.iter().filter(|input| matches!(input.name.as_str(), "time" | "day")) {
            let message = format!("`{}` cannot be `*` by itself", input.name);
            let help = "write a column `now` with `*` for every moment of a week";
            self.desk.report(Diagnostic::new(&R914, input.value_span, message).help(help));
        }
        match self.asker.ask(today, &pairs) {
            Ok(asked) => Some(asked),
            Err(mistakes) => {
                let all: Vec<Input> = inputs.iter().chain(any).cloned().collect();
                // What `*` stands for is not missing.
                let starred =
                    |mistake: &&super::super::explain::Mistake| any.iter().any(|input| input.name == mistake.key);
                for mistake in mistakes.iter().filter(|mistake| !starred(mistake)) {
                    self.desk.report(refused::finding(mistake, &all, span));
                }
                None
            }
        }
    }

    fn prover(&mut self) -> Option<&mut Prover<'a>> {
        let against = self.against;
        self.prover.get_or_insert_with(|| Prover::new(against.tree, against.catalog, against.options)).as_mut()
    }

    /// Who decides, and whether the test says enough to know.
    fn decide(&mut self, case: &mut Case) {
        let Some(asked) = &case.asked else { return };
        let decision = decided(self.against.tree, asked);
        case.rule = decision.rule;
        let expected = case.expects.iter().find_map(|one| match one.what {
            Expect::Rule(rule) => Some(rule),
            _ => None,
        });
        let claimed = if case.any.is_empty() { decision.rule } else { expected.or(decision.rule) };
        let question = Question { asked, inputs: &case.inputs, any: &case.any };
        let Some(prover) = self.prover() else { return };
        if prover.impossible(&question) {
            let message = "no such request is possible: its facts contradict each other";
            self.desk.report(Diagnostic::new(&R914, case.span, message));
            return;
        }
        match prover.missing(&question, claimed, &decision.reads) {
            Ok(missing) => {
                for one in &missing {
                    self.desk.report(refused::missing(one, case.span));
                }
                if missing.is_empty() && !case.expects.iter().all(|one| one.what.of_the_rule()) {
                    self.chain(case);
                }
            }
            Err(_) => {
                let message = "the analysis ran out of fuel before it knew what this request hangs on";
                self.desk.report(Diagnostic::new(&R410, case.span, message).help("try `--fuel 20000000`"));
            }
        }
    }
}

impl Reader<'_> {
    /// R911 for what the chain hangs on and the test does not give.
    fn chain(&mut self, case: &Case) {
        let (Some(asked), Some(rule)) = (&case.asked, case.rule) else { return };
        let said: Vec<Input> = case.inputs.iter().chain(&case.any).cloned().collect();
        for one in hangs::lacking(self.against.tree, asked, rule, &said) {
            let message = format!("the chain hangs on {}, which the test does not give", one.what);
            let finding = Diagnostic::new(&R911, case.span, message).here("this request could get more than one chain");
            self.desk.report(finding.help(one.help));
        }
    }
}

impl Case {
    fn nothing(name: &str, span: Span) -> Self {
        Self {
            name: name.into(),
            row: None,
            span,
            inputs: Vec::new(),
            any: Vec::new(),
            asked: None,
            weather: Vec::new(),
            expects: Vec::new(),
            faults: Vec::new(),
            rule: None,
        }
    }
}
