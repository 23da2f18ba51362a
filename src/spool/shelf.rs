//! A directory of tickets with its limits.
//!
//! In: tickets with their bodies, the time they came. Out: files, or the reason there is none. Must not know: threads.

use std::io;
use std::path::{Path, PathBuf};

use super::disk;
use super::ticket::{MAX_HEAD, Ticket};
use crate::config::SpoolSettings;
use crate::units::Millis;

/// Other processes take tickets away, so what lies there is counted again before tickets are added; at most this often, because
/// counting looks at every file.
const COUNT_EVERY: u64 = 250;
/// A half-written file of this age belongs to nobody who still writes.
const ABANDONED: Millis = Millis(3_600_000);

/// Why a ticket was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A limit of `spool:`.
    Full(Full),
    /// Too many wait to be written: the disk is slow.
    Busy,
    /// What is known about the request is longer than [`MAX_HEAD`].
    TooLong,
    /// The system says no.
    Failed(String),
}

/// The limit of `spool:` that is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// `spool.tickets`
    Tickets(u64),
    /// `spool.bytes`
    Bytes(u64),
    /// `spool.age`: the oldest ticket waits longer than that, so nobody works them.
    Age(Millis),
}

impl Refused {
    /// As metrics label it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Full(Full::Tickets(_)) => "full_tickets",
            Self::Full(Full::Bytes(_)) => "full_bytes",
            Self::Full(Full::Age(_)) => "full_age",
            Self::Busy => "busy",
            Self::TooLong => "too_long",
            Self::Failed(_) => "failed",
        }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Full(Full::Tickets(limit)) => write!(f, "{limit} tickets wait, as many as `spool.tickets` allows"),
            Self::Full(Full::Bytes(limit)) => {
                write!(f, "with it, tickets take more than the {limit} bytes of `spool.bytes`")
            }
            Self::Full(Full::Age(age)) => write!(f, "the oldest ticket waits longer than the {age} of `spool.age`"),
            Self::Busy => f.write_str("too many tickets wait to be written"),
            Self::TooLong => write!(f, "what is known about the request is longer than {MAX_HEAD} bytes"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

/// Tickets on their directory.
pub struct Shelf {
    directory: PathBuf,
    limits: SpoolSettings,
    held: Held,
    counted_at: Option<u64>,
}

/// What lies there.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    tickets: u64,
    bytes: u64,
    oldest: Option<u64>,
}

