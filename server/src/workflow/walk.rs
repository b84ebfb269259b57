//! Walks the task tree of a submission: stage by stage, step by step, phase by phase.
//!
//! What is done and what is not is the database's to say: the walk begins at the root and passes over
//! whatever has ended, so that a new submission, one that a stopped server left behind and one of which a part
//! is run again are the same to it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::arguments::Arguments;
use super::description::{StageDescription, StageMode, StepDescription, WorkflowDescription};
use super::executors::{Executor, Needs, Order};
use super::job::{Ended, FAILURE, FIRST_PAUSE, Halt, Job, LONGEST_PAUSE, Phase, RunPhase, SUCCESS, to_text};
use super::scheduler::Workflows;
use super::stop::Stop;
use super::task::{Task, TaskState};
use crate::environment::Environment;
use crate::resources::workflow::queries::{self, NewTask};
use crate::store::{Result, StoreError, Tx};

/// Exit code of a phase one of whose jobs failed (`EX_SOFTWARE` of `sysexits.h`).
const JOBS_FAILED: i64 = 70;
/// Exit code of whatever was killed and is made of jobs; the jobs have none.
const KILLED: i64 = 255;
/// Jobs of one phase that wait for a place at the executor at the same time.
const QUEUED_JOBS: usize = 256;
/// How long to wait before a failed job is tried again; after a second failure twice as long.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// What init and collect jobs take: they mostly wait for the database.
const LEAST: Needs = Needs { cores: 1, memory_mb: 0 };

/// The phases of a step, as tasks.
struct StepPhases {
    init: Task,
    /// The run phase as clients know it.
    run: Task,
    /// The phase that holds the run jobs: the same, or its one round.
    jobs: Task,
    collect: Option<Task>,
}

impl Workflows {
    /// Run a submission to its end in the background, however often the database fails meanwhile.
    pub(super) fn see_through(&self, submission: i64) {
        let workflows = self.clone();
        let run = self.running.begin(submission);
        self.stop.spawn(async move {
            let mut pause = FIRST_PAUSE;
            loop {
                let outcome = match Walk::begin(&workflows, submission, run.killed()).walk().await {
                    Err(Halt::Killed) => workflows.end_kill(submission).await.map_err(Halt::from),
                    outcome => outcome,
                };
                match outcome {
                    Ok(()) | Err(Halt::Stopping) => break,
                    Err(error) => {
                        tracing::warn!(submission, %error, "the workflow was interrupted; it goes on soon");
                    }
                }
                tokio::select! {
                    () = tokio::time::sleep(pause) => pause = (2 * pause).min(LONGEST_PAUSE),
                    () = workflows.stop.asked() => break,
                }
            }
        });
    }

    /// Say that nothing of a killed submission runs any more.
    pub(super) async fn end_kill(&self, submission: i64) -> Result<()> {
        let mut tx = self.environment.db.write().await?;
        queries::end_kill(&mut tx, submission, KILLED, self.environment.now()).await?;
        tx.commit().await?;
        tracing::info!(submission, "workflow killed");
        Ok(())
    }
}

/// A submission on its way.
#[derive(Debug, Clone)]
struct Walk {
    environment: Environment,
    executor: Arc<dyn Executor>,
    stop: Stop,
    submission: i64,
    kill: CancellationToken,
}

impl Walk {
    fn begin(workflows: &Workflows, submission: i64, kill: CancellationToken) -> Self {
        let Workflows { environment, executor, stop, .. } = workflows.clone();
        Self { environment, executor, stop, submission, kill }
    }

