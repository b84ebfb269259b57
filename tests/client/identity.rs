//! A data directory and its database belong together.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::contents::files_below;
use tm_tests::databases::Database;
use tm_tests::program::Program;

/// The files of the embedded database.
const DATABASE: [&str; 3] = ["tmserver.sqlite", "tmserver.sqlite-wal", "tmserver.sqlite-shm"];

fn fill(directory: &Path, program: &Program) {
    program.run_with_input(&["user", "add", "ann", "--password-stdin"], "correct horse\n").succeeds();
    PlateFiles::new("kept").grid(1, 1).size(40, 56).write(&directory.join("plate")).unwrap();
    let process = ["process", "--microscope", "cellvoyager", "--experiment", "e", "--plate", "p", "plate"];
    program.run(&process).succeeds();
}

#[test]
fn files_are_kept_from_a_database_that_knows_nothing_of_them() {
    let directory = TempDir::new().unwrap();
    let program = Program::new(directory.path());
    fill(directory.path(), &program);
    let (data, aside) = (directory.path().join("data"), directory.path().join("aside"));
    let before = files_below(&data.join("experiments"));
    assert!(!before.is_empty());
    fs::create_dir(&aside).unwrap();
    let move_database = |from: &Path, to: &Path| {
        for name in DATABASE.iter().filter(|name| from.join(name).exists()) {
            fs::rename(from.join(name), to.join(name)).unwrap();
        }
    };
    move_database(&data, &aside);
    let refused = ["belongs to another database", "database_url"];
    for command in [&["serve"][..], &["check"], &["user", "list"]] {
        program.run(command).fails_saying(&refused);
    }
    // Without the note, too: an empty database owns no files that are there.
    let identity = fs::read(data.join("identity")).unwrap();
    fs::remove_file(data.join("identity")).unwrap();
    program.run(&["serve"]).fails_saying(&refused);
    assert!(files_below(&data.join("experiments")) == before);

    for name in DATABASE.iter().filter(|name| data.join(name).exists()) {
        fs::remove_file(data.join(name)).unwrap();
    }
    move_database(&aside, &data);
    program.run(&["check", "--deep"]).succeeds();
    assert_eq!(fs::read(data.join("identity")).unwrap(), identity, "the files are the database's again");
    assert!(files_below(&data.join("experiments")) == before);
}

#[tokio::test]
async fn files_of_a_postgresql_database_are_kept_from_the_embedded_one() {
    let Some(database) = Database::postgres().await else { return };
    let directory = TempDir::new().unwrap();
    let program = Program::new(directory.path());
    let with_server = program.with("TMSERVER_DATABASE_URL", database.url().unwrap());
    fill(directory.path(), &with_server);
    let before = files_below(&directory.path().join("data/experiments"));
    program.run(&["serve"]).fails_saying(&["belongs to another database"]);
    with_server.run(&["check"]).succeeds();
    assert!(files_below(&directory.path().join("data/experiments")) == before);
}