impl Shelf {
    /// Makes the directory if there is none, and tries whether files can be made in it. `now` is in milliseconds since 1970.
    ///
    /// # Errors
    /// When tickets cannot be kept there.
    pub fn open(limits: &SpoolSettings, now: u64) -> io::Result<Self> {
        let directory = limits.directory.clone();
        disk::make(&directory)?;
        disk::try_out(&directory)?;
        disk::sweep(&directory, now.saturating_sub(ABANDONED.0))?;
        let mut shelf = Self { directory, limits: limits.clone(), held: Held::default(), counted_at: None };
        shelf.count(now)?;
        Ok(shelf)
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// How many tickets wait, as last counted.
    pub const fn tickets(&self) -> u64 {
        self.held.tickets
    }

    /// Keeps tickets, one verdict for each. Those that are kept are on the disk for good.
    pub fn keep(&mut self, batch: &[(&Ticket, &[u8])]) -> Vec<Result<(), Refused>> {
        let mut verdicts: Vec<_> = batch.iter().map(|(ticket, body)| self.write(ticket, body)).collect();
        if verdicts.iter().any(Result::is_ok)
            && let Err(error) = disk::settle(&self.directory)
        {
            for (verdict, (ticket, _)) in verdicts.iter_mut().zip(batch).filter(|(verdict, _)| verdict.is_ok()) {
                // It may be there or not, and the caller will get something else.
                let _ = disk::remove(&self.directory, &ticket.ticket);
                *verdict = Err(Refused::Failed(error.to_string()));
            }
            self.counted_at = None;
        }
        verdicts
    }

    fn write(&mut self, ticket: &Ticket, body: &[u8]) -> Result<(), Refused> {
        let failed = |error: io::Error| Refused::Failed(error.to_string());
        let head = ticket.head(body).ok_or(Refused::TooLong)?;
        let (now, more) = (ticket.ticket.at(), (head.len() + body.len()) as u64);
        if self.counted_at.is_none_or(|at| now.abs_diff(at) >= COUNT_EVERY) {
            self.count(now).map_err(failed)?;
        }
        self.room(more, now).map_err(Refused::Full)?;
        disk::write(&self.directory, &ticket.ticket, &head, body).map_err(failed)?;
        self.held.tickets += 1;
        self.held.bytes += more;
        self.held.oldest = Some(self.held.oldest.map_or(now, |oldest| oldest.min(now)));
        Ok(())
    }

    fn room(&self, more: u64, now: u64) -> Result<(), Full> {
        let SpoolSettings { tickets, bytes, age, .. } = self.limits;
        if self.held.tickets >= tickets {
            return Err(Full::Tickets(tickets));
        }
        if self.held.bytes.saturating_add(more) > bytes {
            return Err(Full::Bytes(bytes));
        }
        match self.held.oldest {
            Some(oldest) if now.saturating_sub(oldest) > age.0 => Err(Full::Age(age)),
            _ => Ok(()),
        }
    }

    fn count(&mut self, now: u64) -> io::Result<()> {
        let names = disk::names(&self.directory)?;
        let bytes = names.iter().map(|id| disk::size(&self.directory, id)).sum();
        self.held = Held { tickets: names.len() as u64, bytes, oldest: names.first().map(super::TicketId::at) };
        self.counted_at = Some(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::ticket::tests::ticket;
    use super::super::{Bad, look, names, remove, take};
    use super::*;

    const NOW: u64 = 1_790_000_000_000;

    struct Place {
        _root: tempfile::TempDir,
        settings: SpoolSettings,
    }

    fn place() -> Place {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("deep/spool");
        Place { settings: SpoolSettings { directory, ..SpoolSettings::default() }, _root: root }
    }

    fn keep(shelf: &mut Shelf, ticket: &Ticket, body: &[u8]) -> Result<(), Refused> {
        shelf.keep(&[(ticket, body)]).remove(0)
    }

    #[test]
    fn a_kept_ticket_is_read_back_byte_for_byte_and_only_its_owner_can() {
        let place = place();
        let mut shelf = Shelf::open(&place.settings, NOW).unwrap();
        let body = b"{\"a\":\n\"b\xc3\xa9\"}\n\n";
        let kept = ticket(NOW, 7);
        assert_eq!(keep(&mut shelf, &kept, body), Ok(()));
        let (read, back) = take(shelf.directory(), &kept.ticket).unwrap();
        assert_eq!((read.body_bytes, back.as_slice()), (body.len() as u64, body.as_slice()));
        assert_eq!(Ticket { body_bytes: 0, body_sha256: String::new(), ..read }, kept);
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(shelf.directory()), 0o700);
        let files: Vec<_> = std::fs::read_dir(shelf.directory()).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!((files.len(), mode(&files[0])), (1, 0o600));
        assert_eq!(remove(shelf.directory(), &kept.ticket), Ok(()));
        assert_eq!(remove(shelf.directory(), &kept.ticket), Err(Bad::Missing));
        assert_eq!(look(shelf.directory(), &kept.ticket), Err(Bad::Missing));
    }

    #[test]
    fn the_number_of_tickets_stops_at_its_limit() {
        let mut place = place();
        place.settings.tickets = 2;
        let mut shelf = Shelf::open(&place.settings, NOW).unwrap();
        let verdicts = shelf.keep(&[(&ticket(NOW, 1), b"{}"), (&ticket(NOW, 2), b"{}"), (&ticket(NOW, 3), b"{}")]);
        assert_eq!(verdicts, [Ok(()), Ok(()), Err(Refused::Full(Full::Tickets(2)))]);
        assert_eq!(names(shelf.directory()).unwrap().len(), 2);
        // A fresh look at the directory says the same, and sees what was taken away.
        let mut later = Shelf::open(&place.settings, NOW).unwrap();
        assert_eq!(keep(&mut later, &ticket(NOW, 4), b"{}"), Err(Refused::Full(Full::Tickets(2))));
        remove(shelf.directory(), &ticket(NOW, 1).ticket).unwrap();
        assert_eq!(keep(&mut later, &ticket(NOW + COUNT_EVERY, 4), b"{}"), Ok(()));
    }

    #[test]
    fn bytes_stop_at_their_limit_heads_included() {
        let mut place = place();
        let one = ticket(NOW, 1).head(b"{}").unwrap().len() as u64 + 2;
        for (bytes, verdict) in [(one, Ok(())), (one - 1, Err(Refused::Full(Full::Bytes(one - 1))))] {
            place.settings.bytes = bytes;
            let mut shelf = Shelf::open(&place.settings, NOW).unwrap();
            assert_eq!(keep(&mut shelf, &ticket(NOW, 1), b"{}"), verdict);
            let _ = remove(shelf.directory(), &ticket(NOW, 1).ticket);
        }
    }

    #[test]
    fn a_ticket_that_nobody_takes_for_too_long_closes_the_spool() {
        let mut place = place();
        place.settings.age = Millis(1000);
        let mut shelf = Shelf::open(&place.settings, NOW).unwrap();
        assert_eq!(keep(&mut shelf, &ticket(NOW, 1), b"{}"), Ok(()));
        assert_eq!(keep(&mut shelf, &ticket(NOW + 1000, 2), b"{}"), Ok(()));
        assert_eq!(keep(&mut shelf, &ticket(NOW + 1001, 3), b"{}"), Err(Refused::Full(Full::Age(Millis(1000)))));
        remove(shelf.directory(), &ticket(NOW, 1).ticket).unwrap();
        assert_eq!(keep(&mut shelf, &ticket(NOW + 1001 + COUNT_EVERY, 3), b"{}"), Ok(()));
    }

    #[test]
    fn what_a_crash_left_half_written_is_swept_when_it_is_old() {
        let place = place();
        let shelf = Shelf::open(&place.settings, NOW).unwrap();
        let part = |at: u64| shelf.directory().join(format!("{}.part", ticket(at, 1).ticket));
        let (old, young) = (part(NOW - ABANDONED.0 - 1), part(NOW - ABANDONED.0));
        for path in [&old, &young] {
            std::fs::write(path, "{").unwrap();
        }
        let again = Shelf::open(&place.settings, NOW).unwrap();
        assert_eq!((old.exists(), young.exists(), again.tickets()), (false, true, 0));
    }

    #[test]
    fn every_damage_is_said_and_the_file_stays() {
        let place = place();
        let mut shelf = Shelf::open(&place.settings, NOW).unwrap();
        let kept = ticket(NOW, 7);
        keep(&mut shelf, &kept, b"{\"a\":1}").unwrap();
        let path = shelf.directory().join(format!("{}.ticket", kept.ticket));
        let good = std::fs::read(&path).unwrap();
        let text = String::from_utf8(good.clone()).unwrap();
        for (bytes, why) in [
            (good[..good.len() - 1].to_vec(), "bytes, and"),
            ([&good[..], b"x"].concat(), "bytes, and"),
            (Vec::new(), "does not end within"),
            (b"garbage\n".to_vec(), "not a ticket"),
            (text.replace("{\"a\":1}", "{\"a\":2}").into_bytes(), "not what was written"),
            (text.replace(kept.ticket.as_str(), ticket(NOW, 8).ticket.as_str()).into_bytes(), "it says that it is"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let Err(Bad::Damaged(said)) = take(shelf.directory(), &kept.ticket) else { panic!("{why}") };
            assert!(said.contains(why), "{said}");
            assert_eq!(names(shelf.directory()).unwrap(), std::slice::from_ref(&kept.ticket));
        }
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_said_when_it_is_opened() {
        let place = place();
        std::fs::create_dir_all(place.settings.directory.parent().unwrap()).unwrap();
        std::fs::write(&place.settings.directory, "a file").unwrap();
        assert!(Shelf::open(&place.settings, NOW).is_err());
    }
}
