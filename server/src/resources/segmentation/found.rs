//! What an analysis found at a site: objects with their shapes, what was measured of them and what they lie in, stored
//! as a whole in place of what was found there before.

use std::collections::{BTreeSet, HashMap};

use super::{NewOutline, queries};
use crate::environment::Environment;
use crate::resources::feature::tables::{self, SiteTable};
use crate::resources::layer::MapError;
use crate::resources::mapobject::queries as mapobjects;
use crate::store::Tx;

/// Objects of one type at one site. An object is known by its label: one with the same label at another time point or
/// focal plane is the same object.
#[derive(Debug, Clone)]
pub struct FoundObjects {
    /// Row id of the type.
    pub mapobject_type: i64,
    /// Where they are, plane by plane.
    pub planes: Vec<FoundPlane>,
    /// Row ids of the features that were measured.
    pub features: Vec<i64>,
    /// The values, by time point.
    pub tables: Vec<FoundTable>,
}

/// The shapes of objects at one time point and focal plane.
#[derive(Debug, Clone)]
pub struct FoundPlane {
    /// Time point.
    pub tpoint: i64,
    /// Focal plane.
    pub zplane: i64,
    /// Outlines in pixels of the site, not aligned.
    pub outlines: Vec<NewOutline>,
}

/// What was measured at one time point.
#[derive(Debug, Clone)]
pub struct FoundTable {
    /// Time point.
    pub tpoint: i64,
    /// Whose values: a row for each label.
    pub labels: Vec<i32>,
    /// A value for every row, feature by feature; NaN where there is none.
    pub columns: Vec<Vec<f64>>,
}

/// Which objects of one type lie in which of another.
#[derive(Debug, Clone)]
pub struct Parents {
    /// Row id of the type of the objects within.
    pub mapobject_type: i64,
    /// Row id of the type of the objects around them.
    pub parent_type: i64,
    /// Label of an object and of the one it lies in.
    pub labels: Vec<(i32, i32)>,
}

/// Store what was found at a site, in the caller's transaction; nothing of what the site had of these types is left.
/// When the site is gone, nothing is stored.
///
/// # Errors
/// When the database or the disk fails.
pub async fn replace(
    environment: &Environment,
    tx: &mut Tx,
    experiment: i64,
    site: i64,
    found: Vec<FoundObjects>,
    parents: &[Parents],
) -> Result<(), MapError> {
    if !queries::take_turn(tx, site).await? {
        return Ok(());
    }
    let mut objects_of_type = HashMap::new();
    for objects in found {
        let FoundObjects { mapobject_type, planes, features, tables } = objects;
        queries::delete_objects(tx, mapobject_type, site).await?;
        let labels: BTreeSet<i32> =
            planes.iter().flat_map(|plane| plane.outlines.iter().map(|outline| outline.label)).collect();
        let mut objects = HashMap::with_capacity(labels.len());
        for label in labels {
            let object = queries::insert_object(tx, mapobject_type, site, label.into()).await?;
            objects.insert(label, object);
        }
        for FoundPlane { tpoint, zplane, outlines } in planes {
            let layer =
                mapobjects::get_or_insert_layer(tx, mapobject_type, Some(tpoint), Some(zplane)).await?;
            for outline in outlines {
                queries::insert(tx, layer, site, objects[&outline.label], &outline).await?;
            }
        }
        // Those too in which the site has nothing any more.
        mapobjects::bump_layers_of_type(tx, mapobject_type).await?;
        let tables = tables.into_iter().map(|table| rows_by_object(table, &objects)).collect();
        tables::insert(environment, tx, experiment, (mapobject_type, site), features, tables).await?;
        objects_of_type.insert(mapobject_type, objects);
    }
    for Parents { mapobject_type, parent_type, labels } in parents {
        let Some((objects, parents)) =
            objects_of_type.get(mapobject_type).zip(objects_of_type.get(parent_type))
        else {
            continue;
        };
        for (label, parent) in labels {
            if let Some((object, parent)) = objects.get(label).zip(parents.get(parent)) {
                queries::insert_parent(tx, *object, *parent).await?;
            }
        }
    }
    Ok(())
}

/// The rows of a table with the ids of their objects, in the order of these; rows of labels that have no shape are left
/// out.
fn rows_by_object(table: FoundTable, objects: &HashMap<i32, i64>) -> SiteTable {
    let FoundTable { tpoint, labels, columns } = table;
    let mut rows: Vec<(i64, i64, usize)> = labels
        .iter()
        .enumerate()
        .filter_map(|(row, label)| Some((*objects.get(label)?, i64::from(*label), row)))
        .collect();
    rows.sort_unstable();
    let column = |values: &Vec<f64>| rows.iter().map(|(_, _, row)| values[*row]).collect();
    SiteTable {
        tpoint,
        columns: columns.iter().map(column).collect(),
        objects: rows.into_iter().map(|(object, label, _)| (object, label)).collect(),
    }
}
