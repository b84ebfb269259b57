//! Stopping in an orderly way. The server: first nothing new begins, then what still runs is given back. One job:
//! it is asked, and ends at its next safe point.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long giving back what still runs may take.
const GIVING_BACK: Duration = Duration::from_secs(1);

/// Why a job ends before its work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Interruption {
    /// Its workflow was killed.
    #[error("the workflow was killed")]
    Killed,
    /// It ran for longer than it may.
    #[error("the job took longer than {} s, the `duration` that its submission arguments allow", .0.as_secs())]
    OutOfTime(Duration),
    /// Its worker gives it back.
    #[error("the job was given back")]
    GivenBack,
}

/// Asks one job to end at its next safe point: between files, planes or blocks. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct JobStop(Arc<OnceLock<Interruption>>);

impl JobStop {
    /// Ask; the first reason counts.
    pub fn ask(&self, reason: Interruption) {
        // A second reason changes nothing.
        let _ = self.0.set(reason);
    }

    /// A safe point: nothing is half-written here.
    ///
    /// # Errors
    /// Why the job has to end here, if it has to.
    pub fn check(&self) -> Result<(), Interruption> {
        self.0.get().map_or(Ok(()), |reason| Err(*reason))
    }
}

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