    /// Run whatever of the submission has not ended yet.
    async fn walk(&self) -> std::result::Result<(), Halt> {
        let submission = self.submission;
        let mut tx = self.environment.db.write().await?;
        let root = queries::root_of(&mut tx, submission).await?;
        let description = queries::submitted_description(&mut tx, submission).await?;
        // Jobs run in this process only, and whoever ran them before has gone.
        queries::release_jobs(&mut tx, submission, self.environment.now()).await?;
        tx.commit().await?;
        let (Some(root), Some(description)) = (root, description) else {
            tracing::warn!(submission, "the submission was deleted");
            return Ok(());
        };
        match root.state.as_str() {
            // A server stopped in the middle of killing it.
            state if state == TaskState::Terminating.name() => return Err(Halt::Killed),
            state if state == TaskState::Terminated.name() => return Ok(()),
            _ => {}
        }
        let exitcode = match plan_of(&description) {
            Ok(plan) => match self.run_workflow(&root, plan).await {
                // Trying again would not help.
                Err(Halt::Store(StoreError::Corrupt(problem))) => {
                    tracing::error!(submission, problem, "the workflow cannot go on");
                    FAILURE
                }
                outcome => outcome?,
            },
            Err(problem) => {
                tracing::error!(submission, problem, "the workflow cannot be run by this version");
                FAILURE
            }
        };
        self.terminate(root.id, exitcode).await?;
        tracing::info!(submission, exitcode, "workflow ended");
        Ok(())
    }

    /// Run the stages one after the other; the value is the exit code of the last one that ran.
    async fn run_workflow(&self, root: &Task, plan: WorkflowDescription) -> std::result::Result<i64, Halt> {
        self.set_state(root.id, TaskState::Running).await?;
        let mut exitcode = SUCCESS;
        for (task, stage) in pair(self.subtasks(root).await?, plan.stages, |stage| stage.name)? {
            exitcode = match task.exitcode {
                Some(exitcode) => exitcode,
                None => self.run_stage(&task, stage).await?,
            };
            if exitcode != SUCCESS {
                break;
            }
        }
        Ok(exitcode)
    }

    async fn run_stage(&self, task: &Task, stage: StageDescription) -> std::result::Result<i64, Halt> {
        self.set_state(task.id, TaskState::Running).await?;
        let steps = pair(self.subtasks(task).await?, stage.steps, |step| step.step.name())?;
        let mut exitcode = SUCCESS;
        match stage.mode {
            StageMode::Sequential => {
                for (task, step) in &steps {
                    exitcode = self.run_step(task, step).await?;
                    if exitcode != SUCCESS {
                        break;
                    }
                }
            }
            StageMode::Parallel => {
                let runs = steps.iter().map(|(task, step)| self.run_step(task, step));
                for outcome in join_all(runs).await {
                    if outcome? != SUCCESS {
                        exitcode = JOBS_FAILED;
                    }
                }
            }
        }
        self.terminate(task.id, exitcode).await?;
        Ok(exitcode)
    }

    async fn run_step(&self, task: &Task, description: &StepDescription) -> std::result::Result<i64, Halt> {
        if let Some(exitcode) = task.exitcode {
            return Ok(exitcode);
        }
        let phases = match self.phases_of(task).await? {
            Some(phases) => phases,
            None => {
                self.add_phases(task, description).await?;
                let missing = || StoreError::Corrupt(format!("step task {} has no phases", task.id));
                self.phases_of(task).await?.ok_or_else(missing)?
            }
        };
        // Init and collect jobs put things together; what the run jobs may use is the client's to say.
        let mut exitcode = self.run_phase(&phases.init, LEAST).await?;
        if exitcode == SUCCESS {
            self.set_state(phases.run.id, TaskState::Running).await?;
            exitcode = self.run_phase(&phases.jobs, needs_of(&description.submission_args)).await?;
            if phases.run.id != phases.jobs.id {
                self.terminate(phases.run.id, exitcode).await?;
            }
        }
        if let (SUCCESS, Some(collect)) = (exitcode, &phases.collect) {
            exitcode = self.run_phase(collect, LEAST).await?;
        }
        tracing::info!(submission = self.submission, step = description.step.name(), exitcode, "step ended");
        self.terminate(task.id, exitcode).await?;
        Ok(exitcode)
    }

