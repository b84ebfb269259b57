//! Everything that a data directory holds, to be compared before and after something.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use tm_server::store::Db;

use crate::app::TestApp;

/// Contents of files by path below the directory, with `/` between names.
pub type Files = BTreeMap<String, Vec<u8>>;
/// The rows of every table, each as a JSON list of its columns in the order of the migrations.
pub type Tables = BTreeMap<String, BTreeSet<String>>;

/// All files below a directory; empty directories are not seen.
///
/// # Panics
/// When something cannot be read.
pub fn files_below(directory: &Path) -> Files {
    let mut found = Files::new();
    let mut left = vec![directory.to_owned()];
    while let Some(path) = left.pop() {
        for entry in fs::read_dir(path).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else {
                let name = path.strip_prefix(directory).unwrap().to_string_lossy().replace('\\', "/");
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// The names of files that are in `before` and not in `after`.
pub fn gone(before: &Files, after: &Files) -> BTreeSet<String> {
    before.keys().filter(|name| !after.contains_key(*name)).cloned().collect()
}

/// The names of files that are in both with other contents, or only in `after`.
pub fn changed(before: &Files, after: &Files) -> BTreeSet<String> {
    after
        .iter()
        .filter(|(name, bytes)| before.get(*name) != Some(bytes))
        .map(|(name, _)| name.clone())
        .collect()
}

impl TestApp {
    /// All files of all experiments.
    pub fn files(&self) -> Files {
        files_below(&self.app.environment.data.experiments())
    }

    /// All rows of all tables.
    pub async fn tables(&self) -> Tables {
        tables(&self.app.environment.db).await
    }
}

/// All rows of all tables of an embedded database.
///
/// # Panics
/// When it is another one.
pub async fn tables(db: &Db) -> Tables {
    let Db::Sqlite { readers, .. } = db else { panic!("tests run on SQLite") };
    let query = async |text: String| -> Vec<String> {
        sqlx::query_scalar(sqlx::AssertSqlSafe(text)).fetch_all(readers).await.unwrap()
    };
    let names = "select name from sqlite_master where type = 'table' and name not glob 'sqlite_*'
        and name not glob '_sqlx*'";
    let mut tables = Tables::new();
    for name in query(names.to_owned()).await {
        let columns = query(format!("select name from pragma_table_info('{name}') order by cid")).await;
        // JSON has no place for bytes.
        let text = |column: &String| format!("iif(typeof({column}) = 'blob', hex({column}), {column})");
        let columns: Vec<_> = columns.iter().map(text).collect();
        let rows = query(format!("select json_array({}) from {name}", columns.join(", "))).await;
        tables.insert(name, rows.into_iter().collect());
    }
    tables
}
