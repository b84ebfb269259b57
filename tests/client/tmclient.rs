//! The Python client tmclient 0.3.3, command line and library, from upload to download.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;
use tm_tests::app::{OWNER, PASSWORD, TestApp};
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::databases::Database;
use tm_tests::jterator;
use tm_tests::python;

tm_tests::on_each_database![
    flavor = "multi_thread";
    tmclient_takes_a_made_up_plate_from_upload_to_download,
    tmclient_gets_the_values_of_features_that_it_sent,
    tmclient_gets_the_projects_of_image_analysis_that_it_sent,
    every_method_and_command_of_tmclient_is_answered_by_value,
];

/// Real acquisitions, beside the project where they are present.
#[allow(clippy::print_stdout)]
fn shared(name: &str) -> Option<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name);
    if directory.is_dir() {
        return Some(directory.canonicalize().unwrap());
    }
    println!("SKIPPED: no shared data");
    None
}

async fn drive(database: Database, experiment: &str, directory: &Path) {
    let Some(python) = python::interpreter() else { return };
    let app = TestApp::start_on(database).await;
    let (base, experiment, directory) = (app.base.clone(), experiment.to_owned(), directory.to_owned());
    // In a thread of its own: the server answers meanwhile.
    let (succeeded, printed) = tokio::task::spawn_blocking(move || {
        let arguments = [&base, OWNER, PASSWORD, &experiment].map(Path::new);
        let [base, user, password, experiment] = arguments;
        python::run(&python, "drive_tmclient.py", &[base, user, password, experiment, &directory])
    })
    .await
    .unwrap();
    assert!(succeeded, "{printed}");
    assert!(printed.contains("OK: "), "{printed}");
}

async fn tmclient_takes_a_made_up_plate_from_upload_to_download(database: Database) {
    let directory = TempDir::new().unwrap();
    PlateFiles::new("made-up")
        .wells(&["B03", "D05"])
        .grid(2, 3)
        .channels(2)
        .z_planes(2)
        .size(40, 56)
        .with_foreign_files()
        .write(directory.path())
        .unwrap();
    drive(database, "made up", directory.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tmclient_takes_real_8_bit_images_from_upload_to_download() {
    let Some(directory) = shared("cellvoyager-8bit") else { return };
    drive(Database::Sqlite, "real images", &directory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tmclient_takes_a_real_cv8000_acquisition_with_all_its_files_from_upload_to_download() {
    let Some(directory) = shared("cellvoyager-cv8000") else { return };
    drive(Database::Sqlite, "real metadata", &directory).await;
}

async fn tmclient_gets_the_values_of_features_that_it_sent(database: Database) {
    let Some(python) = python::interpreter() else { return };
    let app = TestApp::start_on(database).await;
    app.experiment().await;
    for statement in [
        "insert into plates (experiment_id, name, description, image_generation, created_at, updated_at)
         values (1, 'plate one', '', 0, 0, 0)",
        "insert into wells (plate_id, name, description) values (1, 'A01', '{}'), (1, 'B02', '{}')",
        "insert into sites (well_id, y, x, height, width)
         values (1, 0, 0, 6, 8), (1, 0, 1, 6, 8), (2, 0, 0, 6, 8), (2, 0, 1, 6, 8)",
    ] {
        app.sql(statement).await;
    }
    let base = app.base.clone();
    // In a thread of its own: the server answers meanwhile.
    let (succeeded, printed) = tokio::task::spawn_blocking(move || {
        let arguments = [&base, OWNER, PASSWORD, "an experiment"].map(Path::new);
        python::run(&python, "drive_tmclient_features.py", &arguments)
    })
    .await
    .unwrap();
    assert!(succeeded && printed.contains("OK: 4 sites"), "{printed}");
}

async fn tmclient_gets_the_projects_of_image_analysis_that_it_sent(database: Database) {
    let Some(python) = python::interpreter() else { return };
    let app = TestApp::start_on(database).await;
    jterator::experiment(&app).await;
    let base = app.base.clone();
    // In a thread of its own: the server answers meanwhile.
    let (succeeded, printed) = tokio::task::spawn_blocking(move || {
        let projects = jterator::fixture("");
        let arguments =
            [Path::new(&base), OWNER.as_ref(), PASSWORD.as_ref(), "an experiment".as_ref(), &projects];
        python::run(&python, "drive_tmclient_jterator.py", &arguments)
    })
    .await
    .unwrap();
    assert!(succeeded && printed.contains("OK: 2 projects"), "{printed}");
}

/// An experiment `planted` with a result of a tool, and the jobs of two with what one of them wrote: no tool makes any
/// yet.
async fn plant_tools(app: &TestApp) {
    let owner = app.client(OWNER).await;
    let experiment = app.experiment().await;
    owner.put(&experiment, &json!({"name": "planted"})).await.says("ok");
    owner.post(&format!("{experiment}/mapobject_types"), &json!({"name": "Cells"})).await.id();
    for (submission, tool, exit_code) in [(1, "Clustering", 0), (2, "Heatmap", 1)] {
        app.sql(
            "insert into submissions (experiment_id, user_id, program, description, created_at)
             values (1, 1, 'tool', '{}', 1500000000000000)",
        )
        .await;
        app.sql(&format!(
            "insert into tasks (submission_id, name, type, state, exitcode, job, created_at, updated_at)
             values ({submission}, 'tool_{tool}', 'ToolJob', 'TERMINATED', {exit_code}, '{{}}', 0, 0)"
        ))
        .await;
    }
    app.sql(
        "insert into tool_results (mapobject_type_id, submission_id, name, tool_name, type, attributes, version,
             created_at)
         values (1, 1, 'Clustering-1', 'Clustering', 'ScalarToolResult', '{\"unique_labels\": [0, 1]}', 0, 0)",
    )
    .await;
    for (stream, text) in [("out", "warmed up\n"), ("err", "no such feature\n")] {
        let log = app.app.environment.data.log(1, 2, stream);
        fs::create_dir_all(log.parent().unwrap()).unwrap();
        fs::write(log, text).unwrap();
    }
}

async fn every_method_and_command_of_tmclient_is_answered_by_value(database: Database) {
    let Some(python) = python::interpreter() else { return };
    let root = TempDir::new().unwrap();
    let directory = root.path().canonicalize().unwrap().join("linked");
    PlateFiles::new("made-up")
        .wells(&["B03", "D05"])
        .grid(1, 2)
        .channels(2)
        .z_planes(2)
        .size(40, 56)
        .with_foreign_files()
        .write(&directory)
        .unwrap();
    let roots = vec![directory.parent().unwrap().to_owned()];
    let app = TestApp::start_on_with(database, |config| config.import_roots = roots).await;
    plant_tools(&app).await;
    let base = app.base.clone();
    // In a thread of its own: the server answers meanwhile.
    let (succeeded, printed) = tokio::task::spawn_blocking(move || {
        let [base, user, password] = [&base, OWNER, PASSWORD].map(Path::new);
        python::run(&python, "drive_tmclient_checklist.py", &[base, user, password, &directory])
    })
    .await
    .unwrap();
    assert!(succeeded && printed.contains("OK: 46 methods, 39 commands"), "{printed}");
}
