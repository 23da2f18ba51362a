//! Findings as an editor shows them, and their edits.
//!
//! In: every set that is kept. Out: diagnostics by file, and quick fixes. Must not know: when they are asked for. Findings of
//! several policies about a file they share are said once, judged by the settings of their workspace.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gen_lsp_types::{
    Code, CodeAction, CodeActionKind, CodeActionParams, Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity,
    DiagnosticTag, Location, Range, TextEdit, Uri,
};

use super::buffers::absolute;
use super::client::Client;
use super::position::{Encoding, Lines};
use super::state::State;
use super::uri;
use crate::policy::ast::{File, ItemKind};
use crate::policy::diagnostic::{self, Level, R109, R401, R403};
use crate::policy::source::{FileId, Sources, Span};
use crate::workspace::Findings;

/// Findings of one workspace, judged.
pub struct Judged {
    home: PathBuf,
    list: Vec<diagnostic::Diagnostic>,
    sources: Sources,
    lines: BTreeMap<FileId, Lines>,
    /// Every file that was read.
    files: Vec<PathBuf>,
    /// All of a rule, by its file and the place of its name.
    rules: BTreeMap<(PathBuf, u32), Span>,
}

impl Judged {
    fn path(&self, file: FileId) -> PathBuf {
        absolute(&self.home, &self.sources.file(file).path)
    }

    fn range(&self, span: Span, encoding: Encoding) -> Range {
        let text = &self.sources.file(span.file).text;
        let lines = self.lines.get(&span.file);
        lines.map_or_else(Range::default, |lines| lines.range(text, span.lo as usize, span.hi as usize, encoding))
    }

    fn location(&self, span: Span, encoding: Encoding) -> Location {
        Location { uri: Uri(uri::from_path(&self.path(span.file))), range: self.range(span, encoding) }
    }
}

/// Judges everything that is kept, workspace by workspace.
pub fn judge(state: &mut State) -> Vec<Judged> {
    let mut homes: BTreeMap<PathBuf, Vec<_>> = BTreeMap::new();
    for set in state.sets() {
        homes.entry(set.home.clone()).or_default().push(std::rc::Rc::clone(set));
    }
    let mut all = Vec::new();
    for (home, sets) in homes {
        let mut found = Findings::default();
        let (mut rules, mut files) = (BTreeMap::new(), Vec::new());
        let mut others: BTreeMap<PathBuf, usize> = BTreeMap::new();
        for set in &sets {
            for (id, _) in set.sources.files() {
                let path = set.path(id);
                others.entry(path.clone()).or_insert_with(|| state.others(&path));
                if let Some(tree) = set.files.get(usize::from(id.0)) {
                    rules.extend(rules_of(tree).map(|(name, whole)| ((path.clone(), name), whole)));
                }
                files.push(path);
            }
            let mut findings = state.findings(set);
            // Whether nothing uses a name only all policies together know.
            findings.retain(|one| {
                *one.code != R109 || others.get(&set.path(one.span.file)).is_none_or(|others| *others == 0)
            });
            found.add(&set.sources, findings);
        }
        let settings =
            sets.first().and_then(|set| state.workspace(&set.root)).map(|workspace| workspace.settings.clone());
        let settings = settings.unwrap_or_default();
        let (list, _, sources) = found.judged(&settings.select, &settings.allow);
        let lines = sources.files().map(|(id, file)| (id, Lines::of(&file.text))).collect();
        all.push(Judged { home, list, sources, lines, files, rules });
    }
    all
}

fn rules_of(tree: &File) -> impl Iterator<Item = (u32, Span)> + '_ {
    tree.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Rule { name, .. } => Some((name.span.lo, item.span)),
        _ => None,
    })
}

/// Diagnostics for every file that was read, also for those without any.
pub fn by_file(judged: &[Judged], client: &Client, encoding: Encoding) -> BTreeMap<PathBuf, Vec<Diagnostic>> {
    let mut files: BTreeMap<PathBuf, Vec<Diagnostic>> = BTreeMap::new();
    for one in judged {
        for path in &one.files {
            files.entry(path.clone()).or_default();
        }
        for finding in &one.list {
            let list = files.entry(one.path(finding.span.file)).or_default();
            list.push(shown(one, finding, client, encoding));
            list.extend(grayed(one, finding, encoding));
        }
    }
    files
}

const fn severity(level: Level) -> DiagnosticSeverity {
    match level {
        Level::Error => DiagnosticSeverity::Error,
        Level::Warning => DiagnosticSeverity::Warning,
        Level::Info => DiagnosticSeverity::Information,
        Level::Pedantic => DiagnosticSeverity::Hint,
    }
}

fn is_dead(finding: &diagnostic::Diagnostic) -> bool {
    *finding.code == R401 || *finding.code == R403
}

