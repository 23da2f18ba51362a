//! What recorded traffic says of the policies of a run.

use std::path::Path;
use std::sync::Arc;

use super::super::screen;
use super::super::traffic::Traffic;
use super::run::State;
use crate::policy::check::traffic::Counted;
use crate::policy::render::counted;

/// Asks every policy about the requests it decided, and adds what is found. Where several policies are looked at, a request belongs
/// to the one whose name the log gives.
pub fn count(state: &mut State, log: &Path) -> Result<(), String> {
    let sets = state.sets.iter().enumerate().filter_map(|(at, set)| Some((at, set.compiled.as_ref()?)));
    let mut policies: Vec<(usize, &str, Counted<'_>)> = Vec::new();
    for (at, (tree, catalog)) in sets {
        // Tests are read with the policy they use.
        if !policies.iter().any(|(_, name, _)| **name == *tree.checked().name) {
            policies.push((at, &tree.checked().name, Counted::new(tree, Arc::clone(catalog))?));
        }
    }
    if policies.is_empty() {
        screen::aside("wayside: no policy here decides anything, so the traffic is not counted");
        return Ok(());
    }
    let alone = policies.len() == 1;
    let mut traffic = Traffic::open(log)?;
    let mut of_others: u64 = 0;
    for (number, line) in traffic.by_ref() {
        match policies.iter_mut().find(|(_, name, _)| alone || line.policy == **name) {
            Some((.., counted)) => counted.add(number, &line),
            None => of_others += 1,
        }
    }
    let mut notes: Vec<String> = traffic.note()?.into_iter().collect();
    if of_others > 0 {
        notes.push(format!("{} of policies that are not among these left out", counted(of_others as usize, "request")));
    }
    for (_, name, one) in &policies {
        if let Some(first) = &one.first_left_out {
            let what = counted(one.left_out as usize, "request");
            notes.push(format!("{what} that `{name}` cannot decide again left out; {first}"));
        }
    }
    notes.iter().for_each(|note| screen::aside(&format!("wayside: {note}")));
    let found: Vec<_> = policies.iter().map(|(at, _, one)| (*at, one.findings())).collect();
    found.into_iter().for_each(|(at, findings)| state.found(at, findings));
    Ok(())
}
