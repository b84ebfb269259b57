//! Tools: which there are, their results and jobs. Rows are planted, as long as no tool makes any.

use serde_json::{Value, json};
use tm_tests::app::{OWNER, READER, TestApp};
use tm_tests::databases::Database;

tm_tests::on_each_database![
    results_are_listed_shown_renamed_and_deleted,
    jobs_are_shown_to_whoever_asked_for_them,
];

/// Results of the owner's submission 1 and the reader's submission 2, and one of a deleted submission.
async fn planted(app: &TestApp) -> String {
    let experiment = app.experiment().await;
    let owner = app.client(OWNER).await;
    owner.post(&format!("{experiment}/mapobject_types"), &json!({"name": "Cells"})).await.id();
    app.sql("insert into segmentation_layers (mapobject_type_id, tpoint, zplane) values (1, 0, 2)").await;
    for user in [1, 2] {
        let statement = format!(
            "insert into submissions (experiment_id, user_id, program, description, created_at)
             values (1, {user}, 'tool', '{{}}', 1500000000000000)"
        );
        app.insert(&statement).await;
    }
    app.sql(
        "insert into tool_results (mapobject_type_id, submission_id, name, tool_name, type, attributes, version,
             created_at)
         values (1, 2, 'Heatmap-2', 'Heatmap', 'HeatmapToolResult', '{}', 0, 0),
             (1, 1, 'Clustering-1', 'Clustering', 'ScalarToolResult', '{\"unique_labels\": [0, 1]}', 0, 0),
             (1, null, 'old', 'Clustering', 'ScalarToolResult', '{}', 0, 0)",
    )
    .await;
    experiment
}

async fn results_are_listed_shown_renamed_and_deleted(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = planted(&app).await;
    let (owner, reader) = (app.client(OWNER).await, app.client(READER).await);
    let results = format!("{experiment}/tools/results");
    let first = json!({
        "id": "2", "name": "Clustering-1", "submission_id": 1, "tool_name": "Clustering",
        "type": "ScalarToolResult", "attributes": {"unique_labels": [0, 1]}, "plots": [],
        "layers": [{"id": "1", "tpoint": 0, "zplane": 2, "image_size": null}],
    });
    assert_eq!(owner.get(&results).await.data(), &json!([first]));
    assert_eq!(owner.get(&results.replace("results", "result")).await.data(), &json!([first]));
    assert_eq!(reader.get(&results).await.all("name"), ["Heatmap-2"]);
    assert_eq!(owner.get(&format!("{results}?submission_id=2")).await.all("name"), ["Heatmap-2"]);
    let with_body = owner.request(reqwest::Method::GET, &results).json(&json!({"submission_id": 2}));
    assert_eq!(owner.send(with_body).await.all("name"), ["Heatmap-2"]);
    let with_body = owner.request(reqwest::Method::GET, &results).json(&json!({"submission_id": "x"}));
    owner.send(with_body).await.fails(400, "MalformedRequestError");
    assert_eq!(owner.get(&format!("{results}?submission_id=2&name=other")).await.data(), &json!([]));
    assert_eq!(owner.get(&format!("{results}/2")).await.data(), &first);
    for name in ["", "a b", "a/b", "é", &"x".repeat(51)] {
        owner.put(&format!("{results}/2"), &json!({"name": name})).await.fails(400, "MalformedRequestError");
    }
    owner.put(&format!("{results}/2"), &json!({"name": "old"})).await.fails(409, "IntegrityError");
    reader.put(&format!("{results}/2"), &json!({"name": "mine"})).await.fails(403, "ForbiddenError");
    owner.put(&format!("{results}/2"), &json!({"name": "new_name-2"})).await.says("ok");
    assert_eq!(owner.get(&format!("{results}/2")).await.data()["name"], "new_name-2");
    owner.delete(&format!("{results}/2")).await.says("ok");
    owner.delete(&format!("{results}/2")).await.fails(404, "ResourceNotFoundError");
    assert_eq!(owner.get(&results).await.data(), &json!([]));
    assert_eq!(owner.get(&format!("{results}/3")).await.data()["submission_id"], Value::Null);
    owner.delete(&format!("{experiment}/mapobject_types/1")).await.says("ok");
    owner.get(&format!("{results}/3")).await.fails(404, "ResourceNotFoundError");
}

async fn jobs_are_shown_to_whoever_asked_for_them(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = planted(&app).await;
    let (owner, reader) = (app.client(OWNER).await, app.client(READER).await);
    assert_eq!(owner.get("/api/tools").await.data(), &json!([]));
    let jobs = format!("{experiment}/tools/jobs");
    assert_eq!(owner.get(&jobs).await.data(), &json!([]));
    for (submission, tool, state) in [(1, "Heatmap", "RUNNING"), (2, "Clustering", "TERMINATED")] {
        let statement = format!(
            "insert into tasks (submission_id, name, type, state, job, created_at, updated_at)
             values ({submission}, 'tool_{tool}', 'ToolJob', '{state}', '{{}}', 0, 0)"
        );
        app.insert(&statement).await;
    }
    let listed = owner.get(&jobs).await;
    assert_eq!(listed.all("name"), ["tool_Heatmap"]);
    let job = &listed.data()[0];
    assert_eq!(
        (&job["id"], &job["submission_id"], &job["type"]),
        (&json!("1"), &json!(1), &json!("ToolJob"))
    );
    assert!(job["submitted_at"].as_str().unwrap().starts_with("2017-07-1"), "{job}");
    for (query, count) in [
        ("submission_id=1", 1),
        ("submission_id=2", 0),
        ("tool_name=Heatmap&state=RUNNING&name=tool_Heatmap", 1),
        ("tool_name=Clustering", 0),
        ("state=TERMINATED", 0),
        ("name=Heatmap", 0),
    ] {
        let found = owner.get(&format!("{jobs}?{query}")).await;
        assert_eq!(found.data().as_array().unwrap().len(), count, "{query}");
    }
    assert_eq!(reader.get(&jobs).await.all("name"), ["tool_Clustering"]);
    assert_eq!(owner.get(&format!("{jobs}/1/log")).await.data(), &json!({"stdout": "", "stderr": ""}));
    owner.get(&format!("{jobs}/2/log")).await.fails(404, "ResourceNotFoundError");
    reader.get(&format!("{jobs}/2/log")).await.data();
}