fn shown(judged: &Judged, finding: &diagnostic::Diagnostic, client: &Client, encoding: Encoding) -> Diagnostic {
    let related = finding.labels.iter().filter(|label| !label.text.is_empty()).map(|label| {
        DiagnosticRelatedInformation { location: judged.location(label.span, encoding), message: label.text.clone() }
    });
    let related: Vec<DiagnosticRelatedInformation> = if client.related { related.collect() } else { Vec::new() };
    plain(
        judged.range(finding.span, encoding),
        severity(finding.level),
        finding.code.code,
        message(finding),
        is_dead(finding).then(|| vec![DiagnosticTag::Unnecessary]),
        (!related.is_empty()).then_some(related),
    )
}

/// The whole of a dead rule, so that an editor grays out more than its name.
fn grayed(judged: &Judged, finding: &diagnostic::Diagnostic, encoding: Encoding) -> Option<Diagnostic> {
    let key = (judged.path(finding.span.file), finding.span.lo);
    let whole = judged.rules.get(&key).filter(|_| is_dead(finding))?;
    let range = judged.range(Span { file: finding.span.file, ..*whole }, encoding);
    let tags = Some(vec![DiagnosticTag::Unnecessary]);
    Some(plain(range, DiagnosticSeverity::Hint, finding.code.code, finding.message.clone(), tags, None))
}

fn plain(
    range: Range,
    severity: DiagnosticSeverity,
    code: &str,
    message: String,
    tags: Option<Vec<DiagnosticTag>>,
    related_information: Option<Vec<DiagnosticRelatedInformation>>,
) -> Diagnostic {
    Diagnostic {
        range,
        severity: Some(severity),
        code: Some(Code::String(code.to_owned())),
        source: Some("wayside".to_owned()),
        message: message.into(),
        tags,
        related_information,
        ..Diagnostic::default()
    }
}

/// The title, then what else is known, a line each.
fn message(finding: &diagnostic::Diagnostic) -> String {
    let mut lines = vec![finding.message.clone()];
    lines.extend((!finding.here.is_empty()).then(|| finding.here.clone()));
    if let Some(witness) = &finding.witness {
        lines.push(format!("for example: {}", witness_text(witness)));
    }
    lines.extend(finding.notes.iter().cloned());
    lines.extend(finding.help.iter().map(|help| format!("help: {help}")));
    lines.join("\n")
}

/// `plan pro, prompt_tokens 2k, calm on`; nothing for a witness that says nothing.
pub fn witness_text(witness: &diagnostic::Witness) -> String {
    let all = witness.request.iter().chain(&witness.readings);
    let words: Vec<String> = all.map(|(name, value)| format!("{name} {value}")).collect();
    if words.is_empty() { "any request".to_owned() } else { words.join(", ") }
}

/// A document that is too large to be looked at.
pub fn too_large(most: usize) -> Diagnostic {
    let message = format!("the document has more than {most} bytes\nhelp: split it, and join the parts with `use`");
    plain(Range::default(), DiagnosticSeverity::Error, "R007", message, None, None)
}

/// Quick fixes for what stands in a range: every edit that a finding offers.
pub fn actions(state: &State, judged: &[Judged], client: &Client, params: &CodeActionParams) -> Vec<CodeAction> {
    let wanted = params.context.only.as_ref();
    if wanted
        .is_some_and(|kinds| !kinds.iter().any(|kind| matches!(kind, CodeActionKind::Empty | CodeActionKind::QuickFix)))
    {
        return Vec::new();
    }
    let key = uri::key(&params.text_document.uri.0);
    let encoding = state.documents.encoding;
    let mut actions = Vec::new();
    for one in judged {
        for finding in one.list.iter().filter(|finding| one.path(finding.span.file) == key) {
            let range = one.range(finding.span, encoding);
            if range.start > params.range.end || params.range.start > range.end {
                continue;
            }
            for fix in &finding.fixes {
                let mut edits: BTreeMap<PathBuf, Vec<TextEdit>> = BTreeMap::new();
                for edit in &fix.edits {
                    let new = TextEdit { range: one.range(edit.span, encoding), new_text: edit.text.clone() };
                    edits.entry(one.path(edit.span.file)).or_default().push(new);
                }
                actions.push(CodeAction {
                    title: fix.title.clone(),
                    kind: Some(CodeActionKind::QuickFix),
                    diagnostics: Some(vec![shown(one, finding, client, encoding)]),
                    is_preferred: Some(fix.safe),
                    edit: Some(client.edit(&state.documents, edits)),
                    ..CodeAction::default()
                });
            }
        }
    }
    actions
}

/// The URI an editor knows a file by: its own spelling when it has it open.
pub fn uri_of(state: &State, path: &Path) -> Uri {
    match state.documents.get(path) {
        Some(document) => document.uri.clone(),
        None if path.is_absolute() => Uri(uri::from_path(path)),
        None => Uri(path.to_string_lossy().into_owned()),
    }
}
