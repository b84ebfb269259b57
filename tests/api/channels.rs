//! Channels.

use serde_json::json;
use tm_tests::app::{OWNER, TestApp};
use tm_tests::databases::Database;

tm_tests::on_each_database![
    channels_are_listed_by_name_with_their_layers,
    a_channel_is_renamed_to_a_free_name,
];

async fn planted(app: &TestApp) -> String {
    let experiment = app.experiment().await;
    app.sql(
        "insert into channels (experiment_id, name, planned_name, wavelength, bit_depth)
         values (1, 'b', 'b', 'b', 16), (1, 'a', 'a', 'a', 8), (1, 'B', 'B', 'B', 16)",
    )
    .await;
    app.sql(
        "insert into channel_layers (channel_id, tpoint, zplane, min_intensity, max_intensity)
         values (1, 0, 0, 10, 500), (2, 1, 2, 0, 255)",
    )
    .await;
    format!("{experiment}/channels")
}

async fn channels_are_listed_by_name_with_their_layers(database: Database) {
    let app = TestApp::start_on(database).await;
    let channels = planted(&app).await;
    let owner = app.client(OWNER).await;
    let all = owner.get(&channels).await;
    assert_eq!(all.all("name"), ["B", "a", "b"]);
    // No size before the pyramid step has run.
    assert_eq!(
        all.data()[2],
        json!({"id": "1", "name": "b", "bit_depth": 16, "layers": [{
            "id": "1", "max_zoom": null, "tpoint": 0, "zplane": 0,
            "min_intensity": 10, "max_intensity": 500, "image_size": null,
        }]})
    );
    assert_eq!(all.data()[0]["layers"], json!([]));
    assert_eq!(owner.get(&format!("{channels}/1")).await.data(), &all.data()[2]);
    assert_eq!(owner.get(&format!("{channels}?name=a")).await.all("id"), ["2"]);
    assert_eq!(owner.get(&format!("{channels}?name=c")).await.data(), &json!([]));
}

async fn a_channel_is_renamed_to_a_free_name(database: Database) {
    let app = TestApp::start_on(database).await;
    let channels = planted(&app).await;
    let owner = app.client(OWNER).await;
    let path = format!("{channels}/1");
    owner.put(&path, &json!({"name": "a"})).await.fails(409, "IntegrityError");
    owner.put(&path, &json!({"name": ""})).await.fails(400, "MalformedRequestError");
    owner.put(&path, &json!({})).await.fails(400, "MissingPUTParameterError");
    assert_eq!(owner.get(&path).await.data()["name"], json!("b"));
    owner.put(&path, &json!({"name": "DAPI"})).await.says("ok");
    assert_eq!(owner.get(&path).await.data()["name"], json!("DAPI"));
}
