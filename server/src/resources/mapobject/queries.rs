//! SQL of objects on the map.

use super::{
    MapobjectInfo, MapobjectParent, MapobjectType, Reference, SegmentationLayer, SegmentationLayerFilter,
    StaticType,
};
use crate::store::{Result, Tx, execute, fetch_all, fetch_one, fetch_optional};

/// The types of objects of an experiment by name, only the one with this name if given.
pub async fn list_types(tx: &mut Tx, experiment: i64, name: Option<&str>) -> Result<Vec<MapobjectType>> {
    let mut types = fetch_all!(
        tx,
        MapobjectType,
        "select id, name, ref_type
         from mapobject_types
         where experiment_id = $1
             and (cast($2 as text) is null or name = $2)",
        experiment,
        name
    )?;
    // Sorted here because PostgreSQL would order text by the rules of its locale.
    types.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(types)
}

/// One type of objects of an experiment.
pub async fn find_type(tx: &mut Tx, experiment: i64, id: i64) -> Result<Option<MapobjectType>> {
    fetch_optional!(
        tx,
        MapobjectType,
        "select id, name, ref_type
         from mapobject_types
         where experiment_id = $1 and id = $2",
        experiment,
        id
    )
}

/// The type of objects of an experiment with this name.
pub async fn find_type_by_name(tx: &mut Tx, experiment: i64, name: &str) -> Result<Option<MapobjectType>> {
    fetch_optional!(
        tx,
        MapobjectType,
        "select id, name, ref_type
         from mapobject_types
         where experiment_id = $1 and name = $2",
        experiment,
        name
    )
}

/// Add a type of objects, unless the experiment has one of this name.
pub async fn insert_type(tx: &mut Tx, experiment: i64, name: &str, reference: Reference) -> Result<()> {
    execute!(
        tx,
        "insert into mapobject_types (experiment_id, name, ref_type)
         values ($1, $2, $3)
         on conflict (experiment_id, name) do nothing",
        experiment,
        name,
        reference.name()
    )?;
    Ok(())
}

/// Add a type of objects that the pipeline finds, unless the experiment has one of this name; the value is its id, and
/// `None` for a type that is not the pipeline's.
pub async fn get_or_insert_found_type(
    tx: &mut Tx,
    experiment: i64,
    name: &str,
    points_only: bool,
) -> Result<Option<i64>> {
    execute!(
        tx,
        "insert into mapobject_types (experiment_id, name, ref_type, found, points_only)
         values ($1, $2, $3, true, $4)
         on conflict (experiment_id, name) do nothing",
        experiment,
        name,
        Reference::Site.name(),
        points_only
    )?;
    let row = fetch_optional!(
        tx,
        (i64,),
        "select id
         from mapobject_types
         where experiment_id = $1 and name = $2 and found",
        experiment,
        name
    )?;
    Ok(row.map(|(id,)| id))
}

/// The types of objects of an experiment that the pipeline finds, by id.
pub async fn found_types(tx: &mut Tx, experiment: i64) -> Result<Vec<(i64, String)>> {
    fetch_all!(
        tx,
        (i64, String),
        "select id, name
         from mapobject_types
         where experiment_id = $1 and found
         order by id",
        experiment
    )
}

/// Give a type of objects another name. One that the pipeline found is a person's from then on.
pub async fn rename_type(tx: &mut Tx, id: i64, name: &str) -> Result<()> {
    execute!(
        tx,
        "update mapobject_types
         set found = found and name = $1, name = $1
         where id = $2",
        name,
        id
    )?;
    Ok(())
}

/// Delete a type with its objects and layers; false when the experiment has none of this id.
pub async fn delete_type(tx: &mut Tx, experiment: i64, id: i64) -> Result<bool> {
    let deleted =
        execute!(tx, "delete from mapobject_types where experiment_id = $1 and id = $2", experiment, id)?;
    Ok(deleted > 0)
}

