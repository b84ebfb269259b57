//! Experiments, and the lists of types.

use serde_json::{Value, json};
use tm_tests::app::{OWNER, READER, STRANGER, TestApp};
use tm_tests::databases::Database;

tm_tests::on_each_database![
    types_to_choose_from_are_listed,
    an_experiment_is_created_with_200_and_found_again,
    every_plate_format_and_microscope_type_makes_an_experiment,
    a_list_holds_own_and_shared_experiments,
    an_unsupported_value_is_malformed_and_leaves_nothing,
    a_name_is_unique_per_owner,
    a_deleted_experiment_takes_everything_with_it,
];

fn new_experiment(name: &str) -> Value {
    json!({
        "name": name,
        "workflow_type": "canonical",
        "microscope_type": "cellvoyager",
        "plate_format": "96",
        "plate_acquisition_mode": "basic",
    })
}

async fn types_to_choose_from_are_listed(database: Database) {
    let app = TestApp::start_on(database).await;
    let owner = app.client(OWNER).await;
    for (path, known) in [
        ("/api/workflow_types", "canonical"),
        ("/api/microscope_types", "cellvoyager"),
        ("/api/acquisition_modes", "basic"),
    ] {
        let types = owner.get(path).await.data().clone();
        let mut sorted = types.as_array().unwrap().clone();
        sorted.sort_by_key(Value::to_string);
        assert_eq!(types, json!(sorted), "{path}");
        assert!(sorted.contains(&json!(known)), "{path}");
    }
}

async fn an_experiment_is_created_with_200_and_found_again(database: Database) {
    let app = TestApp::start_on(database).await;
    let owner = app.client(OWNER).await;
    let created = owner.post("/api/experiments", &new_experiment("first")).await;
    let expected = json!({"id": created.id(), "name": "first", "description": "", "user": "owner"});
    assert_eq!(created.data(), &expected);
    assert_eq!(owner.get(&format!("/api/experiments/{}", created.id())).await.data(), &expected);
    owner.post("/api/experiments", &new_experiment("second")).await.id();
    assert_eq!(owner.get("/api/experiments").await.all("name"), ["first", "second"]);
    assert_eq!(owner.get("/api/experiments?name=second").await.all("name"), ["second"]);
    assert_eq!(owner.get("/api/experiments?name=third").await.data(), &json!([]));
}

async fn every_plate_format_and_microscope_type_makes_an_experiment(database: Database) {
    let app = TestApp::start_on(database).await;
    let owner = app.client(OWNER).await;
    for microscope in ["cellvoyager", "metamorph", "visiview"] {
        for wells in [1, 6, 12, 24, 48, 96, 384, 1536] {
            let mut body = new_experiment(&format!("{microscope} {wells}"));
            body["microscope_type"] = json!(microscope);
            body["plate_format"] = json!(wells);
            owner.post("/api/experiments", &body).await.id();
        }
    }
    assert_eq!(owner.get("/api/experiments").await.all("name").len(), 24);
}

async fn a_list_holds_own_and_shared_experiments(database: Database) {
    let app = TestApp::start_on(database).await;
    app.experiment().await;
    assert_eq!(app.client(OWNER).await.get("/api/experiments").await.all("user"), [OWNER]);
    assert_eq!(app.client(READER).await.get("/api/experiments").await.all("user"), [OWNER]);
    assert_eq!(app.client(STRANGER).await.get("/api/experiments").await.data(), &json!([]));
}

async fn an_unsupported_value_is_malformed_and_leaves_nothing(database: Database) {
    let app = TestApp::start_on(database).await;
    let owner = app.client(OWNER).await;
    for (key, value) in [
        ("workflow_type", json!("nope")),
        ("microscope_type", json!("nope")),
        ("plate_format", json!(97)),
        ("plate_format", json!("many")),
        ("plate_format", json!(-1)),
        ("plate_acquisition_mode", json!("nope")),
        ("name", json!("  ")),
        ("name", json!(7)),
    ] {
        let mut body = new_experiment("x");
        body[key] = value;
        owner.post("/api/experiments", &body).await.fails(400, "MalformedRequestError");
    }
    assert_eq!(owner.get("/api/experiments").await.data(), &json!([]));
}

async fn a_name_is_unique_per_owner(database: Database) {
    let app = TestApp::start_on(database).await;
    let owner = app.client(OWNER).await;
    owner.post("/api/experiments", &new_experiment("x")).await.id();
    owner.post("/api/experiments", &new_experiment("x")).await.fails(409, "IntegrityError");
    app.client(READER).await.post("/api/experiments", &new_experiment("x")).await.id();
    let other = owner.post("/api/experiments", &new_experiment("y")).await.id();
    let path = format!("/api/experiments/{other}");
    owner.put(&path, &json!({"name": "x"})).await.fails(409, "IntegrityError");
    owner.put(&path, &json!({"name": "z"})).await.says("ok");
    assert_eq!(owner.get(&path).await.data()["name"], json!("z"));
}

async fn a_deleted_experiment_takes_everything_with_it(database: Database) {
    let app = TestApp::start_on(database).await;
    let (experiment, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    owner.register(&acquisition, &["MeasurementData.mlf"]).await;
    owner.upload(&acquisition, "MeasurementData.mlf", "x").await.says("ok");
    owner.delete(&experiment).await.says("ok");
    owner.get(&experiment).await.fails(404, "ResourceNotFoundError");
    owner.get(&acquisition).await.fails(404, "ResourceNotFoundError");
    app.client(READER).await.get(&experiment).await.fails(404, "ResourceNotFoundError");
    assert_eq!(app.uploaded_files(), Vec::<String>::new());
}
