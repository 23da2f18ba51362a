//! The disk, as far as policies may see it.
//!
//! In: paths as policies and people write them. Out: texts, or why not; files replaced whole. Must not know: what the texts mean.
//! Nothing outside the workspace is read or written, however a path or a symbolic link puts it, and nothing is read that is larger
//! than a limit.

pub mod history;
pub mod lines;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use crate::policy::lexer;
use crate::policy::resolve::Files;

/// Bytes of a file beside a policy: tenants, results of evals, templates, a catalog overlay.
pub const MAX_FACTS_BYTES: usize = 16 * 1024 * 1024;
/// Entries of directories that one pattern or one argument may visit.
pub const MAX_ENTRIES: usize = 100_000;
/// Directories inside each other that an argument is searched through.
pub const MAX_DEPTH: usize = 32;

/// A workspace: the directory that nothing read may leave.
#[derive(Debug)]
pub struct Disk {
    root: PathBuf,
}

impl Disk {
    /// The workspace of a policy file or a directory: the nearest directory above it with a `wayside.yaml` or a `.git`, else
    /// the current directory if it is inside that, else its own directory.
    ///
    /// # Errors
    /// When the path or the current directory cannot be found.
    pub fn around(path: &Path) -> io::Result<Self> {
        let here = if path.is_dir() { path } else { directory(path) };
        let here = here.canonicalize()?;
        let marked = here.ancestors().find(|dir| dir.join("wayside.yaml").is_file() || dir.join(".git").exists());
        if let Some(root) = marked {
            return Ok(Self { root: root.to_owned() });
        }
        let current = std::env::current_dir()?.canonicalize()?;
        Ok(Self { root: if here.starts_with(&current) { current } else { here } })
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The catalog overlay that belongs to a policy: beside it, else at the root of the workspace.
    pub fn overlay(&self, policy: &Path) -> Option<PathBuf> {
        [directory(policy), &self.root].map(|dir| dir.join("catalog.yaml")).into_iter().find(|path| path.exists())
    }

    /// Replaces a file of the workspace.
    ///
    /// # Errors
    /// Why not, as the end of a sentence: `permission denied`.
    pub fn write(&self, path: &Path, text: &str) -> Result<(), String> {
        let found = path.canonicalize().map_err(|error| reason(&error))?;
        if !found.starts_with(&self.root) {
            return Err(format!("it is outside the workspace `{}`", shown(&self.root)));
        }
        replace(&found, text).map_err(|error| reason(&error))
    }

    fn text(&self, path: &Path, most: usize) -> Result<String, String> {
        let found = path.canonicalize().map_err(|error| reason(&error))?;
        if !found.starts_with(&self.root) {
            return Err(format!("it is outside the workspace `{}`", shown(&self.root)));
        }
        read(&found, most)
    }
}

impl Files for Disk {
    fn read(&self, path: &str) -> Result<String, String> {
        let most = if path.ends_with(".route") { lexer::MAX_FILE_BYTES + 1 } else { MAX_FACTS_BYTES };
        self.text(Path::new(path), most)
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        let mut left = MAX_ENTRIES;
        expand(pattern, &mut |dir| entries(dir, &mut left), &Path::exists)
    }
}

/// Replaces `*` segment by segment: `names` lists a directory, `exists` says whether a path is there.
fn expand(pattern: &str, names: &mut dyn FnMut(&Path) -> Vec<String>, exists: &dyn Fn(&Path) -> bool) -> Vec<String> {
    let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
    let (start, pattern) = pattern.strip_prefix('/').map_or(("", pattern), |rest| ("/", rest));
    let mut found = vec![start.to_owned()];
    for segment in pattern.split('/') {
        let mut next = Vec::new();
        for base in found {
            let join = |name: &str| {
                if base.is_empty() || base.ends_with('/') { format!("{base}{name}") } else { format!("{base}/{name}") }
            };
            if segment.contains('*') {
                let names = names(Path::new(if base.is_empty() { "." } else { &base }));
                next.extend(names.iter().filter(|name| matches(segment, name)).map(|name| join(name)));
            } else {
                next.push(join(segment));
            }
        }
        found = next;
    }
    found.retain(|path| exists(Path::new(path)));
    found.sort();
    found
}

/// Whether a name fits a pattern in which `*` stands for any characters.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Names in a directory, sorted, without hidden ones.
fn entries(dir: &Path, left: &mut usize) -> Vec<String> {
    let Ok(list) = fs::read_dir(dir) else { return Vec::new() };
    let names = list.filter_map(Result::ok).filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).take(*left).collect();
    *left -= names.len();
    names.sort();
    names
}

