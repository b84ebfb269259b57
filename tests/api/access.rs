//! Ids in paths. Who may do what is in `matrix`.

use reqwest::Method;
use serde_json::json;
use tm_tests::app::{OWNER, TestApp};
use tm_tests::databases::Database;

tm_tests::on_each_database![ids_of_earlier_servers_are_understood];

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

#[tokio::test]
async fn an_id_that_is_no_text_is_404() {
    let app = TestApp::start().await;
    let owner = app.client(OWNER).await;
    for path in ["/api/experiments/%ff", "/api/experiments/1/plates/%c3"] {
        for method in [Method::GET, Method::DELETE] {
            owner.send(owner.request(method, path)).await.fails(404, "ResourceNotFoundError");
        }
    }
}
