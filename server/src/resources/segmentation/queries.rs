//! SQL of segmentations.

use tm_engine::geometry::{MapOffset, Outline};

use super::NewOutline;
use super::outline::{self, Bounds, OutlineError};
use crate::store::{Result, StoreError, Tx, execute, fetch_all, fetch_one};

/// Delete from a table what is about time points of sites that an acquisition ($1) shows and no other does.
macro_rules! delete_of_time_points {
    ($table:literal) => {
        concat!(
            "delete from ",
            $table,
            " where id in (
             select shown.id
             from (select distinct site_id, tpoint from channel_images where acquisition_id = $1) as planes
             join ",
            $table,
            " as shown on shown.site_id = planes.site_id and shown.tpoint = planes.tpoint
             where not exists (
                 select 1
                 from channel_images
                 where channel_images.site_id = planes.site_id
                     and channel_images.tpoint = planes.tpoint
                     and channel_images.acquisition_id <> $1))"
        )
    };
}

/// An outline as stored.
#[derive(Debug, Clone)]
pub struct StoredOutline {
    /// Row id of the object.
    pub object: i64,
    /// Its number in the label image.
    pub label: i32,
    /// Where it lies in its site.
    pub bounds: Bounds,
    /// Row of the centre of its area.
    pub centroid_y: f64,
    /// Column of the centre of its area.
    pub centroid_x: f64,
    /// The rings; `None` where only the position is known.
    pub packed: Option<Vec<u8>>,
}

impl StoredOutline {
    /// The outline where its site lies on the map; without parts where only the position is known.
    ///
    /// # Errors
    /// [`OutlineError`] for damaged bytes.
    pub fn unpack(&self, site: MapOffset) -> std::result::Result<Outline, OutlineError> {
        match &self.packed {
            Some(packed) => outline::unpack(self.label, packed, self.bounds, site),
            None => Ok(Outline { label: self.label, parts: Vec::new() }),
        }
    }
}

/// A row of a [`StoredOutline`].
#[derive(sqlx::FromRow)]
pub struct OutlineRow {
    mapobject_id: i64,
    label: Option<i64>,
    min_y: i64,
    min_x: i64,
    max_y: i64,
    max_x: i64,
    centroid_y: f64,
    centroid_x: f64,
    outline: Option<Vec<u8>>,
}

impl TryFrom<OutlineRow> for StoredOutline {
    type Error = StoreError;

    fn try_from(row: OutlineRow) -> Result<Self> {
        let corrupt = |_| StoreError::Corrupt(format!("segmentation of object {}", row.mapobject_id));
        let pixels = |value: i64| i32::try_from(value).map_err(corrupt);
        Ok(Self {
            object: row.mapobject_id,
            label: pixels(row.label.unwrap_or_default())?,
            bounds: Bounds {
                min_y: pixels(row.min_y)?,
                min_x: pixels(row.min_x)?,
                max_y: pixels(row.max_y)?,
                max_x: pixels(row.max_x)?,
            },
            centroid_y: row.centroid_y,
            centroid_x: row.centroid_x,
            packed: row.outline,
        })
    }
}

/// Make others who store segmentations of a site wait for the end of the transaction; false when there is no such
/// site.
pub async fn take_turn(tx: &mut Tx, site: i64) -> Result<bool> {
    Ok(execute!(tx, "update sites set y = y where id = $1", site)? > 0)
}

/// The labels that a site has among objects of a type, with the ids of the objects.
pub async fn labels_of_site(tx: &mut Tx, objects: i64, site: i64) -> Result<Vec<(i64, i64)>> {
    fetch_all!(
        tx,
        (i64, i64),
        "select label, id
         from mapobjects
         where mapobject_type_id = $1 and site_id = $2 and label is not null",
        objects,
        site
    )
}

/// Add an object with a label; the value is its id.
pub async fn insert_object(tx: &mut Tx, objects: i64, site: i64, label: i64) -> Result<i64> {
    let (id,) = fetch_one!(
        tx,
        (i64,),
        "insert into mapobjects (mapobject_type_id, site_id, label)
         values ($1, $2, $3)
         returning id",
        objects,
        site,
        label
    )?;
    Ok(id)
}

/// Add the shape of an object in a layer.
pub async fn insert(tx: &mut Tx, layer: i64, site: i64, object: i64, outline: &NewOutline) -> Result<()> {
    let Bounds { min_y, min_x, max_y, max_x } = outline.bounds;
    execute!(
        tx,
        "insert into segmentations (segmentation_layer_id, site_id, mapobject_id, min_y, min_x, max_y, max_x,
             centroid_y, centroid_x, is_border, outline)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        layer,
        site,
        object,
        i64::from(min_y),
        i64::from(min_x),
        i64::from(max_y),
        i64::from(max_x),
        outline.centroid_y,
        outline.centroid_x,
        outline.is_border,
        outline.packed.as_deref()
    )?;
    Ok(())
}

