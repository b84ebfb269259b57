//! The database against the files: a sound data directory is found sound, and every kind of damage is reported.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use tm_server::check::{self, Report};
use tm_server::config::{Config, Settings};
use tm_server::environment::DataLock;
use tm_server::inventory::{Inventory, Scope};
use tm_server::tally::Tally;
use tm_tests::app::TestApp;
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::plates::{ALL_STAGES, Experiment};

async fn checked(app: &TestApp, deep: bool) -> Report {
    let environment = app.environment();
    check::run(&environment.db, &environment.data, deep, &Arc::new(Tally::default())).await.unwrap()
}

async fn problems(app: &TestApp, deep: bool) -> Vec<String> {
    checked(app, deep).await.problems.iter().map(ToString::to_string).collect()
}

async fn processed(app: &TestApp) -> Experiment<'_> {
    let experiment = Experiment::new(app).await;
    experiment.upload("p", "a", &PlateFiles::new("checked").grid(1, 2).size(300, 300)).await;
    experiment.run(ALL_STAGES, &[("illuminati", "illumcorr", true.into())]).await;
    experiment
}

/// The first file below one of the experiment's directories whose path has these parts in it.
fn find(app: &TestApp, parts: &str) -> PathBuf {
    let name = app.files().into_keys().find(|name| parts.split(' ').all(|part| name.contains(part)));
    app.environment().data.experiments().join(name.unwrap_or_else(|| panic!("no file with {parts}")))
}

/// A way to break something: parts of the path of a file, what becomes of its bytes (`None` removes it), and
/// what is said about it.
struct Damage {
    file: &'static str,
    to: fn(Vec<u8>) -> Option<Vec<u8>>,
    only_deep: bool,
    says: &'static str,
}

fn flip(mut bytes: Vec<u8>, at: usize) -> Option<Vec<u8>> {
    bytes[at] ^= 0xff;
    Some(bytes)
}

const DAMAGES: &[Damage] = &[
    Damage { file: "01.tif", to: |_| None, only_deep: false, says: "uploaded, but cannot be read" },
    Damage {
        file: ".mlf",
        to: |mut bytes| {
            bytes.push(0);
            Some(bytes)
        },
        only_deep: false,
        says: "were uploaded",
    },
    Damage { file: "plates/1-1.ome.zarr/zarr.json", to: |_| None, only_deep: false, says: "does not exist" },
    Damage { file: "B/03/0/zarr.json", to: |_| None, only_deep: false, says: "does not exist" },
    Damage { file: "B/03/0/0/zarr.json", to: |_| Some(b"{".to_vec()), only_deep: false, says: "EOF" },
    Damage { file: "B/03/1/0/c/", to: |_| None, only_deep: false, says: "plane t 0, c 0, z 0 is missing" },
    Damage {
        file: "B/03/1/0/c/",
        to: |bytes| Some(bytes[..bytes.len() - 1].to_vec()),
        only_deep: false,
        says: "plane t 0, c 0, z 0: ",
    },
    Damage { file: "B/03/1/0/c/", to: |bytes| flip(bytes, 12), only_deep: true, says: "chunk" },
    Damage { file: "/layers/1.ome.zarr/zarr.json", to: |_| None, only_deep: false, says: "does not exist" },
    Damage {
        file: "/layers/1.ome.zarr/1/zarr.json",
        to: |_| Some(Vec::new()),
        only_deep: false,
        says: "EOF",
    },
    Damage {
        file: "/layers/1.ome.zarr/1/c/",
        to: |bytes| flip(bytes.clone(), bytes.len() - 5),
        only_deep: false,
        says: "",
    },
    Damage { file: "/layers/1.ome.zarr/1/c/", to: |bytes| flip(bytes, 12), only_deep: true, says: "chunk" },
    Damage { file: "/mean/c/0/0", to: |bytes| flip(bytes, 30), only_deep: false, says: "" },
    Damage { file: "/statistics/ .zarr/zarr.json", to: |_| None, only_deep: false, says: "does not exist" },
];

