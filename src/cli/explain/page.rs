//! `wayside explain CODE` and `wayside explain codes`: what findings mean.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::super::screen::Format;
use super::super::{CLEAN, screen};
use crate::policy::diagnostic::{CODES, Code};
use crate::policy::explain::pages;
use crate::policy::render::json::{Document, Head};

/// The finding that is meant by a code or a name.
pub fn find(subject: &str) -> Option<&'static Code> {
    CODES.iter().copied().find(|code| code.code.eq_ignore_ascii_case(subject) || code.name == subject)
}

/// Why a subject that is no file is no finding either; `None` when it looks like a file.
pub fn nothing(subject: &str) -> Option<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if subject.is_empty() || !subject.chars().all(word) {
        return None;
    }
    let number = |text: &str| text[1..].parse::<i32>().ok();
    let written = subject.to_ascii_uppercase();
    let near = match written.strip_prefix('R').and_then(|digits| digits.parse::<i32>().ok()) {
        Some(wanted) => {
            let mut codes: Vec<&Code> = CODES.to_vec();
            codes.sort_by_key(|code| {
                number(code.code).map_or(i32::MAX, |number| number.saturating_sub(wanted).saturating_abs())
            });
            codes.first().copied()
        }
        None => {
            let near = crate::names::nearest(subject, CODES.iter().map(|code| code.name));
            near.first().and_then(|name| find(name))
        }
    };
    let near = near.map(|code| format!("; the nearest is {} ({})", code.code, code.name)).unwrap_or_default();
    Some(format!("`{subject}` is neither a file nor a finding{near}; `wayside explain codes` lists all findings"))
}

/// Shows the page of a code.
pub fn show(code: &'static Code, format: Format) -> ExitCode {
    let Some(page) = pages::page(code.code) else {
        return screen::broken(&format!("{} ({}) has no page in this version", code.code, code.name));
    };
    match format {
        Format::Json => document(&pages::json(code, page)),
        Format::Human if std::io::stdout().is_terminal() => screen::show(&pages::terminal(page), CLEAN),
        Format::Human => screen::show(page, CLEAN),
    }
}

/// Lists every code with what it says.
pub fn list(format: Format) -> ExitCode {
    let codes = CODES.iter().map(|code| (*code, pages::page(code.code).map(pages::summary).unwrap_or_default()));
    if format == Format::Json {
        let rows: Vec<Value> = codes
            .map(|(code, what)| json!({"code": code.code, "name": code.name, "level": code.level.word(), "what": what}))
            .collect();
        return document(&Document::new(Head::of("explain"), json!({"codes": rows})));
    }
    let widest = CODES.iter().map(|code| code.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (code, what) in codes {
        let _ = writeln!(text, "{} {:<widest$} {:<8} {what}", code.code, code.name, code.level.word());
    }
    screen::show(&text, CLEAN)
}

fn document(document: &Document<Value>) -> ExitCode {
    match document.pretty() {
        Ok(text) => screen::show(&text, CLEAN),
        Err(error) => screen::broken(&error.to_string()),
    }
}
