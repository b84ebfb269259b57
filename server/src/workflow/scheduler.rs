//! Walks the task tree of a submission: stage by stage, step by step, phase by phase.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join_all;
use serde_json::Value;
use tokio::task::JoinSet;

use super::description::{StageDescription, StageMode, StepDescription, WorkflowDescription};
use super::executors::{Executor, LocalExecutor};
use super::job::{FAILURE, Job, Phase, RunPhase, SUCCESS};
use super::task::TaskState;
use crate::environment::Environment;
use crate::resources::experiment::{Experiment, queries as experiments};
use crate::resources::workflow::queries::{self, NewTask};
use crate::storage::StorageError;
use crate::store::{Result, StoreError, Tx, once_there_is_room};

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
    running: Arc<Mutex<HashSet<i64>>>,
}

/// Marks an experiment as busy for as long as it lives.
#[derive(Debug)]
struct Busy {
    experiment: i64,
    running: Arc<Mutex<HashSet<i64>>>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.experiment);
    }
}

/// A node of the tree that was just added, with what is below it.
struct Planned<T> {
    task: i64,
    part: T,
}

type PlannedSteps = Vec<Planned<StepDescription>>;
type PlannedStages = Vec<Planned<(StageMode, PlannedSteps)>>;

impl Workflows {
    /// Workflows run in this process, on at most `cores` cores.
    pub fn local(environment: Environment, cores: usize) -> Self {
        let executor = Arc::new(LocalExecutor::new(environment.clone(), cores));
        Self { environment, executor, running: Arc::default() }
    }

