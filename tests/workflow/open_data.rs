//! Plates and layers over HTTP and as an export, opened by the libraries of others: what the files hold.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use tm_server::export::{self, ExportError, Report};
use tm_server::tally::Tally;
use tm_tests::app::{OWNER, TestApp};
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::contents::files_below;
use tm_tests::databases::Database;
use tm_tests::open_data::{fetch_level, pixels};
use tm_tests::plates::{ALL_STAGES, Experiment, Layer};
use tm_tests::python;

use super::naive::{rescaled, values};
use super::open_format::{Expected, expected_plate, levels};

tm_tests::on_each_database![
    flavor = "multi_thread";
    what_is_served_and_exported_is_what_the_files_hold,
    full_resolution_of_an_aligned_and_corrected_layer_is_what_its_tiles_show,
];

/// The URLs of plates and layers by id.
async fn urls(experiment: &Experiment<'_>, kind: &str) -> BTreeMap<String, String> {
    let listed = experiment.client.get(&format!("{}/zarr/", experiment.path)).await.data()[kind].clone();
    let text = |thing: &Value, field: &str| thing[field].as_str().unwrap().to_owned();
    listed.as_array().unwrap().iter().map(|thing| (text(thing, "id"), text(thing, "url"))).collect()
}

async fn export(app: &TestApp, experiment: &str, target: &Path) -> Result<Report, ExportError> {
    let tally = Arc::new(Tally::default());
    export::run(app.environment(), &app.app.config, experiment, target, &tally).await
}

async fn what_is_served_and_exported_is_what_the_files_hold(database: Database) {
    let Some(python) = python::interpreter() else { return };
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    let size = (300, 340);
    let files = PlateFiles::new("open").size(size.0, size.1).wells(&["B03", "D05"]).channels(2);
    let files = files.hole("D05", 0, 1);
    experiment.upload("plate one", "a", &files).await;
    experiment.run(ALL_STAGES, &[("illuminati", "clip", true.into())]).await;
    let directory = TempDir::new().unwrap();
    let target = directory.path().join("exported");
    assert_eq!(export(&app, "owner/an experiment", &target).await.unwrap().missing, Vec::<String>::new());

    let (plates, layers) = (urls(&experiment, "plates").await, urls(&experiment, "layers").await);
    let plate = || expected_plate(&app, &experiment, &files, 0, 16);
    let mut all = vec![
        plate().await.moved_to(&format!("{}{}", app.base, plates["1"])),
        plate().await.moved_to(target.join("plates/plate_one.ome.zarr").to_str().unwrap()),
    ];
    assert!(plates["1"].ends_with("/plates/plate_one-1.ome.zarr"), "{plates:?}");
    for layer in experiment.layers().await {
        let url = format!("{}{}", app.base, layers[&layer.id]);
        let exported = target.join(format!("layers/{}_t0_z0.ome.zarr", layer.channel));
        for store in [url.as_str(), exported.to_str().unwrap()] {
            let mut expected = Expected::in_store(store.into());
            for (halvings, level) in levels(&layer, &files, size).iter().enumerate() {
                expected.add(&halvings.to_string(), &[], level.width, level.values(), 16);
            }
            all.push(expected);
        }
        let document = fetch_level(&experiment.client, &layers[&layer.id], 0, directory.path()).await.0;
        assert_look(&document, &layer);
    }
    let token = app.token(OWNER).await;
    let (succeeded, printed) = Expected::check_with_token(&all, &python, &token);
    assert!(succeeded, "{printed}");
    assert_eq!((all.len(), printed.matches("OK").count()), (6, 6), "{printed}");
}

/// What programs show of a layer is what the API says of it.
fn assert_look(document: &Value, layer: &Layer) {
    let ome = &document["attributes"]["ome"];
    let channel = &ome["omero"]["channels"][0];
    let (start, end) = layer.limits;
    assert_eq!(channel["label"], layer.channel.as_str());
    assert_eq!(channel["window"], json!({"min": 0, "max": 65535, "start": start, "end": end}));
    let datasets = ome["multiscales"][0]["datasets"].as_array().unwrap();
    assert_eq!(datasets.len(), layer.max_zoom + 1);
    let scale = |dataset: &Value| dataset["coordinateTransformations"][0]["scale"][1].as_f64().unwrap();
    for (level, dataset) in datasets.iter().enumerate() {
        assert_eq!(dataset["path"], level.to_string());
        assert!((scale(dataset) - scale(&datasets[0]) * f64::from(1 << level)).abs() < 1e-9);
    }
}

