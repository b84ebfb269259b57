//! What can go wrong in the database, whichever it is.

/// An error of the database, sorted by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Such a row exists already: a name or key that must be unique is taken.
    #[error("already exists: {0}")]
    Conflict(String),
    /// A row that this one refers to does not exist (any more).
    #[error("refers to something that does not exist: {0}")]
    Reference(String),
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
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Corrupt(error.to_string()),
            _ => Self::Driver(error),
        }
    }
}
