//! What an author sees while typing.

use std::fs;

use serde_json::{Value, json};

use crate::client::{Editor, Place, codes, edited, place_of};
use crate::{DESK, MODELS, desk};

fn position((line, character): (u32, u32)) -> Value {
    json!({"line": line, "character": character})
}

#[test]
fn an_edit_changes_the_findings_and_the_next_one_takes_them_back() {
    let place = desk();
    let mut editor = Editor::at(&place);
    let uri = place.uri("desk.route");
    let text = editor.open_file(&place, "desk.route");
    assert_eq!(editor.wait(&uri, |_| true), Vec::<Value>::new(), "the policy is fine");
    let start = place_of(&text, "template sorry\n}\n\nrule paying");
    let name = (start.0, start.1 + 9);
    let range = json!({"start": position(name), "end": position((name.0, name.1 + 5))});
    editor.change(&uri, json!([{"range": range, "text": "sory"}]));
    let list = editor.wait(&uri, |list| codes(list).contains(&"R116"));
    let found = list.iter().find(|one| one["code"] == "R116").unwrap();
    assert_eq!(found["range"]["start"], position(name));
    assert_eq!((&found["severity"], &found["source"]), (&json!(1), &json!("wayside")));
    assert!(found["message"].as_str().unwrap().contains("help: write `sorry`"), "{found:#}");
    assert_eq!(editor.diagnostics[&uri]["version"], 2);
    editor.retype(&uri, &text);
    editor.wait(&uri, |list| list.is_empty());
    assert_eq!(editor.leave(), (0, String::new()));
}

#[test]
fn a_dead_rule_is_gray_and_names_what_takes_its_requests() {
    let place = desk();
    let mut editor = Editor::at(&place);
    let uri = place.uri("desk.route");
    let text = DESK.replace("when feature is tag", "when feature in [tag, reply] or not feature is tag");
    editor.open(&uri, &text);
    let list = editor.wait(&uri, |list| codes(list).contains(&"R401"));
    let dead: Vec<&Value> = list.iter().filter(|one| one["code"] == "R401").collect();
    assert_eq!(dead.len(), 2, "the name, and all of it: {list:#?}");
    assert!(dead.iter().all(|one| one["tags"] == json!([1])), "both are tagged `unnecessary`");
    assert_eq!(dead[0]["severity"], 1);
    assert_eq!(dead[0]["range"]["start"], position(place_of(&text, "paying_chat {")));
    assert!(dead[0]["message"].as_str().unwrap().starts_with("rule `paying_chat` can never match"));
    let related = &dead[0]["relatedInformation"][0];
    assert_eq!(related["location"]["range"]["start"], position(place_of(&text, "tags {")));
    assert_eq!(related["location"]["uri"], uri);
    assert_eq!(dead[1]["severity"], 4);
    assert_eq!(dead[1]["range"]["start"], position(place_of(&text, "rule paying_chat")));
    assert_eq!(
        dead[1]["range"]["end"],
        position({
            let (line, _) = place_of(&text, "}\n\notherwise");
            (line, 1)
        })
    );
}

#[test]
fn what_was_proven_stays_in_its_place_while_somebody_types_above_it() {
    let place = desk();
    let mut editor = Editor::at(&place);
    let uri = place.uri("desk.route");
    let text = DESK.replace("when feature is tag", "when feature in [tag, reply] or not feature is tag");
    editor.open(&uri, &text);
    editor.wait(&uri, |list| codes(list).contains(&"R401"));
    let before = place_of(&text, "paying_chat {");
    let start = json!({"line": 2, "character": 0});
    editor.change(&uri, json!([{"range": {"start": start, "end": start}, "text": "# ü\n"}]));
    // The very next diagnostics already have it, one line further down: nothing was proven again yet, or was, with one result.
    editor.diagnostics.clear();
    let list = editor.wait(&uri, |_| true);
    let dead = list.iter().find(|one| one["code"] == "R401").expect("still there");
    assert_eq!(dead["range"]["start"], position((before.0 + 1, before.1)));
}

#[test]
fn an_unsaved_file_counts_for_the_policies_that_use_it() {
    let place = desk();
    let mut editor = Editor::at(&place);
    let (desk, models) = (place.uri("desk.route"), place.uri("models.route"));
    editor.open_file(&place, "models.route");
    editor.wait(&models, |list| list.is_empty());
    editor.retype(&models, &MODELS.replace("tier small", "tier tiny"));
    let list = editor.wait(&desk, |list| codes(list).contains(&"R107"));
    assert!(list[0]["message"].as_str().unwrap().contains("there is no tier `small`"), "{list:#?}");
    editor.tell("textDocument/didClose", json!({"textDocument": {"uri": models}}));
    editor.wait(&desk, |list| list.is_empty());
    assert_eq!(editor.leave(), (0, String::new()));
}

#[test]
fn a_policy_shows_what_is_wrong_in_the_files_it_uses() {
    let place = desk();
    place.file("models.route", &MODELS.replace("openai/gpt-5.4-2026-03-05", "openai/gpt-5.4"));
    let mut editor = Editor::at(&place);
    editor.open(&place.uri("desk.route"), DESK);
    let list = editor.wait(&place.uri("models.route"), |list| !list.is_empty());
    assert!(codes(&list).contains(&"R201"), "{list:#?}");
}

#[test]
fn a_file_that_changes_on_disk_is_read_again() {
    let place = desk();
    let mut editor = Editor::at(&place);
    let uri = place.uri("desk.route");
    editor.open(&uri, DESK);
    editor.wait(&uri, |list| list.is_empty());
    place.file("models.route", &MODELS.replace("tier small", "tier tiny"));
    let changes = json!([{"uri": place.uri("models.route"), "type": 2}]);
    editor.tell("workspace/didChangeWatchedFiles", json!({"changes": changes}));
    editor.wait(&uri, |list| codes(list).contains(&"R107"));
}

