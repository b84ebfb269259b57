//! SQL of plates.

use super::Plate;
use crate::store::{Result, Tx, execute, fetch_all, fetch_one, fetch_optional};

/// The plates of an experiment by id, only the one with this name if one is given.
pub async fn list(tx: &mut Tx, experiment: i64, name: Option<&str>) -> Result<Vec<Plate>> {
    fetch_all!(
        tx,
        Plate,
        "select id, name, description, image_generation
         from plates
         where experiment_id = $1
             and (cast($2 as text) is null or name = $2)
         order by id",
        experiment,
        name
    )
}

/// One plate of an experiment.
pub async fn find(tx: &mut Tx, experiment: i64, id: i64) -> Result<Option<Plate>> {
    fetch_optional!(
        tx,
        Plate,
        "select id, name, description, image_generation
         from plates
         where experiment_id = $1 and id = $2",
        experiment,
        id
    )
}

/// Add a plate without images; the value is the id.
pub async fn insert(tx: &mut Tx, experiment: i64, name: &str, description: &str, now: i64) -> Result<i64> {
    let (id,) = fetch_one!(
        tx,
        (i64,),
        "insert into plates (experiment_id, name, description, image_generation, created_at, updated_at)
         values ($1, $2, $3, 0, $4, $4)
         returning id",
        experiment,
        name,
        description,
        now
    )?;
    Ok(id)
}

/// Give a plate another name; false when the experiment has none of this id.
pub async fn rename(tx: &mut Tx, experiment: i64, id: i64, name: &str, now: i64) -> Result<bool> {
    let renamed = execute!(
        tx,
        "update plates
         set name = $1, updated_at = $2
         where experiment_id = $3 and id = $4",
        name,
        now,
        experiment,
        id
    )?;
    Ok(renamed > 0)
}

/// Delete a plate with everything that belongs to it; false when the experiment has none of this id.
pub async fn delete(tx: &mut Tx, experiment: i64, id: i64) -> Result<bool> {
    Ok(execute!(tx, "delete from plates where experiment_id = $1 and id = $2", experiment, id)? > 0)
}
