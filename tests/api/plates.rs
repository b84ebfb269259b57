//! Plates.

use serde_json::json;
use tm_tests::app::{OWNER, TestApp};
use tm_tests::databases::Database;

tm_tests::on_each_database![
    a_plate_is_created_empty_and_waiting,
    plates_are_filtered_by_exact_name,
    a_plate_name_is_checked_and_unique,
    a_plate_lists_its_own_acquisitions_and_sums_up_their_status,
    a_deleted_plate_takes_rows_and_files_with_it_and_nothing_else,
];

async fn a_plate_is_created_empty_and_waiting(database: Database) {
    let app = TestApp::start_on(database).await;
    let plates = format!("{}/plates", app.experiment().await);
    let owner = app.client(OWNER).await;
    let created = owner.post(&plates, &json!({"name": " p1 ", "description": "first"})).await;
    let expected = json!({
        "id": created.id(), "name": " p1 ", "description": "first", "acquisitions": [], "status": "WAITING",
    });
    assert_eq!(created.data(), &expected);
    assert_eq!(owner.get(&format!("{plates}/{}", created.id())).await.data(), &expected);
    let second = owner.post(&plates, &json!({"name": "p0", "description": null})).await;
    assert_eq!(second.data()["description"], json!(""));
    assert_eq!(owner.get(&plates).await.all("name"), [" p1 ", "p0"]);
}

async fn plates_are_filtered_by_exact_name(database: Database) {
    let app = TestApp::start_on(database).await;
    let plates = format!("{}/plates", app.experiment().await);
    let owner = app.client(OWNER).await;
    for name in ["p1", "p2", "P1"] {
        owner.post(&plates, &json!({"name": name})).await.id();
    }
    assert_eq!(owner.get(&format!("{plates}?name=p1")).await.all("name"), ["p1"]);
    assert_eq!(owner.get(&format!("{plates}?name=p3")).await.data(), &json!([]));
    assert_eq!(owner.get(&format!("{plates}?name=p1&name=p2&other=1")).await.all("name"), ["p1"]);
}

async fn a_plate_name_is_checked_and_unique(database: Database) {
    let app = TestApp::start_on(database).await;
    let plates = format!("{}/plates", app.experiment().await);
    let owner = app.client(OWNER).await;
    let id = owner.post(&plates, &json!({"name": "p1"})).await.id();
    owner.post(&plates, &json!({"name": "p2"})).await.id();
    owner.post(&plates, &json!({"name": "p1"})).await.fails(409, "IntegrityError");
    let path = format!("{plates}/{id}");
    owner.put(&path, &json!({"name": "p2"})).await.fails(409, "IntegrityError");
    owner.put(&path, &json!({})).await.fails(400, "MissingPUTParameterError");
    owner.post(&plates, &json!({"description": "x"})).await.fails(400, "MissingPOSTParameterError");
    for name in [json!(""), json!(" "), json!("a\nb"), json!("x".repeat(257)), json!(1), json!(["a"])] {
        owner.post(&plates, &json!({"name": name})).await.fails(400, "MalformedRequestError");
        owner.put(&path, &json!({"name": name})).await.fails(400, "MalformedRequestError");
    }
    assert_eq!(owner.get(&plates).await.all("name"), ["p1", "p2"]);
    owner.put(&path, &json!({"name": "p1"})).await.says("ok");
    owner.put(&path, &json!({"name": "p9"})).await.says("ok");
    assert_eq!(owner.get(&plates).await.all("name"), ["p9", "p2"]);
}

async fn a_plate_lists_its_own_acquisitions_and_sums_up_their_status(database: Database) {
    let app = TestApp::start_on(database).await;
    let (experiment, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    let plates = format!("{experiment}/plates");
    owner.post(&plates, &json!({"name": "empty"})).await.id();
    let status = async || {
        let answer = owner.get(&plates).await;
        assert_eq!(answer.data()[0]["acquisitions"].as_array().unwrap().len(), 1);
        assert_eq!(answer.data()[0]["acquisitions"][0], *owner.get(&acquisition).await.data());
        assert_eq!(answer.data()[1]["acquisitions"], json!([]));
        assert_eq!(answer.data()[1]["status"], json!("WAITING"));
        answer.data()[0]["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(status().await, "WAITING");
    owner.register(&acquisition, &["a.mlf", "b.mlf"]).await;
    owner.upload(&acquisition, "a.mlf", "a").await.says("ok");
    assert_eq!(status().await, "WAITING");
    app.sql("update microscope_files set status = 'UPLOADING' where name = 'b.mlf'").await;
    assert_eq!(status().await, "UPLOADING");
    app.sql("update microscope_files set status = 'FAILED' where name = 'b.mlf'").await;
    assert_eq!(status().await, "WAITING");
    owner.upload(&acquisition, "b.mlf", "b").await.says("ok");
    assert_eq!(status().await, "COMPLETE");
    // Complete only while all of its acquisitions are.
    let body = json!({"plate_name": "plate", "name": "second"});
    owner.post(&format!("{experiment}/acquisitions"), &body).await.id();
    assert_eq!(owner.get(&plates).await.data()[0]["status"], json!("WAITING"));
}

async fn a_deleted_plate_takes_rows_and_files_with_it_and_nothing_else(database: Database) {
    let app = TestApp::start_on(database).await;
    let (experiment, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    let plates = format!("{experiment}/plates");
    owner.post(&plates, &json!({"name": "kept"})).await.id();
    let body = json!({"plate_name": "kept", "name": "kept"});
    let kept = owner.post(&format!("{experiment}/acquisitions"), &body).await.id();
    let kept = format!("{experiment}/acquisitions/{kept}");
    for acquisition in [&acquisition, &kept] {
        owner.register(acquisition, &["a.mlf"]).await;
        owner.upload(acquisition, "a.mlf", "a").await.says("ok");
    }
    let images = app.app.environment.data.plate_images(1, 1, 3);
    std::fs::create_dir_all(&images).unwrap();
    app.sql("update plates set image_generation = 3 where id = 1").await;
    app.sql("insert into wells (plate_id, name, description) values (1, 'A01', '{}'), (2, 'A01', '{}')")
        .await;
    app.sql("insert into sites (well_id, y, x, height, width) values (1, 0, 0, 2, 3), (2, 0, 0, 2, 3)").await;

    owner.delete(&format!("{plates}/1")).await.says("ok");

    assert_eq!(owner.get(&plates).await.all("name"), ["kept"]);
    assert_eq!(owner.get(&format!("{experiment}/acquisitions")).await.all("name"), ["kept"]);
    assert_eq!(owner.get(&format!("{experiment}/wells")).await.all("plate_name"), ["kept"]);
    assert_eq!(owner.get(&format!("{experiment}/sites")).await.all("plate_name"), ["kept"]);
    owner.get(&acquisition).await.fails(404, "ResourceNotFoundError");
    owner.delete(&format!("{plates}/1")).await.fails(404, "ResourceNotFoundError");
    assert_eq!(app.uploaded_files(), ["1/uploads/2/a.mlf"]);
    assert!(!images.exists());
}
