//! A server behind a reverse proxy: below a path, and with a word from the proxy on how clients came.

use reqwest::Method;
use reqwest::header::SET_COOKIE;
use serde_json::json;
use tm_tests::app::{OWNER, PASSWORD, TestApp};

/// The cookie that a login sets; `scheme` is what the proxy says of the client.
async fn login_cookie(app: &TestApp, path: &str, scheme: Option<&str>) -> String {
    let body = json!({"username": OWNER, "password": PASSWORD});
    let mut request = app.anonymous().request(Method::POST, path).json(&body);
    if let Some(scheme) = scheme {
        request = request.header("X-Forwarded-Proto", scheme);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    response.headers()[SET_COOKIE].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn everything_is_served_below_the_base_path_and_nothing_beside_it() {
    let app = TestApp::start_with(|config| config.base_path = "/tissue/maps".to_owned()).await;
    let owner = app.client(OWNER).await;
    assert_eq!(owner.get("/tissue/maps/api/experiments").await.data(), &json!([]));
    for root in ["/tissue/maps", "/tissue/maps/"] {
        assert_eq!(owner.get(root).await.status, 200, "{root}");
    }
    for outside in
        ["/", "/api/experiments", "/tissue", "/tissue/mapsapi/experiments", "/tissue/maps/api/nothing"]
    {
        owner.get(outside).await.fails(404, "ResourceNotFoundError");
    }
    owner.delete("/tissue/maps/api/experiments").await.fails(405, "MethodNotAllowedError");
    let document = owner.get("/tissue/maps/api/openapi.json").await.body;
    assert_eq!(document["servers"], json!([{"url": "/tissue/maps"}]));
    let cookie = login_cookie(&app, "/tissue/maps/auth", None).await;
    assert!(cookie.contains("; Path=/tissue/maps;"), "{cookie}");
}

#[tokio::test]
async fn without_a_base_path_the_cookie_counts_everywhere() {
    let app = TestApp::start().await;
    let cookie = login_cookie(&app, "/auth", None).await;
    assert!(cookie.contains("; Path=/;") && cookie.contains("; HttpOnly;"), "{cookie}");
    let document = app.anonymous().get("/api/openapi.json").await.body;
    assert!(document.get("servers").is_none(), "{:?}", document["servers"]);
}

#[tokio::test]
async fn the_cookie_is_for_https_alone_when_a_trusted_proxy_says_https() {
    let trusting = TestApp::start_with(|config| config.trust_forwarded = true).await;
    let wary = TestApp::start().await;
    for (app, scheme, secure) in [
        (&trusting, Some("https"), true),
        (&trusting, Some("http"), false),
        (&trusting, None, false),
        (&wary, Some("https"), false),
    ] {
        let cookie = login_cookie(app, "/auth", scheme).await;
        assert_eq!(cookie.ends_with("; Secure"), secure, "{scheme:?}: {cookie}");
    }
}
