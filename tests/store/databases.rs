//! The database, whichever it is: migrations, constraints, transactions, snapshots, a server that goes away.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection, query, query_as};
use tempfile::TempDir;
use tm_server::app::App;
use tm_server::config::Settings;
use tm_server::environment::LastStop;
use tm_server::environment::OpenError;
use tm_server::resources::user::queries as users;
use tm_server::resources::{acquisition, experiment, plate};
use tm_server::store::{Db, StoreError, Tx};
use tm_tests::app::{OWNER, TestApp};
use tm_tests::databases::Database;

tm_tests::on_each_database![
    flavor = "multi_thread";
    a_database_opened_again_keeps_its_rows_and_applies_no_migration_twice,
    a_taken_name_is_a_conflict_and_an_unknown_owner_a_broken_reference,
    a_transaction_without_a_commit_changes_nothing,
    a_transaction_whose_statement_failed_changes_nothing,
    a_reader_keeps_the_state_it_began_with,
    lists_of_text_are_in_the_order_of_bytes,
    deleting_the_owner_of_rows_deletes_them,
    a_full_disk_is_told_from_other_failures_and_writing_goes_on_afterwards,
    writing_goes_on_after_a_database_ended_a_transaction_by_itself,
];

/// Number of the lock that a server holds on its database; it is the same in all versions.
const LOCK: i64 = 0x746d_7365_7276_6572;

/// A database on its own, without a server.
struct Opened {
    db: Db,
    database: Database,
    directory: TempDir,
}

async fn open(database: Database) -> Opened {
    let directory = TempDir::new().unwrap();
    Opened { db: connect(&database, &directory).await, database, directory }
}

async fn connect(database: &Database, directory: &TempDir) -> Db {
    match database.url() {
        None => Db::open_sqlite(&directory.path().join("tmserver.sqlite")).await.unwrap(),
        Some(url) => Db::open_postgres(url).await.unwrap(),
    }
}

async fn add_user(tx: &mut Tx, name: &str) -> Result<i64, StoreError> {
    users::insert(tx, name, &format!("{name}@example.org"), "hash", 1).await
}

async fn user_names(db: &Db) -> Vec<String> {
    let users = users::list(&mut db.read().await.unwrap()).await.unwrap();
    users.into_iter().map(|user| user.name).collect()
}

async fn count(tx: &mut Tx, sql: &str) -> i64 {
    let sql = AssertSqlSafe(sql.to_owned());
    let (count,) = match tx {
        Tx::Sqlite(connection) => query_as(sql).fetch_one(&mut **connection).await.unwrap(),
        Tx::Postgres(connection) => query_as(sql).fetch_one(&mut **connection).await.unwrap(),
    };
    count
}

async fn a_database_opened_again_keeps_its_rows_and_applies_no_migration_twice(database: Database) {
    let opened = open(database).await;
    let mut tx = opened.db.write().await.unwrap();
    add_user(&mut tx, "ann").await.unwrap();
    tx.commit().await.unwrap();
    let migrations = "select count(*) from _sqlx_migrations where success";
    let before = count(&mut opened.db.read().await.unwrap(), migrations).await;
    opened.db.close().await;
    let again = connect(&opened.database, &opened.directory).await;
    assert_eq!(user_names(&again).await, ["ann"]);
    assert_eq!(count(&mut again.read().await.unwrap(), migrations).await, before);
    assert!(before >= 8, "{before}");
}

async fn a_taken_name_is_a_conflict_and_an_unknown_owner_a_broken_reference(database: Database) {
    let opened = open(database).await;
    let mut tx = opened.db.write().await.unwrap();
    add_user(&mut tx, "ann").await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = opened.db.write().await.unwrap();
    let taken = add_user(&mut tx, "ann").await;
    assert!(matches!(taken, Err(StoreError::Conflict(_))), "{taken:?}");
    drop(tx);
    let mut tx = opened.db.write().await.unwrap();
    let orphan = plate::queries::insert(&mut tx, 99, "p", "", 1).await;
    assert!(matches!(orphan, Err(StoreError::Reference(_))), "{orphan:?}");
    drop(tx);
    assert_eq!(user_names(&opened.db).await, ["ann"]);
}

