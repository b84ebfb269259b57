//! Jobs in this process, as many at once as there are cores.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

use super::Executor;
use crate::environment::Environment;
use crate::workflow::job::{self, Halt};
use crate::workflow::stop::Stop;

/// Runs jobs in this process.
#[derive(Debug)]
pub struct LocalExecutor {
    environment: Environment,
    cores: usize,
    free: Arc<Semaphore>,
    stop: Stop,
}

impl LocalExecutor {
    /// An executor that uses at most `cores` cores at once.
    pub fn new(environment: Environment, cores: usize, stop: Stop) -> Self {
        Self { environment, cores, free: Arc::new(Semaphore::new(cores)), stop }
    }
}

impl Executor for LocalExecutor {
    fn execute(&self, task: i64, cores: usize) -> BoxFuture<'_, Result<i64, Halt>> {
        async move {
            // A request for more than there is gets all there is.
            let wanted = u32::try_from(cores.clamp(1, self.cores)).unwrap_or(u32::MAX);
            let _cores = tokio::select! {
                biased;
                () = self.stop.asked() => return Err(Halt::Stopping),
                cores = self.free.acquire_many(wanted) => cores.map_err(|_| Halt::Stopping)?,
            };
            job::run(&self.environment, task, &self.stop).await
        }
        .boxed()
    }
}