#[test]
fn a_name_that_another_policy_uses_is_not_unused() {
    let place = desk();
    place.file(
        "other.route",
        "route 1\nuse \"models.route\"\ntemplate sorry \"x\"\notherwise {\n  tier mid\n  degrade template sorry\n}\n",
    );
    let mut editor = Editor::at(&place);
    let uri = place.uri("other.route");
    editor.open_file(&place, "other.route");
    let list = editor.wait(&uri, |list| !codes(list).iter().any(|code| code.starts_with("R4")));
    assert!(!codes(&list).contains(&"R109"), "{list:#?}");
    assert!(!editor.diagnostics.contains_key(&place.uri("models.route")), "`small` is used by desk.route");
}

#[test]
fn settings_of_the_project_turn_findings_on_and_off() {
    let place = desk();
    place.file("wayside.yaml", "check:\n  select: [R303]\n  allow: [same-provider-fallback]\n");
    let text =
        DESK.replace("fallback peer   openai/gpt-5.4-2026-03-05", "fallback lower  openai/gpt-5.4-mini-2026-03-17");
    let mut editor = Editor::at(&place);
    let uri = place.uri("desk.route");
    editor.open(&uri, &text);
    editor.ask("textDocument/codeLens", json!({"textDocument": {"uri": uri}})).unwrap();
    let list = editor.wait(&uri, |_| true);
    assert!(!codes(&list).contains(&"R303"), "{list:#?}");
    place.file("wayside.yaml", "check:\n  fuel: much\n");
    editor.tell("textDocument/didSave", json!({"textDocument": {"uri": place.uri("wayside.yaml")}}));
    editor.retype(&uri, &format!("{text}\n"));
    // Settings are read again where a policy is judged, which is when nothing else waits: soon, and not at the first question.
    let told = (0..50).any(|_| {
        editor.ask("textDocument/codeLens", json!({"textDocument": {"uri": uri}})).unwrap();
        editor.heard.iter().any(|message| {
            let text = serde_json::to_string(message).unwrap();
            text.contains("window/showMessage") && text.contains("check.fuel") && text.contains("Defaults are used")
        })
    });
    assert!(told, "{:#?}", editor.heard);
}

#[test]
fn a_fix_is_offered_where_its_finding_is_and_cures_it() {
    let place = desk();
    let mut editor = Editor::at(&place);
    let uri = place.uri("desk.route");
    let text = DESK.replace("fallback peer   openai", "fallback        openai");
    editor.open(&uri, &text);
    let list = editor.wait(&uri, |list| codes(list).contains(&"R319"));
    let range = list.iter().find(|one| one["code"] == "R319").unwrap()["range"].clone();
    let params = json!({"textDocument": {"uri": uri}, "range": range, "context": {"diagnostics": []}});
    let actions = editor.ask("textDocument/codeAction", params.clone()).unwrap();
    let action = &actions[0];
    assert_eq!((&action["kind"], &action["isPreferred"]), (&json!("quickfix"), &json!(true)), "{action:#}");
    assert_eq!(action["diagnostics"][0]["code"], "R319");
    let change = &action["edit"]["documentChanges"][0];
    assert_eq!(change["textDocument"], json!({"uri": uri, "version": 1}));
    let cured = edited(&text, &change["edits"]);
    assert!(cured.contains("fallback peer"), "{cured}");
    editor.retype(&uri, &cured);
    editor.wait(&uri, |list| !codes(list).contains(&"R319"));
    let elsewhere = json!({"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}});
    let params = json!({"textDocument": {"uri": uri}, "range": elsewhere, "context": {"diagnostics": []}});
    assert_eq!(editor.ask("textDocument/codeAction", params).unwrap(), json!([]));
}

#[test]
fn a_document_at_the_limit_is_read_and_a_larger_one_is_named() {
    const LIMIT: usize = 4 * 1024 * 1024;
    let place = Place::with(&[]);
    let mut editor = Editor::at(&place);
    let uri = place.uri("large.route");
    let full = format!("route 1\n#{}", " ".repeat(LIMIT - 9));
    assert_eq!(full.len(), LIMIT);
    editor.open(&uri, &full);
    assert_eq!(editor.wait(&uri, |_| true), Vec::<Value>::new());
    let end = json!({"line": 1, "character": 1});
    editor.change(&uri, json!([{"range": {"start": end, "end": end}, "text": "#"}]));
    let list = editor.wait(&uri, |list| !list.is_empty());
    assert_eq!(codes(&list), ["R007"]);
    let error = editor.ask("textDocument/documentSymbol", json!({"textDocument": {"uri": uri}})).unwrap_err();
    assert!(error.1.contains("more than 4194304 bytes"), "{error:?}");
    editor.retype(&uri, "route 1\n");
    editor.wait(&uri, |list| list.is_empty());
}

#[test]
fn the_support_desk_that_ships_has_no_errors_here_either() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/policies/support.route")).unwrap();
    let place = Place::with(&[("support.route", &text)]);
    let mut editor = Editor::at(&place);
    let uri = place.uri("support.route");
    editor.open_file(&place, "support.route");
    editor.ask("textDocument/codeLens", json!({"textDocument": {"uri": uri}})).unwrap();
    let list = editor.wait(&uri, |_| true);
    assert!(list.iter().all(|one| one["severity"] != 1), "{list:#?}");
}
