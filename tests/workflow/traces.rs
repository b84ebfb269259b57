//! Deleting a thing of any kind leaves no trace of it, and everything else as it was.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use tm_server::check;
use tm_server::resources::feature::merging;
use tm_server::storage::tables::TableReader;
use tm_server::tally::Tally;
use tm_tests::app::TestApp;
use tm_tests::belongings::{Belongings, Ids, Row};
use tm_tests::databases::Database;

use super::everything::{Everything, site};

tm_tests::on_each_database![
    flavor = "multi_thread";
    what_is_deleted_leaves_no_trace_and_everything_else_alone,
];

/// What any change to an experiment may change in it.
const TOUCHED: &str = "experiments.updated_at";
/// What may change where channel images are deleted: the map is laid out anew.
const LAID_OUT: [&str; 5] = [
    TOUCHED,
    "experiments.pyramid_height",
    "experiments.pyramid_width",
    "experiments.pyramid_depth",
    "segmentation_layers.version",
];
/// More files with values than lie on top of each other.
const UPLOADS: i64 = 20;

async fn what_is_deleted_leaves_no_trace_and_everything_else_alone(database: Database) {
    let app = TestApp::start_on(database).await;
    Everything::build(&app, "other").await;
    let own = Everything::build(&app, "own").await;
    a_result(&app, &own).await;
    a_feature(&app, &own).await;
    a_type(&app, &own).await;
    an_acquisition(&app, &own).await;
    own.experiment.run(&["pyramid_creation"], &[]).await;
    a_plate(&app, &own).await;
    own.experiment.run(&["pyramid_creation"], &[]).await;
    an_experiment(&app, &own).await;
}

/// Delete something and compare; rows are those that belonged to it.
async fn delete(
    app: &TestApp,
    own: &Everything<'_>,
    path: &str,
    before: &Belongings,
    rows: &Ids,
    columns: &[&str],
) {
    delete_changing(app, own, (path, before, rows), columns, &[]).await;
}

/// The same where files may change that begin like these.
async fn delete_changing(
    app: &TestApp,
    own: &Everything<'_>,
    (path, before, rows): (&str, &Belongings, &Ids),
    columns: &[&str],
    files: &[String],
) {
    own.experiment.client.delete(&format!("{}{path}", own.experiment.path)).await.says("ok");
    before.became(&Belongings::of(app).await, rows, columns, files);
    let (environment, tally) = (app.environment(), Arc::new(Tally::default()));
    let report = check::run(&environment.db, &environment.data, true, &tally).await.unwrap();
    assert_eq!(report.problems, []);
}

async fn a_result(app: &TestApp, own: &Everything<'_>) {
    let before = Belongings::of(app).await;
    let mut rows = Ids::new();
    before.add(&mut rows, "tool_results", own.results[0]);
    assert!(!rows["label_values"].is_empty());
    delete(app, own, &format!("/tools/results/{}", own.results[0]), &before, &rows, &[TOUCHED]).await;
}

/// A feature is gone at once from rows and answers; its values stay in files, which never change, until the next merge.
async fn a_feature(app: &TestApp, own: &Everything<'_>) {
    let before = Belongings::of(app).await;
    let mut rows = Ids::new();
    before.add(&mut rows, "features", own.area);
    before.add(&mut rows, "tool_results", own.results[1]);
    delete(app, own, &format!("/features/{}", own.area), &before, &rows, &[TOUCHED]).await;
    assert!(holds_values(app, own).await);
    for number in 0..UPLOADS {
        let body = site("p 1", "B03", 0).upload(
            1,
            &["label"],
            &[1, 2, 4, 70_002],
            &json!([[1], [2], [3], [number]]),
        );
        own.experiment.client.post(&format!("{}/feature-values", own.type_path(0)), &body).await.says("ok");
    }
    merging::merge_if_many(app.environment(), own.experiment.id(), own.types[0]).await.unwrap();
    assert!(!holds_values(app, own).await);
}

