//! Copies of a data directory that is in use.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use tm_server::backup::{self, BackupError, Report};
use tm_server::check;
use tm_server::storage::DataDir;
use tm_server::store::Db;
use tm_server::tally::Tally;
use tm_tests::app::{OWNER, PASSWORD, TestApp};
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::contents::{files_below, tables};
use tm_tests::plates::{ALL_STAGES, Experiment};
use tm_tests::program::Program;

fn files(title: &str) -> PlateFiles {
    PlateFiles::new(title).grid(1, 2).size(300, 300)
}

async fn copy(app: &TestApp, target: &Path) -> Result<Report, BackupError> {
    let environment = app.environment();
    backup::run(&environment.db, &environment.data, target, &Arc::new(Tally::default())).await
}

async fn checked(path: &Path) -> check::Report {
    let data = DataDir::new(path);
    let db = Db::open_sqlite(&data.database()).await.unwrap();
    let report = check::run(&db, &data, true, &Arc::new(Tally::default())).await.unwrap();
    db.close().await;
    report
}

/// A server on a copy, and what it answers.
async fn served(path: &Path, resources: &[String]) -> BTreeMap<String, Vec<u8>> {
    let program = Program::new(path.parent().unwrap()).with("TMSERVER_DATA_DIR", path.to_str().unwrap());
    let server = program.serve();
    let http = reqwest::Client::new();
    let body = json!({"username": OWNER, "password": PASSWORD});
    let answer = http.post(format!("{}/auth", server.base)).json(&body).send().await.unwrap();
    let token: Value = answer.json().await.unwrap();
    let token = format!("JWT {}", token["access_token"].as_str().unwrap());
    let mut answers = BTreeMap::new();
    for resource in resources {
        let request = http.get(format!("{}{resource}", server.base)).header("Authorization", &token);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{resource}");
        answers.insert(resource.clone(), answer.bytes().await.unwrap().to_vec());
    }
    answers
}

/// Lists of the experiment, and all its tiles.
async fn resources(experiment: &Experiment<'_>) -> Vec<String> {
    let mut resources = Vec::new();
    for name in ["plates", "acquisitions", "wells", "sites", "cycles", "channels", "channel_layers"] {
        resources.push(format!("{}/{name}", experiment.path));
    }
    for layer in experiment.layers().await {
        for z in 0..=layer.max_zoom {
            for (y, x) in layer.tiles(z) {
                let at = format!("z={z}&y={y}&x={x}&format=png");
                resources.push(format!("{}/channel_layers/{}/tiles?{at}", experiment.path, layer.id));
            }
        }
    }
    resources
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_holds_all_rows_and_files_and_is_served_alike() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("p", "a", &files("copied")).await;
    experiment.run(ALL_STAGES, &[("illuminati", "illumcorr", true.into())]).await;
    let directory = TempDir::new().unwrap();
    let target = directory.path().join("copy");
    let report = copy(&app, &target).await.unwrap();
    let originals = app.files();
    assert_eq!(report.problems, []);
    assert_eq!(report.files, originals.len());
    assert_eq!(report.bytes, originals.values().map(|bytes| bytes.len() as u64).sum::<u64>());
    assert!(files_below(&target.join("experiments")) == originals);
    let db = Db::open_sqlite(&target.join("tmserver.sqlite")).await.unwrap();
    assert_eq!(tables(&db).await, app.tables().await);
    db.close().await;
    assert_eq!(checked(&target).await.problems, []);

    // A change to either does not reach the other.
    let name = originals.keys().find(|name| name.contains("/c/0/0")).unwrap();
    let original = app.environment().data.experiments().join(name);
    fs::write(&original, b"damaged").unwrap();
    assert_eq!(fs::read(target.join("experiments").join(name)).unwrap(), originals[name]);
    fs::write(&original, &originals[name]).unwrap();

    let resources = resources(&experiment).await;
    let mut wanted = BTreeMap::new();
    for resource in &resources {
        let request = experiment.client.request(reqwest::Method::GET, resource);
        wanted.insert(resource.clone(), request.send().await.unwrap().bytes().await.unwrap().to_vec());
    }
    assert!(served(&target, &resources).await == wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_made_while_files_come_and_go_are_sound() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("p", "a", &files("kept")).await;
    experiment.run(ALL_STAGES, &[]).await;
    let directory = TempDir::new().unwrap();
    let (environment, over) = (app.environment().clone(), Arc::new(Tally::default()));
    let copies = tokio::spawn({
        let (over, root) = (Arc::clone(&over), directory.path().to_owned());
        async move {
            let mut made = Vec::new();
            while !over.is_stopped() {
                let target = root.join(made.len().to_string());
                let tally = Arc::new(Tally::default());
                let report = backup::run(&environment.db, &environment.data, &target, &tally).await.unwrap();
                assert_eq!(report.problems, []);
                made.push(target);
            }
            made
        }
    });
    for round in 0..2 {
        for name in ["b", "c"] {
            let added = experiment.upload("p", name, &files("later")).await;
            experiment.run(ALL_STAGES, &[("imextract", "delete", (round == 1).into())]).await;
            experiment.client.delete(&added).await.says("ok");
            if round == 1 {
                // Without its uploads the first one cannot be made again.
                let plates = experiment.client.get(&format!("{}/plates", experiment.path)).await.all("id");
                let plate = format!("{}/plates/{}", experiment.path, plates[0]);
                experiment.client.delete(&plate).await.says("ok");
                experiment.upload("p", "a", &files("kept")).await;
            }
        }
    }
    over.stop();
    let copies = copies.await.unwrap();
    assert!(copies.len() >= 3, "{} copies", copies.len());
    for copy in &copies {
        assert_eq!(checked(copy).await.problems, [], "{}", copy.display());
        let opened =
            fs::read_dir(copy).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = opened.collect();
        names.sort();
        assert_eq!(names, ["experiments", "identity", "tmserver.sqlite"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_complete_is_left_out_of_a_copy() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("p", "a", &files("copied")).await;
    app.sql("update microscope_files set status = 'UPLOADING' where kind = 'image'").await;
    let uploads = experiment.directory().join("uploads/1");
    fs::write(uploads.join(".upload.1-2.part"), "half of it").unwrap();
    fs::create_dir_all(experiment.directory().join("layers/9.ome.zarr")).unwrap();
    let directory = TempDir::new().unwrap();
    let target = directory.path().join("copy");
    assert_eq!(copy(&app, &target).await.unwrap().problems, []);
    let copied = files_below(&target.join("experiments"));
    assert!(
        !copied.is_empty() && copied.keys().all(|name| name.ends_with(".mlf") || name.ends_with(".mrf")),
        "{:?}",
        copied.keys()
    );
    assert!(!target.join("experiments/1/layers/9.ome.zarr").exists());
    served(&target, &[format!("{}/acquisitions", experiment.path)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_copy_leaves_nothing() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("p", "a", &files("copied")).await;
    let directory = TempDir::new().unwrap();
    let environment = app.environment();
    let tally = Arc::new(Tally::default());
    tally.stop();
    let target = directory.path().join("copy");
    let stopped = backup::run(&environment.db, &environment.data, &target, &tally).await;
    assert!(matches!(stopped, Err(BackupError::Stopped)), "{stopped:?}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}
