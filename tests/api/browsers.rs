//! What browsers see: pages of other servers, compressed answers, documents that did not change, HEAD.

use reqwest::header::HeaderMap;
use reqwest::{Method, Response, StatusCode};
use serde_json::json;
use tm_server::config::CorsOrigins;
use tm_server::resources::viewer;
use tm_tests::app::{Client, OWNER, TestApp};

const VIEWER: &str = "https://viewer.example.org";

async fn start(origins: &[&str]) -> TestApp {
    let origins = CorsOrigins::new(origins.iter().map(ToString::to_string).collect()).unwrap();
    TestApp::start_with(|config| config.cors = origins).await
}

async fn send(client: &Client, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let request = headers
        .iter()
        .fold(client.request(method, path), |request, (name, value)| request.header(*name, *value));
    request.send().await.unwrap()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

/// What a browser asks before it sends a request of a page of `origin`.
async fn ask_beforehand(app: &TestApp, origin: &str) -> HeaderMap {
    let asked = [
        ("Origin", origin),
        ("Access-Control-Request-Method", "PUT"),
        ("Access-Control-Request-Headers", "authorization,content-type"),
    ];
    let answer = send(&app.anonymous(), Method::OPTIONS, "/api/experiments/1", &asked).await;
    assert_eq!(answer.status(), StatusCode::OK);
    answer.headers().clone()
}

#[tokio::test]
async fn a_page_that_is_named_may_use_the_api_and_no_other() {
    let app = start(&[VIEWER, "http://localhost:8080"]).await;
    let headers = ask_beforehand(&app, VIEWER).await;
    assert_eq!(header(&headers, "access-control-allow-origin"), Some(VIEWER));
    assert_eq!(header(&headers, "access-control-allow-credentials"), Some("true"));
    let methods = header(&headers, "access-control-allow-methods").unwrap();
    assert!(methods.contains("PUT") && methods.contains("DELETE"), "{methods}");
    let allowed = header(&headers, "access-control-allow-headers").unwrap().to_lowercase();
    assert!(allowed.contains("authorization") && allowed.contains("content-type"), "{allowed}");
    assert!(header(&headers, "vary").unwrap().to_lowercase().contains("origin"));
    for other in ["https://evil.example.org", "https://viewer.example.org.evil.org", "null"] {
        let headers = ask_beforehand(&app, other).await;
        assert_eq!(header(&headers, "access-control-allow-origin"), None, "{other}");
    }
    // Errors too, or the page could not say what went wrong.
    let answer = send(&app.anonymous(), Method::GET, "/api/experiments", &[("Origin", VIEWER)]).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(header(answer.headers(), "access-control-allow-origin"), Some(VIEWER));
    let exposed = header(answer.headers(), "access-control-expose-headers").unwrap().to_lowercase();
    assert!(exposed.contains("etag") && exposed.contains("retry-after"), "{exposed}");
}

#[tokio::test]
async fn all_pages_may_use_the_api_if_so_set_and_none_with_what_a_browser_keeps() {
    let app = start(&["*"]).await;
    let headers = ask_beforehand(&app, "https://anywhere.example.com").await;
    assert_eq!(header(&headers, "access-control-allow-origin"), Some("*"));
    assert_eq!(header(&headers, "access-control-allow-credentials"), None);
}

#[tokio::test]
async fn by_default_no_page_of_another_server_may_use_the_api() {
    let app = TestApp::start().await;
    let headers = ask_beforehand(&app, VIEWER).await;
    assert_eq!(header(&headers, "access-control-allow-origin"), None);
}

/// An experiment list that is worth compressing; its path.
async fn long_list(app: &TestApp) -> &'static str {
    let description = "a rather long description ".repeat(100);
    let body = json!({
        "name": "x", "description": description, "workflow_type": "canonical", "microscope_type": "cellvoyager",
        "plate_format": 384, "plate_acquisition_mode": "basic",
    });
    app.client(OWNER).await.post("/api/experiments", &body).await.id();
    "/api/experiments"
}

