//! Puts the files of a type together once there are many.
//!
//! Every upload adds a file. When there are more than [`FILES`], the newest are merged into one, and with them every
//! older one that is not much larger than they are together: a client that uploads site by site neither rewrites
//! everything at every upload nor leaves a file to open for every site. A value is rewritten about as often as the
//! number of files has digits.
//!
//! One merge runs at a time. It takes what is there when it begins, writes row group by row group, and its transaction
//! replaces the files unless one of them is gone by then; uploads and readers go on meanwhile.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Mutex;

use super::queries::{self, FeatureFile, RowsOfSite};
use super::{open_stack, upload};
use crate::environment::Environment;
use crate::error::{ApiError, ApiResult};
use crate::failpoint;
use crate::resources::experiment::queries as experiments;
use crate::storage::error::Result;
use crate::storage::tables::{GROUP_ROWS, Part, RowKey, TableRow, TableStack, TableWriter, unsaid};
use crate::store::{StoreError, Tx};

/// How many files may lie on top of each other before some are merged.
pub const FILES: usize = 16;
/// With so many an upload waits until some are merged.
pub const MOST_FILES: usize = 64;
/// Fewer are not worth a merge.
const AT_LEAST: usize = 8;
/// How often a merge is planned anew because files were replaced or deleted meanwhile.
const TRIES: usize = 5;

/// Lets one merge run at a time; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Merging(Arc<Mutex<()>>);

/// How many of the newest files are to be merged; `sizes` in bytes, the oldest first.
fn how_many(sizes: &[u64]) -> usize {
    if sizes.len() <= FILES {
        return 0;
    }
    let mut together: u64 = 0;
    let mut count = 0;
    for size in sizes.iter().rev() {
        if count >= AT_LEAST && *size > together.saturating_mul(2) {
            break;
        }
        together = together.saturating_add(*size);
        count += 1;
    }
    count
}

/// Merge files of a type if there are many, without waiting for the end of it.
pub fn begin(environment: &Environment, experiment: i64, mapobject_type: i64) {
    let environment = environment.clone();
    tokio::spawn(async move {
        if let Err(error) = merge_if_many(&environment, experiment, mapobject_type).await {
            // The files stay as they are; the next upload begins another merge.
            tracing::warn!(mapobject_type, error = error.message(), "cannot merge files of feature values");
        }
    });
}

/// Wait until a type has few enough files for one more.
///
/// # Errors
/// When the database or the disk fails.
pub async fn make_room(environment: &Environment, experiment: i64, mapobject_type: i64) -> ApiResult<()> {
    let files = queries::files(&mut environment.db.read().await?, mapobject_type).await?;
    if files.len() < MOST_FILES {
        return Ok(());
    }
    merge_if_many(environment, experiment, mapobject_type).await
}

/// Merge files of a type if there are many.
///
/// # Errors
/// When the database or the disk fails; the files stay as they are then.
pub async fn merge_if_many(environment: &Environment, experiment: i64, mapobject_type: i64) -> ApiResult<()> {
    merge_some(environment, experiment, mapobject_type, how_many).await
}

/// Merge all files of a type.
///
/// # Errors
/// When the database or the disk fails; the files stay as they are then.
pub async fn merge_all(environment: &Environment, experiment: i64, mapobject_type: i64) -> ApiResult<()> {
    merge_some(environment, experiment, mapobject_type, <[u64]>::len).await
}