/// Every `.route` file under a directory, sorted, without hidden directories. Links to directories are not followed.
pub fn policies_under(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = MAX_ENTRIES;
    let mut open = vec![(dir.to_owned(), 0)];
    while let Some((dir, depth)) = open.pop() {
        for name in entries(&dir, &mut left) {
            // `./a.route` would be another name for the same file in messages.
            let path = if dir == Path::new(".") { PathBuf::from(&name) } else { dir.join(&name) };
            let Ok(kind) = fs::symlink_metadata(&path).map(|meta| meta.file_type()) else { continue };
            if kind.is_dir() && depth < MAX_DEPTH && name != "target" && name != "node_modules" {
                open.push((path, depth + 1));
            } else if !kind.is_dir() && name.ends_with(".route") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The whole text of one file.
///
/// # Errors
/// Why not, as the end of a sentence: `no such file`.
pub fn read(path: &Path, most: usize) -> Result<String, String> {
    let meta = fs::metadata(path).map_err(|error| reason(&error))?;
    if meta.is_dir() {
        return Err("it is a directory".to_owned());
    }
    if !meta.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let file = File::open(path).map_err(|error| reason(&error))?;
    let mut bytes = Vec::new();
    // One more byte tells a file at the limit from a larger one, also when it grows meanwhile.
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(|error| reason(&error))?;
    if bytes.len() > most {
        return Err(match most >> 20 {
            0 => format!("it has more than {most} bytes"),
            megabytes => format!("it has more than {megabytes} MB"),
        });
    }
    text_of(bytes)
}

/// Bytes as text.
fn text_of(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("it is not UTF-8 text (byte {at} is 0x{:02x})", error.as_bytes().get(at).copied().unwrap_or_default())
    })
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// The directory of a file; `.` for a bare name.
pub fn directory(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A path as seen from the current directory, when it is below it; else as it is.
pub fn from_here(path: &Path) -> PathBuf {
    let Ok(here) = std::env::current_dir() else { return path.to_owned() };
    let below = path.strip_prefix(&here).ok().or_else(|| path.strip_prefix(here.canonicalize().ok()?).ok());
    match below {
        Some(below) if below.as_os_str().is_empty() => PathBuf::from("."),
        Some(below) => below.to_owned(),
        None => path.to_owned(),
    }
}

/// Puts a new text in the place of a file, whole or not at all: it is written beside it, with the same permissions, and moved
/// over it. A symbolic link stays, and what it points to is replaced.
///
/// # Errors
/// Why not. Nothing is left behind then, and the file is as it was.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = path.canonicalize()?;
    let mut beside = path.clone().into_os_string();
    beside.push(format!(".{}.wayside", std::process::id()));
    let put = || {
        // Nothing that stands there already is written to, least of all through a link.
        let mut file = File::options().write(true).create_new(true).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.set_permissions(fs::metadata(&path)?.permissions())?;
        file.sync_all()?;
        fs::rename(&beside, &path)
    };
    let written = put();
    if written.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::AlreadyExists) {
        // What is left over is not the policy; nothing more can be done when it cannot be removed either.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// A path as messages show it: with `/`, and without `./` in front.
pub fn shown(path: &Path) -> String {
    let parts: Vec<String> = path
        .components()
        .filter(|part| *part != Component::CurDir)
        .map(|part| match part {
            Component::RootDir => String::new(),
            other => other.as_os_str().to_string_lossy().into_owned(),
        })
        .collect();
    let text = parts.join("/");
    match (text.is_empty(), path.is_absolute()) {
        (false, _) => text,
        (true, true) => "/".to_owned(),
        (true, false) => ".".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters_of_one_name() {
        for (pattern, name, fits) in [
            ("*.json", "a.json", true),
            ("*.json", "a.yaml", false),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c2b", false),
            ("*", "", true),
            ("ab*ba", "aba", false),
            ("plain", "plain", true),
            ("plain", "plainer", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn a_file_is_read_up_to_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.route");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).as_deref(), Ok("12345"));
        assert_eq!(read(&path, 4), Err("it has more than 4 bytes".to_owned()));
        fs::write(&path, b"ab\xff").unwrap();
        assert_eq!(read(&path, 5), Err("it is not UTF-8 text (byte 2 is 0xff)".to_owned()));
        assert_eq!(read(dir.path(), 5), Err("it is a directory".to_owned()));
        assert_eq!(read(&dir.path().join("b"), 5), Err("no such file".to_owned()));
    }

    #[test]
    fn a_file_is_replaced_whole_with_its_permissions_and_through_links_inside() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("in");
        fs::create_dir(&inside).unwrap();
        fs::write(inside.join("wayside.yaml"), "").unwrap();
        fs::write(inside.join("a.route"), "old").unwrap();
        fs::set_permissions(inside.join("a.route"), fs::Permissions::from_mode(0o640)).unwrap();
        fs::write(dir.path().join("secret.route"), "old").unwrap();
        std::os::unix::fs::symlink("a.route", inside.join("fine.route")).unwrap();
        std::os::unix::fs::symlink("../secret.route", inside.join("link.route")).unwrap();
        let disk = Disk::around(&inside).unwrap();
        disk.write(&inside.join("fine.route"), "new").unwrap();
        assert_eq!(fs::read_to_string(inside.join("a.route")).unwrap(), "new");
        assert_eq!(fs::metadata(inside.join("a.route")).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(inside.join("fine.route")).unwrap().is_symlink());
        assert!(disk.write(&inside.join("link.route"), "new").unwrap_err().contains("outside the workspace"));
        assert_eq!(fs::read_to_string(dir.path().join("secret.route")).unwrap(), "old");
        assert_eq!(disk.write(&inside.join("none.route"), "new"), Err("no such file".to_owned()));
        assert_eq!(fs::read_dir(&inside).unwrap().count(), 4, "something was left behind");
    }

    #[test]
    fn nothing_outside_the_workspace_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("inside");
        fs::create_dir(&inside).unwrap();
        fs::write(inside.join("wayside.yaml"), "").unwrap();
        fs::write(inside.join("a.route"), "route 1\n").unwrap();
        fs::write(dir.path().join("secret.route"), "route 1\n").unwrap();
        std::os::unix::fs::symlink("../secret.route", inside.join("link.route")).unwrap();
        std::os::unix::fs::symlink("a.route", inside.join("fine.route")).unwrap();
        let disk = Disk::around(&inside.join("a.route")).unwrap();
        let path = |name: &str| inside.join(name).to_str().unwrap().to_owned();
        assert!(disk.read(&path("a.route")).is_ok());
        assert!(disk.read(&path("fine.route")).is_ok());
        for outside in ["link.route", "../secret.route"] {
            assert!(disk.read(&path(outside)).unwrap_err().contains("outside the workspace"), "{outside}");
        }
        assert_eq!(disk.glob(&path("*.route")).len(), 3);
    }
}
