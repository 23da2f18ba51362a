//! Questions about a place: completion, hover, hints, lenses, layout, witnesses.

use serde_json::{Value, json};

use crate::client::{Editor, Place, at, edited, place, place_of};
use crate::{DESK, DESK_TEST, desk};

fn opened(place: &Place, text: &str) -> (Editor, String) {
    let mut editor = Editor::at(place);
    let uri = place.uri("desk.route");
    editor.open(&uri, text);
    (editor, uri)
}

/// A text and the place of `|` in it.
fn marked(text: &str) -> (String, (u32, u32)) {
    let offset = text.find('|').unwrap();
    let clean = text.replacen('|', "", 1);
    let spot = place(&clean, offset);
    (clean, spot)
}

/// Labels and details offered at `|`.
fn offered(text: &str) -> Vec<(String, String)> {
    let place = desk();
    let (clean, spot) = marked(text);
    let (mut editor, uri) = opened(&place, &clean);
    let list = editor.ask_at("textDocument/completion", &uri, spot).unwrap();
    let items = list["items"].as_array().unwrap();
    let word = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
    items.iter().map(|item| (word(item, "label"), word(item, "detail"))).collect()
}

fn labels(text: &str) -> Vec<String> {
    offered(text).into_iter().map(|(label, _)| label).collect()
}

#[test]
fn snapshots_are_offered_with_tier_price_and_days_left() {
    let text = DESK.replace("snapshot        anthropic/claude-sonnet-5, timeout 12s", "snapshot        |");
    let list = offered(&text);
    assert_eq!(list[0].0, "anthropic/claude-sonnet-5", "the rule's own tier first");
    assert_eq!(list[1].0, "openai/gpt-5.4-2026-03-05");
    assert_eq!(list[1].1, "tier mid · $2.5 in, $15 out per million tokens · no end announced");
    assert!(list.len() > 20, "{}", list.len());
    let aliases = ["openai/gpt-5.4", "anthropic/claude-opus-latest"];
    assert!(!list.iter().any(|(label, _)| aliases.contains(&label.as_str())), "only pinned snapshots");
    let text = DESK
        .replace("snapshot        anthropic/claude-sonnet-5, timeout 12s", "snapshot        claude-sonnet-4-5-2025|");
    let list = offered(&text);
    let ending = list.iter().find(|(label, _)| label == "anthropic/claude-sonnet-4-5-20250929").unwrap();
    assert!(
        ending.1.starts_with("in no tier, the catalog suggests mid") && ending.1.contains("ends in 8 days"),
        "{ending:?}"
    );
}

#[test]
fn a_completion_replaces_the_whole_id_that_is_being_typed() {
    let place = desk();
    let (clean, spot) =
        marked(&DESK.replace("anthropic/claude-sonnet-5, timeout 12s", "openai/gpt-5.4-m|, timeout 12s"));
    let (mut editor, uri) = opened(&place, &clean);
    let list = editor.ask_at("textDocument/completion", &uri, spot).unwrap();
    let item = &list["items"][0];
    assert_eq!(item["label"], "openai/gpt-5.4-mini-2026-03-17", "{list:#}");
    let after = edited(&clean, &json!([item["textEdit"]]));
    assert!(after.contains("snapshot        openai/gpt-5.4-mini-2026-03-17, timeout 12s"), "{after}");
}

#[test]
fn a_list_at_the_limit_is_whole_and_a_longer_one_is_cut_and_says_so() {
    const LIMIT: usize = 200;
    let (clean, spot) = marked(&DESK.replace("anthropic/claude-sonnet-5, timeout 12s", "vllm/m|"));
    for (hosted, cut) in [(LIMIT, false), (LIMIT + 1, true)] {
        let place = desk();
        let rows: String =
            (0..hosted).map(|at| format!("  - {{provider: vllm, id: m{at}, revision: sha-1}}\n")).collect();
        place.file("catalog.yaml", &format!("schema: 1\nmodels:\n{rows}"));
        let (mut editor, uri) = opened(&place, &clean);
        let list = editor.ask_at("textDocument/completion", &uri, spot).unwrap();
        assert_eq!((list["items"].as_array().unwrap().len(), &list["isIncomplete"]), (LIMIT, &json!(cut)));
    }
}

