//! The submissions that this process runs, and how to kill one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// The submissions under way; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Running(Arc<Mutex<HashMap<i64, Arc<Signals>>>>);

#[derive(Debug, Default)]
struct Signals {
    kill: CancellationToken,
    ended: CancellationToken,
}

/// One submission under way, until this is dropped.
#[derive(Debug)]
pub(super) struct Run {
    submission: i64,
    signals: Arc<Signals>,
    running: Running,
}

impl Run {
    /// Cancelled when the submission is killed.
    pub fn killed(&self) -> CancellationToken {
        self.signals.kill.clone()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let mut running = self.running.lock();
        // Submitted again, the entry may be the next run's by now.
        if running.get(&self.submission).is_some_and(|known| Arc::ptr_eq(known, &self.signals)) {
            running.remove(&self.submission);
        }
        drop(running);
        self.signals.ended.cancel();
    }
}

impl Running {
    /// A submission is under way from now on.
    pub fn begin(&self, submission: i64) -> Run {
        let signals = Arc::<Signals>::default();
        self.lock().insert(submission, Arc::clone(&signals));
        Run { submission, signals, running: self.clone() }
    }

    /// Tell a submission to end and wait until it has, for `patience` at most; false when it is not under way here.
    pub async fn kill(&self, submission: i64, patience: Duration) -> bool {
        let Some(signals) = self.lock().get(&submission).cloned() else { return false };
        signals.kill.cancel();
        if tokio::time::timeout(patience, signals.ended.cancelled()).await.is_err() {
            tracing::info!(submission, "killed jobs are still on their way to a safe point");
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Arc<Signals>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
