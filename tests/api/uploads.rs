//! Registering and uploading files.

use std::time::Duration;

use serde_json::{Value, json};
use tm_server::resources::file::{self, FileError, UploadOutcome};
use tm_tests::app::{Client, OWNER, READER, TestApp, UPLOAD_END};
use tm_tests::databases::Database;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

tm_tests::on_each_database![
    files_are_registered_uploaded_and_counted_until_the_acquisition_is_complete,
    a_complete_acquisition_waits_again_for_files_registered_later,
    registering_answers_for_this_acquisition_only_and_can_be_repeated,
    names_are_secured_and_equal_ones_merged,
    names_that_are_not_registered_are_answered_with_the_reason,
    a_list_of_files_that_cannot_be_registered_is_malformed,
    names_are_judged_in_the_order_asked,
    a_file_of_both_kinds_is_one_file_in_two_lists,
    a_file_for_an_unknown_acquisition_is_404_and_foreign_ones_are_too,
    of_two_uploads_of_a_file_the_first_wins,
    of_many_uploads_at_once_exactly_one_stores_the_file,
    a_client_that_hangs_up_leaves_no_file_and_no_stuck_row,
    an_upload_that_is_dropped_by_the_server_gives_the_file_back,
    a_file_that_cannot_be_written_fails_and_can_be_tried_again,
    a_file_over_the_limit_is_refused_with_413_and_one_at_the_limit_is_not,
    three_hundred_files_arrive_whole,
    a_file_whose_acquisition_is_deleted_meanwhile_leaves_nothing,
    a_start_tidies_up_what_a_crash_left_of_uploads,
    a_batch_registers_and_imports_without_http,
];

const IMAGE: &str = "exp_D03_T0001F001L01A01Z01C01.png";
const METADATA: &str = "MeasurementData.mlf";
/// Image and metadata at once, by its name.
const BOTH: &str = "exp_D03_T0001F001L01A01Z01C01.mlf";

async fn statuses(client: &Client, acquisition: &str) -> Value {
    let list = async |kind: &str| client.get(&format!("{acquisition}/{kind}")).await.all("status");
    json!({"images": list("images").await, "metadata": list("metadata").await})
}

