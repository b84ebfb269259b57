//! Walks the task tree of a submission: stage by stage, step by step, phase by phase.
//!
//! What is done and what is not is the database's to say: the walk begins at the root and passes over
//! whatever has ended, so that a new submission and one that a stopped server left behind are the same
//! to it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use tokio::task::JoinSet;

use super::description::{StageDescription, StageMode, StepDescription, WorkflowDescription};
use super::executors::{Executor, LocalExecutor};
use super::job::{FAILURE, FIRST_PAUSE, Halt, Job, LONGEST_PAUSE, Phase, RunPhase, SUCCESS, to_text};
use super::stop::Stop;
use super::task::{Task, TaskState};
use crate::environment::Environment;
use crate::failpoint;
use crate::resources::experiment::{Experiment, queries as experiments};
use crate::resources::workflow::queries::{self, NewTask};
use crate::storage::StorageError;
use crate::store::{Result, StoreError, Tx};

/// Exit code of a phase one of whose jobs failed (`EX_SOFTWARE` of `sysexits.h`).
const JOBS_FAILED: i64 = 70;
/// Jobs of one phase that wait for a place at the executor at the same time.
const QUEUED_JOBS: usize = 256;

/// Why a workflow was not submitted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The description cannot be run.
    #[error("{0}")]
    Description(String),
    /// A workflow of this experiment runs already.
    #[error("a workflow of this experiment is running already")]
    Running,
    /// The server stops.
    #[error("the server is stopping; submit again when it is back")]
    Stopping,
    /// There is too little room for what it would make.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The workflows of all experiments: submits them and sees them through.
