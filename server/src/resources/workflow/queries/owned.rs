//! SQL of what owns files: the sweep at start removes what none of these names.

use crate::store::{Result, Tx, fetch_all};

/// The ids of all experiments.
pub async fn experiment_ids(tx: &mut Tx) -> Result<Vec<i64>> {
    Ok(fetch_all!(tx, (i64,), "select id from experiments")?.into_iter().map(|(id,)| id).collect())
}

/// Experiment, plate and current generation of the images of all plates that have some.
pub async fn plate_generations(tx: &mut Tx) -> Result<Vec<(i64, i64, i64)>> {
    fetch_all!(
        tx,
        (i64, i64, i64),
        "select experiment_id, id, image_generation from plates where image_generation > 0"
    )
}

/// Experiment and id of all layers.
pub async fn all_layers(tx: &mut Tx) -> Result<Vec<(i64, i64)>> {
    fetch_all!(
        tx,
        (i64, i64),
        "select channels.experiment_id, channel_layers.id
         from channel_layers
         join channels on channels.id = channel_layers.channel_id"
    )
}

/// Experiment and name of the files of all statistics.
pub async fn all_statistics(tx: &mut Tx) -> Result<Vec<(i64, String)>> {
    fetch_all!(
        tx,
        (i64, String),
        "select channels.experiment_id, illumination_statistics.file
         from illumination_statistics
         join channels on channels.id = illumination_statistics.channel_id"
    )
}