/// The segmentation layers of an experiment, by id.
pub async fn list_layers(
    tx: &mut Tx,
    experiment: i64,
    filter: SegmentationLayerFilter<'_>,
) -> Result<Vec<SegmentationLayer>> {
    fetch_all!(
        tx,
        SegmentationLayer,
        "select segmentation_layers.id, mapobject_type_id, tpoint, zplane, pyramid_height, pyramid_width
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

/// The layer of a type at a time point and focal plane.
pub async fn find_layer(tx: &mut Tx, objects: i64, tpoint: i64, zplane: i64) -> Result<Option<i64>> {
    let row = fetch_optional!(
        tx,
        (i64,),
        "select id
         from segmentation_layers
         where mapobject_type_id = $1 and coalesce(tpoint, -1) = $2 and coalesce(zplane, -1) = $3",
        objects,
        tpoint,
        zplane
    )?;
    Ok(row.map(|(id,)| id))
}

/// The layer of a type at a time point and focal plane (`None` for all of them), made if there is none.
pub async fn get_or_insert_layer(
    tx: &mut Tx,
    objects: i64,
    tpoint: Option<i64>,
    zplane: Option<i64>,
) -> Result<i64> {
    execute!(
        tx,
        "insert into segmentation_layers (mapobject_type_id, tpoint, zplane)
         values ($1, $2, $3)
         on conflict do nothing",
        objects,
        tpoint,
        zplane
    )?;
    let (id,) = fetch_one!(
        tx,
        (i64,),
        "select id
         from segmentation_layers
         where mapobject_type_id = $1 and coalesce(tpoint, -1) = $2 and coalesce(zplane, -1) = $3",
        objects,
        tpoint.unwrap_or(-1),
        zplane.unwrap_or(-1)
    )?;
    Ok(id)
}

/// Note that the layers of a type show something else than before.
pub async fn bump_layers_of_type(tx: &mut Tx, objects: i64) -> Result<()> {
    execute!(
        tx,
        "update segmentation_layers set version = version + 1 where mapobject_type_id = $1",
        objects
    )?;
    Ok(())
}

/// Note that a layer shows something else than before.
pub async fn bump_layer(tx: &mut Tx, layer: i64) -> Result<()> {
    execute!(tx, "update segmentation_layers set version = version + 1 where id = $1", layer)?;
    Ok(())
}

/// Note that all layers of an experiment show something else than before: its sites or their places changed.
pub async fn bump_layers_of(tx: &mut Tx, experiment: i64) -> Result<()> {
    execute!(
        tx,
        "update segmentation_layers
         set version = version + 1
         where mapobject_type_id in (select id from mapobject_types where experiment_id = $1)",
        experiment
    )?;
    Ok(())
}

/// Add the objects that a static type lacks.
pub async fn insert_static(tx: &mut Tx, experiment: i64, objects: i64, kind: StaticType) -> Result<()> {
    let statement = match kind {
        StaticType::Plates => {
            "insert into mapobjects (mapobject_type_id, plate_id)
             select $2, plates.id
             from plates
             where plates.experiment_id = $1
                 and exists (
                     select 1
                     from wells
                     join sites on sites.well_id = wells.id
                     where wells.plate_id = plates.id)
                 and not exists (
                     select 1
                     from mapobjects
                     where mapobjects.plate_id = plates.id and mapobjects.mapobject_type_id = $2)
             order by plates.id"
        }
        StaticType::Wells => {
            "insert into mapobjects (mapobject_type_id, well_id)
             select $2, wells.id
             from plates
             join wells on wells.plate_id = plates.id
             where plates.experiment_id = $1
                 and exists (select 1 from sites where sites.well_id = wells.id)
                 and not exists (
                     select 1
                     from mapobjects
                     where mapobjects.well_id = wells.id and mapobjects.mapobject_type_id = $2)
             order by wells.id"
        }
        StaticType::Sites => {
            "insert into mapobjects (mapobject_type_id, site_id)
             select $2, sites.id
             from plates
             join wells on wells.plate_id = plates.id
             join sites on sites.well_id = wells.id
             where plates.experiment_id = $1
                 and not exists (
                     select 1
                     from mapobjects
                     where mapobjects.site_id = sites.id and mapobjects.mapobject_type_id = $2)
             order by sites.id"
        }
    };
    execute!(tx, statement, experiment, objects)?;
    Ok(())
}

/// Delete the plates or wells among the objects of a static type that have no site any more.
pub async fn delete_empty(tx: &mut Tx, objects: i64, kind: StaticType) -> Result<()> {
    let statement = match kind {
        StaticType::Plates => {
            "delete from mapobjects
             where mapobject_type_id = $1
                 and not exists (
                     select 1
                     from wells
                     join sites on sites.well_id = wells.id
                     where wells.plate_id = mapobjects.plate_id)"
        }
        StaticType::Wells => {
            "delete from mapobjects
             where mapobject_type_id = $1
                 and not exists (select 1 from sites where sites.well_id = mapobjects.well_id)"
        }
        StaticType::Sites => return Ok(()),
    };
    execute!(tx, statement, objects)?;
    Ok(())
}

/// What an object of an experiment is, and where.
pub async fn find_info(tx: &mut Tx, experiment: i64, object: i64) -> Result<Option<MapobjectInfo>> {
    fetch_optional!(
        tx,
        MapobjectInfo,
        "select mapobject_types.name as type_name, experiments.name as experiment_name, plates.name as plate_name,
             wells.name as well_name, sites.y as well_pos_y, sites.x as well_pos_x, tpoint, zplane, label
         from mapobjects
         join mapobject_types on mapobject_types.id = mapobjects.mapobject_type_id
         join experiments on experiments.id = mapobject_types.experiment_id
         left join sites on sites.id = mapobjects.site_id
         left join wells on wells.id = coalesce(mapobjects.well_id, sites.well_id)
         join plates on plates.id = coalesce(mapobjects.plate_id, wells.plate_id)
         left join segmentations on segmentations.mapobject_id = mapobjects.id
         left join segmentation_layers on segmentation_layers.id = segmentations.segmentation_layer_id
         where mapobjects.id = $2 and experiments.id = $1
         order by tpoint, zplane
         limit 1",
        experiment,
        object
    )
}

/// The objects that an object lies in, by id.
pub async fn parents(tx: &mut Tx, object: i64) -> Result<Vec<MapobjectParent>> {
    fetch_all!(
        tx,
        MapobjectParent,
        "select mapobjects.id, mapobject_types.name as type_name, mapobjects.label
         from mapobject_parents
         join mapobjects on mapobjects.id = mapobject_parents.parent_id
         join mapobject_types on mapobject_types.id = mapobjects.mapobject_type_id
         where mapobject_parents.mapobject_id = $1
         order by mapobjects.id",
        object
    )
}

/// The types that objects of a type lie in, by id.
pub async fn parent_types(tx: &mut Tx, objects: i64) -> Result<Vec<MapobjectType>> {
    fetch_all!(
        tx,
        MapobjectType,
        "select distinct mapobject_types.id, mapobject_types.name, mapobject_types.ref_type
         from mapobjects
         join mapobject_parents on mapobject_parents.mapobject_id = mapobjects.id
         join mapobjects as parents on parents.id = mapobject_parents.parent_id
         join mapobject_types on mapobject_types.id = parents.mapobject_type_id
         where mapobjects.mapobject_type_id = $1
         order by mapobject_types.id",
        objects
    )
}

/// What objects of a type lie in, in the sites with ids from `first` to `last`: type of the parent, object, parent.
pub async fn parents_in_sites(
    tx: &mut Tx,
    objects: i64,
    first: i64,
    last: i64,
) -> Result<Vec<(i64, i64, i64)>> {
    fetch_all!(
        tx,
        (i64, i64, i64),
        "select parents.mapobject_type_id, mapobjects.id, parents.id
         from mapobjects
         join mapobject_parents on mapobject_parents.mapobject_id = mapobjects.id
         join mapobjects as parents on parents.id = mapobject_parents.parent_id
         where mapobjects.mapobject_type_id = $1 and mapobjects.site_id between $2 and $3",
        objects,
        first,
        last
    )
}
