//! A revision of a git repository, as far as policies may see it.
//!
//! In: a revision as a person writes it, paths as policies and people write them. Out: texts as they were in that revision, or
//! why not. Must not know: what the texts mean. Nothing is checked out and nothing is fetched; `git` is asked for one object at
//! a time, with every argument where it cannot be taken for an option.

use std::io::{Read, Write};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use super::{MAX_ENTRIES, MAX_FACTS_BYTES, directory, expand, shown, text_of};
use crate::policy::lexer;
use crate::policy::resolve::Files;

/// Bytes of names that `git` may list: one directory, or the branches and tags of a repository.
pub const MAX_NAMES_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of a complaint of `git` that are repeated.
const MAX_COMPLAINT_BYTES: usize = 2000;
/// Bytes that `git cat-file` writes around an object.
const HEADER_BYTES: usize = 200;
/// Digits of a commit that people recognize.
const SHORT_DIGITS: usize = 7;

/// One commit.
#[derive(Debug)]
pub struct Revision {
    /// As it was asked for.
    name: String,
    /// The full hash, so that every question is about the same commit even while branches move.
    commit: String,
    /// Where `git` runs.
    dir: PathBuf,
    /// The top of the work tree.
    top: PathBuf,
    /// The workspace inside the commit: a directory with a `wayside.yaml`, else everything. Ends in `/` unless empty.
    root: String,
}

impl Revision {
    /// A revision of the repository around a policy file, whether or not the file is there today.
    ///
    /// # Errors
    /// A sentence: no `git`, no repository, no such revision.
    pub fn open(name: &str, policy: &Path) -> Result<Self, String> {
        let dir = existing(directory(policy))?;
        let top = git(&dir, &["rev-parse", "--show-toplevel"], "", MAX_NAMES_BYTES)
            .map_err(|error| error.sentence(&format!("`{}` is in no git repository", shown(&dir))))?;
        let top = PathBuf::from(String::from_utf8_lossy(&top).trim_end_matches('\n').to_owned());
        let object = format!("{name}^{{commit}}");
        let commit = match git(&dir, &["rev-parse", "--verify", "--quiet", "--end-of-options", &object], "", 4096) {
            Ok(hash) => String::from_utf8_lossy(&hash).trim().to_owned(),
            Err(GitError::Refused(_)) => return Err(unknown(&dir, name)),
            Err(other) => return Err(other.sentence("")),
        };
        let mut revision = Self { name: name.to_owned(), commit, dir, top, root: String::new() };
        let path = revision.inside(policy)?;
        let above: Vec<&str> = path.match_indices('/').map(|(at, _)| &path[..=at]).rev().collect();
        let marked = above.into_iter().find(|dir| revision.blob(&format!("{dir}wayside.yaml"), 0).is_there());
        revision.root = marked.unwrap_or("").to_owned();
        Ok(revision)
    }

    /// As it was asked for, and the commit: `main 9f31c2a`.
    pub fn label(&self) -> String {
        let short = self.commit.get(..SHORT_DIGITS).unwrap_or(&self.commit);
        if self.commit.starts_with(&self.name) { short.to_owned() } else { format!("{} {short}", self.name) }
    }

    /// The full hash of the commit.
    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// A directory of the repository that exists today.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The settings of the project in this revision: `wayside.yaml`, as a path of the disk.
    pub fn settings(&self) -> Option<PathBuf> {
        let path = format!("{}wayside.yaml", self.root);
        self.blob(&path, 0).is_there().then(|| self.top.join(path))
    }

    /// The catalog overlay that belongs to a policy: beside it, else at the root of the workspace.
    pub fn overlay(&self, policy: &Path) -> Option<PathBuf> {
        let beside = directory(policy).join("catalog.yaml");
        let root = self.top.join(&self.root).join("catalog.yaml");
        [beside, root].into_iter().find(|path| self.there(path))
    }

    fn there(&self, path: &Path) -> bool {
        self.inside(path).is_ok_and(|path| self.blob(&path, 0).is_there())
    }

