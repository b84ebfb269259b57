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
/// How often to ask for a lock that somebody has.
const RETRY_EVERY: Duration = Duration::from_millis(100);
/// How often to see that the connection is there.
const CHECK_EVERY: Duration = Duration::from_secs(2);
/// How long the database may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Which session holds the lock: process ids are used again, their start times are not.
const HOLDER: &str = "select concat(sessions.pid, ' ', sessions.backend_start)
     from pg_locks
     join pg_stat_activity as sessions on sessions.pid = pg_locks.pid
     join pg_database on pg_database.oid = pg_locks.database
     where pg_database.datname = current_database()
         and pg_locks.locktype = 'advisory'
         and pg_locks.granted
         and (cast(pg_locks.classid as bigint) << 32 | cast(pg_locks.objid as bigint)) = $1";

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
            if let Attempt::Taken(session) = try_take(pool).await? {
                return Ok(Self { keeper: tokio::spawn(keep(session, pool.clone())) });
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

/// A connection that holds the lock, and what the database calls it.
struct Session {
    connection: PgConnection,
    name: String,
}

/// How it went to take the lock.
enum Attempt {
    Taken(Session),
    /// The session of this name has it; `None` when it was given back just now.
    HeldBy(Option<String>),
}

async fn try_take(pool: &PgPool) -> Result<Attempt> {
    let options = pool.connect_options();
    let attempt = async {
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
        let holder =
            sqlx::query_as::<_, (String,)>(HOLDER).bind(LOCK).fetch_optional(&mut connection).await?;
        let holder = holder.map(|(name,)| name);
        Ok(match holder {
            Some(name) if taken => Attempt::Taken(Session { connection, name }),
            holder => Attempt::HeldBy(holder),
        })
    };
    timeout(ANSWER_WITHIN, attempt).await.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(StoreError::from)
}

/// Hold the lock, and take it again after the connection broke. If another server got it meanwhile, close
/// `pool`: everything is then refused, rather than done twice.
async fn keep(mut session: Session, pool: PgPool) {
    let mut broken = false;
    while !pool.is_closed() {
        sleep(CHECK_EVERY).await;
        broken |= !matches!(timeout(ANSWER_WITHIN, session.connection.ping()).await, Ok(Ok(())));
        if !broken {
            continue;
        }
        match try_take(&pool).await {
            Ok(Attempt::Taken(taken)) => {
                session = taken;
                broken = false;
            }
            // The database has not noticed yet that our own connection broke.
            Ok(Attempt::HeldBy(Some(name))) if name == session.name => {}
            Ok(Attempt::HeldBy(None)) => {}
            Ok(Attempt::HeldBy(Some(_))) => {
                tracing::error!("another tmserver took the database over; this one stops using it");
                pool.close().await;
            }
            Err(error) => tracing::warn!(%error, "the database cannot be reached"),
        }
    }
}
