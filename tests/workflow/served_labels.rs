//! Label images over HTTP, below every field image: what was uploaded, at the time points and focal planes of the image.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use reqwest::Method;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tm_tests::app::{Client, OWNER, TestApp};
use tm_tests::databases::Database;
use tm_tests::open_data::label_planes;
use tm_tests::python;

use super::everything::{Everything, SIZE};
use super::exported_objects::expected_labels;

tm_tests::on_each_database![
    flavor = "multi_thread";
    label_images_below_field_images_are_what_was_uploaded,
];

/// What is at a path; `None` for 404.
async fn fetch(client: &Client, path: &str) -> Option<Vec<u8>> {
    let response = client.request(Method::GET, path).send().await.unwrap();
    match response.status().as_u16() {
        404 => None,
        status => {
            assert_eq!(status, 200, "{path}");
            Some(response.bytes().await.unwrap().to_vec())
        }
    }
}

/// Where a field image of an export is on the server: the directories of plates are their names there.
async fn urls(everything: &Everything<'_>, exported: &Map<String, Value>) -> BTreeMap<String, String> {
    let client = &everything.experiment.client;
    let plates = client.get(&format!("{}/zarr/", everything.experiment.path)).await.data()["plates"].clone();
    let url_of = |field: &String| {
        let (plate, inside) = field.strip_prefix("plates/").unwrap().split_once(".ome.zarr/").unwrap();
        let mut plates = plates.as_array().unwrap().iter();
        let plate = plates.find(|served| served["name"].as_str().unwrap().replace(' ', "_") == plate);
        (field.clone(), format!("{}/{inside}", plate.unwrap()["url"].as_str().unwrap()))
    };
    exported.keys().map(url_of).collect()
}

/// The label image at a path holds these planes, and has no others.
async fn assert_planes(client: &Client, path: &str, wanted: &Value) {
    let directory = TempDir::new().unwrap();
    let array = fetch(client, &format!("{path}/0/zarr.json")).await.expect(path);
    let document: Value = serde_json::from_slice(&array).unwrap();
    fs::write(directory.path().join("zarr.json"), array).unwrap();
    let length = |axis: usize| document["shape"][axis].as_u64().unwrap();
    let planes = wanted["planes"].as_array().unwrap();
    let (mut expected, mut found) = (BTreeMap::new(), BTreeSet::new());
    for plane in planes {
        let at = (plane["t"].as_u64().unwrap() as usize, plane["z"].as_u64().unwrap() as usize);
        expected.insert(at, serde_json::from_value::<Vec<Vec<i64>>>(plane["labels"].clone()).unwrap());
    }
    for (t, z) in (0..length(0)).flat_map(|t| (0..length(2)).map(move |z| (t, z))) {
        let key = format!("c/{t}/0/{z}/0/0");
        if let Some(shard) = fetch(client, &format!("{path}/0/{key}")).await {
            fs::create_dir_all(directory.path().join(&key).parent().unwrap()).unwrap();
            fs::write(directory.path().join(&key), shard).unwrap();
            found.insert((t as usize, z as usize));
        }
    }
    assert!(found.iter().eq(expected.keys()), "{path}: {found:?}");
    for (at, labels) in label_planes(directory.path()) {
        let wanted = expected.remove(&at).unwrap_or_else(|| vec![vec![0; SIZE.1]; SIZE.0]);
        assert!(labels == wanted, "{path}: other labels at {at:?}");
    }
    assert!(expected.is_empty(), "{path}");
}

async fn label_images_below_field_images_are_what_was_uploaded(database: Database) {
    let app = TestApp::start_on(database).await;
    Everything::build(&app, "other").await;
    let everything = Everything::build(&app, "served").await;
    let client = &everything.experiment.client;
    for uploaded in &everything.uploaded {
        let site = uploaded.site;
        let path = format!(
            "{}/segmentations?plate_name={}&well_name={}&well_pos_y={}&well_pos_x={}&tpoint={}&zplane={}",
            everything.type_path(usize::from(uploaded.is_nuclei)),
            site.plate.replace(' ', "+"),
            site.well,
            site.y,
            site.x,
            uploaded.tpoint,
            uploaded.zplane
        );
        assert_eq!(client.get(&path).await.data(), &json!(uploaded.labels), "{path}");
    }

    let exported = expected_labels(&app, &everything).await;
    let urls = urls(&everything, &exported).await;
    let (mut served, mut planes) = (Map::new(), 0);
    for (field, types) in &exported {
        let labels = format!("{}/labels", urls[field]);
        let mut types = types.as_object().unwrap().clone();
        let absent = |(_, kind): &(&String, &mut Value)| kind["planes"].as_array().unwrap().is_empty();
        let without: Vec<String> = types.iter_mut().filter(absent).map(|(name, _)| name.clone()).collect();
        for name in &without {
            types.remove(name);
            for key in ["zarr.json", "0/zarr.json", "0/c/0/0/0/0/0"] {
                assert_eq!(fetch(client, &format!("{labels}/{name}/{key}")).await, None, "{field}");
            }
        }
        let Some(document) = fetch(client, &format!("{labels}/zarr.json")).await else {
            assert!(types.is_empty(), "{field} has {types:?}");
            continue;
        };
        let document: Value = serde_json::from_slice(&document).unwrap();
        let listed: Vec<&String> = types.keys().collect();
        assert_eq!(document["attributes"]["ome"], json!({"version": "0.5", "labels": listed}), "{field}");
        for (name, kind) in &types {
            let image = format!("{labels}/{name}");
            let document = fetch(client, &format!("{image}/zarr.json")).await.unwrap();
            let document: Value = serde_json::from_slice(&document).unwrap();
            let ome = &document["attributes"]["ome"];
            assert_eq!(ome["multiscales"][0]["name"], kind["title"]);
            assert_eq!(ome["image-label"], json!({"source": {"image": "../../"}}));
            assert_planes(client, &image, kind).await;
            planes += kind["planes"].as_array().unwrap().len();
        }
        served.insert(format!("{}{}", app.base, urls[field]), Value::Object(types));
    }
    // The one at a time point without image is in none.
    assert_eq!((served.len(), planes), (6, everything.uploaded.len() - 1));

    let Some(python) = python::interpreter() else { return };
    let directory = TempDir::new().unwrap();
    let listing = directory.path().join("listing.json");
    let token = app.token(OWNER).await;
    let check = |images: &Map<String, Value>| {
        fs::write(&listing, serde_json::to_vec(images).unwrap()).unwrap();
        python::run_with(&python, "check_labels.py", &[&listing], &[("TMSERVER_TEST_TOKEN", &token)])
    };
    let (succeeded, printed) = check(&served);
    assert!(succeeded && printed.contains("OK: 6 images with labels"), "{printed}");
    // The comparison finds a pixel.
    let first = served.values_mut().find(|types| types["Cells"].is_object()).unwrap();
    first["Cells"]["planes"][0]["labels"][59][74] = json!(9);
    let (succeeded, printed) = check(&served);
    assert!(!succeeded && printed.contains("differs in 1 pixels"), "{printed}");
}
