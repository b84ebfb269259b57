//! One file of feature values, read in ranges of rows.

use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use parquet::column::reader::{ColumnReaderImpl, get_typed_column_reader};
use parquet::data_type::{DataType, DoubleType, Int64Type};
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::{FORMAT_KEY, FORMAT_VERSION, GROUP_ROWS, KEY_COLUMNS, from_parquet};
use crate::storage::error::{Result, StorageError};

const MAPOBJECT: usize = 0;
const LABEL: usize = 3;

/// An opened file. It goes on being readable after its removal.
///
/// Reading on where the last range of a column ended costs least: each column that is read has a page in memory.
pub struct TableReader {
    path: PathBuf,
    file: SerializedFileReader<File>,
    /// The first row of every row group, and the number of rows of the file.
    starts: Vec<u64>,
    /// Columns of the features, by id.
    features: HashMap<i64, usize>,
    keys: HashMap<usize, Cursor<Int64Type>>,
    values: HashMap<usize, Cursor<DoubleType>>,
}

/// Where a column is being read.
struct Cursor<T: DataType> {
    reader: ColumnReaderImpl<T>,
    group: usize,
    next: u64,
}

impl std::fmt::Debug for TableReader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TableReader").field("path", &self.path).finish_non_exhaustive()
    }
}

impl TableReader {
    /// Open the file at `path`.
    ///
    /// # Errors
    /// [`StorageError::NotFound`] when there is none, [`StorageError::Corrupt`] when it is of another format.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| StorageError::at(path, error))?;
        let file = SerializedFileReader::new(file).map_err(|error| from_parquet(path, error))?;
        let metadata = file.metadata().file_metadata();
        let pairs = metadata.key_value_metadata().map_or(&[][..], Vec::as_slice);
        let version = pairs.iter().find(|pair| pair.key == FORMAT_KEY).and_then(|pair| pair.value.as_deref());
        if version != Some(FORMAT_VERSION) {
            let problem =
                format!("format version {version:?} is stored, this program knows {FORMAT_VERSION:?}");
            return Err(StorageError::corrupt(path, problem));
        }
        let schema = metadata.schema_descr();
        let names: Vec<&str> = schema.columns().iter().map(|column| column.name()).collect();
        if !names.starts_with(&KEY_COLUMNS) {
            return Err(StorageError::corrupt(
                path,
                format!("does not begin with the columns {KEY_COLUMNS:?}"),
            ));
        }
        let mut features = HashMap::new();
        for (column, name) in names.iter().enumerate().skip(KEY_COLUMNS.len()) {
            let id = name.strip_prefix('f').and_then(|id| id.parse().ok());
            let id = id.ok_or_else(|| StorageError::corrupt(path, format!("a column {name:?}")))?;
            features.insert(id, column);
        }
        let mut starts = vec![0];
        let mut rows = 0;
        for group in file.metadata().row_groups() {
            let wrong = |_| StorageError::corrupt(path, "a row group with less than no rows");
            rows += u64::try_from(group.num_rows()).map_err(wrong)?;
            starts.push(rows);
        }
        let path = path.to_owned();
        Ok(Self { path, file, starts, features, keys: HashMap::new(), values: HashMap::new() })
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Whether there is a column of a feature.
    pub fn has(&self, feature: i64) -> bool {
        self.features.contains_key(&feature)
    }

    /// The ids of the objects of these rows.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when the file is damaged or has no such rows.
    pub fn mapobjects(&mut self, rows: Range<u64>) -> Result<Vec<i64>> {
        read(&self.path, &self.file, &self.starts, MAPOBJECT, &mut self.keys, rows)
    }

    /// The labels of the objects of these rows.
    ///
    /// # Errors
    /// As [`TableReader::mapobjects`].
    pub fn labels(&mut self, rows: Range<u64>) -> Result<Vec<i64>> {
        read(&self.path, &self.file, &self.starts, LABEL, &mut self.keys, rows)
    }

    /// The values of a feature in these rows; `None` when the file says nothing of it.
    ///
    /// # Errors
    /// As [`TableReader::mapobjects`].
    pub fn values(&mut self, feature: i64, rows: Range<u64>) -> Result<Option<Vec<f64>>> {
        let Some(column) = self.features.get(&feature) else { return Ok(None) };
        read(&self.path, &self.file, &self.starts, *column, &mut self.values, rows).map(Some)
    }

    /// Let go of a feature's column: it is read to its end.
    pub fn close(&mut self, feature: i64) {
        if let Some(column) = self.features.get(&feature) {
            self.values.remove(column);
        }
    }

    /// Decode everything, and forget it.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when something is damaged.
    pub fn read_all(&mut self) -> Result<()> {
        let columns: Vec<i64> = self.features.keys().copied().collect();
        let step = GROUP_ROWS as u64;
        for start in (0..self.rows()).step_by(GROUP_ROWS) {
            let rows = start..self.rows().min(start + step);
            for key in 0..KEY_COLUMNS.len() {
                read(&self.path, &self.file, &self.starts, key, &mut self.keys, rows.clone())?;
            }
            for feature in &columns {
                self.values(*feature, rows.clone())?;
                self.close(*feature);
            }
        }
        Ok(())
    }
}

/// Read rows of a column, going on where it was left if that is not behind them.
fn read<T: DataType>(
    path: &Path,
    file: &SerializedFileReader<File>,
    starts: &[u64],
    column: usize,
    cursors: &mut HashMap<usize, Cursor<T>>,
    rows: Range<u64>,
) -> Result<Vec<T::T>> {
    let failed = |error| from_parquet(path, error);
    let missing = || StorageError::corrupt(path, format!("rows {rows:?} are not all there"));
    if rows.start > rows.end || rows.end > starts.last().copied().unwrap_or(0) {
        return Err(missing());
    }
    let mut values = Vec::new();
    let mut at = rows.start;
    while at < rows.end {
        let group = starts.partition_point(|start| *start <= at) - 1;
        let mut cursor = match cursors.remove(&column) {
            Some(cursor) if cursor.group == group && cursor.next <= at => cursor,
            _ => {
                let reader = file.get_row_group(group).and_then(|group| group.get_column_reader(column));
                let reader = get_typed_column_reader::<T>(reader.map_err(failed)?);
                Cursor { reader, group, next: starts[group] }
            }
        };
        let to_skip = usize::try_from(at - cursor.next).map_err(|_| missing())?;
        let end = rows.end.min(starts[group + 1]);
        let to_read = usize::try_from(end - at).map_err(|_| missing())?;
        if cursor.reader.skip_records(to_skip).map_err(failed)? != to_skip {
            return Err(missing());
        }
        let read = cursor.reader.read_records(to_read, None, None, &mut values).map_err(failed)?.0;
        if read != to_read {
            return Err(missing());
        }
        cursor.next = end;
        cursors.insert(column, cursor);
        at = end;
    }
    Ok(values)
}
