//! What a running proxy says of the policies of a run.
//!
//! In: the address of an admin listener. Out: findings in a [`State`]. The only place of the language tools that opens a socket.

use std::time::Duration;

use super::super::screen;
use super::run::State;
use crate::policy::check::live::{Running, finished};

/// How long a proxy may take to answer, from looking its name up to the last byte.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer; a policy of 10,000 rollouts has fewer.
const MAX_ANSWER: u64 = 2 * 1024 * 1024;

/// Asks the proxy, and adds what is found.
pub fn compare(state: &mut State, url: &str) -> Result<(), String> {
    let running = ask(url)?;
    let sets = state.sets.iter().enumerate().filter_map(|(at, set)| Some((at, set, set.compiled.as_ref()?)));
    let served = sets.filter(|(.., (tree, _))| *tree.checked().name == *running.policy);
    let found: Vec<_> = served
        .map(|(at, set, (tree, _))| {
            (at, tree.hash().to_string(), finished(tree.checked(), &set.trees, &set.sources, &running))
        })
        .collect();
    let Running { policy, policy_hash, .. } = &running;
    if found.is_empty() {
        screen::aside(&format!("wayside: the proxy at {url} serves policy `{policy}`, which is not among these"));
    } else if !found.iter().any(|(_, hash, _)| hash == policy_hash) {
        let note = format!("the proxy at {url} serves another version of policy `{policy}` ({policy_hash})");
        screen::aside(&format!("wayside: {note}; rollouts are compared by name"));
    }
    found.into_iter().for_each(|(at, _, findings)| state.found(at, findings));
    Ok(())
}

fn ask(url: &str) -> Result<Running, String> {
    let form = "write it like `http://127.0.0.1:8788`";
    if !url.starts_with("http://") {
        return Err(format!("--live: an admin listener speaks plain HTTP, and `{url}` is no such address; {form}"));
    }
    let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).max_redirects(0).proxy(None).build();
    let status = format!("{}/status", url.trim_end_matches('/'));
    let cannot = |why: &str| format!("`{status}` cannot be asked: {why}");
    let answer = ureq::Agent::new_with_config(config).get(&status).call();
    let mut answer = answer.map_err(|error| cannot(&error.to_string()))?;
    if answer.status() != 200 {
        return Err(cannot(&format!("it answers {}", answer.status())));
    }
    let text = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_string();
    let text = text.map_err(|error| cannot(&error.to_string()))?;
    serde_json::from_str(&text)
        .map_err(|error| format!("`{status}` does not answer as the admin listener of `wayside serve` does: {error}"))
}
