//! Messages in, messages out, in the order of the wire.
//!
//! In: requests and notifications. Out: answers, and diagnostics as they change. Must not know: how anything is found. One
//! thread owns the state. Whatever a message has in it, it is answered: a wrong one with an error, and a fault in here with
//! another, so that no editor session ends because of one question.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use gen_lsp_types::{
    CodeActionParams, CodeLensParams, Diagnostic, DidChangeTextDocumentParams, DidChangeWatchedFilesParams,
    DidChangeWorkspaceFoldersParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams, DidSaveTextDocumentParams,
    DocumentFormattingParams, DocumentHighlight, DocumentSymbolParams, InitializeParams, InlayHintParams,
    LogMessageParams, MessageType, PublishDiagnosticsParams, ReferenceParams, RenameParams, ShowMessageParams,
    TextDocumentPositionParams, Uri,
};
use lsp_server::{ErrorCode, Message, Notification, Request, RequestId, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::client::Client;
use super::diagnostics::{self, Judged};
use super::state::State;
use super::{capabilities, complete, hints, hover, navigate, outline, uri, witness};
use crate::policy::lexer::MAX_FILE_BYTES;
use crate::workspace::How;

/// How far the conversation has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    New,
    Running,
    ShutDown,
}

/// What a message leads to.
pub enum Next {
    /// More messages.
    Go,
    /// The end, after a proper goodbye or without one.
    End { clean: bool },
}

/// One conversation.
pub struct Server<'a> {
    send: &'a dyn Fn(Message) -> bool,
    state: State,
    client: Client,
    phase: Phase,
    judged: Vec<Judged>,
    published: BTreeMap<PathBuf, Vec<Diagnostic>>,
    requests: i32,
}

type Answer = Result<Value, (ErrorCode, String)>;

impl<'a> Server<'a> {
    /// Nothing was said yet.
    pub fn new(how: How, send: &'a dyn Fn(Message) -> bool) -> Self {
        Self {
            send,
            state: State::new(how),
            client: Client::default(),
            phase: Phase::New,
            judged: Vec::new(),
            published: BTreeMap::new(),
            requests: 0,
        }
    }

    /// Whether the conversation was ended properly.
    pub fn is_shut_down(&self) -> bool {
        self.phase == Phase::ShutDown
    }

