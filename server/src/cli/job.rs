//! `tmserver job`: one job of the task tree, as an executor runs it on another machine.

use anyhow::{anyhow, bail};
use clap::Subcommand;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::serve::interrupted;
use crate::app::PATIENCE;
use crate::config::Config;
use crate::environment::{DataLock, Environment, OpenError};
use crate::resources::workflow::queries;
use crate::workflow::job::{self, Ended, Halt, RETRIES, SUCCESS, Terms};
use crate::workflow::stop::Stop;
use crate::workflow::task::TaskState;

/// What to do with a job.
#[derive(Debug, Subcommand)]
pub enum JobCommand {
    /// Run one job of the task tree
    ///
    /// What an executor calls on the machine where the job is to run, which shares the data directory. A job that
    /// somebody has, or that is over, is refused. Beside a running server this needs PostgreSQL.
    Run {
        /// Id of the job, as in the workflow's status
        id: i64,
    },
}

/// Run a job to its end.
pub async fn job(config: Config, command: JobCommand) -> anyhow::Result<()> {
    let JobCommand::Run { id } = command;
    // Held to the end; never given back as clean, because the workflow around the job is not over.
    let _lock = match &config.database_url {
        Some(_) => None,
        None => Some(DataLock::take(&config).map_err(|error| match error {
            OpenError::InUse(path) => anyhow!(
                "the data directory {} is in use by another tmserver, and its database is embedded: jobs beside a \
                 server need PostgreSQL (setting `database_url`)",
                path.display()
            ),
            other => other.into(),
        })?),
    };
    let environment = Environment::open(&config).await?;
    let stored = queries::find_job(&mut environment.db.read().await?, id).await?;
    let stored = stored.ok_or_else(|| anyhow!("there is no job with id {id}"))?;
    if stored.state == TaskState::Terminated.name() {
        bail!("job {} (id {id}) is over already", stored.name);
    }
    let reason = async || {
        let stored = queries::find_job(&mut environment.db.read().await?, id).await?;
        anyhow::Ok(stored.and_then(|stored| stored.reason).unwrap_or_default())
    };
    match run(&environment, id).await? {
        Ok(Ended::With(SUCCESS)) => {
            println!("job {} (id {id}) succeeded", stored.name);
            Ok(())
        }
        Ok(Ended::With(exitcode)) => {
            bail!("job {} (id {id}) failed with exit code {exitcode}: {}", stored.name, reason().await?)
        }
        Ok(Ended::ToTryAgain(times)) => bail!(
            "job {} (id {id}) failed, {times} of {} times; run it again: {}",
            stored.name,
            RETRIES + 1,
            reason().await?
        ),
        Err(halt) => bail!("job {} (id {id}) was not run to its end: {halt}", stored.name),
    }
}

/// Run a job; asked to stop, the process gives it back for anybody to run.
async fn run(environment: &Environment, id: i64) -> anyhow::Result<Result<Ended, Halt>> {
    let stop = Stop::default();
    let (ended, mut outcome) = oneshot::channel();
    let (worker, worker_stop) = (environment.clone(), stop.clone());
    stop.spawn(async move {
        let kill = CancellationToken::new();
        let terms = Terms { stop: &worker_stop, kill: &kill, remark: None, own_process: true };
        // Whoever would be told has gone only if the process has.
        let _ = ended.send(job::run(&worker, id, terms).await);
    });
    tokio::select! {
        ended = &mut outcome => return Ok(ended?),
        () = interrupted() => stop.stop(PATIENCE).await,
    };
    Ok(outcome.await.unwrap_or(Err(Halt::Stopping)))
}
