//! Stopping in an orderly way: first nothing new begins, then what still runs is given back.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long giving back what still runs may take.
const GIVING_BACK: Duration = Duration::from_secs(1);

/// Tells everything that runs workflows when to stop, and waits for it; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    begin_nothing: CancellationToken,
    give_back: CancellationToken,
    running: TaskTracker,
}

impl Stop {
    /// Run something in the background that [`Self::stop`] waits for.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.running.spawn(work);
    }

    /// Resolves when nothing new may begin.
    pub async fn asked(&self) {
        self.begin_nothing.cancelled().await;
    }

    /// Whether nothing new may begin.
    pub fn is_asked(&self) -> bool {
        self.begin_nothing.is_cancelled()
    }

    /// Resolves when running jobs have to be given back unfinished.
    pub async fn out_of_time(&self) {
        self.give_back.cancelled().await;
    }

    /// Stop: begin nothing, wait `patience` for what runs, give back what still runs then. True when
    /// everything that ran came to its end.
    pub async fn stop(&self, patience: Duration) -> bool {
        self.begin_nothing.cancel();
        self.running.close();
        if tokio::time::timeout(patience, self.running.wait()).await.is_ok() {
            return true;
        }
        self.give_back.cancel();
        if tokio::time::timeout(GIVING_BACK, self.running.wait()).await.is_err() {
            tracing::warn!("some jobs could not be given back; the next start takes them over");
        }
        false
    }
}
