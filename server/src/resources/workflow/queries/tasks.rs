//! SQL of submissions and tasks.

use crate::store::{Result, Tx, execute, fetch_all, fetch_one, fetch_optional};
use crate::workflow::lease::Lease;
use crate::workflow::task::{Task, TaskState};

/// Name of the program of workflow submissions.
const PROGRAM: &str = "workflow";

/// The columns of a [`Task`].
macro_rules! task_columns {
    () => {
        "tasks.id, submission_id, parent_id, name, type, state, exitcode, wall_time, cpu_time, memory, epoch, lost,
             reason, tasks.created_at, tasks.updated_at"
    };
}
pub(crate) use task_columns;

/// What a [`Task`] is read from.
macro_rules! select_tasks {
    () => {
        concat!("select ", task_columns!(), " from tasks")
    };
}

/// Add a submission; the value is the id.
pub async fn insert_submission(
    tx: &mut Tx,
    experiment: i64,
    caller: i64,
    description: &str,
    now: i64,
) -> Result<i64> {
    let (id,) = fetch_one!(
        tx,
        (i64,),
        "insert into submissions (experiment_id, user_id, program, description, created_at)
         values ($1, $2, $3, $4, $5)
         returning id",
        experiment,
        caller,
        PROGRAM,
        description,
        now
    )?;
    Ok(id)
}

/// The most recent submission of an experiment.
pub async fn latest_submission(tx: &mut Tx, experiment: i64) -> Result<Option<i64>> {
    let row = fetch_optional!(
        tx,
        (Option<i64>,),
        "select max(id) from submissions where experiment_id = $1 and program = $2",
        experiment,
        PROGRAM
    )?;
    Ok(row.and_then(|(id,)| id))
}

/// A task to add.
#[derive(Debug, Clone)]
pub struct NewTask<'a> {
    /// The submission it belongs to.
    pub submission: i64,
    /// The task it is part of.
    pub parent: Option<i64>,
    /// Name.
    pub name: &'a str,
    /// Type on the wire.
    pub task_type: &'a str,
    /// What a job does, as JSON; `None` for collections.
    pub job: Option<String>,
}

/// Add a task in state `NEW`; the value is the id.
pub async fn insert_task(tx: &mut Tx, task: &NewTask<'_>, now: i64) -> Result<i64> {
    let (id,) = fetch_one!(
        tx,
        (i64,),
        "insert into tasks (submission_id, parent_id, name, type, state, job, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $7)
         returning id",
        task.submission,
        task.parent,
        task.name,
        task.task_type,
        TaskState::New.name(),
        task.job.as_deref(),
        now
    )?;
    Ok(id)
}

/// Move a task that is neither over nor being killed to another state.
pub async fn set_task_state(tx: &mut Tx, id: i64, state: TaskState, now: i64) -> Result<()> {
    execute!(
        tx,
        "update tasks
         set state = $1, updated_at = $2
         where id = $3 and state not in ('TERMINATING', 'TERMINATED')",
        state.name(),
        now,
        id
    )?;
    Ok(())
}

/// End a task that is made of others; jobs end with [`end_job`]. False when it is being killed.
pub async fn terminate_task(tx: &mut Tx, id: i64, exitcode: i64, now: i64) -> Result<bool> {
    let ended = execute!(
        tx,
        "update tasks
         set state = 'TERMINATED', exitcode = $1, updated_at = $2
         where id = $3 and state <> 'TERMINATING'",
        exitcode,
        now,
        id
    )?;
    Ok(ended > 0)
}

/// Begin to kill a submission: waiting jobs are over at once, what runs is to end. Whoever works on one of its
/// jobs has lost it from now on. False when the submission is over.
pub async fn begin_kill(tx: &mut Tx, submission: i64, now: i64) -> Result<bool> {
    execute!(
        tx,
        "update tasks
         set state = 'TERMINATED', updated_at = $1
         where submission_id = $2 and job is not null and state in ('NEW', 'SUBMITTED')",
        now,
        submission
    )?;
    let begun = execute!(
        tx,
        "update tasks
         set state = 'TERMINATING', lease_until = null, updated_at = $1
         where submission_id = $2 and (state = 'RUNNING' or parent_id is null and state <> 'TERMINATED')",
        now,
        submission
    )?;
    Ok(begun > 0)
}

/// End everything of a submission that is not over, now that none of it runs any more: its jobs without an exit
/// code, what they are part of with `exitcode`.
pub async fn end_kill(tx: &mut Tx, submission: i64, exitcode: i64, now: i64) -> Result<()> {
    execute!(
        tx,
        "update tasks
         set state = 'TERMINATED', exitcode = case when job is null then $1 else exitcode end,
             lease_until = null, updated_at = $2
         where submission_id = $3 and state <> 'TERMINATED'",
        exitcode,
        now,
        submission
    )?;
    Ok(())
}

