//! Which files use which, over everything the editor shows.
//!
//! In: folders and texts. Out: the policies that a file takes part in. Must not know: what the texts mean. Only `use` lines and
//! whether there are rules are read, from tokens, so that a folder of many policies costs little.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::files;
use crate::policy::lexer::{self, MAX_FILE_BYTES, TokenKind};
use crate::policy::resolve::beside;
use crate::policy::source::Sources;

/// Files of one folder that are looked at.
pub const MAX_FILES: usize = 2_000;
/// Bytes of one folder that are looked at.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;

/// What is known about one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Facts {
    uses: Vec<PathBuf>,
    rules: bool,
}

/// What is known about all of them.
#[derive(Debug, Default)]
pub struct Index {
    files: BTreeMap<PathBuf, Facts>,
    folders: BTreeSet<PathBuf>,
}

impl Index {
    /// Looks through a folder, once. `false` when it has more than is looked at.
    pub fn cover(&mut self, folder: &Path) -> bool {
        self.cover_up_to(folder, MAX_FILES, MAX_BYTES)
    }

    fn cover_up_to(&mut self, folder: &Path, files: usize, bytes: usize) -> bool {
        if !self.folders.insert(folder.to_owned()) {
            return true;
        }
        let found = files::policies_under(folder);
        let mut left = bytes;
        for path in found.iter().take(files) {
            let Ok(text) = files::read(path, MAX_FILE_BYTES) else { continue };
            let Some(rest) = left.checked_sub(text.len()) else { return false };
            left = rest;
            self.files.entry(path.clone()).or_insert_with(|| facts(path, &text));
        }
        found.len() <= files
    }

    /// Whether a file lies in a folder that was looked through.
    pub fn covers(&self, path: &Path) -> bool {
        self.folders.iter().any(|folder| path.starts_with(folder))
    }

    /// Reads one file again: it was opened, edited, saved, or closed.
    pub fn update(&mut self, path: &Path, text: Option<&str>) {
        match text {
            Some(text) => self.files.insert(path.to_owned(), facts(path, text)),
            None => self.files.remove(path),
        };
    }

    /// Every file that uses this one, directly or through others, and the file itself; sorted.
    pub fn users(&self, path: &Path) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::from([path.to_owned()]);
        let mut open = vec![path.to_owned()];
        while let Some(one) = open.pop() {
            let users = self.files.iter().filter(|(_, facts)| facts.uses.contains(&one)).map(|(user, _)| user);
            for user in users {
                if found.insert(user.clone()) {
                    open.push(user.clone());
                }
            }
        }
        found
    }

    /// Those of [`Self::users`] that `check` would begin a set with: files with rules, tests left out.
    pub fn policies(&self, path: &Path) -> Vec<PathBuf> {
        let begins = |user: &PathBuf| self.files.get(user).is_some_and(|facts| facts.rules) && !is_test(user);
        self.users(path).into_iter().filter(begins).collect()
    }
}

/// Whether a file holds tests, by its name.
pub fn is_test(path: &Path) -> bool {
    path.to_string_lossy().ends_with(".test.route")
}

fn facts(path: &Path, text: &str) -> Facts {
    let mut sources = Sources::default();
    let id = sources.add("", "");
    let tokens = lexer::lex(id, text, &mut Vec::new()).unwrap_or_default();
    let from = path.to_string_lossy();
    let mut facts = Facts::default();
    let mut fresh = true;
    for (at, token) in tokens.iter().enumerate() {
        if !token.is_significant() {
            fresh |= token.kind == TokenKind::Newline;
            continue;
        }
        let next = tokens.get(at + 1);
        if std::mem::take(&mut fresh) && token.kind == TokenKind::Word {
            match (token.text(text), next.map(|next| (next.kind, next.text(text)))) {
                ("use", Some((TokenKind::Text, target))) => {
                    facts.uses.extend(beside(&from, target.trim_matches('"')).map(PathBuf::from));
                }
                ("rule", Some((TokenKind::Word, _))) | ("otherwise", Some((TokenKind::OpenBrace, _))) => {
                    facts.rules = true
                }
                _ => {}
            }
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_policies_of_a_file_are_those_that_reach_it() {
        let mut index = Index::default();
        for (path, text) in [
            ("/w/models.route", "route 1\ntier mid { a/b }\n"),
            ("/w/shared/people.route", "use \"../models.route\"\n"),
            ("/w/a.route", "use \"models.route\"\nrule x { when streaming }\n"),
            ("/w/b.route", "# use \"models.route\"\nuse \"shared/people.route\"  # why\notherwise { tier mid }\n"),
            ("/w/b.test.route", "use \"b.route\"\ntest \"rule\" {\n  expect rule x\n}\n"),
            ("/w/c.route", "otherwise { tier mid }\n"),
        ] {
            index.update(Path::new(path), Some(text));
        }
        let policies = |path: &str| {
            let found = index.policies(Path::new(path));
            found
                .iter()
                .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(policies("/w/models.route"), "a.route b.route");
        assert_eq!(policies("/w/shared/people.route"), "b.route");
        assert_eq!(policies("/w/c.route"), "c.route");
        assert_eq!(policies("/w/b.test.route"), "");
        assert_eq!(index.users(Path::new("/w/models.route")).len(), 5);
    }

    #[test]
    fn files_that_use_each_other_end_the_search() {
        let mut index = Index::default();
        index.update(Path::new("/a.route"), Some("use \"b.route\"\nrule x {}\n"));
        index.update(Path::new("/b.route"), Some("use \"a.route\"\n"));
        assert_eq!(index.policies(Path::new("/b.route")), [Path::new("/a.route")]);
    }

    #[test]
    fn a_folder_is_looked_through_up_to_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        (0..4).for_each(|at| fs::write(dir.path().join(format!("{at}.route")), "route 1\n").unwrap());
        let covered = |files, bytes| Index::default().cover_up_to(dir.path(), files, bytes);
        assert!(covered(4, 32));
        assert!(!covered(3, 32), "one file more than the limit");
        assert!(!covered(4, 31), "one byte more than the limit");
    }
}
