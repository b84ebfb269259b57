//! Uploads that fall silent: taken over by the next, and without effect when they come back.

use std::time::Duration;

use serde_json::json;
use tm_server::resources::file::{self, STALE_AFTER, UploadOutcome};
use tm_tests::app::{Client, OWNER, TestApp};
use tokio::io::AsyncWriteExt;

const NAME: &str = "exp_D03_T0001F001L01A01Z01C01.png";

async fn status(client: &Client, acquisition: &str) -> String {
    client.get(&format!("{acquisition}/images")).await.all("status").remove(0)
}

#[tokio::test]
async fn a_silent_upload_is_taken_over_and_its_late_end_changes_nothing() {
    let app = TestApp::start().await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    owner.register(&acquisition, &[NAME]).await;
    let environment = app.app.environment.clone();
    let (mut sender, source) = tokio::io::duplex(1 << 20);
    let silent = tokio::spawn(async move { file::import(&environment, 1, 1, NAME, source, 1 << 20).await });
    sender.write_all(b"the first half").await.unwrap();
    while status(&owner, &acquisition).await != "UPLOADING" {
        tokio::task::yield_now().await;
    }

    app.clock.advance(STALE_AFTER);
    owner.upload(&acquisition, NAME, "too early").await.says("File upload already in progress");
    app.clock.advance(Duration::from_secs(1));
    owner.upload(&acquisition, NAME, "the whole").await.says("ok");

    sender.write_all(b"and the second").await.unwrap();
    drop(sender);
    assert_eq!(silent.await.unwrap().unwrap(), UploadOutcome::AcquisitionComplete);
    assert_eq!(status(&owner, &acquisition).await, "COMPLETE");
    assert_eq!(app.uploaded_files(), [format!("1/uploads/1/{NAME}")]);
    let stored = std::fs::read(app.app.environment.data.uploads(1, 1).join(NAME)).unwrap();
    assert_eq!(stored, b"the whole");
    assert_eq!(app.texts("select epoch || ' ' || size from microscope_files").await, ["2 9"]);
}

#[tokio::test]
async fn a_late_failure_does_not_take_the_file_from_its_new_owner() {
    let app = TestApp::start().await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    owner.register(&acquisition, &[NAME, "a.mlf"]).await;
    let environment = app.app.environment.clone();
    let (sender, source) = tokio::io::duplex(64);
    let silent = tokio::spawn(async move { file::import(&environment, 1, 1, NAME, source, 0).await });
    while status(&owner, &acquisition).await != "UPLOADING" {
        tokio::task::yield_now().await;
    }
    app.clock.advance(STALE_AFTER + Duration::from_secs(1));
    owner.upload(&acquisition, NAME, "the whole").await.says("ok");
    let mut sender = sender;
    // More than the limit of that upload, which is none: it fails.
    sender.write_all(b"x").await.unwrap();
    assert!(silent.await.unwrap().is_err());
    assert_eq!(status(&owner, &acquisition).await, "COMPLETE");
    assert_eq!(owner.get(&format!("{acquisition}/upload/count")).await.data(), &json!(1));
}
