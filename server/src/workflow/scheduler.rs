//! Submits workflows, goes on with them, runs parts of them again, kills them.

use std::sync::Arc;
use std::time::Duration;

use super::description::WorkflowDescription;
use super::executors::{Executor, LocalExecutor, Needs};
use super::resubmission::Part;
use super::running::Running;
use super::stop::Stop;
use crate::environment::Environment;
use crate::failpoint;
use crate::resources::experiment::{Experiment, queries as experiments};
use crate::resources::workflow::queries::{self, NewTask};
use crate::storage::StorageError;
use crate::store::{Result, StoreError, Tx};

/// How long a kill waits for what runs to reach a safe point before it answers.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// Why a workflow was not submitted, submitted again or killed.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The description cannot be run, or the part to run again is none.
    #[error("{0}")]
    Description(String),
    /// A workflow of this experiment runs already.
    #[error("a workflow of this experiment is running already; kill it first, or wait for its end")]
    Running,
    /// There is nothing to run again or to kill.
    #[error("no workflow was ever submitted for this experiment")]
    NothingSubmitted,
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
    pub(super) environment: Environment,
    pub(super) executor: Arc<dyn Executor>,
    pub(super) stop: Stop,
    pub(super) running: Running,
}

impl Workflows {
    /// Workflows run in this process, whose jobs use at most `limits` at once.
    pub fn local(environment: Environment, limits: Needs) -> Self {
        let stop = Stop::default();
        let executor = Arc::new(LocalExecutor::new(environment.clone(), limits, stop.clone()));
        Self { environment, executor, stop, running: Running::default() }
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
        self.may_begin(experiment.id).await?;
        // A task of its own, because the caller may go away: what is stored must also be run.
        let stored = description.to_json().to_string();
        to_its_end(self.clone().start(experiment.clone(), caller, stored, plan)).await
    }

    /// Run a part of the latest submission again, with `description` if there is one; the value is the submission's
    /// id, which stays.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing is started or kept then.
    pub async fn resubmit(
        &self,
        experiment: &Experiment,
        description: &WorkflowDescription,
        part: Part,
    ) -> std::result::Result<i64, SubmitError> {
        self.may_begin(experiment.id).await?;
        to_its_end(self.clone().start_again(experiment.clone(), description.clone(), part)).await
    }

    /// Kill the latest submission of an experiment: waiting jobs end at once, running ones at their next safe point.
    /// Returns once all have ended, or after [`KILL_PATIENCE`]; a submission that is over stays as it is.
    ///
    /// # Errors
    /// [`SubmitError::NothingSubmitted`], or when the database fails.
    pub async fn kill(&self, experiment: i64) -> std::result::Result<(), SubmitError> {
        let mut tx = self.environment.db.write().await?;
        let submission = queries::latest_submission(&mut tx, experiment).await?;
        let submission = submission.ok_or(SubmitError::NothingSubmitted)?;
        let begun = queries::begin_kill(&mut tx, submission, self.environment.now()).await?;
        tx.commit().await?;
        failpoint::reached("workflow kill begun");
        if begun && !self.running.kill(submission, KILL_PATIENCE).await {
            self.end_kill(submission).await?;
        }
        Ok(())
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

    /// Resolves when the server stops.
    pub async fn stopping(&self) {
        self.stop.asked().await;
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

    /// Whether a workflow of an experiment may begin now. Looked at again where it counts; here so that a refusal
    /// need not wait for a chance to write.
    async fn may_begin(&self, experiment: i64) -> std::result::Result<(), SubmitError> {
        if self.stop.is_asked() {
            return Err(SubmitError::Stopping);
        }
        if queries::has_unfinished(&mut self.environment.db.read().await?, experiment).await? {
            return Err(SubmitError::Running);
        }
        Ok(self.environment.space.check()?)
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
        let root =
            NewTask { submission, parent: None, name: &experiment.name, task_type: "Workflow", job: None };
        let root = queries::insert_task(&mut tx, &root, now).await?;
        insert_stages(&mut tx, submission, root, &plan, 0, now).await?;
        tx.commit().await?;
        failpoint::reached("workflow submitted");
        self.see_through(submission);
        Ok(submission)
    }
}

/// Add the tasks of a plan's stages from `first` on, and of their steps.
pub(super) async fn insert_stages(
    tx: &mut Tx,
    submission: i64,
    root: i64,
    plan: &WorkflowDescription,
    first: usize,
    now: i64,
) -> Result<()> {
    for stage in plan.stages.iter().skip(first) {
        let task_type = stage.mode.task_type();
        let new = NewTask { submission, parent: Some(root), name: stage.name, task_type, job: None };
        let parent = Some(queries::insert_task(tx, &new, now).await?);
        for step in &stage.steps {
            let name = step.step.name();
            let new = NewTask { submission, parent, name, task_type: "WorkflowStep", job: None };
            queries::insert_task(tx, &new, now).await?;
        }
    }
    Ok(())
}

/// Begin a workflow in a task of its own.
async fn to_its_end(
    begin: impl Future<Output = std::result::Result<i64, SubmitError>> + Send + 'static,
) -> std::result::Result<i64, SubmitError> {
    tokio::spawn(begin).await.unwrap_or_else(|panic| {
        Err(StoreError::Corrupt(format!("submitting the workflow failed: {panic}")).into())
    })
}