    /// The phases of a step; `None` while it has none.
    async fn phases_of(&self, step: &Task) -> Result<Option<StepPhases>> {
        let mut phases = self.subtasks(step).await?;
        let mut take = |suffix: &str| {
            let at = phases.iter().position(|phase| phase.task_type.ends_with(suffix))?;
            Some(phases.remove(at))
        };
        let (Some(init), collect, Some(run)) = (take("InitPhase"), take("CollectPhase"), take("RunPhase"))
        else {
            return Ok(None);
        };
        // A step in several rounds has a phase of phases; each round is a phase of its own.
        let jobs = match self.subtasks(&run).await?.into_iter().next() {
            Some(round) if !round.is_job() => round,
            _ => run.clone(),
        };
        Ok(Some(StepPhases { init, run, jobs, collect }))
    }

    /// Add the phases of a step with their init and collect jobs, and mark the step as running.
    async fn add_phases(&self, step_task: &Task, description: &StepDescription) -> Result<()> {
        let step = description.step;
        let name = step.name();
        let parent = Some(step_task.id);
        let mut tx = self.environment.db.write().await?;
        queries::set_task_state(&mut tx, step_task.id, TaskState::Running, self.environment.now()).await?;
        let init = self.add(&mut tx, parent, &format!("{name}_init"), "InitPhase").await?;
        let run_name = format!("{name}_run");
        let (jobs, jobs_name) = if step.runs_in_rounds() {
            let run = self.add(&mut tx, parent, &run_name, "MultiRunPhase").await?;
            let round = format!("{run_name}-00");
            (self.add(&mut tx, Some(run), &round, "SingleRunPhase").await?, round)
        } else {
            (self.add(&mut tx, parent, &run_name, "SingleRunPhase").await?, run_name)
        };
        let job = |phase, run_phase| Job {
            step: name.to_owned(),
            phase,
            arguments: description.batch_args.to_json(),
            batch: Value::Null,
            run_phase,
            time_limit_s: description.submission_args.duration("duration").map(|limit| limit.as_secs()),
        };
        let init_job = job(Phase::Init, Some(RunPhase { id: jobs, name: jobs_name }));
        self.add_job(&mut tx, init, name, &init_job).await?;
        if step.has_collect() {
            let collect = self.add(&mut tx, parent, &format!("{name}_collect"), "CollectPhase").await?;
            self.add_job(&mut tx, collect, name, &job(Phase::Collect, None)).await?;
        }
        tx.commit().await
    }

    async fn add(&self, tx: &mut Tx, parent: Option<i64>, name: &str, task_type: &str) -> Result<i64> {
        let task = NewTask { submission: self.submission, parent, name, task_type, job: None };
        queries::insert_task(tx, &task, self.environment.now()).await
    }

    async fn add_job(&self, tx: &mut Tx, phase: i64, step: &str, job: &Job) -> Result<()> {
        let name = format!("{step}_{}_0000001", job.phase.name());
        let task = NewTask {
            submission: self.submission,
            parent: Some(phase),
            name: &name,
            task_type: job.phase.job_type(),
            job: Some(to_text(job)?),
        };
        queries::insert_task(tx, &task, self.environment.now()).await?;
        Ok(())
    }

    /// Run the jobs of a phase that have not ended; a failed one does not stop the others.
    async fn run_phase(&self, phase: &Task, needs: Needs) -> std::result::Result<i64, Halt> {
        if let Some(exitcode) = phase.exitcode {
            return Ok(exitcode);
        }
        let jobs = self.subtasks(phase).await?;
        self.set_state(phase.id, TaskState::Running).await?;
        let mut failures = jobs.iter().filter(|job| job.exitcode.is_some_and(|code| code != SUCCESS)).count();
        let waiting =
            jobs.iter().filter(|job| job.exitcode.is_none()).map(|job| (job.id, job.lost > 0)).collect();
        failures += self.run_jobs(waiting, needs).await?;
        let exitcode = match (failures, jobs.as_slice()) {
            (0, _) => SUCCESS,
            // A phase of one job that is no batch takes over its code.
            (_, [job]) if job.task_type != Phase::Run.job_type() => FAILURE,
            _ => JOBS_FAILED,
        };
        self.terminate(phase.id, exitcode).await?;
        Ok(exitcode)
    }

