//! Migrations pair up: same numbers and names, same tables and columns for both databases.

use std::collections::BTreeMap;

use crate::sources::files;

/// How the two databases spell an id that is given out once, and bytes.
const SPELLINGS: [(&str, &str, &str); 2] = [
    ("sqlite", "integer primary key autoincrement", " blob"),
    ("postgres", "bigint generated always as identity primary key", " bytea"),
];

/// The text of every migration of a database by name, with types spelt alike and comments and layout dropped.
fn migrations(database: &str) -> BTreeMap<String, String> {
    let (_, id, bytes) = SPELLINGS.iter().find(|(name, ..)| *name == database).unwrap();
    files(&format!("migrations/{database}"), "sql")
        .into_iter()
        .map(|(path, text)| {
            let name = path.rsplit('/').next().unwrap().to_owned();
            let statements: String = text
                .lines()
                .map(|line| line.split("--").next().unwrap().trim())
                .collect::<Vec<_>>()
                .join(" ");
            (name, statements.replace(id, "ID").replace(bytes, " BYTES"))
        })
        .collect()
}

#[test]
fn migrations_of_both_databases_say_the_same() {
    let (sqlite, postgres) = (migrations("sqlite"), migrations("postgres"));
    assert_eq!(sqlite.keys().collect::<Vec<_>>(), postgres.keys().collect::<Vec<_>>());
    for (name, text) in &sqlite {
        assert_eq!(Some(text), postgres.get(name), "{name}");
    }
}

#[test]
fn migrations_are_numbered_without_gaps() {
    for (index, name) in migrations("sqlite").keys().enumerate() {
        assert!(name.starts_with(&format!("{:04}_", index + 1)), "{name}");
    }
}
