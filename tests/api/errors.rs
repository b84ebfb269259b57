//! The error envelope, whoever raises the error.

use reqwest::Method;
use serde_json::json;
use tm_tests::app::{OWNER, STRANGER, TestApp};

#[tokio::test]
async fn an_error_is_an_envelope_and_nothing_else() {
    let app = TestApp::start().await;
    let answer = app.client(OWNER).await.get("/api/experiments/99").await;
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.body,
        json!({"error": {
            "error": true,
            "message": "experiment 99 not found",
            "status_code": 404,
            "type": "ResourceNotFoundError",
        }})
    );
}

#[tokio::test]
async fn an_unknown_path_and_a_wrong_method_have_the_envelope() {
    let app = TestApp::start().await;
    let owner = app.client(OWNER).await;
    owner.get("/api/nothing").await.fails(404, "ResourceNotFoundError");
    owner.get("/api/experiments/").await.fails(404, "ResourceNotFoundError");
    owner.delete("/api/experiments").await.fails(405, "MethodNotAllowedError");
}

#[tokio::test]
async fn missing_keys_are_named_by_the_method_that_misses_them() {
    let app = TestApp::start().await;
    let experiment = app.experiment().await;
    let owner = app.client(OWNER).await;
    let message =
        owner.post("/api/experiments", &json!({"name": "x"})).await.fails(400, "MissingPOSTParameterError");
    assert!(message.contains("workflow_type") && message.contains("plate_format"), "{message}");
    let message = owner.put(&experiment, &json!({"name": null})).await.fails(400, "MissingPUTParameterError");
    assert!(message.contains("`name`"), "{message}");
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_malformed() {
    let app = TestApp::start().await;
    let owner = app.client(OWNER).await;
    for body in ["{", "[1]", "\"x\"", "\u{fffd}"] {
        let request = owner.request(Method::POST, "/api/experiments").body(body);
        owner.send(request).await.fails(400, "MalformedRequestError");
    }
}

#[tokio::test]
async fn json_is_read_whatever_the_content_type_says() {
    let app = TestApp::start().await;
    let experiment = app.experiment().await;
    let owner = app.client(OWNER).await;
    let request = owner
        .request(Method::PUT, &experiment)
        .header("Content-Type", "text/plain")
        .body(r#"{"name": "renamed"}"#);
    owner.send(request).await.says("ok");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_with_413() {
    let app = TestApp::start_with(|config| config.max_body_bytes = 1000).await;
    let body = json!({"name": "x".repeat(2000)});
    app.client(OWNER).await.post("/api/experiments", &body).await.fails(413, "PayloadTooLargeError");
}

#[tokio::test]
async fn head_answers_like_get_without_a_body() {
    let app = TestApp::start().await;
    let experiment = app.experiment().await;
    let owner = app.client(OWNER).await;
    for path in [experiment.clone(), format!("{experiment}/plates"), format!("{experiment}/sites")] {
        let response = owner.request(Method::HEAD, &path).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200, "{path}");
        assert!(response.bytes().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn the_root_answers_without_a_token() {
    let app = TestApp::start().await;
    assert_eq!(app.anonymous().get("/").await.status, 200);
}

#[tokio::test]
async fn below_the_reserve_of_free_space_nothing_new_is_stored_and_the_rest_goes_on() {
    let app = TestApp::start_with(|config| config.reserve_bytes = u64::MAX).await;
    let (experiment, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    owner.register(&acquisition, &["a.mlf"]).await.fails(507, "InsufficientStorageError");
    app.sql(
        "insert into microscope_files (acquisition_id, kind, name, status, created_at, updated_at)
         values (1, 'metadata', 'a.mlf', 'WAITING', 0, 0), (1, 'metadata', 'b.mlf', 'COMPLETE', 0, 0)",
    )
    .await;
    owner.upload(&acquisition, "a.mlf", "a").await.fails(507, "InsufficientStorageError");
    assert_eq!(owner.get(&format!("{acquisition}/metadata")).await.all("status"), ["WAITING", "COMPLETE"]);
    // What has nothing to store is answered as ever.
    owner.upload(&acquisition, "b.mlf", "b").await.says("File already uploaded");
    owner.upload(&acquisition, "c.mlf", "c").await.says("non-registered file: skipped");
    let submit = format!("{experiment}/workflow/submit");
    owner.post(&submit, &json!({})).await.fails(507, "InsufficientStorageError");
    assert_eq!(owner.get(&format!("{experiment}/workflow/status")).await.data(), &json!(null));
    owner.delete(&experiment).await.says("ok");
}

#[tokio::test]
async fn the_character_that_no_database_stores_is_refused_with_400() {
    let app = TestApp::start().await;
    let experiment = app.experiment().await;
    let owner = app.client(OWNER).await;
    owner.get(&format!("{experiment}/plates?name=a%00b")).await.fails(400, "MalformedRequestError");
    let body = json!({"name": "p", "description": "a\0b"});
    owner.post(&format!("{experiment}/plates"), &body).await.fails(400, "MalformedRequestError");
    let body = json!({"username": "a\0b", "password": "x"});
    app.anonymous().post("/auth", &body).await.fails(400, "MalformedRequestError");
}

#[test]
fn a_full_disk_is_507_and_another_failure_to_write_tells_nothing() {
    use std::io::{Error, ErrorKind as Io};
    use tm_server::error::{ApiError, ErrorKind};
    use tm_server::resources::layer::MapError;
    use tm_server::storage::StorageError;
    use tm_server::storage::uploads::ReceiveError;
    use tm_server::store::StoreError;

    let full = |kind| ReceiveError::Write(Error::from(kind));
    for error in [
        ApiError::from(full(Io::StorageFull)),
        ApiError::from(full(Io::QuotaExceeded)),
        ApiError::from(ReceiveError::Source(Error::from(Io::StorageFull))),
        ApiError::from(StorageError::Reserve { free: 1, reserve: 2 }),
        ApiError::from(StoreError::Full("disk".to_owned())),
        ApiError::from(MapError::from(StoreError::Full("disk".to_owned()))),
        ApiError::from(MapError::from(StorageError::from(Error::from(Io::StorageFull)))),
    ] {
        assert_eq!(error.kind(), ErrorKind::InsufficientStorage);
        assert_eq!((error.kind().status().as_u16(), error.kind().name()), (507, "InsufficientStorageError"));
    }
    let error = ApiError::from(ReceiveError::Write(Error::other("/data/secret/path")));
    assert_eq!(error.kind(), ErrorKind::InternalServer);
    assert!(!error.message().contains("path"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_reaches_a_client_that_is_still_sending() {
    let app = TestApp::start().await;
    let (_, acquisition) = app.acquisition().await;
    let (stranger, nobody) = (app.client(STRANGER).await, app.anonymous());
    let upload = format!("{acquisition}/microscope-file");
    for _ in 0..10 {
        for (client, path, status, kind) in [
            (&nobody, "/api/experiments", 401, "NotAuthorizedError"),
            (&nobody, upload.as_str(), 401, "NotAuthorizedError"),
            (&stranger, upload.as_str(), 400, "MalformedRequestError"),
            (&stranger, "/nowhere", 404, "ResourceNotFoundError"),
        ] {
            let request = client.request(Method::POST, path).body(vec![b'x'; 8 << 20]);
            client.send(request).await.fails(status, kind);
        }
        stranger.upload(&acquisition, "a.mlf", vec![1; 8 << 20]).await.fails(403, "ForbiddenError");
    }
}
