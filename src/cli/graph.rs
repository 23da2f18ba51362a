//! `wayside graph`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use super::reading::Reading;
use super::{CLEAN, diff, screen};
use crate::files;
use crate::policy::checked::Checked;
use crate::policy::graph::{self, Diagram, MAX_NODES, TooLarge};
use crate::policy::source::Sources;
use crate::workspace::Workspace;

/// Draw a policy: rules in page order, each with its condition, its chain and what the caller gets in the end.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wayside graph support.route | dot -Tsvg > support.svg    with Graphviz
  wayside graph support.route --format mermaid             for a code block of Markdown
  wayside graph support.route --reduced | dot -Tsvg > d.svg
                                                           the decision alone, every question asked once

Exit codes: 0 drawn; 2 could not do the job.")]
pub struct Args {
    /// A policy file
    #[arg(value_name = "POLICY")]
    policy: PathBuf,

    /// The notation
    #[arg(long, value_enum, default_value_t = Format::Dot)]
    format: Format,

    /// Draw the decision diagram instead: questions about a request, down to the rule
    #[arg(long)]
    reduced: bool,

    #[command(flatten)]
    reading: Reading,
}

/// The notation of a drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Graphviz
    Dot,
    /// Mermaid
    Mermaid,
    /// One document, for a program
    Json,
}

/// Draws and prints.
pub fn run(args: &Args) -> ExitCode {
    match drawn(args) {
        Ok(text) => screen::show(&text, CLEAN),
        Err(code) => code,
    }
}

fn drawn(args: &Args) -> Result<String, ExitCode> {
    let broken = |message: String| screen::broken(&message);
    let shown = files::shown(&args.policy);
    files::read(&args.policy, crate::policy::lexer::MAX_FILE_BYTES + 1)
        .map_err(|error| broken(format!("`{shown}` cannot be read: {error}")))?;
    let workspace = Workspace::open(&args.policy, &args.reading.how()).map_err(broken)?;
    let verdict = workspace.check(&args.policy);
    let checked = diff::meaning(&shown, "drawn", &verdict).ok_or(ExitCode::from(super::BROKEN))?;
    let text =
        if args.reduced { reduced(args, &checked, &verdict.sources)? } else { plain(args, &checked, &verdict.sources) };
    text.map_err(|error| broken(error.to_string()))
}

fn plain(args: &Args, checked: &Checked, sources: &Sources) -> Result<String, serde_json::Error> {
    match args.format {
        Format::Dot => Ok(graph::draw(checked, sources).dot()),
        Format::Mermaid => Ok(graph::draw(checked, sources).mermaid()),
        Format::Json => graph::document(checked, sources),
    }
}

fn reduced(args: &Args, checked: &Checked, sources: &Sources) -> Result<Result<String, serde_json::Error>, ExitCode> {
    let diagram = Diagram::of(checked).map_err(|error| match error {
        TooLarge::Nodes => screen::broken(&format!(
            "the decision diagram has more than {MAX_NODES} questions, which nobody can read; `wayside graph` without \
             `--reduced` draws the rules, and `wayside explain` follows one request"
        )),
        TooLarge::Findings(findings) => {
            diff::show(&findings, sources);
            ExitCode::from(super::BROKEN)
        }
    })?;
    Ok(match args.format {
        Format::Dot => Ok(diagram.draw(checked).dot()),
        Format::Mermaid => Ok(diagram.draw(checked).mermaid()),
        Format::Json => graph::reduced_document(checked, &diagram),
    })
}
