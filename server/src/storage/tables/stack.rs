//! Files that lie on top of each other, read as one table.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Part, RowKey, TableReader, TableRow, UNSAID};
use crate::storage::error::Result;

/// Rows by the site and time point that they are about.
type Parts = BTreeMap<(i64, i64), Range<u64>>;

/// Files of one type of objects, the oldest first, each with the rows in it that count.
#[derive(Debug, Default)]
pub struct TableStack {
    files: Vec<(TableReader, Parts)>,
}

/// Where wanted rows are in the files of a [`TableStack`].
#[derive(Debug)]
pub struct Located {
    /// For every file.
    runs: Vec<Vec<Run>>,
}

/// Consecutive rows of a file.
#[derive(Debug)]
struct Run {
    rows: Range<u64>,
    /// For each of them the index of the wanted row that it is about, if it is about one.
    wanted: Vec<Option<usize>>,
}

impl TableStack {
    /// Put a file on top. Rows that are in no part do not count.
    pub fn push(&mut self, reader: TableReader, parts: impl IntoIterator<Item = Part>) {
        let parts = parts.into_iter().map(|part| ((part.site, part.tpoint), part.rows)).collect();
        self.files.push((reader, parts));
    }

    /// Sites and time points that rows are about, in order, each with the number of rows in all files together.
    pub fn parts(&self) -> BTreeMap<(i64, i64), u64> {
        let mut found = BTreeMap::new();
        for (key, rows) in self.files.iter().flat_map(|(_, parts)| parts) {
            *found.entry(*key).or_insert(0) += rows.end - rows.start;
        }
        found
    }

    /// The rows about a site at a time point, by object; labels are those of the latest file.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`](crate::storage::StorageError::Corrupt) when a file is damaged.
    pub fn rows(&mut self, site: i64, tpoint: i64) -> Result<Vec<TableRow>> {
        let mut labels = BTreeMap::new();
        for (reader, parts) in &mut self.files {
            if let Some(rows) = parts.get(&(site, tpoint)) {
                let mapobjects = reader.mapobjects(rows.clone())?;
                labels.extend(mapobjects.into_iter().zip(reader.labels(rows.clone())?));
            }
        }
        let row = |(mapobject, label)| TableRow { key: RowKey { site, tpoint, mapobject }, label };
        Ok(labels.into_iter().map(row).collect())
    }

    /// Find rows, given in any order, in the files.
    ///
    /// # Errors
    /// As [`TableStack::rows`].
    pub fn locate(&mut self, wanted: &[RowKey]) -> Result<Located> {
        let mut sorted: Vec<(RowKey, usize)> =
            wanted.iter().enumerate().map(|(index, key)| (*key, index)).collect();
        sorted.sort_unstable();
        let mut runs = Vec::with_capacity(self.files.len());
        for (reader, parts) in &mut self.files {
            let mut found = Vec::new();
            for keys in sorted.chunk_by(|(a, _), (b, _)| (a.site, a.tpoint) == (b.site, b.tpoint)) {
                let Some(rows) = parts.get(&(keys[0].0.site, keys[0].0.tpoint)) else { continue };
                found.extend(run(reader, rows, keys)?);
            }
            runs.push(found);
        }
        Ok(Located { runs })
    }

    /// The values of a feature in the located rows. `values` holds what is said of them before; where no file says
    /// anything it stays.
    ///
    /// # Errors
    /// As [`TableStack::rows`].
    pub fn read(&mut self, located: &Located, feature: i64, values: &mut [f64]) -> Result<()> {
        for ((reader, _), runs) in self.files.iter_mut().zip(&located.runs) {
            for run in runs {
                let Some(stored) = reader.values(feature, run.rows.clone())? else { break };
                for (value, wanted) in stored.into_iter().zip(&run.wanted) {
                    if let Some(place) = wanted.and_then(|index| values.get_mut(index))
                        && value.to_bits() != UNSAID
                    {
                        *place = value;
                    }
                }
            }
        }
        Ok(())
    }

    /// Let go of a feature's columns.
    pub fn close(&mut self, feature: i64) {
        self.files.iter_mut().for_each(|(reader, _)| reader.close(feature));
    }

    /// Whether any file says something of a feature.
    pub fn has(&self, feature: i64) -> bool {
        self.files.iter().any(|(reader, _)| reader.has(feature))
    }
}

/// The rows of a part that are between the first and the last of these keys, sorted and all of this part.
fn run(reader: &mut TableReader, rows: &Range<u64>, keys: &[(RowKey, usize)]) -> Result<Option<Run>> {
    let mapobjects = reader.mapobjects(rows.clone())?;
    let (Some((first, _)), Some((last, _))) = (keys.first(), keys.last()) else { return Ok(None) };
    let start = mapobjects.partition_point(|id| *id < first.mapobject);
    let end = mapobjects.partition_point(|id| *id <= last.mapobject);
    if start >= end {
        return Ok(None);
    }
    let index_of = |id: &i64| {
        let found = keys.binary_search_by_key(id, |(key, _)| key.mapobject);
        found.ok().map(|at| keys[at].1)
    };
    let wanted = mapobjects[start..end].iter().map(index_of).collect();
    Ok(Some(Run { rows: rows.start + start as u64..rows.start + end as u64, wanted }))
}