/// Merge as many of the newest files of a type as `how_many` says of the sizes of all.
async fn merge_some(
    environment: &Environment,
    experiment: i64,
    mapobject_type: i64,
    how_many: impl Fn(&[u64]) -> usize,
) -> ApiResult<()> {
    let _turn = environment.merging.0.lock().await;
    for _ in 0..TRIES {
        let files = queries::files(&mut environment.db.read().await?, mapobject_type).await?;
        let sizes: Vec<u64> = files.iter().map(|file| u64::try_from(file.size).unwrap_or(0)).collect();
        let count = how_many(&sizes);
        if count < 2 {
            return Ok(());
        }
        environment.space.check()?;
        let newest = &files[files.len() - count..];
        if merge(environment, experiment, mapobject_type, newest).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// A merge under way.
struct Merge {
    stack: TableStack,
    writer: TableWriter,
    /// Ids of the features that are left.
    features: Vec<i64>,
}

/// Merge consecutive files; false when one of them was replaced or deleted meanwhile.
async fn merge(
    environment: &Environment,
    experiment: i64,
    mapobject_type: i64,
    files: &[FeatureFile],
) -> ApiResult<bool> {
    let mut tx = environment.db.read().await?;
    let features =
        queries::all_of_type(&mut tx, mapobject_type).await?.into_iter().map(|(id, _)| id).collect();
    let mut parts = parts_by_file(&mut tx, mapobject_type, (i64::MIN, i64::MAX)).await?;
    drop(tx);
    let path = |id| environment.data.feature_file(experiment, mapobject_type, id);
    let opened =
        files.iter().map(|file| (path(file.id), parts.remove(&file.id).unwrap_or_default())).collect();
    let directory = environment.data.features(experiment);
    let begun = environment.compute.batch(move |_| begin_merge(opened, features, &directory)).await;
    let Some(mut merge) = begun.map_err(ApiError::internal)?? else { return Ok(false) };
    for group in groups(&merge.stack.parts()) {
        let (first, last) = (group[0].0, group[group.len() - 1].0);
        let living =
            queries::object_ids(&mut environment.db.read().await?, mapobject_type, first, last).await?;
        let added = environment.compute.batch(move |_| merge.add(&group, &living)).await;
        merge = added.map_err(ApiError::internal)??;
    }
    let finished = environment.compute.batch(move |_| merge.writer.finish()).await;
    let written = finished.map_err(ApiError::internal)??;
    failpoint::reached("merge written");

    let removal = environment.leftovers.begin();
    let mut tx = environment.db.write().await?;
    // In turn with uploads and deletions.
    experiments::touch(&mut tx, experiment, environment.now()).await?;
    for file in files {
        if !queries::delete_file(&mut tx, file.id).await? {
            removal.done();
            return Ok(false);
        }
    }
    let newest = files.last().map_or(0, |file| file.generation);
    if !written.parts.is_empty() {
        let file = upload::insert(&mut tx, mapobject_type, newest, &written).await?;
        let target = path(file);
        // The database waits for this, and places for jobs may be taken for long.
        let kept = environment.compute.interactive(move |_| written.keep(&target)).await;
        kept.map_err(ApiError::internal)??;
    }
    tx.commit().await?;
    for file in files {
        environment.remove_files(path(file.id)).await;
    }
    removal.done();
    Ok(true)
}

/// What the rows of the files of a type are about, for sites with ids from the first to the last, by file.
///
/// # Errors
/// When the database fails.
pub(super) async fn parts_by_file(
    tx: &mut Tx,
    mapobject_type: i64,
    (first, last): (i64, i64),
) -> std::result::Result<HashMap<i64, Vec<Part>>, StoreError> {
    let mut parts: HashMap<i64, Vec<Part>> = HashMap::new();
    for rows in queries::rows_of_sites(tx, mapobject_type, first, last).await? {
        let RowsOfSite { feature_file_id, site_id, tpoint, first_row, row_count } = rows;
        let corrupt = |_| StoreError::Corrupt(format!("rows of file {feature_file_id} with feature values"));
        let start = u64::try_from(first_row).map_err(corrupt)?;
        let end = start.saturating_add(u64::try_from(row_count).map_err(corrupt)?);
        let part = Part { site: site_id, tpoint, rows: start..end };
        parts.entry(feature_file_id).or_default().push(part);
    }
    Ok(parts)
}

fn begin_merge(
    files: Vec<(PathBuf, Vec<Part>)>,
    mut features: Vec<i64>,
    directory: &Path,
) -> Result<Option<Merge>> {
    let Some(stack) = open_stack(files)? else { return Ok(None) };
    features.retain(|feature| stack.has(*feature));
    features.sort_unstable();
    let writer = TableWriter::create(directory, &features)?;
    Ok(Some(Merge { stack, writer, features }))
}

/// Sites and time points, a list for every row group.
fn groups(parts: &BTreeMap<(i64, i64), u64>) -> Vec<Vec<(i64, i64)>> {
    let mut groups: Vec<Vec<(i64, i64)>> = Vec::new();
    let mut rows = u64::MAX;
    for (key, count) in parts {
        rows = rows.saturating_add(*count);
        match groups.last_mut() {
            Some(group) if rows <= GROUP_ROWS as u64 => group.push(*key),
            _ => {
                groups.push(vec![*key]);
                rows = *count;
            }
        }
    }
    groups
}

impl Merge {
    /// Add the rows about these sites and time points whose objects live.
    fn add(mut self, group: &[(i64, i64)], living: &[i64]) -> Result<Self> {
        let mut rows: Vec<TableRow> = Vec::new();
        for (site, tpoint) in group {
            let found = self.stack.rows(*site, *tpoint)?;
            rows.extend(found.into_iter().filter(|row| living.binary_search(&row.key.mapobject).is_ok()));
        }
        if rows.is_empty() {
            return Ok(self);
        }
        let keys: Vec<RowKey> = rows.iter().map(|row| row.key).collect();
        let Self { stack, writer, features } = &mut self;
        let located = stack.locate(&keys)?;
        writer.write_group(&rows, |column| {
            let mut values = vec![unsaid(); keys.len()];
            stack.read(&located, features[column], &mut values)?;
            stack.close(features[column]);
            Ok(values)
        })?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_uploads_leave_few_files_and_rewrite_each_value_seldom() {
        let (mut sizes, mut rewritten) = (vec![1_000_000_u64], 0);
        for _ in 0..10_000 {
            sizes.push(100);
            let count = how_many(&sizes);
            assert!(count == 0 || count >= AT_LEAST);
            if count > 0 {
                let merged: u64 = sizes.drain(sizes.len() - count..).sum();
                rewritten += merged;
                sizes.push(merged);
            }
            assert!(sizes.len() <= FILES, "{sizes:?}");
        }
        let uploaded = 10_000 * 100;
        assert!(rewritten < 12 * uploaded, "{rewritten} bytes for {uploaded}");
    }

    #[test]
    fn row_groups_begin_anew_where_they_would_be_too_large() {
        let rows = [60_000, 40_000, 1, 250_000, 5, 5];
        let parts = rows.iter().enumerate().map(|(site, rows)| ((site as i64, 0), *rows)).collect();
        let sizes: Vec<usize> = groups(&parts).iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 1, 1, 2]);
    }
}
