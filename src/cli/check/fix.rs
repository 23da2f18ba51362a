//! Fixes: which are made, that they change no decision, and the files they are written to.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::unified::unified;
use super::run::{Judged, Run, State, Texts};
use crate::policy::fingerprint;
use crate::policy::fix::{self, Choice};
use crate::policy::resolve::Files as _;

/// Rounds of applying: a fix may uncover another finding, and one that overlapped another is made in the next round.
const MAX_ROUNDS: usize = 10;
/// Fixes that are tried one by one, each with a check of everything, after they changed something together.
const MAX_TRIED_ALONE: usize = 100;

/// What was fixed, with nothing written yet.
pub struct Fixed {
    /// New texts by path.
    pub texts: Texts,
    /// What is found in them.
    pub state: State,
    /// How many fixes were made.
    pub made: usize,
    /// Which were not, although they were asked for, and why.
    pub withheld: Vec<String>,
}

/// Makes all fixes that were asked for.
///
/// A safe fix is made when it is proven to change no decision, or, in a policy that could not be compiled, when it brings no
/// error of a kind that was not there.
pub fn fix(run: &Run<'_>, state: State) -> Result<Fixed, String> {
    let mut fixed = Fixed { texts: Texts::new(), state, made: 0, withheld: Vec::new() };
    let mut refused = BTreeSet::new();
    for _ in 0..MAX_ROUNDS {
        let judged = run.judged(&fixed.state);
        let wanted = |choice: &Choice<'_>| {
            (choice.fix.safe || run.args.unsafe_fixes) && !refused.contains(&name(choice, &judged))
        };
        let chosen = fix::choose(&judged.findings, &wanted);
        if chosen.is_empty() {
            return Ok(fixed);
        }
        match attempt(run, &fixed, &judged, &chosen)? {
            Ok((texts, state)) => {
                fixed.made += chosen.len();
                (fixed.texts, fixed.state) = (texts, state);
            }
            Err(why) if chosen.len() == 1 => {
                let name = name(&chosen[0], &judged);
                fixed.withheld.push(format!("{name}: {why}"));
                refused.insert(name);
            }
            Err(_) => one_by_one(run, &mut fixed, &judged, &chosen, &mut refused)?,
        }
    }
    Ok(fixed)
}

/// Some of them change something: each is tried beside those that proved harmless.
fn one_by_one(
    run: &Run<'_>,
    fixed: &mut Fixed,
    judged: &Judged,
    chosen: &[Choice<'_>],
    refused: &mut BTreeSet<String>,
) -> Result<(), String> {
    let (mut harmless, mut best) = (Vec::new(), None);
    for choice in chosen.iter().take(MAX_TRIED_ALONE) {
        harmless.push(*choice);
        match attempt(run, fixed, judged, &harmless)? {
            Ok(better) => best = Some(better),
            Err(why) => {
                harmless.pop();
                let name = name(choice, judged);
                fixed.withheld.push(format!("{name}: {why}"));
                refused.insert(name);
            }
        }
    }
    if let Some((texts, state)) = best {
        fixed.made += harmless.len();
        (fixed.texts, fixed.state) = (texts, state);
    }
    Ok(())
}

/// `p.route: R304 write `lower``: what a fix is called while lines move.
fn name(choice: &Choice<'_>, judged: &Judged) -> String {
    let path = &judged.sources.file(choice.finding.span.file).path;
    format!("{path}: {} ({}): {}", choice.finding.code.code, choice.finding.message, choice.fix.title)
}

/// The texts and findings with these fixes, or why they are not made.
fn attempt(
    run: &Run<'_>,
    fixed: &Fixed,
    judged: &Judged,
    choices: &[Choice<'_>],
) -> Result<Result<(Texts, State), String>, String> {
    let mut texts = fixed.texts.clone();
    let mut edited = BTreeSet::new();
    for (file, text) in fix::apply(choices, &judged.sources) {
        let path = judged.sources.file(file).path.to_string();
        edited.insert(path.clone());
        texts.insert(path, text);
    }
    let state = run.read(&texts)?;
    if let Some(fault) = state.faults.iter().find(|fault| !fixed.state.faults.contains(fault)) {
        return Ok(Err(fault.clone()));
    }
    for after in state.sets.iter().filter(|set| set.files.iter().any(|path| edited.contains(&**path))) {
        let Some(before) = fixed.state.sets.iter().find(|set| set.path == after.path) else { continue };
        if let Some(error) = fix::new_error(&before.findings, &after.findings) {
            return Ok(Err(format!("it would bring {}: {}", error.code.code, error.message)));
        }
        let (Some(was), false) = (&before.checked, run.args.unsafe_fixes) else { continue };
        let Some(is) = &after.checked else { return Ok(Err(format!("`{}` would not compile", after.path))) };
        if fingerprint::of(was) == fingerprint::of(is) {
            continue;
        }
        if let Some(why) = fix::changes(was, is, run.options(Path::new(&after.path))?) {
            return Ok(Err(why));
        }
    }
    Ok(Ok((texts, state)))
}

impl Fixed {
    /// What the fixes change, as one unified diff; `before` has the texts as they are.
    pub fn diff(&self, before: &Judged) -> String {
        let mut out = String::new();
        for (_, file) in before.sources.files() {
            let Some(text) = self.texts.get(&*file.path).filter(|text| ***text != *file.text) else { continue };
            out.push_str(&unified(&file.path, &file.text, text));
        }
        out
    }

    /// Writes the files, none if one of them cannot be read as it was or is not in its workspace. Answers how many.
    pub fn write(&self, run: &Run<'_>, before: &Judged) -> Result<usize, String> {
        let mut todo = Vec::new();
        for (_, file) in before.sources.files() {
            let Some(text) = self.texts.get(&*file.path).filter(|text| ***text != *file.text) else { continue };
            let disk = run.workspace(Path::new(&*file.path))?.disk();
            let cannot = |error: &str| format!("`{}` cannot be fixed: {error}; nothing was written", file.path);
            let now = disk.read(&file.path).map_err(|error| cannot(&error))?;
            if now != *file.text {
                return Err(cannot("it changed meanwhile"));
            }
            todo.push((disk, &*file.path, text));
        }
        for (disk, path, text) in &todo {
            disk.write(Path::new(path), text).map_err(|error| format!("`{path}` cannot be written: {error}"))?;
        }
        Ok(todo.len())
    }
}
