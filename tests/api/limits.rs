//! No request takes more than its share: bodies, lists, places and time have limits.

use std::time::Duration;

use serde_json::{Value, json};
use tm_server::http::Lane;
use tm_server::routes;
use tm_tests::app::{OWNER, TestApp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest that a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);
/// The beginning of a login; its last byte is missing.
const UNFINISHED_LOGIN: &str =
    "POST /auth HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 3\r\n\r\n{ ";

async fn connect(app: &TestApp, sent: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(app.base.strip_prefix("http://").unwrap()).await.unwrap();
    stream.write_all(sent).await.unwrap();
    stream
}

/// All that still comes, until the server closes the connection.
async fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    read.expect("the server ends the connection").unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Ask until the answer has this status; the value is its `Retry-After`.
async fn ask_until(app: &TestApp, path: &str, status: u16) -> Option<String> {
    let asking = async {
        loop {
            let answer = app.anonymous().request(reqwest::Method::GET, path).send().await.unwrap();
            if answer.status().as_u16() == status {
                return answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
            }
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("{path} never answers {status}"))
}

#[tokio::test]
async fn a_login_is_small() {
    let app = TestApp::start().await;
    let body = json!({"username": "x".repeat(20_000), "password": "x"});
    app.anonymous().post("/auth", &body).await.fails(413, "PayloadTooLargeError");
    let body = json!({"username": "x".repeat(10_000), "password": "x"});
    app.anonymous().post("/auth", &body).await.fails(401, "NotAuthorizedError");
}

#[tokio::test]
async fn a_list_that_is_too_long_is_refused_at_any_depth_and_one_that_just_fits_is_not() {
    let app = TestApp::start_with(|config| config.max_list_items = 3).await;
    let (experiment, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    let names = |number: usize| (0..number).map(|index| format!("{index}.mlf")).collect::<Vec<_>>();
    let check = format!("{acquisition}/upload/validity-check");
    assert_eq!(owner.post(&check, &json!({"files": names(3)})).await.status, 200);
    let refused = owner.post(&check, &json!({"files": names(4)})).await;
    let message = refused.fails(400, "MalformedRequestError");
    assert!(message.contains("`files`") && message.contains('4') && message.contains('3'), "{message}");
    let deep = json!({"description": {"type": "canonical", "stages": [{"steps": [1, 2, 3, 4]}]}});
    let refused = owner.post(&format!("{experiment}/workflow/description"), &deep).await;
    assert!(refused.fails(400, "MalformedRequestError").contains("`description`"));
}

#[tokio::test]
async fn a_request_without_a_place_is_told_to_come_back_and_finds_one_later() {
    let app = TestApp::start_with(|config| config.max_requests = 1).await;
    let mut first = connect(&app, UNFINISHED_LOGIN.as_bytes()).await;
    assert_eq!(ask_until(&app, "/", 503).await.as_deref(), Some("1"));
    app.anonymous().get("/api/experiments").await.fails(503, "ServiceUnavailableError");
    // Those who watch the server are answered all the same, and uploads have places of their own.
    assert_eq!(app.anonymous().get("/healthz").await.status, 200);
    assert_eq!(app.anonymous().get("/metrics").await.status, 200);
    let upload = "/api/experiments/1/acquisitions/1/microscope-file";
    app.anonymous().post(upload, &json!({})).await.fails(401, "NotAuthorizedError");
    app.anonymous().get("/api/experiments/1/workflow/events").await.fails(401, "NotAuthorizedError");
    first.write_all(b"}").await.unwrap();
    assert!(rest(first).await.starts_with("HTTP/1.1 401 "));
    ask_until(&app, "/", 200).await;
}

#[tokio::test]
async fn uploads_have_places_and_take_longer_than_other_requests_may() {
    let app = TestApp::start_with(|config| {
        config.max_uploads = 1;
        // Long enough for the requests before, on a busy machine too.
        config.request_timeout = Duration::from_secs(1);
    })
    .await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    owner.register(&acquisition, &["a.mlf", "b.mlf"]).await.data();
    let bytes = owner.upload_bytes(&acquisition, "a.mlf", b"content");
    let (start, end) = bytes.split_at(bytes.len() - 20);
    let mut first = connect(&app, start).await;
    let refused = async {
        loop {
            let second = owner.upload(&acquisition, "b.mlf", "b").await;
            if second.status != 200 {
                return second;
            }
        }
    };
    let refused = tokio::time::timeout(PATIENCE, refused).await.unwrap();
    refused.fails(503, "ServiceUnavailableError");
    // By the time that a login was given up, the upload is older than that.
    let slow = rest(connect(&app, UNFINISHED_LOGIN.as_bytes()).await).await;
    assert!(slow.starts_with("HTTP/1.1 503 ") && slow.contains("no answer within"), "{slow}");
    first.write_all(end).await.unwrap();
    assert!(rest(first).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_client_that_falls_silent_in_a_body_is_told_so() {
    let app = TestApp::start_with(|config| config.silence_timeout = Duration::from_millis(50)).await;
    let answer = rest(connect(&app, UNFINISHED_LOGIN.as_bytes()).await).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(body["error"]["type"], json!("RequestTimeoutError"));
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_head_is_cut_off() {
    let app = TestApp::start_with(|config| config.head_timeout = Duration::from_millis(50)).await;
    let unfinished = connect(&app, b"GET / HTTP/1.1\r\nHost: local").await;
    assert!(!rest(unfinished).await.contains(" 200 "));
    // So is one that keeps a connection and asks nothing.
    let idle = connect(&app, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(rest(idle).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_client_that_does_not_take_its_answers_gives_way_to_the_next() {
    let app = TestApp::start_with(|config| {
        config.max_connections = 1;
        config.silence_timeout = Duration::from_millis(50);
    })
    .await;
    // Far more than the buffers of a connection hold.
    let request = "GET /api/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1000);
    let stuck = connect(&app, request.as_bytes()).await;
    assert_eq!(ask_until(&app, "/healthz", 200).await, None);
    drop(stuck);
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let app = TestApp::start_with(|config| config.max_connections = 1).await;
    let mut first = connect(&app, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let mut start = [0; 12];
    first.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    let second = connect(&app, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    let mut answered = Box::pin(rest(second));
    // The first is served in the meantime, the second is not.
    first.write_all(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let asked_again = async {
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains("404") {
            seen.push(first.read_u8().await.unwrap());
        }
    };
    tokio::select! {
        biased;
        _ = &mut answered => panic!("the second connection was served beside the first"),
        () = asked_again => {}
    }
    drop(first);
    assert!(answered.await.starts_with("HTTP/1.1 200 "));
}

#[test]
fn every_lane_beside_the_ordinary_one_belongs_to_a_route() {
    let served = routes::inventory();
    for (end, lane) in Lane::ENDS {
        let routes = served.iter().filter(|route| route.path.ends_with(end) && Lane::of(route.path) == *lane);
        assert_eq!(routes.count(), 1, "{end}");
    }
    assert_eq!(Lane::of("/api/experiments/{e}"), Lane::Ordinary);
}
