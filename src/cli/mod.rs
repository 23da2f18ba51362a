//! The command line: one file for each verb, and the only room that prints or exits.
//!
//! In: arguments, the disk, the clock. Out: text on stdout and stderr, and an exit code: 0 nothing wrong, 1 findings, 2 could not
//! do the job. Must not know: how anything is decided.
//!
//! To add a verb: a file with `pub struct Args` and `pub fn run(Args) -> ExitCode`, and one variant of [`Verb`].

mod catalog;
mod check;
mod completions;
#[cfg(feature = "serve")]
mod demo;
mod diff;
mod explain;
mod fmt;
mod graph;
mod lsp;
mod queue;
mod reading;
mod screen;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "serve")]
mod simulate;
mod test;
pub mod traffic;
mod unified;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Nothing at or above the level that fails.
pub const CLEAN: u8 = 0;
/// It worked, and there is something to look at.
pub const FINDINGS: u8 = 1;
/// It could not do its job: a bad flag, an unreadable file, a bug.
pub const BROKEN: u8 = 2;

/// Wayside makes every LLM call a policy decision: which request gets which pinned model, what happens when that model
/// fails, and what must never happen.
#[derive(Debug, Parser)]
#[command(name = "wayside", version, arg_required_else_help = true, infer_subcommands = false, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  wayside check policies/                                       what is wrong with every policy under a directory
  wayside test policies/                                        the tests beside them
  wayside explain support.route plan=pro prompt_tokens=2k       which rule one request gets, and why
  wayside diff main . support.route                             which decisions an edit changes
  wayside fmt --check policies/                                 which files are not laid out in the one style
  wayside explain R401                                          what a finding means, and how to cure it

Exit codes: 0 nothing wrong, 1 findings, 2 could not do the job.";

#[derive(Debug, Subcommand)]
enum Verb {
    Check(check::Args),
    Diff(diff::Args),
    Explain(explain::Args),
    Fmt(fmt::Args),
    Graph(graph::Args),
    Lsp(lsp::Args),
    Queue(queue::Args),
    Test(test::Args),
    #[cfg(feature = "serve")]
    Serve(serve::Args),
    #[cfg(feature = "serve")]
    Demo(demo::Args),
    #[cfg(feature = "serve")]
    Simulate(simulate::Args),
    Catalog(catalog::Args),
    Completions(completions::Args),
}

/// Whether a command line means something to this version, for documents that hold some.
///
/// # Errors
/// What clap says about it.
pub fn understands(words: &[String]) -> Result<(), String> {
    Cli::try_parse_from(words).map(|_| ()).map_err(|error| error.to_string())
}

/// Reads the arguments, runs the verb, answers with its exit code.
pub fn main() -> ExitCode {
    match Cli::parse().verb {
        Verb::Catalog(args) => catalog::run(&args),
        Verb::Check(args) => check::run(&args),
        Verb::Diff(args) => diff::run(&args),
        Verb::Explain(args) => explain::run(&args),
        Verb::Fmt(args) => fmt::run(&args),
        Verb::Graph(args) => graph::run(&args),
        Verb::Lsp(args) => lsp::run(&args),
        Verb::Queue(args) => queue::run(&args),
        Verb::Test(args) => test::run(&args),
        Verb::Completions(args) => completions::run(&args),
        #[cfg(feature = "serve")]
        Verb::Serve(args) => serve::run(args),
        #[cfg(feature = "serve")]
        Verb::Demo(args) => demo::run(args),
        #[cfg(feature = "serve")]
        Verb::Simulate(args) => simulate::run(args),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_verb_is_well_formed() {
        Cli::command().debug_assert();
    }
}
