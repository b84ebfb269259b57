//! The database: SQLite beside the data by default, PostgreSQL by URL.
//!
//! One SQL text serves both: the macros [`fetch_all!`], [`fetch_optional!`], [`fetch_one!`] and
//! [`execute!`] expand it once per database. Queries live in `resources/*/queries.rs` as functions
//! over a [`Tx`]; whoever calls them opens it with [`Db::read`] or [`Db::write`]:
//!
//! * a read sees one consistent state;
//! * a write is all or nothing and becomes visible with [`Tx::commit`]. On SQLite writers queue for
//!   the one writing connection and start with `begin immediate`, so none ever finds the database
//!   locked half-way; writers of other processes take turns with them;
//! * no transaction spans image work, requests to others or waiting for a person.
//!
//! Times are microseconds since 1970 (UTC), booleans are booleans, JSON is text.

mod clock;
mod error;
mod identity;
mod lock;
mod page;
mod snapshot;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, Postgres, Sqlite, Transaction};
use tokio::sync::Mutex;
use tokio::time::timeout;

pub use clock::{Clock, SystemClock};
pub use error::{Result, StoreError};
pub use lock::DatabaseLock;
pub use page::Page;

/// How long to wait for a lock or a free place in the pool before giving up.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait for a PostgreSQL server that cannot be reached: a request is answered meanwhile.
const POSTGRES_PATIENCE: Duration = Duration::from_secs(10);
/// How long one attempt to begin to write waits for another process. Left to itself SQLite asks ever more
/// seldom, ten times a second in the end, and can miss every gap that a busy writer leaves.
const ATTEMPT: Duration = Duration::from_millis(10);

/// The database, whichever it is.
#[derive(Debug, Clone)]
pub enum Db {
    /// Embedded; readers have their own pool, all writers share one connection.
    Sqlite {
        /// Connections for [`Db::read`].
        readers: SqlitePool,
        /// The one connection for [`Db::write`].
        writer: SqlitePool,
        /// Held while waiting for the right to write, so that who came first is served first.
        turn: Arc<Mutex<()>>,
    },
    /// A server.
    Postgres(PgPool),
}

/// A transaction, or a consistent view for reading.
#[derive(Debug)]
pub enum Tx {
    /// On the embedded database.
    Sqlite(Transaction<'static, Sqlite>),
    /// On a PostgreSQL server.
    Postgres(Transaction<'static, Postgres>),
}

impl Db {
    /// Open (and on first use create) the embedded database in `file` and bring its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Driver`] when the file cannot be opened or a migration fails.
    pub async fn open_sqlite(file: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            // In WAL mode a power cut may take back the last commits with `normal`; files are
            // removed after commits, so commits must last.
            .synchronous(SqliteSynchronous::Full)
            // PostgreSQL's name for the order of text by its bytes, which no language decides.
            .collation("C", str::cmp)
            .busy_timeout(PATIENCE);
        let migrator = sqlite_pool(1).connect_with(options.clone()).await?;
        sqlx::migrate!("../migrations/sqlite").run(&migrator).await.map_err(StoreError::Migration)?;
        migrator.close().await;
        let writer = sqlite_pool(1).connect_with(options.clone().busy_timeout(ATTEMPT)).await?;
        let readers = sqlite_pool(8).connect_with(options.read_only(true)).await?;
        Ok(Self::Sqlite { readers, writer, turn: Arc::default() })
    }

    /// Connect to a PostgreSQL server and bring its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Driver`] when the server cannot be reached or a migration fails.
    pub async fn open_postgres(url: &str) -> Result<Self> {
        let pool =
            PgPoolOptions::new().max_connections(16).acquire_timeout(POSTGRES_PATIENCE).connect(url).await?;
        sqlx::migrate!("../migrations/postgres").run(&pool).await.map_err(StoreError::Migration)?;
        Ok(Self::Postgres(pool))
    }

    /// Keep other servers from this database; to be done before anything in it is taken for left behind.
    /// The embedded database has no lock of its own: the data directory has.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another server has it.
    pub async fn lock(&self) -> Result<Option<DatabaseLock>> {
        match self {
            Self::Sqlite { .. } => Ok(None),
            Self::Postgres(pool) => DatabaseLock::take(pool).await.map(Some),
        }
    }

    /// A consistent view of the database.
    ///
    /// # Errors
    /// [`StoreError::Driver`].
    pub async fn read(&self) -> Result<Tx> {
        Ok(match self {
            Self::Sqlite { readers, .. } => Tx::Sqlite(readers.begin().await?),
            Self::Postgres(pool) => {
                Tx::Postgres(pool.begin_with("begin isolation level repeatable read read only").await?)
            }
        })
    }

    /// A transaction that changes something. Dropped without [`Tx::commit`] it changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Driver`].
    pub async fn write(&self) -> Result<Tx> {
        Ok(match self {
            Self::Sqlite { writer, turn, .. } => {
                let begun = timeout(PATIENCE, begin_immediate(writer, turn)).await;
                Tx::Sqlite(begun.unwrap_or(Err(sqlx::Error::PoolTimedOut))?)
            }
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        })
    }

    /// Close all connections.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { readers, writer, .. } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

fn sqlite_pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE).before_acquire(
        // A full disk makes SQLite end a transaction by itself, and the driver goes on believing in it: such a
        // connection is replaced.
        |connection, _| Box::pin(std::future::ready(Ok(!connection.is_in_transaction()))),
    )
}

/// Begin to write once those who came before have, and once no other process writes.
async fn begin_immediate(
    writer: &SqlitePool,
    turn: &Mutex<()>,
) -> std::result::Result<Transaction<'static, Sqlite>, sqlx::Error> {
    let _turn = turn.lock().await;
    loop {
        match writer.begin_with("begin immediate").await {
            Err(error) if error::is_busy(&error) => {}
            begun => return begun,
        }
    }
}

