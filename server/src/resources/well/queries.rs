//! SQL of wells.

use super::Well;
use crate::store::{Page, Result, Tx, execute, fetch_all, fetch_optional};

/// A part of the wells of an experiment by name and plate; only those of this plate or with this name if given.
pub async fn list(
    tx: &mut Tx,
    experiment: i64,
    plate_name: Option<&str>,
    name: Option<&str>,
    page: Page,
) -> Result<Vec<Well>> {
    fetch_all!(
        tx,
        Well,
        "select wells.id, wells.name, wells.description, plates.name as plate_name,
             coalesce(max(sites.y) + 1, 0) as grid_height,
             coalesce(max(sites.x) + 1, 0) as grid_width
         from wells
         join plates on plates.id = wells.plate_id
         left join sites on sites.well_id = wells.id
         where plates.experiment_id = $1
             and (cast($2 as text) is null or plates.name = $2)
             and (cast($3 as text) is null or wells.name = $3)
         group by wells.id, plates.id
         order by wells.name collate \"C\", plates.name collate \"C\"
         limit $4 offset $5",
        experiment,
        plate_name,
        name,
        page.limit,
        page.offset
    )
}

/// One well of an experiment.
pub async fn find(tx: &mut Tx, experiment: i64, id: i64) -> Result<Option<Well>> {
    fetch_optional!(
        tx,
        Well,
        "select wells.id, wells.name, wells.description, plates.name as plate_name,
             coalesce(max(sites.y) + 1, 0) as grid_height,
             coalesce(max(sites.x) + 1, 0) as grid_width
         from wells
         join plates on plates.id = wells.plate_id
         left join sites on sites.well_id = wells.id
         where plates.experiment_id = $1 and wells.id = $2
         group by wells.id, plates.id",
        experiment,
        id
    )
}

/// Describe a well (JSON); false when the experiment has none of this id.
pub async fn describe(tx: &mut Tx, experiment: i64, id: i64, description: &str) -> Result<bool> {
    let described = execute!(
        tx,
        "update wells
         set description = $1
         where id = $2
             and plate_id in (select id from plates where experiment_id = $3)",
        description,
        id,
        experiment
    )?;
    Ok(described > 0)
}