/// Delete the objects of a type in a site, with their shapes.
pub async fn delete_objects(tx: &mut Tx, objects: i64, site: i64) -> Result<()> {
    execute!(tx, "delete from mapobjects where mapobject_type_id = $1 and site_id = $2", objects, site)?;
    Ok(())
}

/// Note that an object lies in another one.
pub async fn insert_parent(tx: &mut Tx, object: i64, parent: i64) -> Result<()> {
    execute!(
        tx,
        "insert into mapobject_parents (mapobject_id, parent_id)
         values ($1, $2)
         on conflict do nothing",
        object,
        parent
    )?;
    Ok(())
}

/// Delete the shapes that a site has in a layer.
pub async fn delete_of_site(tx: &mut Tx, layer: i64, site: i64) -> Result<()> {
    execute!(tx, "delete from segmentations where segmentation_layer_id = $1 and site_id = $2", layer, site)?;
    Ok(())
}

/// Delete the objects of a type in a site that no layer shows.
pub async fn delete_unshown(tx: &mut Tx, objects: i64, site: i64) -> Result<()> {
    execute!(
        tx,
        "delete from mapobjects
         where mapobject_type_id = $1
             and site_id = $2
             and label is not null
             and not exists (select 1 from segmentations where segmentations.mapobject_id = mapobjects.id)",
        objects,
        site
    )?;
    Ok(())
}

/// Delete what was found in the images of an acquisition alone, which is about to be deleted: the shapes in planes of
/// sites that no other acquisition shows, and what is known of objects at time points of sites that none shows.
pub async fn delete_of_acquisition(tx: &mut Tx, experiment: i64, acquisition: i64) -> Result<()> {
    execute!(
        tx,
        "delete from segmentations
         where id in (
             select segmentations.id
             from (select distinct site_id, tpoint, zplane from channel_images where acquisition_id = $1) as planes
             join mapobject_types on mapobject_types.experiment_id = $2
             join segmentation_layers on segmentation_layers.mapobject_type_id = mapobject_types.id
                 and segmentation_layers.tpoint = planes.tpoint
                 and segmentation_layers.zplane = planes.zplane
             join segmentations on segmentations.segmentation_layer_id = segmentation_layers.id
                 and segmentations.site_id = planes.site_id
             where not exists (
                 select 1
                 from channel_images
                 where channel_images.site_id = planes.site_id
                     and channel_images.tpoint = planes.tpoint
                     and channel_images.zplane = planes.zplane
                     and channel_images.acquisition_id <> $1))",
        acquisition,
        experiment
    )?;
    execute!(
        tx,
        "delete from mapobjects
         where site_id in (select site_id from channel_images where acquisition_id = $1)
             and label is not null
             and not exists (select 1 from segmentations where segmentations.mapobject_id = mapobjects.id)",
        acquisition
    )?;
    execute!(tx, delete_of_time_points!("feature_rows"), acquisition)?;
    execute!(tx, delete_of_time_points!("label_values"), acquisition)?;
    Ok(())
}

/// Delete the layers of an experiment at a time point and focal plane, if no image is there and they show nothing.
pub async fn delete_empty_layers(tx: &mut Tx, experiment: i64, tpoint: i64, zplane: i64) -> Result<()> {
    execute!(
        tx,
        "delete from segmentation_layers
         where mapobject_type_id in (select id from mapobject_types where experiment_id = $1)
             and tpoint = $2
             and zplane = $3
             and not exists (
                 select 1
                 from segmentations
                 where segmentations.segmentation_layer_id = segmentation_layers.id)
             and not exists (
                 select 1
                 from channels
                 join channel_images on channel_images.channel_id = channels.id
                 where channels.experiment_id = $1
                     and channel_images.tpoint = $2
                     and channel_images.zplane = $3)",
        experiment,
        tpoint,
        zplane
    )?;
    Ok(())
}

/// The outlines that a site has in a layer, by id of the object; without those of which only the position is known.
pub async fn outlines_of_site(tx: &mut Tx, layer: i64, site: i64) -> Result<Vec<StoredOutline>> {
    let rows = fetch_all!(
        tx,
        OutlineRow,
        "select mapobject_id, label, min_y, min_x, max_y, max_x, centroid_y, centroid_x, outline
         from segmentations
         join mapobjects on mapobjects.id = segmentations.mapobject_id
         where segmentation_layer_id = $1
             and segmentations.site_id = $2
             and outline is not null
         order by mapobject_id",
        layer,
        site
    )?;
    rows.into_iter().map(StoredOutline::try_from).collect()
}

