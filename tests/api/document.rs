//! The API document against the routes.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tm_server::routes;
use tm_tests::app::TestApp;

/// Paths that are no part of the API.
pub const UNDESCRIBED: &[&str] = &["/", "/viewer/{file}", "/api/docs", "/api/openapi.json"];
/// Other spellings of paths, and the one that is described.
const SPELLINGS: &[(&str, &str)] = &[
    ("/api/experiments/{}/channels/{}/image-files", "/api/experiments/{}/channels/{}/image-file"),
    ("/api/experiments/{}/channel_layer/{}/tiles", "/api/experiments/{}/channel_layers/{}/tiles"),
    ("/api/experiments/{}/segmentation_layers/{}/tile", "/api/experiments/{}/segmentation_layers/{}/tiles"),
    ("/api/experiments/{}/mapobject_type", "/api/experiments/{}/mapobject_types"),
    ("/api/experiments/{}/tools/result", "/api/experiments/{}/tools/results"),
    ("/api/experiments/{}/tools/result/{}", "/api/experiments/{}/tools/results/{}"),
    ("/api/experiments/{}/zarr", "/api/experiments/{}/zarr/"),
];

/// The path, without the names of its parameters, that describes a route.
pub fn described_as(path: &str) -> String {
    let path = anonymous(path);
    SPELLINGS.iter().find(|(other, _)| *other == path).map_or(path, |(_, described)| (*described).to_owned())
}

/// A path without the names of its parameters.
pub fn anonymous(path: &str) -> String {
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
        .filter(|route| !UNDESCRIBED.contains(&route.path))
        .map(|route| (route.method.as_str().to_lowercase(), described_as(route.path)))
        .collect();
    assert!(served.len() > 40, "{served:?}");
    assert_eq!(served.difference(&described).collect::<Vec<_>>(), Vec::<&(String, String)>::new());
    assert_eq!(described.difference(&served).collect::<Vec<_>>(), Vec::<&(String, String)>::new());
}

#[tokio::test]
async fn the_document_says_how_to_authorise_and_describes_its_tags() {
    let document = served_document().await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let schemes = &document["components"]["securitySchemes"];
    for (name, kind, place) in
        [("token", "apiKey", "header"), ("bearer", "http", ""), ("cookie", "apiKey", "cookie")]
    {
        assert_eq!(schemes[name]["type"], json!(kind), "{name}");
        assert_eq!(schemes[name]["in"].as_str().unwrap_or_default(), place, "{name}");
    }
    let tags = document["tags"].as_array().unwrap();
    let described: BTreeSet<_> = tags.iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    assert!(
        tags.iter().all(|tag| tag["description"].as_str().is_some_and(|text| text.len() > 10)),
        "{tags:?}"
    );
    let used: BTreeSet<_> = operations(&document)
        .into_iter()
        .map(|(_, _, operation)| operation["tags"][0].as_str().unwrap())
        .collect();
    assert_eq!(used, described);
}

async fn served_document() -> Value {
    TestApp::start().await.anonymous().get("/api/openapi.json").await.body
}

/// Path, method and description of all operations.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter();
            methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
        })
        .collect()
}

/// What a reference stands for.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => {
            let found = document.pointer(reference.strip_prefix('#').unwrap());
            found.unwrap_or_else(|| panic!("{reference} leads nowhere"))
        }
        None => value,
    }
}

#[tokio::test]
async fn every_operation_is_complete() {
    let document = served_document().await;
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let name = format!("{method} {path}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{name}");
        assert!(operation["summary"].as_str().is_some_and(|text| text.len() > 5), "{name}");
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let in_path: BTreeSet<_> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let wanted: BTreeSet<_> =
            path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}')).collect();
        assert_eq!(in_path, wanted, "{name}");
        for parameter in &parameters {
            assert!(parameter["schema"].is_object(), "{name}: {parameter}");
            assert!(
                parameter["description"].as_str().is_some_and(|text| !text.is_empty()),
                "{name}: {parameter}"
            );
        }
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with('2')), "{name}");
        for (status, answer) in answers {
            let answer = resolved(&document, answer);
            let content = answer["content"].as_object();
            assert_eq!(
                content.is_some_and(|content| !content.is_empty()),
                status != "304",
                "{name} {status}"
            );
            assert!(answer["description"].is_string(), "{name} {status}");
            if status.starts_with(['4', '5']) && path != "/healthz" {
                let schema = &answer["content"]["application/json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/Error", "{name} {status}");
                assert!(answer["description"].as_str().is_some_and(|text| text.len() > 5), "{name} {status}");
            }
        }
        let is_open = operation["security"] == json!([{}]);
        assert_eq!(answers.contains_key("401"), !is_open || path == "/auth", "{name}");
    }
    assert!(ids.len() > 50, "{ids:?}");
}

#[tokio::test]
async fn every_reference_leads_somewhere_and_every_field_says_what_it_is() {
    let document = served_document().await;
    let mut left = vec![&document];
    while let Some(value) = left.pop() {
        resolved(&document, value);
        match value {
            Value::Object(fields) => left.extend(fields.values()),
            Value::Array(values) => left.extend(values),
            _ => {}
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        for (field, property) in schema["properties"].as_object().into_iter().flatten() {
            let choices = property["oneOf"].as_array().into_iter().flatten();
            let says = |value: &Value| value["description"].as_str().is_some_and(|text| !text.is_empty());
            let is_said =
                [property].into_iter().chain(choices).any(|one| says(one) || says(resolved(&document, one)));
            assert!(is_said || name == "Error" || field == "data", "{name}.{field}");
        }
    }
}

#[tokio::test]
async fn texts_and_numbers_of_bodies_have_examples() {
    let document = served_document().await;
    let mut without = Vec::new();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        for (field, property) in schema["properties"].as_object().into_iter().flatten() {
            let types =
                property["type"].as_array().cloned().unwrap_or_else(|| vec![property["type"].clone()]);
            let is_plain = types
                .iter()
                .any(|kind| ["string", "integer", "number"].contains(&kind.as_str().unwrap_or("")));
            let has_example = ["example", "examples", "enum", "format"].iter().any(|key| {
                property.get(*key).is_some_and(|value| {
                    // A width in bits is no example.
                    *key != "format" || value == "binary"
                })
            });
            if is_plain && !has_example && name != "Error" && field != "data" {
                without.push(format!("{name}.{field}"));
            }
        }
    }
    assert_eq!(without, Vec::<String>::new());
}
