//! Objects of an export: what other programs read is what was uploaded, and what the API says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use reqwest::Method;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tm_server::export::{self, ExportError, Report};
use tm_server::tally::Tally;
use tm_tests::app::TestApp;
use tm_tests::databases::Database;
use tm_tests::python;

use super::everything::Everything;

tm_tests::on_each_database![
    flavor = "multi_thread";
    exported_tables_and_label_images_are_what_was_uploaded,
    an_export_of_objects_that_are_removed_meanwhile_is_none,
];

pub async fn export(app: &TestApp, experiment: &str, target: &Path) -> Result<Report, ExportError> {
    let tally = Arc::new(Tally::default());
    export::run(app.environment(), &app.app.config, experiment, target, &tally).await
}

/// The label images of every field image by its path in the export, from what was uploaded.
pub async fn expected_labels(app: &TestApp, everything: &Everything<'_>) -> Map<String, Value> {
    let fields = app
        .texts(&format!(
            "select distinct plates.name || '|' || wells.name || '|' || x || '|' || field || '|' || tpoint
                 || '|' || zplane || '|' || t_index || '|' || z_index
             from channel_images
             join sites on sites.id = site_id
             join wells on wells.id = well_id
             join plates on plates.id = plate_id
             where plates.experiment_id = {}",
            everything.experiment.id()
        ))
        .await;
    let mut labels: BTreeMap<String, [Vec<Value>; 2]> = BTreeMap::new();
    for field in fields {
        let parts: Vec<&str> = field.split('|').collect();
        let [plate, well, x, field, tpoint, zplane, t, z] = parts[..] else { panic!("{parts:?}") };
        let directory = if plate == "p 1" { "p_1" } else { plate };
        let of_field = labels.entry(format!("plates/{directory}.ome.zarr/{field}")).or_default();
        for uploaded in &everything.uploaded {
            let is_here = (uploaded.site.plate, uploaded.site.well) == (plate, well)
                && [uploaded.site.x, uploaded.tpoint, uploaded.zplane].map(|n| n.to_string())
                    == [x, tpoint, zplane];
            if is_here {
                let number = |text: &str| text.parse::<usize>().unwrap();
                let plane = json!({"t": number(t), "z": number(z), "labels": uploaded.labels});
                of_field[usize::from(uploaded.is_nuclei)].push(plane);
            }
        }
    }
    let of_field = |[cells, nuclei]: [Vec<Value>; 2]| {
        json!({
            "Cells": {"title": "Cells", "planes": cells},
            "Cells_Nuclei": {"title": "Cells/Nuclei", "planes": nuclei},
        })
    };
    labels.into_iter().map(|(field, planes)| (field, of_field(planes))).collect()
}

/// Both tables of every type as the API sends them, in files.
async fn expected_tables(everything: &Everything<'_>, directory: &Path) -> Map<String, Value> {
    let client = &everything.experiment.client;
    let types = client.get(&format!("{}/mapobject_types", everything.experiment.path)).await.data().clone();
    let mut tables = Map::new();
    for kind in types.as_array().unwrap() {
        let (id, name) = (kind["id"].as_str().unwrap(), kind["name"].as_str().unwrap());
        let mut files = Map::new();
        for (of, route) in [("values", "feature-values"), ("metadata", "metadata")] {
            let path = format!("{}/mapobject_types/{id}/{route}", everything.experiment.path);
            let sent = client.request(Method::GET, &path).send().await.unwrap().bytes().await.unwrap();
            let file = format!("{id}-{of}.csv");
            fs::write(directory.join(&file), sent).unwrap();
            files.insert(of.to_owned(), json!(file));
        }
        tables.insert(name.replace('/', "_"), Value::Object(files));
    }
    tables
}

/// Let the first nucleus of every site and the last cell lie in other cells; the value is parent by object, of nuclei
/// and of cells.
async fn add_parents(app: &TestApp, everything: &Everything<'_>) -> [Value; 2] {
    let [cells, nuclei] = everything.types;
    let ids = async |kind: i64, label: i64| {
        let sql = format!(
            "select cast(id as text) from mapobjects where mapobject_type_id = {kind} and label = {label} order by id"
        );
        app.texts(&sql).await
    };
    let (ones, fours, nuclei) = (ids(cells, 1).await, ids(cells, 4).await, ids(nuclei, 1).await);
    let add = async |object: &str, parent: &str| {
        app.sql(&format!(
            "insert into mapobject_parents (mapobject_id, parent_id) values ({object}, {parent})"
        ))
        .await;
        json!({object: parent.parse::<i64>().unwrap()})
    };
    assert_eq!(nuclei.len(), 2);
    let mut of_nuclei = add(&nuclei[0], &ones[0]).await;
    of_nuclei[&nuclei[1]] = add(&nuclei[1], &fours[1]).await[&nuclei[1]].clone();
    [of_nuclei, add(&fours[0], &ones[1]).await]
}

