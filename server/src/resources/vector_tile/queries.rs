//! SQL of vector tiles.

use crate::resources::segmentation::queries::{OutlineRow, StoredOutline};
use crate::store::{Result, Tx, fetch_all, fetch_optional};

/// A segmentation layer with what its tiles depend on.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct LayerRow {
    /// Row id.
    pub id: i64,
    /// The type of its objects.
    pub mapobject_type_id: i64,
    /// Name of that type.
    pub type_name: String,
    /// Whether only the position of its objects is kept.
    pub points_only: bool,
    /// Time point; null for all of them.
    pub tpoint: Option<i64>,
    /// Goes up with every change of what it shows.
    pub version: i64,
    /// First zoom level with outlines; null leaves it to the kind of objects.
    pub polygon_threshold: Option<i64>,
    /// First zoom level with points; null leaves it to the kind of objects.
    pub centroid_threshold: Option<i64>,
    /// Number of zoom levels; null until the pyramid step has run.
    pub pyramid_depth: Option<i64>,
}

/// A part of a site, and where to go on in it.
#[derive(Debug, Clone, Copy)]
pub struct SitePart {
    /// The site.
    pub site: i64,
    /// The object after which to go on, in the order of ids.
    pub after: i64,
    /// First and last row and column that bounding boxes must reach, borders included.
    pub top: i64,
    /// See `top`.
    pub bottom: i64,
    /// See `top`.
    pub left: i64,
    /// See `top`.
    pub right: i64,
}

/// A layer of an experiment.
pub async fn find_layer(tx: &mut Tx, experiment: i64, layer: i64) -> Result<Option<LayerRow>> {
    fetch_optional!(
        tx,
        LayerRow,
        "select segmentation_layers.id, mapobject_type_id, mapobject_types.name as type_name, points_only, tpoint,
             version, polygon_threshold, centroid_threshold, pyramid_depth
         from segmentation_layers
         join mapobject_types on mapobject_types.id = segmentation_layers.mapobject_type_id
         join experiments on experiments.id = mapobject_types.experiment_id
         where experiments.id = $1 and segmentation_layers.id = $2",
        experiment,
        layer
    )
}

/// The next objects of a part of a site, by id, `count` at most; with their rings only if these are wanted.
pub async fn objects_in(
    tx: &mut Tx,
    layer: i64,
    part: SitePart,
    with_rings: bool,
    count: i64,
) -> Result<Vec<StoredOutline>> {
    let rows = fetch_all!(
        tx,
        OutlineRow,
        "select mapobject_id, cast(null as bigint) as label, min_y, min_x, max_y, max_x, centroid_y, centroid_x,
             case when $8 then outline end as outline
         from segmentations
         where segmentation_layer_id = $1
             and site_id = $2
             and mapobject_id > $3
             and max_y >= $4
             and min_y <= $5
             and max_x >= $6
             and min_x <= $7
         order by mapobject_id
         limit $9",
        layer,
        part.site,
        part.after,
        part.top,
        part.bottom,
        part.left,
        part.right,
        with_rings,
        count
    )?;
    rows.into_iter().map(StoredOutline::try_from).collect()
}

/// The objects of a static type with the plates, wells or sites that they are.
pub async fn static_objects(tx: &mut Tx, objects: i64, first: i64, last: i64) -> Result<Vec<(i64, i64)>> {
    fetch_all!(
        tx,
        (i64, i64),
        "select coalesce(site_id, well_id, plate_id), id
         from mapobjects
         where mapobject_type_id = $1
             and coalesce(site_id, well_id, plate_id) between $2 and $3",
        objects,
        first,
        last
    )
}
