//! The files of the viewer: what they are served as, and that they are all there.

use std::collections::BTreeSet;

use reqwest::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use reqwest::{Method, Response};
use tm_server::resources::viewer;
use tm_tests::app::TestApp;

/// What browsers send.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

async fn fetch(app: &TestApp, path: &str, header: (HeaderName, &str)) -> Response {
    app.anonymous().request(Method::GET, path).header(header.0, header.1).send().await.unwrap()
}

fn header(response: &Response, name: &HeaderName) -> String {
    response.headers()[name].to_str().unwrap().to_owned()
}

/// All quoted texts of a file that come after one of `words`.
fn quoted_after(text: &str, words: &[&str]) -> BTreeSet<String> {
    let starts = words.iter().flat_map(|word| text.match_indices(word).map(|(at, _)| at + word.len()));
    starts.filter_map(|start| text[start + 1..].split(['"', '\'']).next().map(str::to_owned)).collect()
}

#[tokio::test]
async fn browsers_get_the_page_and_programs_a_word() {
    let app = TestApp::start().await;
    let page = fetch(&app, "/", (ACCEPT, BROWSER)).await;
    assert_eq!((page.status().as_u16(), header(&page, &VARY)), (200, "accept".into()));
    assert_eq!(header(&page, &CONTENT_TYPE), "text/html; charset=utf-8");
    assert!(page.text().await.unwrap().starts_with("<!doctype html>"));
    for accept in ["*/*", "application/json", "text/htmlx"] {
        let word = fetch(&app, "/", (ACCEPT, accept)).await;
        assert_eq!((word.status().as_u16(), header(&word, &VARY)), (200, "accept".into()), "{accept}");
        let text = word.text().await.unwrap();
        assert!(text.starts_with("tmserver ") && text.len() < 40, "{accept}: {text}");
    }
}

#[tokio::test]
async fn every_file_has_its_type_and_a_policy_without_exceptions_and_is_sent_once() {
    let app = TestApp::start().await;
    let paths = viewer::ALL.iter().map(|asset| format!("/viewer/{}", asset.name));
    for path in paths.chain(["/".to_owned()]) {
        let first = fetch(&app, &path, (ACCEPT, BROWSER)).await;
        assert_eq!(first.status(), 200, "{path}");
        let wanted = match path.rsplit_once('.').map(|(_, extension)| extension) {
            None => "text/html; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "text/javascript; charset=utf-8",
        };
        assert_eq!(header(&first, &CONTENT_TYPE), wanted, "{path}");
        assert_eq!(header(&first, &X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
        assert_eq!(header(&first, &CACHE_CONTROL), "no-cache", "{path}");
        let policy = header(&first, &CONTENT_SECURITY_POLICY);
        assert!(policy.starts_with("default-src 'self';") && !policy.contains("unsafe"), "{path}: {policy}");
        let etag = header(&first, &ETAG);
        assert!(!first.text().await.unwrap().is_empty(), "{path}");
        let request = app.anonymous().request(Method::GET, &path).header(ACCEPT, BROWSER);
        let again = request.header(IF_NONE_MATCH, &etag).send().await.unwrap();
        assert_eq!((again.status().as_u16(), header(&again, &ETAG)), (304, etag), "{path}");
        let other = fetch(&app, &path, (IF_NONE_MATCH, "\"another\"")).await;
        assert_eq!(other.status(), 200, "{path}");
    }
    app.anonymous().get("/viewer/nothing.js").await.fails(404, "ResourceNotFoundError");
    app.anonymous().get("/viewer/..%2Findex.html").await.fails(404, "ResourceNotFoundError");
}

#[tokio::test]
async fn everything_that_the_page_loads_is_served_and_nothing_comes_from_elsewhere() {
    let app = TestApp::start().await;
    let page = fetch(&app, "/", (ACCEPT, BROWSER)).await.text().await.unwrap();
    let mut loaded: BTreeSet<_> =
        quoted_after(&page, &["src=", "href="]).into_iter().map(|path| format!("/{path}")).collect();
    for asset in viewer::ALL.iter().filter(|asset| asset.name.ends_with(".js")) {
        let imports = quoted_after(asset.text, &[" from "]);
        loaded.extend(
            imports.iter().filter_map(|path| path.strip_prefix("./")).map(|name| format!("/viewer/{name}")),
        );
        assert!(asset.text.lines().count() < 400, "{}", asset.name);
    }
    let served: BTreeSet<_> = viewer::ALL.iter().map(|asset| format!("/viewer/{}", asset.name)).collect();
    assert_eq!(loaded, served);
    for text in viewer::ALL.iter().map(|asset| asset.text).chain([page.as_str()]) {
        let addresses = text.match_indices("://").map(|(at, _)| &text[at..]);
        for address in addresses {
            assert!(address.starts_with("://www.w3.org/2000/svg"), "{text}");
        }
    }
}

#[tokio::test]
async fn below_a_base_path_the_page_finds_its_files_with_and_without_a_slash() {
    let app = TestApp::start_with(|config| config.base_path = "/tissue/maps".to_owned()).await;
    for path in ["/tissue/maps", "/tissue/maps/"] {
        let page = fetch(&app, path, (ACCEPT, BROWSER)).await.text().await.unwrap();
        assert!(page.contains("<base href=\"/tissue/maps/\">"), "{path}: {page}");
    }
    assert_eq!(fetch(&app, "/tissue/maps/viewer/main.js", (ACCEPT, "*/*")).await.status(), 200);
    let root = TestApp::start().await;
    let page = fetch(&root, "/", (ACCEPT, BROWSER)).await.text().await.unwrap();
    assert!(!page.contains("<base"), "{page}");
}
