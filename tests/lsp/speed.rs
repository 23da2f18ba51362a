//! Every keystroke is answered, with exact findings, too. How fast is measured by `cargo bench --bench load -- keystroke`.

use std::fs;
use std::path::Path;

use crate::client::{Editor, Place, codes};

#[test]
fn diagnostics_follow_every_keystroke() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let alone = Place::with(&[("support.route", &fs::read_to_string(root.join("policies/support.route")).unwrap())]);
    follow(&alone, "support.route");
    let set = Place::with(&[]);
    set.folder(&root.join("benches/support_desk"));
    follow(&set, "support_desk.route");
}

fn follow(place: &Place, name: &str) {
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
    for _ in 0..3 {
        editor.retype(&uri, &dead);
        editor.wait(&uri, |list| codes(list).contains(&"R402"));
        editor.retype(&uri, &text);
        editor.wait(&uri, |list| !codes(list).contains(&"R402"));
    }
}
