//! A job: the unit of work that an executor runs, described by its row in the database alone.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::arguments::Arguments;
use super::lease::Lease;
use super::log::JobLog;
use super::steps::{self, Step, StepError};
use super::stop::{Interruption, JobStop, Stop};
use crate::environment::Environment;
use crate::failpoint;
use crate::machine;
use crate::resources::experiment::{Experiment, queries as experiments};
use crate::resources::workflow::queries::{self, NewTask, StoredJob, Usage};
use crate::store::{StoreError, Tx};

/// Exit code of a job that did what it should.
pub const SUCCESS: i64 = 0;
/// Exit code of a job that failed.
pub const FAILURE: i64 = 1;

/// How often a job is tried again after failures that may pass: of the disk, of the database, panics.
pub const RETRIES: i64 = 2;

/// How many workers in a row may vanish while they run a job before it counts as the cause and is not run again.
pub const LOST_WORKERS: i64 = 3;

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
    /// Seconds that a run job may take; no limit when absent.
    #[serde(default)]
    pub time_limit_s: Option<u64>,
}

impl Job {
    /// Init and collect jobs put things together and take as long as that takes.
    fn time_limit(&self) -> Option<Duration> {
        let seconds = self.time_limit_s.filter(|_| self.phase == Phase::Run)?;
        Some(Duration::from_secs(seconds))
    }
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
    /// Says when to end before the work is done; asked between files, planes or blocks.
    pub stop: JobStop,
}

impl JobContext {
    /// A transaction that changes something, for as long as the job is this worker's.
    ///
    /// # Errors
    /// [`StepError::LeaseLost`] when another worker has the job by now, [`StepError::Interrupted`] when it has to end.
    pub async fn write(&self) -> Result<Tx, StepError> {
        self.stop.check()?;
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
    /// The workflow was killed.
    #[error("the workflow was killed")]
    Killed,
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

/// Why a job did not do its work.
struct Failure {
    /// For the person who reads the log.
    reason: String,
    /// Whether running it again may help.
    may_pass: bool,
}

impl Failure {
    fn lasting(reason: String) -> Self {
        Self { reason, may_pass: false }
    }
}

/// How a worker left a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It is over, with this exit code.
    With(i64),
    /// It failed in a way that may pass, for this number of times, and waits for another attempt.
    ToTryAgain(u32),
}

/// What a worker runs a job under.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// Says when the process stops.
    pub stop: &'a Stop,
    /// Cancelled when the workflow is killed.
    pub kill: &'a CancellationToken,
    /// A warning for its log.
    pub remark: Option<&'a str>,
    /// Whether the process does nothing but this job, so that what it uses is the job's.
    pub own_process: bool,
}

/// Run a job to its end and record how it ended.
///
/// # Errors
/// [`Halt`] when there is no outcome, or it cannot be recorded.
pub async fn run(environment: &Environment, task: i64, terms: Terms<'_>) -> Result<Ended, Halt> {
    let Terms { stop, kill, remark, .. } = terms;
    let mut tx = environment.db.read().await?;
    let stored = queries::find_job(&mut tx, task).await?;
    let stored = stored.ok_or_else(|| StoreError::Corrupt(format!("task {task} is not a job")))?;
    let experiment = experiments::find(&mut tx, stored.experiment_id).await?;
    drop(tx);
    let started = environment.now();
    let Some((lease, lost)) = Lease::claim(environment, task).await? else {
        return Err(if kill.is_cancelled() { Halt::Killed } else { Halt::LeaseLost });
    };
    failpoint::reached(&format!("{} claimed", stored.name));
    if lost > 0 {
        tracing::warn!(job = %stored.name, experiment = stored.experiment_id, lost, "the last worker of a job vanished");
    }

    let job: Result<Job, Failure> = serde_json::from_str(stored.job.as_deref().unwrap_or_default())
        .map_err(|error| Failure::lasting(format!("internal error: job description: {error}")));
    let time_limit = job.as_ref().ok().and_then(Job::time_limit);
    let job_stop = JobStop::default();
    let work = async {
        let experiment = experiment.ok_or_else(|| {
            Failure::lasting(format!("experiment {} does not exist any more", stored.experiment_id))
        })?;
        let log = open_log(environment, &stored, remark).map_err(|error| Failure {
            reason: format!("the log cannot be written: {error}"),
            may_pass: true,
        })?;
        if lost >= LOST_WORKERS {
            let failure = Failure::lasting(why_given_up(lost));
            log.failed(&failure.reason);
            return Err(failure);
        }
        execute(environment, &stored, job?, experiment, lease, log, job_stop.clone()).await
    };
    let outcome = tokio::select! {
        biased;
        outcome = work => outcome,
        () = lose_or_interrupt(environment, lease, kill, time_limit, &job_stop) => return Err(Halt::LeaseLost),
        () = stop.out_of_time() => {
            job_stop.ask(Interruption::GivenBack);
            lease.release(environment).await?;
            return Err(Halt::Stopping);
        }
    };
    if let Err(failure) = &outcome {
        tracing::warn!(
            job = %stored.name, experiment = stored.experiment_id, reason = failure.reason, "job failed"
        );
    }
    failpoint::reached(&format!("{} worked", stored.name));
    let ended = record(environment, &stored, lease, &outcome, started, terms).await?;
    failpoint::reached(&format!("{} ended", stored.name));
    Ok(ended)
}

/// Why a job is not run any more that ended whatever ran it.
fn why_given_up(lost: i64) -> String {
    format!(
        "the process died while it ran this job, {lost} times in a row (out of memory, perhaps): it is not run again \
         by itself; see to the cause, or give its step less to do at once, and submit again"
    )
}

