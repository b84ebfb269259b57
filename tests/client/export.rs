//! `tmserver export` on the command line, and open data of the running program.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tm_tests::app::Client;
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::contents::files_below;
use tm_tests::databases::Database;
use tm_tests::program::{Program, Serving};
use tm_tests::small_disk::SmallDisk;

const PASSWORD: &str = "correct horse";
const PLANE: &str = "B/03/0/0/c/0/0/0/0/0";

/// A program on a data directory with a user and a processed plate.
fn prepare() -> (TempDir, Program) {
    let directory = TempDir::new().unwrap();
    let program = Program::new(directory.path());
    fill(directory.path(), &program);
    (directory, program)
}

fn fill(directory: &Path, program: &Program) {
    program.run_with_input(&["user", "add", "ann", "--password-stdin"], &format!("{PASSWORD}\n")).succeeds();
    PlateFiles::new("kept").grid(1, 2).size(40, 56).write(&directory.join("plate")).unwrap();
    let process =
        ["process", "--microscope", "cellvoyager", "--experiment", "e x", "--plate", "p/1", "plate"];
    program.run(&process).succeeds();
}

/// Names in a directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn is_complete(export: &Path) {
    assert_eq!(names(export), ["features", "layers", "plates"]);
    assert_eq!(names(&export.join("features")), ["Plates.parquet", "Sites.parquet", "Wells.parquet"]);
    assert_eq!(names(&export.join("plates")), ["p_1.ome.zarr"]);
    assert_eq!(names(&export.join("layers")), ["1_t0_z0.ome.zarr"]);
    assert!(export.join("plates/p_1.ome.zarr").join(PLANE).exists());
    assert!(export.join("layers/1_t0_z0.ome.zarr/0/c/0/0").exists());
}