    /// Whether something waits for a quiet moment.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Running && self.state.is_open()
    }

    /// One message.
    pub fn message(&mut self, message: Message) -> Next {
        match message {
            Message::Request(request) => self.request(request),
            Message::Notification(one) if one.method == "exit" => {
                return Next::End { clean: self.phase == Phase::ShutDown };
            }
            Message::Notification(one) if self.phase == Phase::Running => {
                let method = one.method.clone();
                if let Err(what) = self.guarded(|server| server.notification(one)) {
                    self.log(format!("{method}: {what}"));
                }
            }
            // Answers to what the server asked need nothing; nothing else is listened to before and after.
            Message::Notification(_) | Message::Response(_) => {}
        }
        Next::Go
    }

    /// What can be said at once: no message waits.
    pub fn pause(&mut self) {
        let read = self.guarded(|server| {
            server.state.read();
            Ok(())
        });
        self.report(read);
    }

    /// One step of what takes longer: nobody typed for a moment.
    pub fn rest(&mut self) {
        let proven = self.guarded(|server| {
            server.state.prove();
            Ok(())
        });
        self.report(proven);
        if !self.state.is_open() {
            self.refresh();
        }
    }

    fn report(&mut self, done: Result<(), String>) {
        if let Err(what) = done {
            self.log(what);
        }
        if self.state.changed() {
            self.publish();
        }
    }

    /// A fault becomes a sentence.
    fn guarded<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        catch_unwind(AssertUnwindSafe(|| work(self)))
            .unwrap_or_else(|_| Err("a defect of wayside; the log of the editor has more".to_owned()))
    }

    fn request(&mut self, request: Request) {
        let (id, method) = (request.id.clone(), request.method.clone());
        let answer = match (self.phase, method.as_str()) {
            (Phase::New, "initialize") => self.initialize(request.params),
            (Phase::New, _) => Err((ErrorCode::ServerNotInitialized, format!("`initialize` comes before `{method}`"))),
            (Phase::ShutDown, _) => Err((ErrorCode::InvalidRequest, format!("`{method}` came after `shutdown`"))),
            (Phase::Running, "initialize") => Err((ErrorCode::InvalidRequest, "`initialize` came twice".to_owned())),
            (Phase::Running, "shutdown") => {
                self.phase = Phase::ShutDown;
                Ok(Value::Null)
            }
            (Phase::Running, _) => {
                let asked = catch_unwind(AssertUnwindSafe(|| self.asked(&method, request.params)));
                asked.unwrap_or_else(|_| Err((ErrorCode::InternalError, format!("a defect of wayside in `{method}`"))))
            }
        };
        self.respond(id, answer);
        if self.phase == Phase::Running && method == "initialize" {
            self.begin();
        }
    }

    fn respond(&self, id: RequestId, answer: Answer) {
        let response = match answer {
            Ok(result) => Response::new_ok(id, result),
            Err((code, message)) => Response::new_err(id, code as i32, message),
        };
        (self.send)(response.into());
    }

    fn initialize(&mut self, params: Value) -> Answer {
        let typed: InitializeParams = read(params.clone())?;
        self.client = Client::of(&typed, &params);
        self.state.documents.encoding = self.client.encoding;
        self.phase = Phase::Running;
        to_value(capabilities::result(&self.client))
    }

    /// After the answer to `initialize`.
    fn begin(&mut self) {
        for folder in self.client.folders.clone() {
            self.state.cover(&folder);
        }
        self.tell();
        if self.client.watches {
            self.ask("client/registerCapability", capabilities::watched());
        }
    }

    fn asked(&mut self, method: &str, params: Value) -> Answer {
        self.state.read();
        let encoding = self.state.documents.encoding;
        match method {
            "textDocument/hover"
            | "textDocument/completion"
            | "textDocument/definition"
            | "textDocument/references"
            | "textDocument/documentHighlight"
            | "textDocument/prepareRename"
            | "textDocument/rename" => self.asked_at(method, params),
            "textDocument/documentSymbol" => {
                let uri = read::<DocumentSymbolParams>(params)?.text_document.uri;
                let (set, file) = self.state.document(&uri).map_err(wrong)?;
                to_value(outline::symbols(&set, file, encoding))
            }
            "textDocument/codeLens" => {
                let (set, file) =
                    self.state.proven(&read::<CodeLensParams>(params)?.text_document.uri).map_err(wrong)?;
                to_value(outline::lenses(&set, file, encoding))
            }
            "textDocument/inlayHint" => {
                let params: InlayHintParams = read(params)?;
                let (set, file) = self.state.proven(&params.text_document.uri).map_err(wrong)?;
                let at = |position| set.lines(file).offset(set.text(file), position, encoding) as u32;
                let range = (at(params.range.start), at(params.range.end));
                to_value(hints::hints(&set, file, range, encoding, self.state.how.today))
            }
            "textDocument/formatting" => {
                let uri = read::<DocumentFormattingParams>(params)?.text_document.uri;
                let document = self.state.documents.get(&uri::key(&uri.0));
                let document = document.ok_or_else(|| wrong(format!("`{}` is not open", uri.0)))?;
                to_value(outline::layout(&document.text, encoding).map_err(refused)?)
            }
            "textDocument/codeAction" => {
                let params: CodeActionParams = read(params)?;
                self.state.document(&params.text_document.uri).map_err(wrong)?;
                self.publish();
                to_value(diagnostics::actions(&self.state, &self.judged, &self.client, &params))
            }
            witness::METHOD => {
                let params: witness::Params = read(params)?;
                to_value(witness::witness(&mut self.state, &params).map_err(wrong)?)
            }
            _ => Err((ErrorCode::MethodNotFound, format!("`{method}` is not answered here"))),
        }
    }

    /// Questions about a place, whose parameters all begin alike.
    fn asked_at(&mut self, method: &str, params: Value) -> Answer {
        let at: TextDocumentPositionParams = read(params.clone())?;
        let uri = at.text_document.uri;
        if method == "textDocument/hover" {
            self.state.proven(&uri).map_err(wrong)?;
        }
        let spot = self.state.spot(&uri, at.position).map_err(wrong)?;
        match method {
            "textDocument/hover" => to_value(hover::hover(&self.state, &spot)),
            "textDocument/completion" => to_value(complete::complete(&self.state, &spot)),
            "textDocument/definition" => to_value(navigate::definition(&self.state, &spot)),
            "textDocument/references" => {
                let declaration = read::<ReferenceParams>(params)?.context.include_declaration;
                to_value(navigate::references(&mut self.state, &spot, declaration))
            }
            "textDocument/documentHighlight" => {
                let ranges = navigate::highlights(&self.state, &spot).into_iter();
                to_value(ranges.map(|range| DocumentHighlight { range, kind: None }).collect::<Vec<_>>())
            }
            "textDocument/prepareRename" => to_value(navigate::prepare(&self.state, &spot).map_err(refused)?),
            _ => {
                let new = read::<RenameParams>(params)?.new_name;
                let edits = navigate::rename(&mut self.state, &spot, &new).map_err(refused)?;
                to_value(self.client.edit(&self.state.documents, edits))
            }
        }
    }

    fn notification(&mut self, one: Notification) -> Result<(), String> {
        match one.method.as_str() {
            "textDocument/didOpen" => {
                let document = said::<DidOpenTextDocumentParams>(one.params)?.text_document;
                let key = uri::key(&document.uri.0);
                if !self.state.documents.open(document.uri, document.version, &document.text) {
                    return Err(format!("more than {} documents are open", super::documents::MAX_OPEN));
                }
                self.surround(&key);
                self.state.touched(&key);
            }
            "textDocument/didChange" => {
                let params: DidChangeTextDocumentParams = said(one.params)?;
                let uri = params.text_document.text_document_identifier.uri;
                if !self.state.documents.change(&uri, params.text_document.version, params.content_changes) {
                    return Err(format!("`{}` is not open", uri.0));
                }
                self.state.touched(&uri::key(&uri.0));
            }
            "textDocument/didClose" => {
                let uri = said::<DidCloseTextDocumentParams>(one.params)?.text_document.uri;
                if let Some(key) = self.state.documents.close(&uri) {
                    self.state.touched(&key);
                    self.publish();
                }
            }
            "textDocument/didSave" => {
                // What is saved may be a template or an overlay that no policy names as a policy.
                let uri = said::<DidSaveTextDocumentParams>(one.params)?.text_document.uri;
                if !uri.0.ends_with(".route") {
                    self.state.forget();
                }
            }
            "workspace/didChangeWatchedFiles" => {
                for event in said::<DidChangeWatchedFilesParams>(one.params)?.changes {
                    let key = uri::key(&event.uri.0);
                    match key.extension().is_some_and(|end| end == "route") {
                        true => self.state.touched(&key),
                        false => self.state.forget(),
                    }
                }
            }
            "workspace/didChangeConfiguration" => self.state.forget(),
            "workspace/didChangeWorkspaceFolders" => {
                for folder in said::<DidChangeWorkspaceFoldersParams>(one.params)?.event.added {
                    if let Some(path) = uri::to_path(&folder.uri.0) {
                        self.state.cover(&uri::canonical(&path));
                    }
                }
            }
            // A question is answered in the time it takes; there is none left to cancel.
            _ => {}
        }
        Ok(())
    }

    /// Looks through the workspace of a document that lies outside every folder the editor shows.
    fn surround(&mut self, key: &std::path::Path) {
        if key.is_absolute()
            && !self.state.index.covers(key)
            && let Some(workspace) = self.state.workspace(key)
        {
            let root = workspace.disk().root().to_owned();
            self.state.cover(&root);
        }
    }

    /// Sends the diagnostics of every file for which they changed.
    fn publish(&mut self) {
        let (client, encoding) = (self.client.clone(), self.state.documents.encoding);
        let made = self.guarded(|server| {
            let judged = diagnostics::judge(&mut server.state);
            let mut files = diagnostics::by_file(&judged, &client, encoding);
            for key in server.state.documents.keys() {
                if server.state.documents.get(key).is_some_and(|document| document.too_large) {
                    files.insert(key.clone(), vec![diagnostics::too_large(MAX_FILE_BYTES)]);
                }
            }
            Ok((judged, files))
        });
        let (judged, files) = match made {
            Ok(made) => made,
            Err(what) => return self.log(what),
        };
        self.judged = judged;
        let gone: Vec<PathBuf> = self.published.keys().filter(|path| !files.contains_key(*path)).cloned().collect();
        for path in gone {
            self.published.remove(&path);
            self.send_diagnostics(&path, Vec::new());
        }
        for (path, list) in files {
            let fresh = match self.published.get(&path) {
                Some(before) => *before != list,
                // A file that nobody opened and that is fine need not be spoken of.
                None => !list.is_empty() || self.state.documents.get(&path).is_some(),
            };
            if fresh {
                self.send_diagnostics(&path, list.clone());
                self.published.insert(path, list);
            }
        }
        self.tell();
    }

    fn send_diagnostics(&self, path: &std::path::Path, diagnostics: Vec<Diagnostic>) {
        let uri: Uri = diagnostics::uri_of(&self.state, path);
        let version = self.state.documents.get(path).map(|document| document.version);
        self.notify("textDocument/publishDiagnostics", PublishDiagnosticsParams { uri, version, diagnostics });
    }

    /// Hints and lenses of files other than the one being edited may be old.
    fn refresh(&mut self) {
        if self.client.refreshes_hints {
            self.ask("workspace/inlayHint/refresh", Value::Null);
        }
        if self.client.refreshes_lenses {
            self.ask("workspace/codeLens/refresh", Value::Null);
        }
    }

    fn tell(&mut self) {
        for message in self.state.notes() {
            self.notify("window/showMessage", ShowMessageParams { kind: MessageType::Warning, message });
        }
    }

    fn log(&self, message: String) {
        self.notify("window/logMessage", LogMessageParams { kind: MessageType::Error, message });
    }

    fn notify(&self, method: &str, params: impl Serialize) {
        if let Ok(params) = serde_json::to_value(params) {
            (self.send)(Message::Notification(Notification { method: method.to_owned(), params }));
        }
    }

    fn ask(&mut self, method: &str, params: Value) {
        self.requests += 1;
        let id = RequestId::from(format!("wayside-{}", self.requests));
        (self.send)(Message::Request(Request { id, method: method.to_owned(), params }));
    }
}

fn read<P: DeserializeOwned>(params: Value) -> Result<P, (ErrorCode, String)> {
    serde_json::from_value(params).map_err(|error| (ErrorCode::InvalidParams, error.to_string()))
}

fn said<P: DeserializeOwned>(params: Value) -> Result<P, String> {
    serde_json::from_value(params).map_err(|error| error.to_string())
}

fn wrong(message: String) -> (ErrorCode, String) {
    (ErrorCode::InvalidParams, message)
}

/// What was asked is understood and cannot be had.
fn refused(message: String) -> (ErrorCode, String) {
    (ErrorCode::RequestFailed, message)
}

fn to_value(result: impl Serialize) -> Answer {
    serde_json::to_value(result).map_err(|error| (ErrorCode::InternalError, error.to_string()))
}