/// Wait until the first metadata file has this status.
async fn reaches(client: &Client, acquisition: &str, status: &str) {
    let path = format!("{acquisition}/metadata");
    let reached = async {
        while client.get(&path).await.all("status")[0] != status {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reached).await.unwrap_or_else(|_| panic!("never {status}"));
}

/// Wait until no uploaded file is left: a thread that writes one removes it only once it gets to know that nobody
/// wants it any more.
async fn no_file_is_left(app: &TestApp) {
    let gone = async {
        while !app.uploaded_files().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone)
        .await
        .unwrap_or_else(|_| panic!("still there: {:?}", app.uploaded_files()));
}

/// An upload written by hand, so that it can stop in the middle: the connection after the head and the
/// first half of the content were sent, and the rest to send.
async fn half_an_upload(
    app: &TestApp,
    acquisition: &str,
    name: &str,
    content: &[u8],
) -> (TcpStream, Vec<u8>) {
    let mut request = app.client(OWNER).await.upload_bytes(acquisition, name, content);
    let rest = request.split_off(request.len() - content.len() / 2 - UPLOAD_END.len());
    let mut connection = TcpStream::connect(app.base.strip_prefix("http://").unwrap()).await.unwrap();
    connection.write_all(&request).await.unwrap();
    (connection, rest)
}

/// The message of the answer on a connection, which must be a success.
async fn answer_on(mut connection: TcpStream) -> String {
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let body: Value = serde_json::from_str(answer.rsplit("\r\n").next().unwrap()).unwrap();
    body["message"].as_str().unwrap().to_owned()
}

async fn files_are_registered_uploaded_and_counted_until_the_acquisition_is_complete(database: Database) {
    let app = TestApp::start_on(database).await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    let count = async || owner.get(&format!("{acquisition}/upload/count")).await.data().clone();
    let status = async || owner.get(&acquisition).await.data()["status"].clone();
    assert_eq!(status().await, json!("WAITING"));
    // Images come first in the answer, whatever the order in the request.
    assert_eq!(
        owner.register(&acquisition, &[METADATA, IMAGE, "notes.txt"]).await.data(),
        &json!([IMAGE, METADATA])
    );
    assert_eq!((status().await, count().await), (json!("WAITING"), json!(0)));
    owner.upload(&acquisition, IMAGE, "pixels").await.says("ok");
    assert_eq!((status().await, count().await), (json!("WAITING"), json!(1)));
    owner.upload(&acquisition, IMAGE, "other pixels").await.says("File already uploaded");
    owner.upload(&acquisition, "notes.txt", "text").await.says("non-registered file: skipped");
    assert_eq!(owner.register(&acquisition, &[METADATA, IMAGE]).await.data(), &json!([METADATA]));
    owner.upload(&acquisition, METADATA, "words").await.says("ok");
    assert_eq!((status().await, count().await), (json!("COMPLETE"), json!(2)));
    owner.upload(&acquisition, IMAGE, "other pixels").await.says("Acquisition complete");
    owner.upload(&acquisition, "notes.txt", "text").await.says("Acquisition complete");
    let images = owner.get(&format!("{acquisition}/images")).await;
    assert_eq!(images.data(), &json!([{"id": "2", "name": IMAGE, "status": "COMPLETE"}]));
    let metadata = app.client(READER).await.get(&format!("{acquisition}/metadata")).await;
    assert_eq!(metadata.data(), &json!([{"id": "1", "name": METADATA, "status": "COMPLETE"}]));
    assert_eq!(app.uploaded_files(), [format!("1/uploads/1/{METADATA}"), format!("1/uploads/1/{IMAGE}")]);
    let stored = std::fs::read(app.app.environment.data.uploads(1, 1).join(IMAGE)).unwrap();
    assert_eq!(stored, b"pixels");
}

async fn a_complete_acquisition_waits_again_for_files_registered_later(database: Database) {
    let app = TestApp::start_on(database).await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    owner.register(&acquisition, &[METADATA]).await;
    owner.upload(&acquisition, METADATA, "words").await.says("ok");
    assert_eq!(owner.get(&acquisition).await.data()["status"], json!("COMPLETE"));
    assert_eq!(owner.register(&acquisition, &[METADATA, IMAGE]).await.data(), &json!([IMAGE]));
    assert_eq!(owner.get(&acquisition).await.data()["status"], json!("WAITING"));
    // Registering left the stored file alone.
    assert_eq!(
        statuses(&owner, &acquisition).await,
        json!({"images": ["WAITING"], "metadata": ["COMPLETE"]})
    );
}

async fn registering_answers_for_this_acquisition_only_and_can_be_repeated(database: Database) {
    let app = TestApp::start_on(database).await;
    let (experiment, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    let body = json!({"plate_name": "plate", "name": "second"});
    let second = owner.post(&format!("{experiment}/acquisitions"), &body).await.id();
    let second = format!("{experiment}/acquisitions/{second}");
    owner.register(&acquisition, &["first.mlf"]).await;
    for _ in 0..2 {
        assert_eq!(owner.register(&second, &["second.mlf"]).await.data(), &json!(["second.mlf"]));
    }
    assert_eq!(owner.get(&format!("{second}/metadata")).await.all("name"), ["second.mlf"]);
}

async fn names_are_secured_and_equal_ones_merged(database: Database) {
    let app = TestApp::start_on(database).await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    let names = ["my data.mlf", "my_data.mlf", "../../../etc/my data.mlf", "ü é.mlf"];
    let registered = owner.register(&acquisition, &names).await;
    assert_eq!(registered.data(), &json!(["my_data.mlf", "etc_my_data.mlf", "u_e.mlf"]));
    for name in ["my data.mlf", "../../../etc/my data.mlf", "ü é.mlf"] {
        owner.upload(&acquisition, name, name).await.says("ok");
    }
    let files = ["etc_my_data.mlf", "my_data.mlf", "u_e.mlf"].map(|name| format!("1/uploads/1/{name}"));
    assert_eq!(app.uploaded_files(), files);
}

async fn names_that_are_not_registered_are_answered_with_the_reason(database: Database) {
    let app = TestApp::start_on(database).await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    let names = ["my data.mlf", "notes.txt", "my_data.mlf", "my data.mlf", "my  data.mlf", IMAGE];
    let answer = owner.register(&acquisition, &names).await;
    assert_eq!(answer.data(), &json!([IMAGE, "my_data.mlf"]));
    let other_kind = "neither an image nor metadata of the microscope type";
    let same = "would be stored as \"my_data.mlf\", as \"my data.mlf\" is; give it another name";
    assert_eq!(
        answer.body["skipped"],
        json!([
            {"name": "notes.txt", "reason": other_kind},
            {"name": "my_data.mlf", "reason": same},
            {"name": "my  data.mlf", "reason": same},
        ])
    );
    assert_eq!(
        owner.register(&acquisition, &[IMAGE]).await.body,
        json!({"data": [IMAGE, "my_data.mlf"], "skipped": []})
    );
}

async fn a_list_of_files_that_cannot_be_registered_is_malformed(database: Database) {
    let app = TestApp::start_on(database).await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    let path = format!("{acquisition}/upload/register");
    let long = format!("{}.mlf", "x".repeat(300));
    for files in
        [json!([]), json!("a.mlf"), json!([1]), json!({}), json!(["a.mlf", long]), json!(["a.mlf", "..."])]
    {
        owner.post(&path, &json!({"files": files})).await.fails(400, "MalformedRequestError");
    }
    owner.post(&path, &json!({})).await.fails(400, "MissingPOSTParameterError");
    assert_eq!(statuses(&owner, &acquisition).await, json!({"images": [], "metadata": []}));
    assert_eq!(owner.register(&acquisition, &["notes.txt"]).await.data(), &json!([]));
    // As long as a file name can be.
    let longest = format!("{}.mlf", "x".repeat(251));
    owner.register(&acquisition, &[&longest]).await;
    owner.upload(&acquisition, &longest, "x").await.says("ok");
}

async fn names_are_judged_in_the_order_asked(database: Database) {
    let app = TestApp::start_on(database).await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    let path = format!("{acquisition}/upload/validity-check");
    let body = json!({"files": [IMAGE, {"name": METADATA}, {"name": "notes.txt", "size": 3}, "x.MLF", BOTH]});
    let answer = owner.post(&path, &body).await;
    assert_eq!((answer.status, answer.body), (200, json!({"is_valid": [true, true, false, false, true]})));
    assert_eq!(owner.post(&path, &json!({"files": []})).await.body, json!({"is_valid": []}));
    for files in [json!("a"), json!({"name": "a"}), json!([1]), json!([{"title": "a"}])] {
        owner.post(&path, &json!({"files": files})).await.fails(400, "MalformedRequestError");
    }
    owner.post(&path, &json!({})).await.fails(400, "MissingPOSTParameterError");
}

async fn a_file_of_both_kinds_is_one_file_in_two_lists(database: Database) {
    let app = TestApp::start_on(database).await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    assert_eq!(owner.register(&acquisition, &[BOTH]).await.data(), &json!([BOTH]));
    assert_eq!(statuses(&owner, &acquisition).await, json!({"images": ["WAITING"], "metadata": ["WAITING"]}));
    owner.upload(&acquisition, BOTH, "x").await.says("ok");
    assert_eq!(
        statuses(&owner, &acquisition).await,
        json!({"images": ["COMPLETE"], "metadata": ["COMPLETE"]})
    );
    assert_eq!(owner.get(&format!("{acquisition}/upload/count")).await.data(), &json!(2));
    assert_eq!(app.uploaded_files(), [format!("1/uploads/1/{BOTH}")]);
}

async fn a_file_for_an_unknown_acquisition_is_404_and_foreign_ones_are_too(database: Database) {
    let app = TestApp::start_on(database).await;
    let (experiment, _) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    for id in ["99", "x!"] {
        let path = format!("{experiment}/acquisitions/{id}");
        owner.upload(&path, METADATA, vec![0; 1 << 20]).await.fails(404, "ResourceNotFoundError");
    }
    let body = json!({
        "name": "other", "workflow_type": "canonical", "microscope_type": "cellvoyager",
        "plate_format": 384, "plate_acquisition_mode": "basic",
    });
    let other = owner.post("/api/experiments", &body).await.id();
    let path = format!("/api/experiments/{other}/acquisitions/1");
    owner.upload(&path, METADATA, "x").await.fails(404, "ResourceNotFoundError");
}

async fn of_two_uploads_of_a_file_the_first_wins(database: Database) {
    let app = TestApp::start_on(database).await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    owner.register(&acquisition, &[METADATA, IMAGE]).await;
    let content = vec![1; 3_000_000];
    let (mut connection, rest) = half_an_upload(&app, &acquisition, METADATA, &content).await;
    reaches(&owner, &acquisition, "UPLOADING").await;
    assert_eq!(owner.get(&acquisition).await.data()["status"], json!("UPLOADING"));
    // A client that does not listen while it sends, with so much to send that the answer would get lost
    // if the server did not read to the end.
    let (mut second, second_rest) = half_an_upload(&app, &acquisition, METADATA, &[2; 12_000_000]).await;
    second.write_all(&second_rest).await.unwrap();
    assert_eq!(answer_on(second).await, "File upload already in progress");
    connection.write_all(&rest).await.unwrap();
    assert_eq!(answer_on(connection).await, "ok");
    assert_eq!(std::fs::read(app.app.environment.data.uploads(1, 1).join(METADATA)).unwrap(), content);
}

async fn of_many_uploads_at_once_exactly_one_stores_the_file(database: Database) {
    let app = TestApp::start_on(database).await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    owner.register(&acquisition, &[METADATA, IMAGE]).await;
    let mut uploads = tokio::task::JoinSet::new();
    for number in 0..16_u8 {
        let (owner, acquisition) = (owner.clone(), acquisition.clone());
        uploads.spawn(
            async move { (number, owner.upload(&acquisition, METADATA, vec![number; 200_000]).await) },
        );
    }
    let answers = uploads.join_all().await;
    let winners: Vec<_> = answers.iter().filter(|(_, answer)| answer.body["message"] == "ok").collect();
    assert_eq!(winners.len(), 1, "{answers:?}");
    for (_, answer) in &answers {
        let message = answer.body["message"].as_str().unwrap();
        assert!(
            ["ok", "File already uploaded", "File upload already in progress"].contains(&message),
            "{message}"
        );
    }
    let stored = std::fs::read(app.app.environment.data.uploads(1, 1).join(METADATA)).unwrap();
    assert_eq!(stored, vec![winners[0].0; 200_000]);
    assert_eq!(app.uploaded_files().len(), 1);
}

async fn a_client_that_hangs_up_leaves_no_file_and_no_stuck_row(database: Database) {
    let app = TestApp::start_on(database).await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    owner.register(&acquisition, &[METADATA]).await;
    let (connection, _) = half_an_upload(&app, &acquisition, METADATA, &[1; 3_000_000]).await;
    reaches(&owner, &acquisition, "UPLOADING").await;
    drop(connection);
    reaches(&owner, &acquisition, "FAILED").await;
    no_file_is_left(&app).await;
    assert_eq!(owner.get(&acquisition).await.data()["status"], json!("WAITING"));
    owner.upload(&acquisition, METADATA, "words").await.says("ok");
}

async fn an_upload_that_is_dropped_by_the_server_gives_the_file_back(database: Database) {
    let app = TestApp::start_on(database).await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    owner.register(&acquisition, &[METADATA]).await;
    let environment = app.app.environment.clone();
    let (mut sender, source) = tokio::io::duplex(1 << 20);
    let import =
        tokio::spawn(async move { file::import(&environment, 1, 1, METADATA, source, 1 << 20).await });
    sender.write_all(b"the first half").await.unwrap();
    reaches(&owner, &acquisition, "UPLOADING").await;
    import.abort();
    assert!(import.await.unwrap_err().is_cancelled());
    reaches(&owner, &acquisition, "FAILED").await;
    no_file_is_left(&app).await;
}

async fn a_file_that_cannot_be_written_fails_and_can_be_tried_again(database: Database) {
    let app = TestApp::start_on(database).await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    owner.register(&acquisition, &[METADATA]).await;
    let in_the_way = app.app.environment.data.uploads(1, 1).join(METADATA).join("x");
    std::fs::create_dir_all(&in_the_way).unwrap();
    let message = owner.upload(&acquisition, METADATA, "words").await.fails(500, "InternalServerError");
    assert!(!message.contains("uploads"), "{message}");
    assert_eq!(owner.get(&format!("{acquisition}/metadata")).await.all("status"), ["FAILED"]);
    assert_eq!(app.uploaded_files(), Vec::<String>::new());
    std::fs::remove_dir_all(in_the_way.parent().unwrap()).unwrap();
    owner.upload(&acquisition, METADATA, "words").await.says("ok");
}

async fn a_file_over_the_limit_is_refused_with_413_and_one_at_the_limit_is_not(database: Database) {
    let app = TestApp::start_on_with(database, |config| {
        config.max_upload_bytes = 200_000;
        config.max_body_bytes = 1000;
    })
    .await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    owner.register(&acquisition, &[METADATA]).await;
    owner.upload(&acquisition, METADATA, vec![1; 200_001]).await.fails(413, "PayloadTooLargeError");
    assert_eq!(owner.get(&format!("{acquisition}/metadata")).await.all("status"), ["FAILED"]);
    assert_eq!(app.uploaded_files(), Vec::<String>::new());
    // Said to be far too large: refused before anything is written.
    owner.upload(&acquisition, METADATA, vec![1; 17 << 20]).await.fails(413, "PayloadTooLargeError");
    owner.upload(&acquisition, METADATA, vec![1; 200_000]).await.says("ok");
}

async fn three_hundred_files_arrive_whole(database: Database) {
    let app = TestApp::start_on(database).await;
    let (experiment, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    let names: Vec<_> = (0..300).map(|site| format!("exp_D03_T0001F{site:03}L01A01Z01C01.png")).collect();
    let registered = owner.post(&format!("{acquisition}/upload/register"), &json!({"files": names})).await;
    assert_eq!(registered.data(), &json!(names));
    let mut uploads = tokio::task::JoinSet::new();
    for lane in 0..8 {
        let (owner, acquisition, names) = (owner.clone(), acquisition.clone(), names.clone());
        uploads.spawn(async move {
            for name in names.iter().skip(lane).step_by(8) {
                owner.upload(&acquisition, name, name.repeat(100)).await.says("ok");
            }
        });
    }
    uploads.join_all().await;
    assert_eq!(owner.get(&format!("{acquisition}/upload/count")).await.data(), &json!(300));
    assert_eq!(owner.get(&acquisition).await.data()["status"], json!("COMPLETE"));
    assert_eq!(owner.get(&format!("{experiment}/plates")).await.data()[0]["status"], json!("COMPLETE"));
    for name in names {
        let stored = std::fs::read_to_string(app.app.environment.data.uploads(1, 1).join(&name)).unwrap();
        assert_eq!(stored, name.repeat(100));
    }
}

async fn a_file_whose_acquisition_is_deleted_meanwhile_leaves_nothing(database: Database) {
    let app = TestApp::start_on(database).await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    owner.register(&acquisition, &[METADATA]).await;
    let environment = app.app.environment.clone();
    let (mut sender, source) = tokio::io::duplex(1 << 20);
    let import =
        tokio::spawn(async move { file::import(&environment, 1, 1, METADATA, source, 1 << 20).await });
    reaches(&owner, &acquisition, "UPLOADING").await;
    owner.delete(&acquisition).await.says("ok");
    // The import may have failed already, if the deletion hit the directory before the file was in it.
    let _ = sender.write_all(b"all of it").await;
    drop(sender);
    // Where the deletion hits the directory decides which error it is.
    let error = import.await.unwrap().unwrap_err();
    assert!(matches!(error, FileError::UnknownAcquisition(1) | FileError::Receive(_)), "{error}");
    assert_eq!(app.uploaded_files(), Vec::<String>::new());
}

async fn a_start_tidies_up_what_a_crash_left_of_uploads(database: Database) {
    let app = TestApp::start_on(database).await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    owner.register(&acquisition, &[METADATA, IMAGE, BOTH, "kept.part.mlf"]).await;
    owner.upload(&acquisition, IMAGE, "pixels").await.says("ok");
    app.sql("update microscope_files set status = 'UPLOADING' where status = 'WAITING'").await;
    let data = &app.app.environment.data;
    let orphan = data.uploads(1, 77).join("a.mlf");
    for path in [data.uploads(1, 1).join(".upload.12-3.part"), orphan.clone(), data.uploads(9, 1).join("b")] {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "x").unwrap();
    }

    let mut tx = app.app.environment.db.write().await.unwrap();
    assert_eq!(file::reset_stale(&mut tx, app.clock_us()).await.unwrap(), 4);
    tx.commit().await.unwrap();
    let swept = file::sweep(&app.app.environment).await.unwrap();

    assert_eq!((swept.temporary, swept.directories), (1, 2));
    assert_eq!(app.uploaded_files(), [format!("1/uploads/1/{IMAGE}")]);
    assert!(!orphan.parent().unwrap().exists());
    assert_eq!(
        statuses(&owner, &acquisition).await,
        json!({"images": ["COMPLETE", "FAILED"], "metadata": ["FAILED", "FAILED", "FAILED"]})
    );
    owner.upload(&acquisition, METADATA, "words").await.says("ok");
}

async fn a_batch_registers_and_imports_without_http(database: Database) {
    let app = TestApp::start_on(database).await;
    app.acquisition().await;
    let environment = &app.app.environment;
    let microscope = tm_server::microscopes::find("cellvoyager").unwrap();
    let names = [IMAGE.to_owned(), METADATA.to_owned(), "notes.txt".to_owned()];
    let report = file::register(environment, 1, 1, microscope, &names).await.unwrap();
    assert_eq!((report.added, report.skipped.len()), (2, 1));
    assert_eq!(report.pending, [IMAGE, METADATA]);
    let again = file::register(environment, 1, 1, microscope, &names).await.unwrap();
    assert_eq!((again.added, again.pending.len()), (0, 2));
    let import = async |name: &str| file::import(environment, 1, 1, name, &b"x"[..], 1).await.unwrap();
    assert_eq!(import(IMAGE).await, UploadOutcome::Stored);
    assert_eq!(import(IMAGE).await, UploadOutcome::AlreadyUploaded);
    assert_eq!(import("notes.txt").await, UploadOutcome::NotRegistered);
    assert_eq!(import(METADATA).await, UploadOutcome::Stored);
    assert_eq!(import(METADATA).await, UploadOutcome::AcquisitionComplete);
    let unknown = file::register(environment, 1, 2, microscope, &names).await.unwrap_err();
    assert!(matches!(unknown, FileError::UnknownAcquisition(2)), "{unknown}");
}
