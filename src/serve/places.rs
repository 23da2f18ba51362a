//! Places for requests in work, and the order in which those who wait get one.
//!
//! In: how many there may be, now and after every reload. Out: a place at once, or after those who came before. Must not know: what
//! is done in one, who counts them.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

/// So many that nobody waits.
const MOST: usize = Semaphore::MAX_PERMITS;

/// Places, first come, first served: while somebody waits, nobody takes one by chance.
pub struct Places {
    free: Semaphore,
    /// How many there are, the taken ones included.
    all: AtomicUsize,
    /// Of those that were taken away while they were taken: whoever gives one back gives it to nobody.
    owed: AtomicUsize,
}

impl Places {
    /// As many as there can be.
    pub fn new() -> Self {
        Self { free: Semaphore::new(MOST), all: AtomicUsize::new(MOST), owed: AtomicUsize::new(0) }
    }

    /// Another number of them; who has one keeps it. One call at a time.
    pub fn resize(&self, to: usize) {
        let to = to.min(MOST);
        let before = self.all.swap(to, Ordering::AcqRel);
        if to >= before {
            let more = to - before;
            let paid = self.pay(more);
            self.free.add_permits(more - paid);
        } else {
            let fewer = before - to;
            let forgotten = self.free.forget_permits(fewer);
            self.owed.fetch_add(fewer - forgotten, Ordering::AcqRel);
        }
    }

    /// Takes one, if there is one that nobody waits for.
    pub fn take(&self) -> bool {
        self.free.try_acquire().map(tokio::sync::SemaphorePermit::forget).is_ok()
    }

    /// Takes one in turn. Dropping the future leaves the line.
    pub async fn take_in_turn(&self) {
        if let Ok(place) = self.free.acquire().await {
            place.forget();
        }
    }

    /// Gives one back.
    pub fn give_back(&self) {
        if self.pay(1) == 0 {
            self.free.add_permits(1);
        }
    }

    /// Takes up to `most` off what is owed.
    fn pay(&self, most: usize) -> usize {
        if self.owed.load(Ordering::Acquire) == 0 {
            return 0;
        }
        let before =
            self.owed.fetch_update(Ordering::AcqRel, Ordering::Acquire, |owed| Some(owed.saturating_sub(most)));
        before.map_or(0, |before| before.min(most))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn places(number: usize) -> Places {
        let places = Places::new();
        places.resize(number);
        places
    }

    fn taken(places: &Places) -> usize {
        (0..100).take_while(|_| places.take()).count()
    }

    #[test]
    fn as_many_are_taken_as_there_are() {
        let places = places(3);
        assert_eq!(taken(&places), 3);
        places.give_back();
        assert_eq!(taken(&places), 1);
    }

    #[test]
    fn those_that_are_taken_away_are_not_given_to_the_next() {
        let places = places(5);
        assert_eq!(taken(&places), 5);
        places.resize(2);
        (0..3).for_each(|_| places.give_back());
        assert!(!places.take(), "two are left, and both are taken");
        places.give_back();
        assert_eq!(taken(&places), 1);
        places.resize(1);
        places.resize(4);
        assert_eq!(taken(&places), 2);
        (0..4).for_each(|_| places.give_back());
        assert_eq!(taken(&places), 4);
    }

    #[tokio::test]
    async fn who_waits_comes_before_who_comes() {
        let places = Arc::new(places(1));
        assert!(places.take());
        let order = Arc::new(parking_lot::Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for number in 0..3 {
            let (places, order) = (Arc::clone(&places), Arc::clone(&order));
            waiting.push(tokio::spawn(async move {
                places.take_in_turn().await;
                order.lock().push(number);
            }));
            tokio::task::yield_now().await;
        }
        // The second leaves.
        waiting.remove(1).abort();
        tokio::task::yield_now().await;
        places.give_back();
        assert!(!places.take(), "it belongs to the first who waits");
        tokio::task::yield_now().await;
        places.give_back();
        for one in waiting {
            one.await.unwrap();
        }
        assert_eq!(*order.lock(), [0, 2]);
    }
}
