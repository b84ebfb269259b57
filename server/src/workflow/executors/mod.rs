//! Executors: where jobs run.

mod local;
mod places;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

pub use local::LocalExecutor;

use super::job::{Ended, Halt};

/// A job to run.
#[derive(Debug, Clone)]
pub struct Order {
    /// Row id of the job.
    pub task: i64,
    /// The submission it belongs to: submissions take turns.
    pub submission: i64,
    /// What it needs.
    pub needs: Needs,
    /// Whether nothing may run beside it: workers vanished while they ran it, and it is to be found out whether it
    /// was the cause.
    pub alone: bool,
    /// Cancelled when the workflow is killed.
    pub kill: CancellationToken,
}

/// What a job needs of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Cores.
    pub cores: u64,
    /// Megabytes of memory.
    pub memory_mb: u64,
}

/// Runs jobs of the task tree.
pub trait Executor: Send + Sync + std::fmt::Debug {
    /// Run a job once there is room for what it needs, and record how it ended.
    fn execute(&self, order: Order) -> BoxFuture<'_, Result<Ended, Halt>>;
}
