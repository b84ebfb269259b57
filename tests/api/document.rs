//! The API document against the routes.

use std::collections::BTreeSet;

use tm_server::routes;
use tm_tests::app::TestApp;

/// Paths that are no part of the API, or other spellings of a path that is described.
const UNDESCRIBED: &[&str] = &[
    "/",
    "/viewer/{}",
    "/api/openapi.json",
    "/api/experiments/{}/channels/{}/image-files",
    "/api/experiments/{}/channel_layer/{}/tiles",
    "/api/experiments/{}/segmentation_layers/{}/tile",
    "/api/experiments/{}/mapobject_type",
    "/api/experiments/{}/tools/result",
    "/api/experiments/{}/tools/result/{}",
    "/api/experiments/{}/zarr",
];

/// A path without the names of its parameters.
fn anonymous(path: &str) -> String {
    let segments = path.split('/').map(|segment| if segment.starts_with('{') { "{}" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_route_is_described_and_everything_described_is_served() {
    let app = TestApp::start().await;
    let document = app.anonymous().get("/api/openapi.json").await.body;
    let paths = document["paths"].as_object().unwrap();
    let described: BTreeSet<_> = paths
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| (method.clone(), anonymous(path)))
        })
        .collect();
    let served: BTreeSet<_> = routes::inventory()
        .into_iter()
        .map(|route| (route.method.as_str().to_lowercase(), anonymous(route.path)))
        .filter(|(_, path)| !UNDESCRIBED.contains(&path.as_str()))
        .collect();
    assert!(served.len() > 40, "{served:?}");
    assert_eq!(served.difference(&described).collect::<Vec<_>>(), Vec::<&(String, String)>::new());
    assert_eq!(described.difference(&served).collect::<Vec<_>>(), Vec::<&(String, String)>::new());
}

#[tokio::test]
async fn the_document_says_how_to_authorise_and_names_every_operation_once() {
    let app = TestApp::start().await;
    let document = app.anonymous().get("/api/openapi.json").await.body;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let scheme = &document["components"]["securitySchemes"]["token"];
    assert_eq!((scheme["in"].as_str(), scheme["name"].as_str()), (Some("header"), Some("Authorization")));
    let mut ids = BTreeSet::new();
    for methods in document["paths"].as_object().unwrap().values() {
        for operation in methods.as_object().unwrap().values() {
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{operation:?}");
            assert!(operation["summary"].is_string(), "{operation:?}");
        }
    }
}
