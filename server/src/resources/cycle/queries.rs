//! SQL of cycles.

use super::Cycle;
use crate::store::{Result, Tx, fetch_all, fetch_optional};

/// The cycles of an experiment by index, only the one with this index if given; none when a plate name
/// is given that the experiment does not have.
pub async fn list(
    tx: &mut Tx,
    experiment: i64,
    plate_name: Option<&str>,
    index: Option<i64>,
) -> Result<Vec<Cycle>> {
    fetch_all!(
        tx,
        Cycle,
        "select id, cycle_index,
             coalesce((select min(tpoint) from channel_images where cycle_id = cycles.id), 0) as tpoint
         from cycles
         where experiment_id = $1
             and (cast($2 as text) is null
                  or exists (select 1 from plates where plates.experiment_id = $1 and plates.name = $2))
             and (cast($3 as bigint) is null or cycle_index = $3)
         order by cycle_index",
        experiment,
        plate_name,
        index
    )
}

/// One cycle of an experiment.
pub async fn find(tx: &mut Tx, experiment: i64, id: i64) -> Result<Option<Cycle>> {
    fetch_optional!(
        tx,
        Cycle,
        "select id, cycle_index,
             coalesce((select min(tpoint) from channel_images where cycle_id = cycles.id), 0) as tpoint
         from cycles
         where experiment_id = $1 and id = $2",
        experiment,
        id
    )
}
