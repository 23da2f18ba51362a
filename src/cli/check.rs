//! `wayside check`

mod baseline;
mod fix;
mod live;
mod print;
mod run;
mod traffic;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::reading::Reading;
use super::{BROKEN, CLEAN, FINDINGS, screen};
use crate::files;
use crate::policy::render::counted;
use crate::workspace::known_codes;
use baseline::Baseline;
use print::{Format, GITHUB_SUMMARY, Report};
use run::{Judged, Run, State, Texts};

/// Say what is wrong with policies, and prove what must hold for every possible request.
///
/// Reads every file that has rules, and what it uses. Deterministic, and but for --live without a network: the same files and
/// the same day give the same bytes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wayside check                                  every policy under the current directory
  wayside check policies/support.route           one policy, and the files it uses
  wayside check --format sarif --exit-zero > wayside.sarif
                                                 for code scanning; a later step fails the build
  wayside check --deny-warnings --today 2026-12-24
                                                 what a build on that day would say
  wayside check --select R905,R906 --allow single-provider
                                                 pedantic findings on, one finding off
  wayside check --diff policies/                 what --fix would change
  wayside check --fix --unsafe-fixes policies/   make every fix there is, then look with `git diff`
  wayside check --write-baseline known.json      record what is found today
  wayside check --baseline known.json            fail on what is new, and on what is gone
  wayside check --traffic requests.jsonl         and which rules recorded requests seldom reach
  wayside check --live http://127.0.0.1:8788     and which rollouts a proxy has finished
  wayside check --catalog facts.yaml --fuel 5000000

Exit codes: 0 nothing that fails, 1 findings, 2 could not do the job.
Settings of a project stand under `check:` in a `wayside.yaml` above the policy.")]
pub struct Args {
    /// Policy files, or directories to search for them
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,

    /// How findings are printed; the exit code is the same for all
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,

    /// Warnings fail, too
    #[arg(long)]
    deny_warnings: bool,

    /// Turn on pedantic findings, by code, name or family: R905, R4
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    select: Vec<String>,

    /// Leave findings out, by code or name: same-provider-fallback
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    allow: Vec<String>,

    /// Make the safe fixes: those proven to change no decision. What is left is printed
    #[arg(long)]
    fix: bool,

    /// With --fix or --diff: also fixes that may change decisions, as long as they bring no new error
    #[arg(long)]
    unsafe_fixes: bool,

    /// Print what fixes would change as a unified diff, and write nothing
    #[arg(long)]
    diff: bool,

    /// Ignore the findings recorded in a file, and fail when one of them no longer fires
    #[arg(long, value_name = "FILE", conflicts_with = "write_baseline")]
    baseline: Option<PathBuf>,

    /// Record what is found now in a file for --baseline, and answer 0
    #[arg(long, value_name = "FILE", conflicts_with_all = ["fix", "diff"])]
    write_baseline: Option<PathBuf>,

    /// Also say which rules recorded requests seldom reach (R412): the request log of a proxy, or `-`
    #[arg(long, value_name = "LOG")]
    traffic: Option<PathBuf>,

    /// Also ask a running proxy which rollouts are finished (R719): its admin listener, like http://127.0.0.1:8788
    #[arg(long, value_name = "URL")]
    live: Option<String>,

    /// Answer 0 whatever is found; for steps that only upload findings
    #[arg(long)]
    exit_zero: bool,

    #[command(flatten)]
    reading: Reading,
}

/// Checks and prints.
pub fn run(args: &Args) -> ExitCode {
    for (flag, names) in [("--select", &args.select), ("--allow", &args.allow)] {
        if let Err(error) = known_codes(names) {
            return screen::broken(&format!("{flag}: {error}"));
        }
    }
    if args.unsafe_fixes && !args.fix && !args.diff {
        return screen::broken("`--unsafe-fixes` says which fixes; add `--fix` to make them, or `--diff` to see them");
    }
    if args.fix && args.traffic.as_deref() == Some(Path::new("-")) {
        return screen::broken("`--fix` reads the log again, and standard input can be read once; name a file");
    }
    checked(args).unwrap_or_else(|error| screen::broken(&error))
}

fn checked(args: &Args) -> Result<ExitCode, String> {
    let run = Run::new(args)?;
    let state = run.look(&Texts::new())?;
    let judged = run.judged(&state);
    if let Some(path) = &args.write_baseline {
        return record(path, &state, &judged);
    }
    if args.diff {
        let code = code(&run, &state, &judged);
        let fixed = fix::fix(&run, state)?;
        aside("withheld", &fixed.withheld);
        return Ok(screen::show(&fixed.diff(&judged), code));
    }
    if !args.fix {
        return show(&run, &state, &judged);
    }
    let fixed = fix::fix(&run, state)?;
    let written = fixed.write(&run, &judged)?;
    aside("withheld", &fixed.withheld);
    screen::aside(&format!("fixed {} in {}", counted(fixed.made, "finding"), counted(written, "file")));
    let state = run.look(&fixed.texts)?;
    show(&run, &state, &run.judged(&state))
}

fn record(path: &Path, state: &State, judged: &Judged) -> Result<ExitCode, String> {
    if let Some(fault) = state.faults.first() {
        return Err(fault.clone());
    }
    let baseline = Baseline::of(path, &judged.findings, &judged.sources);
    baseline.write()?;
    screen::aside(&format!("{} recorded in `{}`", counted(baseline.len(), "finding"), files::shown(path)));
    Ok(ExitCode::from(CLEAN))
}

fn show(run: &Run<'_>, state: &State, judged: &Judged) -> Result<ExitCode, String> {
    let report = Report {
        findings: &judged.findings,
        sources: &judged.sources,
        heads: &state.heads,
        suppressed: judged.suppressed,
        most: run.most(),
        fails: &|finding| run.fails(finding),
        faults: &state.faults,
    };
    aside("wayside", &state.faults);
    aside("wayside", &judged.stale);
    let summary = std::env::var_os(GITHUB_SUMMARY).filter(|path| !path.is_empty()).map(PathBuf::from);
    run.args.format.summarize(&report, summary.as_deref())?;
    let text = run.args.format.print(&report)?;
    Ok(screen::show(&text, code(run, state, judged)))
}

/// The same whatever the format.
fn code(run: &Run<'_>, state: &State, judged: &Judged) -> u8 {
    let fails = !judged.stale.is_empty() || judged.findings.iter().any(|finding| run.fails(finding));
    match (state.faults.is_empty(), fails && !run.args.exit_zero) {
        (false, _) => BROKEN,
        (true, true) => FINDINGS,
        (true, false) => CLEAN,
    }
}

fn aside(what: &str, lines: &[String]) {
    lines.iter().for_each(|line| screen::aside(&format!("{what}: {line}")));
}
