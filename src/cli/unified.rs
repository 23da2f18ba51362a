//! How two texts of a file differ, as `patch` takes it.
//!
//! In: a path, the text as it is, the text as it would be. Out: a unified diff. Must not know: why they differ.

use std::time::Duration;

/// How long the smallest difference of two texts is looked for. What is found by then is right, and perhaps longer than need be.
const DIFF_TIME: Duration = Duration::from_secs(10);

/// Lines around a change.
const AROUND: usize = 3;

/// Nothing where the texts are equal.
pub fn unified(path: &str, old: &str, new: &str) -> String {
    let diff = similar::TextDiff::configure().timeout(DIFF_TIME).diff_lines(old, new);
    diff.unified_diff().context_radius(AROUND).header(&format!("a/{path}"), &format!("b/{path}")).to_string()
}