#[test]
fn an_export_of_a_running_server_is_made_by_every_name_of_the_experiment() {
    let (directory, program) = prepare();
    let server = program.serve();
    let data = files_below(&directory.path().join("data/experiments"));
    let mut exports = Vec::new();
    for name in ["e x", "ann/e x", "1"] {
        let target = format!("out {}", exports.len());
        let printed = program.run(&["export", name, &target]);
        let said = printed.succeeds();
        assert_eq!(
            said,
            format!(
                "exported 1 plates with 2 channel images and 0 label images, 1 layers, and tables of 3 types of objects \
                 of experiment 1 (\"e x\" of ann) to {target}\n"
            )
        );
        is_complete(&directory.path().join(&target));
        exports.push(files_below(&directory.path().join(&target)));
    }
    assert!(exports[0] == exports[1] && exports[1] == exports[2]);
    assert!(files_below(&directory.path().join("data/experiments")) == data, "the data are as they were");
    drop(server);
    assert_eq!(names(directory.path()), ["data", "out 0", "out 1", "out 2", "plate"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_data_in_postgresql_is_the_same() {
    let Some(database) = Database::postgres().await else { return };
    let (embedded, program) = prepare();
    program.run(&["export", "1", "out"]).succeeds();
    let directory = TempDir::new().unwrap();
    let program = Program::new(directory.path()).with("TMSERVER_DATABASE_URL", database.url().unwrap());
    fill(directory.path(), &program);
    let server = program.serve();
    program.run(&["export", "1", "out"]).succeeds();
    drop(server);
    assert!(files_below(&directory.path().join("out")) == files_below(&embedded.path().join("out")));
}

#[test]
fn exports_that_cannot_be_are_refused_with_a_reason() {
    let (directory, program) = prepare();
    let refused = |arguments: [&str; 2], reason: &[&str]| {
        program.run(&["export", arguments[0], arguments[1]]).fails_saying(reason);
    };
    refused(["none", "out"], &["there is no experiment \"none\""]);
    refused(["bob/e x", "out"], &["there is no experiment \"bob/e x\""]);
    refused(["1", "plate"], &["plate cannot hold the copy: it exists and is not empty"]);
    refused(["1", "data/out"], &["it lies in the data directory"]);
    refused(["1", "no/out"], &["the directory above it cannot be used"]);
    fs::create_dir(directory.path().join("empty")).unwrap();
    program.run(&["export", "1", "empty"]).succeeds();
    is_complete(&directory.path().join("empty"));
    program
        .with("TMSERVER_DATA_DIR", "nowhere")
        .run(&["export", "1", "out"])
        .fails_saying(&["no data directory"]);
    assert_eq!(names(directory.path()), ["data", "empty", "plate"]);
}

#[test]
fn an_export_that_was_killed_looks_like_none() {
    let (directory, program) = prepare();
    for (number, point) in [(1, "directory synced"), (1, "file synced")] {
        let plan = format!("kill:{number}:{point}");
        let killed = program.with("TMSERVER_TEST_FAILPOINT", &plan).run(&["export", "1", "out"]);
        assert_eq!(killed.status, None, "{killed:?}");
        assert!(!directory.path().join("out").exists(), "{point}");
    }
    program.run(&["export", "1", "out"]).succeeds();
    is_complete(&directory.path().join("out"));
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_exported_whole_or_not_at_all() {
    let (directory, program) = prepare();
    let server = program.serve();
    let client = Client::of(&server.base).logged_in("ann", PASSWORD).await.unwrap();
    let types = "/api/experiments/1/mapobject_types";
    client.post(types, &json!({"name": "a/b"})).await.id();
    let labels: Vec<Vec<i64>> = (0..40).map(|y| vec![i64::from(y > 30); 56]).collect();
    let body = json!({
        "plate_name": "p/1", "well_name": "B03", "well_pos_y": 0, "well_pos_x": 1, "tpoint": 0, "zplane": 0,
        "image": labels,
    });
    client.post(&format!("{types}/4/segmentations"), &body).await.says("ok");
    let out = directory.path().join("out");
    for point in ["1:table finished", "4:table finished", "1:directory synced"] {
        let killed =
            program.with("TMSERVER_TEST_FAILPOINT", &format!("kill:{point}")).run(&["export", "1", "out"]);
        assert_eq!(killed.status, None, "{killed:?}");
        assert!(!out.exists(), "{point}");
    }
    let printed = program.run(&["export", "1", "out"]);
    let said = printed.succeeds();
    assert!(said.contains("2 channel images and 1 label images, 1 layers, and tables of 4 types"), "{said}");
    let tables = ["Plates.parquet", "Sites.parquet", "Wells.parquet", "a_b.parquet"];
    assert_eq!(names(&out.join("features")), tables);
    let images = out.join("plates/p_1.ome.zarr/B/03");
    for field in ["0", "1"] {
        assert_eq!(names(&images.join(field).join("labels")), ["a_b", "zarr.json"]);
    }
    assert!(!images.join("0/labels/a_b/0/c").exists(), "nothing was found there");
    assert_eq!(names(&images.join("1/labels/a_b/0/c/0/0/0/0")), ["0"]);

    // What no image shows is named, and the rest is there.
    let mut beyond = body.clone();
    beyond["zplane"] = json!(3);
    client.post(&format!("{types}/4/segmentations"), &beyond).await.says("ok");
    let exported = program.run(&["export", "1", "other"]);
    exported.fails_saying(&["the export is made, but what is listed above is not in it"]);
    let line = "plate \"p/1\": label image of \"a/b\" in well B03 y 0 x 1 time point 0 focal plane 3 belongs to no image\n";
    assert!(exported.stdout.starts_with(line), "{exported:?}");
    assert_eq!(names(&directory.path().join("other/features")), tables);
}

#[test]
fn a_plane_that_is_gone_is_named_and_fails_the_command() {
    let (directory, program) = prepare();
    let images = directory.path().join("data/experiments/1/plates/1-1.ome.zarr");
    fs::remove_file(images.join(PLANE)).unwrap();
    let exported = program.run(&["export", "1", "out"]);
    exported.fails_saying(&["the export is made, but what is listed above is not in it"]);
    assert!(exported.stdout.starts_with("plate \"p/1\": image B/03/0 t 0 c 0 z 0 is gone\n"), "{exported:?}");
    assert!(!directory.path().join("out/plates/p_1.ome.zarr").join(PLANE).exists());
    assert!(directory.path().join("out/layers/1_t0_z0.ome.zarr/0/c/0/0").exists());
}

#[test]
fn an_export_that_has_no_room_is_not_begun() {
    let (directory, _) = prepare();
    let Some(disk) = SmallDisk::mount(1) else { return };
    let data = directory.path().join("data");
    let program = Program::on(&disk).with("TMSERVER_DATA_DIR", &data.to_string_lossy());
    let target = disk.inside().join("out").to_string_lossy().into_owned();
    let reserved = program.with("TMSERVER_RESERVE_MB", "1000").run(&["export", "1", &target]);
    reserved.fails_saying(&["no space left: about", "1000 MB are kept in reserve"]);
    disk.fill_leaving(10_000);
    program.run(&["export", "1", &target]).fails_saying(&["no space left"]);
    disk.make_room();
    assert_eq!(fs::read_dir(disk.outside()).unwrap().count(), 0);
}

async fn log_in(server: &Serving) -> String {
    let body = json!({"username": "ann", "password": PASSWORD});
    let answer =
        reqwest::Client::new().post(format!("{}/auth", server.base)).json(&body).send().await.unwrap();
    let token: Value = answer.json().await.unwrap();
    format!("JWT {}", token["access_token"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_shard_is_sent_without_being_held_in_memory() {
    const LENGTH: u64 = 512 << 20;
    let (directory, program) = prepare();
    let shard = directory.path().join("data/experiments/1/plates/1-1.ome.zarr").join(PLANE);
    fs::File::options().write(true).open(shard).unwrap().set_len(LENGTH).unwrap();
    let server = program.serve();
    let token = log_in(&server).await;
    let url = format!("{}/api/experiments/1/zarr/plates/1.ome.zarr/{PLANE}", server.base);
    let request = |range: &str| {
        reqwest::Client::new().get(&url).header("Authorization", &token).header("Range", range).send()
    };
    let part = request("bytes=-16").await.unwrap();
    assert_eq!((part.status().as_u16(), part.content_length()), (206, Some(16)));
    let before = server.peak_memory();
    let mut whole = request("bytes=0-").await.unwrap();
    let mut read = 0;
    while let Some(piece) = whole.chunk().await.unwrap() {
        read += piece.len() as u64;
    }
    assert_eq!(read, LENGTH);
    if let Some((before, after)) = before.zip(server.peak_memory()) {
        // The kernel counts on every core for itself: a later peak can be a little below an earlier one.
        assert!(after.saturating_sub(before) < LENGTH / 8, "{before} bytes before, {after} at most");
    }
}

#[tokio::test]
async fn names_of_every_kind_are_in_the_documents_of_an_export() {
    const EXPERIMENT: &str = "a/b, \"c\" #1? caf\u{e9}";
    const PLATE: &str = "p%2F1, \"e\u{301}\" #?";
    const CHANNEL: &str = "x/y & 100 % \u{65e5}";
    let directory = TempDir::new().unwrap();
    let program = Program::new(directory.path());
    program.run_with_input(&["user", "add", "ann", "--password-stdin"], &format!("{PASSWORD}\n")).succeeds();
    PlateFiles::new("kept").grid(1, 2).size(40, 56).write(&directory.path().join("plate")).unwrap();
    let process =
        ["process", "--microscope", "cellvoyager", "--experiment", EXPERIMENT, "--plate", PLATE, "plate"];
    program.run(&process).succeeds();
    let server = program.serve();
    let client = Client::of(&server.base).logged_in("ann", PASSWORD).await.unwrap();
    client.put("/api/experiments/1/channels/1", &json!({"name": CHANNEL})).await.says("ok");

    for (number, experiment) in [EXPERIMENT.to_owned(), format!("ann/{EXPERIMENT}")].iter().enumerate() {
        let target = format!("out {number}");
        let exported = program.run(&["export", experiment, &target]);
        assert!(
            exported.succeeds().contains("1 plates with 2 channel images and 0 label images, 1 layers"),
            "{exported:?}"
        );
        let export = directory.path().join(&target);
        let only = |kind: &str| {
            let found = names(&export.join(kind));
            assert_eq!(found.len(), 1, "{found:?}");
            let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
            assert!(found[0].chars().all(plain) && found[0].ends_with(".ome.zarr"), "{found:?}");
            let document = fs::read(export.join(kind).join(&found[0]).join("zarr.json")).unwrap();
            serde_json::from_slice::<Value>(&document).unwrap()["attributes"]["ome"].clone()
        };
        assert_eq!(only("plates")["plate"]["name"], PLATE);
        assert_eq!(only("layers")["omero"]["channels"][0]["label"], CHANNEL);
    }
}
