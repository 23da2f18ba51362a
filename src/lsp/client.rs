//! What the editor on the other side can do.
//!
//! In: its capabilities. Out: answers to "may I", and edits in a form it takes. Must not know: policies.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gen_lsp_types::{
    DocumentChange, InitializeParams, OptionalVersionedTextDocumentIdentifier, PositionEncodingKind, TextDocumentEdit,
    TextDocumentIdentifier, TextEdit, Uri, WorkspaceEdit,
};
use serde_json::Value;

use super::documents::Documents;
use super::position::Encoding;
use super::uri;

/// Its capabilities, as far as they matter here.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// What positions count.
    pub encoding: Encoding,
    /// Second places of diagnostics.
    pub related: bool,
    /// Edits that name the version they are for.
    versioned: bool,
    /// Being asked to watch files.
    pub watches: bool,
    /// Being told that hints are old.
    pub refreshes_hints: bool,
    /// Being told that lenses are old.
    pub refreshes_lenses: bool,
    /// Folders it shows.
    pub folders: Vec<PathBuf>,
}

impl Client {
    /// From its first message. `raw` is the same message: a capability that is looked up there may have any shape.
    pub fn of(params: &InitializeParams, raw: &Value) -> Self {
        let can =
            |path: &str| raw.pointer(&format!("/capabilities{path}")).and_then(Value::as_bool).unwrap_or_default();
        let offered = params.capabilities.general.as_ref().and_then(|general| general.position_encodings.as_ref());
        let bytes = offered.is_some_and(|kinds| kinds.contains(&PositionEncodingKind::UTF8));
        Self {
            encoding: if bytes { Encoding::Utf8 } else { Encoding::Utf16 },
            related: can("/textDocument/publishDiagnostics/relatedInformation"),
            versioned: can("/workspace/workspaceEdit/documentChanges"),
            watches: can("/workspace/didChangeWatchedFiles/dynamicRegistration"),
            refreshes_hints: can("/workspace/inlayHint/refreshSupport"),
            refreshes_lenses: can("/workspace/codeLens/refreshSupport"),
            folders: folders(raw),
        }
    }

    /// Edits in a form it takes.
    pub fn edit(&self, documents: &Documents, edits: BTreeMap<PathBuf, Vec<TextEdit>>) -> WorkspaceEdit {
        let uri = |path: &Path| {
            documents.get(path).map_or_else(|| Uri(uri::from_path(path)), |document| document.uri.clone())
        };
        if !self.versioned {
            let changes = edits.into_iter().map(|(path, edits)| (uri(&path), edits)).collect();
            return WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() };
        }
        let change = |(path, edits): (PathBuf, Vec<TextEdit>)| {
            let version = documents.get(&path).map(|document| document.version);
            let text_document = OptionalVersionedTextDocumentIdentifier {
                version,
                text_document_identifier: TextDocumentIdentifier { uri: uri(&path) },
            };
            let edits = edits.into_iter().map(Into::into).collect();
            DocumentChange::TextDocumentEdit(TextDocumentEdit { text_document, edits })
        };
        WorkspaceEdit { document_changes: Some(edits.into_iter().map(change).collect()), ..WorkspaceEdit::default() }
    }
}

/// The folders of the first message, in any of the forms that editors of several ages use.
fn folders(raw: &Value) -> Vec<PathBuf> {
    let several = raw.get("workspaceFolders").and_then(Value::as_array).into_iter().flatten();
    let several = several.filter_map(|folder| uri::to_path(folder.get("uri")?.as_str()?));
    let found: Vec<PathBuf> = several.map(|path| uri::canonical(&path)).collect();
    if !found.is_empty() {
        return found;
    }
    let one = raw.get("rootUri").and_then(Value::as_str).and_then(uri::to_path);
    let one = one.or_else(|| raw.get("rootPath").and_then(Value::as_str).map(PathBuf::from));
    one.map(|path| uri::canonical(&path)).into_iter().collect()
}
