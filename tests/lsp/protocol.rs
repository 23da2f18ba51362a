//! The handshake, the goodbye, and everything that is not as it should be.

use serde_json::{Value, json};

use crate::client::{Editor, Place, at, capabilities};
use crate::{DESK, desk};

#[test]
fn a_conversation_begins_with_what_is_offered_and_ends_with_0() {
    let place = desk();
    let (editor, answer) = Editor::able(&place, capabilities());
    assert_eq!(answer["serverInfo"]["name"], "wayside");
    let can = &answer["capabilities"];
    assert_eq!(can["positionEncoding"], "utf-16");
    assert_eq!(can["textDocumentSync"]["change"], 2);
    for provider in
        ["hoverProvider", "definitionProvider", "referencesProvider", "documentSymbolProvider", "inlayHintProvider"]
    {
        assert_eq!(can[provider], true, "{provider}");
    }
    assert_eq!(can["renameProvider"]["prepareProvider"], true);
    assert_eq!(editor.leave(), (0, String::new()));
}

#[test]
fn bytes_are_counted_when_both_sides_want_it() {
    let place = desk();
    let mut able = capabilities();
    able["general"] = json!({"positionEncodings": ["utf-8", "utf-16"]});
    let (mut editor, answer) = Editor::able(&place, able);
    assert_eq!(answer["capabilities"]["positionEncoding"], "utf-8");
    let uri = place.uri("a.route");
    editor.open(&uri, "route 1\ntemplate sorry \"ü𝄞\", tier x { nobody/nothing }\notherwise { tier nowhere }\n");
    let list = editor.wait(&uri, |list| list.iter().any(|one| one["code"] == "R106"));
    let finding = list.iter().find(|one| one["code"] == "R106").unwrap();
    let before = "template sorry \"ü𝄞\", tier x { ".len();
    assert_eq!(finding["range"]["start"], json!({"line": 1, "character": before}));
}

#[test]
fn an_editor_that_leaves_without_goodbye_gets_1() {
    let place = desk();
    let mut editor = Editor::at(&place);
    editor.tell("exit", Value::Null);
    assert_eq!(editor.end().0, 1, "exit without shutdown");
    assert_eq!(Editor::at(&place).end().0, 1, "the end of the stream without shutdown");
    let mut editor = Editor::at(&place);
    editor.ask("shutdown", Value::Null).unwrap();
    assert_eq!(editor.end().0, 0, "the end of the stream after shutdown");
}

#[test]
fn what_is_not_the_protocol_ends_with_2_and_says_so() {
    for noise in ["hello\r\n\r\n", "Content-Length: 3\r\n\r\n{}}", "Content-Length: x\r\n\r\n"] {
        let place = desk();
        let mut editor = Editor::silent(place.outside());
        editor.raw(noise.as_bytes());
        let (code, said) = editor.end();
        assert_eq!(code, 2, "{noise:?}: {said}");
        assert!(said.starts_with("wayside: the input is not the protocol"), "{said}");
    }
}

#[test]
fn nothing_is_answered_before_initialize_and_after_shutdown() {
    let place = desk();
    let mut editor = Editor::silent(place.outside());
    assert_eq!(editor.ask("textDocument/hover", json!({})).unwrap_err().0, -32002);
    editor.tell("textDocument/didOpen", json!("nonsense"));
    editor.ask("initialize", json!({"capabilities": {}})).unwrap();
    assert_eq!(editor.ask("initialize", json!({"capabilities": {}})).unwrap_err().0, -32600);
    editor.ask("shutdown", Value::Null).unwrap();
    assert_eq!(editor.ask("textDocument/hover", json!({})).unwrap_err().0, -32600);
    editor.tell("exit", Value::Null);
    assert_eq!(editor.end().0, 0);
}

