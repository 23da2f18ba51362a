//! JSON lines, without the request path ever waiting for a disk or a pipe.
//!
//! In: whatever appends a line. Out: lines on a sink, written by one thread. Must not know: what a line says.
//!
//! Requests append to one buffer under a short lock; a thread swaps the buffer out and writes it. A thread and a channel
//! would cost a wake-up for each line, and a write for each line costs more than the rest of the logging.

use std::cell::RefCell;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use prometheus::IntCounter;

/// How long a line may stay in memory.
const FLUSH_EVERY: Duration = Duration::from_millis(50);
/// Bytes that may wait for a slow sink; lines beyond are lost and counted.
const BUFFER_LIMIT: usize = 8 << 20;
/// Bytes that wake the writer before its time: few enough to be in the processor's cache still.
const WAKE_AT: usize = 64 << 10;

/// Where lines go.
pub enum Sink {
    /// Nowhere.
    Off,
    /// Standard output.
    Stdout,
    /// Appended to this file, which is made with mode 0600 when missing.
    File(PathBuf),
    /// Anything else; for tests.
    Writer(Box<dyn Write + Send>),
}

/// The way to the sink.
pub struct LineLog {
    shared: Option<Arc<Shared>>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    written: Condvar,
    lost: IntCounter,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    waiting_lines: u64,
    writing: bool,
    closed: bool,
}

thread_local! {
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl LineLog {
    /// Opens the sink and starts its thread. Lines that cannot be written are counted in `lost`.
    pub fn start(sink: Sink, lost: IntCounter) -> std::io::Result<Self> {
        let writer: Box<dyn Write + Send> = match sink {
            Sink::Off => return Ok(Self { shared: None }),
            Sink::Stdout => Box::new(std::io::stdout()),
            Sink::File(path) => Box::new(append(&path)?),
            Sink::Writer(writer) => writer,
        };
        let shared = Arc::new(Shared { state: Mutex::default(), wake: Condvar::new(), written: Condvar::new(), lost });
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new().name("request-log".to_owned()).spawn(move || drain(&theirs, writer))?;
        Ok(Self { shared: Some(shared) })
    }

    /// Appends one line, which `write` appends to what it is given.
    pub fn write(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let Some(shared) = &self.shared else { return };
        LINE.with_borrow_mut(|buffer| {
            buffer.clear();
            write(buffer);
            buffer.push(b'\n');
            let mut state = shared.state.lock();
            if state.waiting.len() + buffer.len() > BUFFER_LIMIT {
                shared.lost.inc();
                return;
            }
            state.waiting.extend_from_slice(buffer);
            state.waiting_lines += 1;
            if state.waiting.len() >= WAKE_AT {
                shared.wake.notify_one();
            }
        });
    }

    /// Returns when every line written before has reached the sink.
    pub fn flush(&self) {
        let Some(shared) = &self.shared else { return };
        let mut state = shared.state.lock();
        while !state.waiting.is_empty() || state.writing {
            shared.wake.notify_one();
            shared.written.wait_for(&mut state, FLUSH_EVERY);
        }
    }
}

impl Drop for LineLog {
    fn drop(&mut self) {
        self.flush();
        if let Some(shared) = &self.shared {
            shared.state.lock().closed = true;
            shared.wake.notify_one();
        }
    }
}

fn append(path: &std::path::Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

fn drain(shared: &Shared, mut writer: Box<dyn Write + Send>) {
    let mut batch = Vec::new();
    loop {
        let mut state = shared.state.lock();
        if state.waiting.is_empty() {
            if state.closed {
                return;
            }
            shared.wake.wait_for(&mut state, FLUSH_EVERY);
        }
        std::mem::swap(&mut batch, &mut state.waiting);
        let lines = std::mem::take(&mut state.waiting_lines);
        state.writing = !batch.is_empty();
        drop(state);
        if !batch.is_empty() {
            if writer.write_all(&batch).and_then(|()| writer.flush()).is_err() {
                shared.lost.inc_by(lines);
            }
            batch.clear();
            // A burst must not keep its memory for ever.
            batch.shrink_to(WAKE_AT);
        }
        shared.state.lock().writing = false;
        shared.written.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("full"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn lost() -> IntCounter {
        IntCounter::new("lost", "lost").unwrap()
    }

    #[test]
    fn every_line_arrives_whole_and_in_order() {
        let memory = Memory::default();
        let log = LineLog::start(Sink::Writer(Box::new(memory.clone())), lost()).unwrap();
        for n in 0..1000 {
            log.write(|line| line.extend_from_slice(n.to_string().as_bytes()));
        }
        log.flush();
        let expected: String = (0..1000).map(|n| format!("{n}\n")).collect();
        assert_eq!(String::from_utf8(memory.0.lock().clone()).unwrap(), expected);
    }

    #[test]
    fn a_broken_sink_loses_lines_and_says_how_many() {
        let lost = lost();
        let log = LineLog::start(Sink::Writer(Box::new(Broken)), lost.clone()).unwrap();
        log.write(|line| line.push(b'1'));
        log.write(|line| line.push(b'2'));
        log.flush();
        assert_eq!(lost.get(), 2);
    }

    #[test]
    fn the_buffer_takes_its_limit_and_not_a_byte_more() {
        let lost = lost();
        let shared =
            Shared { state: Mutex::default(), wake: Condvar::new(), written: Condvar::new(), lost: lost.clone() };
        let log = LineLog { shared: Some(Arc::new(shared)) };
        // The line's end belongs to it.
        log.write(|line| line.resize(BUFFER_LIMIT - 1, b'x'));
        assert_eq!(lost.get(), 0);
        log.write(|line| line.push(b'1'));
        assert_eq!(lost.get(), 1);
        std::mem::forget(log); // nobody drains it, so its flush would wait for ever
    }
}
