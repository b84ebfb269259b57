//! A job: the unit of work that an executor runs, described by its row in the database alone.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::arguments::Arguments;
use super::lease::Lease;
use super::log::JobLog;
use super::steps::{self, Step, StepError};
use super::stop::Stop;
use crate::environment::Environment;
use crate::failpoint;
use crate::resources::experiment::{Experiment, queries as experiments};
use crate::resources::workflow::queries::{self, NewTask, StoredJob};
use crate::store::{StoreError, Tx};

/// Exit code of a job that did what it should.
pub const SUCCESS: i64 = 0;
/// Exit code of a job that failed.
pub const FAILURE: i64 = 1;

/// How long to wait before trying the database again, at first and at most.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// See [`FIRST_PAUSE`].
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The part of a step that a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Split the work into batches.
    Init,
    /// Do one batch.
    Run,
    /// Put the results together.
    Collect,
}

impl Phase {
    /// Name in tasks.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Run => "run",
            Self::Collect => "collect",
        }
    }

    /// Task type of its jobs.
    pub const fn job_type(self) -> &'static str {
        match self {
            Self::Init => "InitJob",
            Self::Run => "RunJob",
            Self::Collect => "CollectJob",
        }
    }
}

/// What a job does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// Name of the step.
    pub step: String,
    /// Part of the step.
    pub phase: Phase,
    /// The step's batch arguments, `{name: value}`.
    pub arguments: Value,
    /// What to work on; null except in the run phase.
    pub batch: Value,
    /// Where an init job adds the run jobs: the phase's row id and the stem of their names.
    pub run_phase: Option<RunPhase>,
}

/// The phase that an init job fills.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunPhase {
    /// Row id.
    pub id: i64,
    /// Stem of the names of its jobs.
    pub name: String,
}

/// What a step's code works with.
#[derive(Debug)]
pub struct JobContext {
    /// Database, files, engine, clock.
    pub environment: Environment,
    /// The experiment as it was when the job started.
    pub experiment: Experiment,
    /// The claim on the job.
    pub lease: Lease,
    /// The step's batch arguments.
    pub arguments: Arguments,
    /// Where the job reports.
    pub log: JobLog,
}

impl JobContext {
    /// A transaction that changes something, for as long as the job is this worker's.
    ///
    /// # Errors
    /// [`StepError::LeaseLost`] when another worker has the job by now.
    pub async fn write(&self) -> Result<Tx, StepError> {
        let mut tx = self.environment.db.write().await?;
        if self.lease.holds(&mut tx, self.environment.now()).await? {
            Ok(tx)
        } else {
            Err(StepError::LeaseLost)
        }
    }
}

