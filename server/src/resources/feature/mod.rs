//! Features: what is measured of the objects of a type, and the values.
//!
//! Names are rows, values lie in Parquet files ([`crate::storage::tables`]): every upload adds a small one, and a merge
//! puts files together once there are many ([`merging`]). What is gone from the database, be it a feature, an object
//! or a site, is gone from every answer at once; the next merge leaves it out of the files, too.

pub mod csv;
pub mod download;
pub mod handlers;
pub mod measured;
pub mod merging;
pub mod queries;
pub mod selection;
pub mod tables;
pub mod upload;

use std::path::PathBuf;

use crate::environment::Environment;
use crate::error::{ApiError, ApiResult};
use crate::resources::tools::{ResultFilter, queries as tools};
use crate::storage::tables::{Part, TableReader, TableStack};
use crate::store::{Result, Tx};

/// Most features a type may have.
pub const MOST_FEATURES: usize = 10_000;

/// A feature as stored.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Feature {
    /// Row id.
    pub id: i64,
    /// The type of the objects that it is measured of.
    pub mapobject_type_id: i64,
    /// Name, unique in the type.
    pub name: String,
}

/// 404 for a feature.
pub fn unknown(id: i64) -> ApiError {
    ApiError::not_found(format!("feature {id}"))
}

/// Delete a feature and the heatmaps of it: its values are no more to be seen.
///
/// # Errors
/// 404 when the experiment has none of this id.
pub async fn delete(environment: &Environment, experiment: i64, id: i64) -> ApiResult<()> {
    let mut tx = environment.db.write().await?;
    if !queries::delete(&mut tx, experiment, id).await? {
        return Err(unknown(id));
    }
    for result in tools::list_results(&mut tx, experiment, ResultFilter::default()).await? {
        if result.shows_feature(id) {
            tools::delete_result(&mut tx, result.id).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}

/// The files with values of a type, which go after its rows.
///
/// # Errors
/// When the database fails.
pub async fn files_of_type(
    tx: &mut Tx,
    environment: &Environment,
    experiment: i64,
    mapobject_type: i64,
) -> Result<Vec<PathBuf>> {
    let files = queries::files(tx, mapobject_type).await?;
    let path =
        |file: &queries::FeatureFile| environment.data.feature_file(experiment, mapobject_type, file.id);
    Ok(files.iter().map(path).collect())
}

/// Forget the files of an experiment of which no row is about a site that is left; the value is where they are.
///
/// # Errors
/// When the database fails.
pub async fn forget_empty_files(
    tx: &mut Tx,
    environment: &Environment,
    experiment: i64,
) -> Result<Vec<PathBuf>> {
    let files = queries::delete_empty_files(tx, experiment).await?;
    Ok(files.into_iter().map(|(kind, file)| environment.data.feature_file(experiment, kind, file)).collect())
}

/// Open files as one table; each with the parts of it that count. `None` when one was removed meanwhile: then they
/// were merged. Blocks.
///
/// # Errors
/// When a file is damaged.
fn open_stack(files: Vec<(PathBuf, Vec<Part>)>) -> crate::storage::error::Result<Option<TableStack>> {
    let mut stack = TableStack::default();
    for (path, parts) in files {
        match TableReader::open(&path) {
            Err(crate::storage::StorageError::NotFound { .. }) => return Ok(None),
            reader => stack.push(reader?, parts),
        }
    }
    Ok(Some(stack))
}
