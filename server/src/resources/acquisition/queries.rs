//! SQL of acquisitions.

use super::Acquisition;
use crate::store::{Result, Tx, execute, fetch_all, fetch_one, fetch_optional};

/// What an [`Acquisition`] is read from.
macro_rules! select_acquisitions {
    () => {
        "select acquisitions.id, acquisitions.plate_id, plates.name as plate_name, acquisitions.name,
             acquisitions.description,
             count(microscope_files.id) as files,
             count(case when microscope_files.status = 'UPLOADING' then 1 end) as uploading,
             count(case when microscope_files.status = 'COMPLETE' then 1 end) as complete
         from acquisitions
         join plates on plates.id = acquisitions.plate_id
         left join microscope_files on microscope_files.acquisition_id = acquisitions.id"
    };
}

/// The acquisitions of an experiment by id; only those of this plate or with this name if given.
pub async fn list(
    tx: &mut Tx,
    experiment: i64,
    plate_name: Option<&str>,
    name: Option<&str>,
) -> Result<Vec<Acquisition>> {
    fetch_all!(
        tx,
        Acquisition,
        concat!(
            select_acquisitions!(),
            " where plates.experiment_id = $1
             and (cast($2 as text) is null or plates.name = $2)
             and (cast($3 as text) is null or acquisitions.name = $3)
         group by acquisitions.id, plates.id
         order by acquisitions.id"
        ),
        experiment,
        plate_name,
        name
    )
}

/// The acquisitions of a plate by id.
pub async fn list_of_plate(tx: &mut Tx, experiment: i64, plate: i64) -> Result<Vec<Acquisition>> {
    fetch_all!(
        tx,
        Acquisition,
        concat!(
            select_acquisitions!(),
            " where plates.experiment_id = $1 and plates.id = $2
         group by acquisitions.id, plates.id
         order by acquisitions.id"
        ),
        experiment,
        plate
    )
}

/// One acquisition of an experiment.
pub async fn find(tx: &mut Tx, experiment: i64, id: i64) -> Result<Option<Acquisition>> {
    fetch_optional!(
        tx,
        Acquisition,
        concat!(
            select_acquisitions!(),
            " where plates.experiment_id = $1 and acquisitions.id = $2
         group by acquisitions.id, plates.id"
        ),
        experiment,
        id
    )
}

/// Whether an experiment has this acquisition, without counting its files.
pub async fn exists(tx: &mut Tx, experiment: i64, id: i64) -> Result<bool> {
    let row = fetch_optional!(
        tx,
        (i64,),
        "select acquisitions.id
         from acquisitions
         join plates on plates.id = acquisitions.plate_id
         where plates.experiment_id = $1 and acquisitions.id = $2",
        experiment,
        id
    )?;
    Ok(row.is_some())
}

/// The directory that an acquisition is linked to, if it is; `None` when the experiment has none of this id.
pub async fn directory(tx: &mut Tx, experiment: i64, id: i64) -> Result<Option<Option<String>>> {
    let row = fetch_optional!(
        tx,
        (Option<String>,),
        "select acquisitions.directory
         from acquisitions
         join plates on plates.id = acquisitions.plate_id
         where plates.experiment_id = $1 and acquisitions.id = $2",
        experiment,
        id
    )?;
    Ok(row.map(|(directory,)| directory))
}

/// Link an acquisition to a directory.
pub async fn set_directory(tx: &mut Tx, id: i64, directory: &str, now: i64) -> Result<()> {
    execute!(
        tx,
        "update acquisitions set directory = $1, updated_at = $2 where id = $3",
        directory,
        now,
        id
    )?;
    Ok(())
}

/// Experiment and id of every acquisition there is.
pub async fn all(tx: &mut Tx) -> Result<Vec<(i64, i64)>> {
    fetch_all!(
        tx,
        (i64, i64),
        "select plates.experiment_id, acquisitions.id
         from acquisitions
         join plates on plates.id = acquisitions.plate_id
         order by acquisitions.id"
    )
}

/// Add an acquisition to the plate of this name; the value is the id, or `None` without such a plate.
pub async fn insert(
    tx: &mut Tx,
    experiment: i64,
    plate_name: &str,
    name: &str,
    description: &str,
    now: i64,
) -> Result<Option<i64>> {
    let plate = fetch_optional!(
        tx,
        (i64,),
        "select id from plates where experiment_id = $1 and name = $2",
        experiment,
        plate_name
    )?;
    let Some((plate,)) = plate else { return Ok(None) };
    let (id,) = fetch_one!(
        tx,
        (i64,),
        "insert into acquisitions (plate_id, name, description, created_at, updated_at)
         values ($1, $2, $3, $4, $4)
         returning id",
        plate,
        name,
        description,
        now
    )?;
    Ok(Some(id))
}

/// Give an acquisition another name; false when the experiment has none of this id.
pub async fn rename(tx: &mut Tx, experiment: i64, id: i64, name: &str, now: i64) -> Result<bool> {
    let renamed = execute!(
        tx,
        "update acquisitions
         set name = $1, updated_at = $2
         where id = $3
             and plate_id in (select id from plates where experiment_id = $4)",
        name,
        now,
        id,
        experiment
    )?;
    Ok(renamed > 0)
}

/// Delete an acquisition with everything that belongs to it; false when the experiment has none of this id.
pub async fn delete(tx: &mut Tx, experiment: i64, id: i64) -> Result<bool> {
    let deleted = execute!(
        tx,
        "delete from acquisitions
         where id = $1
             and plate_id in (select id from plates where experiment_id = $2)",
        id,
        experiment
    )?;
    Ok(deleted > 0)
}
