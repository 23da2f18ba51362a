//! A set of files: the one named, and all that it uses.
//!
//! In: a path and something that reads. Out: sources, trees, and the order of declarations. Must not know: the disk.

use super::super::ast::{self, Item, ItemKind};
use super::super::diagnostic::{Diagnostic, R010, R011, R012};
use super::super::source::{FileId, Sources, Span, Spanned};
use super::super::syntax;

/// Reads the files of a workspace. Paths use `/` and are relative to where the command runs.
pub trait Files {
    /// The whole text, or why not: `no such file`, `outside the workspace`.
    fn read(&self, path: &str) -> Result<String, String>;
    /// Paths that match a pattern with `*`, sorted.
    fn glob(&self, pattern: &str) -> Vec<String>;
}

/// More files than any person keeps in one set; a set that names more is a mistake or an attack.
pub const MAX_FILES: usize = 1000;

/// A set, parsed.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The path of the file the set begins with.
    pub root: String,
    /// Texts.
    pub sources: Sources,
    /// One tree for each source, by [`FileId`].
    pub files: Vec<ast::File>,
    /// What was wrong with reading and parsing.
    pub findings: Vec<Diagnostic>,
    /// Declarations by file and position, in the order of the set: a used file stands where the `use` stands.
    order: Vec<(usize, usize)>,
}

impl Loaded {
    /// Declarations in the order of the set.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.order.iter().map(|(file, item)| &self.files[*file].items[*item])
    }
}

/// Reads `root` and everything it uses.
pub fn load(root: &str, files: &dyn Files) -> Loaded {
    let mut loader = Loader { files, out: Loaded { root: root.into(), ..Loaded::default() }, open: Vec::new() };
    match files.read(root) {
        Ok(text) => loader.add(root, &text),
        Err(reason) => {
            let id = loader.out.sources.add(root, "");
            loader.out.files.push(ast::File { id, items: Vec::new(), broken: Vec::new() });
            let span = Span { file: id, lo: 0, hi: 0 };
            loader.out.findings.push(Diagnostic::new(&R010, span, format!("`{root}` cannot be read: {reason}")));
        }
    }
    loader.rules_in_several_files();
    loader.out
}

struct Loader<'a> {
    files: &'a dyn Files,
    out: Loaded,
    /// Files whose `use` lines are being followed, outermost first.
    open: Vec<String>,
}

impl Loader<'_> {
    fn add(&mut self, path: &str, text: &str) {
        let id = self.out.sources.add(path, text);
        let tree = syntax::parse(id, text, &mut self.out.findings);
        let uses: Vec<Option<Spanned<String>>> = tree.items.iter().map(used).collect();
        self.out.files.push(tree);
        self.open.push(path.into());
        for (at, used) in uses.into_iter().enumerate() {
            self.out.order.push((id.0 as usize, at));
            if let Some(target) = used {
                self.follow(path, &target);
            }
        }
        self.open.pop();
    }

    fn follow(&mut self, from: &str, target: &Spanned<String>) {
        let finding = |message: String| Diagnostic::new(&R010, target.span, message);
        let Some(path) = beside(from, &target.node) else {
            let problem = finding(format!("`{}` is not a path relative to `{from}`", target.node));
            self.out.findings.push(problem.help("write the path from this file on, like `use \"models.route\"`"));
            return;
        };
        if let Some(start) = self.open.iter().position(|open| *open == path) {
            let ring: Vec<&str> = self.open[start..].iter().map(String::as_str).chain([path.as_str()]).collect();
            let message = format!("`{path}` uses itself");
            let ring = format!("the ring: {}", ring.join(" -> "));
            let help = "move what both need into a third file, and `use` that from both";
            self.out.findings.push(Diagnostic::new(&R011, target.span, message).note(ring).help(help));
            return;
        }
        if self.out.sources.files().any(|(_, file)| *file.path == *path) {
            return;
        }
        if self.out.files.len() >= MAX_FILES {
            let message = format!("the set has more than {MAX_FILES} files");
            self.out.findings.push(finding(message).help("split the policy into several sets"));
            return;
        }
        match self.files.read(&path) {
            Ok(text) => self.add(&path, &text),
            Err(reason) => {
                let mut problem = finding(format!("`{path}` cannot be read: {reason}"));
                let pattern = beside(from, "*.route").unwrap_or_else(|| "*.route".into());
                let known = self.files.glob(&pattern);
                // A file that is there is meant.
                let others = known.iter().map(String::as_str).filter(|other| *other != path);
                problem = match crate::names::nearest(&path, others).first() {
                    Some(near) => problem.help(format!("the nearest file is `{near}`")),
                    None => problem.help(format!("write a path as seen from `{from}`")),
                };
                self.out.findings.push(problem);
            }
        }
    }

    /// R012: the order of rules would hang on the order of `use` lines.
    fn rules_in_several_files(&mut self) {
        let mut first: Option<(FileId, Span)> = None;
        for item in self.out.order.iter().map(|(file, item)| &self.out.files[*file].items[*item]) {
            let place = match &item.kind {
                ItemKind::Rule { name, .. } => name.span,
                ItemKind::Otherwise { keyword, .. } => *keyword,
                _ => continue,
            };
            match first {
                None => first = Some((place.file, place)),
                Some((file, _)) if file == place.file => {}
                Some((_, earlier)) => {
                    let here = self.out.sources.file(place.file).path.clone();
                    let there = self.out.sources.file(earlier.file).path.clone();
                    let message =
                        format!("rules stand in `{there}` and in `{here}`, so their order hangs on `use` lines");
                    let finding = Diagnostic::new(&R012, place, message)
                        .here("comes after every rule of the other file")
                        .label(earlier, "the set's first rule")
                        .help(format!("move the rules of `{here}` into `{there}`"));
                    self.out.findings.push(finding);
                    return;
                }
            }
        }
    }
}

fn used(item: &Item) -> Option<Spanned<String>> {
    match &item.kind {
        ItemKind::Use(target) => Some(target.clone()),
        _ => None,
    }
}

/// `target` as seen from the directory of `from`, with `.` and `..` taken out; `None` for absolute and empty paths.
pub fn beside(from: &str, target: &str) -> Option<String> {
    if target.is_empty() || target.starts_with('/') || target.contains('\\') || target.contains('\0') {
        return None;
    }
    let directory = from.rsplit_once('/').map_or("", |(directory, _)| directory);
    let rooted = directory.starts_with('/') || (directory.is_empty() && from.starts_with('/'));
    let mut parts: Vec<&str> = Vec::new();
    for part in directory.split('/').chain(target.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    Some(format!("{}{}", if rooted { "/" } else { "" }, parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_used_file_is_found_beside_the_one_that_uses_it() {
        assert_eq!(beside("a.route", "b.route").as_deref(), Some("b.route"));
        assert_eq!(beside("policies/a.route", "../shared/b.route").as_deref(), Some("shared/b.route"));
        assert_eq!(beside("../x/a.route", "b.route").as_deref(), Some("../x/b.route"));
        assert_eq!(beside("/etc/a.route", "b.route").as_deref(), Some("/etc/b.route"));
        assert_eq!(beside("a.route", "/etc/passwd"), None);
    }
}
