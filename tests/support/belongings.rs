//! Every row and every file that a server has, and which of them belong to which: to be compared before and after a
//! deletion.
// A failed `unwrap` is a failed test.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use tempfile::TempDir;
use tm_server::store::Db;

use crate::app::TestApp;
use crate::contents::{Files, changed, gone};

/// Ids of rows, by table.
pub type Ids = BTreeMap<String, BTreeSet<i64>>;
/// A row by the names of its columns.
pub type Row = Map<String, Value>;

/// Everything, as of one moment.
pub struct Belongings {
    tables: BTreeMap<String, BTreeMap<i64, Row>>,
    references: Vec<Reference>,
    /// All files of all experiments.
    files: Files,
}

/// A column that names rows of another table.
struct Reference {
    table: String,
    column: String,
    parent: String,
    /// Whether its rows go with the one that they name.
    cascades: bool,
}

impl Belongings {
    /// Look at all tables, found by asking the database for them, and all files.
    ///
    /// # Panics
    /// When something cannot be read.
    pub async fn of(app: &TestApp) -> Self {
        let directory = TempDir::new().unwrap();
        let copy = directory.path().join("copy.sqlite");
        app.environment().db.snapshot(&copy).await.unwrap();
        let db = Db::open_sqlite(&copy).await.unwrap();
        let Db::Sqlite { readers, .. } = &db else { panic!("copies are embedded databases") };
        let texts = async |text: String| -> Vec<String> {
            sqlx::query_scalar(sqlx::AssertSqlSafe(text)).fetch_all(readers).await.unwrap()
        };
        let names = "select name from sqlite_master where type = 'table' and name not glob 'sqlite_*'
            and name not glob '_sqlx*'";
        let (mut tables, mut references) = (BTreeMap::new(), Vec::new());
        for table in texts(names.to_owned()).await {
            let columns = texts(format!("select name from pragma_table_info('{table}')")).await;
            // JSON has no place for bytes.
            let pair = |column: &String| {
                format!("'{column}', iif(typeof({column}) = 'blob', hex({column}), {column})")
            };
            let pairs: Vec<_> = columns.iter().map(pair).collect();
            let rows = texts(format!("select json_object({}) from {table}", pairs.join(", "))).await;
            let row = |text: &String| {
                let row: Row = serde_json::from_str(text).unwrap();
                (row["id"].as_i64().expect("every table has ids"), row)
            };
            tables.insert(table.clone(), rows.iter().map(row).collect());
            let keys = format!(
                "select \"from\" || ' ' || \"table\" || ' ' || on_delete from pragma_foreign_key_list('{table}')"
            );
            for key in texts(keys).await {
                let parts: Vec<&str> = key.splitn(3, ' ').collect();
                references.push(Reference {
                    table: table.clone(),
                    column: parts[0].to_owned(),
                    parent: parts[1].to_owned(),
                    cascades: parts[2] == "CASCADE",
                });
            }
        }
        db.close().await;
        Self { tables, references, files: app.files() }
    }

    /// The rows of a table, by id.
    pub fn rows(&self, table: &str) -> impl Iterator<Item = (i64, &Row)> {
        self.tables[table].iter().map(|(id, row)| (*id, row))
    }

    /// One row.
    ///
    /// # Panics
    /// When there is none.
    pub fn row(&self, table: &str, id: i64) -> &Row {
        &self.tables[table][&id]
    }

