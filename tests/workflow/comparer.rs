//! The comparer of `crash` sees what it should: every kind of difference, and none where there is none.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tm_server::storage::images::{FieldImage, PlaneIndex};
use tm_tests::app::{OWNER, TestApp};
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::plates::{ALL_STAGES, Experiment};
use tm_tests::snapshot::Snapshot;

async fn taken(app: &TestApp) -> Snapshot {
    Snapshot::take(&app.client(OWNER).await, app.environment().data.root()).await
}

/// The one thing in a directory.
fn only(directory: &Path) -> PathBuf {
    let entries: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(entries.len(), 1, "{}", directory.display());
    entries[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_difference_is_seen_and_nothing_else_is_one() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    let acquisition =
        experiment.upload("plate", "acquisition", &PlateFiles::new("same").grid(1, 2).size(40, 50)).await;
    experiment.run(ALL_STAGES, &[]).await;
    let types = format!("{}/mapobject_types", experiment.path);
    let cells = experiment.client.post(&types, &json!({"name": "Cells"})).await.id();
    let body = json!({
        "plate_name": "plate", "well_name": "B03", "well_pos_y": 0, "well_pos_x": 1, "tpoint": 0, "zplane": 0,
        "image": vec![vec![1; 50]; 40],
    });
    experiment.client.post(&format!("{types}/{cells}/segmentations"), &body).await.says("ok");
    let mut values = json!({"names": ["a"], "labels": [1], "values": [[0.5]]});
    let mut upload_value = async |value: f64| {
        for key in ["plate_name", "well_name", "well_pos_y", "well_pos_x", "tpoint"] {
            values[key] = body[key].clone();
        }
        values["values"] = json!([[value]]);
        experiment.client.post(&format!("{types}/{cells}/feature-values"), &values).await.says("ok");
    };
    upload_value(0.5).await;
    let project = format!("{}/workflow/jtproject", experiment.path);
    let body = json!({"pipeline": {"version": "1", "pipeline": []}, "handles": {}});
    experiment.client.put(&project, &body).await.says("ok");
    let whole = taken(&app).await;
    assert!(whole.differences(&taken(&app).await).is_empty());
    upload_value(0.25).await;
    assert!(!whole.differences(&taken(&app).await).is_empty(), "a value was not seen");
    upload_value(0.5).await;
    assert!(
        whole.differences(&taken(&app).await).is_empty(),
        "the same value in another file is no difference"
    );

    let directory = experiment.directory();
    let plate = only(&directory.join("plates"));
    let pixels = plate.join("B/03/1");
    let uploads = directory.join("uploads").join(acquisition.rsplit('/').next().unwrap());
    let upload = fs::read_dir(&uploads).unwrap().next().unwrap().unwrap().path();
    let statistics = only(&directory.join("statistics")).join("std/c/0/0");
    let stray = directory.join("layers/.left.part");
    let foreign = directory.parent().unwrap().join("77");

    let seen = async |what: &str| {
        let differences = whole.differences(&taken(&app).await);
        assert!(!differences.is_empty(), "{what} was not seen");
    };
    let field = FieldImage::open(&plate, "B/03/1").unwrap();
    let at = PlaneIndex { t: 0, c: 0, z: 0 };
    let before = field.read_plane(at).unwrap().expect("it is stored");
    let mut changed = before.clone();
    if let tm_engine::image::GreyPlane::U16(plane) = &mut changed {
        plane.row_mut(39)[49] ^= 1;
    }
    field.write_plane(at, &changed).unwrap();
    seen("one pixel").await;
    field.write_plane(at, &before).unwrap();
    assert!(whole.differences(&taken(&app).await).is_empty(), "writing the same again is no difference");

    for path in [&upload, &statistics, &pixels.join("zarr.json")] {
        let bytes = fs::read(path).unwrap();
        fs::remove_file(path).unwrap();
        if path != &pixels.join("zarr.json") {
            seen(&format!("{} gone", path.display())).await;
        }
        fs::write(path, &bytes).unwrap();
    }
    let mut bytes = fs::read(&upload).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&upload, &bytes).unwrap();
    seen("one bit of an upload").await;
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&upload, &bytes).unwrap();

    fs::write(&stray, "").unwrap();
    seen("a stray file").await;
    fs::remove_file(&stray).unwrap();
    fs::create_dir(&foreign).unwrap();
    seen("a directory of no experiment").await;
    fs::remove_dir(&foreign).unwrap();

    for (change, back) in [
        (
            "update jterator_projects set pipeline = replace(pipeline, '\"1\"', '\"2\"')",
            "update jterator_projects set pipeline = replace(pipeline, '\"2\"', '\"1\"')",
        ),
        ("update wells set name = 'B04'", "update wells set name = 'B03'"),
        (
            "update mapobjects set label = 2 where label = 1",
            "update mapobjects set label = 1 where label = 2",
        ),
        (
            "update tasks set state = 'RUNNING' where name = 'corilla_run_0000001'",
            "update tasks set state = 'TERMINATED' where name = 'corilla_run_0000001'",
        ),
        (
            "update microscope_files set status = 'FAILED' where kind = 'metadata'",
            "update microscope_files set status = 'COMPLETE'",
        ),
    ] {
        app.sql(change).await;
        seen(change).await;
        app.sql(back).await;
    }
    assert!(whole.differences(&taken(&app).await).is_empty(), "all is as it was");
}