async fn full_resolution_of_an_aligned_and_corrected_layer_is_what_its_tiles_show(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::multiplexing(&app, "cycles").await;
    let cycle = |cycle: i64| {
        PlateFiles::new("cycle").size(190, 230).wells(&["B03", "C04"]).grid(2, 2).values(
            move |id, row, column| {
                let (y, x) =
                    ((id.y * 190 + row) as i64 + 3 * cycle, (id.x * 230 + column) as i64 - 5 * cycle);
                let cell = ((y % 37 - 18).pow(2) + (x % 41 - 20).pow(2) + (y / 37 * 7 + x / 41 * 3) % 11 * 20)
                    as f64;
                (3000.0 * (-cell / 60.0).exp() * (1.0 - row as f64 / 400.0)
                    + 300.0
                    + (id.well_index * 10) as f64) as u16
            },
        )
    };
    for index in 0..2 {
        experiment.upload("plate", &format!("cycle {index}"), &cycle(index)).await;
    }
    experiment
        .run(
            ALL_STAGES,
            &[
                ("align", "ref_cycle", json!(0)),
                ("align", "ref_wavelength", json!("1")),
                ("illuminati", "align", json!(true)),
                ("illuminati", "illumcorr", json!(true)),
            ],
        )
        .await;
    let directory = TempDir::new().unwrap();
    let target = directory.path().join("exported");
    export(&app, &experiment.id().to_string(), &target).await.unwrap();
    let urls = urls(&experiment, "layers").await;
    let layers = experiment.layers().await;
    assert_eq!((layers.len(), urls.len()), (2, 2));
    for layer in &layers {
        let fetched = directory.path().join(&layer.id);
        let (_, chunks) = fetch_level(&experiment.client, &urls[&layer.id], 0, &fetched).await;
        let level = pixels(&fetched.join("0"));
        assert_eq!(level.size(), layer.size);
        assert!(chunks < layer.tiles(layer.max_zoom).len(), "{chunks} chunks: none is absent");
        let value = |row: usize, column: usize| {
            let inside = row < layer.size.height && column < layer.size.width;
            if inside { level.value(row, column) } else { 0 }
        };
        for (y, x) in layer.tiles(layer.max_zoom) {
            let expected: Vec<u8> = (0..256 * 256)
                .map(|index| value(256 * y + index / 256, 256 * x + index % 256))
                .map(|value| rescaled(value, layer.limits))
                .collect();
            let tile = experiment.png_tile(layer, (layer.max_zoom, y, x)).await;
            assert!(tile == expected, "tile {y} {x} of {} is not its chunk", layer.channel);
        }
        let name = format!("layers/{}_t0_z0.ome.zarr", layer.channel);
        let exported = pixels(&target.join(name).join("0"));
        assert!(values(&exported) == values(&level), "the export has another full resolution");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_level_of_an_8_bit_layer_is_served_and_exported() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    let size = (96, 120);
    let files =
        PlateFiles::new("open").size(size.0, size.1).depth(8).wells(&["B03", "C05"]).hole("C05", 0, 1);
    experiment.upload("p", "a", &files).await;
    experiment.run(ALL_STAGES, &[]).await;
    let directory = TempDir::new().unwrap();
    let (target, fetched) = (directory.path().join("exported"), directory.path().join("fetched"));
    export(&app, "an experiment", &target).await.unwrap();
    let layer = experiment.only_layer().await;
    let url = urls(&experiment, "layers").await[&layer.id].clone();
    for (halvings, level) in levels(&layer, &files, size).iter().enumerate() {
        fetch_level(&experiment.client, &url, halvings, &fetched).await;
        for layer in [&fetched, &target.join("layers/1_t0_z0.ome.zarr")] {
            let found = pixels(&layer.join(halvings.to_string()));
            assert_eq!((found.depth().bits(), found.size().width), (8, level.width));
            assert!(values(&found) == level.values(), "level {halvings} of {}", layer.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_names_what_is_missing_and_leaves_its_chunk_absent() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    let files = PlateFiles::new("open").size(60, 75).grid(1, 2);
    experiment.upload("p", "a", &files).await;
    experiment.run(ALL_STAGES, &[]).await;
    let plane = |index: usize| format!("B/03/{index}/0/c/0/0/0/0/0");
    std::fs::remove_file(experiment.directory().join("plates/1-1.ome.zarr").join(plane(0))).unwrap();
    let directory = TempDir::new().unwrap();
    let target = directory.path().join("exported");
    let report = export(&app, "an experiment", &target).await.unwrap();
    assert_eq!(report.missing, ["plate \"p\": image B/03/0 t 0 c 0 z 0 is gone"]);
    assert_eq!((report.plates, report.layers), (1, 1));
    let exported = files_below(&target.join("plates/p.ome.zarr"));
    assert!(!exported.contains_key(&plane(0)) && exported.contains_key(&plane(1)), "{:?}", exported.keys());
    let full = values(&pixels(&target.join("layers/1_t0_z0.ome.zarr/0")));
    let shown = values(&files.pixels_of(&files.planes()[1]));
    let (gone, there): (Vec<u16>, Vec<u16>) = (
        full.chunks(150).flat_map(|row| row[..75].to_vec()).collect(),
        full.chunks(150).flat_map(|row| row[75..].to_vec()).collect(),
    );
    assert!(gone.iter().all(|value| *value == 0));
    assert!(there == shown);
}
