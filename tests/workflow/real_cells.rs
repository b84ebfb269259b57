//! Real images segmented by pipelines such as users write them: as many cells as an eye counts, each where it is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use tm_tests::app::TestApp;
use tm_tests::jterator;
use tm_tests::plates::Experiment;

use super::cv8000::data;
use super::pipelines::{numbers, put, table, types};

/// The label image of a type at the first plane of a site.
async fn labels(experiment: &Experiment<'_>, kind: &str, well: &str, y: usize, x: usize) -> Vec<Vec<i64>> {
    let id = &types(experiment).await[kind];
    let path = format!(
        "{}/mapobject_types/{id}/segmentations?plate_name=plate&well_name={well}&well_pos_y={y}&well_pos_x={x}\
         &tpoint=0&zplane=0",
        experiment.path
    );
    serde_json::from_value(experiment.client.get(&path).await.data().clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nuclei_of_human_cells_are_found_with_the_cells_around_them() {
    let Some(directory) = data("human-3-channels") else { return };
    let app = TestApp::start().await;
    let experiment = Experiment::of_microscope(&app, "human", "visiview", 96).await;
    experiment.upload_directory("plate", "a", &directory).await;
    put(&experiment, &jterator::to_json(&jterator::project("human"))).await;
    let pattern = json!(r"_(?P<w>[A-P]\d{2})f(?P<s>\d{2})(?P<c>d\d)\.");
    experiment.run(&["image_conversion", "image_analysis"], &[("metaconfig", "regex", pattern)]).await;
    let nuclei = table(&experiment, "Nuclei", "feature-values").await;
    let count = nuclei["mapobject_id"].len();
    assert!((270..=310).contains(&count), "{count} nuclei, where an eye counts about 290");
    let areas = numbers(&nuclei["Morphology_Area"]);
    let usual = areas.iter().filter(|area| (40.0..300.0).contains(*area)).count();
    assert!(usual * 10 > count * 9, "{usual} of {count} nuclei have a usual size");
    let (inner, outer) =
        (labels(&experiment, "Nuclei", "D03", 0, 0).await, labels(&experiment, "Cells", "D03", 0, 0).await);
    let pairs: BTreeSet<(i64, i64)> =
        inner.iter().flatten().zip(outer.iter().flatten()).map(|(inner, outer)| (*inner, *outer)).collect();
    assert!(
        pairs.iter().all(|(inner, outer)| *inner == 0 || inner == outer),
        "every nucleus lies in its cell"
    );
    let cells = numbers(&table(&experiment, "Cells", "feature-values").await["Morphology_Area"]);
    let ratio = cells.iter().sum::<f64>() / areas.iter().sum::<f64>();
    assert!((2.0..6.0).contains(&ratio), "cells have {ratio} times the area of their nuclei");
}

#[tokio::test(flavor = "multi_thread")]
async fn unevenly_lit_cells_are_found_at_every_site_after_correction() {
    let Some(directory) = data("cellvoyager-8bit") else { return };
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    experiment.upload_directory("plate", "a", &directory).await;
    put(&experiment, &jterator::to_json(&jterator::project("illumination"))).await;
    experiment.run(&["image_conversion", "image_preprocessing", "image_analysis"], &[]).await;
    let metadata = table(&experiment, "Cells", "metadata").await;
    let mut by_column: BTreeMap<&str, usize> = BTreeMap::new();
    for column in &metadata["well_pos_x"] {
        *by_column.entry(column).or_default() += 1;
    }
    let count = metadata["mapobject_id"].len();
    assert!((300..=1500).contains(&count), "{count} cells at 72 sites");
    assert_eq!(by_column.len(), 4, "cells in every column of sites: {by_column:?}");
    let values = table(&experiment, "Cells", "feature-values").await;
    assert!(numbers(&values["Morphology_Area"]).iter().all(|area| *area >= 400.0));
}