    /// A path of the disk as the repository calls it.
    fn inside(&self, path: &Path) -> Result<String, String> {
        let outside = || format!("it is outside the repository `{}`", shown(&self.top));
        let here = std::env::current_dir().map_err(|error| error.to_string())?;
        let whole = plain(&here.join(path));
        let top = self.top.canonicalize().unwrap_or_else(|_| self.top.clone());
        // A directory on the way may be a link: then the part of it that exists today says where it leads.
        let found = whole.strip_prefix(&top).map(Path::to_owned).or_else(|_| {
            let dir = existing(directory(&whole)).map_err(|_| outside())?;
            let rest = whole.strip_prefix(&dir).map_err(|_| outside())?;
            let real = dir.canonicalize().map_err(|_| outside())?.join(rest);
            real.strip_prefix(&top).map(Path::to_owned).map_err(|_| outside())
        })?;
        let text = found.to_str().ok_or("its name is not UTF-8")?;
        if !text.starts_with(&self.root) {
            return Err(format!("it is outside the workspace `{}`", shown(&self.top.join(&self.root))));
        }
        Ok(text.replace('\\', "/"))
    }

    /// The content of a path of the commit. Links are followed as far as they stay inside the commit.
    fn blob(&self, path: &str, most: usize) -> Blob {
        if path.contains(['\n', '\0']) {
            return Blob::Not("no name of a file may hold a line break".to_owned());
        }
        let ask = format!("{}:{path}\n", self.commit);
        let limit = most + HEADER_BYTES + ask.len();
        let answer = match git(&self.dir, &["cat-file", "--batch", "--follow-symlinks"], &ask, limit) {
            Ok(answer) | Err(GitError::TooLong(answer)) => answer,
            Err(error) => return Blob::Not(error.sentence("")),
        };
        let end = answer.iter().position(|byte| *byte == b'\n').unwrap_or(answer.len());
        let header = String::from_utf8_lossy(&answer[..end]).into_owned();
        let mut words = header.split(' ');
        match (words.next(), words.next(), words.next().and_then(|size| size.parse::<usize>().ok())) {
            (Some(_), Some("blob"), Some(size)) if size <= most => {
                let content = answer.get(end + 1..end + 1 + size);
                content
                    .map_or_else(|| Blob::Not("git stopped in the middle of it".to_owned()), |all| Blob::Is(all.into()))
            }
            (Some(_), Some("blob"), Some(_)) => Blob::TooLong,
            (Some(_), Some("tree"), _) => Blob::Not("it is a directory".to_owned()),
            _ if header.starts_with("symlink ") => Blob::Not("it is a link out of the repository".to_owned()),
            _ => Blob::Not(format!("there is no such file in {}", self.label())),
        }
    }

    /// Names in a directory of the commit, sorted, without hidden ones.
    fn entries(&self, dir: &Path, left: &mut usize) -> Vec<String> {
        let Ok(path) = self.inside(&dir.join("x")) else { return Vec::new() };
        let tree = format!("{}:{}", self.commit, path.trim_end_matches('x').trim_end_matches('/'));
        let listed = git(&self.dir, &["ls-tree", "-z", "--name-only", &tree], "", MAX_NAMES_BYTES);
        let Ok(listed) = listed else { return Vec::new() };
        let names = listed.split(|byte| *byte == 0).filter_map(|name| std::str::from_utf8(name).ok());
        let names = names.filter(|name| !name.is_empty() && !name.starts_with('.')).take(*left);
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        *left -= names.len();
        names.sort();
        names
    }
}

/// What a path of a commit holds.
enum Blob {
    Is(Vec<u8>),
    /// A file, and larger than asked for.
    TooLong,
    /// Why nothing can be read there.
    Not(String),
}

impl Blob {
    const fn is_there(&self) -> bool {
        matches!(self, Self::Is(_) | Self::TooLong)
    }
}

impl Files for Revision {
    fn read(&self, path: &str) -> Result<String, String> {
        let most = if path.ends_with(".route") { lexer::MAX_FILE_BYTES + 1 } else { MAX_FACTS_BYTES };
        match self.blob(&self.inside(Path::new(path))?, most) {
            Blob::Is(bytes) => text_of(bytes),
            Blob::TooLong => Err(format!("it has more than {most} bytes")),
            Blob::Not(why) => Err(why),
        }
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        let mut left = MAX_ENTRIES;
        expand(pattern, &mut |dir| self.entries(dir, &mut left), &|path| self.there(path))
    }
}