#[test]
fn words_and_names_are_offered_where_they_fit() {
    for (old, new, wanted, unwanted) in [
        ("because \"A late", "be|\n  because \"A late", "because", "tier mid"),
        ("when paying and", "when |\n    and", "paying", "mid"),
        ("when paying and", "when |\n    and", "prompt_tokens", "pro"),
        ("channel is chat", "channel is |", "email", "pro"),
        ("feature is tag", "feature is |", "reply", "chat"),
        ("plan is pro", "plan is |", "free", "reply"),
        ("timeout 12s", "on [|]", "rate_limit", "bad_request"),
        ("timeout 12s", "|", "first_token", "when"),
        ("fallback peer   openai", "fallback |", "lower", "mid"),
        ("degrade         template sorry\n}\n\nrule", "degrade template |\n}\n\nrule", "sorry", "small"),
        ("tier            mid", "tier |", "small", "sorry"),
        ("models.route", "|", "models.route", "desk.route"),
        ("# Tags are", "# allow same-|", "same-provider-fallback", "tags"),
    ] {
        let list = labels(&DESK.replacen(old, new, 1));
        assert!(list.iter().any(|label| label == wanted), "{new:?} lacks {wanted}: {list:?}");
        assert!(!list.iter().any(|label| label == unwanted), "{new:?} has {unwanted}: {list:?}");
    }
}

