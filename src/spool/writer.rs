//! One thread that keeps tickets, so that nobody who answers requests waits for a disk.
//!
//! In: tickets from any thread. Out: one verdict for each, through what was handed over with it. Must not know: who waits.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use super::shelf::{Refused, Shelf};
use super::ticket::Ticket;
use crate::config::SpoolSettings;

/// Tickets that wait to be written; one more is refused as [`Refused::Busy`].
pub const WAITING: usize = 256;
/// Tickets that are written with one sync of the directory.
const BATCH: usize = 64;

/// A ticket on its way to the disk.
struct Work {
    ticket: Ticket,
    body: Box<dyn AsRef<[u8]> + Send>,
    done: Box<dyn FnOnce(Result<(), Refused>) + Send>,
}

type Slot = Arc<Mutex<Option<Work>>>;

/// The way to the thread. It ends when this is dropped, after everything that was handed over.
pub struct Spool {
    queue: SyncSender<Slot>,
    settings: SpoolSettings,
}

/// A ticket that was handed over.
pub struct Pending(Slot);

impl Pending {
    /// Nobody waits any more: what is not begun is not written, and its memory is free.
    pub fn withdraw(&self) {
        drop(take(&self.0));
    }
}

impl Spool {
    /// Opens the directory and starts the thread. `now` is in milliseconds since 1970; `counted` is told how many tickets wait.
    ///
    /// # Errors
    /// When tickets cannot be kept there.
    pub fn start(settings: &SpoolSettings, now: u64, counted: impl Fn(u64) + Send + 'static) -> io::Result<Self> {
        let shelf = Shelf::open(settings, now)?;
        counted(shelf.tickets());
        let (queue, work) = sync_channel(WAITING);
        std::thread::Builder::new().name("spool".to_owned()).spawn(move || keep(shelf, &work, counted))?;
        Ok(Self { queue, settings: settings.clone() })
    }

    /// What it was started with.
    pub const fn settings(&self) -> &SpoolSettings {
        &self.settings
    }

    /// Hands a ticket over. `done` is called once, from another thread, unless it is withdrawn before it was begun.
    ///
    /// # Errors
    /// [`Refused::Busy`] when [`WAITING`] tickets wait.
    pub fn put(
        &self,
        ticket: Ticket,
        body: impl AsRef<[u8]> + Send + 'static,
        done: impl FnOnce(Result<(), Refused>) + Send + 'static,
    ) -> Result<Pending, Refused> {
        let work = Work { ticket, body: Box::new(body), done: Box::new(done) };
        let slot = Arc::new(Mutex::new(Some(work)));
        match self.queue.try_send(Arc::clone(&slot)) {
            Ok(()) => Ok(Pending(slot)),
            Err(TrySendError::Full(_)) => Err(Refused::Busy),
            Err(TrySendError::Disconnected(_)) => {
                Err(Refused::Failed("the thread that writes tickets has ended".to_owned()))
            }
        }
    }
}

fn take(slot: &Slot) -> Option<Work> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn keep(mut shelf: Shelf, queue: &Receiver<Slot>, counted: impl Fn(u64)) {
    while let Ok(first) = queue.recv() {
        let more = queue.try_iter().take(BATCH - 1);
        let batch: Vec<Work> = std::iter::once(first).chain(more).filter_map(|slot| take(&slot)).collect();
        let tickets: Vec<(&Ticket, &[u8])> = batch.iter().map(|work| (&work.ticket, (*work.body).as_ref())).collect();
        let verdicts = shelf.keep(&tickets);
        counted(shelf.tickets());
        for (work, verdict) in batch.into_iter().zip(verdicts) {
            (work.done)(verdict);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::super::names;
    use super::super::ticket::tests::ticket;
    use super::*;

    const NOW: u64 = 1_790_000_000_000;

    #[test]
    fn tickets_of_many_threads_are_all_kept() {
        let root = tempfile::tempdir().unwrap();
        let settings = SpoolSettings { directory: root.path().join("spool"), ..SpoolSettings::default() };
        let spool = Spool::start(&settings, NOW, |_| {}).unwrap();
        let (done, verdicts) = channel();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (spool, done) = (&spool, done.clone());
                scope.spawn(move || {
                    for n in 0..16 {
                        let done = done.clone();
                        spool
                            .put(ticket(NOW, thread * 100 + n), b"{}", move |verdict| done.send(verdict).unwrap())
                            .unwrap();
                    }
                });
            }
        });
        assert!((0..128).all(|_| verdicts.recv().unwrap().is_ok()));
        assert_eq!(names(&settings.directory).unwrap().len(), 128);
    }

    #[test]
    fn the_way_to_the_thread_takes_its_limit_and_not_one_more() {
        let (queue, work) = sync_channel(WAITING);
        let spool = Spool { queue, settings: SpoolSettings::default() };
        for n in 0..WAITING as u64 {
            assert!(spool.put(ticket(NOW, n), b"{}", |_| {}).is_ok());
        }
        assert_eq!(spool.put(ticket(NOW, 999), b"{}", |_| {}).err(), Some(Refused::Busy));
        drop(work);
        let error = spool.put(ticket(NOW, 999), b"{}", |_| {}).err();
        assert_eq!(error, Some(Refused::Failed("the thread that writes tickets has ended".to_owned())));
    }

    #[test]
    fn what_is_withdrawn_before_it_is_begun_is_not_written() {
        let root = tempfile::tempdir().unwrap();
        let settings = SpoolSettings { directory: root.path().join("spool"), ..SpoolSettings::default() };
        let (queue, work) = sync_channel(WAITING);
        let spool = Spool { queue, settings: settings.clone() };
        let pending = spool.put(ticket(NOW, 1), b"{}", |_| panic!("nobody waits")).unwrap();
        let (done, verdict) = channel();
        spool.put(ticket(NOW, 2), b"{}", move |kept| done.send(kept).unwrap()).unwrap();
        pending.withdraw();
        drop(spool);
        keep(Shelf::open(&settings, NOW).unwrap(), &work, |_| {});
        assert_eq!(verdict.recv().unwrap(), Ok(()));
        assert_eq!(names(&settings.directory).unwrap(), [ticket(NOW, 2).ticket]);
    }
}
