//! Jobs in this process, as many at once as there are cores.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

use super::Executor;
use crate::environment::Environment;
use crate::store::StoreError;
use crate::workflow::job;

/// Runs jobs in this process.
#[derive(Debug)]
pub struct LocalExecutor {
    environment: Environment,
    cores: usize,
    free: Arc<Semaphore>,
}

impl LocalExecutor {
    /// An executor that uses at most `cores` cores at once.
    pub fn new(environment: Environment, cores: usize) -> Self {
        Self { environment, cores, free: Arc::new(Semaphore::new(cores)) }
    }
}

impl Executor for LocalExecutor {
    fn execute(&self, task: i64, cores: usize) -> BoxFuture<'_, Result<i64, StoreError>> {
        async move {
            // A request for more than there is gets all there is.
            let wanted = u32::try_from(cores.clamp(1, self.cores)).unwrap_or(u32::MAX);
            let _cores = self
                .free
                .acquire_many(wanted)
                .await
                .map_err(|_| StoreError::Corrupt("the executor was shut down".to_owned()))?;
            job::run(&self.environment, task).await
        }
        .boxed()
    }
}