#[tokio::test]
async fn long_json_is_compressed_for_those_who_take_it_so() {
    let app = TestApp::start().await;
    let owner = app.client(OWNER).await;
    let path = long_list(&app).await;
    let plain = send(&owner, Method::GET, path, &[]).await;
    assert_eq!(header(plain.headers(), "content-encoding"), None);
    assert_eq!(header(plain.headers(), "vary").map(str::to_lowercase).as_deref(), Some("accept-encoding"));
    let plain = plain.bytes().await.unwrap();
    let packed = send(&owner, Method::GET, path, &[("Accept-Encoding", "br, gzip;q=0.8")]).await;
    assert_eq!(header(packed.headers(), "content-encoding"), Some("gzip"));
    let packed = packed.bytes().await.unwrap();
    assert!(packed.starts_with(&[0x1f, 0x8b]) && packed.len() < plain.len() / 4, "{}", packed.len());
    for refused in ["identity", "br", "gzip;q=0"] {
        let answer = send(&owner, Method::GET, path, &[("Accept-Encoding", refused)]).await;
        assert_eq!(header(answer.headers(), "content-encoding"), None, "{refused}");
        assert_eq!(answer.bytes().await.unwrap(), plain);
    }
}

#[tokio::test]
async fn the_files_of_the_viewer_are_compressed_too() {
    let app = TestApp::start().await;
    for file in viewer::ALL {
        let path = format!("/viewer/{}", file.name);
        let packed = send(&app.anonymous(), Method::GET, &path, &[("Accept-Encoding", "gzip")]).await;
        let is_long = file.text.len() > 1024;
        assert_eq!(header(packed.headers(), "content-encoding"), is_long.then_some("gzip"), "{path}");
        let packed = packed.bytes().await.unwrap();
        assert_eq!(packed.len() < file.text.len() * 2 / 3, is_long, "{path}");
    }
}

#[tokio::test]
async fn short_answers_and_figures_are_sent_as_they_are() {
    let app = TestApp::start().await;
    let owner = app.client(OWNER).await;
    for path in ["/api/experiments", "/api/workflow_types", "/metrics"] {
        let answer = send(&owner, Method::GET, path, &[("Accept-Encoding", "gzip")]).await;
        assert_eq!(header(answer.headers(), "content-encoding"), None, "{path}");
    }
}

#[tokio::test]
async fn a_document_that_the_client_has_is_not_sent_again() {
    let app = TestApp::start().await;
    let client = app.anonymous();
    for path in ["/api/openapi.json", "/api/docs"] {
        for encoding in ["identity", "gzip"] {
            let accept = ("Accept-Encoding", encoding);
            let answer = send(&client, Method::GET, path, &[accept]).await;
            let etag = header(answer.headers(), "etag").unwrap().to_owned();
            assert!(etag.starts_with("W/\""), "{etag}");
            assert!(answer.bytes().await.unwrap().len() > 1000);
            let again = send(&client, Method::GET, path, &[accept, ("If-None-Match", &etag)]).await;
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path}");
            assert_eq!(header(again.headers(), "etag"), Some(etag.as_str()));
            assert!(again.bytes().await.unwrap().is_empty());
            let other = send(&client, Method::GET, path, &[accept, ("If-None-Match", "\"other\"")]).await;
            assert_eq!(other.status(), StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn the_page_of_the_document_needs_nothing_from_elsewhere() {
    let app = TestApp::start().await;
    let answer = send(&app.anonymous(), Method::GET, "/api/docs", &[]).await;
    assert!(header(answer.headers(), "content-type").unwrap().starts_with("text/html"));
    let policy = header(answer.headers(), "content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let page = answer.text().await.unwrap();
    assert!(page.contains("fetch(\"openapi.json\")"));
    for elsewhere in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(elsewhere), "the page holds {elsewhere}");
    }
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_changes_nothing() {
    let app = TestApp::start().await;
    let owner = app.client(OWNER).await;
    let path = long_list(&app).await;
    let before = app.dump().await;
    for path in [path, "/api/openapi.json", "/healthz", "/api/users/me"] {
        let (get, head) =
            (send(&owner, Method::GET, path, &[]).await, send(&owner, Method::HEAD, path, &[]).await);
        assert_eq!(head.status(), get.status());
        for name in ["content-type", "etag", "cache-control", "vary"] {
            assert_eq!(header(head.headers(), name), header(get.headers(), name), "{path} {name}");
        }
        assert!(head.bytes().await.unwrap().is_empty());
    }
    assert_eq!(app.dump().await, before);
}
