//! Acquisitions.

use serde_json::json;
use tm_tests::app::{OWNER, TestApp};
use tm_tests::databases::Database;

tm_tests::on_each_database![
    an_acquisition_is_created_in_the_plate_of_that_name,
    an_acquisition_of_an_unknown_plate_is_404,
    acquisitions_are_filtered_by_plate_and_name,
    an_acquisition_name_is_checked_and_unique_in_its_plate,
    a_deleted_acquisition_takes_its_files_and_images_with_it,
];

async fn an_acquisition_is_created_in_the_plate_of_that_name(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = app.experiment().await;
    let owner = app.client(OWNER).await;
    owner.post(&format!("{experiment}/plates"), &json!({"name": "p"})).await.id();
    let acquisitions = format!("{experiment}/acquisitions");
    let created =
        owner.post(&acquisitions, &json!({"plate_name": "p", "name": "a", "description": "d"})).await;
    let expected = json!({
        "id": created.id(), "name": "a", "description": "d", "status": "WAITING", "plate_name": "p",
    });
    assert_eq!(created.data(), &expected);
    assert_eq!(owner.get(&format!("{acquisitions}/{}", created.id())).await.data(), &expected);
    assert_eq!(owner.get(&acquisitions).await.data(), &json!([expected]));
}

async fn an_acquisition_of_an_unknown_plate_is_404(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = app.experiment().await;
    let owner = app.client(OWNER).await;
    let body = json!({"plate_name": "nope", "name": "a"});
    let message =
        owner.post(&format!("{experiment}/acquisitions"), &body).await.fails(404, "ResourceNotFoundError");
    assert!(message.contains("nope"), "{message}");
}

async fn acquisitions_are_filtered_by_plate_and_name(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = app.experiment().await;
    let owner = app.client(OWNER).await;
    let acquisitions = format!("{experiment}/acquisitions");
    for plate in ["p1", "p2"] {
        owner.post(&format!("{experiment}/plates"), &json!({"name": plate})).await.id();
        for name in ["a", "b"] {
            owner.post(&acquisitions, &json!({"plate_name": plate, "name": name})).await.id();
        }
    }
    let ids = async |query: &str| owner.get(&format!("{acquisitions}{query}")).await.all("id");
    assert_eq!(ids("").await, ["1", "2", "3", "4"]);
    assert_eq!(ids("?plate_name=p2").await, ["3", "4"]);
    assert_eq!(ids("?name=a").await, ["1", "3"]);
    assert_eq!(ids("?plate_name=p2&name=a").await, ["3"]);
    assert_eq!(ids("?plate_name=nope").await, Vec::<String>::new());
}

async fn an_acquisition_name_is_checked_and_unique_in_its_plate(database: Database) {
    let app = TestApp::start_on(database).await;
    let (experiment, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    let acquisitions = format!("{experiment}/acquisitions");
    let body = json!({"plate_name": "plate", "name": "acquisition"});
    owner.post(&acquisitions, &body).await.fails(409, "IntegrityError");
    owner.post(&acquisitions, &json!({"plate_name": "plate", "name": "b"})).await.id();
    owner.put(&acquisition, &json!({"name": "b"})).await.fails(409, "IntegrityError");
    owner.put(&acquisition, &json!({"name": ""})).await.fails(400, "MalformedRequestError");
    owner.put(&acquisition, &json!({})).await.fails(400, "MissingPUTParameterError");
    owner.post(&acquisitions, &json!({"name": "c"})).await.fails(400, "MissingPOSTParameterError");
    owner.post(&acquisitions, &json!({"plate_name": "plate"})).await.fails(400, "MissingPOSTParameterError");
    owner.put(&acquisition, &json!({"name": "c"})).await.says("ok");
    assert_eq!(owner.get(&acquisitions).await.all("name"), ["c", "b"]);
    owner.post(&format!("{experiment}/plates"), &json!({"name": "p2"})).await.id();
    owner.post(&acquisitions, &json!({"plate_name": "p2", "name": "c"})).await.id();
}

async fn a_deleted_acquisition_takes_its_files_and_images_with_it(database: Database) {
    let app = TestApp::start_on(database).await;
    let (experiment, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    owner.register(&acquisition, &["a.mlf"]).await;
    owner.upload(&acquisition, "a.mlf", "a").await.says("ok");
    owner.delete(&acquisition).await.says("ok");
    owner.get(&acquisition).await.fails(404, "ResourceNotFoundError");
    owner.delete(&acquisition).await.fails(404, "ResourceNotFoundError");
    assert_eq!(owner.get(&format!("{experiment}/acquisitions")).await.data(), &json!([]));
    assert_eq!(app.uploaded_files(), Vec::<String>::new());
    assert!(!app.app.environment.data.uploads(1, 1).exists());
    // The name is free again, and nothing of the old acquisition shows up in the new one.
    let body = json!({"plate_name": "plate", "name": "acquisition"});
    let id = owner.post(&format!("{experiment}/acquisitions"), &body).await.id();
    let path = format!("{experiment}/acquisitions/{id}");
    assert_eq!(owner.get(&format!("{path}/metadata")).await.data(), &json!([]));
}
