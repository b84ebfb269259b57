//! Running a part of a submission again: from a stage on, with a further stage, or only what failed.
//!
//! Tasks are replaced, never added beside old ones: the tree of a submission shows one generation.

use std::collections::BTreeSet;

use super::description::WorkflowDescription;
use super::scheduler::{SubmitError, Workflows, insert_stages};
use super::task::Task;
use crate::failpoint;
use crate::resources::experiment::{Experiment, queries as experiments};
use crate::resources::workflow::queries;
use crate::store::{StoreError, Tx};

/// What of a submission to run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The active stage of this index and all after it. As many as there are stages means a further one.
    FromIndex(usize),
    /// The active stage of this name and all after it.
    FromStage(String),
    /// The jobs that failed or were killed, and what comes after them; as submitted, whatever the description says.
    FailedOnly,
}

impl Part {
    /// The part that a client asks for; all of it unless it says otherwise.
    ///
    /// # Errors
    /// A sentence that says what was wanted.
    pub fn new(index: Option<i64>, stage: Option<String>, failed_only: bool) -> Result<Self, String> {
        match (index, stage, failed_only) {
            (None, None, true) => Ok(Self::FailedOnly),
            (_, _, true) => Err(
                "`failed_only` runs the failed jobs wherever they are: no `index` or `stage_name` with it"
                    .to_owned(),
            ),
            (Some(_), Some(_), _) => Err("give either `index` or `stage_name`, not both".to_owned()),
            (None, Some(name), _) => Ok(Self::FromStage(name)),
            (None, None, _) => Ok(Self::FromIndex(0)),
            (Some(index), None, _) => usize::try_from(index)
                .map(Self::FromIndex)
                .map_err(|_| format!("`index` must be 0 or more, got {index}")),
        }
    }
}

impl Workflows {
    /// Replace the tasks of a part of the latest submission, and set off to run them.
    pub(super) async fn start_again(
        self,
        experiment: Experiment,
        description: WorkflowDescription,
        part: Part,
    ) -> Result<i64, SubmitError> {
        let now = self.environment.now();
        let mut tx = self.environment.db.write().await?;
        // First, because it makes others who submit for this experiment wait for this transaction.
        experiments::touch(&mut tx, experiment.id, now).await?;
        let submission = queries::latest_submission(&mut tx, experiment.id).await?;
        let submission = submission.ok_or(SubmitError::NothingSubmitted)?;
        if queries::has_unfinished(&mut tx, experiment.id).await? {
            return Err(SubmitError::Running);
        }
        let root = queries::root_of(&mut tx, submission).await?;
        let root =
            root.ok_or_else(|| StoreError::Corrupt(format!("submission {submission} has no tasks")))?;
        let before = queries::job_ids(&mut tx, submission).await?;
        if part == Part::FailedOnly {
            if queries::renew_failed(&mut tx, submission, now).await? == 0 {
                return Err(SubmitError::Description(
                    "no job of the latest submission failed or was killed; `failed_only` has nothing to run"
                        .to_owned(),
                ));
            }
        } else {
            let text = description.to_json().to_string();
            experiments::set_workflow(&mut tx, experiment.id, description.kind.name(), &text, now).await?;
            replace_stages(&mut tx, &root, &description, &part, now).await?;
        }
        queries::renew_root(&mut tx, root.id, now).await?;
        let after: BTreeSet<i64> = queries::job_ids(&mut tx, submission).await?.into_iter().collect();
        tx.commit().await?;
        failpoint::reached("workflow resubmitted");
        self.see_through(submission);
        // The logs of jobs that are gone.
        for job in before.into_iter().filter(|job| !after.contains(job)) {
            for stream in ["out", "err"] {
                self.environment.remove_files(self.environment.data.log(experiment.id, job, stream)).await;
            }
        }
        Ok(submission)
    }
}

/// Put the stages of `description` from the part's first one on in place of those of the submission.
async fn replace_stages(
    tx: &mut Tx,
    root: &Task,
    description: &WorkflowDescription,
    part: &Part,
    now: i64,
) -> Result<(), SubmitError> {
    let plan = description.active().map_err(SubmitError::Description)?;
    let names: Vec<&str> = plan.stages.iter().map(|stage| stage.name).collect();
    let tasks = queries::subtasks_of(tx, root.id).await?;
    let first = first_stage(part, &names, &tasks).map_err(SubmitError::Description)?;
    for task in &tasks[first..] {
        queries::delete_task(tx, task.id).await?;
    }
    insert_stages(tx, root.submission_id, root.id, &plan, first, now).await?;
    // The stages before keep their tasks; the walk passes over them, whatever their arguments are now.
    queries::set_submitted_description(tx, root.submission_id, &plan.to_json().to_string()).await?;
    Ok(())
}

/// The index of the first stage to run: among the active stages of the description, and among the stages that were
/// submitted, which agree before it.
fn first_stage(part: &Part, active: &[&str], submitted: &[Task]) -> Result<usize, String> {
    let first = match part {
        Part::FromIndex(index) => *index,
        Part::FromStage(name) => active.iter().position(|known| known == name).ok_or_else(|| {
            format!("stage \"{name}\" is not among the active stages: {}", active.join(", "))
        })?,
        Part::FailedOnly => 0,
    };
    if first > submitted.len() {
        return Err(format!(
            "stage {first} cannot be next: {} stage(s) were submitted, so `index` is at most {0}",
            submitted.len()
        ));
    }
    if first >= active.len() {
        return Err(format!(
            "the description has {} active stage(s), numbered from 0: there is none with index {first}",
            active.len()
        ));
    }
    for (task, name) in submitted.iter().zip(active).take(first) {
        if task.name != *name {
            return Err(format!(
                "the stages before the one to run again must be those submitted: `{}` was, `{name}` was not",
                task.name
            ));
        }
        if task.exitcode != Some(0) {
            return Err(format!("stage `{name}` did not succeed: submit again from it on"));
        }
    }
    Ok(first)
}
