//! Copies of the whole database, from either kind to the embedded one.

use std::collections::BTreeMap;
use std::path::Path;

use sqlx::{AssertSqlSafe, Row};
use tempfile::TempDir;
use tm_server::store::{Db, StoreError};
use tm_tests::databases::Database;

/// Rows of every kind of value in most tables, references to later rows of the same table, and an id that was
/// deleted.
const ROWS: &[&str] = &[
    "insert into users (name, email, password_hash, created_at, updated_at)
     values ('ann', 'a', 'x', 1, 1), ('bob', 'b', 'y', -2, 9223372036854775807), ('eve', 'e', 'z', 3, 3)",
    "delete from users where name = 'eve'",
    "insert into experiments (user_id, name, description, microscope_type, workflow_type, plate_format,
         plate_acquisition_mode, vertical_site_displacement, horizontal_site_displacement, well_spacer_size,
         created_at, updated_at)
     values (2, 'naïve – β', 'it''s', '', 'canonical', 96, 'basic', 0, -5, 500, 1, 1)",
    "insert into experiment_shares (experiment_id, user_id, write_access) values (1, 1, true)",
    "insert into plates (experiment_id, name, description, image_generation, created_at, updated_at)
     values (1, 'p', '', 3, 1, 1)",
    "insert into acquisitions (plate_id, name, description, created_at, updated_at) values (1, 'a', '', 1, 1)",
    "insert into wells (plate_id, name, description) values (1, 'A01', '{}')",
    "insert into sites (well_id, y, x, height, width) values (1, 0, 0, 1, 1), (1, 0, 1, 1, 1)",
    "insert into mapobject_types (experiment_id, name, ref_type) values (1, 'Cells', 'Site')",
    "insert into segmentation_layers (mapobject_type_id, tpoint, zplane) values (1, 0, null)",
    "insert into mapobjects (mapobject_type_id, site_id, label) values (1, 1, 7), (1, 1, 8)",
    "insert into segmentations (segmentation_layer_id, site_id, mapobject_id, min_y, min_x, max_y, max_x, centroid_y,
         centroid_x, is_border, outline)
     values (1, 1, 1, 0, 0, 1, 1, 0.5, 0.25, true, OUTLINE), (1, 1, 2, 0, 0, 1, 1, 0.5, -0.125, false, null)",
    "insert into cycles (experiment_id, cycle_index) values (1, 0)",
    "insert into channels (experiment_id, name, wavelength, bit_depth) values (1, '1', '1', 16)",
    "insert into channel_images (channel_id, site_id, cycle_id, acquisition_id, tpoint, zplane, field, t_index,
         c_index, z_index, sources, stored)
     values (1, 1, 1, 1, 0, 0, 'A/01/0', 0, 0, 0, '[]', true), (1, 2, 1, 1, 0, 0, 'A/01/1', 0, 0, 0, '[]', false)",
    "insert into jterator_projects (experiment_id, pipeline, handles, updated_at)
     values (1, '{\"pipeline\": []}', '{}', 1)",
    "insert into submissions (experiment_id, user_id, program, description, created_at)
     values (1, 2, 'workflow', '{}', 1)",
    "insert into tasks (submission_id, parent_id, name, type, state, created_at, updated_at)
     values (1, null, 'first', 'RunJob', 'NEW', 1, 1), (1, null, 'second', 'Workflow', 'NEW', 1, 1)",
    "update tasks set parent_id = 2 where id = 1",
];

async fn run(db: &Db, statement: &str) {
    let bytes = match db {
        Db::Sqlite { .. } => "x'00ff80'",
        Db::Postgres(_) => "'\\x00ff80'",
    };
    let statement = sqlx::raw_sql(AssertSqlSafe(statement.replace("OUTLINE", bytes)));
    match db {
        Db::Sqlite { writer, .. } => statement.execute(writer).await.map(drop).unwrap(),
        Db::Postgres(pool) => statement.execute(pool).await.map(drop).unwrap(),
    }
}