/// Make everything of an ended submission that did not succeed new, with a clean record; the value is how much that
/// is. Killed between two steps, a submission has no job among it.
pub async fn renew_failed(tx: &mut Tx, submission: i64, now: i64) -> Result<u64> {
    let jobs = execute!(
        tx,
        "update tasks
         set state = 'NEW', exitcode = null, wall_time = null, failures = 0, lost = 0, reason = null,
             updated_at = $1
         where submission_id = $2 and job is not null and state = 'TERMINATED'
             and (exitcode is null or exitcode <> 0)",
        now,
        submission
    )?;
    let others = execute!(
        tx,
        "update tasks
         set state = 'NEW', exitcode = null, updated_at = $1
         where submission_id = $2 and job is null and state = 'TERMINATED' and exitcode <> 0",
        now,
        submission
    )?;
    Ok(jobs + others)
}

/// Make the task of a whole submission new, whatever came of it.
pub async fn renew_root(tx: &mut Tx, root: i64, now: i64) -> Result<()> {
    execute!(
        tx,
        "update tasks set state = 'NEW', exitcode = null, updated_at = $1 where id = $2",
        now,
        root
    )?;
    Ok(())
}

/// Delete a task with everything below it.
pub async fn delete_task(tx: &mut Tx, id: i64) -> Result<()> {
    execute!(tx, "delete from tasks where id = $1", id)?;
    Ok(())
}

