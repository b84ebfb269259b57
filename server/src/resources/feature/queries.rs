//! SQL of features and of the files with their values.

use super::Feature;
use crate::store::{Result, Tx, execute, fetch_all, fetch_one, fetch_optional};

/// The features of a type by name, only the one with this name if given.
pub async fn list(tx: &mut Tx, mapobject_type: i64, name: Option<&str>) -> Result<Vec<Feature>> {
    let mut features = fetch_all!(
        tx,
        Feature,
        "select id, mapobject_type_id, name
         from features
         where mapobject_type_id = $1
             and stored
             and (cast($2 as text) is null or name = $2)",
        mapobject_type,
        name
    )?;
    // Sorted here because PostgreSQL would order text by the rules of its locale.
    features.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(features)
}

/// The features of all types of an experiment by name.
pub async fn list_of_experiment(tx: &mut Tx, experiment: i64) -> Result<Vec<Feature>> {
    let mut features = fetch_all!(
        tx,
        Feature,
        "select features.id, mapobject_type_id, features.name
         from features
         join mapobject_types on mapobject_types.id = features.mapobject_type_id
         where mapobject_types.experiment_id = $1 and stored",
        experiment
    )?;
    // Sorted here because PostgreSQL would order text by the rules of its locale.
    features.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(features)
}

/// Id and name of all features of a type, those whose first values are on their way included.
pub async fn all_of_type(tx: &mut Tx, mapobject_type: i64) -> Result<Vec<(i64, String)>> {
    fetch_all!(
        tx,
        (i64, String),
        "select id, name from features where mapobject_type_id = $1",
        mapobject_type
    )
}

/// Add a feature that nobody sees yet; the value is the id.
pub async fn insert(tx: &mut Tx, mapobject_type: i64, name: &str) -> Result<i64> {
    let (id,) = fetch_one!(
        tx,
        (i64,),
        "insert into features (mapobject_type_id, name, stored)
         values ($1, $2, false)
         returning id",
        mapobject_type,
        name
    )?;
    Ok(id)
}

/// Let a feature be seen; false when it is gone.
pub async fn set_stored(tx: &mut Tx, id: i64) -> Result<bool> {
    Ok(execute!(tx, "update features set stored = true where id = $1", id)? > 0)
}

/// Give a feature another name; false when the experiment has none of this id.
pub async fn rename(tx: &mut Tx, experiment: i64, id: i64, name: &str) -> Result<bool> {
    let renamed = execute!(
        tx,
        "update features
         set name = $1
         where id = $2
             and stored
             and mapobject_type_id in (select id from mapobject_types where experiment_id = $3)",
        name,
        id,
        experiment
    )?;
    Ok(renamed > 0)
}

/// Delete a feature; false when the experiment has none of this id.
pub async fn delete(tx: &mut Tx, experiment: i64, id: i64) -> Result<bool> {
    let deleted = execute!(
        tx,
        "delete from features
         where id = $1
             and stored
             and mapobject_type_id in (select id from mapobject_types where experiment_id = $2)",
        id,
        experiment
    )?;
    Ok(deleted > 0)
}

/// Delete features whose first values never came. Only for a time when none can be on their way.
pub async fn delete_abandoned(tx: &mut Tx) -> Result<u64> {
    execute!(tx, "delete from features where not stored")
}

/// The site of these names; `None` when the experiment has none such.
pub async fn find_site(
    tx: &mut Tx,
    experiment: i64,
    (plate, well): (&str, &str),
    (y, x): (i64, i64),
) -> Result<Option<i64>> {
    let row = fetch_optional!(
        tx,
        (i64,),
        "select sites.id
         from plates
         join wells on wells.plate_id = plates.id
         join sites on sites.well_id = wells.id
         where plates.experiment_id = $1
             and plates.name = $2
             and wells.name = $3
             and sites.y = $4
             and sites.x = $5",
        experiment,
        plate,
        well,
        y,
        x
    )?;
    Ok(row.map(|(id,)| id))
}

/// Whether a type has a layer of a time point, or one that is the same at all of them.
pub async fn has_layer(tx: &mut Tx, mapobject_type: i64, tpoint: i64) -> Result<bool> {
    let layer = fetch_optional!(
        tx,
        (i64,),
        "select id
         from segmentation_layers
         where mapobject_type_id = $1 and (tpoint is null or tpoint = $2)
         limit 1",
        mapobject_type,
        tpoint
    )?;
    Ok(layer.is_some())
}

