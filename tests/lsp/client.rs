//! An editor, as far as the wire shows it: framed messages over the pipes of the real binary.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use lsp_server::{Message, Notification, Request, RequestId, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Every test judges dates on this day, so that none of them ages.
pub const TODAY: &str = "2026-11-22";

/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A workspace on disk.
pub struct Place {
    dir: TempDir,
    root: PathBuf,
}

impl Place {
    pub fn with(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let place = Self { dir, root };
        place.file("wayside.yaml", "");
        files.iter().for_each(|(name, text)| place.file(name, text));
        place
    }

    pub fn file(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A copy of everything in a folder.
    pub fn folder(&self, from: &Path) {
        self.copy(from, "");
    }

    fn copy(&self, from: &Path, under: &str) {
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{under}{}", entry.file_name().to_str().unwrap());
            if entry.path().is_dir() {
                self.copy(&entry.path(), &format!("{name}/"));
            } else {
                self.file(&name, &fs::read_to_string(entry.path()).unwrap());
            }
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub fn uri(&self, name: &str) -> String {
        format!("file://{}", self.path(name).display())
    }

    pub fn outside(&self) -> &Path {
        self.dir.path()
    }
}

/// One conversation.
pub struct Editor {
    child: Child,
    stdin: Option<ChildStdin>,
    messages: Receiver<Message>,
    next: i32,
    /// The last diagnostics of each document.
    pub diagnostics: BTreeMap<String, Value>,
    /// Everything else that came unasked.
    pub heard: Vec<Message>,
    versions: BTreeMap<String, i32>,
}

/// What most tests say about themselves.
pub fn capabilities() -> Value {
    json!({
        "textDocument": {"publishDiagnostics": {"relatedInformation": true}},
        "workspace": {"workspaceEdit": {"documentChanges": true}},
    })
}

impl Editor {
    /// A process, and not a word said yet.
    pub fn silent(dir: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_wayside"))
            .args(["lsp", "--today", TODAY])
            .current_dir(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, messages) = channel();
        std::thread::spawn(move || {
            while let Ok(Some(message)) = Message::read(&mut stdout) {
                if send.send(message).is_err() {
                    return;
                }
            }
        });
        let diagnostics = BTreeMap::new();
        Self { child, stdin, messages, next: 0, diagnostics, heard: Vec::new(), versions: BTreeMap::new() }
    }

    /// Past the handshake, showing a folder.
    pub fn at(place: &Place) -> Self {
        Self::able(place, capabilities()).0
    }

    /// The same with other capabilities; also what the server answered.
    pub fn able(place: &Place, capabilities: Value) -> (Self, Value) {
        let mut editor = Self::silent(place.outside());
        let folders = json!([{"uri": place.uri(""), "name": "place"}]);
        let params =
            json!({"processId": null, "rootUri": null, "capabilities": capabilities, "workspaceFolders": folders});
        let answer = editor.ask("initialize", params).unwrap();
        editor.tell("initialized", json!({}));
        (editor, answer)
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(bytes).unwrap();
        stdin.flush().unwrap();
    }

    fn send(&mut self, message: Message) {
        message.write(self.stdin.as_mut().unwrap()).unwrap();
    }

    pub fn tell(&mut self, method: &str, params: Value) {
        self.send(Message::Notification(Notification { method: method.to_owned(), params }));
    }

    /// A request and its answer: a result, or code and message of an error.
    pub fn ask(&mut self, method: &str, params: Value) -> Result<Value, (i32, String)> {
        self.next += 1;
        let id = RequestId::from(self.next);
        self.send(Message::Request(Request { id: id.clone(), method: method.to_owned(), params }));
        loop {
            match self.hear() {
                Message::Response(Response { id: got, response_result }) if got == id => {
                    return response_result.map_err(|error| (error.code, error.message));
                }
                other => self.heard.push(other),
            }
        }
    }

    /// The next message that is no diagnostics.
    fn hear(&mut self) -> Message {
        loop {
            match self.messages.recv_timeout(PATIENCE).expect("the server says something") {
                Message::Notification(one) if one.method == "textDocument/publishDiagnostics" => {
                    let uri = one.params["uri"].as_str().unwrap().to_owned();
                    self.diagnostics.insert(uri, one.params);
                }
                other => return other,
            }
        }
    }

    pub fn open(&mut self, uri: &str, text: &str) {
        self.versions.insert(uri.to_owned(), 1);
        let document = json!({"uri": uri, "languageId": "route", "version": 1, "text": text});
        self.tell("textDocument/didOpen", json!({"textDocument": document}));
    }

    /// Opens a file as it is on disk.
    pub fn open_file(&mut self, place: &Place, name: &str) -> String {
        let text = fs::read_to_string(place.path(name)).unwrap();
        self.open(&place.uri(name), &text);
        text
    }

    /// Replaces the whole text.
    pub fn retype(&mut self, uri: &str, text: &str) {
        self.change(uri, json!([{"text": text}]));
    }

    pub fn change(&mut self, uri: &str, changes: Value) {
        let version = self.versions.entry(uri.to_owned()).or_default();
        *version += 1;
        let document = json!({"uri": uri, "version": *version});
        self.tell("textDocument/didChange", json!({"textDocument": document, "contentChanges": changes}));
    }

    /// Waits until the diagnostics of a document are as wanted.
    pub fn wait(&mut self, uri: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let start = Instant::now();
        loop {
            if let Some(list) = self.diagnostics.get(uri).and_then(|params| params["diagnostics"].as_array())
                && wanted(list)
            {
                return list.clone();
            }
            let left = PATIENCE.saturating_sub(start.elapsed());
            match self.messages.recv_timeout(left) {
                Ok(Message::Notification(one)) if one.method == "textDocument/publishDiagnostics" => {
                    let uri = one.params["uri"].as_str().unwrap().to_owned();
                    self.diagnostics.insert(uri, one.params);
                }
                Ok(other) => self.heard.push(other),
                Err(_) => panic!("{uri} never had the diagnostics; it has {:#?}", self.diagnostics.get(uri)),
            }
        }
    }

    /// A question about a place.
    pub fn ask_at(&mut self, method: &str, uri: &str, (line, character): (u32, u32)) -> Result<Value, (i32, String)> {
        self.ask(method, at(uri, (line, character)))
    }

    /// Says goodbye and answers the exit code and what was on stderr.
    pub fn leave(mut self) -> (i32, String) {
        self.ask("shutdown", Value::Null).unwrap();
        self.tell("exit", Value::Null);
        self.end()
    }

    /// Closes the pipe and answers the exit code and what was on stderr.
    pub fn end(mut self) -> (i32, String) {
        drop(self.stdin.take());
        let output = self.child.wait_with_output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }
}

pub fn at(uri: &str, (line, character): (u32, u32)) -> Value {
    json!({"textDocument": {"uri": uri}, "position": {"line": line, "character": character}})
}

/// The place of the first character of `needle`, in UTF-16 units.
pub fn place_of(text: &str, needle: &str) -> (u32, u32) {
    let offset = text.find(needle).unwrap_or_else(|| panic!("{needle:?} is in the text"));
    place(text, offset)
}

/// The place of a byte, in UTF-16 units.
pub fn place(text: &str, offset: usize) -> (u32, u32) {
    let line = text[..offset].matches('\n').count();
    let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    (line as u32, text[start..offset].encode_utf16().count() as u32)
}

pub fn codes(list: &[Value]) -> Vec<&str> {
    list.iter().map(|one| one["code"].as_str().unwrap()).collect()
}

/// The text after the edits of one document, given as LSP has them, in UTF-16 units.
pub fn edited(text: &str, edits: &Value) -> String {
    let offset = |position: &Value| {
        let (line, character) =
            (position["line"].as_u64().unwrap() as usize, position["character"].as_u64().unwrap() as usize);
        let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
        let units: Vec<u16> = text[start..].encode_utf16().take(character).collect();
        start + String::from_utf16(&units).unwrap().len()
    };
    let mut ranges: Vec<(usize, usize, &str)> = edits
        .as_array()
        .unwrap()
        .iter()
        .map(|edit| (offset(&edit["range"]["start"]), offset(&edit["range"]["end"]), edit["newText"].as_str().unwrap()))
        .collect();
    ranges.sort_unstable();
    let mut out = text.to_owned();
    ranges.iter().rev().for_each(|(lo, hi, new)| out.replace_range(lo..hi, new));
    out
}
