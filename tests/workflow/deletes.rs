//! Deleting what was processed: rows and files go together, and everything else stays as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tm_server::check;
use tm_server::resources::acquisition;
use tm_server::tally::Tally;
use tm_tests::app::{Answer, TestApp};
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::contents::{Tables, changed, gone};
use tm_tests::plates::{ALL_STAGES, Experiment};
use tm_tests::python;

use super::naive::sites;
use super::open_format::{Expected, expected_plate};
use super::rerun::{FULL, map_of, maps};

const HEIGHT: usize = 60;
const WIDTH: usize = 75;

fn files() -> PlateFiles {
    PlateFiles::new("deleted").size(HEIGHT, WIDTH)
}

/// Plate `p` with acquisitions `first` (wells B03 and C05, channels 1 and 2) and `second` (well B03, channel
/// 1), plate `q` with one acquisition like `second`; processed, with corrected illumination; and objects in
/// the first sites of all wells.
struct Processed<'a> {
    experiment: Experiment<'a>,
    first: String,
    second: String,
    /// Path of the label images of its objects.
    segmentations: String,
}

fn first() -> PlateFiles {
    files().wells(&["B03", "C05"]).channels(2)
}

async fn processed(app: &TestApp) -> Processed<'_> {
    let experiment = Experiment::new(app).await;
    let first = experiment.upload("p", "first", &first()).await;
    let second = experiment.upload("p", "second", &files()).await;
    experiment.upload("q", "other", &files()).await;
    let corrected = [("illuminati", "illumcorr", json!(true)), ("imextract", "batch_size", json!(3))];
    experiment.run(ALL_STAGES, &corrected).await;
    let objects = json!({"name": "Cells"});
    let types = format!("{}/mapobject_types", experiment.path);
    let objects = experiment.client.post(&types, &objects).await.id();
    let segmentations = format!("{types}/{objects}/segmentations");
    for (plate, well) in [("p", "B03"), ("p", "C05"), ("q", "B03")] {
        let mut body = place(plate, well);
        body["image"] = labels();
        experiment.client.post(&segmentations, &body).await.says("ok");
    }
    Processed { experiment, first, second, segmentations }
}

/// The first plane of the first site of a well.
fn place(plate: &str, well: &str) -> Value {
    json!({
        "plate_name": plate, "well_name": well, "well_pos_y": 0, "well_pos_x": 0, "tpoint": 0, "zplane": 0,
    })
}

/// A label image with two objects.
fn labels() -> Value {
    let label = |y: usize, x: usize| i64::from(y < 9) + 2 * i64::from(y > 20 && x == 7);
    json!((0..HEIGHT).map(|y| (0..WIDTH).map(|x| label(y, x)).collect()).collect::<Vec<Vec<_>>>())
}

async fn label_image(experiment: &Experiment<'_>, segmentations: &str, plate: &str, well: &str) -> Answer {
    let request = experiment.client.request(Method::GET, segmentations);
    experiment.client.send(request.query(&place(plate, well))).await
}

/// The id at the end of a path.
fn id(path: &str) -> i64 {
    path.rsplit('/').next().unwrap().parse().unwrap()
}

/// The names of files below the directory of the experiment.
fn below<'a>(names: &'a BTreeSet<String>, directory: &str) -> BTreeSet<&'a str> {
    names.iter().filter(|name| name.starts_with(directory)).map(String::as_str).collect()
}

/// Nothing is missing, damaged or left over.
async fn is_consistent(app: &TestApp) {
    let environment = app.environment();
    let tally = Arc::new(Tally::default());
    let report = check::run(&environment.db, &environment.data, true, &tally).await.unwrap();
    assert_eq!(report.problems, []);
}

/// What is left of these tables is what was there before.
fn only_lost_rows(before: &Tables, after: &Tables, tables: &[&str]) {
    for table in tables {
        assert!(after[*table].is_subset(&before[*table]), "{table}: {:?}", after[*table]);
    }
}

