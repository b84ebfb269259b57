//! Cores and memory, handed out fairly: submissions take turns, and within one first come is first served.
//!
//! A large request is not overtaken by small ones for ever: whoever's turn it is waits until what it needs is free,
//! and all others with it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::Needs;

/// What is free, and who waits for it; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: Needs,
    /// By submission; none is empty.
    waiting: BTreeMap<i64, VecDeque<Request>>,
    /// The submission that was served last.
    last: i64,
}

#[derive(Debug)]
struct Request {
    needs: Needs,
    granted: oneshot::Sender<Place>,
}

/// Cores and memory in use; free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    needs: Needs,
    places: Places,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.places.lock();
        state.free.cores += self.needs.cores;
        state.free.memory_mb += self.needs.memory_mb;
        drop(state);
        self.places.serve();
    }
}

impl Places {
    /// All of `limits` is free.
    pub fn new(limits: Needs) -> Self {
        Self(Arc::new(Mutex::new(State { free: limits, waiting: BTreeMap::new(), last: 0 })))
    }

    /// Wait for what a job of `submission` needs, which must be no more than there is in all.
    pub async fn take(&self, submission: i64, needs: Needs) -> Place {
        loop {
            let (granted, place) = oneshot::channel();
            self.lock().waiting.entry(submission).or_default().push_back(Request { needs, granted });
            self.serve();
            // The sender is only ever dropped with the place in it.
            if let Ok(place) = place.await {
                return place;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hand out what is free for as long as it is enough for whoever's turn it is.
    fn serve(&self) {
        loop {
            let Some(request) = self.lock().next() else { return };
            let place = Place { needs: request.needs, places: self.clone() };
            // Who has gone away gives the place back by dropping it.
            if let Err(unwanted) = request.granted.send(place) {
                drop(unwanted);
            }
        }
    }
}

impl State {
    /// The request whose turn it is, taken out of the queue and what it needs off what is free; `None` when nobody
    /// waits, or there is not enough.
    fn next(&mut self) -> Option<Request> {
        // Those who have gone away have no turn.
        self.waiting.retain(|_, queue| {
            queue.retain(|request| !request.granted.is_closed());
            !queue.is_empty()
        });
        let after = self.waiting.range(self.last.saturating_add(1)..).next();
        let submission = *after.or_else(|| self.waiting.iter().next())?.0;
        let queue = self.waiting.get_mut(&submission)?;
        let needs = queue.front()?.needs;
        if needs.cores > self.free.cores || needs.memory_mb > self.free.memory_mb {
            return None;
        }
        self.free.cores -= needs.cores;
        self.free.memory_mb -= needs.memory_mb;
        self.last = submission;
        let request = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&submission);
        }
        request
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn places(cores: u64, memory_mb: u64) -> Places {
        Places::new(Needs { cores, memory_mb })
    }

    const ONE: Needs = Needs { cores: 1, memory_mb: 10 };

    #[tokio::test]
    async fn submissions_take_turns_however_many_jobs_one_has() {
        let places = places(1, 100);
        let mut held = Some(places.take(1, ONE).await);
        let mut waiting: Vec<_> = [1, 1, 1, 1, 2, 2, 3]
            .into_iter()
            .map(|submission| (submission, Box::pin(places.take(submission, ONE))))
            .collect();
        let mut order = Vec::new();
        // Asked once, each stands in its queue.
        for (_, request) in &mut waiting {
            assert!(request.now_or_never_ref().is_none());
        }
        while !waiting.is_empty() {
            drop(held.take());
            let served = waiting.iter_mut().position(|(_, request)| {
                held = request.now_or_never_ref();
                held.is_some()
            });
            order.push(waiting.remove(served.expect("somebody is served")).0);
        }
        assert_eq!(order, [2, 3, 1, 2, 1, 1, 1]);
    }

    #[tokio::test]
    async fn cores_and_memory_are_both_kept_and_a_large_request_is_not_overtaken() {
        let places = places(4, 30);
        let first = places.take(1, Needs { cores: 1, memory_mb: 20 }).await;
        let mut large = Box::pin(places.take(1, Needs { cores: 1, memory_mb: 20 }));
        let mut small = Box::pin(places.take(1, ONE));
        assert!(large.now_or_never_ref().is_none(), "there are cores, but no memory");
        assert!(small.now_or_never_ref().is_none(), "it came later");
        drop(first);
        let large = large.now_or_never_ref().expect("there is memory now");
        assert!(small.now_or_never_ref().is_some());
        drop(large);
    }

    #[tokio::test]
    async fn who_goes_away_leaves_everything_free() {
        let places = places(1, 10);
        let held = places.take(1, ONE).await;
        let mut gone = Box::pin(places.take(2, ONE));
        assert!(gone.now_or_never_ref().is_none());
        drop(gone);
        drop(held);
        let mut granted = Box::pin(places.take(3, ONE));
        drop(granted.now_or_never_ref().expect("nobody has it"));
        // Granted, but never looked at.
        let mut last = Box::pin(places.take(4, ONE));
        assert!(last.now_or_never_ref().is_some());
    }

    /// A future asked once, and kept.
    trait Ask<T> {
        fn now_or_never_ref(&mut self) -> Option<T>;
    }

    impl<T, F: Future<Output = T> + Unpin> Ask<T> for F {
        fn now_or_never_ref(&mut self) -> Option<T> {
            self.now_or_never()
        }
    }
}
