//! One server per PostgreSQL database: an advisory lock, held on a connection of its own.
//!
//! A server sweeps and resumes what it finds unfinished, so two of them on one database would take each
//! other's work for something left behind. The embedded database needs no lock: it lies in the data directory,
//! which has one.

use std::time::Duration;

use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{ConnectOptions, Connection};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::error::{Result, StoreError};

/// Number of the lock ("tmserver" in ASCII); it counts within one database and never changes.
const LOCK: i64 = 0x746d_7365_7276_6572;
/// A server that was killed gives its lock up within a moment: how long to wait for that.
const START_PATIENCE: Duration = Duration::from_secs(3);
/// The database drops a session whose network is gone within a minute: how long our own may seem foreign.
const LOST_PATIENCE: Duration = Duration::from_secs(90);
/// How often to ask for a lock that somebody has.
const RETRY_EVERY: Duration = Duration::from_millis(100);
/// How often to see that the connection is there.
const CHECK_EVERY: Duration = Duration::from_secs(2);
/// How long the database may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Keeps other servers from the database for as long as it lives.
#[derive(Debug)]
pub struct DatabaseLock {
    keeper: JoinHandle<()>,
}

impl DatabaseLock {
    /// Take the lock of the database that `pool` leads to.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another server has it.
    pub(super) async fn take(pool: &PgPool) -> Result<Self> {
        let give_up = Instant::now() + START_PATIENCE;
        loop {
            if let Some(connection) = try_take(pool).await? {
                return Ok(Self { keeper: tokio::spawn(keep(connection, pool.clone())) });
            }
            if Instant::now() >= give_up {
                return Err(StoreError::InUse);
            }
            sleep(RETRY_EVERY).await;
        }
    }
}

impl Drop for DatabaseLock {
    fn drop(&mut self) {
        // Closes the connection, and with it goes the lock.
        self.keeper.abort();
    }
}

/// A connection that holds the lock; `None` when somebody else does.
async fn try_take(pool: &PgPool) -> Result<Option<PgConnection>> {
    let options = pool.connect_options();
    let taken = async {
        let mut connection = options.connect().await?;
        // A machine that vanishes from the network gives the lock up within a minute.
        sqlx::raw_sql(
            "set tcp_keepalives_idle = 30; set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3",
        )
        .execute(&mut connection)
        .await?;
        let (taken,) = sqlx::query_as::<_, (bool,)>("select pg_try_advisory_lock($1)")
            .bind(LOCK)
            .fetch_one(&mut connection)
            .await?;
        Ok(taken.then_some(connection))
    };
    timeout(ANSWER_WITHIN, taken).await.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(StoreError::from)
}

/// Hold the lock, and take it again after the connection broke. If another server got it meanwhile, close
/// `pool`: everything is then refused, rather than done twice.
async fn keep(mut connection: PgConnection, pool: PgPool) {
    let mut lost: Option<Instant> = None;
    while !pool.is_closed() {
        sleep(CHECK_EVERY).await;
        if lost.is_none() && matches!(timeout(ANSWER_WITHIN, connection.ping()).await, Ok(Ok(()))) {
            continue;
        }
        let since = *lost.get_or_insert_with(Instant::now);
        match try_take(&pool).await {
            Ok(Some(taken)) => {
                connection = taken;
                lost = None;
            }
            Ok(None) if since.elapsed() < LOST_PATIENCE => {}
            Ok(None) => {
                tracing::error!("another tmserver took the database over; this one stops using it");
                pool.close().await;
            }
            Err(error) => tracing::warn!(%error, "the database cannot be reached"),
        }
    }
}