/// The ids of all jobs of a submission.
pub async fn job_ids(tx: &mut Tx, submission: i64) -> Result<Vec<i64>> {
    let rows = fetch_all!(
        tx,
        (i64,),
        "select id from tasks where submission_id = $1 and job is not null",
        submission
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Let a submission run another description.
pub async fn set_submitted_description(tx: &mut Tx, submission: i64, description: &str) -> Result<()> {
    execute!(tx, "update submissions set description = $1 where id = $2", description, submission)?;
    Ok(())
}

/// The number of tasks of a submission and the time of their last change: what is unchanged shows the same.
pub async fn last_change(tx: &mut Tx, submission: i64) -> Result<(i64, Option<i64>)> {
    fetch_one!(
        tx,
        (i64, Option<i64>),
        "select count(*), max(updated_at) from tasks where submission_id = $1",
        submission
    )
}

/// All submissions whose workflow has not ended, the oldest first.
pub async fn unfinished_submissions(tx: &mut Tx) -> Result<Vec<i64>> {
    let rows = fetch_all!(
        tx,
        (i64,),
        "select submissions.id
         from submissions
         join tasks on tasks.submission_id = submissions.id
         where submissions.program = $1 and tasks.parent_id is null and tasks.state <> 'TERMINATED'
         order by submissions.id",
        PROGRAM
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// How many jobs of the workflows that have not ended are in which state.
pub async fn jobs_under_way(tx: &mut Tx) -> Result<Vec<(String, i64)>> {
    fetch_all!(
        tx,
        (String, i64),
        "select tasks.state, count(*)
         from tasks
         join tasks as roots on roots.submission_id = tasks.submission_id
         where roots.parent_id is null and roots.state <> 'TERMINATED' and tasks.job is not null
         group by tasks.state
         order by tasks.state"
    )
}

/// Whether a workflow of an experiment has not ended.
pub async fn has_unfinished(tx: &mut Tx, experiment: i64) -> Result<bool> {
    let row = fetch_optional!(
        tx,
        (i64,),
        "select submissions.id
         from submissions
         join tasks on tasks.submission_id = submissions.id
         where submissions.experiment_id = $1 and submissions.program = $2
             and tasks.parent_id is null and tasks.state <> 'TERMINATED'
         limit 1",
        experiment,
        PROGRAM
    )?;
    Ok(row.is_some())
}

/// The description that a submission runs, as JSON; `None` when there is no such submission.
pub async fn submitted_description(tx: &mut Tx, submission: i64) -> Result<Option<String>> {
    let row =
        fetch_optional!(tx, (String,), "select description from submissions where id = $1", submission)?;
    Ok(row.map(|(description,)| description))
}

/// The task that stands for the whole submission.
pub async fn root_of(tx: &mut Tx, submission: i64) -> Result<Option<Task>> {
    fetch_optional!(
        tx,
        Task,
        concat!(select_tasks!(), " where submission_id = $1 and parent_id is null"),
        submission
    )
}

/// Claim a job for whoever asks; the value is the claim's epoch and how many claims before it nobody gave an
/// account of, or `None` when the job is over or somebody else has it. This one statement decides between workers.
pub async fn claim_job(tx: &mut Tx, id: i64, now: i64, lease_until: i64) -> Result<Option<(i64, i64)>> {
    fetch_optional!(
        tx,
        (i64, i64),
        "update tasks
         set state = 'RUNNING', epoch = epoch + 1, lost = lost + 1, lease_until = $1, updated_at = $2
         where id = $3 and job is not null and state in ('NEW', 'SUBMITTED', 'RUNNING')
             and (lease_until is null or lease_until < $2)
         returning epoch, lost - 1",
        lease_until,
        now,
        id
    )
}

/// Make a claim hold until `lease_until`; false when it was lost.
pub async fn renew_lease(tx: &mut Tx, lease: Lease, now: i64, lease_until: i64) -> Result<bool> {
    let renewed = execute!(
        tx,
        "update tasks
         set lease_until = $1, updated_at = $2
         where id = $3 and epoch = $4 and state = 'RUNNING'",
        lease_until,
        now,
        lease.task,
        lease.epoch
    )?;
    Ok(renewed > 0)
}

/// What a job used.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Microseconds from its claim to its end.
    pub wall_time: i64,
    /// Microseconds of processor time, if it had a process of its own.
    pub cpu_time: Option<i64>,
    /// Most megabytes at once, if it had a process of its own.
    pub memory_mb: Option<i64>,
}

/// End a claimed job, with the reason if it failed; false when the claim was lost. A job that succeeds keeps the
/// reason of an earlier failure.
pub async fn end_job(
    tx: &mut Tx,
    lease: Lease,
    exitcode: i64,
    reason: Option<&str>,
    usage: Usage,
    now: i64,
) -> Result<bool> {
    let ended = execute!(
        tx,
        "update tasks
         set state = 'TERMINATED', exitcode = $1, reason = coalesce($2, reason), wall_time = $3, cpu_time = $4,
             memory = $5, lost = 0, lease_until = null, updated_at = $6
         where id = $7 and epoch = $8 and state = 'RUNNING'",
        exitcode,
        reason,
        usage.wall_time,
        usage.cpu_time,
        usage.memory_mb,
        now,
        lease.task,
        lease.epoch
    )?;
    Ok(ended > 0)
}

/// Give a claimed job back after a failure that may pass; false when the claim was lost.
pub async fn fail_job(tx: &mut Tx, lease: Lease, reason: &str, now: i64) -> Result<bool> {
    let failed = execute!(
        tx,
        "update tasks
         set state = 'NEW', failures = failures + 1, lost = 0, reason = $1, lease_until = null, updated_at = $2
         where id = $3 and epoch = $4 and state = 'RUNNING'",
        reason,
        now,
        lease.task,
        lease.epoch
    )?;
    Ok(failed > 0)
}

/// Give a claimed job back unfinished.
pub async fn release_job(tx: &mut Tx, lease: Lease, now: i64) -> Result<()> {
    execute!(
        tx,
        "update tasks
         set state = 'NEW', lost = 0, lease_until = null, updated_at = $1
         where id = $2 and epoch = $3 and state = 'RUNNING'",
        now,
        lease.task,
        lease.epoch
    )?;
    Ok(())
}

/// Take back the jobs of a submission that are under way, from workers that are known to be gone; the value
/// is their number.
pub async fn release_jobs(tx: &mut Tx, submission: i64, now: i64) -> Result<u64> {
    execute!(
        tx,
        "update tasks
         set state = 'NEW', lease_until = null, updated_at = $1
         where submission_id = $2 and job is not null and state in ('SUBMITTED', 'RUNNING')",
        now,
        submission
    )
}

/// All tasks of a submission in id order.
pub async fn tasks_of(tx: &mut Tx, submission: i64) -> Result<Vec<Task>> {
    fetch_all!(
        tx,
        Task,
        concat!(
            select_tasks!(),
            " where submission_id = $1
         order by id"
        ),
        submission
    )
}

/// The tasks that one task is made of, in id order.
pub async fn subtasks_of(tx: &mut Tx, parent: i64) -> Result<Vec<Task>> {
    fetch_all!(
        tx,
        Task,
        concat!(
            select_tasks!(),
            " where parent_id = $1
         order by id"
        ),
        parent
    )
}

/// A job with what it needs to run.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredJob {
    /// Row id.
    pub id: i64,
    /// The submission it belongs to.
    pub submission_id: i64,
    /// The experiment it works on.
    pub experiment_id: i64,
    /// Name.
    pub name: String,
    /// Name of a [`TaskState`].
    pub state: String,
    /// What it does, as JSON.
    pub job: Option<String>,
    /// How often it failed since its step was planned.
    pub failures: i64,
    /// Why it failed the last time.
    pub reason: Option<String>,
}

/// The job with this id.
pub async fn find_job(tx: &mut Tx, id: i64) -> Result<Option<StoredJob>> {
    fetch_optional!(
        tx,
        StoredJob,
        "select tasks.id, tasks.submission_id, submissions.experiment_id, tasks.name, tasks.state, tasks.job,
             tasks.failures, tasks.reason
         from tasks
         join submissions on submissions.id = tasks.submission_id
         where tasks.id = $1 and tasks.job is not null",
        id
    )
}
