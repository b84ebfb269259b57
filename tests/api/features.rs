//! Names of features: listed, changed, deleted.

use serde_json::json;
use tm_tests::app::{OWNER, TestApp};
use tm_tests::databases::Database;
use tm_tests::objects::{Objects, SiteNames, table};

tm_tests::on_each_database![
    features_are_listed_by_name_and_found_by_any_name,
    a_renamed_feature_keeps_its_values_and_touches_no_file,
    a_deleted_feature_is_gone_and_never_comes_back,
    features_of_another_experiment_are_not_found,
];

const A01: SiteNames<'_> = SiteNames { plate: "p", well: "A01", y: 0, x: 0 };

async fn one_cell(app: &TestApp) -> Objects<'_> {
    let objects = Objects::plant(app).await;
    let site = objects.site(objects.well(objects.plate("p").await, "A01").await, 0, 0).await;
    objects.object(site, 1, &[objects.layer]).await;
    objects
}

async fn features_are_listed_by_name_and_found_by_any_name(database: Database) {
    let app = TestApp::start_on(database).await;
    let objects = one_cell(&app).await;
    let owner = app.client(OWNER).await;
    let names = ["b/c", "a", "B", "ä, \"x\" & y=?#%2F"];
    let body = A01.upload(0, &names, &[1], &json!([[1, 2, 3, 4]]));
    owner.post(&format!("{}/feature-values", objects.path()), &body).await.says("ok");
    let path = format!("{}/features", objects.path());
    assert_eq!(owner.get(&path).await.all("name"), ["B", "a", "b/c", "ä, \"x\" & y=?#%2F"]);
    for (number, name) in names.iter().enumerate() {
        let found = owner.send(owner.request(reqwest::Method::GET, &path).query(&[("name", name)])).await;
        assert_eq!(found.data(), &json!([{"id": (number + 1).to_string(), "name": name}]));
    }
    assert_eq!(owner.get(&format!("{path}?name=b%2Fc")).await.all("id"), ["1"]);
    assert_eq!(owner.get(&format!("{path}?name=A")).await.data(), &json!([]));
    let unknown = format!("{}/mapobject_types/99/features", objects.experiment);
    owner.get(&unknown).await.fails(404, "ResourceNotFoundError");
}

async fn a_renamed_feature_keeps_its_values_and_touches_no_file(database: Database) {
    let app = TestApp::start_on(database).await;
    let objects = one_cell(&app).await;
    let owner = app.client(OWNER).await;
    let values = format!("{}/feature-values", objects.path());
    owner.post(&values, &A01.upload(0, &["a", "b"], &[1], &json!([[1, 2]]))).await.says("ok");
    let files = app.files();
    assert_eq!(files.len(), 1);
    let path = format!("{}/features/1", objects.experiment);
    owner.put(&path, &json!({"name": "b"})).await.fails(409, "IntegrityError");
    owner.put(&path, &json!({"name": ""})).await.fails(400, "MalformedRequestError");
    owner.put(&path, &json!({})).await.fails(400, "MissingPUTParameterError");
    owner.put(&path, &json!({"name": "x, \"y\"/z"})).await.says("ok");
    assert_eq!(table(&owner, &values).await.0, [["mapobject_id", "x, \"y\"/z", "b"], ["1", "1.0", "2.0"]]);
    assert_eq!(app.files(), files);
    // The name is free again.
    owner.post(&values, &A01.upload(0, &["a"], &[1], &json!([[3]]))).await.says("ok");
    assert_eq!(table(&owner, &values).await.0[1], ["1", "1.0", "2.0", "3.0"]);
}

async fn a_deleted_feature_is_gone_and_never_comes_back(database: Database) {
    let app = TestApp::start_on(database).await;
    let objects = one_cell(&app).await;
    let owner = app.client(OWNER).await;
    let values = format!("{}/feature-values", objects.path());
    owner.post(&values, &A01.upload(0, &["a", "b"], &[1], &json!([[1, 2]]))).await.says("ok");
    let path = format!("{}/features/1", objects.experiment);
    owner.delete(&path).await.says("ok");
    assert_eq!(table(&owner, &values).await.0, [["mapobject_id", "b"], ["1", "2.0"]]);
    assert_eq!(owner.get(&format!("{}/features", objects.path())).await.all("name"), ["b"]);
    owner.delete(&path).await.fails(404, "ResourceNotFoundError");
    owner.put(&path, &json!({"name": "c"})).await.fails(404, "ResourceNotFoundError");
    // One of the same name is another one.
    owner.post(&values, &A01.upload(0, &["a"], &[1], &json!([[null]]))).await.says("ok");
    assert_eq!(table(&owner, &values).await.0, [["mapobject_id", "b", "a"], ["1", "2.0", "nan"]]);
}

async fn features_of_another_experiment_are_not_found(database: Database) {
    let app = TestApp::start_on(database).await;
    let objects = one_cell(&app).await;
    let owner = app.client(OWNER).await;
    let values = format!("{}/feature-values", objects.path());
    owner.post(&values, &A01.upload(0, &["a"], &[1], &json!([[1]]))).await.says("ok");
    let other = owner
        .post(
            "/api/experiments",
            &json!({
                "name": "another", "workflow_type": "canonical", "microscope_type": "cellvoyager",
                "plate_format": 96, "plate_acquisition_mode": "basic",
            }),
        )
        .await
        .id();
    let path = format!("/api/experiments/{other}");
    owner.delete(&format!("{path}/features/1")).await.fails(404, "ResourceNotFoundError");
    owner.put(&format!("{path}/features/1"), &json!({"name": "b"})).await.fails(404, "ResourceNotFoundError");
    for kind in ["features", "feature-values", "metadata"] {
        owner.get(&format!("{path}/mapobject_types/1/{kind}")).await.fails(404, "ResourceNotFoundError");
    }
    assert_eq!(table(&owner, &values).await.0, [["mapobject_id", "a"], ["1", "1.0"]]);
}
