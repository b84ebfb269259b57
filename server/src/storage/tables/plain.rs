//! Tables for other programs: plain names of columns, text beside the numbers.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as PhysicalType};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{ColumnPath, Type, TypePtr};

use super::from_parquet;
use crate::failpoint;
use crate::storage::error::{Result, StorageError};

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Whole numbers of 64 bits; some may be absent.
    Integer,
    /// UTF-8.
    Text,
    /// Floats of 64 bits, as they are: NaN is NaN.
    Number,
}

/// Cells of a column, one for each row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cells<'a> {
    /// Of [`ColumnKind::Integer`].
    Integers(Vec<Option<i64>>),
    /// Of [`ColumnKind::Text`].
    Texts(Vec<&'a str>),
    /// Of [`ColumnKind::Number`].
    Numbers(Vec<f64>),
}

/// A Parquet file that is being written where it will be, in a directory that is not complete yet.
pub struct PlainTable {
    path: PathBuf,
    writer: SerializedFileWriter<File>,
    kinds: Vec<ColumnKind>,
}

impl std::fmt::Debug for PlainTable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PlainTable").field("path", &self.path).finish_non_exhaustive()
    }
}

impl PlainTable {
    /// Begin a file with columns of these names, which must differ.
    ///
    /// # Errors
    /// [`StorageError::Io`] when the disk fails or is full, or there is something at `path` already.
    pub fn create(path: &Path, columns: &[(String, ColumnKind)]) -> Result<Self> {
        let failed = |error| from_parquet(path, error);
        let file = File::create_new(path).map_err(|error| StorageError::at(path, error))?;
        let schema = schema(columns).map_err(failed)?;
        let writer = SerializedFileWriter::new(file, schema, Arc::new(properties(columns)));
        let kinds = columns.iter().map(|(_, kind)| *kind).collect();
        Ok(Self { path: path.to_owned(), writer: writer.map_err(failed)?, kinds })
    }

    /// Add rows as one row group. `column` gives the cells of the column with this index for all of them; one column
    /// is in memory at a time.
    ///
    /// # Errors
    /// [`StorageError::Io`] when the disk fails or is full; [`StorageError::Corrupt`] when `column` gives another
    /// number or kind of cells; errors of `column`.
    pub fn write_group<'a>(
        &mut self,
        rows: usize,
        mut column: impl FnMut(usize) -> Result<Cells<'a>>,
    ) -> Result<()> {
        let Self { path, writer, kinds } = self;
        let failed = |error: ParquetError| from_parquet(path, error);
        let misshapen = || StorageError::corrupt(path.as_path(), "rows and columns that do not fit");
        let mut group = writer.next_row_group().map_err(failed)?;
        for (index, kind) in kinds.iter().enumerate() {
            let cells = column(index)?;
            if cells.shape() != (*kind, rows) {
                return Err(misshapen());
            }
            let mut writer = group.next_column().map_err(failed)?.ok_or_else(misshapen)?;
            cells.write(&mut writer).map_err(failed)?;
            writer.close().map_err(failed)?;
        }
        group.close().map_err(failed)?;
        Ok(())
    }

    /// End the file. It is not synced.
    ///
    /// # Errors
    /// [`StorageError::Io`] when the disk fails or is full.
    pub fn finish(self) -> Result<()> {
        let Self { path, writer, .. } = self;
        writer.close().map_err(|error| from_parquet(&path, error))?;
        failpoint::reached("table finished");
        Ok(())
    }
}

impl Cells<'_> {
    /// Of which kind they are, and how many.
    fn shape(&self) -> (ColumnKind, usize) {
        match self {
            Self::Integers(cells) => (ColumnKind::Integer, cells.len()),
            Self::Texts(cells) => (ColumnKind::Text, cells.len()),
            Self::Numbers(cells) => (ColumnKind::Number, cells.len()),
        }
    }

    fn write(&self, writer: &mut SerializedColumnWriter<'_>) -> std::result::Result<(), ParquetError> {
        match self {
            Self::Integers(cells) => {
                let there: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
                let values: Vec<i64> = cells.iter().flatten().copied().collect();
                writer.typed::<Int64Type>().write_batch(&values, Some(&there), None)?;
            }
            Self::Texts(cells) => {
                // Neighbours are often the same, and share their bytes then.
                let mut values: Vec<ByteArray> = Vec::with_capacity(cells.len());
                for (index, cell) in cells.iter().enumerate() {
                    let same = index.checked_sub(1).filter(|before| cells[*before] == *cell);
                    values.push(same.map_or_else(|| ByteArray::from(*cell), |before| values[before].clone()));
                }
                writer.typed::<ByteArrayType>().write_batch(&values, None, None)?;
            }
            Self::Numbers(cells) => {
                writer.typed::<DoubleType>().write_batch(cells, None, None)?;
            }
        }
        Ok(())
    }
}

fn schema(columns: &[(String, ColumnKind)]) -> std::result::Result<TypePtr, ParquetError> {
    let column = |(name, kind): &(String, ColumnKind)| {
        let (physical, repetition, logical) = match kind {
            ColumnKind::Integer => (PhysicalType::INT64, Repetition::OPTIONAL, None),
            ColumnKind::Text => (PhysicalType::BYTE_ARRAY, Repetition::REQUIRED, Some(LogicalType::String)),
            ColumnKind::Number => (PhysicalType::DOUBLE, Repetition::REQUIRED, None),
        };
        let column = Type::primitive_type_builder(name, physical);
        column.with_repetition(repetition).with_logical_type(logical).build().map(Arc::new)
    };
    let columns = columns.iter().map(column).collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(Arc::new(Type::group_type_builder("objects").with_fields(columns).build()?))
}

fn properties(columns: &[(String, ColumnKind)]) -> WriterProperties {
    let mut properties =
        WriterProperties::builder().set_compression(Compression::SNAPPY).set_max_row_group_row_count(None);
    for (name, _) in columns.iter().filter(|(_, kind)| *kind == ColumnKind::Number) {
        // Measured values hardly ever repeat.
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(name.as_str()), false);
    }
    properties.build()
}
