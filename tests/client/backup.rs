//! `tmserver check` and `tmserver backup` on the command line, with a server running and without.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::contents::files_below;
use tm_tests::databases::Database;
use tm_tests::program::{Program, Serving};
use tm_tests::small_disk::SmallDisk;

const PASSWORD: &str = "correct horse";

/// A program on a data directory with a user and a processed plate.
fn prepare() -> (TempDir, Program) {
    let directory = TempDir::new().unwrap();
    let program = Program::new(directory.path());
    fill(&directory, &program);
    (directory, program)
}

fn fill(directory: &TempDir, program: &Program) {
    program.run_with_input(&["user", "add", "ann", "--password-stdin"], &format!("{PASSWORD}\n")).succeeds();
    PlateFiles::new("kept").grid(1, 2).size(40, 56).write(&directory.path().join("plate")).unwrap();
    let process = ["process", "--microscope", "cellvoyager", "--experiment", "e", "--plate", "p", "plate"];
    program.run(&process).succeeds();
}

/// What the API says of the experiment, and its first tile.
async fn shown(server: &Serving) -> Vec<Vec<u8>> {
    let http = reqwest::Client::new();
    let body = json!({"username": "ann", "password": PASSWORD});
    let answer = http.post(format!("{}/auth", server.base)).json(&body).send().await.unwrap();
    let token: Value = answer.json().await.unwrap();
    let token = format!("JWT {}", token["access_token"].as_str().unwrap());
    let mut shown = Vec::new();
    for path in [
        "plates",
        "acquisitions",
        "sites",
        "channels",
        "channel_layers",
        "acquisitions/1/images",
        "workflow/status?depth=9",
        "channel_layers/1/tiles?x=0&y=0&z=0&format=png",
        "channel_layers/1/tiles?x=0&y=0&z=1&format=png",
    ] {
        let request = http.get(format!("{}/api/experiments/1/{path}", server.base));
        let answer = request.header("Authorization", &token).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        shown.push(answer.bytes().await.unwrap().to_vec());
    }
    shown
}