async fn exported_tables_and_label_images_are_what_was_uploaded(database: Database) {
    let Some(python) = python::interpreter() else { return };
    let app = TestApp::start_on(database).await;
    Everything::build(&app, "other").await;
    let everything = Everything::build(&app, "exported").await;
    let [of_nuclei, of_cells] = add_parents(&app, &everything).await;
    let directory = TempDir::new().unwrap();
    let target = directory.path().join("out");
    let report = export(&app, "owner/exported", &target).await.unwrap();
    assert_eq!(
        report.missing,
        [
            "plate \"q\": label image of \"Cells\" in well B03 y 0 x 0 time point 5 focal plane 0 belongs to no image"
        ]
    );
    // Those that lie in the images, and the plates, wells and sites.
    assert_eq!((report.labels, report.types), (7, 5));

    let labels = expected_labels(&app, &everything).await;
    let planes = labels.values().flat_map(|types| types.as_object().unwrap().values());
    assert_eq!(planes.map(|kind| kind["planes"].as_array().unwrap().len()).sum::<usize>(), 7);
    // A site and an acquisition each.
    assert_eq!(labels.len(), 8);
    let mut tables = expected_tables(&everything, directory.path()).await;
    tables["Cells"]["parents"] = json!({"parent_Cells": of_cells});
    tables["Cells_Nuclei"]["parents"] = json!({"parent_Cells": of_nuclei});
    assert_eq!(tables.len(), 5);
    let listing = directory.path().join("listing.json");
    fs::write(&listing, json!({"labels": labels, "tables": tables}).to_string()).unwrap();
    let check = || python::run(&python, "check_export.py", &[&target, &listing]);
    let (succeeded, printed) = check();
    assert!(succeeded, "{printed}");
    assert!(printed.contains("OK: 5 tables, 8 images with labels"), "{printed}");

    // The comparison finds a pixel and a cell.
    let mut other = labels.clone();
    let first = other.values_mut().find(|types| types["Cells"]["planes"][0].is_object()).unwrap();
    first["Cells"]["planes"][0]["labels"][59][74] = json!(9);
    fs::write(&listing, json!({"labels": other, "tables": tables}).to_string()).unwrap();
    let (succeeded, printed) = check();
    assert!(!succeeded && printed.contains("differs in 1 pixels"), "{printed}");
    fs::write(&listing, json!({"labels": labels, "tables": tables}).to_string()).unwrap();
    let values = directory.path().join(tables["Cells"]["values"].as_str().unwrap());
    let changed = fs::read_to_string(&values).unwrap().replacen("1e-300", "2e-300", 1);
    fs::write(&values, changed).unwrap();
    let (succeeded, printed) = check();
    assert!(!succeeded && printed.contains("Area is"), "{printed}");
}

async fn an_export_of_objects_that_are_removed_meanwhile_is_none(database: Database) {
    let app = TestApp::start_on(database).await;
    let everything = Everything::build(&app, "exported").await;
    let directory = TempDir::new().unwrap();
    let target = directory.path().join("out");
    // The room for pixel work is taken: the export cannot come to its end before it is given back.
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let told = Arc::new(std::sync::Mutex::new(told));
    let compute = app.environment().compute.clone();
    let busy: Vec<_> = (0..app.app.config.cores)
        .map(|_| {
            let (compute, told) = (compute.clone(), Arc::clone(&told));
            tokio::spawn(async move { compute.batch(move |_| told.lock().unwrap().recv().is_ok()).await })
        })
        .collect();
    let tally = Arc::new(Tally::default());
    let (environment, config) = (app.environment().clone(), app.app.config.clone());
    let (watched, out) = (Arc::clone(&tally), target.clone());
    let exporting =
        tokio::spawn(async move { export::run(&environment, &config, "exported", &out, &watched).await });
    // Planes are copied before label images are made.
    while tally.percent() == 0.0 {
        tokio::task::yield_now().await;
    }
    everything.experiment.client.delete(&everything.type_path(1)).await.says("ok");
    drop(tell);
    for work in busy {
        assert!(!work.await.unwrap().unwrap(), "nothing is sent");
    }
    let exported = exporting.await.unwrap();
    assert!(matches!(exported, Err(ExportError::Unsteady)), "{exported:?}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    assert_eq!(export(&app, "exported", &target).await.unwrap().types, 4);
}
