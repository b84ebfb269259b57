//! What a start tidies up inside the directories that rows name, and when it looks there.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;
use tm_server::config::{Config, Settings};
use tm_server::environment::{DataLock, LastStop, OpenError};
use tm_server::inventory::{Inventory, Scope};
use tm_server::storage::DataDir;
use tm_server::sweep;
use tm_tests::app::TestApp;
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::contents::Files;
use tm_tests::plates::{ALL_STAGES, Experiment};

/// A processed experiment with two acquisitions of one plate, whose files are all of any use.
async fn processed(app: &TestApp) -> (Experiment<'_>, Files) {
    let experiment = Experiment::new(app).await;
    for name in ["first", "second"] {
        experiment.upload("p", name, &PlateFiles::new("swept").grid(1, 2).size(40, 50)).await;
    }
    experiment.run(ALL_STAGES, &[]).await;
    (experiment, app.files())
}

async fn start(app: &TestApp, last_stop: LastStop) {
    sweep::at_start(app.environment(), last_stop).await.unwrap();
}

/// Things deep inside the directories of the experiment that no row names; the values are all new files.
fn leave_behind(directory: &Path, layer: &str) -> Vec<PathBuf> {
    let stray = [
        "uploads/1/stray.tif",
        "logs/9999.out",
        "logs/9999.err",
        "logs/notes.txt",
        "plates/1-1.ome.zarr/B/03/77/zarr.json",
        "plates/1-1.ome.zarr/B/03/77/0/c/0/0/0/0/0",
        "plates/1-1.ome.zarr/C/05/0/zarr.json",
        "plates/1-1.ome.zarr/B/03/0/0/c/0/0/0/0/.0.1-2.part",
        "plates/1-1.ome.zarr/.zarr.json.1-2.part",
        "plates/1-1.ome.zarr/B/03/.staged.1-2.part/deep",
    ];
    let layer = format!("layers/{layer}.ome.zarr/1/.c.1-2.part");
    let paths: Vec<PathBuf> =
        stray.into_iter().chain([layer.as_str()]).map(|name| directory.join(name)).collect();
    for path in &paths {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"left behind").unwrap();
    }
    paths
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unclean_stop_is_followed_by_a_look_at_everything() {
    let app = TestApp::start().await;
    let (experiment, before) = processed(&app).await;
    let layer = experiment.layers().await[0].id.clone();
    let strays = leave_behind(&experiment.directory(), &layer);
    start(&app, LastStop::Clean).await;
    assert!(strays.iter().all(|path| path.exists()), "there was nothing to look for");
    start(&app, LastStop::Unclean).await;
    let left: Vec<_> = strays.iter().filter(|path| path.exists()).collect();
    assert_eq!(left, Vec::<&PathBuf>::new());
    assert!(app.files() == before, "nothing else is touched");
    assert!(!experiment.directory().join("plates/1-1.ome.zarr/C").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_whose_files_were_not_reached_is_finished_by_the_next_start() {
    let app = TestApp::start().await;
    let (experiment, _) = processed(&app).await;
    // As the transaction of the deletion leaves it when the power fails after it.
    for statement in [
        "delete from channel_layers",
        "update experiments set pyramid_height = null, pyramid_width = null, pyramid_depth = null",
        "delete from microscope_files where acquisition_id = 1",
        "delete from acquisitions where id = 1",
    ] {
        app.sql(statement).await;
    }
    start(&app, LastStop::Unclean).await;
    let killed = app.files();
    let other = TestApp::start().await;
    let (again, _) = processed(&other).await;
    again.client.delete(&format!("{}/acquisitions/1", again.path)).await.says("ok");
    assert_eq!(killed.keys().collect::<Vec<_>>(), other.files().keys().collect::<Vec<_>>());
    for name in ["plates/1-1.ome.zarr/zarr.json", "plates/1-1.ome.zarr/B/03/zarr.json"] {
        assert_eq!(killed[&format!("1/{name}")], other.files()[&format!("1/{name}")], "{name}");
    }
    assert!(experiment.directory().join("plates/1-1.ome.zarr/B/03/2").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn complete_files_stay_and_files_whose_rows_imextract_deleted_go() {
    let app = TestApp::start().await;
    let (_, before) = processed(&app).await;
    app.sql("delete from microscope_files where acquisition_id = 1 and kind = 'image'").await;
    app.sql("update microscope_files set status = 'UPLOADING' where acquisition_id = 2 and kind = 'image'")
        .await;
    start(&app, LastStop::Unclean).await;
    let after = app.files();
    let gone: Vec<&String> = before.keys().filter(|name| !after.contains_key(*name)).collect();
    assert_eq!(gone.len(), 4, "two images each: {gone:?}");
    assert!(gone.iter().all(|name| name.contains("/uploads/") && name.ends_with(".tif")), "{gone:?}");
    assert!(after.keys().any(|name| name.ends_with(".mlf")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_this_version_does_not_know_is_left_alone() {
    let app = TestApp::start().await;
    let (experiment, _) = processed(&app).await;
    let sounds = experiment.directory().join("sounds/1.wav");
    fs::create_dir_all(sounds.parent().unwrap()).unwrap();
    fs::write(&sounds, b"of a later version").unwrap();
    start(&app, LastStop::Unclean).await;
    assert!(sounds.exists());
    let environment = app.environment();
    let mut tx = environment.db.read().await.unwrap();
    let inventory = Inventory::read(&mut tx, Scope::Everything).await.unwrap();
    assert_eq!(inventory.strangers(&environment.data), [sounds.parent().unwrap()]);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_outside_the_data_directory_is_reached_through_a_link() {
    let app = TestApp::start().await;
    let (experiment, _) = processed(&app).await;
    let outside = TempDir::new().unwrap();
    let kept = outside.path().join(".kept.1-2.part");
    fs::write(&kept, b"somebody else's").unwrap();
    let link = experiment.directory().join("plates/1-1.ome.zarr/link");
    std::os::unix::fs::symlink(outside.path(), &link).unwrap();
    let stray = experiment.directory().join("layers/77.ome.zarr");
    std::os::unix::fs::symlink(outside.path(), &stray).unwrap();
    start(&app, LastStop::Unclean).await;
    assert!(kept.exists());
    assert!(stray.symlink_metadata().is_err(), "the link itself is named by no row");
}

fn config(directory: &TempDir) -> Config {
    let settings = Settings { data_dir: Some(directory.path().join("data")), ..Settings::default() };
    settings.finish().unwrap()
}

#[test]
fn the_lock_tells_how_its_last_holder_stopped() {
    let directory = TempDir::new().unwrap();
    let config = config(&directory);
    let data = DataDir::new(&config.data_dir);
    assert!(!DataLock::is_held(&data).unwrap());
    let lock = DataLock::take(&config).unwrap();
    assert_eq!(lock.last_stop(), LastStop::Unclean, "nothing is known");
    assert!(DataLock::is_held(&data).unwrap());
    assert!(matches!(DataLock::take(&config), Err(OpenError::InUse(_))));
    lock.release();
    assert!(!DataLock::is_held(&data).unwrap());

    let lock = DataLock::take(&config).unwrap();
    assert_eq!(lock.last_stop(), LastStop::Clean);
    // Who is refused changes nothing, and who asks is not in the way.
    assert!(DataLock::take(&config).is_err());
    lock.release();
    assert!(!DataLock::is_held(&data).unwrap());
    let lock = DataLock::take(&config).unwrap();
    assert_eq!(lock.last_stop(), LastStop::Clean);

    drop(lock);
    assert_eq!(DataLock::take(&config).unwrap().last_stop(), LastStop::Unclean, "dropped, not released");
}

#[test]
fn who_asks_for_the_lock_keeps_nobody_from_taking_it() {
    let directory = TempDir::new().unwrap();
    let config = config(&directory);
    let data = DataDir::new(&config.data_dir);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    DataLock::is_held(&data).unwrap();
                }
            });
        }
        let refused = (0..300).filter(|_| DataLock::take(&config).is_err()).count();
        over.store(true, Ordering::SeqCst);
        assert_eq!(refused, 0);
    });
}

#[tokio::test]
async fn an_abandoned_workflow_or_a_file_left_behind_is_no_clean_stop() {
    for (statement, leftover, wanted) in [
        ("delete from tasks", false, LastStop::Clean),
        ("delete from tasks", true, LastStop::Unclean),
        ("update tasks set state = 'RUNNING' where parent_id is null", false, LastStop::Unclean),
    ] {
        let directory = TempDir::new().unwrap();
        let config = config(&directory);
        let lock = DataLock::take(&config).unwrap();
        let app = TestApp::start().await;
        let experiment = Experiment::new(&app).await;
        experiment.run_to_end(&["image_conversion"], &[]).await;
        app.sql(statement).await;
        if leftover {
            app.environment().leftovers.add();
        }
        app.app.close(lock).await.unwrap();
        assert_eq!(DataLock::take(&config).unwrap().last_stop(), wanted, "{statement}");
    }
}
