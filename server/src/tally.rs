//! How far long work is: shared between those who do it and those who watch.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counts what is done of what there is to do; also tells the work to stop.
#[derive(Debug, Default)]
pub struct Tally {
    done: AtomicU64,
    total: AtomicU64,
    stopped: AtomicBool,
}

impl Tally {
    /// Begin with a part of the work: so much is to be done.
    pub fn begin(&self, total: usize) {
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total as u64, Ordering::Relaxed);
    }

    /// So much more is done.
    pub fn add(&self, done: usize) {
        self.done.fetch_add(done as u64, Ordering::Relaxed);
    }

    /// How much is done, in percent: from 0 to 100.
    pub fn percent(&self) -> f64 {
        let total = self.total.load(Ordering::Relaxed).max(1);
        (100.0 * self.done.load(Ordering::Relaxed) as f64 / total as f64).min(100.0)
    }

    /// Nobody wants the result any more.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether the work is to end as it is.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}
