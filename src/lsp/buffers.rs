//! Files as the author sees them: what is open in the editor, else the disk.
//!
//! In: open documents and a workspace. Out: texts. Must not know: what they mean. The workspace is the limit here, too: an open
//! document outside it is not read.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::documents::Documents;
use super::uri;
use crate::files::{self, Disk};
use crate::policy::lexer::MAX_FILE_BYTES;
use crate::policy::resolve::Files;

/// Reads paths relative to the root of a workspace, so that messages stay short.
pub struct Buffers<'a> {
    disk: &'a Disk,
    documents: &'a Documents,
    /// Texts as they would be after an edit that nobody made yet.
    edited: &'a BTreeMap<PathBuf, String>,
}

impl<'a> Buffers<'a> {
    /// Over a workspace.
    pub const fn new(disk: &'a Disk, documents: &'a Documents, edited: &'a BTreeMap<PathBuf, String>) -> Self {
        Self { disk, documents, edited }
    }

    fn open(&self, path: &Path) -> Option<Result<String, String>> {
        if !path.starts_with(self.disk.root()) {
            return None;
        }
        if let Some(text) = self.edited.get(path) {
            return Some(Ok(text.clone()));
        }
        let document = self.documents.get(path)?;
        Some(match document.too_large {
            true => Err(format!("it has more than {MAX_FILE_BYTES} bytes")),
            false => Ok(document.text.to_string()),
        })
    }
}

impl Files for Buffers<'_> {
    fn read(&self, path: &str) -> Result<String, String> {
        let whole = absolute(self.disk.root(), path);
        let open = self.open(&whole).or_else(|| self.open(&uri::canonical(&whole)));
        open.unwrap_or_else(|| self.disk.read(&whole.to_string_lossy()))
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        let found = self.disk.glob(&absolute(self.disk.root(), pattern).to_string_lossy());
        found.iter().map(|path| relative(self.disk.root(), Path::new(path))).collect()
    }
}

/// A path as messages show it: from the root of its workspace on.
pub fn relative(root: &Path, path: &Path) -> String {
    files::shown(path.strip_prefix(root).unwrap_or(path))
}

/// The path behind what [`relative`] gave, without `.` and `..`.
pub fn absolute(root: &Path, path: &str) -> PathBuf {
    let mut whole = PathBuf::new();
    for part in root.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                whole.pop();
            }
            other => whole.push(other),
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use std::fs;

    use gen_lsp_types::Uri;

    use super::*;

    #[test]
    fn what_is_open_wins_over_the_disk_and_the_workspace_over_both() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let inside = root.join("in");
        fs::create_dir(&inside).unwrap();
        for path in ["in/wayside.yaml", "in/a.route", "in/b.route", "out.route"] {
            fs::write(root.join(path), "disk").unwrap();
        }
        let disk = Disk::around(&inside.join("a.route")).unwrap();
        let mut documents = Documents::default();
        for path in ["in/a.route", "in/new.route", "out.route"] {
            documents.open(Uri(uri::from_path(&root.join(path))), 1, "open");
        }
        let edited = BTreeMap::from([(inside.join("new.route"), "edited".to_owned())]);
        let files = Buffers::new(&disk, &documents, &edited);
        assert_eq!(files.read("a.route").as_deref(), Ok("open"));
        assert_eq!(files.read("b.route").as_deref(), Ok("disk"));
        assert_eq!(files.read("new.route").as_deref(), Ok("edited"));
        assert!(files.read("../out.route").unwrap_err().contains("outside the workspace"));
        assert_eq!(files.glob("*.route"), ["a.route", "b.route"]);
    }
}