/// The one column of text that a query gives.
async fn texts(db: &Db, query: String) -> Vec<Option<String>> {
    let query = sqlx::raw_sql(AssertSqlSafe(query));
    match db {
        Db::Sqlite { readers, .. } => {
            query.fetch_all(readers).await.unwrap().iter().map(|row| row.get(0)).collect()
        }
        Db::Postgres(pool) => query.fetch_all(pool).await.unwrap().iter().map(|row| row.get(0)).collect(),
    }
}

/// All columns of all tables that `schema`, an embedded database, has: values as text, by table and column.
async fn contents(db: &Db, schema: &Db) -> BTreeMap<String, Vec<Option<String>>> {
    let columns = "select tables.name || '.' || columns.name
         from sqlite_master as tables
         join pragma_table_info(tables.name) as columns
         where tables.type = 'table' and tables.name not glob 'sqlite_*' and tables.name not glob '_sqlx*'";
    let mut contents = BTreeMap::new();
    for column in texts(schema, columns.to_owned()).await.into_iter().flatten() {
        let (table, name) = column.split_once('.').unwrap();
        let name = match (name, db) {
            ("write_access" | "stored" | "is_border" | "found" | "points_only", _) => {
                format!("case when {name} then 'true' else 'false' end")
            }
            ("outline" | "labels", Db::Sqlite { .. }) => {
                format!("iif({name} is null, null, lower(hex({name})))")
            }
            ("outline" | "labels", Db::Postgres(_)) => format!("encode({name}, 'hex')"),
            _ => name.to_owned(),
        };
        let values = texts(db, format!("select cast({name} as text) from {table} order by id")).await;
        contents.insert(column, values);
    }
    contents
}

async fn is_copied_whole(db: &Db, directory: &Path) {
    for statement in ROWS {
        run(db, statement).await;
    }
    // What is not committed is not there; who writes is not in the way.
    let mut tx = db.write().await.unwrap();
    let user = tm_server::resources::user::queries::insert(&mut tx, "zoe", "z", "x", 4).await.unwrap();
    let file = directory.join("copy.sqlite");
    db.snapshot(&file).await.unwrap();
    drop(tx);
    assert!(user > 3);

    let copy = Db::open_sqlite(&file).await.unwrap();
    let (wanted, found) = (contents(db, &copy).await, contents(&copy, &copy).await);
    assert_eq!(found, wanted);
    assert_eq!(found["users.name"], [Some("ann".to_owned()), Some("bob".to_owned())]);
    assert_eq!(found["experiments.name"], [Some("naïve – β".to_owned())]);
    assert_eq!(found["channel_images.stored"], [Some("true".to_owned()), Some("false".to_owned())]);
    assert_eq!(found["segmentations.outline"], [Some("00ff80".to_owned()), None]);
    assert_eq!(found["tasks.parent_id"], [Some("2".to_owned()), None]);
    assert!(found.len() > 60, "all tables: {:?}", found.keys());
    assert_eq!(copy.problems().await.unwrap(), Vec::<String>::new());
    let mut tx = copy.write().await.unwrap();
    let user = tm_server::resources::user::queries::insert(&mut tx, "zoe", "z", "x", 4).await.unwrap();
    assert!(user > 3, "the id of a deleted row is not given out again");
    tx.commit().await.unwrap();
    copy.close().await;

    assert!(matches!(db.snapshot(&file).await, Err(StoreError::Driver(_))), "nothing is overwritten");
    let nowhere = directory.join("nowhere/copy.sqlite");
    assert!(matches!(db.snapshot(&nowhere).await, Err(StoreError::Driver(_))));
}

#[tokio::test]
async fn an_embedded_database_is_copied_whole() {
    let directory = TempDir::new().unwrap();
    let db = Db::open_sqlite(&directory.path().join("original.sqlite")).await.unwrap();
    is_copied_whole(&db, directory.path()).await;
}

#[tokio::test]
async fn a_postgresql_database_becomes_an_embedded_one() {
    let Some(database) = Database::postgres().await else { return };
    let directory = TempDir::new().unwrap();
    let db = Db::open_postgres(database.url().unwrap()).await.unwrap();
    is_copied_whole(&db, directory.path()).await;
}
