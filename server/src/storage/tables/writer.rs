//! One file of feature values, written row group by row group.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, Repetition, Type as PhysicalType};
use parquet::data_type::{DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, Type, TypePtr};

use super::{FORMAT_KEY, FORMAT_VERSION, KEY_COLUMNS, Part, TableRow, column_name, from_parquet};
use crate::failpoint;
use crate::storage::atomic::{Temporary, sync_directory};
use crate::storage::error::{Result, StorageError};

/// Most rows of a page. A reader that goes through many columns at once holds a page of each.
const PAGE_ROWS: usize = 2048;

/// A file that is being written under a temporary name; dropped, it is removed.
pub struct TableWriter {
    writer: SerializedFileWriter<File>,
    temporary: Temporary,
    features: usize,
    parts: Vec<Part>,
    rows: u64,
}

impl std::fmt::Debug for TableWriter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TableWriter").field("temporary", &self.temporary).finish_non_exhaustive()
    }
}

/// A file that is on disk, synced, but has not got its name yet. Dropped, it is removed.
#[derive(Debug)]
pub struct WrittenTable {
    temporary: Temporary,
    /// Its length in bytes.
    pub size: u64,
    /// Which of its rows are about what, in their order.
    pub parts: Vec<Part>,
}

impl TableWriter {
    /// Begin a file in a directory, which is made if it is missing, with a column for each of these features.
    ///
    /// # Errors
    /// [`StorageError::Io`] when the disk fails or is full.
    pub fn create(directory: &Path, features: &[i64]) -> Result<Self> {
        if !directory.is_dir() {
            fs::create_dir_all(directory)?;
            directory.parent().map_or(Ok(()), sync_directory)?;
        }
        let temporary = Temporary::beside(&directory.join("table"));
        let file = File::create_new(temporary.path())?;
        let invalid = |error| from_parquet(directory, error);
        let schema = schema(features).map_err(invalid)?;
        let writer = SerializedFileWriter::new(file, schema, Arc::new(properties()));
        let writer = writer.map_err(invalid)?;
        Ok(Self { writer, temporary, features: features.len(), parts: Vec::new(), rows: 0 })
    }

    /// Add rows as one row group, in their order and after those that are there. `column` gives the values of the
    /// feature with this index for all of them; one column is in memory at a time.
    ///
    /// # Errors
    /// [`StorageError::Io`] when the disk fails or is full; [`StorageError::Corrupt`] when rows are out of order or
    /// `column` gives another number of values; errors of `column`.
    pub fn write_group(
        &mut self,
        rows: &[TableRow],
        mut column: impl FnMut(usize) -> Result<Vec<f64>>,
    ) -> Result<()> {
        self.note_parts(rows)?;
        let path: PathBuf = self.temporary.path().to_owned();
        let failed = |error: ParquetError| from_parquet(&path, error);
        let mut group = self.writer.next_row_group().map_err(failed)?;
        let keys: [fn(&TableRow) -> i64; 4] =
            [|row| row.key.mapobject, |row| row.key.site, |row| row.key.tpoint, |row| row.label];
        for key in keys {
            let values: Vec<i64> = rows.iter().map(key).collect();
            let mut writer = group.next_column().map_err(failed)?.ok_or_else(|| misshapen(&path))?;
            writer.typed::<Int64Type>().write_batch(&values, None, None).map_err(failed)?;
            writer.close().map_err(failed)?;
        }
        for feature in 0..self.features {
            let values = column(feature)?;
            if values.len() != rows.len() {
                return Err(misshapen(&path));
            }
            let mut writer = group.next_column().map_err(failed)?.ok_or_else(|| misshapen(&path))?;
            writer.typed::<DoubleType>().write_batch(&values, None, None).map_err(failed)?;
            writer.close().map_err(failed)?;
        }
        group.close().map_err(failed)?;
        Ok(())
    }

    /// Note where sites and time points begin.
    fn note_parts(&mut self, rows: &[TableRow]) -> Result<()> {
        let order = |pair: &[TableRow]| pair[0].key < pair[1].key;
        let last = self.parts.last().map(|part| (part.site, part.tpoint));
        let first = rows.first().map(|row| (row.key.site, row.key.tpoint));
        if !rows.windows(2).all(order) || (last.is_some() && first.is_some() && first <= last) {
            return Err(StorageError::corrupt(self.temporary.path(), "rows that are not in order"));
        }
        for part in rows.chunk_by(|a, b| (a.key.site, a.key.tpoint) == (b.key.site, b.key.tpoint)) {
            let end = self.rows + part.len() as u64;
            let key = part[0].key;
            self.parts.push(Part { site: key.site, tpoint: key.tpoint, rows: self.rows..end });
            self.rows = end;
        }
        Ok(())
    }

    /// End the file and sync it.
    ///
    /// # Errors
    /// [`StorageError::Io`] when the disk fails or is full.
    pub fn finish(self) -> Result<WrittenTable> {
        let Self { writer, temporary, parts, .. } = self;
        let file = writer.into_inner().map_err(|error| from_parquet(temporary.path(), error))?;
        file.sync_all()?;
        failpoint::reached("table synced");
        Ok(WrittenTable { size: file.metadata()?.len(), temporary, parts })
    }
}

impl WrittenTable {
    /// Give it its name in the same directory, durably.
    ///
    /// # Errors
    /// [`StorageError::Io`] when the disk fails.
    pub fn keep(self, target: &Path) -> Result<()> {
        fs::rename(self.temporary.path(), target)?;
        failpoint::reached("table renamed");
        Ok(sync_directory(target.parent().unwrap_or(Path::new(".")))?)
    }
}

fn misshapen(path: &Path) -> StorageError {
    StorageError::corrupt(path, "rows and columns that do not fit")
}

fn schema(features: &[i64]) -> Result<TypePtr, ParquetError> {
    let column = |name: &str, kind| {
        Type::primitive_type_builder(name, kind).with_repetition(Repetition::REQUIRED).build().map(Arc::new)
    };
    let keys = KEY_COLUMNS.iter().map(|name| column(name, PhysicalType::INT64));
    let values = features.iter().map(|feature| column(&column_name(*feature), PhysicalType::DOUBLE));
    let columns = keys.chain(values).collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(Type::group_type_builder("features").with_fields(columns).build()?))
}

fn properties() -> WriterProperties {
    let version = KeyValue::new(FORMAT_KEY.to_owned(), FORMAT_VERSION.to_owned());
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_max_row_group_row_count(None)
        .set_key_value_metadata(Some(vec![version]))
        // Measured values hardly ever repeat, and least and greatest of them help nobody to find a row.
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None);
    for key in KEY_COLUMNS {
        properties =
            properties.set_column_statistics_enabled(ColumnPath::from(key), EnabledStatistics::Chunk);
    }
    for key in ["site_id", "tpoint"] {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(key), true);
    }
    properties.build()
}