    /// Run jobs, as many at once as there is room for, each alone that says so; the value is how many failed.
    async fn run_jobs(&self, jobs: Vec<(i64, bool)>, needs: Needs) -> std::result::Result<usize, Halt> {
        let mut failures = 0;
        let mut halt = None;
        let mut waiting = jobs.into_iter();
        let mut running = JoinSet::new();
        loop {
            while halt.is_none()
                && running.len() < QUEUED_JOBS
                && let Some((job, alone)) = waiting.next()
            {
                let walk = self.clone();
                running.spawn(async move { walk.run_job(job, needs, alone).await });
            }
            match running.join_next().await {
                None => break,
                Some(Ok(Ok(exitcode))) => failures += usize::from(exitcode != SUCCESS),
                // The others come to their end, or are halted themselves.
                Some(Ok(Err(reason))) => halt = halt.or(Some(reason)),
                // The executor itself panicked; the job's own panics end as a failed job.
                Some(Err(panic)) => {
                    halt = halt.or(Some(StoreError::Corrupt(format!("a job's worker: {panic}")).into()));
                }
            }
        }
        halt.map_or(Ok(failures), Err)
    }

    /// Run a job, again if a failure may pass; the value is its exit code.
    async fn run_job(&self, task: i64, needs: Needs, alone: bool) -> std::result::Result<i64, Halt> {
        loop {
            self.set_state(task, TaskState::Submitted).await?;
            let (submission, kill) = (self.submission, self.kill.clone());
            let times = match self.executor.execute(Order { task, submission, needs, alone, kill }).await? {
                Ended::With(exitcode) => return Ok(exitcode),
                Ended::ToTryAgain(times) => times,
            };
            tokio::select! {
                () = tokio::time::sleep(times * RETRY_PAUSE) => {}
                () = self.kill.cancelled() => return Err(Halt::Killed),
                () = self.stop.asked() => return Err(Halt::Stopping),
            }
        }
    }

    async fn subtasks(&self, parent: &Task) -> Result<Vec<Task>> {
        queries::subtasks_of(&mut self.environment.db.read().await?, parent.id).await
    }

    async fn set_state(&self, task: i64, state: TaskState) -> Result<()> {
        let mut tx = self.environment.db.write().await?;
        queries::set_task_state(&mut tx, task, state, self.environment.now()).await?;
        tx.commit().await
    }

    /// End a task that is made of others.
    async fn terminate(&self, task: i64, exitcode: i64) -> std::result::Result<(), Halt> {
        let mut tx = self.environment.db.write().await?;
        let ended = queries::terminate_task(&mut tx, task, exitcode, self.environment.now()).await?;
        tx.commit().await?;
        // Being killed shows in the database a moment before this process is told.
        if ended { Ok(()) } else { Err(Halt::Killed) }
    }
}

/// What the run jobs of a step ask for.
fn needs_of(arguments: &Arguments) -> Needs {
    let amount = |name| arguments.integer(name).and_then(|value| u64::try_from(value).ok());
    Needs { cores: amount("cores").unwrap_or(1), memory_mb: amount("memory").unwrap_or(0) }
}

/// The plan of a submission as stored.
fn plan_of(description: &str) -> std::result::Result<WorkflowDescription, String> {
    let value: Value = serde_json::from_str(description).map_err(|error| error.to_string())?;
    WorkflowDescription::parse_active(&value)
}

/// Tasks with the parts of the plan they stand for: both are in the plan's order.
fn pair<T>(tasks: Vec<Task>, parts: Vec<T>, name: impl Fn(&T) -> &str) -> Result<Vec<(Task, T)>> {
    let same =
        tasks.len() == parts.len() && tasks.iter().zip(&parts).all(|(task, part)| task.name == name(part));
    if !same {
        return Err(StoreError::Corrupt("the tasks of a submission are not those of its plan".to_owned()));
    }
    Ok(tasks.into_iter().zip(parts).collect())
}