/// Without `.` and `..`, by the text alone.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// The nearest directory at or above a path that exists today.
fn existing(dir: &Path) -> Result<PathBuf, String> {
    let found = dir.ancestors().find(|one| one.is_dir() || one.as_os_str().is_empty());
    let found = found.ok_or_else(|| format!("`{}` does not exist", shown(dir)))?;
    Ok(if found.as_os_str().is_empty() { PathBuf::from(".") } else { found.to_owned() })
}

fn unknown(dir: &Path, name: &str) -> String {
    let listed = git(dir, &["for-each-ref", "--format=%(refname:short)"], "", MAX_NAMES_BYTES).unwrap_or_default();
    let names = String::from_utf8_lossy(&listed).into_owned();
    match crate::names::nearest(name, names.lines()).first() {
        Some(near) => format!("`{name}` is no revision of this repository; the nearest is `{near}`"),
        None => format!("`{name}` is no revision of this repository; write a branch, a tag, `HEAD~1` or a commit"),
    }
}

/// Why `git` gave no answer.
enum GitError {
    /// It could not be started.
    Missing(String),
    /// It said no, and this is what it wrote.
    Refused(String),
    /// It wrote more than was asked for; this is the beginning.
    TooLong(Vec<u8>),
}

impl GitError {
    /// As a sentence; `meaning` is what a refusal says, with what `git` wrote behind it.
    fn sentence(self, meaning: &str) -> String {
        match self {
            Self::Missing(why) => format!("revisions are read with `git`, which cannot be started: {why}"),
            Self::TooLong(_) => "git wrote more than a policy can need".to_owned(),
            Self::Refused(said) if meaning.is_empty() => format!("git: {said}"),
            Self::Refused(said) if said.is_empty() || said.contains("not a git repository") => meaning.to_owned(),
            Self::Refused(said) => format!("{meaning}: {said}"),
        }
    }
}

/// Runs `git` and gives at most `most` bytes of its answer.
fn git(dir: &Path, args: &[&str], input: &str, most: usize) -> Result<Vec<u8>, GitError> {
    let missing = |error: std::io::Error| GitError::Missing(error.to_string());
    let mut child = Command::new("git")
        .arg("-C")
        .arg(dir)
        .args(["--no-pager", "--literal-pathspecs"])
        .args(args)
        // The same words everywhere, no questions, no lock for others to trip over, and no network for objects a partial clone left out.
        .envs([("LC_ALL", "C"), ("GIT_TERMINAL_PROMPT", "0"), ("GIT_OPTIONAL_LOCKS", "0"), ("GIT_NO_LAZY_FETCH", "1")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(missing)?;
    // One line, which every pipe holds; a child that ended without reading it says why on its own.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
    let complaint = child.stderr.take().map(|stderr| std::thread::spawn(move || complaint(stderr)));
    let mut answer = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(most as u64 + 1).read_to_end(&mut answer).map_err(missing)?;
    }
    let too_long = answer.len() > most;
    if too_long {
        let _ = child.kill();
    }
    let status = child.wait().map_err(missing)?;
    let said = complaint.and_then(|thread| thread.join().ok()).unwrap_or_default();
    match (too_long, status.success()) {
        (true, _) => Err(GitError::TooLong(answer)),
        (false, true) => Ok(answer),
        (false, false) => Err(GitError::Refused(said)),
    }
}

/// The first line of what `git` says is wrong; all of it is read, so that it never waits for us.
fn complaint(mut stderr: impl Read) -> String {
    let mut said = Vec::new();
    let _ = (&mut stderr).take(MAX_COMPLAINT_BYTES as u64).read_to_end(&mut said);
    let _ = std::io::copy(&mut stderr, &mut std::io::sink());
    let text = String::from_utf8_lossy(&said);
    let line = text.lines().next().unwrap_or("");
    line.strip_prefix("fatal: ").or_else(|| line.strip_prefix("error: ")).unwrap_or(line).to_owned()
}
