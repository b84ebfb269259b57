//! Layers: their lists. Tiles have tests of their own.

use serde_json::{Value, json};
use tm_tests::app::{OWNER, TestApp};

/// Types `Cells` with layers at three planes and `Wells` with one for all planes; and a foreign layer.
async fn planted(app: &TestApp) -> String {
    let experiment = app.experiment().await;
    let body = json!({
        "name": "foreign", "workflow_type": "canonical", "microscope_type": "cellvoyager", "plate_format": 96,
        "plate_acquisition_mode": "basic",
    });
    app.client(OWNER).await.post("/api/experiments", &body).await.id();
    app.sql(
        "insert into mapobject_types (experiment_id, name, ref_type)
         values (1, 'Wells', 'Well'), (1, 'Cells', 'Site'), (2, 'Cells', 'Site')",
    )
    .await;
    app.sql(
        "insert into segmentation_layers (mapobject_type_id, tpoint, zplane)
         values (2, 1, 0), (2, 0, 0), (3, 0, 0), (2, 0, 1), (1, null, null)",
    )
    .await;
    format!("{experiment}/segmentation_layers")
}

fn layer(id: &str, tpoint: Option<i64>, zplane: Option<i64>, image_size: Value) -> Value {
    json!({"id": id, "tpoint": tpoint, "zplane": zplane, "image_size": image_size})
}

#[tokio::test]
async fn segmentation_layers_are_listed_and_filtered() {
    let app = TestApp::start().await;
    let layers = planted(&app).await;
    let owner = app.client(OWNER).await;
    assert_eq!(
        owner.get(&layers).await.data(),
        &json!([
            layer("1", Some(1), Some(0), Value::Null),
            layer("2", Some(0), Some(0), Value::Null),
            layer("4", Some(0), Some(1), Value::Null),
            layer("5", None, None, Value::Null),
        ])
    );
    let ids = async |query: &str| owner.get(&format!("{layers}?{query}")).await.all("id");
    assert_eq!(ids("mapobject_type_name=Cells").await, ["1", "2", "4"]);
    assert_eq!(ids("mapobject_type_name=Wells").await, ["5"]);
    assert_eq!(ids("mapobject_type_name=cells").await, Vec::<String>::new());
    assert_eq!(ids("tpoint=0").await, ["2", "4"]);
    assert_eq!(ids("zplane=0").await, ["1", "2"]);
    assert_eq!(ids("mapobject_type_name=Cells&tpoint=0&zplane=1").await, ["4"]);
}

#[tokio::test]
async fn a_segmentation_layer_has_the_size_of_the_map_once_there_is_one() {
    let app = TestApp::start().await;
    let layers = planted(&app).await;
    app.sql(
        "update experiments set pyramid_height = 300, pyramid_width = 700, pyramid_depth = 3 where id = 1",
    )
    .await;
    let answer = app.client(OWNER).await.get(&format!("{layers}?tpoint=1")).await;
    let size = json!({"width": 700, "height": 300});
    assert_eq!(answer.data(), &json!([layer("1", Some(1), Some(0), size)]));
}

#[tokio::test]
async fn a_type_has_one_layer_per_plane_and_one_for_all_planes() {
    let app = TestApp::start().await;
    planted(&app).await;
    for (tpoint, zplane) in [("0", "1"), ("null", "null")] {
        for (objects, taken) in [(1, zplane == "null"), (2, zplane == "1")] {
            let statement = format!(
                "insert into segmentation_layers (mapobject_type_id, tpoint, zplane)
                 values ({objects}, {tpoint}, {zplane})"
            );
            assert_eq!(app.try_sql(&statement).await.is_err(), taken, "{statement}");
        }
    }
}
