//! The bridge between async code and the engine: pixels never run on async threads, and never more
//! of them at once than there are cores.
//!
//! There are two lanes, so that a batch of jobs cannot make a person wait for a tile: each lane has as
//! many places as there are cores, and the operating system shares the cores between them. Work on many small
//! files has more threads than that, because a thread that waits for the disk leaves its core idle.

use std::sync::Arc;

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use tm_engine::Engine;
use tokio::sync::Semaphore;

/// Runs pixel work (and other work that blocks) off the async threads, bounded.
#[derive(Debug, Clone)]
pub struct Compute {
    engine: Arc<Engine>,
    interactive: Arc<Semaphore>,
    batch: Arc<Semaphore>,
    files: Arc<ThreadPool>,
}

/// Threads for work on files, for each core.
const FILE_THREADS: usize = 2;

/// Pixel work ended without a result.
#[derive(Debug, thiserror::Error)]
pub enum ComputeError {
    /// The work panicked; the panic was reported to the log.
    #[error("pixel work panicked")]
    Panicked,
    /// The server is shutting down.
    #[error("the server is shutting down")]
    ShuttingDown,
}

impl Compute {
    /// A bridge to `engine` with `cores` places in each lane.
    ///
    /// # Errors
    /// When the operating system gives no more threads.
    pub fn new(engine: Engine, cores: usize) -> Result<Self, ThreadPoolBuildError> {
        let cores = cores.max(1);
        let lane = || Arc::new(Semaphore::new(cores));
        let files = ThreadPoolBuilder::new()
            .num_threads(FILE_THREADS * cores)
            .thread_name(|index| format!("files-{index}"))
            .build()?;
        Ok(Self { engine: Arc::new(engine), interactive: lane(), batch: lane(), files: Arc::new(files) })
    }

    /// The engine, for code that is off the async threads already.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Run work that a person waits for.
    ///
    /// # Errors
    /// [`ComputeError`] when the work panicked or the server shuts down.
    pub async fn interactive<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine) -> R + Send + 'static,
    ) -> Result<R, ComputeError> {
        self.run(&self.interactive, work).await
    }

    /// Run work of a job.
    ///
    /// # Errors
    /// [`ComputeError`] when the work panicked or the server shuts down.
    pub async fn batch<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine) -> R + Send + 'static,
    ) -> Result<R, ComputeError> {
        self.run(&self.batch, work).await
    }

    /// Run work of a job on each of many files; the results come in the order of the items. As many items are
    /// in memory at once as there are threads for it: twice the cores.
    ///
    /// # Errors
    /// [`ComputeError`] when the work panicked or the server shuts down.
    pub async fn each_file<I: Send + 'static, R: Send + 'static>(
        &self,
        items: Vec<I>,
        work: impl Fn(&Engine, I) -> R + Send + Sync + 'static,
    ) -> Result<Vec<R>, ComputeError> {
        let files = Arc::clone(&self.files);
        self.batch(move |engine| {
            files.install(|| items.into_par_iter().map(|item| work(engine, item)).collect())
        })
        .await
    }

    async fn run<R: Send + 'static>(
        &self,
        lane: &Arc<Semaphore>,
        work: impl FnOnce(&Engine) -> R + Send + 'static,
    ) -> Result<R, ComputeError> {
        let permit = Arc::clone(lane).acquire_owned().await.map_err(|_| ComputeError::ShuttingDown)?;
        let engine = Arc::clone(&self.engine);
        tokio::task::spawn_blocking(move || {
            // Held until the work ends, even when whoever asked has gone away.
            let _permit = permit;
            work(&engine)
        })
        .await
        .map_err(|_| ComputeError::Panicked)
    }
}
