//! `wayside test`

mod record;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

use super::reading::Reading;
use super::{CLEAN, FINDINGS, screen};
use crate::catalog::Catalog;
use crate::files;
use crate::policy::diagnostic::{Code, Diagnostic, Level};
use crate::policy::explain::pages;
use crate::policy::prove::Options;
use crate::policy::render;
use crate::policy::source::FileId;
use crate::policy::test::{Case, PropertyTest, Prover, unreadable};
use crate::rehearse::coverage::{Coverage, Reached};
use crate::rehearse::mutate::mutate;
use crate::rehearse::{self, FileRun, PolicyRun, Ran};
use crate::workspace::{How, Verdict, Workspace};

/// Run the tests that stand beside policies: who decides, which chain, and what the caller gets when providers fail.
///
/// Tests are files named `*.test.route`. Each request is decided, planned and walked by the functions that `serve` calls, on
/// a virtual clock and without a network, so a run gives the same bytes every time.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wayside test                                   every test under the current directory
  wayside test policies/support.test.route       one file
  wayside test --coverage --fail-under 90        and how much of the policies the tests reach
  wayside test --mutate                          which tests of rules could be wrong without any test noticing
  wayside test --format junit > report.xml       for a build server
  wayside test support.route --record log.jsonl > recorded.test.route
                                                 tests of what a proxy's request log says was decided

A test:
  test \"an outage is answered by a peer\" {
    given now 2026-11-23 10:30
    given anthropic is down
    request { tenant acme, feature summarize, prompt_tokens 8k }
    expect rule paying_customers
    expect served by openai/gpt-5.4-2026-03-05
  }

given     now DATE TIME, budget B is ok|warn|spent, SWITCH is on|off, SIGNAL is on|off, rollout R at 25%,
          p95 of M is 3s, errors of M is 2%, PROVIDER is down|slow, M is down|slow, M gives FAILURE or [..], M cuts after N tokens
expect    rule N, otherwise, reject N, tier T, not tier T, snapshot M, chain [..], skips M, served by M,
          degrade template|queue|cached|error N, cut, cache exact, reads [..], cost <= $X, time <= D
A `*` in a table must hold for every value, and is proven. `time` counts waits at their longest, a slow provider
at its whole limit and the answer at its limit; other failures come at once. Where nothing is given to fail,
`degrade` is what the caller gets when every provider does.

Exit codes: 0 all passed, 1 a test failed or a gate was not met, 2 could not do the job.")]
pub struct Args {
    /// Files of tests, or directories to search for them
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,

    /// How results are printed; the exit code is the same for all
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,

    /// Say how much of the policies the tests reach: rules, hops, degrade steps, both sides of every range end
    #[arg(long)]
    coverage: bool,

    /// Fail when less is reached, in percent; otherwise `check: coverage:` of `wayside.yaml`, where that is set
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    fail_under: Option<u8>,

    /// Fail when there are no tests at all
    #[arg(long)]
    fail_on_empty: bool,

    /// Turn each test of each rule around, one at a time, and fail when no test notices
    #[arg(long)]
    mutate: bool,

    /// Print tests of the decisions in a proxy's request log, or `-`, that PATH, one policy, makes the same way; they say no
    /// more of a request than its decision hangs on
    #[arg(
        long,
        value_name = "LOG",
        conflicts_with_all = ["format", "coverage", "fail_under", "fail_on_empty", "mutate"]
    )]
    record: Option<PathBuf>,

    #[command(flatten)]
    reading: Reading,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One line a test, and why one failed
    Human,
    /// One document
    Json,
    /// A report for build servers
    Junit,
}

/// One file of tests, run.
struct File {
    verdict: Verdict,
    ran: Vec<Ran>,
    options: Options,
    /// What the project wants reached, in percent.
    gate: Option<u8>,
}

/// Runs and prints.
pub fn run(args: &Args) -> ExitCode {
    if let Some(log) = &args.record {
        return record::run(log, &args.paths, &how(args));
    }
    match tested(args) {
        Ok(files) => finish(args, &files),
        Err(error) => screen::broken(&error),
    }
}

/// Without a given day, dates are judged on the day of the catalog: a run must not depend on when it is made.
fn how(args: &Args) -> How {
    How { today: args.reading.today.unwrap_or_else(|| Catalog::embedded().as_of()), ..args.reading.how() }
}