/// The first layer of a type at a time point: that of the first focal plane.
pub async fn first_layer(tx: &mut Tx, mapobject_type: i64, tpoint: i64) -> Result<Option<i64>> {
    let layer = fetch_optional!(
        tx,
        (i64,),
        "select id
         from segmentation_layers
         where mapobject_type_id = $1 and tpoint = $2
         order by coalesce(zplane, -1)
         limit 1",
        mapobject_type,
        tpoint
    )?;
    Ok(layer.map(|(id,)| id))
}

/// Label, id and layer of the objects of a type that are segmented at a site and time point, by label and id; once
/// for every layer that has them.
pub async fn segmented(
    tx: &mut Tx,
    mapobject_type: i64,
    site: i64,
    tpoint: i64,
) -> Result<Vec<(i64, i64, i64)>> {
    fetch_all!(
        tx,
        (i64, i64, i64),
        "select mapobjects.label, mapobjects.id, segmentation_layers.id
         from segmentation_layers
         join segmentations on segmentations.segmentation_layer_id = segmentation_layers.id
         join mapobjects on mapobjects.id = segmentations.mapobject_id
         where segmentation_layers.mapobject_type_id = $1
             and segmentation_layers.tpoint = $2
             and segmentations.site_id = $3
             and mapobjects.label is not null
         order by mapobjects.label, mapobjects.id",
        mapobject_type,
        tpoint,
        site
    )
}

/// An object at a time point.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct MeasuredObject {
    /// Row id of the plate, well or site that it is or lies in.
    pub place_id: i64,
    /// Row id.
    pub id: i64,
    /// The number it has in label images of its site; null for plates, wells and sites.
    pub label: Option<i64>,
    /// Time point; null where it is the same at all of them.
    pub tpoint: Option<i64>,
    /// The first focal plane that it is in; null where it is the same in all of them.
    pub zplane: Option<i64>,
    /// 1 when it touches the edge of its site, 0 when not; null where it has no shape.
    pub is_border: Option<i64>,
}

/// The objects of a type in places with ids from $2 to $3, once for every time point ($4 or, if null, all).
macro_rules! select_objects {
    ($place:literal) => {
        concat!(
            "select mapobjects.",
            $place,
            " as place_id, mapobjects.id, mapobjects.label, segmentation_layers.tpoint,
             min(segmentation_layers.zplane) as zplane,
             cast(max(case when segmentations.is_border then 1 when not segmentations.is_border then 0 end)
                 as bigint) as is_border
         from mapobjects
         left join segmentations on segmentations.mapobject_id = mapobjects.id
         left join segmentation_layers on segmentation_layers.id = segmentations.segmentation_layer_id
         where mapobjects.mapobject_type_id = $1
             and mapobjects.",
            $place,
            " between $2 and $3
             and (cast($4 as bigint) is null or segmentation_layers.tpoint is null
                 or segmentation_layers.tpoint = $4)
         group by mapobjects.id, mapobjects.",
            $place,
            ", mapobjects.label, segmentation_layers.tpoint
         order by mapobjects.",
            $place,
            ", mapobjects.id, segmentation_layers.tpoint"
        )
    };
}

/// The objects of a type in sites whose ids are from `first` to `last`, by site, id and time point.
pub async fn objects_in_sites(
    tx: &mut Tx,
    mapobject_type: i64,
    (first, last): (i64, i64),
    tpoint: Option<i64>,
) -> Result<Vec<MeasuredObject>> {
    fetch_all!(tx, MeasuredObject, select_objects!("site_id"), mapobject_type, first, last, tpoint)
}

/// The same of wells.
pub async fn objects_in_wells(
    tx: &mut Tx,
    mapobject_type: i64,
    (first, last): (i64, i64),
    tpoint: Option<i64>,
) -> Result<Vec<MeasuredObject>> {
    fetch_all!(tx, MeasuredObject, select_objects!("well_id"), mapobject_type, first, last, tpoint)
}

