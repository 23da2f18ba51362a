//! The request log of the demo's own sidecar, kept in memory.
//!
//! In: bytes of JSON lines. Out: the line of one request. Must not know: what a line means beyond its `request_id`.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Bytes kept; older lines are dropped. A visitor's requests come here too, for as long as the demo stays up.
const MAX_BYTES: usize = 1 << 20;

/// Both ends: written by the sidecar, read by the demo.
#[derive(Clone, Default)]
pub struct Lines {
    shared: Arc<(Mutex<Vec<u8>>, Condvar)>,
}

impl Lines {
    /// The line of a request, as soon as it is written, or `None` when `patience` is over.
    pub fn of(&self, request_id: &str, patience: Duration) -> Option<Value> {
        let (bytes, written) = &*self.shared;
        let end = Instant::now() + patience;
        let mut kept = bytes.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let lines = kept.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
            if let Some(found) = lines.into_iter().find(|line| line["request_id"] == request_id) {
                return Some(found);
            }
            let left = end.checked_duration_since(Instant::now())?;
            kept = written.wait_timeout(kept, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Write for Lines {
    fn write(&mut self, new: &[u8]) -> io::Result<usize> {
        let (bytes, written) = &*self.shared;
        let mut kept = bytes.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() + new.len() > MAX_BYTES {
            kept.clear();
        }
        kept.extend_from_slice(new);
        written.notify_all();
        Ok(new.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_by_its_request_even_when_it_comes_later() {
        let lines = Lines::default();
        let mut writer = lines.clone();
        assert!(lines.of("b", Duration::ZERO).is_none());
        let writing =
            std::thread::spawn(move || writer.write_all(b"{\"request_id\":\"a\"}\n{\"request_id\":\"b\",\"n\":1}\n"));
        assert_eq!(lines.of("b", Duration::from_secs(5)).unwrap()["n"], 1);
        writing.join().unwrap().unwrap();
    }
}
