//! SQL of experiments and of the rights on them.

use super::sharing::{Share, Sharer};
use super::{Experiment, NewExperiment, WELL_SPACER_PX};
use crate::auth::permission::Right;
use crate::store::{Page, Result, Tx, execute, fetch_all, fetch_one, fetch_optional};

/// What an [`Experiment`] is read from.
macro_rules! select_experiments {
    () => {
        "select experiments.id, experiments.user_id, users.name as user_name, experiments.name,
             experiments.description, microscope_type, workflow_type, plate_format,
             plate_acquisition_mode, pyramid_height, pyramid_width, pyramid_depth,
             vertical_site_displacement, horizontal_site_displacement, well_spacer_size,
             workflow_description
         from experiments
         join users on users.id = experiments.user_id"
    };
}

/// What a user may do with an experiment.
pub async fn right_of(tx: &mut Tx, user: i64, experiment: i64) -> Result<Right> {
    let row = fetch_optional!(
        tx,
        (i64, Option<bool>),
        "select experiments.user_id, experiment_shares.write_access
         from experiments
         left join experiment_shares
             on experiment_shares.experiment_id = experiments.id and experiment_shares.user_id = $1
         where experiments.id = $2",
        user,
        experiment
    )?;
    Ok(match row {
        None => Right::Unknown,
        Some((owner, _)) if owner == user => Right::Owner,
        Some((_, Some(true))) => Right::Write,
        Some((_, Some(false))) => Right::Read,
        Some((_, None)) => Right::None,
    })
}

/// The experiments a user owns or shares, by id; only those with this name if one is given.
pub async fn list(tx: &mut Tx, user: i64, name: Option<&str>, page: Page) -> Result<Vec<Experiment>> {
    fetch_all!(
        tx,
        Experiment,
        concat!(
            select_experiments!(),
            " where (experiments.user_id = $1
                or experiments.id in (select experiment_id from experiment_shares where user_id = $1))
             and (cast($2 as text) is null or experiments.name = $2)
         order by experiments.id
         limit $3 offset $4"
        ),
        user,
        name,
        page.limit,
        page.offset
    )
}

/// The experiments of all users, by id.
pub async fn all(tx: &mut Tx) -> Result<Vec<Experiment>> {
    fetch_all!(tx, Experiment, concat!(select_experiments!(), " order by experiments.id"))
}

/// The experiments of this name, whoever owns them, by id.
pub async fn named(tx: &mut Tx, name: &str) -> Result<Vec<Experiment>> {
    fetch_all!(
        tx,
        Experiment,
        concat!(
            select_experiments!(),
            " where experiments.name = $1
         order by experiments.id"
        ),
        name
    )
}

/// One experiment.
pub async fn find(tx: &mut Tx, id: i64) -> Result<Option<Experiment>> {
    fetch_optional!(tx, Experiment, concat!(select_experiments!(), " where experiments.id = $1"), id)
}

/// All shares, by experiment.
pub async fn shares(tx: &mut Tx) -> Result<Vec<Share>> {
    fetch_all!(
        tx,
        Share,
        "select experiment_id, user_id, write_access
         from experiment_shares
         order by experiment_id, id"
    )
}

/// Those an experiment is shared with, by name.
pub async fn sharers(tx: &mut Tx, experiment: i64) -> Result<Vec<Sharer>> {
    let mut sharers = fetch_all!(
        tx,
        Sharer,
        "select users.name, experiment_shares.write_access
         from experiment_shares
         join users on users.id = experiment_shares.user_id
         where experiment_shares.experiment_id = $1",
        experiment
    )?;
    // Sorted here because PostgreSQL would order text by the rules of its locale.
    sharers.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sharers)
}

/// Share an experiment, or change how it is shared.
pub async fn share(tx: &mut Tx, share: Share) -> Result<()> {
    execute!(
        tx,
        "insert into experiment_shares (experiment_id, user_id, write_access)
         values ($1, $2, $3)
         on conflict (experiment_id, user_id) do update set write_access = excluded.write_access",
        share.experiment_id,
        share.user_id,
        share.write_access
    )?;
    Ok(())
}

/// Share an experiment no more; false when it is not shared with this user.
pub async fn unshare(tx: &mut Tx, experiment: i64, user: i64) -> Result<bool> {
    let removed = execute!(
        tx,
        "delete from experiment_shares where experiment_id = $1 and user_id = $2",
        experiment,
        user
    )?;
    Ok(removed > 0)
}

/// Add an experiment; the value is the id.
pub async fn insert(tx: &mut Tx, new: &NewExperiment, now: i64) -> Result<i64> {
    let (id,) = fetch_one!(
        tx,
        (i64,),
        "insert into experiments (user_id, name, description, microscope_type, workflow_type,
             plate_format, plate_acquisition_mode, vertical_site_displacement,
             horizontal_site_displacement, well_spacer_size, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, 0, 0, $8, $9, $9)
         returning id",
        new.user_id,
        &new.name,
        &new.description,
        &new.microscope_type,
        &new.workflow_type,
        i64::from(new.plate_format.wells()),
        new.plate_acquisition_mode.name(),
        WELL_SPACER_PX,
        now
    )?;
    Ok(id)
}

/// Give an experiment another name.
pub async fn rename(tx: &mut Tx, id: i64, name: &str, now: i64) -> Result<()> {
    execute!(tx, "update experiments set name = $1, updated_at = $2 where id = $3", name, now, id)?;
    Ok(())
}

/// Keep a workflow description (JSON) and let the experiment follow its type.
pub async fn set_workflow(
    tx: &mut Tx,
    id: i64,
    workflow_type: &str,
    description: &str,
    now: i64,
) -> Result<()> {
    execute!(
        tx,
        "update experiments
         set workflow_type = $1, workflow_description = $2, updated_at = $3
         where id = $4",
        workflow_type,
        description,
        now,
        id
    )?;
    Ok(())
}

/// Keep the size of the map and its number of zoom levels.
pub async fn set_pyramid(tx: &mut Tx, id: i64, height: i64, width: i64, depth: i64, now: i64) -> Result<()> {
    execute!(
        tx,
        "update experiments
         set pyramid_height = $1, pyramid_width = $2, pyramid_depth = $3, updated_at = $4
         where id = $5",
        height,
        width,
        depth,
        now,
        id
    )?;
    Ok(())
}

/// Whether there is no experiment at all.
pub async fn none_exists(tx: &mut Tx) -> Result<bool> {
    Ok(fetch_optional!(tx, (i64,), "select id from experiments limit 1")?.is_none())
}

/// Say that something about an experiment changes; its row is locked until the transaction ends.
pub async fn touch(tx: &mut Tx, id: i64, now: i64) -> Result<()> {
    execute!(tx, "update experiments set updated_at = $1 where id = $2", now, id)?;
    Ok(())
}

/// Delete an experiment with everything that belongs to it; false when there is none.
pub async fn delete(tx: &mut Tx, id: i64) -> Result<bool> {
    Ok(execute!(tx, "delete from experiments where id = $1", id)? > 0)
}