/// How many rows of these tables are gone.
fn lost<'a>(before: &'a Tables, after: &Tables) -> BTreeMap<&'a str, usize> {
    let count = |(table, rows): (&'a String, &BTreeSet<String>)| {
        let gone = rows.difference(&after[table]).count();
        (gone > 0).then_some((table.as_str(), gone))
    };
    before.iter().filter_map(count).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_acquisition_leaves_nothing_and_takes_nothing_else_along() {
    let app = TestApp::start().await;
    let Processed { experiment, first, second, segmentations } = processed(&app).await;
    is_consistent(&app).await;
    let (files_before, rows_before) = (app.files(), app.tables().await);
    let layers = experiment.layers().await;
    let [statistics] = &app
        .texts("select file from illumination_statistics join channels on channels.id = channel_id where name = '2'")
        .await[..]
    else {
        panic!("one set of statistics of channel 2")
    };

    experiment.client.delete(&first).await.says("ok");

    let (files_after, rows_after) = (app.files(), app.tables().await);
    only_lost_rows(
        &rows_before,
        &rows_after,
        &[
            "acquisitions",
            "channels",
            "channel_images",
            "cycles",
            "sites",
            "wells",
            "illumination_statistics",
        ],
    );
    let lost = lost(&rows_before, &rows_after);
    let expected = [
        ("acquisitions", 1),
        // 2 wells of 2×2 sites in 2 channels.
        ("channel_images", 16),
        // Channel 1 at two time points, channel 2 at one.
        ("channel_layers", 3),
        ("channels", 1),
        ("experiments", 1),
        ("illumination_statistics", 1),
        // 4 sites, a well, 2 objects in one of the sites, and 2 that no other acquisition shows.
        ("mapobjects", 9),
        ("microscope_files", 18),
        // All layers are there, in another version.
        ("segmentation_layers", 4),
        ("segmentations", 4),
        ("sites", 4),
        ("wells", 1),
    ];
    let expected = BTreeMap::from(expected);
    assert_eq!(lost, expected);

    let (gone, changed) = (gone(&files_before, &files_after), changed(&files_before, &files_after));
    let root = experiment.id();
    let uploads = format!("{root}/uploads/{}/", id(&first));
    assert_eq!(below(&gone, &uploads).len(), 18);
    let plate = format!("{root}/plates/1-1.ome.zarr");
    let wells = [format!("{plate}/B/03/"), format!("{plate}/C/")];
    let strange: Vec<&String> = gone
        .iter()
        .filter(|name| !name.starts_with(&uploads) && !name.starts_with(&format!("{root}/layers/")))
        .filter(|name| !name.starts_with(&format!("{root}/statistics/{statistics}.zarr/")))
        .filter(|name| !wells.iter().any(|well| name.starts_with(well)))
        .collect();
    assert_eq!(strange, Vec::<&String>::new());
    assert!(below(&files_after.keys().cloned().collect(), &format!("{root}/layers/")).is_empty());
    let rewritten = [format!("{plate}/zarr.json"), format!("{plate}/B/03/zarr.json")];
    assert_eq!(changed, BTreeSet::from(rewritten));
    is_consistent(&app).await;

    for layer in &layers {
        let tile = format!("{}/channel_layers/{}/tiles?x=0&y=0&z=0", experiment.path, layer.id);
        experiment.client.get(&tile).await.fails(404, "ResourceNotFoundError");
    }
    assert!(experiment.layers().await.is_empty());
    for well in ["B03", "C05"] {
        label_image(&experiment, &segmentations, "p", well).await.fails(404, "ResourceNotFoundError");
    }
    assert_eq!(label_image(&experiment, &segmentations, "q", "B03").await.data(), &labels());
    experiment.client.delete(&first).await.fails(404, "ResourceNotFoundError");
    if let Some(python) = python::interpreter() {
        let plate = expected_plate(&app, &experiment, &files(), 1, 16).await;
        let (succeeded, printed) = Expected::check(&[plate], &python);
        assert!(succeeded, "{printed}");
    }

    // What is left can be shown, and be made again under a generation that was never used.
    experiment.run(&["pyramid_creation"], &[]).await;
    let shown = maps(&experiment).await;
    let keys: Vec<_> = shown.keys().cloned().collect();
    assert_eq!(keys, [("1".to_owned(), 0, 0), ("1".to_owned(), 1, 0)]);
    experiment.run(ALL_STAGES, &[]).await;
    assert_eq!(app.texts("select cast(image_generation as text) from plates where id = 1").await, ["2"]);
    is_consistent(&app).await;
    assert_eq!(experiment.client.get(&second).await.data()["status"], "COMPLETE");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_acquisition_of_a_plate_takes_its_images_and_no_generation_is_used_twice() {
    let app = TestApp::start().await;
    let Processed { experiment, first, second, .. } = processed(&app).await;
    let other = app.files().keys().filter(|name| name.contains("/plates/2-1.")).count();
    for acquisition in [&first, &second] {
        experiment.client.delete(acquisition).await.says("ok");
        is_consistent(&app).await;
    }
    let left = app.files();
    assert_eq!(left.keys().filter(|name| name.contains("/plates/1-")).count(), 0, "{:?}", left.keys());
    assert_eq!(left.keys().filter(|name| name.contains("/plates/2-1.")).count(), other);
    let wells = experiment.client.get(&format!("{}/wells", experiment.path)).await;
    assert_eq!(wells.all("plate_name"), ["q"]);

    experiment.upload("p", "third", &files()).await;
    experiment.run(ALL_STAGES, &[]).await;
    assert_eq!(app.texts("select cast(image_generation as text) from plates order by id").await, ["2", "2"]);
    is_consistent(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_plate_leaves_nothing_and_the_map_shows_the_other_one() {
    let app = TestApp::start().await;
    let Processed { experiment, segmentations, .. } = processed(&app).await;
    let (files_before, rows_before) = (app.files(), app.tables().await);
    experiment.client.delete(&format!("{}/plates/1", experiment.path)).await.says("ok");
    let (files_after, rows_after) = (app.files(), app.tables().await);
    let gone = gone(&files_before, &files_after);
    assert_eq!(changed(&files_before, &files_after), BTreeSet::new());
    let kept = |name: &&String| {
        ["/plates/2-1.", "/uploads/3/", "/logs/", "/statistics/"].iter().any(|part| name.contains(part))
    };
    assert!(files_after.keys().all(|name| kept(&name)), "{:?}", files_after.keys());
    assert!(gone.iter().all(|name| !name.contains("/2-1.") && !name.contains("/uploads/3/")), "{gone:?}");
    let statistics = files_after.keys().filter(|name| name.contains("/statistics/"));
    let sets: BTreeSet<_> = statistics.filter_map(|name| name.split('/').nth(2)).collect();
    assert_eq!(sets.len(), 1, "those of channel 1: {sets:?}");
    only_lost_rows(
        &rows_before,
        &rows_after,
        &["plates", "acquisitions", "channels", "channel_images", "wells"],
    );
    assert_eq!((rows_after["plates"].len(), rows_after["acquisitions"].len()), (1, 1));
    assert_eq!((rows_after["channels"].len(), rows_after["channel_layers"].len()), (1, 0));
    // A plate, a well, 4 sites, 2 objects.
    assert_eq!((rows_after["mapobjects"].len(), rows_after["segmentations"].len()), (8, 2));
    assert_eq!(label_image(&experiment, &segmentations, "q", "B03").await.data(), &labels());
    is_consistent(&app).await;

    experiment.run(ALL_STAGES, &[]).await;
    let map = map_of(&sites(&[&files()], 1, 1, 1), FULL);
    assert!(maps(&experiment).await == BTreeMap::from([(("1".to_owned(), 0, 0), map)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_plate_without_images_leaves_the_map_alone() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("p", "a", &files()).await;
    experiment.run(ALL_STAGES, &[]).await;
    let (files_before, rows_before) = (app.files(), app.tables().await);
    let late = experiment.upload("late", "a", &files()).await;
    experiment.client.delete(&late).await.says("ok");
    let plates = experiment.client.get(&format!("{}/plates?name=late", experiment.path)).await.all("id");
    experiment.client.delete(&format!("{}/plates/{}", experiment.path, plates[0])).await.says("ok");
    assert!(app.files() == files_before);
    assert_eq!(app.tables().await, rows_before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_experiment_leaves_nothing_at_all() {
    let app = TestApp::start().await;
    let kept = Experiment::named(&app, "kept", 384).await;
    kept.upload("p", "a", &files()).await;
    kept.run(ALL_STAGES, &[]).await;
    let (files_before, rows_before) = (app.files(), app.tables().await);
    let Processed { experiment, .. } = processed(&app).await;
    assert!(app.files().len() > files_before.len());
    experiment.client.delete(&experiment.path).await.says("ok");
    assert!(app.files() == files_before);
    assert!(!experiment.directory().exists());
    assert_eq!(app.tables().await, rows_before);
    is_consistent(&app).await;
}

/// How long a deletion may take that nobody waits for.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_deletion_goes_on_when_its_client_goes_away() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    let acquisition = experiment.acquisition("p", "a").await;
    let writer = app.environment().db.write().await.unwrap();
    let mut deletion = Box::pin(acquisition::delete(&app.app.environment, experiment.id(), id(&acquisition)));
    tokio::select! {
        biased;
        deleted = &mut deletion => panic!("the database is held: {deleted:?}"),
        () = tokio::task::yield_now() => {}
    }
    drop(deletion);
    drop(writer);
    let gone = async {
        while experiment.client.get(&acquisition).await.status != 404 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the deletion comes to its end without its client");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_deleted_while_a_workflow_runs() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    let acquisition = experiment.upload("p", "a", &files()).await;
    let types = format!("{}/mapobject_types", experiment.path);
    let objects = experiment.client.post(&types, &json!({"name": "Cells"})).await.id();
    let description = tm_tests::plates::description(ALL_STAGES, &[]);
    let submitted = experiment.submit(&description).await;
    assert_eq!(submitted.status, 200);
    // The database is held, so that the workflow cannot end meanwhile.
    let writer = app.environment().db.write().await.unwrap();
    let refused: Vec<Value> = vec![
        experiment.client.delete(&acquisition).await.body,
        experiment.client.delete(&format!("{}/plates/1", experiment.path)).await.body,
        experiment.client.delete(&experiment.path).await.body,
        experiment.client.delete(&format!("{types}/{objects}")).await.body,
    ];
    drop(writer);
    for answer in refused {
        assert_eq!(answer["error"]["status_code"], json!(409), "{answer}");
    }
    experiment.wait().await;
    experiment.client.get(&acquisition).await.data();
    experiment.client.delete(&format!("{types}/{objects}")).await.says("ok");
}