impl Tx {
    /// Make the changes last and visible.
    ///
    /// # Errors
    /// [`StoreError::Driver`]; nothing is changed then.
    pub async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}

/// Run `$query.$method()` on the connection inside a [`Tx`], once per database.
macro_rules! on_tx {
    ($tx:expr, $query:expr, $method:ident) => {
        match $tx {
            $crate::store::Tx::Sqlite(connection) => $query.$method(&mut **connection).await,
            $crate::store::Tx::Postgres(connection) => $query.$method(&mut **connection).await,
        }
        .map_err($crate::store::StoreError::from)
    };
}

/// All rows of a query: `fetch_all!(tx, Row, "select …", argument, …)`.
macro_rules! fetch_all {
    ($tx:expr, $row:ty, $sql:expr $(, $argument:expr)* $(,)?) => {
        $crate::store::on_tx!($tx, sqlx::query_as::<_, $row>($sql)$(.bind($argument))*, fetch_all)
    };
}

/// The row of a query, if there is one.
macro_rules! fetch_optional {
    ($tx:expr, $row:ty, $sql:expr $(, $argument:expr)* $(,)?) => {
        $crate::store::on_tx!($tx, sqlx::query_as::<_, $row>($sql)$(.bind($argument))*, fetch_optional)
    };
}

/// The one row of a query that always has one, such as `insert … returning id`.
macro_rules! fetch_one {
    ($tx:expr, $row:ty, $sql:expr $(, $argument:expr)* $(,)?) => {
        $crate::store::on_tx!($tx, sqlx::query_as::<_, $row>($sql)$(.bind($argument))*, fetch_one)
    };
}

/// Run a statement; the value is the number of rows it changed.
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $argument:expr)* $(,)?) => {
        match $tx {
            $crate::store::Tx::Sqlite(connection) => {
                sqlx::query($sql)$(.bind($argument))*.execute(&mut **connection).await.map(|done| done.rows_affected())
            }
            $crate::store::Tx::Postgres(connection) => {
                sqlx::query($sql)$(.bind($argument))*.execute(&mut **connection).await.map(|done| done.rows_affected())
            }
        }
        .map_err($crate::store::StoreError::from)
    };
}

pub(crate) use {execute, fetch_all, fetch_one, fetch_optional, on_tx};