/// The outlines that a site has in several layers, layer by layer; where objects overlap the later ones show.
pub async fn outlines_in_layers(tx: &mut Tx, layers: &[i64], site: i64) -> Result<Vec<StoredOutline>> {
    let mut stored = Vec::new();
    for layer in layers {
        stored.extend(outlines_of_site(tx, *layer, site).await?);
    }
    Ok(stored)
}

/// What a site has in a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct SegmentedSite {
    /// Row id of the type of the objects.
    pub mapobject_type_id: i64,
    /// Row id of the layer.
    pub segmentation_layer_id: i64,
    /// Time point of the layer; null where it shows all of them.
    pub tpoint: Option<i64>,
    /// Focal plane of the layer; null where it shows all of them.
    pub zplane: Option<i64>,
    /// Row id of the site.
    pub site_id: i64,
    /// Number of objects.
    pub objects: i64,
    /// Number of those of which the outline is known.
    pub outlines: i64,
}

impl SegmentedSite {
    /// Whether its layer shows outlines at a time point and focal plane.
    pub fn shows(&self, tpoint: i64, zplane: i64) -> bool {
        self.outlines > 0 && is_part_of(tpoint, self.tpoint) && is_part_of(zplane, self.zplane)
    }
}

/// Whether a time point or focal plane is the one of a layer, or one of all that it shows.
fn is_part_of(wanted: i64, layer: Option<i64>) -> bool {
    layer.is_none_or(|of| of == wanted)
}

/// A layer that shows outlines of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct ShownLayer {
    /// Row id.
    pub id: i64,
    /// Row id of the type of the objects.
    pub mapobject_type_id: i64,
    /// Time point; null where it shows all of them.
    pub tpoint: Option<i64>,
    /// Focal plane; null where it shows all of them.
    pub zplane: Option<i64>,
    /// Goes up with every change of what it shows.
    pub version: i64,
}

impl ShownLayer {
    /// Whether it shows a time point and focal plane.
    pub fn shows(&self, tpoint: i64, zplane: i64) -> bool {
        is_part_of(tpoint, self.tpoint) && is_part_of(zplane, self.zplane)
    }
}

/// The layers of an experiment, or of one of its types, that show outlines of a site: those of all time points and
/// focal planes first, as [`outlines_in_layers`] wants them.
pub async fn layers_at_site(
    tx: &mut Tx,
    experiment: i64,
    objects: Option<i64>,
    site: i64,
) -> Result<Vec<ShownLayer>> {
    fetch_all!(
        tx,
        ShownLayer,
        "select segmentation_layers.id, mapobject_type_id, tpoint, zplane, version
         from mapobject_types
         join segmentation_layers on segmentation_layers.mapobject_type_id = mapobject_types.id
         where experiment_id = $1
             and (cast($2 as bigint) is null or mapobject_types.id = $2)
             and exists (
                 select 1
                 from segmentations
                 where segmentation_layer_id = segmentation_layers.id
                     and segmentations.site_id = $3
                     and outline is not null)
         order by coalesce(tpoint, -1), coalesce(zplane, -1)",
        experiment,
        objects,
        site
    )
}

/// The sites of an experiment that have objects in its layers, by layer and site, counting segmentations up to the id
/// `newest`.
pub async fn segmented_sites(tx: &mut Tx, experiment: i64, newest: i64) -> Result<Vec<SegmentedSite>> {
    fetch_all!(
        tx,
        SegmentedSite,
        "select mapobject_type_id, segmentation_layer_id, tpoint, zplane, site_id, count(*) as objects,
             count(outline) as outlines
         from mapobject_types
         join segmentation_layers on segmentation_layers.mapobject_type_id = mapobject_types.id
         join segmentations on segmentations.segmentation_layer_id = segmentation_layers.id
         where experiment_id = $1 and segmentations.id <= $2
         group by mapobject_type_id, segmentation_layer_id, tpoint, zplane, site_id
         order by segmentation_layer_id, site_id",
        experiment,
        newest
    )
}

/// The id of the newest segmentation; 0 without any.
pub async fn newest(tx: &mut Tx) -> Result<i64> {
    let (id,) = fetch_one!(tx, (i64,), "select coalesce(max(id), 0) from segmentations")?;
    Ok(id)
}
