//! Values that the server itself measured of the objects of a site, stored by the transaction that stores the objects.

use super::{queries, upload};
use crate::environment::Environment;
use crate::error::ApiResult;
use crate::resources::layer::MapError;
use crate::storage::tables::{GROUP_ROWS, RowKey, TableRow, TableWriter};
use crate::store::Tx;

/// Values of the objects of a site at one time point.
#[derive(Debug, Clone)]
pub struct SiteTable {
    /// Time point.
    pub tpoint: i64,
    /// Row id and label of every object, by row id.
    pub objects: Vec<(i64, i64)>,
    /// A value for every object, feature by feature.
    pub columns: Vec<Vec<f64>>,
}

/// Write the tables of a type at a site, by time point, as one file, and name it in the caller's transaction. Without
/// features or objects nothing is written.
///
/// # Errors
/// When the database or the disk fails.
pub async fn insert(
    environment: &Environment,
    tx: &mut Tx,
    experiment: i64,
    (mapobject_type, site): (i64, i64),
    features: Vec<i64>,
    mut tables: Vec<SiteTable>,
) -> Result<(), MapError> {
    tables.retain(|table| !table.objects.is_empty());
    if features.is_empty() || tables.is_empty() {
        return Ok(());
    }
    tables.sort_by_key(|table| table.tpoint);
    let directory = environment.data.features(experiment);
    // Not in the lane of jobs: places there are free when sites are done, and the database waits for this.
    let written = environment.compute.interactive(move |_| {
        let mut writer = TableWriter::create(&directory, &features)?;
        for SiteTable { tpoint, objects, columns } in &tables {
            for (group, objects) in objects.chunks(GROUP_ROWS).enumerate() {
                let row = |&(mapobject, label): &(i64, i64)| TableRow {
                    key: RowKey { site, tpoint: *tpoint, mapobject },
                    label,
                };
                let rows: Vec<TableRow> = objects.iter().map(row).collect();
                let first = group * GROUP_ROWS;
                writer
                    .write_group(&rows, |column| Ok(columns[column][first..first + rows.len()].to_vec()))?;
            }
        }
        writer.finish()
    });
    let written = written.await??;
    let path = upload::insert_on_top(environment, tx, experiment, mapobject_type, &written).await?;
    environment.compute.interactive(move |_| written.keep(&path)).await??;
    Ok(())
}

/// Make features of these names, which are seen from now on; the values are their ids, in the order of the names.
///
/// # Errors
/// 400 when the type would have too many.
pub async fn make_features(tx: &mut Tx, mapobject_type: i64, names: &[String]) -> ApiResult<Vec<i64>> {
    let features = upload::reserve(tx, mapobject_type, names).await?;
    for feature in &features {
        queries::set_stored(tx, *feature).await?;
    }
    Ok(features)
}
