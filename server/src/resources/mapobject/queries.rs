//! SQL of objects on the map.

use super::{SegmentationLayer, SegmentationLayerFilter};
use crate::store::{Result, Tx, fetch_all};

/// The segmentation layers of an experiment, by id.
pub async fn list_layers(
    tx: &mut Tx,
    experiment: i64,
    filter: SegmentationLayerFilter<'_>,
) -> Result<Vec<SegmentationLayer>> {
    fetch_all!(
        tx,
        SegmentationLayer,
        "select segmentation_layers.id, tpoint, zplane, pyramid_height, pyramid_width
         from segmentation_layers
         join mapobject_types on mapobject_types.id = segmentation_layers.mapobject_type_id
         join experiments on experiments.id = mapobject_types.experiment_id
         where experiments.id = $1
             and (cast($2 as text) is null or mapobject_types.name = $2)
             and (cast($3 as bigint) is null or tpoint = $3)
             and (cast($4 as bigint) is null or zplane = $4)
         order by segmentation_layers.id",
        experiment,
        filter.mapobject_type_name,
        filter.tpoint,
        filter.zplane
    )
}