/// Whether a file holds values of the feature.
async fn holds_values(app: &TestApp, own: &Everything<'_>) -> bool {
    let (experiment, kind) = (own.experiment.id(), own.types[0]);
    let files = app
        .texts(&format!("select cast(id as text) from feature_files where mapobject_type_id = {kind}"))
        .await;
    let open = |id: &String| {
        let path = app.environment().data.feature_file(experiment, kind, id.parse().unwrap());
        TableReader::open(&path).unwrap()
    };
    files.iter().map(open).any(|table| table.has(own.area))
}

async fn a_type(app: &TestApp, own: &Everything<'_>) {
    let before = Belongings::of(app).await;
    let mut rows = Ids::new();
    before.add(&mut rows, "mapobject_types", own.types[1]);
    let kinds =
        ["mapobjects", "segmentations", "segmentation_layers", "features", "feature_files", "feature_rows"];
    for table in kinds.iter().chain(&["tool_results", "label_values"]) {
        assert!(!rows[*table].is_empty(), "{table}");
    }
    delete(app, own, &format!("/mapobject_types/{}", own.types[1]), &before, &rows, &[TOUCHED]).await;
}

async fn an_acquisition(app: &TestApp, own: &Everything<'_>) {
    let before = Belongings::of(app).await;
    let id: i64 = own.second.rsplit('/').next().unwrap().parse().unwrap();
    let mut rows = Ids::new();
    before.add(&mut rows, "acquisitions", id);
    add_orphans(&before, own, &mut rows);
    // Those of the time point that nothing else shows; the site stays.
    for (table, count) in
        [("segmentations", 4), ("mapobjects", 1), ("label_values", 0), ("segmentation_layers", 1)]
    {
        let found = rows.get(table).map_or(0, BTreeSet::len);
        assert!(found >= count, "{table}: {found}");
    }
    assert!(!rows.contains_key("sites"));
    let plate = before.row("acquisitions", id)["plate_id"].as_i64().unwrap();
    let images = format!("{}/plates/{plate}-1.ome.zarr/", own.experiment.id());
    let documents = ["zarr.json", "B/03/zarr.json"].map(|name| format!("{images}{name}"));
    delete_changing(app, own, (&format!("/acquisitions/{id}"), &before, &rows), &LAID_OUT, &documents).await;
}

async fn a_plate(app: &TestApp, own: &Everything<'_>) {
    let before = Belongings::of(app).await;
    let named = |(_, row): &(i64, &Row)| row["name"] == "p 1" && row["experiment_id"] == own.experiment.id();
    let (id, _) = before.rows("plates").find(named).unwrap();
    let mut rows = Ids::new();
    before.add(&mut rows, "plates", id);
    add_orphans(&before, own, &mut rows);
    for table in ["channel_layers", "channels", "illumination_statistics", "site_shifts", "segmentations"] {
        assert!(!rows[table].is_empty(), "{table}");
    }
    delete(app, own, &format!("/plates/{id}"), &before, &rows, &LAID_OUT).await;
}

async fn an_experiment(app: &TestApp, own: &Everything<'_>) {
    let before = Belongings::of(app).await;
    let mut rows = Ids::new();
    before.add(&mut rows, "experiments", own.experiment.id());
    for table in ["experiment_shares", "submissions", "tasks", "alignments", "features", "channel_layers"] {
        assert!(!rows[table].is_empty(), "{table}");
    }
    delete(app, own, "", &before, &rows, &[]).await;
    assert!(!own.experiment.directory().exists());
}

/// Where an object, value or image is: site, time point and, of images and objects, focal plane.
type Plane = (i64, i64, i64);

