//! How long an author waits for an answer to a keystroke: the real `wayside lsp` over its pipes, one character typed or taken back
//! at a time.
//!
//! In: policies. Out: a table of milliseconds. Two waits are told apart: for what is said at once about text and names, and for what
//! the exact analysis says once the author rests.

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::json;

#[path = "../tests/lsp/client.rs"]
#[allow(dead_code, reason = "the tests use the rest of it")]
mod client;

use client::{Editor, Place, codes, place_of};

use super::generate::text;

/// Characters typed, and as many taken back.
const KEYS: usize = 100;

/// A rule that can never match, until a zero makes it one that can.
const TYPED: &str = "\nrule typed { when prompt_tokens >= 5k and prompt_tokens < 5k, reject 403 \"no\" }\n";

/// Measures and prints.
pub fn measure() {
    println!("keystroke to diagnostics, ms          text and names      exact findings");
    println!("                                       median     p99      median     p99");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let alone = Place::with(&[("support.route", &fs::read_to_string(root.join("policies/support.route")).unwrap())]);
    row("policies/support.route", &alone, "support.route");
    let set = Place::with(&[]);
    set.folder(&root.join("benches/support_desk"));
    row("benches/support_desk", &set, "support_desk.route");
    let large = Place::with(&[("one.route", &text::structured(1000, 5))]);
    row("1,000 structured rules", &large, "one.route");
}

fn row(name: &str, place: &Place, file: &str) {
    let text = fs::read_to_string(place.path(file)).unwrap();
    let text = text.replacen("\notherwise", &format!("{TYPED}\notherwise"), 1);
    let mut editor = Editor::at(place);
    let uri = place.uri(file);
    editor.open(&uri, &text);
    editor.wait(&uri, |list| codes(list).contains(&"R402"));
    // `prompt_tokens` gets one letter too many.
    let names = keys(&mut editor, &uri, behind(&text, "rule typed { when prompt_tokens"), "x", "R101", true);
    editor.wait(&uri, |list| codes(list).contains(&"R402"));
    let exact = keys(&mut editor, &uri, behind(&text, "prompt_tokens < 5"), "0", "R402", false);
    println!("{name:36} {:8.1} {:8.1}  {:9.1} {:8.1}", names.0, names.1, exact.0, exact.1);
}

/// The place behind some text, which stands on one line.
fn behind(text: &str, needle: &str) -> (u32, u32) {
    let (line, character) = place_of(text, needle);
    (line, character + needle.len() as u32)
}

/// Types a character and takes it back, over and over: the median and the 99th percentile of the waits, in milliseconds, until a
/// finding is there (`comes`) or gone, and the other way round.
fn keys(
    editor: &mut Editor,
    uri: &str,
    (line, character): (u32, u32),
    key: &str,
    code: &str,
    comes: bool,
) -> (f64, f64) {
    let at = |character: u32| json!({"line": line, "character": character});
    let mut waits = Vec::new();
    for press in 0..2 * KEYS {
        let typed = press % 2 == 0;
        let (end, text) = if typed { (at(character), key) } else { (at(character + 1), "") };
        let start = Instant::now();
        editor.change(uri, json!([{"range": {"start": at(character), "end": end}, "text": text}]));
        editor.wait(uri, |list| codes(list).contains(&code) == (typed == comes));
        waits.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    waits.sort_by(f64::total_cmp);
    (waits[waits.len() / 2], waits[waits.len() * 99 / 100])
}
