//! Who may do what, on every route below an experiment.

use serde_json::{Value, json};
use tm_tests::app::{OWNER, READER, STRANGER, TestApp};
use tm_tests::databases::Database;

tm_tests::on_each_database![
    nobody_gets_in_without_a_token,
    a_stranger_is_forbidden_everything_with_403,
    a_reader_reads_and_changes_nothing,
    a_reader_with_write_access_may_change,
    an_unknown_experiment_is_404_on_every_route,
    an_unknown_or_foreign_child_is_404_on_every_route,
    ids_of_earlier_servers_are_understood,
];

/// Method, path below the experiment, body with all required keys, and whether it changes something.
fn routes() -> Vec<(&'static str, &'static str, Value, bool)> {
    let name = json!({"name": "new name"});
    vec![
        ("GET", "", Value::Null, false),
        ("PUT", "", name.clone(), true),
        ("DELETE", "", Value::Null, true),
        ("GET", "/plates", Value::Null, false),
        ("POST", "/plates", name.clone(), true),
        ("GET", "/plates/1", Value::Null, false),
        ("PUT", "/plates/1", name.clone(), true),
        ("DELETE", "/plates/1", Value::Null, true),
        ("GET", "/acquisitions", Value::Null, false),
        ("POST", "/acquisitions", json!({"name": "new", "plate_name": "plate"}), true),
        ("GET", "/acquisitions/1", Value::Null, false),
        ("PUT", "/acquisitions/1", name.clone(), true),
        ("DELETE", "/acquisitions/1", Value::Null, true),
        ("POST", "/acquisitions/1/upload/register", json!({"files": ["a.mlf"]}), true),
        ("POST", "/acquisitions/1/upload/validity-check", json!({"files": ["a.mlf"]}), true),
        ("POST", "/acquisitions/1/microscope-file", Value::Null, true),
        ("GET", "/acquisitions/1/upload/count", Value::Null, false),
        ("GET", "/acquisitions/1/images", Value::Null, false),
        ("GET", "/acquisitions/1/metadata", Value::Null, false),
        ("GET", "/wells", Value::Null, false),
        ("GET", "/wells/1", Value::Null, false),
        ("PUT", "/wells/1", json!({"description": {}}), true),
        ("GET", "/sites", Value::Null, false),
        ("GET", "/sites/1", Value::Null, false),
        ("GET", "/cycles", Value::Null, false),
        ("GET", "/cycles/1", Value::Null, false),
        ("GET", "/channels", Value::Null, false),
        ("GET", "/channels/1", Value::Null, false),
        ("PUT", "/channels/1", name, true),
    ]
}

async fn nobody_gets_in_without_a_token(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = app.experiment().await;
    let client = app.anonymous();
    for (method, path, body, _) in routes() {
        let answer = client.call(method, &format!("{experiment}{path}"), &body).await;
        answer.fails(401, "NotAuthorizedError");
    }
}

async fn a_stranger_is_forbidden_everything_with_403(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = app.experiment().await;
    let stranger = app.client(STRANGER).await;
    for (method, path, body, _) in routes() {
        let answer = stranger.call(method, &format!("{experiment}{path}"), &body).await;
        answer.fails(403, "ForbiddenError");
    }
}

async fn a_reader_reads_and_changes_nothing(database: Database) {
    let app = TestApp::start_on(database).await;
    let (experiment, _) = app.acquisition().await;
    planted(&app, &experiment).await;
    let reader = app.client(READER).await;
    for (method, path, body, changes) in routes() {
        let answer = reader.call(method, &format!("{experiment}{path}"), &body).await;
        if changes {
            answer.fails(403, "ForbiddenError");
        } else {
            assert_eq!(answer.status, 200, "{method} {path}: {:?}", answer.body);
        }
    }
}

async fn a_reader_with_write_access_may_change(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = app.experiment().await;
    app.sql("update experiment_shares set write_access = true").await;
    app.app.permissions.forget();
    app.client(READER).await.put(&experiment, &json!({"name": "renamed"})).await.says("ok");
}

async fn an_unknown_experiment_is_404_on_every_route(database: Database) {
    let app = TestApp::start_on(database).await;
    let owner = app.client(OWNER).await;
    for (method, path, body, _) in routes() {
        for experiment in ["/api/experiments/99", "/api/experiments/bogus"] {
            let answer = owner.call(method, &format!("{experiment}{path}"), &body).await;
            answer.fails(404, "ResourceNotFoundError");
        }
    }
}

async fn an_unknown_or_foreign_child_is_404_on_every_route(database: Database) {
    let app = TestApp::start_on(database).await;
    let (experiment, _) = app.acquisition().await;
    planted(&app, &experiment).await;
    let owner = app.client(OWNER).await;
    let body = json!({
        "name": "another experiment",
        "workflow_type": "canonical",
        "microscope_type": "cellvoyager",
        "plate_format": 384,
        "plate_acquisition_mode": "basic",
    });
    let other = format!("/api/experiments/{}", owner.post("/api/experiments", &body).await.id());
    for (method, path, body, _) in routes().into_iter().filter(|(_, path, ..)| path.contains("/1")) {
        // The children with id 1 exist, in the other experiment.
        for path in [
            format!("{other}{path}"),
            format!("{experiment}{}", path.replacen("/1", "/99", 1)),
            format!("{experiment}{}", path.replacen("/1", "/x!", 1)),
        ] {
            if path.ends_with("/microscope-file") {
                // A file is wanted before an acquisition is looked for; see `uploads`.
                continue;
            }
            let message = owner.call(method, &path, &body).await.fails(404, "ResourceNotFoundError");
            assert!(message.contains("not found"), "{message}");
        }
    }
    // Nothing was renamed, described or deleted through the wrong experiment.
    assert_eq!(owner.get(&format!("{experiment}/plates/1")).await.data()["name"], json!("plate"));
    assert_eq!(owner.get(&format!("{experiment}/acquisitions/1")).await.data()["name"], json!("acquisition"));
    assert_eq!(owner.get(&format!("{experiment}/channels/1")).await.data()["name"], json!("C01"));
    assert_eq!(
        owner.get(&format!("{experiment}/wells/1")).await.data()["description"],
        json!({"kept": true})
    );
}

async fn ids_of_earlier_servers_are_understood(database: Database) {
    let app = TestApp::start_on(database).await;
    let (experiment, _) = app.acquisition().await;
    assert_eq!(experiment, "/api/experiments/1");
    let owner = app.client(OWNER).await;
    for (experiment, plate) in [("dG1hcHMx", "dG1hcHMx"), ("1", "MQ=="), ("MQ", "1")] {
        let path = format!("/api/experiments/{experiment}/plates/{plate}");
        assert_eq!(owner.get(&path).await.data()["id"], json!("1"), "{path}");
    }
}

/// A well, a site, a cycle and a channel, all with id 1.
async fn planted(app: &TestApp, experiment: &str) {
    let experiment = experiment.rsplit('/').next().unwrap();
    app.sql("insert into wells (plate_id, name, description) values (1, 'A01', '{\"kept\": true}')").await;
    app.sql("insert into sites (well_id, y, x, height, width) values (1, 0, 0, 2, 3)").await;
    app.sql(&format!("insert into cycles (experiment_id, cycle_index) values ({experiment}, 0)")).await;
    app.sql(&format!(
        "insert into channels (experiment_id, name, wavelength, bit_depth) values ({experiment}, 'C01', 'C01', 16)"
    ))
    .await;
}