fn tested(args: &Args) -> Result<Vec<File>, String> {
    let how = how(args);
    let today = how.today;
    let paths = test_files(&args.paths)?;
    paths
        .iter()
        .map(|path| {
            let workspace = Workspace::open(path, &how)?;
            let verdict = workspace.check(path);
            if let Some(fault) = &verdict.fault {
                return Err(fault.clone());
            }
            let fuel = how.fuel.unwrap_or(workspace.settings.fuel);
            let options = Options { fuel, today: Some(today) };
            let gate = workspace.settings.coverage;
            Ok(File { ran: ran(&verdict, options), verdict, options, gate })
        })
        .collect()
}

fn ran(verdict: &Verdict, options: Options) -> Vec<Ran> {
    match &verdict.tested {
        Some(tested) => {
            let mut prover = || Prover::new(&tested.tree, &verdict.catalog, options);
            let mut ran = rehearse::run(&tested.tree, &tested.tests, &mut prover, &verdict.sources);
            ran.extend(rehearse::prove(&tested.tree, &tested.tests, options, &verdict.sources));
            ran.sort_by_key(|one| (one.span.file, one.span.lo));
            ran
        }
        None => {
            let first = verdict.findings.iter().find(|finding| finding.level == Level::Error);
            rehearse::unrun(&unreadable(&verdict.sources, first))
        }
    }
}

/// The files named, and those under the directories named.
fn test_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            found.extend(files::policies_under(path).into_iter().filter(|path| is_test(path)));
            continue;
        }
        files::read(path, crate::policy::lexer::MAX_FILE_BYTES + 1)
            .map_err(|error| format!("`{}` cannot be read: {error}", files::shown(path)))?;
        let beside = path.with_extension("test.route");
        // Naming the policy means the tests beside it.
        found.push(if !is_test(path) && beside.is_file() { beside } else { path.clone() });
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn is_test(path: &Path) -> bool {
    path.to_string_lossy().ends_with(".test.route")
}

fn finish(args: &Args, files: &[File]) -> ExitCode {
    let policies = match policies(args, files) {
        Ok(policies) => policies,
        Err(error) => return screen::broken(&error),
    };
    let total: usize = files.iter().map(|file| file.ran.len()).sum();
    let failed = files.iter().flat_map(|file| &file.ran).filter(|ran| !ran.passed()).count();
    let broken = files.iter().any(|file| unsaid(file).any(|finding| finding.level == Level::Error));
    let gate = gate(args, files, &policies);
    let survived = policies.iter().filter_map(|one| one.mutation.as_ref()).any(|one| !one.survived.is_empty());
    let fails = failed > 0 || broken || survived || gate.is_some() || (total == 0 && args.fail_on_empty);
    let unsaid: Vec<Vec<Diagnostic>> = files.iter().map(|file| unsaid(file).cloned().collect()).collect();
    let runs: Vec<FileRun<'_>> = files.iter().zip(&unsaid).map(|(file, findings)| file.run(findings)).collect();
    let text = match args.format {
        Format::Human => human(&runs, &policies).map(|text| text + &sentence(total, failed)),
        Format::Json => rehearse::json(&runs, &policies).map_err(|error| error.to_string()),
        Format::Junit => {
            let mut text = String::new();
            rehearse::junit(&runs, &mut text).map(|()| text).map_err(|error| error.to_string())
        }
    };
    if let Some(gate) = &gate {
        screen::aside(&format!("wayside: {gate}"));
    }
    match text {
        Ok(text) => screen::show(&text, if fails { FINDINGS } else { CLEAN }),
        Err(error) => screen::broken(&error),
    }
}

impl File {
    fn run<'a>(&'a self, findings: &'a [Diagnostic]) -> FileRun<'a> {
        FileRun { path: &self.verdict.path, sources: &self.verdict.sources, ran: &self.ran, findings }
    }
}

