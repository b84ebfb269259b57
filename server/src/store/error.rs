//! What can go wrong in the database, whichever it is.

use sqlx::error::DatabaseError;

/// SQLite, no room for a page: `SQLITE_FULL`.
const SQLITE_FULL: &str = "13";
/// SQLite, no room for the index of its log: `SQLITE_IOERR_SHMSIZE`.
const SQLITE_SHARED_MEMORY_FULL: &str = "4874";
/// PostgreSQL, `disk_full`.
const POSTGRES_DISK_FULL: &str = "53100";

/// An error of the database, sorted by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Such a row exists already: a name or key that must be unique is taken.
    #[error("already exists: {0}")]
    Conflict(String),
    /// A row that this one refers to does not exist (any more).
    #[error("refers to something that does not exist: {0}")]
    Reference(String),
    /// The database's disk is full; nothing was changed, and a retry may help once there is room.
    #[error("no space left for the database: {0}")]
    Full(String),
    /// Another server uses the database.
    #[error("the database is in use by another tmserver; each needs a database of its own")]
    InUse,
    /// A stored value is not what the server writes.
    #[error("corrupt row: {0}")]
    Corrupt(String),
    /// The schema could not be brought up to date.
    #[error("database migration failed: {0}")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// The database failed or cannot be reached.
    #[error("database: {0}")]
    Driver(#[source] sqlx::Error),
}

/// Result of a query.
pub type Result<T> = std::result::Result<T, StoreError>;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) if database.is_unique_violation() => {
                Self::Conflict(database.message().to_owned())
            }
            sqlx::Error::Database(database) if database.is_foreign_key_violation() => {
                Self::Reference(database.message().to_owned())
            }
            sqlx::Error::Database(database) if is_full(database.as_ref()) => {
                Self::Full(database.message().to_owned())
            }
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Corrupt(error.to_string()),
            _ => Self::Driver(error),
        }
    }
}

/// Whether the disk of the database is full.
fn is_full(error: &dyn DatabaseError) -> bool {
    let code = error.code();
    [SQLITE_FULL, SQLITE_SHARED_MEMORY_FULL, POSTGRES_DISK_FULL]
        .iter()
        .any(|full| code.as_deref() == Some(full))
}

/// Whether another connection is writing to the SQLite file (`SQLITE_BUSY` and its kin).
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    const SQLITE_BUSY: i32 = 5;
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.and_then(|code| code.parse::<i32>().ok()).is_some_and(|code| code & 0xff == SQLITE_BUSY)
}