async fn a_transaction_without_a_commit_changes_nothing(database: Database) {
    let opened = open(database).await;
    let mut tx = opened.db.write().await.unwrap();
    add_user(&mut tx, "ann").await.unwrap();
    drop(tx);
    // The connection it ran on is used again, without what was dropped.
    for name in ["bob", "eve"] {
        let mut tx = opened.db.write().await.unwrap();
        add_user(&mut tx, name).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!(user_names(&opened.db).await, ["bob", "eve"]);
}

async fn a_transaction_whose_statement_failed_changes_nothing(database: Database) {
    let opened = open(database).await;
    let mut tx = opened.db.write().await.unwrap();
    add_user(&mut tx, "ann").await.unwrap();
    add_user(&mut tx, "ann").await.unwrap_err();
    drop(tx);
    assert_eq!(user_names(&opened.db).await, Vec::<String>::new());
}

async fn a_reader_keeps_the_state_it_began_with(database: Database) {
    let opened = open(database).await;
    let users = "select count(*) from users";
    let mut reader = opened.db.read().await.unwrap();
    assert_eq!(count(&mut reader, users).await, 0);
    let mut tx = opened.db.write().await.unwrap();
    add_user(&mut tx, "ann").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(count(&mut reader, users).await, 0);
    drop(reader);
    assert_eq!(count(&mut opened.db.read().await.unwrap(), users).await, 1);
}

async fn lists_of_text_are_in_the_order_of_bytes(database: Database) {
    let opened = open(database).await;
    let mut tx = opened.db.write().await.unwrap();
    for name in ["b", "é", "B", "_a", "a", "Z1", "Z02"] {
        add_user(&mut tx, name).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(user_names(&opened.db).await, ["B", "Z02", "Z1", "_a", "a", "b", "é"]);
}

async fn deleting_the_owner_of_rows_deletes_them(database: Database) {
    let app = TestApp::start_on(database).await;
    let (_, acquisition) = app.acquisition().await;
    app.client(OWNER).await.register(&acquisition, &["a.mlf"]).await;
    let db = &app.environment().db;
    let mut tx = db.write().await.unwrap();
    assert_eq!(acquisition::queries::all(&mut tx).await.unwrap().len(), 1);
    assert!(experiment::queries::delete(&mut tx, 1).await.unwrap());
    tx.commit().await.unwrap();
    let mut tx = db.read().await.unwrap();
    for table in ["experiments", "experiment_shares", "plates", "acquisitions", "microscope_files"] {
        assert_eq!(count(&mut tx, &format!("select count(*) from {table}")).await, 0, "{table}");
    }
}

async fn run(tx: &mut Tx, sql: &'static str) -> Result<(), StoreError> {
    let done = match tx {
        Tx::Sqlite(connection) => query(sql).execute(&mut **connection).await.map(|_| ()),
        Tx::Postgres(connection) => query(sql).execute(&mut **connection).await.map(|_| ()),
    };
    Ok(done?)
}

async fn a_full_disk_is_told_from_other_failures_and_writing_goes_on_afterwards(database: Database) {
    let opened = open(database).await;
    let mut tx = opened.db.write().await.unwrap();
    let full = match &opened.database {
        Database::Sqlite => {
            // As if the disk ended here; the limit is the connection's.
            run(&mut tx, "pragma max_page_count = 1").await.unwrap();
            run(&mut tx, "create table more as select zeroblob(100000) as content").await
        }
        Database::Postgres(_) => run(&mut tx, "do $$ begin raise sqlstate '53100'; end $$").await,
    };
    assert!(matches!(full, Err(StoreError::Full(_))), "{full:?}");
    drop(tx);
    let mut tx = opened.db.write().await.unwrap();
    let nonsense = run(&mut tx, "select nothing from nowhere").await;
    assert!(matches!(nonsense, Err(StoreError::Driver(_))), "{nonsense:?}");
    drop(tx);
    let mut tx = opened.db.write().await.unwrap();
    add_user(&mut tx, "ann").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(user_names(&opened.db).await, ["ann"]);
}

async fn writing_goes_on_after_a_database_ended_a_transaction_by_itself(database: Database) {
    let opened = open(database).await;
    let mut tx = opened.db.write().await.unwrap();
    add_user(&mut tx, "ann").await.unwrap();
    // As SQLite does when it cannot write a commit to a full disk; the driver does not know.
    run(&mut tx, "rollback").await.unwrap();
    drop(tx);
    let mut tx = opened.db.write().await.unwrap();
    add_user(&mut tx, "bob").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(user_names(&opened.db).await, ["bob"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_server_that_goes_away_is_answered_with_500_until_it_is_back() {
    let Some(database) = Database::postgres().await else { return };
    let app = TestApp::start_on(database).await;
    let Database::Postgres(database) = &app.database else { unreachable!("asked for above") };
    let owner = app.client(OWNER).await;
    assert_eq!(owner.get("/api/experiments").await.status, 200);
    let cut = "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{}'";

    // Connections that broke while nobody used them are replaced unnoticed.
    database.administer(cut).await;
    assert_eq!(owner.get("/api/experiments").await.status, 200);

    database.administer("alter database {} allow_connections false").await;
    database.administer(cut).await;
    owner.get("/api/experiments").await.fails(500, "InternalServerError");
    let body = serde_json::json!({"username": OWNER, "password": tm_tests::app::PASSWORD});
    app.anonymous().post("/auth", &body).await.fails(500, "InternalServerError");

    database.administer("alter database {} allow_connections true").await;
    assert_eq!(owner.get("/api/experiments").await.status, 200);
    assert_eq!(app.anonymous().post("/auth", &body).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_panics_leaves_no_database_behind() {
    let Some(database) = Database::postgres().await else { return };
    let url = database.url().unwrap().to_owned();
    let db = Db::open_postgres(&url).await.unwrap();
    let panicked = tokio::spawn(async move {
        let _held = database;
        panic!("on purpose");
    });
    assert!(panicked.await.is_err());
    assert!(db.read().await.is_err());
    assert!(Db::open_postgres(&url).await.is_err());
}

/// A server on another data directory with the database of the first.
async fn second_server(directory: &TempDir, url: &str) -> Result<App, OpenError> {
    let settings = Settings {
        data_dir: Some(directory.path().to_owned()),
        database_url: Some(url.to_owned()),
        backend: Some("cpu".to_owned()),
        ..Settings::default()
    };
    App::open(settings.finish().unwrap(), LastStop::Clean).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_postgres_database_is_refused_until_the_first_ends() {
    let Some(database) = Database::postgres().await else { return };
    let url = database.url().unwrap().to_owned();
    let (first, second) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let app = second_server(&first, &url).await.unwrap();
    let refused = second_server(&second, &url).await;
    assert!(matches!(refused, Err(OpenError::Store(StoreError::InUse))), "{:?}", refused.err());
    assert!(OpenError::Store(StoreError::InUse).to_string().contains("in use by another tmserver"));

    // A lock whose connection broke is taken again, before anybody else is likely to ask.
    let Database::Postgres(database) = &database else { unreachable!("asked for above") };
    let session = "select cast(coalesce(max(pid), 0) as bigint) from pg_locks where locktype = 'advisory'
         and database = (select oid from pg_database where datname = current_database())";
    let holder = async || count(&mut app.environment.db.read().await.unwrap(), session).await;
    let broken = holder().await;
    assert_ne!(broken, 0);
    database.administer(&format!("select pg_terminate_backend({broken})")).await;
    let taken_again = async {
        while [0, broken].contains(&holder().await) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), taken_again).await.unwrap();

    drop(app);
    second_server(&second, &url).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_lock_another_one_took_stops_using_the_database() {
    let Some(database) = Database::postgres().await else { return };
    let app = TestApp::start_on(database).await;
    let Database::Postgres(database) = &app.database else { unreachable!("asked for above") };
    let owner = app.client(OWNER).await;
    assert_eq!(owner.get("/api/experiments").await.status, 200);

    // Another server that waits for the lock and gets it as soon as the connection that holds it breaks.
    let mut other = PgConnection::connect(app.database.url().unwrap()).await.unwrap();
    let waiting = tokio::spawn(async move {
        query("select pg_advisory_lock($1)").bind(LOCK).execute(&mut other).await.unwrap();
        other
    });
    let locks = |granted: bool| {
        format!(
            "select count(*) from pg_locks where locktype = 'advisory' and granted = {granted}
             and database = (select oid from pg_database where datname = current_database())"
        )
    };
    let count_locks =
        async |granted| count(&mut app.environment().db.read().await.unwrap(), &locks(granted)).await;
    while count_locks(false).await == 0 {
        tokio::task::yield_now().await;
    }
    database
        .administer(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted
                 and database = (select oid from pg_database where datname = '{}')",
        )
        .await;
    let _other = waiting.await.unwrap();
    let refused = async {
        while owner.get("/api/experiments").await.status == 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), refused).await.unwrap();
    owner.get("/api/experiments").await.fails(500, "InternalServerError");
}

#[tokio::test]
async fn the_embedded_database_has_no_lock_of_its_own() {
    let opened = open(Database::Sqlite).await;
    // The data directory it lies in has one.
    assert!(opened.db.lock().await.unwrap().is_none());
}