/// The same of plates.
pub async fn objects_in_plates(
    tx: &mut Tx,
    mapobject_type: i64,
    (first, last): (i64, i64),
    tpoint: Option<i64>,
) -> Result<Vec<MeasuredObject>> {
    fetch_all!(tx, MeasuredObject, select_objects!("plate_id"), mapobject_type, first, last, tpoint)
}

/// The ids of the objects of a type in sites whose ids are from `first` to `last`, in order.
pub async fn object_ids(tx: &mut Tx, mapobject_type: i64, first: i64, last: i64) -> Result<Vec<i64>> {
    let rows = fetch_all!(
        tx,
        (i64,),
        "select id
         from mapobjects
         where mapobject_type_id = $1 and site_id between $2 and $3
         order by id",
        mapobject_type,
        first,
        last
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// A file with values of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct FeatureFile {
    /// Row id.
    pub id: i64,
    /// What files of later generations say counts.
    pub generation: i64,
    /// Length in bytes.
    pub size: i64,
}

/// The files of a type, the oldest first.
pub async fn files(tx: &mut Tx, mapobject_type: i64) -> Result<Vec<FeatureFile>> {
    fetch_all!(
        tx,
        FeatureFile,
        "select id, generation, size
         from feature_files
         where mapobject_type_id = $1
         order by generation",
        mapobject_type
    )
}

/// Add a file; the value is the id.
pub async fn insert_file(tx: &mut Tx, mapobject_type: i64, generation: i64, size: i64) -> Result<i64> {
    let (id,) = fetch_one!(
        tx,
        (i64,),
        "insert into feature_files (mapobject_type_id, generation, size)
         values ($1, $2, $3)
         returning id",
        mapobject_type,
        generation,
        size
    )?;
    Ok(id)
}

/// Forget a file; false when there is none of this id.
pub async fn delete_file(tx: &mut Tx, id: i64) -> Result<bool> {
    Ok(execute!(tx, "delete from feature_files where id = $1", id)? > 0)
}

/// Forget the files of an experiment that have no rows; the values are the types and ids.
pub async fn delete_empty_files(tx: &mut Tx, experiment: i64) -> Result<Vec<(i64, i64)>> {
    fetch_all!(
        tx,
        (i64, i64),
        "delete from feature_files
         where mapobject_type_id in (select id from mapobject_types where experiment_id = $1)
             and not exists (select 1 from feature_rows where feature_rows.feature_file_id = feature_files.id)
         returning mapobject_type_id, id",
        experiment
    )
}

/// Rows of a file about the objects of a site at a time point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct RowsOfSite {
    /// Row id of the file.
    pub feature_file_id: i64,
    /// Row id of the site.
    pub site_id: i64,
    /// Time point.
    pub tpoint: i64,
    /// The first row.
    pub first_row: i64,
    /// How many there are.
    pub row_count: i64,
}

/// Note what rows of a file are about, unless the site is gone.
pub async fn insert_rows(tx: &mut Tx, rows: RowsOfSite) -> Result<()> {
    execute!(
        tx,
        "insert into feature_rows (feature_file_id, site_id, tpoint, first_row, row_count)
         select $1, sites.id, $3, $4, $5
         from sites
         where sites.id = $2",
        rows.feature_file_id,
        rows.site_id,
        rows.tpoint,
        rows.first_row,
        rows.row_count
    )?;
    Ok(())
}

/// What rows of the files of a type are about, for sites whose ids are from `first` to `last`.
pub async fn rows_of_sites(
    tx: &mut Tx,
    mapobject_type: i64,
    first: i64,
    last: i64,
) -> Result<Vec<RowsOfSite>> {
    fetch_all!(
        tx,
        RowsOfSite,
        "select feature_file_id, site_id, tpoint, first_row, row_count
         from feature_files
         join feature_rows on feature_rows.feature_file_id = feature_files.id
         where feature_files.mapobject_type_id = $1
             and feature_rows.site_id between $2 and $3",
        mapobject_type,
        first,
        last
    )
}

/// Experiment, type, id and length of all files.
pub async fn all_files(tx: &mut Tx) -> Result<Vec<(i64, i64, i64, i64)>> {
    fetch_all!(
        tx,
        (i64, i64, i64, i64),
        "select mapobject_types.experiment_id, mapobject_types.id, feature_files.id, size
         from feature_files
         join mapobject_types on mapobject_types.id = feature_files.mapobject_type_id"
    )
}
