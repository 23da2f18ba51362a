//! `# allow NAME: reason` above a statement or a declaration (section 7.1).
//!
//! In: findings, the comments of their files, the project's own allow list. Out: the findings that stay, R902 to R904 among
//! them. Must not know: how findings are made or shown.

use super::diagnostic::{CODES, Code, Diagnostic, Level, R902, R903, R904};
use super::outline::{Comment, Outline};
use super::source::{FileId, SourceFile, Sources, Span};
use crate::names::nearest;

/// Takes the suppressed findings away. `allowed` are codes or names of the project settings and the command line, which
/// need no reason and may be unused. Answers what stays, in no particular order, and how many were suppressed.
pub fn apply(findings: Vec<Diagnostic>, sources: &Sources, allowed: &[String]) -> (Vec<Diagnostic>, usize) {
    let mut allows = vec![];
    let mut kept = vec![];
    for (id, file) in sources.files().filter(|(_, file)| file.text.contains("allow")) {
        allows.extend(allows_of(id, file, &mut kept));
    }
    let unread = findings.iter().any(|finding| finding.code.code.starts_with("R0") && finding.level == Level::Error);
    let mut suppressed = 0;
    for finding in findings {
        let curable_only = only_curable(&finding);
        let by_project = allowed.iter().any(|name| is_code(finding.code, name));
        let here = allows.iter_mut().filter(|allow| allow.covers(&finding));
        let mut covered = false;
        for allow in here {
            allow.refused |= curable_only;
            allow.used |= !curable_only;
            covered = true;
        }
        if (covered || by_project) && !curable_only {
            suppressed += 1;
        } else {
            kept.push(finding);
        }
    }
    // After a syntax error much was not checked at all, so nothing can be said about what is unused.
    if !unread {
        kept.extend(allows.iter().filter(|allow| !allow.used && !is_observed(allow.code)).map(unused));
    }
    (kept, suppressed)
}

/// Whether a code goes by this name: `R303` or `same-provider-fallback`.
pub fn is_code(code: &Code, name: &str) -> bool {
    code.code == name || code.name == name
}

/// Errors that a comment cannot make harmless: broken promises (7.1), and text, names or constructs that mean nothing here.
fn only_curable(finding: &Diagnostic) -> bool {
    let code = finding.code.code;
    let promise = code.starts_with("R80") || matches!(code, "R310" | "R314" | "R410" | "R711");
    let meaningless = code.starts_with("R0") || code.starts_with("R1");
    // An id that is no pinned model, and a fallback that does not say or does not keep its direction, would be served.
    let unpinned = matches!(code, "R201" | "R202" | "R204" | "R205" | "R218" | "R219");
    let unclear = matches!(code, "R304" | "R305" | "R319");
    finding.level == Level::Error && (promise || meaningless || unpinned || unclear)
}

/// What only recorded traffic or a running proxy can give: a run without it says nothing about what is unused.
fn is_observed(code: &Code) -> bool {
    matches!(code.code, "R412" | "R719")
}

/// One name of one comment.
struct Allow {
    code: &'static Code,
    /// The name in the comment.
    span: Span,
    /// The comment.
    comment: Span,
    /// Whether the comment names other codes too.
    shared: bool,
    /// What it covers.
    lo: u32,
    hi: u32,
    /// It stands behind a statement instead of above one.
    misplaced: bool,
    used: bool,
    refused: bool,
}

impl Allow {
    fn covers(&self, finding: &Diagnostic) -> bool {
        let inside = finding.span.file == self.span.file && (self.lo..self.hi).contains(&finding.span.lo);
        inside && *finding.code == *self.code
    }
}

