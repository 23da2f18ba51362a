//! How long an author waits: printed, because what a machine does beside decides it. 100 ms are wanted of an optimized build.

use std::fs;
use std::path::Path;
use std::time::Instant;

use crate::client::{Editor, Place, codes};

#[test]
fn diagnostics_follow_a_keystroke() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let alone = Place::with(&[("support.route", &fs::read_to_string(root.join("policies/support.route")).unwrap())]);
    let (median, most) = measure(&alone, "support.route");
    println!("support.route: keystroke to exact diagnostics: median {median} ms, most {most} ms");
    let set = Place::with(&[]);
    copy(&root.join("benches/support_desk"), &set, "");
    let (median, most) = measure(&set, "support_desk.route");
    println!("support_desk.route: keystroke to exact diagnostics: median {median} ms, most {most} ms");
}

/// Milliseconds: the median and the most.
fn measure(place: &Place, name: &str) -> (u128, u128) {
    let text = fs::read_to_string(place.path(name)).unwrap();
    let mut editor = Editor::at(place);
    let uri = place.uri(name);
    // A dead rule, so that the exact analysis has something to say.
    let dead = text.replacen(
        "\notherwise",
        "\nrule dead { when plan is free and plan is pro, reject 403 \"no\" }\n\notherwise",
        1,
    );
    assert_ne!(dead, text);
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
    (times[5], times[9])
}

/// A folder, with what is in it.
fn copy(folder: &Path, place: &Place, under: &str) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{under}{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            copy(&entry.path(), place, &format!("{name}/"));
        } else {
            place.file(&name, &fs::read_to_string(entry.path()).unwrap());
        }
    }
}
