//! The databases that a test runs on: the embedded one always, and PostgreSQL where there is a server.
// A failed `unwrap` is a failed test.
#![allow(clippy::unwrap_used)]

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// An empty database for one test.
#[derive(Debug)]
pub enum Database {
    /// Embedded, in the test's data directory.
    Sqlite,
    /// On the server that `TMSERVER_TEST_POSTGRES` names.
    Postgres(PostgresDatabase),
}

/// A database on a server; gone when dropped, whoever is still connected.
#[derive(Debug)]
pub struct PostgresDatabase {
    name: String,
    admin: String,
    url: String,
}

impl Database {
    /// A new database on the server that `TMSERVER_TEST_POSTGRES` names.
    ///
    /// Without one, prints `SKIPPED: no PostgreSQL` and returns `None`.
    ///
    /// # Panics
    /// When there is none and `TMSERVER_TEST_REQUIRE_POSTGRES` is `1`, or when it cannot be used.
    #[allow(clippy::print_stdout)]
    pub async fn postgres() -> Option<Self> {
        let Some(admin) = std::env::var("TMSERVER_TEST_POSTGRES").ok().filter(|url| !url.is_empty()) else {
            let required = std::env::var("TMSERVER_TEST_REQUIRE_POSTGRES").is_ok_and(|value| value == "1");
            assert!(!required, "a PostgreSQL server is required, and TMSERVER_TEST_POSTGRES names none");
            static SAID: Once = Once::new();
            SAID.call_once(|| println!("SKIPPED: no PostgreSQL"));
            return None;
        };
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("tmserver_test_{}_{number}", std::process::id());
        // What an earlier process of the same number left behind goes first.
        administer(&admin, &format!("drop database if exists {name} with (force)")).await;
        administer(&admin, &format!("create database {name} template template0")).await;
        let (address, parameters) = admin.split_once('?').unwrap_or((&admin, ""));
        let (server, _) = address.rsplit_once('/').expect("the URL names a database");
        let url = format!("{server}/{name}?{parameters}");
        Some(Self::Postgres(PostgresDatabase { name, admin, url }))
    }

    /// What the setting `database_url` is for it.
    pub fn url(&self) -> Option<&str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres(database) => Some(&database.url),
        }
    }
}

impl PostgresDatabase {
    /// Run a statement beside the database, as the server's administrator; `{}` stands for its name.
    pub async fn administer(&self, statement: &str) {
        administer(&self.admin, &statement.replace("{}", &self.name)).await;
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        // In a thread of its own: a test that ends, or panics, has no runtime to wait in.
        let (admin, statement) =
            (self.admin.clone(), format!("drop database if exists {} with (force)", self.name));
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(administer(&admin, &statement));
        });
        // A second panic would hide the first; what is left is dropped by the next run of the same number.
        let _ = dropped.join();
    }
}

async fn administer(url: &str, statement: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Run tests on each database: `on_each_database![one, other]` makes of `async fn one(database: Database)` the
/// tests `sqlite::one` and `postgres::one`. A test that the list forgets is reported as dead code. Tests that need
/// more than one thread begin the list with `flavor = "multi_thread";`.
#[macro_export]
macro_rules! on_each_database {
    (flavor = $flavor:tt; $($test:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = $flavor)]
                async fn $test() {
                    super::$test($crate::databases::Database::Sqlite).await;
                }
            )+
        }
        mod postgres {
            $(
                #[tokio::test(flavor = $flavor)]
                async fn $test() {
                    if let Some(database) = $crate::databases::Database::postgres().await {
                        super::$test(database).await;
                    }
                }
            )+
        }
    };
    ($($test:ident),+ $(,)?) => {
        $crate::on_each_database![flavor = "current_thread"; $($test),+];
    };
}