fn allows_of(id: FileId, file: &SourceFile, found: &mut Vec<Diagnostic>) -> Vec<Allow> {
    let outline = Outline::of(id, file);
    let mut allows = vec![];
    for comment in outline.comments() {
        let Some(written) = written(*comment, &file.text) else { continue };
        let span = |lo: usize, hi: usize| Span { file: id, lo: comment.lo + lo as u32, hi: comment.lo + hi as u32 };
        let whole = span(0, (comment.hi - comment.lo) as usize);
        if !written.has_reason {
            found.push(
                Diagnostic::new(&R903, whole, "this `allow` gives no reason")
                    .here("expected `: ` and a reason")
                    .help(format!("write `# allow {}: why it is right here`", written.names[0].1)),
            );
        }
        let covered = outline.line_below(comment.hi).filter(|_| comment.own_line);
        let (lo, hi) = covered.map_or((0, 0), |line| (line.lo, line.hi));
        for (at, name) in &written.names {
            let place = span(*at, at + name.len());
            match CODES.iter().find(|code| is_code(code, name)) {
                Some(code) => allows.push(Allow {
                    code,
                    span: place,
                    comment: whole,
                    shared: written.names.len() > 1,
                    lo,
                    hi,
                    misplaced: !comment.own_line,
                    used: false,
                    refused: false,
                }),
                None => found.push(unknown(name, place)),
            }
        }
    }
    allows
}

/// What a comment says, if it is a suppression at all.
struct Written<'t> {
    /// Names, and how far behind the `#` they begin.
    names: Vec<(usize, &'t str)>,
    has_reason: bool,
}

/// `# allow a, b: reason`. A sentence that merely begins with "allow" is a comment: without a colon only names that are
/// codes, or nearly so, make it a suppression.
fn written(comment: Comment, text: &str) -> Option<Written<'_>> {
    let text = text.get(comment.lo as usize..comment.hi as usize)?;
    let body = text.trim_start_matches('#').trim_start();
    let rest = body.strip_prefix("allow")?;
    let first = rest.chars().next()?;
    if !first.is_whitespace() {
        return None;
    }
    let (list, reason) = rest.split_once(':').map_or((rest, None), |(list, reason)| (list, Some(reason.trim())));
    let start = text.len() - rest.len();
    let mut at = start;
    let mut names = vec![];
    for part in list.split(',') {
        let name = part.trim();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
            return None;
        }
        names.push((at + part.len() - part.trim_start().len(), name));
        at += part.len() + 1;
    }
    let is_near = |name: &str| CODES.iter().any(|code| is_code(code, name)) || !near(name).is_empty();
    (reason.is_some() || names.iter().any(|(_, name)| is_near(name)))
        .then(|| Written { names, has_reason: reason.is_some_and(|reason| !reason.is_empty()) })
}

fn near(name: &str) -> Vec<&'static str> {
    let known = |pick: fn(&'static Code) -> &'static str| CODES.iter().map(move |code| pick(code));
    if name.contains('-') {
        nearest(name, known(|code| code.name))
    } else {
        nearest(&name.to_uppercase(), known(|code| code.code))
    }
}

fn unknown(name: &str, span: Span) -> Diagnostic {
    let finding = Diagnostic::new(&R904, span, format!("`{name}` is the name of no finding"));
    match near(name).first() {
        Some(near) => finding.here(format!("did you mean `{near}`?")).help(format!("write `{near}`")).fix(
            true,
            format!("replace `{name}` by `{near}`"),
            span,
            *near,
        ),
        None => finding
            .here("unknown")
            .help("write the name a finding is printed with, as in `# allow same-provider-fallback: reason`"),
    }
}

fn unused(allow: &Allow) -> Diagnostic {
    let Code { code, name, .. } = allow.code;
    if allow.refused {
        return Diagnostic::new(&R902, allow.span, format!("`{name}` cannot be allowed, only cured"))
            .here(format!("{code} is an error of a kind that no comment makes harmless"))
            .help("delete the comment, and cure the finding below it");
    }
    let finding = Diagnostic::new(&R902, allow.span, format!("nothing here is `{name}`"));
    if allow.misplaced {
        return finding
            .here("an `allow` covers what stands below it")
            .help("put the comment on a line of its own, above the statement");
    }
    let finding = finding.here("this `allow` suppresses nothing").help("delete it");
    if allow.shared { finding } else { finding.fix(true, "delete the comment", allow.comment, "") }
}
