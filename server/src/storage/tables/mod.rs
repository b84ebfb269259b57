//! Feature values of the objects of one type: Parquet files, written once and then only read.
//!
//! A row for every object and time point, sorted by site, time point and object:
//!
//! | column | type | what |
//! |---|---|---|
//! | `mapobject_id`, `site_id`, `tpoint`, `label` | int64 | whose values |
//! | `f<id>` | double | the value of the feature with this id; NaN where it is missing |
//!
//! Names of features are the database's, so renaming one touches no file. Row groups have about [`GROUP_ROWS`] rows,
//! the key-value metadata hold the version of the format, and which rows are about which site and time point
//! ([`Part`]) is the database's to keep: a reader goes there directly.
//!
//! Files lie on top of each other ([`TableStack`]): what a later one says of a cell counts. A cell that a file says
//! nothing of is the NaN with the bits [`UNSAID`]; to other programs it is a NaN like any other.

mod plain;
mod reader;
mod stack;
mod writer;

use std::ops::Range;
use std::path::Path;

use parquet::errors::ParquetError;

pub use plain::{Cells, ColumnKind, PlainTable};
pub use reader::TableReader;
pub use stack::{Located, TableStack};
pub use writer::{TableWriter, WrittenTable};

use super::error::{Result, StorageError};

/// About how many rows a row group has.
pub const GROUP_ROWS: usize = 100_000;
/// The bits of the NaN of a cell that a file says nothing of.
pub const UNSAID: u64 = 0x7ff8_0000_756e_7361;

/// The version of the format.
const FORMAT_VERSION: &str = "1";
/// Its key in the metadata of a file.
const FORMAT_KEY: &str = "tmserver.format_version";
/// The columns before those of the features.
const KEY_COLUMNS: [&str; 4] = ["mapobject_id", "site_id", "tpoint", "label"];

/// Whose values a row holds; in the order of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey {
    /// Row id of the site.
    pub site: i64,
    /// Time point.
    pub tpoint: i64,
    /// Row id of the object.
    pub mapobject: i64,
}

/// What a row says of its object beside the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableRow {
    /// Whose values it holds.
    pub key: RowKey,
    /// The number of the object in label images of its site.
    pub label: i64,
}

/// The rows of a file that are about the objects of one site at one time point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Row id of the site.
    pub site: i64,
    /// Time point.
    pub tpoint: i64,
    /// Rows, counted from the first of the file.
    pub rows: Range<u64>,
}

/// A value that says nothing.
pub fn unsaid() -> f64 {
    f64::from_bits(UNSAID)
}

/// Name of the column of a feature.
fn column_name(feature: i64) -> String {
    format!("f{feature}")
}

/// Look at the file at `path`: whether it is one, of the length in `size` bytes where that is known; `deep` decodes
/// every value.
///
/// # Errors
/// [`StorageError::NotFound`] when there is none, [`StorageError::Corrupt`] when something is wrong with it.
pub fn verify(path: &Path, size: Option<u64>, deep: bool) -> Result<()> {
    let mut table = TableReader::open(path)?;
    let found = path.metadata().map_err(|error| StorageError::at(path, error))?.len();
    if let Some(size) = size.filter(|size| *size != found) {
        return Err(StorageError::corrupt(path, format!("has {found} bytes, {size} were written")));
    }
    if deep { table.read_all() } else { Ok(()) }
}

/// Keep what the file system said apart from what the format says.
fn from_parquet(path: &Path, error: ParquetError) -> StorageError {
    match error {
        ParquetError::External(cause) => match cause.downcast::<std::io::Error>() {
            Ok(error) => StorageError::at(path, *error),
            Err(cause) => StorageError::corrupt(path, cause),
        },
        other => StorageError::corrupt(path, other),
    }
}
