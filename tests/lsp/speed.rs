//! How long an author waits. The bound is for an optimized build; others only have to answer.

use std::fs;
use std::time::Instant;

use crate::client::{Editor, Place, codes};

/// Milliseconds from a keystroke to its diagnostics.
const WANTED: u128 = 100;

#[test]
fn diagnostics_follow_a_keystroke_within_a_tenth_of_a_second() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/policies/support.route")).unwrap();
    let place = Place::with(&[("support.route", &text)]);
    let mut editor = Editor::at(&place);
    let uri = place.uri("support.route");
    // A dead rule, so that the exact analysis has something to say.
    let dead = text.replace("when paying and channel is voice", "when plan is free and paying and channel is voice");
    editor.open(&uri, &text);
    editor.wait(&uri, |list| !codes(list).contains(&"R402"));
    let mut times = Vec::new();
    for _ in 0..10 {
        let start = Instant::now();
        editor.retype(&uri, &dead);
        editor.wait(&uri, |list| codes(list).contains(&"R402"));
        times.push(start.elapsed().as_millis());
        editor.retype(&uri, &text);
        editor.wait(&uri, |list| !codes(list).contains(&"R402"));
    }
    times.sort_unstable();
    println!("keystroke to exact diagnostics: median {} ms, most {} ms", times[5], times[9]);
    if !cfg!(debug_assertions) {
        assert!(times[5] <= WANTED, "{times:?}");
    }
}
