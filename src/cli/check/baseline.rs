//! Findings that were there before somebody began to look: recorded, ignored, and missed when they are gone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::files;
use crate::policy::diagnostic::Diagnostic;
use crate::policy::render::fingerprints::unnumbered;
use crate::policy::source::Sources;

/// Recorded findings that are gone and named one by one; more are counted.
const MAX_NAMED: usize = 20;

/// A file of findings to ignore.
#[derive(Debug, Serialize, Deserialize)]
pub struct Baseline {
    schema: u32,
    tool: String,
    findings: Vec<Recorded>,
    #[serde(skip)]
    path: PathBuf,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Recorded {
    fingerprint: String,
    code: String,
    /// As seen from the directory of the baseline.
    file: String,
    message: String,
}

impl Baseline {
    /// Records findings.
    pub fn of(path: &Path, findings: &[Diagnostic], sources: &Sources) -> Self {
        let recorded = |(finding, fingerprint): (&Diagnostic, String)| Recorded {
            fingerprint,
            code: finding.code.code.to_owned(),
            file: seen_from(path, &sources.file(finding.span.file).path),
            message: finding.message.clone(),
        };
        let findings = findings.iter().zip(unnumbered(findings, sources)).map(recorded).collect();
        Self { schema: 1, tool: "wayside".to_owned(), findings, path: path.to_owned() }
    }

    /// Reads one.
    pub fn read(path: &Path) -> Result<Self, String> {
        let shown = files::shown(path);
        let text = files::read(path, files::MAX_FACTS_BYTES)
            .map_err(|error| format!("the baseline `{shown}` cannot be read: {error}"))?;
        let read: Self = serde_json::from_str(&text).map_err(|error| {
            format!("`{shown}` is no baseline: {error}; write one with `wayside check --write-baseline {shown}`")
        })?;
        if (read.schema, read.tool.as_str()) != (1, "wayside") {
            return Err(format!(
                "`{shown}` is no baseline of schema 1; write one with `wayside check --write-baseline {shown}`"
            ));
        }
        Ok(Self { path: path.to_owned(), ..read })
    }

    /// Writes it; an older one is replaced whole.
    pub fn write(&self) -> Result<(), String> {
        let shown = files::shown(&self.path);
        let cannot = |error: &dyn std::fmt::Display| format!("the baseline `{shown}` cannot be written: {error}");
        let mut text = serde_json::to_string_pretty(self).map_err(|error| cannot(&error))?;
        text.push('\n');
        let written =
            if self.path.exists() { files::replace(&self.path, &text) } else { std::fs::write(&self.path, &text) };
        written.map_err(|error| cannot(&error))
    }

    /// How many findings it holds.
    pub const fn len(&self) -> usize {
        self.findings.len()
    }

    /// Takes the recorded findings away. Answers with those that are left, and says of each recorded one that is gone, although
    /// its file was looked at or is gone too.
    pub fn apply(&self, findings: Vec<Diagnostic>, sources: &Sources) -> (Vec<Diagnostic>, Vec<String>) {
        let prints = unnumbered(&findings, sources);
        let places: Vec<String> =
            findings.iter().map(|one| seen_from(&self.path, &sources.file(one.span.file).path)).collect();
        let mut left: Vec<&Recorded> = self.findings.iter().collect();
        let mut known = vec![false; findings.len()];
        // The same file first, so that a finding which moved to another one takes what nobody else claims.
        for same_file in [true, false] {
            for (at, print) in prints.iter().enumerate() {
                let fits = |one: &&Recorded| one.fingerprint == *print && (!same_file || one.file == places[at]);
                if let Some(found) = left.iter().position(fits).filter(|_| !known[at]) {
                    left.remove(found);
                    known[at] = true;
                }
            }
        }
        let looked_at: BTreeSet<String> = sources.files().map(|(_, file)| seen_from(&self.path, &file.path)).collect();
        let gone =
            |one: &&&Recorded| looked_at.contains(&one.file) || !files::directory(&self.path).join(&one.file).exists();
        let stale: Vec<&&Recorded> = left.iter().filter(gone).collect();
        let kept = findings.into_iter().zip(known).filter(|(_, known)| !known).map(|(finding, _)| finding).collect();
        (kept, self.sentences(&stale))
    }

    fn sentences(&self, stale: &[&&Recorded]) -> Vec<String> {
        let shown = files::shown(&self.path);
        let one = |gone: &&&Recorded| {
            format!("`{shown}` records {} in `{}`, which no longer fires: {}", gone.code, gone.file, gone.message)
        };
        let mut sentences: Vec<String> = stale.iter().take(MAX_NAMED).map(one).collect();
        if stale.len() > MAX_NAMED {
            sentences.push(format!("and {} more that no longer fire", stale.len() - MAX_NAMED));
        }
        if !stale.is_empty() {
            sentences.push(format!("write it anew with `wayside check --write-baseline {shown}`"));
        }
        sentences
    }
}

/// A path as seen from the directory of the baseline, when it is below it.
fn seen_from(baseline: &Path, path: &str) -> String {
    let absolute = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let (base, file) = (absolute(files::directory(baseline)), absolute(Path::new(path)));
    files::shown(file.strip_prefix(base).unwrap_or_else(|_| Path::new(path)))
}
