//! How long an author waits: printed, because what a machine does beside decides it. 100 ms are wanted of an optimized build.

use std::fs;
use std::time::Instant;

use crate::client::{Editor, Place, codes};

#[test]
fn diagnostics_follow_a_keystroke() {
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
}