#[tokio::test(flavor = "multi_thread")]
async fn every_damage_to_a_file_is_reported_and_nothing_else() {
    let app = TestApp::start().await;
    processed(&app).await;
    let size = fs::metadata(find(&app, ".mlf")).unwrap().len();
    app.sql(&format!("update microscope_files set size = {size} where name like '%.mlf'")).await;
    for deep in [false, true] {
        let report = checked(&app, deep).await;
        assert_eq!(report.problems, []);
        assert_eq!((report.uploads, report.planes, report.layers, report.statistics), (4, 2, 1, 1));
    }
    for Damage { file, to, only_deep, says } in DAMAGES {
        let path = find(&app, file);
        let whole = fs::read(&path).unwrap();
        match to(whole.clone()) {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let (shallow, deep) = (problems(&app, false).await, problems(&app, true).await);
        assert_eq!(shallow.len(), usize::from(!only_deep), "{file}: {shallow:?}");
        assert_eq!(deep.len(), 1, "{file}: {deep:?}");
        assert!(deep[0].contains(says) && deep[0].starts_with("experiments/1/"), "{file}: {deep:?}");
        fs::write(&path, whole).unwrap();
    }
    assert_eq!(problems(&app, true).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_without_owner_are_problems_only_while_no_server_runs() {
    let app = TestApp::start().await;
    let experiment = processed(&app).await;
    let directory = experiment.directory();
    let strays = [
        directory.join("uploads/1/stray.tif"),
        directory.join("uploads/77/a.tif"),
        directory.join("plates/1-7.ome.zarr/zarr.json"),
        directory.join("plates/1-1.ome.zarr/B/03/9/zarr.json"),
        directory.join("layers/.1.ome.zarr.1-2.part"),
        directory.join("statistics/7-7.zarr/zarr.json"),
        directory.join("logs/9999.err"),
        directory.join("notes/a"),
        directory.parent().unwrap().join("77/a"),
    ];
    for path in &strays {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    let found = problems(&app, false).await;
    assert_eq!(found.len(), strays.len(), "{found:#?}");
    assert!(found.iter().all(|line| line.ends_with(": no row names it")), "{found:#?}");

    let data_dir = Some(app.environment().data.root().to_owned());
    let config: Config = Settings { data_dir, ..Settings::default() }.finish().unwrap();
    let lock = DataLock::take(&config).unwrap();
    assert_eq!(problems(&app, false).await, Vec::<String>::new());
    drop(lock);
    assert_eq!(problems(&app, false).await, found);
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_without_files_are_no_problem_until_their_workflow_is_over() {
    let app = TestApp::start().await;
    let experiment = processed(&app).await;
    fs::remove_dir_all(experiment.directory().join("layers/1.ome.zarr")).unwrap();
    assert_eq!(problems(&app, true).await.len(), 1);
    app.sql("update tasks set state = 'RUNNING' where parent_id is null").await;
    assert_eq!(problems(&app, true).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_refer_to_nothing_are_reported() {
    let app = TestApp::start().await;
    processed(&app).await;
    // One connection writes, so this holds for the next statement.
    app.sql("pragma foreign_keys = off").await;
    app.sql("insert into wells (id, plate_id, name, description) values (900, 999, 'A01', '{}')").await;
    assert_eq!(
        problems(&app, false).await,
        ["tmserver.sqlite: row 900 of wells refers to a row of plates that does not exist"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_or_made_anew_during_a_check_is_no_problem() {
    let app = TestApp::start().await;
    let experiment = processed(&app).await;
    let environment = app.environment();
    let read = async || {
        let mut tx = environment.db.read().await.unwrap();
        Inventory::read(&mut tx, Scope::Everything).await.unwrap()
    };
    let compare = async |before: Inventory| {
        let tally = Arc::new(Tally::default());
        let report = check::compare(&environment.db, &environment.data, before, true, &tally).await;
        report.unwrap().problems
    };
    let before = read().await;
    let upload = find(&app, "01.tif");
    let bytes = fs::read(&upload).unwrap();
    fs::remove_file(&upload).unwrap();
    experiment.run(&["pyramid_creation"], &[]).await;
    let after = read().await;
    // The layers of before are gone; those of now were nobody's then.
    for inventory in [before, after] {
        let problems = compare(inventory).await;
        assert_eq!(problems.len(), 1, "what is missing still: {problems:?}");
        assert!(problems[0].what.contains("cannot be read"), "{problems:?}");
    }
    fs::write(upload, bytes).unwrap();
    let before = read().await;
    experiment.client.delete(&format!("{}/plates/1", experiment.path)).await.says("ok");
    assert_eq!(compare(before).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_during_workflows_and_deletions_finds_nothing_wrong() {
    let app = TestApp::start().await;
    let experiment = processed(&app).await;
    let environment = app.environment();
    let data_dir = Some(environment.data.root().to_owned());
    let config: Config = Settings { data_dir, ..Settings::default() }.finish().unwrap();
    let _lock = DataLock::take(&config).unwrap();
    let (environment, busy) = (environment.clone(), Arc::new(Tally::default()));
    let checks = tokio::spawn({
        let busy = Arc::clone(&busy);
        async move {
            let mut found = Vec::new();
            while !busy.is_stopped() {
                let tally = Arc::new(Tally::default());
                let report = check::run(&environment.db, &environment.data, true, &tally).await.unwrap();
                found.extend(report.problems);
                busy.add(1);
            }
            found
        }
    });
    for name in ["b", "c"] {
        let added = experiment.upload("p", name, &PlateFiles::new("later").grid(1, 2).size(300, 300)).await;
        experiment.run(ALL_STAGES, &[]).await;
        experiment.client.delete(&added).await.says("ok");
    }
    busy.stop();
    assert_eq!(checks.await.unwrap(), []);
    assert_eq!(problems(&app, true).await, Vec::<String>::new());
}
