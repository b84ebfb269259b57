//! SQL of tool results, their labels, and the jobs that make them.

use super::labels::Labels;
use super::{JobFilter, PROGRAM, ResultFilter, ToolResult};
use crate::resources::workflow::queries::task_columns;
use crate::store::{Result, Tx, execute, fetch_all, fetch_optional};
use crate::workflow::task::Task;

/// What a [`ToolResult`] is read from.
macro_rules! select_results {
    () => {
        "select tool_results.id, mapobject_type_id, mapobject_types.name as mapobject_type_name, submission_id,
             tool_results.name, tool_name, type, attributes, version
         from tool_results
         join mapobject_types on mapobject_types.id = tool_results.mapobject_type_id"
    };
}

/// The results of an experiment, by submission.
pub async fn list_results(tx: &mut Tx, experiment: i64, filter: ResultFilter<'_>) -> Result<Vec<ToolResult>> {
    fetch_all!(
        tx,
        ToolResult,
        concat!(
            select_results!(),
            " left join submissions on submissions.id = tool_results.submission_id
         where mapobject_types.experiment_id = $1
             and (cast($2 as bigint) is null or submissions.user_id = $2)
             and (cast($3 as bigint) is null or submission_id = $3)
             and (cast($4 as text) is null or tool_results.name = $4)
         order by submission_id, tool_results.id"
        ),
        experiment,
        filter.user,
        filter.submission,
        filter.name
    )
}

/// One result of an experiment.
pub async fn find_result(tx: &mut Tx, experiment: i64, id: i64) -> Result<Option<ToolResult>> {
    fetch_optional!(
        tx,
        ToolResult,
        concat!(select_results!(), " where mapobject_types.experiment_id = $1 and tool_results.id = $2"),
        experiment,
        id
    )
}

/// The result for a type of objects with this name.
pub async fn find_result_by_name(tx: &mut Tx, objects: i64, name: &str) -> Result<Option<ToolResult>> {
    fetch_optional!(
        tx,
        ToolResult,
        concat!(select_results!(), " where mapobject_type_id = $1 and tool_results.name = $2"),
        objects,
        name
    )
}

/// Give a result another name.
pub async fn rename_result(tx: &mut Tx, id: i64, name: &str) -> Result<()> {
    execute!(tx, "update tool_results set name = $1 where id = $2", name, id)?;
    Ok(())
}

/// Delete a result with its labels.
pub async fn delete_result(tx: &mut Tx, id: i64) -> Result<()> {
    execute!(tx, "delete from tool_results where id = $1", id)?;
    Ok(())
}

/// The packed labels of a site's objects at a time point.
pub async fn labels(tx: &mut Tx, result: i64, site: i64, tpoint: i64) -> Result<Option<Vec<u8>>> {
    let row = fetch_optional!(
        tx,
        (Vec<u8>,),
        "select labels
         from label_values
         where tool_result_id = $1 and site_id = $2 and tpoint = $3",
        result,
        site,
        tpoint
    )?;
    Ok(row.map(|(labels,)| labels))
}

/// Store the labels of a site's objects at a time point in place of those that are there.
pub async fn put_labels(tx: &mut Tx, result: i64, site: i64, tpoint: i64, labels: &Labels) -> Result<()> {
    execute!(
        tx,
        "insert into label_values (tool_result_id, site_id, tpoint, labels)
         values ($1, $2, $3, $4)
         on conflict (tool_result_id, site_id, tpoint) do update set labels = excluded.labels",
        result,
        site,
        tpoint,
        labels.pack()
    )?;
    execute!(tx, "update tool_results set version = version + 1 where id = $1", result)?;
    Ok(())
}

/// A job of a tool, and when its submission was made.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ToolJob {
    /// The job.
    #[sqlx(flatten)]
    pub task: Task,
    /// Microseconds since 1970.
    pub submitted_at: i64,
}

/// The jobs of a user's tool submissions in an experiment, by id.
pub async fn list_jobs(
    tx: &mut Tx,
    experiment: i64,
    user: i64,
    filter: JobFilter<'_>,
) -> Result<Vec<ToolJob>> {
    fetch_all!(
        tx,
        ToolJob,
        concat!(
            "select ",
            task_columns!(),
            ", submissions.created_at as submitted_at
         from submissions
         join tasks on tasks.submission_id = submissions.id
         where submissions.experiment_id = $1
             and submissions.user_id = $2
             and submissions.program = $3
             and tasks.job is not null
             and (cast($4 as bigint) is null or submission_id = $4)
             and (cast($5 as text) is null or tasks.name = 'tool_' || $5)
             and (cast($6 as text) is null or state = $6)
             and (cast($7 as text) is null or tasks.name = $7)
         order by tasks.id"
        ),
        experiment,
        user,
        PROGRAM,
        filter.submission,
        filter.tool,
        filter.state,
        filter.name
    )
}
