//! What the program says to somebody who asked for something that cannot be.

use std::fs;

use tempfile::TempDir;
use tm_tests::program::Program;

const PROCESS: [&str; 6] = ["process", "--microscope", "cellvoyager", "--experiment", "e", "--plate"];

fn fresh() -> (TempDir, Program) {
    let directory = TempDir::new().unwrap();
    let program = Program::new(directory.path());
    (directory, program)
}

#[test]
fn an_unknown_microscope_is_named_with_the_known_ones_and_nothing_is_made() {
    let (directory, program) = fresh();
    fs::create_dir(directory.path().join("plate")).unwrap();
    fs::write(directory.path().join("plate/file"), "").unwrap();
    program
        .run(&["process", "--microscope", "telescope", "--experiment", "e", "--plate", "p", "plate"])
        .fails_saying(&["telescope", "known are cellvoyager"]);
    assert!(!directory.path().join("data").exists());
}

#[test]
fn a_missing_directory_is_named() {
    let (directory, program) = fresh();
    let outcome = program.run(&[&PROCESS[..], &["p", "nowhere"]].concat());
    outcome.fails_saying(&["cannot read nowhere"]);
    assert_eq!(outcome.stderr.matches("No such file").count(), 1, "{}", outcome.stderr);
    assert!(!directory.path().join("data").exists());
}

#[test]
fn a_directory_without_a_user_to_own_it_says_how_to_add_one() {
    let (directory, program) = fresh();
    fs::create_dir(directory.path().join("plate")).unwrap();
    fs::write(directory.path().join("plate/file"), "").unwrap();
    program
        .run(&[&PROCESS[..], &["p", "plate"]].concat())
        .fails_saying(&["there is no user", "tmserver user add NAME"]);
}

#[test]
fn a_workflow_that_is_not_one_is_named() {
    let (directory, program) = fresh();
    fs::create_dir(directory.path().join("plate")).unwrap();
    fs::write(directory.path().join("plate/file"), "").unwrap();
    fs::write(directory.path().join("w.yaml"), "type: canonical\nstages: [{name: cooking}]\n").unwrap();
    program
        .run(&[&PROCESS[..], &["p", "--workflow", "w.yaml", "plate"]].concat())
        .fails_saying(&["w.yaml", "cooking"]);
}

#[test]
fn an_unknown_configuration_key_is_named() {
    let (directory, program) = fresh();
    fs::write(directory.path().join("tmserver.toml"), "lisen = \"127.0.0.1:1\"\n").unwrap();
    program.run(&["user", "list"]).fails_saying(&["tmserver.toml", "unknown field `lisen`"]);
}

#[test]
fn a_missing_configuration_file_is_named_once() {
    let (_directory, program) = fresh();
    let outcome = program.run(&["user", "list", "--config", "nowhere.toml"]);
    outcome.fails_saying(&["nowhere.toml"]);
    assert_eq!(outcome.stderr.matches("No such file").count(), 1, "{}", outcome.stderr);
}

#[test]
fn an_unknown_variable_is_named() {
    let (_directory, program) = fresh();
    program.with("TMSERVER_LISEN", "127.0.0.1:1").run(&["user", "list"]).fails_saying(&["TMSERVER_LISEN"]);
}

#[test]
fn a_short_password_is_refused_and_a_user_can_be_added_once() {
    let (_directory, program) = fresh();
    program.run(&["user", "add", "ann", "--password-stdin"]).fails_saying(&["password"]);
    program.run_with_input(&["user", "add", "ann", "--password-stdin"], "correct horse\n").succeeds();
    program
        .run_with_input(&["user", "add", "ann", "--password-stdin"], "correct horse\n")
        .fails_saying(&["ann"]);
    assert_eq!(program.run(&["user", "list"]).succeeds(), "ann\tann@localhost\n");
}