fn hover(text: &str, needle: &str, behind: usize) -> String {
    let place = desk();
    let (mut editor, uri) = opened(&place, text);
    let spot = crate::client::place(text, text.find(needle).unwrap() + behind);
    let card = editor.ask_at("textDocument/hover", &uri, spot).unwrap();
    card["contents"]["value"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_model_shows_its_card_and_whether_it_is_pinned() {
    let card = hover(DESK, "anthropic/claude-sonnet-5", 3);
    for part in [
        "**anthropic/claude-sonnet-5**",
        "pinned",
        "in tier `mid`",
        "| max_input |",
        "| price |",
        "| pin | undated_documented |",
    ] {
        assert!(card.contains(part), "{part}: {card}");
    }
    let text = DESK.replace("anthropic/claude-sonnet-5", "openai/gpt-5.4");
    let card = hover(&text, "openai/gpt-5.4,", 3);
    assert!(card.contains("is an alias, not a snapshot (R201)"), "{card}");
}

#[test]
fn a_rule_shows_who_reaches_it_and_what_they_get() {
    let card = hover(DESK, "paying_chat", 2);
    assert!(card.contains("**rule paying_chat**"), "{card}");
    assert!(card.contains("reached by requests with `paying and channel is chat`, e.g. `"), "{card}");
    assert!(card.contains("plan pro"), "{card}");
    assert!(card.contains("snapshot        anthropic/claude-sonnet-5"), "what `explain` prints: {card}");
    assert!(!card.contains("passed over"), "{card}");
    let card = hover(DESK, "tags {", 2);
    assert!(card.contains("A late tag is worthless."), "{card}");
    assert!(
        hover(DESK, "otherwise {", 2).contains("reached by every request that no rule above takes"),
        "otherwise has a card, too"
    );
}

#[test]
fn other_names_and_allowed_codes_show_what_they_stand_for() {
    assert!(hover(DESK, "paying and", 2).contains("define paying as plan is pro"));
    assert!(hover(DESK, "channel is chat", 2).contains("attribute channel is one of [chat, email]"));
    assert!(hover(DESK, "mid\n", 1).contains("**tier mid**, used once"));
    assert!(
        hover(DESK, "fallback peer", 2).contains("`fallback lower tier NAME`"),
        "a statement shows how it is written"
    );
    let text = DESK.replace("# Tags are cheap.", "# allow same-provider-fallback: one vendor until March");
    assert!(hover(&text, "provider-fallback", 3).starts_with("# R303"), "{}", hover(&text, "provider-fallback", 3));
}

#[test]
fn the_layout_is_that_of_fmt_and_what_does_not_parse_stays() {
    let place = desk();
    let messy =
        DESK.replace("  tier            small\n  snapshot ", "  tier small\n\n\n  snapshot ").replace('\n', "\r\n");
    let (mut editor, uri) = opened(&place, &messy);
    let params = json!({"textDocument": {"uri": uri}, "options": {"tabSize": 8, "insertSpaces": false}});
    let edits = editor.ask("textDocument/formatting", params.clone()).unwrap();
    let laid_out = edited(&messy, &edits);
    assert_eq!(laid_out, wayside::policy::format::format(&messy).unwrap());
    editor.retype(&uri, &laid_out);
    assert_eq!(editor.ask("textDocument/formatting", params.clone()).unwrap(), json!([]));
    editor.retype(&uri, "rule {{{");
    assert_eq!(editor.ask("textDocument/formatting", params).unwrap(), json!([]));
}

#[test]
fn the_outline_has_every_declaration_and_the_members_of_tiers() {
    let place = desk();
    let mut editor = Editor::at(&place);
    editor.open_file(&place, "models.route");
    let uri = place.uri("models.route");
    let symbols = editor.ask("textDocument/documentSymbol", json!({"textDocument": {"uri": uri}})).unwrap();
    assert_eq!((&symbols[0]["name"], &symbols[0]["detail"]), (&json!("mid"), &json!("tier")));
    assert_eq!(symbols[0]["children"][1]["name"], "openai/gpt-5.4-2026-03-05");
    assert_eq!(symbols[1]["range"]["start"]["line"], 7);
}

#[test]
fn rules_show_their_worst_time_and_hops_their_worst_cost() {
    let place = desk();
    let (mut editor, uri) = opened(&place, DESK);
    let whole = json!({"start": {"line": 0, "character": 0}, "end": {"line": 999, "character": 0}});
    let hints = editor.ask("textDocument/inlayHint", json!({"textDocument": {"uri": uri}, "range": whole})).unwrap();
    let at_line = |needle: &str| {
        let (line, _) = place_of(DESK, needle);
        let found = hints.as_array().unwrap().iter().find(|hint| hint["position"]["line"] == line);
        found.unwrap_or_else(|| panic!("no hint at {needle}: {hints:#}"))["label"].as_str().unwrap().to_owned()
    };
    // Two attempts of 12s with a wait of 250ms between them, then one of 10s.
    assert!(at_line("rule paying_chat").starts_with("34.3s of 60s, up to $"), "{}", at_line("rule paying_chat"));
    // 400 cap nothing: 50 tokens of answer, a prompt of 100k with its margin.
    assert!(
        at_line("snapshot        openai/gpt-5.4-mini").starts_with("up to $0.0"),
        "{}",
        at_line("snapshot        openai/gpt-5.4-mini")
    );
    assert!(at_line("otherwise {").contains(" of 60s"), "{hints:#}");
    let (line, _) = place_of(DESK, "rule paying_chat");
    let some = json!({"start": {"line": line, "character": 0}, "end": {"line": line, "character": 9}});
    let hints = editor.ask("textDocument/inlayHint", json!({"textDocument": {"uri": uri}, "range": some})).unwrap();
    assert_eq!(hints.as_array().unwrap().len(), 1, "only what is in the range: {hints:#}");
}

#[test]
fn lenses_name_commands_with_everything_a_client_needs() {
    let place = desk();
    let (mut editor, uri) = opened(&place, DESK);
    let lenses = editor.ask("textDocument/codeLens", json!({"textDocument": {"uri": uri}})).unwrap();
    let lens = lenses
        .as_array()
        .unwrap()
        .iter()
        .find(|lens| lens["command"]["arguments"][0]["rule"] == "paying_chat")
        .unwrap();
    let command = &lens["command"];
    assert_eq!(command["command"], "wayside.explain");
    assert!(command["title"].as_str().unwrap().starts_with("explain with "), "{command}");
    let argument = &command["arguments"][0];
    assert_eq!(argument["path"], place.path("desk.route").to_str().unwrap());
    let request: Vec<&str> =
        argument["request"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    assert!(request.contains(&"plan=pro"), "{argument}");
    let explained = std::process::Command::new(env!("CARGO_BIN_EXE_wayside"))
        .arg("explain")
        .arg(argument["path"].as_str().unwrap())
        .args(&request)
        .args(["--today", crate::client::TODAY])
        .output()
        .unwrap();
    let text = String::from_utf8(explained.stdout).unwrap();
    assert!(text.starts_with("paying_chat "), "the command line agrees: {text}");
    let test = place.uri("desk.test.route");
    editor.open(&test, DESK_TEST);
    let lenses = editor.ask("textDocument/codeLens", json!({"textDocument": {"uri": test}})).unwrap();
    assert_eq!(lenses[0]["command"]["command"], "wayside.runTest");
    assert_eq!(lenses[0]["command"]["arguments"][0]["test"], "a tag is cheap");
    assert_eq!(lenses[0]["range"]["start"]["line"], 3);
}

#[test]
fn a_witness_is_a_request_that_lands_at_the_rule() {
    let place = desk();
    let (mut editor, uri) = opened(&place, DESK);
    let document = json!({"uri": uri});
    let answer = editor.ask("wayside/witness", json!({"textDocument": document, "rule": "tags"})).unwrap();
    assert_eq!((&answer["rule"], &answer["text"]), (&json!("tags"), &json!("feature tag")));
    assert_eq!(answer["arguments"], json!(["feature=tag"]));
    assert!(answer["explanation"].as_str().unwrap().starts_with("tags "), "{answer:#}");
    let mut params = at(&uri, place_of(DESK, "fallback peer   openai"));
    let answer = editor.ask("wayside/witness", params.clone()).unwrap();
    assert_eq!(answer["rule"], "paying_chat");
    params["rule"] = json!("tagz");
    let error = editor.ask("wayside/witness", params).unwrap_err();
    assert_eq!(error.1, "there is no rule `tagz`; the nearest is `tags`");
    editor.retype(&uri, &DESK.replace("when feature is tag", "when plan is free and plan is pro"));
    let answer = editor.ask("wayside/witness", json!({"textDocument": document, "rule": "tags"})).unwrap();
    assert!(answer["request"].is_null() && answer["reason"].is_string(), "{answer:#}");
}

#[test]
fn characters_of_several_units_move_nothing() {
    let place = desk();
    let text = DESK.replace("because \"A late tag is worthless.\"", "because \"𝄞𝄞 ü\", when feature is tag");
    let text = text.replace(
        "\n  when feature is tag\n  tier            small\n  snapshot",
        "\n  tier            small\n  snapshot",
    );
    let (mut editor, uri) = opened(&place, &text);
    let spot = crate::client::place(&text, text.find("feature is tag").unwrap() + "feature is t".len());
    let found = editor.ask_at("textDocument/definition", &uri, spot).unwrap();
    let (line, character) = place_of(&text, "tag { stakes");
    assert_eq!(found["range"]["start"], json!({"line": line, "character": character}));
    let hover = editor.ask_at("textDocument/hover", &uri, spot).unwrap();
    let (line, character) = place_of(&text, "tag\n");
    assert_eq!(
        hover["range"]["start"],
        json!({"line": line, "character": character}),
        "the editor counts UTF-16 units"
    );
}