/// Coverage and mutants, of every policy once: several files may test the same one.
fn policies<'a>(args: &Args, files: &'a [File]) -> Result<Vec<PolicyRun<'a>>, String> {
    let covers = args.coverage || args.fail_under.is_some();
    let mut policies: Vec<PolicyRun<'a>> = Vec::new();
    if !covers && !args.mutate {
        return Ok(policies);
    }
    let tested = || files.iter().filter_map(|file| Some((file, file.verdict.tested.as_ref()?)));
    for (file, about) in tested() {
        let hash = about.tree.hash();
        if policies.iter().any(|one| one.tree.hash() == hash) {
            continue;
        }
        let all = tested().filter(|(_, one)| one.tree.hash() == hash).flat_map(|(_, one)| &one.tests.cases);
        let cases: Vec<&Case> = all.filter(|case| case.faults.is_empty()).collect();
        // Positions of properties are those of one file; those of another file have a tree of their own.
        let properties: Vec<PropertyTest> =
            about.tests.properties.iter().filter(|one| one.faults.is_empty()).cloned().collect();
        let mut reached = Reached::default();
        if covers {
            cases.iter().for_each(|case| reached.add(&about.tree, case));
        }
        let mutation = match args.mutate {
            true => Some(mutate(&about.tree, &file.verdict.catalog, &cases, &properties, file.options)?),
            false => None,
        };
        policies.push(PolicyRun {
            name: &about.tree.checked().name,
            tree: &about.tree,
            sources: &file.verdict.sources,
            coverage: covers.then(|| reached.coverage(&about.tree)),
            mutation,
        });
    }
    Ok(policies)
}

/// Why the coverage is not enough, if it is not.
fn gate(args: &Args, files: &[File], policies: &[PolicyRun<'_>]) -> Option<String> {
    let all = policies.iter().filter_map(|one| one.coverage.clone()).reduce(Coverage::and)?;
    let wanted = args.fail_under.or_else(|| files.iter().filter_map(|file| file.gate).max())?;
    let reached = rehearse::percent(all.total());
    (!all.is_at_least(wanted)).then(|| format!("the tests reach {reached} of the policies, and {wanted}% is wanted"))
}

fn sentence(total: usize, failed: usize) -> String {
    match total {
        0 => "no tests\n".to_owned(),
        1 => format!("1 test: {} passed, {failed} failed\n", 1 - failed),
        _ => format!("{total} tests: {} passed, {failed} failed\n", total - failed),
    }
}

fn human(files: &[FileRun<'_>], policies: &[PolicyRun<'_>]) -> Result<String, String> {
    let mut text = String::new();
    for file in files.iter().filter(|file| !file.ran.is_empty() || !file.findings.is_empty()) {
        text.push_str(file.path);
        text.push('\n');
        let has_page = |code: &Code| pages::page(code.code).is_some();
        render::human::human(file.findings, file.sources, true, &has_page, &mut text)
            .map_err(|error| error.to_string())?;
        text.push_str(&rehearse::lines(file.ran, file.sources, &mark));
        text.push('\n');
    }
    for policy in policies {
        for part in [
            policy.coverage.as_ref().map(|coverage| rehearse::coverage_lines(policy.name, coverage)),
            policy.mutation.as_ref().map(|mutation| rehearse::mutant_lines(policy, mutation)),
        ] {
            text.extend(part.map(|part| part + "\n"));
        }
    }
    Ok(text)
}

/// What keeps the policy from deciding, and findings about the tests that no failed test repeats.
fn unsaid(file: &File) -> impl Iterator<Item = &Diagnostic> {
    let said = |finding: &&Diagnostic| file.ran.iter().any(|ran| ran.faults.contains(finding));
    let undecided = file.verdict.tested.is_none();
    // What is proven of the policy is for `check` to say.
    let of_tests = |finding: &Diagnostic| {
        let code = finding.code.code;
        finding.span.file == FileId(0) && ["R0", "R1", "R2", "R333", "R91"].iter().any(|start| code.starts_with(start))
    };
    let about = move |finding: &&Diagnostic| match finding.level {
        Level::Error => undecided || of_tests(finding),
        Level::Warning => of_tests(finding),
        _ => false,
    };
    file.verdict.findings.iter().filter(about).filter(move |finding| undecided || !said(finding))
}

fn mark(passed: bool) -> String {
    let (color, word) = if passed { (AnsiColor::Green, "ok  ") } else { (AnsiColor::Red, "FAIL") };
    let style = Style::new().fg_color(Some(color.into())).bold();
    format!("  {style}{word}{style:#}")
}
