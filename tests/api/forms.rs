//! Forms as different clients write them.

use reqwest::Method;
use serde_json::{Value, json};
use tm_tests::app::{Answer, Client, OWNER, TestApp};

const BOUNDARY: &str = "------------------------0123456789abcdef";

/// A form of parts, each its `Content-Disposition` and content.
fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (disposition, content) in parts {
        body.extend(format!("--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n").bytes());
        body.extend(*content);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").bytes());
    body
}

async fn send(client: &Client, acquisition: &str, body: Vec<u8>) -> Answer {
    let request = client
        .request(Method::POST, &format!("{acquisition}/microscope-file"))
        .header("Content-Type", format!("multipart/form-data; boundary={BOUNDARY}"))
        .body(body);
    client.send(request).await
}

fn stored(app: &TestApp, name: &str) -> Vec<u8> {
    std::fs::read(app.app.environment.data.uploads(1, 1).join(name)).unwrap()
}

#[tokio::test]
async fn every_way_to_write_a_file_name_is_understood() {
    let app = TestApp::start().await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    let names =
        ["plain.mlf", "ü é.mlf", "star ü.mlf", "raw ü.mlf", "latin ü.mlf", "quote\"d.mlf", "semi;colon.mlf"];
    let registered = owner.register(&acquisition, &names).await;
    let secured =
        ["plain.mlf", "u_e.mlf", "star_u.mlf", "raw_u.mlf", "latin_u.mlf", "quoted.mlf", "semicolon.mlf"];
    assert_eq!(registered.data(), &json!(secured));
    let mut latin = form(&[("form-data; name=\"file\"; filename=\"latin ?.mlf\"", b"latin ?")]);
    for byte in latin.iter_mut().filter(|byte| **byte == b'?').take(1) {
        *byte = 0xfc;
    }
    for body in [
        form(&[("form-data; name=file; filename=plain.mlf", b"plain")]),
        form(&[("form-data; name=\"file\"; filename*=utf-8''%C3%BC%20%c3%a9.mlf", b"u_e")]),
        form(&[(
            "form-data; name=\"file\"; filename=\"x.mlf\"; filename*=utf-8''star%20%C3%BC.mlf",
            b"star_u",
        )]),
        form(&[("form-data; name=\"file\"; filename=\"raw ü.mlf\"", b"raw_u")]),
        latin,
        form(&[("form-data; name=\"file\"; filename=\"quote\\\"d.mlf\"", b"quoted")]),
        form(&[("form-data; name=\"file\"; filename=\"semi;colon.mlf\"", b"semicolon")]),
    ] {
        send(&owner, &acquisition, body).await.says("ok");
    }
    for name in secured.iter().filter(|name| !name.starts_with("latin")) {
        assert_eq!(stored(&app, name), name.trim_end_matches(".mlf").as_bytes());
    }
    assert_eq!(stored(&app, "latin_u.mlf"), b"latin ?");
}

#[tokio::test]
async fn other_parts_are_ignored_wherever_they_stand() {
    let app = TestApp::start().await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    owner.register(&acquisition, &["a.mlf", "b.mlf"]).await;
    let long = vec![b'x'; 3 << 20];
    let body = form(&[
        ("form-data; name=\"comment\"", b"first"),
        ("form-data; name=\"image\"; filename=\"b.mlf\"", &long),
        ("form-data; name=\"file\"; filename=\"a.mlf\"", b"\r\n--content\r\n\r\n"),
        ("form-data; name=\"file\"; filename=\"b.mlf\"", b"second file"),
    ]);
    send(&owner, &acquisition, body).await.says("ok");
    assert_eq!(stored(&app, "a.mlf"), b"\r\n--content\r\n\r\n");
    assert_eq!(app.uploaded_files(), ["1/uploads/1/a.mlf"]);
}

#[tokio::test]
async fn a_form_without_a_named_file_is_malformed() {
    let app = TestApp::start().await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    owner.register(&acquisition, &["a.mlf"]).await;
    for body in [
        form(&[]),
        form(&[("form-data; name=\"image\"; filename=\"a.mlf\"", b"a")]),
        form(&[("form-data; name=\"file\"", b"a")]),
        form(&[("form-data; name=\"file\"; filename=\"\"", b"a")]),
        form(&[("form-data; name=\"file\"; filename=\"...\"", b"a")]),
        form(&[("form-data; name=\"file\"; filename=\"日本\"", b"a")]),
        b"no form at all".to_vec(),
        Vec::new(),
    ] {
        send(&owner, &acquisition, body).await.fails(400, "MalformedRequestError");
    }
    let path = format!("{acquisition}/microscope-file");
    owner.post(&path, &json!({"file": "a.mlf"})).await.fails(400, "MalformedRequestError");
    assert_eq!(owner.get(&format!("{acquisition}/metadata")).await.all("status"), ["WAITING"]);
    assert_eq!(app.uploaded_files(), Vec::<String>::new());
}

#[tokio::test]
async fn a_form_that_ends_early_stores_nothing() {
    let app = TestApp::start().await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    owner.register(&acquisition, &["a.mlf"]).await;
    let mut body = form(&[("form-data; name=\"file\"; filename=\"a.mlf\"", &[7; 100_000])]);
    body.truncate(90_000);
    send(&owner, &acquisition, body).await.fails(400, "MalformedRequestError");
    assert_eq!(owner.get(&format!("{acquisition}/metadata")).await.all("status"), ["FAILED"]);
    assert_eq!(app.uploaded_files(), Vec::<String>::new());
    owner.upload(&acquisition, "a.mlf", "a").await.says("ok");
}

#[tokio::test]
async fn endless_headers_are_not_gathered_in_memory() {
    let app = TestApp::start().await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    let mut body = format!("--{BOUNDARY}\r\nX-Endless: ").into_bytes();
    body.extend(std::iter::repeat_n(b'x', 8 << 20));
    let request = owner
        .request(Method::POST, &format!("{acquisition}/microscope-file"))
        .header("Content-Type", format!("multipart/form-data; boundary={BOUNDARY}"))
        .body(body);
    // The server stops listening; a client that is still sending may miss the answer.
    if let Ok(response) = request.send().await {
        assert_eq!(response.status().as_u16(), 400);
        let body: Value = response.json().await.unwrap();
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.contains("form"), "{message}");
    }
    assert_eq!(owner.get(&acquisition).await.status, 200);
}
