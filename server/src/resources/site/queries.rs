//! SQL of sites.

use super::{Site, SiteFilter};
use crate::store::{Page, Result, Tx, fetch_all, fetch_optional};

/// A part of the sites of an experiment by plate name, well name, row and column.
pub async fn list(tx: &mut Tx, experiment: i64, filter: SiteFilter<'_>, page: Page) -> Result<Vec<Site>> {
    fetch_all!(
        tx,
        Site,
        "select sites.id, sites.y, sites.x, sites.height, sites.width, wells.name as well_name,
             plates.name as plate_name
         from sites
         join wells on wells.id = sites.well_id
         join plates on plates.id = wells.plate_id
         where plates.experiment_id = $1
             and (cast($2 as text) is null or plates.name = $2)
             and (cast($3 as text) is null or wells.name = $3)
             and (cast($4 as bigint) is null or sites.y = $4)
             and (cast($5 as bigint) is null or sites.x = $5)
         order by plates.name collate \"C\", wells.name collate \"C\", sites.y, sites.x
         limit $6 offset $7",
        experiment,
        filter.plate_name,
        filter.well_name,
        filter.y,
        filter.x,
        page.limit,
        page.offset
    )
}

/// One site of an experiment.
pub async fn find(tx: &mut Tx, experiment: i64, id: i64) -> Result<Option<Site>> {
    fetch_optional!(
        tx,
        Site,
        "select sites.id, sites.y, sites.x, sites.height, sites.width, wells.name as well_name,
             plates.name as plate_name
         from sites
         join wells on wells.id = sites.well_id
         join plates on plates.id = wells.plate_id
         where plates.experiment_id = $1 and sites.id = $2",
        experiment,
        id
    )
}
