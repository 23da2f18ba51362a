//! Names across files: definition, uses, new names.

use serde_json::{Value, json};

use crate::client::{Editor, Place, at, edited, place, place_of};
use crate::{DESK, DESK_TEST, MODELS, desk};

fn opened(place: &Place) -> Editor {
    let mut editor = Editor::at(place);
    editor.open(&place.uri("desk.route"), DESK);
    editor
}

/// The place right behind `before` in a text.
fn behind(text: &str, before: &str) -> (u32, u32) {
    place(text, text.find(before).unwrap() + before.len())
}

#[test]
fn a_name_leads_to_its_declaration_in_whichever_file() {
    let place = desk();
    let mut editor = opened(&place);
    let uri = place.uri("desk.route");
    for (before, file, text, target) in [
        ("tier            ", "models.route", MODELS, "small {"),
        ("degrade         template ", "desk.route", DESK, "sorry \"Wir"),
        ("when ", "desk.route", DESK, "tag { stakes"),
        ("snapshot        ", "models.route", MODELS, "openai/gpt-5.4-mini"),
    ] {
        let spot = match before {
            "when " => behind(DESK, "when feature is "),
            other => behind(DESK, other),
        };
        let found = editor.ask_at("textDocument/definition", &uri, spot).unwrap();
        assert_eq!(found["uri"], place.uri(file), "{before}");
        let (line, character) = place_of(text, target);
        assert_eq!(found["range"]["start"], json!({"line": line, "character": character}), "{before}");
    }
    let found = editor.ask_at("textDocument/definition", &uri, place_of(DESK, "models.route")).unwrap();
    assert_eq!(found["uri"], place.uri("models.route"), "a used file");
    assert!(editor.ask_at("textDocument/definition", &uri, place_of(DESK, "deadline")).unwrap().is_null());
}

#[test]
fn a_test_file_leads_into_the_policy_it_uses() {
    let place = desk();
    let mut editor = Editor::at(&place);
    let uri = place.uri("desk.test.route");
    editor.open(&uri, DESK_TEST);
    let spot = behind(DESK_TEST, "expect rule ");
    let found = editor.ask_at("textDocument/definition", &uri, spot).unwrap();
    assert_eq!(found["uri"], place.uri("desk.route"));
    let card = editor.ask_at("textDocument/hover", &uri, spot).unwrap();
    assert!(card["contents"]["value"].as_str().unwrap().contains("reached by"), "{card:#}");
}

#[test]
fn uses_are_found_in_every_file_of_every_set() {
    let place = desk();
    let mut editor = opened(&place);
    let mut params = at(&place.uri("desk.route"), behind(DESK, "tier            "));
    params["context"] = json!({"includeDeclaration": true});
    let found = editor.ask("textDocument/references", params).unwrap();
    let mut files: Vec<&str> =
        found.as_array().unwrap().iter().map(|one| one["uri"].as_str().unwrap().rsplit('/').next().unwrap()).collect();
    files.sort_unstable();
    assert_eq!(files, ["desk.route", "desk.route", "desk.test.route", "models.route"]);
    let marks = editor
        .ask_at("textDocument/documentHighlight", &place.uri("desk.route"), behind(DESK, "tier            "))
        .unwrap();
    assert_eq!(marks.as_array().unwrap().len(), 2);
}

fn changed<'a>(edit: &'a Value, uri: &str) -> Option<&'a Value> {
    let list = edit["documentChanges"].as_array().unwrap();
    list.iter().find(|change| change["textDocument"]["uri"] == uri).map(|change| &change["edits"])
}

#[test]
fn a_new_name_goes_everywhere_the_old_one_was() {
    let place = desk();
    let mut editor = opened(&place);
    let uri = place.uri("desk.route");
    let spot = behind(DESK, "tier            ");
    let prepared = editor.ask_at("textDocument/prepareRename", &uri, spot).unwrap();
    assert_eq!(prepared["placeholder"], "small");
    let mut params = at(&uri, spot);
    params["newName"] = json!("tiny");
    let edit = editor.ask("textDocument/rename", params).unwrap();
    let desk = edited(DESK, changed(&edit, &uri).unwrap());
    assert_eq!(desk, DESK.replace("tier            small", "tier            tiny"));
    let models = edited(MODELS, changed(&edit, &place.uri("models.route")).unwrap());
    assert_eq!(models, MODELS.replace("tier small", "tier tiny"));
    let test = edited(DESK_TEST, changed(&edit, &place.uri("desk.test.route")).unwrap());
    assert_eq!(test, DESK_TEST.replace("tier small", "tier tiny"));
}

#[test]
fn a_new_name_that_cannot_be_had_is_refused_with_the_reason() {
    let place = desk();
    let mut editor = opened(&place);
    let uri = place.uri("desk.route");
    for (before, new, reason) in [
        ("tier            ", "mid", "tier `mid` is declared twice (R108)"),
        ("tier            ", "unknown", "`unknown` has a meaning of its own and cannot name a tier (R122)"),
        ("tier            ", "two words", "`two words` is not a name; write letters"),
        ("define ", "channel", "(R108)"),
        ("define ", "plan", "(R122)"),
        ("snapshot        ", "x", "has no name of its own"),
        ("policy ", "x", "there is no name here"),
    ] {
        let mut params = at(&uri, behind(DESK, before));
        params["newName"] = json!(new);
        let (code, message) = editor.ask("textDocument/rename", params).unwrap_err();
        assert_eq!(code, -32803, "{message}");
        assert!(message.contains(reason), "{new}: {message}");
    }
}
