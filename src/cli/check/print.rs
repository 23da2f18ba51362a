//! The findings of a run in the format that was asked for. The exit code is no part of it.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::path::Path;

use clap::ValueEnum;

use crate::policy::diagnostic::{Code, Diagnostic};
use crate::policy::explain::pages;
use crate::policy::render::json::{self, Head};
use crate::policy::render::{self, Summary};
use crate::policy::source::Sources;

/// Where GitHub Actions takes the summary of a step from.
pub const GITHUB_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The source, marked where it is wrong
    Human,
    /// One line each
    Short,
    /// Sentences without drawings, for screen readers
    Plain,
    /// One document
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations of GitHub Actions, and the step's summary
    Github,
    /// A GitLab code quality report
    Gitlab,
    /// A JUnit report
    Junit,
    /// A Checkstyle report
    Checkstyle,
}

/// What a run has to say.
pub struct Report<'a> {
    /// In page order.
    pub findings: &'a [Diagnostic],
    /// The texts they are about.
    pub sources: &'a Sources,
    /// One for each policy.
    pub heads: &'a [Head],
    /// How many findings were allowed.
    pub suppressed: usize,
    /// How many are printed for people.
    pub most: usize,
    /// Whether a finding fails the run.
    pub fails: &'a dyn Fn(&Diagnostic) -> bool,
    /// What kept the program from doing all of its job.
    pub faults: &'a [String],
}

impl Format {
    /// The text for standard output.
    pub fn print(self, report: &Report<'_>) -> Result<String, String> {
        let mut text = String::new();
        self.write(report, &mut text)?;
        Ok(text)
    }

    fn write(self, report: &Report<'_>, text: &mut String) -> Result<(), String> {
        let Report { findings, sources, .. } = report;
        let page = |code: &Code| pages::page(code.code);
        let has_page = |code: &Code| page(code).is_some();
        let shown = &findings[..findings.len().min(report.most)];
        let written = match self {
            // The stream takes the colors out again where nobody can see them.
            Self::Human => render::human::human(shown, sources, true, &has_page, text).and_then(|()| end(report, text)),
            Self::Plain => render::plain::plain(shown, sources, &has_page, text).and_then(|()| {
                text.push_str(if shown.is_empty() { "" } else { "\n" });
                end(report, text)
            }),
            Self::Short => render::short::short(findings, sources, text),
            Self::Github => render::github::commands(findings, sources, text),
            Self::Junit => render::junit::junit(findings, sources, report.fails, text),
            Self::Checkstyle => render::checkstyle::checkstyle(findings, sources, text),
            Self::Json => {
                return document(&json::document(head(report.heads), findings, report.suppressed, sources), text);
            }
            Self::Sarif => return document(&render::sarif::log(findings, sources, &page, report.faults), text),
            Self::Gitlab => return document(&render::gitlab::issues(findings, sources), text),
        };
        written.map_err(|error| error.to_string())
    }

    /// Appends the table to a step's summary, where GitHub Actions offers one.
    pub fn summarize(self, report: &Report<'_>, file: Option<&Path>) -> Result<(), String> {
        let (Self::Github, Some(file)) = (self, file) else { return Ok(()) };
        let sentence = sentence(report);
        let text = render::github::summary(report.findings, report.sources, &sentence);
        let opened = std::fs::OpenOptions::new().append(true).create(true).open(file);
        opened
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| format!("`{}`, named by {GITHUB_SUMMARY}, cannot be written: {error}", file.display()))
    }
}

/// `2 policies checked: 1 error`
fn sentence(report: &Report<'_>) -> String {
    let policies = report.heads.len();
    let noun = if policies == 1 { "policy" } else { "policies" };
    format!("{policies} {noun} checked: {}", Summary::of(report.findings, report.suppressed).sentence())
}

fn end(report: &Report<'_>, text: &mut String) -> fmt::Result {
    if report.findings.len() > report.most {
        writeln!(text, "and {} more\n", report.findings.len() - report.most)?;
    }
    writeln!(text, "{}", sentence(report))
}

fn document(document: &impl serde::Serialize, text: &mut String) -> Result<(), String> {
    text.push_str(&serde_json::to_string_pretty(document).map_err(|error| error.to_string())?);
    text.push('\n');
    Ok(())
}

/// Of several policies the document names none.
fn head(heads: &[Head]) -> Head {
    match heads {
        [one] => one.clone(),
        _ => Head {
            command: "check".to_owned(),
            policy: None,
            policy_hash: None,
            catalog: None,
            today: heads.first().and_then(|head| head.today.clone()),
        },
    }
}
