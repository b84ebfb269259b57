//! SQL of image-analysis projects.

use super::StoredProject;
use crate::store::{Result, Tx, execute, fetch_all, fetch_optional};

/// The project of an experiment.
pub async fn find(tx: &mut Tx, experiment: i64) -> Result<Option<StoredProject>> {
    fetch_optional!(
        tx,
        StoredProject,
        "select pipeline, handles
         from jterator_projects
         where experiment_id = $1",
        experiment
    )
}

/// Keep a project in place of the one that the experiment has.
pub async fn put(tx: &mut Tx, experiment: i64, pipeline: &str, handles: &str, now: i64) -> Result<()> {
    execute!(
        tx,
        "insert into jterator_projects (experiment_id, pipeline, handles, updated_at)
         values ($1, $2, $3, $4)
         on conflict (experiment_id) do update
         set pipeline = excluded.pipeline,
             handles = excluded.handles,
             updated_at = excluded.updated_at",
        experiment,
        pipeline,
        handles,
        now
    )?;
    Ok(())
}

/// Take the project of an experiment as it is for a run that begins, if there is one.
pub async fn begin_run(tx: &mut Tx, experiment: i64) -> Result<()> {
    execute!(tx, "delete from jterator_runs where experiment_id = $1", experiment)?;
    execute!(
        tx,
        "insert into jterator_runs (experiment_id, pipeline, handles)
         select experiment_id, pipeline, handles
         from jterator_projects
         where experiment_id = $1",
        experiment
    )?;
    Ok(())
}

/// The project of an experiment as it was when its last run began.
pub async fn find_run(tx: &mut Tx, experiment: i64) -> Result<Option<StoredProject>> {
    fetch_optional!(
        tx,
        StoredProject,
        "select pipeline, handles
         from jterator_runs
         where experiment_id = $1",
        experiment
    )
}

/// Note that the pipeline failed at a site, and why.
pub async fn note_failure(tx: &mut Tx, site: i64, reason: &str) -> Result<()> {
    execute!(
        tx,
        "insert into failed_sites (site_id, reason)
         values ($1, $2)
         on conflict (site_id) do update set reason = excluded.reason",
        site,
        reason
    )?;
    Ok(())
}

/// Forget that the pipeline failed at a site.
pub async fn forget_failure(tx: &mut Tx, site: i64) -> Result<()> {
    execute!(tx, "delete from failed_sites where site_id = $1", site)?;
    Ok(())
}

/// Forget at which sites of an experiment the pipeline failed.
pub async fn forget_failures(tx: &mut Tx, experiment: i64) -> Result<()> {
    execute!(
        tx,
        "delete from failed_sites
         where site_id in (
             select sites.id
             from sites
             join wells on wells.id = sites.well_id
             join plates on plates.id = wells.plate_id
             where plates.experiment_id = $1)",
        experiment
    )?;
    Ok(())
}

/// The sites of an experiment at which the pipeline failed, and why, by plate, well and id.
pub async fn failures(tx: &mut Tx, experiment: i64) -> Result<Vec<(i64, String)>> {
    fetch_all!(
        tx,
        (i64, String),
        "select sites.id, reason
         from failed_sites
         join sites on sites.id = failed_sites.site_id
         join wells on wells.id = sites.well_id
         join plates on plates.id = wells.plate_id
         where plates.experiment_id = $1
         order by plates.id, wells.id, sites.id",
        experiment
    )
}