#[test]
fn a_wrong_question_is_answered_with_what_is_wrong() {
    let place = desk();
    let mut editor = Editor::at(&place);
    let uri = place.uri("desk.route");
    let (code, message) = editor.ask("textDocument/semanticTokens/full", json!({})).unwrap_err();
    assert_eq!((code, message.as_str()), (-32601, "`textDocument/semanticTokens/full` is not answered here"));
    let methods = [
        "hover",
        "completion",
        "definition",
        "references",
        "documentHighlight",
        "prepareRename",
        "rename",
        "documentSymbol",
        "codeLens",
        "inlayHint",
        "formatting",
        "codeAction",
    ];
    for method in methods.map(|name| format!("textDocument/{name}")).iter().chain(&["wayside/witness".to_owned()]) {
        for nonsense in [
            Value::Null,
            json!([]),
            json!({}),
            json!({"textDocument": 7}),
            json!({"textDocument": {"uri": "x"}, "position": -1}),
        ] {
            let (code, message) = editor.ask(method, nonsense.clone()).unwrap_err();
            assert_eq!(code, -32602, "{method} {nonsense}: {message}");
        }
        let mut whole = at(&uri, (0, 0));
        let nowhere = json!({"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}});
        for (key, value) in [
            ("newName", json!("x")),
            ("context", json!({"diagnostics": [], "includeDeclaration": true, "triggerKind": 1})),
            ("range", nowhere),
            ("options", json!({"tabSize": 2, "insertSpaces": true})),
        ] {
            whole[key] = value;
        }
        let (code, message) = editor.ask(method, whole).unwrap_err();
        assert_eq!(code, -32602, "{method}");
        assert!(message.contains("is not open"), "{method}: {message}");
    }
    for method in ["didOpen", "didChange", "didClose", "didSave"] {
        editor.tell(&format!("textDocument/{method}"), json!({"textDocument": []}));
    }
    editor.tell("workspace/didChangeWatchedFiles", json!(3));
    editor.tell("$/cancelRequest", json!({"id": 1}));
    editor.tell("$/unheardOf", Value::Null);
    editor.open(&uri, DESK);
    assert!(editor.ask_at("textDocument/hover", &uri, (0, 0)).unwrap().is_null());
    assert_eq!(editor.leave(), (0, String::new()));
}

#[test]
fn places_outside_the_text_are_no_fault() {
    let place = desk();
    let mut editor = Editor::at(&place);
    let uri = place.uri("desk.route");
    editor.open(&uri, DESK);
    for spot in [(0, u32::MAX), (u32::MAX, 0), (u32::MAX, u32::MAX), (10_000, 3)] {
        for method in ["hover", "completion", "definition", "documentHighlight"] {
            editor.ask_at(&format!("textDocument/{method}"), &uri, spot).unwrap();
        }
    }
    let range = json!({"start": {"line": 9, "character": 9}, "end": {"line": 2, "character": 0}});
    editor.change(&uri, json!([{"range": range, "text": "x"}]));
    editor.ask("textDocument/documentSymbol", json!({"textDocument": {"uri": uri}})).unwrap();
    assert_eq!(editor.leave().0, 0);
}

#[test]
fn no_place_of_a_broken_text_is_a_fault() {
    let place = desk();
    let mut editor = Editor::at(&place);
    let uri = place.uri("desk.route");
    let broken = "# allow \u{fc}-r303 \u{1d11e}\u{fc}\nrule \u{fc} { when plan is \"\u{fc}\u{1d11e}\n snapshot openai/\u{fc}, on [\n}\r\nuse \"\u{fc}\ntier x { a/b@\u{1d11e}\r}";
    let text = format!("{DESK}{broken}");
    editor.open(&uri, &text);
    for (line, content) in text.split('\n').enumerate().skip(7) {
        for character in 0..=content.encode_utf16().count() {
            for method in ["hover", "completion", "definition", "prepareRename"] {
                let answer = editor.ask_at(&format!("textDocument/{method}"), &uri, (line as u32, character as u32));
                assert!(!matches!(answer, Err((-32603, _))), "{method} {line}:{character}: {answer:?}");
            }
        }
    }
    assert_eq!(editor.leave(), (0, String::new()));
}

#[test]
fn help_shows_how_editors_are_set_up() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_wayside")).args(["lsp", "--help"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for editor in ["Neovim", "Helix", "VS Code", "languages.toml", "vim.lsp.config", "wayside/witness"] {
        assert!(text.contains(editor), "{editor}");
    }
}

#[test]
fn a_document_that_is_no_file_is_read_alone() {
    let place = Place::with(&[]);
    let mut editor = Editor::at(&place);
    let uri = "untitled:Untitled-1";
    editor.open(uri, "route 1\nrule a {\n  wehn plan is free\n}\n");
    let list = editor.wait(uri, |list| !list.is_empty());
    assert_eq!(list[0]["code"], "R002");
    let symbols = editor.ask("textDocument/documentSymbol", json!({"textDocument": {"uri": uri}})).unwrap();
    assert_eq!(symbols[0]["name"], "a");
    assert_eq!(editor.leave(), (0, String::new()));
}