/// Why the outcome of a task is not known.
#[derive(Debug, thiserror::Error)]
pub enum Halt {
    /// The server stops; what is unfinished goes on at the next start.
    #[error("the server stops")]
    Stopping,
    /// Another worker has the job.
    #[error("another worker has the job")]
    LeaseLost,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a job did.
enum Done {
    /// Its work.
    Worked,
    /// It split the work of a step: into these jobs of this phase.
    Split(RunPhase, Vec<Job>),
}

/// Run a job to its end and record how it ended; the value is the exit code.
///
/// # Errors
/// [`Halt`] when there is no outcome, or it cannot be recorded.
pub async fn run(environment: &Environment, task: i64, stop: &Stop) -> Result<i64, Halt> {
    let mut tx = environment.db.read().await?;
    let stored = queries::find_job(&mut tx, task).await?;
    let stored = stored.ok_or_else(|| StoreError::Corrupt(format!("task {task} is not a job")))?;
    let experiment = experiments::find(&mut tx, stored.experiment_id).await?;
    drop(tx);
    let started = environment.now();
    let lease = Lease::claim(environment, task).await?.ok_or(Halt::LeaseLost)?;
    failpoint::reached(&format!("{} claimed", stored.name));

    let log = JobLog::create(&environment.data, stored.experiment_id, task, Arc::clone(&environment.clock));
    let work = async {
        match (experiment, log) {
            (Some(experiment), Ok(log)) => execute(environment, &stored, experiment, lease, log).await,
            (None, _) => Err(format!("experiment {} does not exist any more", stored.experiment_id)),
            (_, Err(error)) => Err(format!("the log cannot be written: {error}")),
        }
    };
    let outcome = tokio::select! {
        biased;
        outcome = work => outcome,
        () = lease.keep(environment) => return Err(Halt::LeaseLost),
        () = stop.out_of_time() => {
            lease.release(environment).await?;
            return Err(Halt::Stopping);
        }
    };
    if let Err(reason) = &outcome {
        tracing::warn!(job = %stored.name, experiment = stored.experiment_id, %reason, "job failed");
    }
    failpoint::reached(&format!("{} worked", stored.name));
    let exitcode = record(environment, &stored, lease, &outcome, started, stop).await?;
    failpoint::reached(&format!("{} ended", stored.name));
    Ok(exitcode)
}

/// Store how a job ended, as soon as the database allows; the value is the exit code.
async fn record(
    environment: &Environment,
    stored: &StoredJob,
    lease: Lease,
    outcome: &Result<Done, String>,
    started: i64,
    stop: &Stop,
) -> Result<i64, Halt> {
    let mut pause = FIRST_PAUSE;
    loop {
        match end(environment, stored, lease, outcome, started).await {
            Ok(Some(exitcode)) => return Ok(exitcode),
            Ok(None) => return Err(Halt::LeaseLost),
            Err(error) => {
                tracing::warn!(job = %stored.name, %error, "cannot store how the job ended; trying again");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (2 * pause).min(LONGEST_PAUSE),
            () = stop.asked() => return Err(Halt::Stopping),
        }
    }
}

/// Add the jobs that an init job made and end the job, in one transaction: jobs are added once. The value is
/// the exit code, or `None` when another worker has the job.
async fn end(
    environment: &Environment,
    stored: &StoredJob,
    lease: Lease,
    outcome: &Result<Done, String>,
    started: i64,
) -> Result<Option<i64>, StoreError> {
    let ended = environment.now();
    let mut tx = environment.db.write().await?;
    if let Ok(Done::Split(phase, jobs)) = outcome {
        for (index, job) in jobs.iter().enumerate() {
            let task = NewTask {
                submission: stored.submission_id,
                parent: Some(phase.id),
                name: &format!("{}_{:07}", phase.name, index + 1),
                task_type: job.phase.job_type(),
                job: Some(to_text(job)?),
            };
            queries::insert_task(&mut tx, &task, ended).await?;
        }
    }
    let exitcode = if outcome.is_ok() { SUCCESS } else { FAILURE };
    let held = queries::end_job(&mut tx, lease, exitcode, ended - started, ended).await?;
    if held {
        tx.commit().await?;
    }
    Ok(held.then_some(exitcode))
}

/// Do the work and write the log; the error is the reason a person reads.
async fn execute(
    environment: &Environment,
    stored: &StoredJob,
    experiment: Experiment,
    lease: Lease,
    log: JobLog,
) -> Result<Done, String> {
    let work = async {
        let job: Job = serde_json::from_str(stored.job.as_deref().unwrap_or_default())
            .map_err(|error| StepError::Internal(format!("job description: {error}")))?;
        let step = steps::find(&job.step)
            .ok_or_else(|| StepError::Internal(format!("unknown step `{}`", job.step)))?;
        let arguments =
            Arguments::from_json(step.batch_arguments(), &job.arguments).map_err(StepError::Input)?;
        let context = JobContext { environment: environment.clone(), experiment, lease, arguments, log };
        let result = perform(step, &context, job).await;
        match &result {
            Ok(_) => context.log.completed(),
            // The log is the other worker's by now.
            Err(StepError::LeaseLost) => {}
            Err(error) => context.log.failed(&error.reason()),
        }
        result
    };
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result.map_err(|error| error.reason()),
        Err(panic) => {
            let message = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("unknown cause");
            // The log went down with the job: start it again to say so.
            if let Ok(log) = JobLog::create(
                &environment.data,
                stored.experiment_id,
                stored.id,
                Arc::clone(&environment.clock),
            ) {
                log.failed(&format!("the job panicked: {message}"));
            }
            Err(format!("panic: {message}"))
        }
    }
}

/// Do the step's part, if there is room for what it makes.
async fn perform(step: &dyn Step, context: &JobContext, job: Job) -> Result<Done, StepError> {
    context.environment.space.check()?;
    match job.phase {
        Phase::Init => split(context, job, step.init(context).await?),
        Phase::Run => step.run(context, &job.batch).await.map(|()| Done::Worked),
        Phase::Collect => step.collect(context).await.map(|()| Done::Worked),
    }
}

/// The jobs that do the batches of an init job.
fn split(context: &JobContext, mut job: Job, batches: Vec<Value>) -> Result<Done, StepError> {
    let phase =
        job.run_phase.take().ok_or_else(|| StepError::Internal("init job without run phase".to_owned()))?;
    if batches.is_empty() {
        return Err(StepError::Input("there is nothing to do: no batches".to_owned()));
    }
    context.log.info(format!("{} batches", batches.len()));
    let jobs = batches.into_iter().map(|batch| Job { phase: Phase::Run, batch, ..job.clone() }).collect();
    Ok(Done::Split(phase, jobs))
}

/// A job as stored.
///
/// # Errors
/// [`StoreError::Corrupt`] when it cannot be written as JSON.
pub fn to_text(job: &Job) -> Result<String, StoreError> {
    serde_json::to_string(job).map_err(|error| StoreError::Corrupt(format!("job description: {error}")))
}
