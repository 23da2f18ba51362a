//! Answers in memory.
//!
//! In: answers with their keys and times. Out: one that is young enough. Must not know: whose they are.

use bytes::Bytes;
use lru::LruCache;
use parking_lot::Mutex;
use std::sync::Arc;

use super::key::Key;
use crate::config::CacheSettings;
use crate::units::Millis;

/// Bytes that an answer costs beside its own.
pub const OVERHEAD: u64 = 256;

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As the caller was sent it: a document, or the events of a stream.
    pub body: Bytes,
    /// The snapshot that answered.
    pub snapshot: Arc<str>,
    /// The number of the rule that it was given under.
    pub rule: u32,
    /// When it was complete.
    pub at: Millis,
    /// When it is of no use to anybody any more.
    pub until: Millis,
}

impl Entry {
    fn size(&self) -> u64 {
        OVERHEAD + self.body.len() as u64
    }
}

/// All of them.
pub struct Store {
    settings: CacheSettings,
    held: Mutex<Held>,
}

struct Held {
    entries: LruCache<Key, Entry>,
    bytes: u64,
}

impl Store {
    /// With nothing in it.
    pub fn new(settings: &CacheSettings) -> Self {
        Self { settings: settings.clone(), held: Mutex::new(Held { entries: LruCache::unbounded(), bytes: 0 }) }
    }

    /// What bounds it.
    pub const fn settings(&self) -> &CacheSettings {
        &self.settings
    }

    /// Keeps an answer in place of an older one to the same request. One that is over `cache.entry` is not kept.
    pub fn put(&self, key: Key, entry: Entry) {
        if entry.body.len() as u64 > self.settings.entry || entry.size() > self.settings.bytes {
            return;
        }
        let mut held = self.held.lock();
        held.bytes += entry.size();
        if let Some(older) = held.entries.put(key, entry) {
            held.bytes -= older.size();
        }
        while held.bytes > self.settings.bytes || held.entries.len() as u64 > self.settings.entries {
            let Some((_, oldest)) = held.entries.pop_lru() else { return };
            held.bytes -= oldest.size();
        }
    }

    /// The answer to a request, if it is not older than `up_to`, and its age.
    pub fn get(&self, key: &Key, now: Millis, up_to: Millis) -> Option<(Entry, Millis)> {
        let mut held = self.held.lock();
        let entry = held.entries.get(key)?;
        let age = now - entry.at;
        if age <= up_to && now <= entry.until {
            return Some((entry.clone(), age));
        }
        if now > entry.until
            && let Some(gone) = held.entries.pop(key)
        {
            held.bytes -= gone.size();
        }
        None
    }

    /// How many there are, and their bytes.
    pub fn held(&self) -> (u64, u64) {
        let held = self.held.lock();
        (held.entries.len() as u64, held.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::KeyBuilder;
    use super::*;

    fn key(n: u64) -> Key {
        KeyBuilder::new().part("n", &n.to_string()).body(b"{}")
    }

    fn entry(bytes: usize, at: u64) -> Entry {
        Entry {
            body: vec![b'x'; bytes].into(),
            snapshot: "a/b".into(),
            rule: 0,
            at: Millis(at),
            until: Millis(at + 1000),
        }
    }

    fn has(store: &Store, n: u64) -> bool {
        store.get(&key(n), Millis(0), Millis::MAX).is_some()
    }

    #[test]
    fn an_answer_is_given_up_to_its_age_and_not_a_millisecond_longer() {
        let store = Store::new(&CacheSettings::default());
        store.put(key(1), entry(3, 50));
        let age = |now, up_to| store.get(&key(1), Millis(now), Millis(up_to)).map(|(_, age)| age.0);
        assert_eq!((age(150, 100), age(151, 100), age(151, 101)), (Some(100), None, Some(101)));
        assert_eq!((age(1050, 5000), store.held().0), (Some(1000), 1));
        assert_eq!((age(1051, 5000), store.held()), (None, (0, 0)));
    }

    #[test]
    fn entries_stop_at_their_limit_and_the_least_used_makes_room() {
        let store = Store::new(&CacheSettings { entries: 2, ..CacheSettings::default() });
        store.put(key(1), entry(1, 0));
        store.put(key(2), entry(1, 0));
        assert!(has(&store, 1) && has(&store, 2) && has(&store, 1));
        store.put(key(3), entry(1, 0));
        assert_eq!((has(&store, 1), has(&store, 2), has(&store, 3)), (true, false, true));
        assert_eq!(store.held(), (2, 2 * (OVERHEAD + 1)));
    }

    #[test]
    fn bytes_stop_at_their_limit() {
        let store = Store::new(&CacheSettings { bytes: 2 * OVERHEAD + 100, ..CacheSettings::default() });
        store.put(key(1), entry(50, 0));
        store.put(key(2), entry(50, 0));
        assert_eq!(store.held(), (2, 2 * OVERHEAD + 100));
        store.put(key(2), entry(51, 0));
        assert_eq!((store.held(), has(&store, 2)), ((1, OVERHEAD + 51), true));
    }

    #[test]
    fn one_answer_stops_at_its_limit() {
        let store = Store::new(&CacheSettings { entry: 10, ..CacheSettings::default() });
        store.put(key(1), entry(10, 0));
        store.put(key(2), entry(11, 0));
        assert_eq!((has(&store, 1), has(&store, 2)), (true, false));
    }
}
