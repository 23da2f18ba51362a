//! Policy text and places in it.
//!
//! In: file names and contents somebody else read. Out: spans and line numbers. Must not know: the file system.

use std::sync::Arc;

/// A file of one set, by its position in [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u16);

/// A half-open byte range in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Which file.
    pub file: FileId,
    /// First byte.
    pub lo: u32,
    /// One past the last byte.
    pub hi: u32,
}

impl Span {
    /// From the start of `self` to the end of `other`, which is in the same file.
    #[must_use]
    pub const fn to(self, other: Self) -> Self {
        Self { file: self.file, lo: self.lo, hi: other.hi }
    }
}

/// Something, and where it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Spanned<T> {
    /// What was written.
    pub node: T,
    /// Where.
    pub span: Span,
}

/// One file of a set.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// As messages show it: relative to where the command runs, with `/`.
    pub path: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
    /// Byte offset of the first character of each line.
    lines: Vec<u32>,
}

/// Line and column, both from 1; the column counts Unicode scalar values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

impl SourceFile {
    fn new(path: &str, text: &str) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at as u32 + 1);
        Self { path: path.into(), text: text.into(), lines: std::iter::once(0).chain(starts).collect() }
    }

    /// Where a byte offset is.
    pub fn place(&self, offset: u32) -> Place {
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines[line - 1] as usize;
        let upto = self.text.get(start..offset as usize).unwrap_or("");
        Place { line: line as u32, column: upto.chars().count() as u32 + 1 }
    }
}

/// The files of one set, in the order they were read.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

impl Sources {
    /// Adds a file; its path is what messages print.
    pub fn add(&mut self, path: &str, text: &str) -> FileId {
        self.files.push(SourceFile::new(path, text));
        FileId(self.files.len() as u16 - 1)
    }

    /// The file behind an id made by [`Sources::add`].
    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.0 as usize]
    }

    /// The text a span covers.
    pub fn text(&self, span: Span) -> &str {
        self.file(span.file).text.get(span.lo as usize..span.hi as usize).unwrap_or("")
    }

    /// All files.
    pub fn files(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files.iter().enumerate().map(|(at, file)| (FileId(at as u16), file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let mut sources = Sources::default();
        let id = sources.add("a.route", "route 1\nrule ü {\n");
        let file = sources.file(id);
        assert_eq!(file.place(0), Place { line: 1, column: 1 });
        assert_eq!(file.place(8), Place { line: 2, column: 1 });
        assert_eq!(file.place(15), Place { line: 2, column: 7 });
        assert_eq!(sources.text(Span { file: id, lo: 8, hi: 12 }), "rule");
    }
}
