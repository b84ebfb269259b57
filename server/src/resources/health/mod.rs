//! How the server is: whether database and files answer, and figures for those who watch it.

pub mod handlers;
mod queries;

use std::sync::Arc;
use std::time::Duration;

use tm_engine::Engine;
use tokio::sync::Semaphore;

use crate::app::App;
use crate::environment::Environment;
use crate::machine;
use crate::metrics::MetricsPage;
use crate::resources::workflow::queries as workflows;
use crate::store::Result;

/// How long database and files may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks at the files, one at a time: a file system that hangs must not take a thread with every question.
#[derive(Debug, Clone)]
pub struct Doctor(Arc<Semaphore>);

impl Default for Doctor {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

/// What answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Whether the database does.
    pub database: bool,
    /// Whether the data directory does.
    pub data_directory: bool,
}

impl Health {
    /// Whether everything answers.
    pub fn is_good(self) -> bool {
        self.database && self.data_directory
    }
}

impl Doctor {
    /// Ask database and data directory.
    pub async fn look(&self, environment: &Environment) -> Health {
        let (database, data_directory) = tokio::join!(
            tokio::time::timeout(PATIENCE, database_answers(environment)),
            tokio::time::timeout(PATIENCE, self.files_answer(environment)),
        );
        let database = match database {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::error!(%error, "the database does not answer");
                false
            }
            Err(_) => {
                tracing::error!("the database does not answer in time");
                false
            }
        };
        Health { database, data_directory: data_directory.unwrap_or(false) }
    }

    async fn files_answer(&self, environment: &Environment) -> bool {
        let Ok(place) = Arc::clone(&self.0).acquire_owned().await else { return false };
        let experiments = environment.data.experiments();
        let read = tokio::task::spawn_blocking(move || {
            // Held until the file system answers, even when whoever asked has gone away.
            let _place = place;
            std::fs::read_dir(experiments).and_then(|mut entries| entries.next().transpose()).map(drop)
        });
        match read.await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::error!(%error, "the data directory does not answer");
                false
            }
            Err(_) => false,
        }
    }
}

async fn database_answers(environment: &Environment) -> Result<()> {
    queries::answer(&mut environment.db.read().await?).await
}

/// All figures, as text.
///
/// # Errors
/// When the database fails.
pub async fn figures(app: &App) -> Result<String> {
    let jobs = workflows::jobs_under_way(&mut app.environment.db.read().await?).await?;
    let mut page = MetricsPage::default();
    let engine = app.environment.compute.engine();
    let backend = engine.backend().to_string();
    page.family("tmserver_info", "gauge", "Version of the server, and what computes pixels.");
    page.sample("", &[("version", env!("CARGO_PKG_VERSION")), ("backend", &backend)], 1);
    app.metrics.write(&mut page);
    page.family("tmserver_jobs", "gauge", "Jobs of the workflows that are under way, by state.");
    for (state, number) in &jobs {
        page.sample("", &[("state", state)], number);
    }
    app.tiles.write(&mut page);
    engine_figures(engine, &mut page);
    process_figures(&mut page);
    Ok(page.into_text())
}

fn engine_figures(engine: &Engine, page: &mut MetricsPage) {
    page.family("tmserver_kernel_info", "gauge", "What each kernel runs on.");
    for kernel in engine.kernels() {
        page.sample("", &[("kernel", kernel.name), ("backend", &kernel.backend.to_string())], 1);
    }
    page.family(
        "tmserver_kernel_fallbacks_total",
        "counter",
        "Times that the CPU took over from a failing GPU.",
    );
    page.sample("", &[], engine.fallbacks());
}

fn process_figures(page: &mut MetricsPage) {
    let (cpu_us, peak_mb) = machine::process_usage();
    if let Some(cpu_us) = cpu_us.and_then(|us| u64::try_from(us).ok()) {
        page.family("process_cpu_seconds_total", "counter", "User and system time.");
        page.sample("", &[], Duration::from_micros(cpu_us).as_secs_f64());
    }
    page.gauge("process_resident_memory_bytes", "Memory in use.", machine::resident_bytes());
    let peak = peak_mb.map(|mb| mb << 20);
    page.gauge("tmserver_resident_memory_peak_bytes", "Most memory that was in use at once.", peak);
}
