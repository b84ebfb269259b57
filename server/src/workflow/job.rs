//! A job: the unit of work that an executor runs, described by its row in the database alone.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::arguments::Arguments;
use super::log::JobLog;
use super::steps::{self, Step, StepError};
use super::task::TaskState;
use crate::environment::Environment;
use crate::resources::experiment::{Experiment, queries as experiments};
use crate::resources::workflow::queries::{self, NewTask, StoredJob};
use crate::store::{StoreError, once_there_is_room};

/// Exit code of a job that did what it should.
pub const SUCCESS: i64 = 0;
/// Exit code of a job that failed.
pub const FAILURE: i64 = 1;

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
    /// Row id of the job.
    pub task: i64,
    /// The step's batch arguments.
    pub arguments: Arguments,
    /// Where the job reports.
    pub log: JobLog,
}

/// Run a job to its end and record how it ended; the value is the exit code.
///
/// # Errors
/// When the outcome cannot be recorded.
pub async fn run(environment: &Environment, task: i64) -> Result<i64, StoreError> {
    let mut tx = environment.db.read().await?;
    let Some(stored) = queries::find_job(&mut tx, task).await? else {
        return Err(StoreError::Corrupt(format!("task {task} is not a job")));
    };
    let experiment = experiments::find(&mut tx, stored.experiment_id).await?;
    drop(tx);
    let started = environment.now();
    let mut tx = environment.db.write().await?;
    queries::set_task_state(&mut tx, task, TaskState::Running, started).await?;
    tx.commit().await?;

    let log = JobLog::create(&environment.data, stored.experiment_id, task, Arc::clone(&environment.clock));
    let outcome = match (experiment, log) {
        (Some(experiment), Ok(log)) => execute(environment, &stored, experiment, log).await,
        (None, _) => Err(format!("experiment {} does not exist any more", stored.experiment_id)),
        (_, Err(error)) => Err(format!("the log cannot be written: {error}")),
    };
    let exitcode = match &outcome {
        Ok(()) => SUCCESS,
        Err(reason) => {
            tracing::warn!(job = %stored.name, experiment = stored.experiment_id, %reason, "job failed");
            FAILURE
        }
    };
    let ended = environment.now();
    once_there_is_room(|| async {
        let mut tx = environment.db.write().await?;
        queries::terminate_task(&mut tx, task, exitcode, Some(ended - started), ended).await?;
        tx.commit().await
    })
    .await?;
    Ok(exitcode)
}

/// Do the work and write the log; the error is the reason a person reads.
async fn execute(
    environment: &Environment,
    stored: &StoredJob,
    experiment: Experiment,
    log: JobLog,
) -> Result<(), String> {
    let work = async {
        let job: Job = serde_json::from_str(stored.job.as_deref().unwrap_or_default())
            .map_err(|error| StepError::Internal(format!("job description: {error}")))?;
        let step = steps::find(&job.step)
            .ok_or_else(|| StepError::Internal(format!("unknown step `{}`", job.step)))?;
        let arguments =
            Arguments::from_json(step.batch_arguments(), &job.arguments).map_err(StepError::Input)?;
        let context =
            JobContext { environment: environment.clone(), experiment, task: stored.id, arguments, log };
        let result = perform(step, &context, stored.submission_id, &job).await;
        match &result {
            Ok(()) => context.log.completed(),
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
async fn perform(step: &dyn Step, context: &JobContext, submission: i64, job: &Job) -> Result<(), StepError> {
    context.environment.space.check()?;
    match job.phase {
        Phase::Init => add_run_jobs(context, submission, job, step.init(context).await?).await,
        Phase::Run => step.run(context, &job.batch).await,
        Phase::Collect => step.collect(context).await,
    }
}

async fn add_run_jobs(
    context: &JobContext,
    submission: i64,
    job: &Job,
    batches: Vec<Value>,
) -> Result<(), StepError> {
    let phase =
        job.run_phase.as_ref().ok_or_else(|| StepError::Internal("init job without run phase".to_owned()))?;
    if batches.is_empty() {
        return Err(StepError::Input("there is nothing to do: no batches".to_owned()));
    }
    context.log.info(format!("{} batches", batches.len()));
    let now = context.environment.now();
    let mut tx = context.environment.db.write().await?;
    for (index, batch) in batches.into_iter().enumerate() {
        let run = Job { phase: Phase::Run, batch, run_phase: None, ..job.clone() };
        let name = format!("{}_{:07}", phase.name, index + 1);
        let task = NewTask {
            submission,
            parent: Some(phase.id),
            name: &name,
            task_type: Phase::Run.job_type(),
            job: Some(to_text(&run)?),
        };
        queries::insert_task(&mut tx, &task, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// A job as stored.
///
/// # Errors
/// [`StepError::Internal`] when it cannot be written as JSON.
pub fn to_text(job: &Job) -> Result<String, StepError> {
    serde_json::to_string(job).map_err(|error| StepError::Internal(format!("job description: {error}")))
}
