//! `wayside test --record`: a request log and a policy to a file of tests.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use super::super::diff::meaning;
use super::super::traffic::Traffic;
use super::super::{BROKEN, CLEAN, screen};
use super::is_test;
use crate::files;
use crate::policy::prove::Options;
use crate::policy::render::counted;
use crate::policy::tree::Tree;
use crate::rehearse::record::{Left, MAX_TESTS, Recorder, Skipped};
use crate::workspace::{How, Workspace};

/// Records and prints.
pub fn run(log: &Path, paths: &[PathBuf], how: &How) -> ExitCode {
    let policy = match paths {
        [one] if !one.is_dir() && !is_test(one) => one,
        _ => return screen::broken("`--record` takes one policy: `wayside test support.route --record log.jsonl`"),
    };
    recorded(log, policy, how).unwrap_or_else(|error| screen::broken(&error))
}

fn recorded(log: &Path, policy: &Path, how: &How) -> Result<ExitCode, String> {
    files::read(policy, crate::policy::lexer::MAX_FILE_BYTES + 1)
        .map_err(|error| format!("`{}` cannot be read: {error}", files::shown(policy)))?;
    let workspace = Workspace::open(policy, how)?;
    let verdict = workspace.check(policy);
    let Some(checked) = meaning(&files::shown(policy), "recorded", &verdict) else {
        return Ok(ExitCode::from(BROKEN));
    };
    let options = Options { fuel: how.fuel.unwrap_or(workspace.settings.fuel), today: Some(how.today) };
    let tree =
        Tree::compile(Arc::clone(&checked)).map_err(|_| format!("`{}` cannot be compiled", files::shown(policy)))?;
    let mut recorder = Recorder::new(&tree, &verdict.catalog, options)?;
    let mut traffic = Traffic::open(log)?;
    for (number, line) in traffic.by_ref() {
        recorder.add(number, &line);
    }
    if let Some(note) = traffic.note()? {
        screen::aside(&format!("wayside: {note}"));
    }
    notes(&recorder.left).iter().for_each(|note| screen::aside(&format!("wayside: {note}")));
    let (tests, requests) = recorder.count();
    if tests == 0 {
        return Err(format!("no request of `{}` gives a test", files::shown(log)));
    }
    let name = policy.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let text = recorder.text(&name)?;
    let said = format!("{} of {} recorded", counted(tests, "decision"), counted(requests as usize, "request"));
    screen::aside(&format!("wayside: {said}; the file belongs beside `{}`", files::shown(policy)));
    Ok(screen::show(&text, CLEAN))
}

/// What gave no test.
fn notes(left: &Left) -> Vec<String> {
    let beyond = format!("of more than {MAX_TESTS} decisions left out");
    let all: [(&Skipped, &str); 4] = [
        (&left.refused, "that this policy cannot decide again left out"),
        (&left.changed, "decided otherwise now, as `wayside diff --traffic` says of an edit, left out"),
        (&left.untold, "left out"),
        (&left.beyond, &beyond),
    ];
    let note = |(skipped, what): &(&Skipped, &str)| {
        let (line, why) = skipped.first.as_ref()?;
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        Some(format!("{} {what}; line {line}{why}", counted(skipped.requests as usize, "request")))
    };
    all.iter().filter_map(note).collect()
}