    /// Add a row, and all that belongs to it.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn add(&self, ids: &mut Ids, table: &str, id: i64) {
        assert!(self.tables[table].contains_key(&id), "{table} {id} is not there");
        let mut left = vec![(table.to_owned(), id)];
        while let Some((table, id)) = left.pop() {
            if !ids.entry(table.clone()).or_default().insert(id) {
                continue;
            }
            for reference in self.references.iter().filter(|known| known.parent == table && known.cascades) {
                let belong = self.rows(&reference.table).filter(|(_, row)| row[&reference.column] == id);
                left.extend(belong.map(|(id, _)| (reference.table.clone(), id)));
            }
        }
    }

    /// Check that `after` is this without these rows and their files: nothing names them any more, and everything else
    /// is the same to the byte. Columns and files that may have changed are given as `table.column`, and as beginnings
    /// of names.
    ///
    /// # Panics
    /// Otherwise.
    pub fn became(&self, after: &Self, ids: &Ids, columns: &[&str], changing: &[String]) {
        let none = BTreeSet::new();
        for (table, rows) in &self.tables {
            let (own, left) = (ids.get(table).unwrap_or(&none), &after.tables[table]);
            let lost: BTreeSet<i64> = rows.keys().filter(|id| !left.contains_key(id)).copied().collect();
            let unexpected = |id: &i64| format!("{:?}", self.row(table, *id));
            assert_eq!(
                &lost,
                own,
                "{table}: gone beyond what belonged to it: {:?}; still there: {:?}",
                lost.difference(own).map(unexpected).collect::<Vec<_>>(),
                own.difference(&lost).map(unexpected).collect::<Vec<_>>()
            );
            let new: Vec<_> = left.keys().filter(|id| !rows.contains_key(id)).collect();
            assert!(new.is_empty(), "{table}: {new:?} are new");
            for (id, row) in left {
                for (column, value) in row {
                    let same = *value == rows[id][column] || columns.contains(&&*format!("{table}.{column}"));
                    assert!(same, "{table} {id}: {column} is {value}, was {}", rows[id][column]);
                }
            }
        }
        after.names_none_of(ids);
        let own: BTreeSet<String> = self.files.keys().filter(|file| self.is_of(file, ids)).cloned().collect();
        assert_eq!(gone(&self.files, &after.files), own, "files");
        let changed = changed(&self.files, &after.files);
        let strange: Vec<_> =
            changed.iter().filter(|name| !changing.iter().any(|part| name.starts_with(part))).collect();
        assert!(strange.is_empty(), "{strange:?} are not as they were");
    }

    /// Nothing names these rows: neither a column that refers to them, nor JSON in one. Jobs are left out: they are what
    /// was to be done once, and go with their experiment.
    fn names_none_of(&self, ids: &Ids) {
        for Reference { table, column, parent, .. } in &self.references {
            for (id, row) in self.rows(table) {
                let named = row[column]
                    .as_i64()
                    .filter(|named| ids.get(parent).is_some_and(|ids| ids.contains(named)));
                assert_eq!(named, None, "{column} of {table} {id}");
            }
        }
        for (table, rows) in self.tables.iter().filter(|(table, _)| *table != "tasks") {
            for (id, row) in rows {
                for value in row.values().filter_map(Value::as_str) {
                    if let Ok(Value::Object(object)) = serde_json::from_str(value) {
                        for (key, value) in &object {
                            let parent = key.strip_suffix("_id").map(|name| format!("{name}s"));
                            let ids = parent.and_then(|parent| ids.get(&parent));
                            let is_gone = ids.zip(value.as_i64()).is_some_and(|(ids, id)| ids.contains(&id));
                            assert!(!is_gone, "{table} {id} names {key} {value}");
                        }
                    }
                }
            }
        }
    }

    /// Whether a file belongs to one of these rows.
    fn is_of(&self, file: &str, ids: &Ids) -> bool {
        let parts: Vec<&str> = file.split('/').collect();
        let number = |text: &str| text.parse::<i64>().unwrap_or_else(|_| panic!("whose is {file}?"));
        let before = |text: &str, end: char| number(text.split(end).next().unwrap());
        let has = |table: &str, id: i64| ids.get(table).is_some_and(|ids| ids.contains(&id));
        if has("experiments", number(parts[0])) {
            return true;
        }
        match parts[1] {
            "uploads" => has("acquisitions", number(parts[2])),
            "layers" => has("channel_layers", before(parts[2], '.')),
            "logs" => has("tasks", before(parts[2], '.')),
            "features" => {
                let (kind, file) = parts[2].split_once('-').unwrap();
                has("mapobject_types", number(kind)) || has("feature_files", before(file, '.'))
            }
            "statistics" => {
                let name = parts[2].strip_suffix(".zarr").unwrap();
                let mut sets = self.rows("illumination_statistics").filter(|(_, row)| row["file"] == name);
                has("illumination_statistics", sets.next().unwrap_or_else(|| panic!("whose is {file}?")).0)
            }
            "plates" => {
                let plate = before(parts[2], '-');
                let field = parts.get(3..6).map(|parts| parts.join("/")).unwrap_or_default();
                has("plates", plate) || has("acquisitions", self.acquisition_of(plate, &field).unwrap_or(-1))
            }
            _ => panic!("whose is {file}?"),
        }
    }

    /// The acquisition whose images lie in a field image of a plate.
    fn acquisition_of(&self, plate: i64, field: &str) -> Option<i64> {
        let in_field = self.rows("channel_images").filter(|(_, row)| row["field"] == field);
        let mut acquisitions = in_field.map(|(_, row)| row["acquisition_id"].as_i64().unwrap());
        acquisitions.find(|id| self.row("acquisitions", *id)["plate_id"] == plate)
    }
}