    /// Whether a workflow of this experiment runs now.
    pub fn is_running(&self, experiment: i64) -> bool {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).contains(&experiment)
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
        self.environment.space.check()?;
        let busy = self.claim(experiment.id).ok_or(SubmitError::Running)?;
        // A task of its own, because the caller may go away: what is stored must also be run.
        let stored = description.to_json().to_string();
        let start = self.clone().start(experiment.clone(), caller, stored, plan, busy);
        match tokio::spawn(start).await {
            Ok(submission) => Ok(submission?),
            Err(panic) => Err(StoreError::Corrupt(format!("submitting the workflow failed: {panic}")).into()),
        }
    }

    /// Store the description and the tree of `plan`, and set off to run it.
    async fn start(
        self,
        experiment: Experiment,
        caller: i64,
        description: String,
        plan: WorkflowDescription,
        busy: Busy,
    ) -> Result<i64> {
        let now = self.environment.now();
        let mut tx = self.environment.db.write().await?;
        experiments::set_workflow(&mut tx, experiment.id, plan.kind.name(), &description, now).await?;
        let planned = plan.to_json().to_string();
        let submission = queries::insert_submission(&mut tx, experiment.id, caller, &planned, now).await?;
        let root = self.add(&mut tx, submission, None, &experiment.name, "Workflow").await?;
        let mut stages: PlannedStages = Vec::new();
        for stage in plan.stages {
            stages.push(self.add_stage(&mut tx, submission, root, stage).await?);
        }
        tx.commit().await?;
        tokio::spawn(async move {
            let outcome = self.run_workflow(submission, root, stages).await;
            // Before the last word is stored: who reads that it is over may submit again at once.
            drop(busy);
            let stored = match outcome {
                Ok(exitcode) => self.terminate(root, exitcode).await,
                Err(error) => Err(error),
            };
            if let Err(error) = stored {
                tracing::error!(submission, %error, "the workflow stopped: its state cannot be stored");
            }
        });
        Ok(submission)
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

    fn claim(&self, experiment: i64) -> Option<Busy> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.insert(experiment).then(|| Busy { experiment, running: Arc::clone(&self.running) })
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

    async fn add_stage(
        &self,
        tx: &mut Tx,
        submission: i64,
        root: i64,
        stage: StageDescription,
    ) -> Result<Planned<(StageMode, PlannedSteps)>> {
        let task = self.add(tx, submission, Some(root), stage.name, stage.mode.task_type()).await?;
        let mut steps = Vec::new();
        for step in stage.steps {
            let name = step.step.name();
            let step_task = self.add(tx, submission, Some(task), name, "WorkflowStep").await?;
            steps.push(Planned { task: step_task, part: step });
        }
        Ok(Planned { task, part: (stage.mode, steps) })
    }

    /// Run the stages one after the other; the value is the exit code of the last one that ran.
    async fn run_workflow(&self, submission: i64, root: i64, stages: PlannedStages) -> Result<i64> {
        self.set_state(root, TaskState::Running).await?;
        let mut exitcode = SUCCESS;
        for stage in stages {
            exitcode = self.run_stage(submission, stage).await?;
            if exitcode != SUCCESS {
                break;
            }
        }
        Ok(exitcode)
    }

    async fn run_stage(&self, submission: i64, stage: Planned<(StageMode, PlannedSteps)>) -> Result<i64> {
        let Planned { task, part: (mode, steps) } = stage;
        self.set_state(task, TaskState::Running).await?;
        let mut exitcode = SUCCESS;
        match mode {
            StageMode::Sequential => {
                for step in steps {
                    exitcode = self.run_step(submission, step).await?;
                    if exitcode != SUCCESS {
                        break;
                    }
                }
            }
            StageMode::Parallel => {
                let mut runs = Vec::new();
                for step in steps {
                    runs.push(self.run_step(submission, step));
                }
                for outcome in join_all(runs).await {
                    if outcome? != SUCCESS {
                        exitcode = JOBS_FAILED;
                    }
                }
            }
        }
        self.terminate(task, exitcode).await?;
        Ok(exitcode)
    }

    async fn run_step(&self, submission: i64, step: Planned<StepDescription>) -> Result<i64> {
        let Planned { task, part: description } = step;
        let step = description.step;
        let phases = once_there_is_room(|| self.add_phases(submission, task, &description)).await?;
        // Init and collect jobs put things together; what the run jobs may use is the client's to say.
        let mut exitcode = self.run_phase(phases.init, 1).await?;
        if exitcode == SUCCESS {
            let cores = description.submission_args.count("cores");
            self.set_state(phases.run, TaskState::Running).await?;
            exitcode = self.run_phase(phases.jobs, cores).await?;
            if phases.run != phases.jobs {
                self.terminate(phases.run, exitcode).await?;
            }
        }
        if let (SUCCESS, Some(collect)) = (exitcode, phases.collect) {
            exitcode = self.run_phase(collect, 1).await?;
        }
        tracing::info!(submission, step = step.name(), exitcode, "step ended");
        self.terminate(task, exitcode).await?;
        Ok(exitcode)
    }

    /// Add the phases of a step with their init and collect jobs, and mark the step as running.
    async fn add_phases(
        &self,
        submission: i64,
        step_task: i64,
        description: &StepDescription,
    ) -> Result<StepPhases> {
        let step = description.step;
        let name = step.name();
        let parent = Some(step_task);
        let mut tx = self.environment.db.write().await?;
        queries::set_task_state(&mut tx, step_task, TaskState::Running, self.environment.now()).await?;
        let init = self.add(&mut tx, submission, parent, &format!("{name}_init"), "InitPhase").await?;
        let run_name = format!("{name}_run");
        // A step in several rounds has a phase of phases; each round is a phase of its own.
        let (run, jobs, jobs_name) = if step.runs_in_rounds() {
            let run = self.add(&mut tx, submission, parent, &run_name, "MultiRunPhase").await?;
            let round = format!("{run_name}-00");
            (run, self.add(&mut tx, submission, Some(run), &round, "SingleRunPhase").await?, round)
        } else {
            let run = self.add(&mut tx, submission, parent, &run_name, "SingleRunPhase").await?;
            (run, run, run_name)
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
        let collect = if step.has_collect() {
            let collect =
                self.add(&mut tx, submission, parent, &format!("{name}_collect"), "CollectPhase").await?;
            self.add_job(&mut tx, submission, collect, name, &job(Phase::Collect, None)).await?;
            Some(collect)
        } else {
            None
        };
        tx.commit().await?;
        Ok(StepPhases { init, run, jobs, collect })
    }

    async fn add_job(&self, tx: &mut Tx, submission: i64, phase: i64, step: &str, job: &Job) -> Result<()> {
        let name = format!("{step}_{}_0000001", job.phase.name());
        let text = super::job::to_text(job).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let task = NewTask {
            submission,
            parent: Some(phase),
            name: &name,
            task_type: job.phase.job_type(),
            job: Some(text),
        };
        queries::insert_task(tx, &task, self.environment.now()).await?;
        Ok(())
    }

    /// Run all jobs of a phase; a failed one does not stop the others.
    async fn run_phase(&self, phase: i64, cores: usize) -> Result<i64> {
        let jobs = queries::subtasks_of(&mut self.environment.db.read().await?, phase).await?;
        self.set_state(phase, TaskState::Running).await?;
        let mut failures = 0_usize;
        let mut waiting = jobs.iter().map(|job| job.id);
        let mut running = JoinSet::new();
        loop {
            while running.len() < QUEUED_JOBS
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
                Some(Ok(outcome)) => failures += usize::from(outcome? != SUCCESS),
                // The executor itself panicked; the job's own panics end as a failed job.
                Some(Err(_)) => failures += 1,
            }
        }
        let exitcode = match (failures, jobs.as_slice()) {
            (0, _) => SUCCESS,
            // A phase of one job that is no batch takes over its code.
            (_, [job]) if job.task_type != Phase::Run.job_type() => FAILURE,
            _ => JOBS_FAILED,
        };
        self.terminate(phase, exitcode).await?;
        Ok(exitcode)
    }

    async fn set_state(&self, task: i64, state: TaskState) -> Result<()> {
        once_there_is_room(|| async {
            let mut tx = self.environment.db.write().await?;
            queries::set_task_state(&mut tx, task, state, self.environment.now()).await?;
            tx.commit().await
        })
        .await
    }

    async fn terminate(&self, task: i64, exitcode: i64) -> Result<()> {
        once_there_is_room(|| async {
            let mut tx = self.environment.db.write().await?;
            queries::terminate_task(&mut tx, task, exitcode, None, self.environment.now()).await?;
            tx.commit().await
        })
        .await
    }
}

/// Row ids of a step's phases.
struct StepPhases {
    init: i64,
    /// The run phase as clients know it.
    run: i64,
    /// The phase that holds the run jobs: the same, or its one round.
    jobs: i64,
    collect: Option<i64>,
}
