//! The directory of a spool.
//!
//! In: a directory, tickets, bodies. Out: files and their names; what is wrong with one that cannot be read. Must not know: limits.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::ticket::{MAX_HEAD, Ticket, TicketId};

/// What the name of a ticket's file ends in.
const KEPT: &str = ".ticket";
/// And while it is written.
const PART: &str = ".part";

/// Why a ticket cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bad {
    /// No file has its name: it never was, or is done.
    Missing,
    /// The file is not what was written. It is left where it is.
    Damaged(String),
    /// The system says no.
    Unreadable(String),
}

impl std::fmt::Display for Bad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("no such ticket waits here"),
            Self::Damaged(why) | Self::Unreadable(why) => f.write_str(why),
        }
    }
}

/// The tickets of a spool, oldest first. What else lies in the directory is left out.
///
/// # Errors
/// When the directory cannot be read.
pub fn names(directory: &Path) -> io::Result<Vec<TicketId>> {
    let mut found = named(directory, KEPT)?;
    found.sort_unstable();
    Ok(found)
}

fn named(directory: &Path, end: &str) -> io::Result<Vec<TicketId>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let id = name.to_str().and_then(|name| name.strip_suffix(end)).and_then(|name| name.parse().ok());
        found.extend(id);
    }
    Ok(found)
}

/// A ticket without its body, which is not read: enough for a list.
///
/// # Errors
/// When it is not there, or is damaged.
pub fn look(directory: &Path, id: &TicketId) -> Result<Ticket, Bad> {
    opened(directory, id).map(|(ticket, _)| ticket)
}

/// A ticket with its body, which is what was written or is damaged.
///
/// # Errors
/// When it is not there, or is damaged.
pub fn take(directory: &Path, id: &TicketId) -> Result<(Ticket, Vec<u8>), Bad> {
    let (ticket, file) = opened(directory, id)?;
    let mut body = Vec::new();
    file.take(ticket.body_bytes).read_to_end(&mut body).map_err(|error| Bad::Unreadable(error.to_string()))?;
    ticket.holds(&body).map_err(Bad::Damaged)?;
    Ok((ticket, body))
}

/// Deletes a ticket, damaged or not. It is gone for good when this returns.
///
/// # Errors
/// When it is not there, or the system says no.
pub fn remove(directory: &Path, id: &TicketId) -> Result<(), Bad> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Bad::Missing,
        _ => Bad::Unreadable(error.to_string()),
    };
    fs::remove_file(place(directory, id, KEPT)).map_err(unreadable)?;
    settle(directory).map_err(unreadable)
}

/// Reads the first line and leaves the file at its body.
fn opened(directory: &Path, id: &TicketId) -> Result<(Ticket, BufReader<File>), Bad> {
    let path = place(directory, id, KEPT);
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Bad::Missing,
        _ => Bad::Unreadable(error.to_string()),
    };
    let about = fs::symlink_metadata(&path).map_err(unreadable)?;
    if !about.is_file() {
        // Opening a pipe would wait for somebody to write to it.
        return Err(Bad::Damaged("it is not a file".to_owned()));
    }
    let mut file = BufReader::new(File::open(&path).map_err(unreadable)?);
    let mut line = Vec::new();
    file.by_ref().take(MAX_HEAD as u64).read_until(b'\n', &mut line).map_err(unreadable)?;
    if line.pop() != Some(b'\n') {
        return Err(Bad::Damaged(format!("its first line does not end within {MAX_HEAD} bytes of {}", about.len())));
    }
    let ticket = Ticket::read(&line).map_err(Bad::Damaged)?;
    if ticket.ticket != *id {
        return Err(Bad::Damaged(format!("it says that it is {}", ticket.ticket)));
    }
    let written = line.len() as u64 + 1 + ticket.body_bytes;
    if about.len() != written {
        return Err(Bad::Damaged(format!("it has {} bytes, and {written} were written", about.len())));
    }
    Ok((ticket, file))
}

/// Makes the directory, for nobody but its owner. One that is there is taken as it is.
pub(super) fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    settle(directory)?;
    // The new name is an entry of the parent.
    match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => settle(parent),
        _ => settle(Path::new(".")),
    }
}

/// Whether files can be made there.
pub(super) fn try_out(directory: &Path) -> io::Result<()> {
    let path = directory.join(format!(".try-{}", std::process::id()));
    new_file(&path)?;
    fs::remove_file(&path)
}

/// Writes a ticket under its own name and syncs it. It is there for good after [`settle`].
pub(super) fn write(directory: &Path, id: &TicketId, head: &[u8], body: &[u8]) -> io::Result<()> {
    let part = place(directory, id, PART);
    let written = (|| {
        let mut file = new_file(&part)?;
        file.write_all(head)?;
        file.write_all(body)?;
        file.sync_all()?;
        fs::rename(&part, place(directory, id, KEPT))
    })();
    if written.is_err() {
        // What is left of it would only take room.
        let _ = fs::remove_file(&part);
    }
    written
}

/// Syncs the directory itself: the names in it.
pub(super) fn settle(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Bytes of a ticket's file.
pub(super) fn size(directory: &Path, id: &TicketId) -> u64 {
    // A file that was taken meanwhile has none.
    fs::symlink_metadata(place(directory, id, KEPT)).map_or(0, |about| about.len())
}

/// Deletes what a crash left half written before `before`, in milliseconds since 1970. Nobody was given such a ticket.
pub(super) fn sweep(directory: &Path, before: u64) -> io::Result<()> {
    for id in named(directory, PART)? {
        if id.at() < before {
            fs::remove_file(place(directory, &id, PART))?;
        }
    }
    Ok(())
}

fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn place(directory: &Path, id: &TicketId, end: &str) -> PathBuf {
    directory.join(format!("{id}{end}"))
}
