//! Copies of the whole database, and what it says of its own health.

use std::path::Path;

use futures_util::TryStreamExt;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::sqlite::{Sqlite, SqliteArguments};
use sqlx::{AssertSqlSafe, Column, Row, Transaction, TypeInfo};

use super::{Db, Result, StoreError};

/// The tables that hold data, and not the database's own.
const TABLES: &str = "select name
    from sqlite_master
    where type = 'table' and name not like 'sqlite!_%' escape '!' and name <> '_sqlx_migrations'
    order by name";

impl Db {
    /// Copy everything, as of one moment, to a new embedded database in `file`, ids and the numbers that come
    /// next included. Others may go on reading and writing. Not synced.
    ///
    /// # Errors
    /// [`StoreError::Driver`] when there is something in `file` already, it cannot be written or the
    /// database fails.
    pub async fn snapshot(&self, file: &Path) -> Result<()> {
        match self {
            Self::Sqlite { readers, .. } => {
                let path = file.to_str().ok_or_else(|| {
                    let problem = format!("{} is not UTF-8, as names of databases must be", file.display());
                    StoreError::Driver(sqlx::Error::Configuration(problem.into()))
                })?;
                sqlx::query("vacuum into $1").bind(path).execute(readers).await?;
                Ok(())
            }
            Self::Postgres(pool) => {
                std::fs::File::create_new(file)
                    .map_err(|error| StoreError::Driver(sqlx::Error::Io(error)))?;
                let copy = Self::open_sqlite(file).await?;
                let copied = copy_tables(pool, &copy).await;
                copy.close().await;
                copied
            }
        }
    }

    /// What the embedded database finds wrong with itself: damaged pages, rows that refer to nothing. A
    /// PostgreSQL server looks after that itself.
    ///
    /// # Errors
    /// [`StoreError::Driver`] when the database is too damaged to say.
    pub async fn problems(&self) -> Result<Vec<String>> {
        let Self::Sqlite { readers, .. } = self else { return Ok(Vec::new()) };
        let mut problems: Vec<String> =
            sqlx::query_scalar("pragma integrity_check").fetch_all(readers).await?;
        problems.retain(|line| line != "ok");
        let dangling: Vec<(String, Option<i64>, String, i64)> =
            sqlx::query_as("pragma foreign_key_check").fetch_all(readers).await?;
        problems.extend(dangling.into_iter().map(|(table, row, parent, _)| {
            let row = row.map_or_else(|| "?".to_owned(), |row| row.to_string());
            format!("row {row} of {table} refers to a row of {parent} that does not exist")
        }));
        Ok(problems)
    }
}

/// Copy all tables from one consistent view into a database of the same schema without rows.
async fn copy_tables(from: &PgPool, to: &Db) -> Result<()> {
    let Db::Sqlite { writer, .. } = to else {
        return Err(StoreError::Corrupt("the copy is no embedded database".to_owned()));
    };
    let mut source = from.begin_with("begin isolation level repeatable read read only").await?;
    let mut target = writer.begin_with("begin immediate").await?;
    let tables: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(&mut *target).await?;
    // Tables come in any order: what refers to what is checked by the commit.
    sqlx::query("pragma defer_foreign_keys = on").execute(&mut *target).await?;
    for table in tables {
        copy_table(&mut source, &mut target, &table).await?;
    }
    target.commit().await?;
    Ok(())
}

// Names of tables and columns come from our own migrations, never from a client.
async fn copy_table(
    source: &mut Transaction<'static, sqlx::Postgres>,
    target: &mut Transaction<'static, Sqlite>,
    table: &str,
) -> Result<()> {
    let columns: Vec<String> = sqlx::query_scalar("select name from pragma_table_info($1) order by cid")
        .bind(table)
        .fetch_all(&mut **target)
        .await?;
    let names = columns.join(", ");
    let places: Vec<String> = (1..=columns.len()).map(|number| format!("${number}")).collect();
    let select = format!("select {names} from {table} order by id");
    let insert = format!("insert into {table} ({names}) values ({})", places.join(", "));
    let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(&mut **source);
    while let Some(row) = rows.try_next().await? {
        let mut values = SqliteArguments::default();
        for index in 0..columns.len() {
            bind(&mut values, &row, index)?;
        }
        sqlx::query_with(AssertSqlSafe(insert.as_str()), values).execute(&mut **target).await?;
    }
    drop(rows);
    // The number that comes next must not be one that a deleted row had.
    let last: Option<i64> = sqlx::query_scalar(
        "select last_value
         from pg_sequences
         where format('%I.%I', schemaname, sequencename)::regclass = pg_get_serial_sequence($1, 'id')::regclass",
    )
    .bind(table)
    .fetch_one(&mut **source)
    .await?;
    sqlx::query("delete from sqlite_sequence where name = $1").bind(table).execute(&mut **target).await?;
    sqlx::query("insert into sqlite_sequence (name, seq) values ($1, $2)")
        .bind(table)
        .bind(last.unwrap_or(0))
        .execute(&mut **target)
        .await?;
    Ok(())
}

/// Pass on one value of a row; the schema has numbers, text, booleans and bytes.
fn bind(values: &mut SqliteArguments, row: &PgRow, index: usize) -> Result<()> {
    use sqlx::Arguments;
    let column = row.column(index);
    let added = match column.type_info().name() {
        "INT8" => values.add(row.try_get::<Option<i64>, _>(index)?),
        "FLOAT8" => values.add(row.try_get::<Option<f64>, _>(index)?),
        "TEXT" => values.add(row.try_get::<Option<String>, _>(index)?),
        "BOOL" => values.add(row.try_get::<Option<bool>, _>(index)?),
        "BYTEA" => values.add(row.try_get::<Option<Vec<u8>>, _>(index)?),
        other => return Err(StoreError::Corrupt(format!("column {} is of type {other}", column.name()))),
    };
    added.map_err(|error| StoreError::Driver(sqlx::Error::Encode(error)))
}