#[tokio::test]
async fn a_backup_of_a_running_server_is_served_like_the_original() {
    let (directory, program) = prepare();
    let server = program.serve();
    let printed = program.run(&["backup", "copy"]);
    assert!(printed.succeeds().contains("to copy"), "{printed:?}");
    let original = shown(&server).await;
    program.run(&["check", "--deep"]).succeeds();
    drop(server);

    let copy = directory.path().join("copy");
    assert!(
        files_below(&copy.join("experiments")) == files_below(&directory.path().join("data/experiments"))
    );
    assert_eq!(
        fs::read(copy.join("secret")).unwrap(),
        fs::read(directory.path().join("data/secret")).unwrap()
    );
    let copied = program.with("TMSERVER_DATA_DIR", copy.to_str().unwrap());
    assert!(copied.run(&["check", "--deep"]).succeeds().ends_with("1 sets of statistics: no problems\n"));
    assert!(shown(&copied.serve()).await == original);
    // Nothing else is left beside it.
    let mut names: Vec<_> =
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["copy", "data", "plate"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_data_in_postgresql_is_served_without_it() {
    let Some(database) = Database::postgres().await else { return };
    let directory = TempDir::new().unwrap();
    let embedded = Program::new(directory.path());
    let program = embedded.with("TMSERVER_DATABASE_URL", database.url().unwrap());
    fill(&directory, &program);
    let server = program.serve();
    program.run(&["check", "--deep"]).succeeds();
    program.run(&["backup", "copy"]).succeeds();
    let original = shown(&server).await;
    drop(server);
    let copied = embedded.with("TMSERVER_DATA_DIR", directory.path().join("copy").to_str().unwrap());
    assert!(shown(&copied.serve()).await == original);
}

#[cfg(unix)]
#[test]
fn a_backup_keeps_modes_and_hides_the_secret() {
    use std::os::unix::fs::PermissionsExt;
    let (directory, program) = prepare();
    let mode = |name: &str| fs::metadata(directory.path().join(name)).unwrap().permissions().mode() & 0o777;
    let set = |name: &str, mode| {
        fs::set_permissions(directory.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    for (name, mode) in [
        ("", 0o750),
        ("/tmserver.sqlite", 0o640),
        ("/experiments/1", 0o710),
        ("/experiments/1/logs", 0o705),
        ("/experiments/1/plates/1-1.ome.zarr/B", 0o751),
        ("/experiments/1/plates/1-1.ome.zarr/zarr.json", 0o604),
    ] {
        set(&format!("data{name}"), mode);
    }
    program.run(&["backup", "copy"]).succeeds();
    for name in ["", "/tmserver.sqlite", "/experiments/1", "/experiments/1/logs"] {
        assert_eq!(mode(&format!("copy{name}")), mode(&format!("data{name}")), "{name}");
    }
    for name in ["B", "zarr.json"] {
        let name = format!("/experiments/1/plates/1-1.ome.zarr/{name}");
        assert_eq!(mode(&format!("copy{name}")), mode(&format!("data{name}")), "{name}");
    }
    assert_eq!(mode("copy/secret"), 0o600);
    // The owner can go on with it.
    program
        .with("TMSERVER_DATA_DIR", directory.path().join("copy").to_str().unwrap())
        .run(&["user", "list"])
        .succeeds();
}

#[test]
fn a_backup_goes_to_an_empty_place_outside_only() {
    let (directory, program) = prepare();
    let before = files_below(&directory.path().join("data/experiments"));
    fs::create_dir(directory.path().join("full")).unwrap();
    fs::write(directory.path().join("full/file"), "mine").unwrap();
    fs::write(directory.path().join("file"), "mine").unwrap();
    for (target, says) in [
        ("full", "is not empty"),
        ("file", "is no directory"),
        ("data/copy", "in the data directory"),
        ("data", "in the data directory"),
        ("plate/../data/experiments/copy", "in the data directory"),
        ("nowhere/copy", "the directory above it cannot be used"),
        ("file/copy", "what is above it is no directory"),
        ("full/..", "name the directory itself"),
    ] {
        program.run(&["backup", target]).fails_saying(&[target, says]);
    }
    assert!(files_below(&directory.path().join("data/experiments")) == before);
    assert_eq!(fs::read(directory.path().join("full/file")).unwrap(), b"mine");
    fs::create_dir(directory.path().join("empty")).unwrap();
    program.run(&["backup", "empty"]).succeeds();
    assert!(directory.path().join("empty/tmserver.sqlite").exists());
}

#[test]
fn a_command_that_only_looks_makes_no_data_directory() {
    let directory = TempDir::new().unwrap();
    let program = Program::new(directory.path());
    for command in [&["check"][..], &["backup", "copy"]] {
        program.run(command).fails_saying(&["there is no data directory at"]);
        fs::create_dir_all(directory.path().join("data")).unwrap();
        program.run(command).fails_saying(&["there is no database in the data directory"]);
        assert_eq!(fs::read_dir(directory.path().join("data")).unwrap().count(), 0);
        fs::remove_dir(directory.path().join("data")).unwrap();
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn what_is_damaged_is_listed_by_the_check_and_by_the_backup() {
    let (directory, program) = prepare();
    let uploads = directory.path().join("data/experiments/1/uploads/1");
    let upload = fs::read_dir(&uploads).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(&upload).unwrap();
    let name = format!("experiments/1/uploads/1/{}", upload.file_name().unwrap().to_str().unwrap());
    let checked = program.run(&["check"]);
    checked.fails_saying(&["the database and the files do not agree: 1 problem"]);
    assert_eq!(checked.status, Some(1));
    let lines: Vec<&str> = checked.stdout.lines().collect();
    assert!(lines[0].starts_with(&format!("{name}: ")) && lines[1].ends_with(": 1 problem"), "{lines:?}");

    // All that is there is still worth keeping.
    let copied = program.run(&["backup", "copy"]);
    copied.fails_saying(&["the copy is made, but it has the problems above"]);
    assert!(copied.stdout.contains(&name), "{copied:?}");
    let copy = files_below(&directory.path().join("copy/experiments"));
    assert!(copy == files_below(&directory.path().join("data/experiments")));
}

#[test]
fn a_full_disk_is_named_and_nothing_is_left_on_it() {
    let (directory, _) = prepare();
    let Some(disk) = SmallDisk::mount(1) else { return };
    let data = directory.path().join("data");
    let program = Program::on(&disk).with("TMSERVER_DATA_DIR", &data.to_string_lossy());
    let root = disk.inside().to_string_lossy().into_owned();
    for free in [40_000, 150_000] {
        disk.fill_leaving(free);
        program.run(&["backup", &root]).fails_saying(&[&root, "name a directory inside it"]);
        let failed = program.run(&["backup", &format!("{root}/copy")]);
        failed.fails_saying(&["the copy failed"]);
        assert!(failed.stderr.contains("full") || failed.stderr.contains("No space left"), "{failed:?}");
        disk.make_room();
        assert_eq!(fs::read_dir(disk.outside()).unwrap().count(), 0, "{free} bytes");
    }
}
