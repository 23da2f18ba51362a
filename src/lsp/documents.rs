//! What is open in the editor.
//!
//! In: open, change and close. Out: texts as the author sees them, saved or not. Must not know: what they mean.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gen_lsp_types::{Position, Range, TextDocumentContentChangeEvent, Uri};

use super::position::{Encoding, Lines};
use super::uri;
use crate::policy::lexer::MAX_FILE_BYTES;

/// Documents that may be open at once; an editor with more has lost count.
pub const MAX_OPEN: usize = 1000;

/// An open document.
#[derive(Clone, Debug)]
pub struct Document {
    /// As the editor spells it.
    pub uri: Uri,
    /// As the editor counts it.
    pub version: i32,
    /// All of it; empty when it is too large.
    pub text: Arc<str>,
    /// Its lines.
    pub lines: Lines,
    /// It outgrew [`MAX_FILE_BYTES`], or a change came for a text that did: nothing is known until it is sent whole.
    pub too_large: bool,
}

impl Document {
    fn new(uri: Uri, version: i32, text: &str) -> Self {
        let mut document = Self { uri, version, text: "".into(), lines: Lines::default(), too_large: false };
        document.set(text);
        document
    }

    fn set(&mut self, text: &str) {
        self.too_large = text.len() > MAX_FILE_BYTES;
        self.text = if self.too_large { "".into() } else { text.into() };
        self.lines = Lines::of(&self.text);
    }

    /// The byte at a position.
    pub fn offset(&self, position: Position, encoding: Encoding) -> usize {
        self.lines.offset(&self.text, position, encoding)
    }

    /// The bytes of a range, as two offsets in order.
    pub fn bytes(&self, range: Range, encoding: Encoding) -> (usize, usize) {
        let (lo, hi) = (self.offset(range.start, encoding), self.offset(range.end, encoding));
        (lo.min(hi), lo.max(hi))
    }
}

/// All open documents, by what [`uri::key`] knows them by.
#[derive(Debug, Default)]
pub struct Documents {
    open: BTreeMap<PathBuf, Document>,
    /// What both sides count positions in.
    pub encoding: Encoding,
}

impl Documents {
    /// Takes a document in. `false` when too many are open.
    pub fn open(&mut self, uri: Uri, version: i32, text: &str) -> bool {
        let key = uri::key(&uri.0);
        if self.open.len() >= MAX_OPEN && !self.open.contains_key(&key) {
            return false;
        }
        self.open.insert(key, Document::new(uri, version, text));
        true
    }

    /// Applies changes, in order. `false` for a document that is not open.
    pub fn change(&mut self, uri: &Uri, version: i32, changes: Vec<TextDocumentContentChangeEvent>) -> bool {
        let encoding = self.encoding;
        let Some(document) = self.open.get_mut(&uri::key(&uri.0)) else { return false };
        document.version = version;
        for change in changes {
            match change {
                TextDocumentContentChangeEvent::TextDocumentContentChangeWholeDocument(whole) => {
                    document.set(&whole.text)
                }
                TextDocumentContentChangeEvent::TextDocumentContentChangePartial(part) if !document.too_large => {
                    let (lo, hi) = document.bytes(part.range, encoding);
                    let text = [&document.text[..lo], &part.text, &document.text[hi..]].concat();
                    document.set(&text);
                }
                TextDocumentContentChangeEvent::TextDocumentContentChangePartial(_) => {}
            }
        }
        true
    }

    /// Forgets a document; from now on the disk counts.
    pub fn close(&mut self, uri: &Uri) -> Option<PathBuf> {
        let key = uri::key(&uri.0);
        self.open.remove(&key).map(|_| key)
    }

    /// An open document.
    pub fn get(&self, key: &Path) -> Option<&Document> {
        self.open.get(key)
    }

    /// What is open, by path.
    pub fn keys(&self) -> impl Iterator<Item = &PathBuf> {
        self.open.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(from: (u32, u32), to: (u32, u32), text: &str) -> TextDocumentContentChangeEvent {
        let at = |(line, character)| Position { line, character };
        let json = serde_json::json!({"range": Range { start: at(from), end: at(to) }, "text": text});
        serde_json::from_value(json).unwrap()
    }

    fn after(text: &str, changes: Vec<TextDocumentContentChangeEvent>) -> Document {
        let uri = Uri("file:///a.route".to_owned());
        let mut documents = Documents::default();
        assert!(documents.open(uri.clone(), 1, text));
        assert!(documents.change(&uri, 2, changes));
        documents.get(Path::new("/a.route")).unwrap().clone()
    }

    #[test]
    fn changes_are_applied_one_after_the_other() {
        let changes = vec![part((1, 0), (1, 0), "ü𝄞"), part((1, 1), (1, 3), "x"), part((0, 7), (1, 0), "\n")];
        assert_eq!(&*after("route 1\r\nend\n", changes).text, "route 1\nüxend\n");
    }

    #[test]
    fn a_range_the_wrong_way_round_is_the_same_range() {
        assert_eq!(&*after("abc", vec![part((0, 2), (0, 1), "-")]).text, "a-c");
    }

    #[test]
    fn a_document_at_the_limit_is_held_and_a_larger_one_is_not_until_it_is_whole_again() {
        let full = "#".repeat(MAX_FILE_BYTES);
        assert!(!after(&full, vec![]).too_large);
        let larger = after(&full, vec![part((0, 0), (0, 0), "#")]);
        assert!(larger.too_large && larger.text.is_empty());
        let lost = after(&full, vec![part((0, 0), (0, 0), "#"), part((0, 0), (0, 1), "")]);
        assert!(lost.too_large, "an edit of an unknown text gives no text");
        let whole: TextDocumentContentChangeEvent =
            serde_json::from_value(serde_json::json!({"text": "route 1\n"})).unwrap();
        let back = after(&full, vec![part((0, 0), (0, 0), "#"), whole]);
        assert_eq!((&*back.text, back.too_large), ("route 1\n", false));
    }

    #[test]
    fn so_many_documents_are_open_and_no_more() {
        let uri = |at: usize| Uri(format!("file:///{at}.route"));
        let mut documents = Documents::default();
        assert!((0..MAX_OPEN).all(|at| documents.open(uri(at), 1, "")));
        assert!(!documents.open(uri(MAX_OPEN), 1, ""), "one more than the limit");
        assert!(documents.open(uri(0), 2, "again"), "one that is open already");
        assert!(documents.close(&uri(0)).is_some() && documents.open(uri(MAX_OPEN), 1, ""));
    }
}