/// Add what is nothing without the channel images that go: the layers of the map, which is another without them;
/// channels, cycles and statistics without images; what was found where no image is any more; layers of objects of
/// planes without images that show nothing; files with values of nothing.
fn add_orphans(before: &Belongings, own: &Everything<'_>, rows: &mut Ids) {
    let experiment = own.experiment.id();
    let number = |row: &Row, column: &str| row[column].as_i64().unwrap();
    let goes = |rows: &Ids, table: &str, id: i64| rows.get(table).is_some_and(|ids| ids.contains(&id));
    let channels: BTreeSet<i64> = before
        .rows("channels")
        .filter(|(_, row)| row["experiment_id"] == experiment)
        .map(|(id, _)| id)
        .collect();
    let images: Vec<_> = before
        .rows("channel_images")
        .filter(|(_, row)| channels.contains(&number(row, "channel_id")))
        .collect();
    let (lost, left): (Vec<_>, Vec<_>) = images.iter().partition(|(id, _)| goes(rows, "channel_images", *id));
    for (id, row) in before.rows("channel_layers") {
        if channels.contains(&number(row, "channel_id")) {
            before.add(rows, "channel_layers", id);
        }
    }
    for (table, column) in [("channels", "channel_id"), ("cycles", "cycle_id")] {
        for (id, row) in before.rows(table) {
            if row["experiment_id"] == experiment
                && !left.iter().any(|(_, image)| number(image, column) == id)
            {
                before.add(rows, table, id);
            }
        }
    }
    let plane =
        |row: &Row| -> Plane { (number(row, "site_id"), number(row, "tpoint"), number(row, "zplane")) };
    let planes =
        |images: &[(i64, &Row)]| -> BTreeSet<Plane> { images.iter().map(|(_, row)| plane(row)).collect() };
    let (lost, left) = (planes(&lost), planes(&left));
    let dark: BTreeSet<Plane> = lost.difference(&left).copied().collect();
    for (id, row) in before.rows("segmentations") {
        let layer = before.row("segmentation_layers", number(row, "segmentation_layer_id"));
        if let (Some(tpoint), Some(zplane)) = (layer["tpoint"].as_i64(), layer["zplane"].as_i64())
            && dark.contains(&(number(row, "site_id"), tpoint, zplane))
        {
            before.add(rows, "segmentations", id);
        }
    }
    let shown: BTreeSet<i64> = before
        .rows("segmentations")
        .filter(|(id, _)| !goes(rows, "segmentations", *id))
        .map(|(_, row)| number(row, "mapobject_id"))
        .collect();
    for (id, row) in before.rows("mapobjects") {
        let was_here = lost.iter().any(|(site, ..)| row["site_id"] == *site);
        if was_here && row["label"] != Value::Null && !shown.contains(&id) {
            before.add(rows, "mapobjects", id);
        }
    }
    for table in ["feature_rows", "label_values"] {
        for (id, row) in before.rows(table) {
            let at = |planes: &BTreeSet<Plane>| {
                planes.iter().any(|(site, tpoint, _)| row["site_id"] == *site && row["tpoint"] == *tpoint)
            };
            if at(&lost) && !at(&left) {
                before.add(rows, table, id);
            }
        }
    }
    let about: BTreeSet<i64> = before
        .rows("feature_rows")
        .filter(|(id, _)| !goes(rows, "feature_rows", *id))
        .map(|(_, row)| number(row, "feature_file_id"))
        .collect();
    let types: BTreeSet<i64> = own.types.into_iter().collect();
    for (id, row) in before.rows("feature_files") {
        if types.contains(&number(row, "mapobject_type_id")) && !about.contains(&id) {
            before.add(rows, "feature_files", id);
        }
    }
    for (id, row) in before.rows("segmentation_layers") {
        let at = |planes: &BTreeSet<Plane>| {
            planes.iter().any(|(_, tpoint, zplane)| row["tpoint"] == *tpoint && row["zplane"] == *zplane)
        };
        let shows = before.rows("segmentations").any(|(segmentation, row)| {
            row["segmentation_layer_id"] == id && !goes(rows, "segmentations", segmentation)
        });
        if types.contains(&number(row, "mapobject_type_id")) && at(&lost) && !at(&left) && !shows {
            before.add(rows, "segmentation_layers", id);
        }
    }
}
