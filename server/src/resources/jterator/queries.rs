//! SQL of image-analysis projects.

use super::StoredProject;
use crate::store::{Result, Tx, execute, fetch_optional};

/// The project of an experiment.
pub async fn find(tx: &mut Tx, experiment: i64) -> Result<Option<StoredProject>> {
    fetch_optional!(
        tx,
        StoredProject,
        "select pipeline, handles, version
         from jterator_projects
         where experiment_id = $1",
        experiment
    )
}

/// Keep a project in place of the one that the experiment has.
pub async fn put(tx: &mut Tx, experiment: i64, pipeline: &str, handles: &str, now: i64) -> Result<()> {
    execute!(
        tx,
        "insert into jterator_projects (experiment_id, pipeline, handles, version, updated_at)
         values ($1, $2, $3, 1, $4)
         on conflict (experiment_id) do update
         set pipeline = excluded.pipeline,
             handles = excluded.handles,
             version = jterator_projects.version + 1,
             updated_at = excluded.updated_at",
        experiment,
        pipeline,
        handles,
        now
    )?;
    Ok(())
}