#[derive(Debug, Clone)]
pub struct Workflows {
    environment: Environment,
    executor: Arc<dyn Executor>,
    stop: Stop,
}

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
    /// Workflows run in this process, on at most `cores` cores.
    pub fn local(environment: Environment, cores: usize) -> Self {
        let stop = Stop::default();
        let executor = Arc::new(LocalExecutor::new(environment.clone(), cores, stop.clone()));
        Self { environment, executor, stop }
    }

    /// Keep `description` and start what is active in it; the value is the submission's id.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing is started or kept then.
    pub async fn submit(
        &self,
        experiment: &Experiment,
        caller: i64,
        description: &WorkflowDescription,
    ) -> std::result::Result<i64, SubmitError> {
        let plan = description.active().map_err(SubmitError::Description)?;
        if self.stop.is_asked() {
            return Err(SubmitError::Stopping);
        }
        // Looked at again where it counts; here so that a refusal need not wait for a chance to write.
        if queries::has_unfinished(&mut self.environment.db.read().await?, experiment.id).await? {
            return Err(SubmitError::Running);
        }
        self.environment.space.check()?;
        // A task of its own, because the caller may go away: what is stored must also be run.
        let stored = description.to_json().to_string();
        let start = self.clone().start(experiment.clone(), caller, stored, plan);
        tokio::spawn(start).await.unwrap_or_else(|panic| {
            Err(StoreError::Corrupt(format!("submitting the workflow failed: {panic}")).into())
        })
    }

    /// Go on with every workflow that a stopped server left behind; the value is their number. Only for a
    /// time when no other server runs any of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn resume(&self) -> Result<usize> {
        let unfinished = queries::unfinished_submissions(&mut self.environment.db.read().await?).await?;
        for submission in &unfinished {
            self.see_through(*submission);
        }
        Ok(unfinished.len())
    }

    /// Begin no more jobs, wait `patience` for those that run, give back those that still run then. True
    /// when all came to their end.
    pub async fn stop(&self, patience: Duration) -> bool {
        self.stop.stop(patience).await
    }

    /// What a job wrote: standard output and standard error, empty as long as there is none.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub async fn log_of(&self, experiment: i64, job: i64) -> std::io::Result<(String, String)> {
        let read =
            async |stream| match tokio::fs::read(self.environment.data.log(experiment, job, stream)).await {
                Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
                Err(error) => Err(error),
            };
        Ok((read("out").await?, read("err").await?))
    }

    /// Store the description and the tree of `plan`, and set off to run it.
    async fn start(
        self,
        experiment: Experiment,
        caller: i64,
        description: String,
        plan: WorkflowDescription,
    ) -> std::result::Result<i64, SubmitError> {
        let now = self.environment.now();
        let mut tx = self.environment.db.write().await?;
        // First, because it makes others who submit for this experiment wait for this transaction.
        experiments::set_workflow(&mut tx, experiment.id, plan.kind.name(), &description, now).await?;
        if queries::has_unfinished(&mut tx, experiment.id).await? {
            return Err(SubmitError::Running);
        }
        let planned = plan.to_json().to_string();
        let submission = queries::insert_submission(&mut tx, experiment.id, caller, &planned, now).await?;
        let root = self.add(&mut tx, submission, None, &experiment.name, "Workflow").await?;
        for stage in &plan.stages {
            let task = self.add(&mut tx, submission, Some(root), stage.name, stage.mode.task_type()).await?;
            for step in &stage.steps {
                self.add(&mut tx, submission, Some(task), step.step.name(), "WorkflowStep").await?;
            }
        }
        tx.commit().await?;
        failpoint::reached("workflow submitted");
        self.see_through(submission);
        Ok(submission)
    }

    async fn add(
        &self,
        tx: &mut Tx,
        submission: i64,
        parent: Option<i64>,
        name: &str,
        task_type: &str,
    ) -> Result<i64> {
        let task = NewTask { submission, parent, name, task_type, job: None };
        queries::insert_task(tx, &task, self.environment.now()).await
    }

    /// Run a submission to its end in the background, however often the database fails meanwhile.
    fn see_through(&self, submission: i64) {
        let workflows = self.clone();
        self.stop.spawn(async move {
            let mut pause = FIRST_PAUSE;
            loop {
                match workflows.walk(submission).await {
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

    /// Run whatever of a submission has not ended yet.
    async fn walk(&self, submission: i64) -> std::result::Result<(), Halt> {
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
                None => self.run_stage(root.submission_id, &task, stage).await?,
            };
            if exitcode != SUCCESS {
                break;
            }
        }
        Ok(exitcode)
    }

    async fn run_stage(
        &self,
        submission: i64,
        task: &Task,
        stage: StageDescription,
    ) -> std::result::Result<i64, Halt> {
        self.set_state(task.id, TaskState::Running).await?;
        let steps = pair(self.subtasks(task).await?, stage.steps, |step| step.step.name())?;
        let mut exitcode = SUCCESS;
        match stage.mode {
            StageMode::Sequential => {
                for (task, step) in &steps {
                    exitcode = self.run_step(submission, task, step).await?;
                    if exitcode != SUCCESS {
                        break;
                    }
                }
            }
            StageMode::Parallel => {
                let runs = steps.iter().map(|(task, step)| self.run_step(submission, task, step));
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

    async fn run_step(
        &self,
        submission: i64,
        task: &Task,
        description: &StepDescription,
    ) -> std::result::Result<i64, Halt> {
        if let Some(exitcode) = task.exitcode {
            return Ok(exitcode);
        }
        let phases = match self.phases_of(task).await? {
            Some(phases) => phases,
            None => {
                self.add_phases(submission, task, description).await?;
                let missing = || StoreError::Corrupt(format!("step task {} has no phases", task.id));
                self.phases_of(task).await?.ok_or_else(missing)?
            }
        };
        // Init and collect jobs put things together; what the run jobs may use is the client's to say.
        let mut exitcode = self.run_phase(&phases.init, 1).await?;
        if exitcode == SUCCESS {
            let cores = description.submission_args.count("cores");
            self.set_state(phases.run.id, TaskState::Running).await?;
            exitcode = self.run_phase(&phases.jobs, cores).await?;
            if phases.run.id != phases.jobs.id {
                self.terminate(phases.run.id, exitcode).await?;
            }
        }
        if let (SUCCESS, Some(collect)) = (exitcode, &phases.collect) {
            exitcode = self.run_phase(collect, 1).await?;
        }
        tracing::info!(submission, step = description.step.name(), exitcode, "step ended");
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
    async fn add_phases(
        &self,
        submission: i64,
        step_task: &Task,
        description: &StepDescription,
    ) -> Result<()> {
        let step = description.step;
        let name = step.name();
        let parent = Some(step_task.id);
        let mut tx = self.environment.db.write().await?;
        queries::set_task_state(&mut tx, step_task.id, TaskState::Running, self.environment.now()).await?;
        let init = self.add(&mut tx, submission, parent, &format!("{name}_init"), "InitPhase").await?;
        let run_name = format!("{name}_run");
        let (jobs, jobs_name) = if step.runs_in_rounds() {
            let run = self.add(&mut tx, submission, parent, &run_name, "MultiRunPhase").await?;
            let round = format!("{run_name}-00");
            (self.add(&mut tx, submission, Some(run), &round, "SingleRunPhase").await?, round)
        } else {
            (self.add(&mut tx, submission, parent, &run_name, "SingleRunPhase").await?, run_name)
        };
        let job = |phase, run_phase| Job {
            step: name.to_owned(),
            phase,
            arguments: description.batch_args.to_json(),
            batch: Value::Null,
            run_phase,
        };
        let init_job = job(Phase::Init, Some(RunPhase { id: jobs, name: jobs_name }));
        self.add_job(&mut tx, submission, init, name, &init_job).await?;
        if step.has_collect() {
            let collect =
                self.add(&mut tx, submission, parent, &format!("{name}_collect"), "CollectPhase").await?;
            self.add_job(&mut tx, submission, collect, name, &job(Phase::Collect, None)).await?;
        }
        tx.commit().await
    }

    async fn add_job(&self, tx: &mut Tx, submission: i64, phase: i64, step: &str, job: &Job) -> Result<()> {
        let name = format!("{step}_{}_0000001", job.phase.name());
        let task = NewTask {
            submission,
            parent: Some(phase),
            name: &name,
            task_type: job.phase.job_type(),
            job: Some(to_text(job)?),
        };
        queries::insert_task(tx, &task, self.environment.now()).await?;
        Ok(())
    }

    /// Run the jobs of a phase that have not ended; a failed one does not stop the others.
    async fn run_phase(&self, phase: &Task, cores: usize) -> std::result::Result<i64, Halt> {
        if let Some(exitcode) = phase.exitcode {
            return Ok(exitcode);
        }
        let jobs = self.subtasks(phase).await?;
        self.set_state(phase.id, TaskState::Running).await?;
        let mut failures = jobs.iter().filter(|job| job.exitcode.is_some_and(|code| code != SUCCESS)).count();
        let waiting: Vec<i64> = jobs.iter().filter(|job| job.exitcode.is_none()).map(|job| job.id).collect();
        failures += self.run_jobs(waiting, cores).await?;
        let exitcode = match (failures, jobs.as_slice()) {
            (0, _) => SUCCESS,
            // A phase of one job that is no batch takes over its code.
            (_, [job]) if job.task_type != Phase::Run.job_type() => FAILURE,
            _ => JOBS_FAILED,
        };
        self.terminate(phase.id, exitcode).await?;
        Ok(exitcode)
    }

    /// Run jobs, as many at once as there is room for; the value is how many failed.
    async fn run_jobs(&self, jobs: Vec<i64>, cores: usize) -> std::result::Result<usize, Halt> {
        let mut failures = 0;
        let mut halt = None;
        let mut waiting = jobs.into_iter();
        let mut running = JoinSet::new();
        loop {
            while halt.is_none()
                && running.len() < QUEUED_JOBS
                && let Some(job) = waiting.next()
            {
                let workflows = self.clone();
                running.spawn(async move {
                    workflows.set_state(job, TaskState::Submitted).await?;
                    workflows.executor.execute(job, cores).await
                });
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

    async fn subtasks(&self, parent: &Task) -> Result<Vec<Task>> {
        queries::subtasks_of(&mut self.environment.db.read().await?, parent.id).await
    }

    async fn set_state(&self, task: i64, state: TaskState) -> Result<()> {
        let mut tx = self.environment.db.write().await?;
        queries::set_task_state(&mut tx, task, state, self.environment.now()).await?;
        tx.commit().await
    }

    async fn terminate(&self, task: i64, exitcode: i64) -> Result<()> {
        let mut tx = self.environment.db.write().await?;
        queries::terminate_task(&mut tx, task, exitcode, self.environment.now()).await?;
        tx.commit().await
    }
}

/// The plan of a submission as stored.
fn plan_of(description: &str) -> std::result::Result<WorkflowDescription, String> {
    let value: Value = serde_json::from_str(description).map_err(|error| error.to_string())?;
    WorkflowDescription::parse(&value)
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