/// The log of a job: a new one, or the one of an attempt before, which says why there is another.
fn open_log(
    environment: &Environment,
    stored: &StoredJob,
    remark: Option<&str>,
) -> Result<JobLog, std::io::Error> {
    let clock = Arc::clone(&environment.clock);
    let log = match &stored.reason {
        Some(reason) if stored.failures > 0 => {
            let log = JobLog::append(&environment.data, stored.experiment_id, stored.id, clock)?;
            let attempt = stored.failures + 1;
            log.warn(format!("attempt {attempt} of {}, because the last one failed: {reason}", RETRIES + 1));
            log
        }
        _ => JobLog::create(&environment.data, stored.experiment_id, stored.id, clock)?,
    };
    if let Some(remark) = remark {
        log.warn(remark);
    }
    Ok(log)
}

/// Keep the lease, and ask the job to end when its workflow is killed or its time is over; returns when the lease
/// is lost to another worker.
async fn lose_or_interrupt(
    environment: &Environment,
    lease: Lease,
    kill: &CancellationToken,
    time_limit: Option<Duration>,
    job_stop: &JobStop,
) {
    // Asked to end, it has the job until it has reached a safe point: these do not return.
    let late = async {
        if let Some(limit) = time_limit {
            tokio::time::sleep(limit).await;
            job_stop.ask(Interruption::OutOfTime(limit));
        }
        std::future::pending::<()>().await;
    };
    let killed = async {
        kill.cancelled().await;
        job_stop.ask(Interruption::Killed);
    };
    tokio::select! {
        biased;
        () = killed => std::future::pending().await,
        () = lease.keep(environment) => {}
        () = late => {}
    }
    // A kill takes the lease away, too, and reaches this process a moment later, or (another server's) never.
    job_stop.ask(Interruption::GivenBack);
}

/// Store how a job ended, as soon as the database allows.
async fn record(
    environment: &Environment,
    stored: &StoredJob,
    lease: Lease,
    outcome: &Result<Done, Failure>,
    started: i64,
    terms: Terms<'_>,
) -> Result<Ended, Halt> {
    let (cpu_time, memory_mb) = if terms.own_process { machine::process_usage() } else { (None, None) };
    let used = Usage { wall_time: environment.now() - started, cpu_time, memory_mb };
    let mut pause = FIRST_PAUSE;
    loop {
        match end(environment, stored, lease, outcome, used).await {
            Ok(Some(ended)) => return Ok(ended),
            Ok(None) if terms.kill.is_cancelled() => return Err(Halt::Killed),
            Ok(None) => return Err(Halt::LeaseLost),
            Err(error) => {
                tracing::warn!(job = %stored.name, %error, "cannot store how the job ended; trying again");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (2 * pause).min(LONGEST_PAUSE),
            () = terms.stop.asked() => return Err(Halt::Stopping),
            () = terms.kill.cancelled() => return Err(Halt::Killed),
        }
    }
}

/// Add the jobs that an init job made and end the job, in one transaction: jobs are added once. The value is
/// `None` when another worker has the job.
async fn end(
    environment: &Environment,
    stored: &StoredJob,
    lease: Lease,
    outcome: &Result<Done, Failure>,
    used: Usage,
) -> Result<Option<Ended>, StoreError> {
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
    let (held, left) = match outcome {
        Ok(_) => (queries::end_job(&mut tx, lease, SUCCESS, None, used, ended).await?, Ended::With(SUCCESS)),
        Err(failure) if failure.may_pass && stored.failures < RETRIES => {
            let times = u32::try_from(stored.failures + 1).unwrap_or(u32::MAX);
            (queries::fail_job(&mut tx, lease, &failure.reason, ended).await?, Ended::ToTryAgain(times))
        }
        Err(failure) => {
            let reason = Some(failure.reason.as_str());
            (queries::end_job(&mut tx, lease, FAILURE, reason, used, ended).await?, Ended::With(FAILURE))
        }
    };
    if held {
        tx.commit().await?;
    }
    Ok(held.then_some(left))
}

/// Do the work and write the log.
async fn execute(
    environment: &Environment,
    stored: &StoredJob,
    job: Job,
    experiment: Experiment,
    lease: Lease,
    log: JobLog,
    stop: JobStop,
) -> Result<Done, Failure> {
    let work = async {
        let step = steps::find(&job.step)
            .ok_or_else(|| StepError::Internal(format!("unknown step `{}`", job.step)))?;
        let arguments =
            Arguments::from_json(step.batch_arguments(), &job.arguments).map_err(StepError::Input)?;
        let context =
            JobContext { environment: environment.clone(), experiment, lease, arguments, log, stop };
        let mut result = perform(step, &context, job).await;
        if let (Err(StepError::LeaseLost), Err(reason)) = (&result, context.stop.check()) {
            // Lost because it was to end, and not to another worker.
            result = Err(reason.into());
        }
        match &result {
            Ok(_) => context.log.completed(),
            // The log is the other worker's by now.
            Err(StepError::LeaseLost | StepError::Interrupted(Interruption::GivenBack)) => {}
            Err(error) => context.log.failed(&error.reason()),
        }
        result
    };
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result.map_err(|error| Failure { may_pass: error.may_pass(), reason: error.reason() }),
        Err(panic) => {
            let message = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("unknown cause");
            let reason = format!("the job panicked: {message}");
            // The log went down with the job: go on with it to say so.
            let clock = Arc::clone(&environment.clock);
            if let Ok(log) = JobLog::append(&environment.data, stored.experiment_id, stored.id, clock) {
                log.failed(&reason);
            }
            Err(Failure { reason, may_pass: true })
        }
    }
}

/// Do the step's part, if there is room for what it makes.
async fn perform(step: &dyn Step, context: &JobContext, job: Job) -> Result<Done, StepError> {
    context.environment.space.check()?;
    context.stop.check()?;
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
