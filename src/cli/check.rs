//! `wayside check`

mod print;
mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use super::reading::Reading;
use super::screen;
use crate::workspace::known_codes;
use print::Format;
use run::Run;

/// Say what is wrong with policies, and prove what must hold for every possible request.
///
/// Reads every file that has rules, and what it uses. Deterministic, and without a network: the same files and the same day
/// give the same bytes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wayside check                                  every policy under the current directory
  wayside check policies/support.route           one policy, and the files it uses
  wayside check --format json policies/          for a program
  wayside check --deny-warnings --today 2026-12-24
                                                 what a build on that day would say

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
    match Run::new(args).and_then(|mut run| {
        run.sets()?;
        run.rest()?;
        Ok(run)
    }) {
        Ok(run) => run.finish(),
        Err(error) => screen::broken(&error),
    }
}
