//! Executors: where jobs run.

mod local;

use futures_util::future::BoxFuture;

pub use local::LocalExecutor;

use super::job::Halt;

/// Runs jobs of the task tree.
pub trait Executor: Send + Sync + std::fmt::Debug {
    /// Run the job with this task id once there is room for its `cores`; the value is its exit code.
    fn execute(&self, task: i64, cores: usize) -> BoxFuture<'_, Result<i64, Halt>>;
}
