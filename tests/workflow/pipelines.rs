//! The analysis pipeline: planted objects are found, measured and kept, site by site.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tempfile::TempDir;
use tm_tests::app::TestApp;
use tm_tests::cellvoyager::{PlaneId, PlateFiles};
use tm_tests::databases::Database;
use tm_tests::pipelines::Pipeline;
use tm_tests::plates::Experiment;

use super::exported_objects::export;

tm_tests::on_each_database![
    flavor = "multi_thread";
    planted_nuclei_are_found_measured_and_shown,
    a_site_that_fails_is_reported_and_the_others_are_done,
    a_second_run_replaces_what_the_first_found_and_nothing_else,
    spots_are_counted_for_their_cells_and_know_them,
    time_points_have_tables_of_their_own_and_focal_planes_are_projected,
    objects_found_before_are_measured_again,
];

const HEIGHT: usize = 120;
const WIDTH: usize = 150;
const BACKGROUND: u16 = 200;

/// A disc: row and column of its centre, its radius, its grey value.
type Disc = (usize, usize, usize, u16);

/// What lies at a pixel.
fn disc_at(discs: &[Disc], row: usize, column: usize) -> Option<(usize, u16)> {
    discs.iter().enumerate().find_map(|(index, &(y, x, radius, value))| {
        let inside = row.abs_diff(y).pow(2) + column.abs_diff(x).pow(2) <= radius.pow(2);
        inside.then_some((index, value))
    })
}

/// Nuclei of a site, by their first pixel.
fn nuclei(column_of_site: usize) -> Vec<Disc> {
    match column_of_site {
        0 => vec![(20, 30, 9, 1000), (60, 100, 14, 1500), (90, 40, 6, 3000)],
        _ => vec![(0, 70, 8, 900), (50, 20, 10, 1100)],
    }
}

fn grey(id: &PlaneId, row: usize, column: usize) -> u16 {
    disc_at(&nuclei(id.x), row, column).map_or(BACKGROUND, |(_, value)| value)
}

/// 1×2 sites in one well.
fn files() -> PlateFiles {
    PlateFiles::new("nuclei").size(HEIGHT, WIDTH).grid(1, 2).values(grey)
}

/// A pipeline that finds nuclei and measures them.
fn nuclei_pipeline(channel: &str) -> Pipeline {
    Pipeline::default()
        .channel(channel)
        .module(
            "threshold",
            "threshold_manual",
            &[("image", json!(channel)), ("threshold", json!(500))],
            &[("mask", "mask")],
        )
        .module("label", "label", &[("mask", json!("mask"))], &[("label_image", "labels")])
        .module("nuclei", "register_objects", &[("mask", json!("labels"))], &[("objects", "Nuclei")])
        .module("intensity", "measure_intensity", &measured("Nuclei", "Nuclei", Some(channel), false), &[])
        .module("shape", "measure_morphology", &measured("Nuclei", "Nuclei", None, false), &[])
        .save("Nuclei")
}

/// Inputs of a module that measures.
pub fn measured(
    extract: &str,
    assign: &str,
    channel: Option<&str>,
    aggregate: bool,
) -> Vec<(&'static str, Value)> {
    let mut inputs = vec![
        ("extract_objects", json!(extract)),
        ("assign_objects", json!(assign)),
        ("aggregate", json!(aggregate)),
    ];
    inputs.extend(channel.map(|channel| ("intensity_image", json!(channel))));
    inputs
}

/// An experiment whose images are there.
async fn converted<'a>(app: &'a TestApp, files: &PlateFiles) -> Experiment<'a> {
    let experiment = Experiment::new(app).await;
    experiment.upload("plate", "first", files).await;
    experiment.run(&["image_conversion"], &[("metaconfig", "mip", json!(false))]).await;
    experiment
}

/// Names of all channels.
pub async fn channels(experiment: &Experiment<'_>) -> Vec<String> {
    experiment.client.get(&format!("{}/channels", experiment.path)).await.all("name")
}

/// Keep a project.
pub async fn put(experiment: &Experiment<'_>, project: &Value) {
    let path = format!("{}/workflow/jtproject", experiment.path);
    let answer = experiment.client.put(&path, project).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
}

/// Keep a pipeline and run it.
pub async fn analyse(experiment: &Experiment<'_>, pipeline: &Pipeline) {
    put(experiment, &pipeline.to_json()).await;
    experiment.run(&["image_analysis"], &[]).await;
}

/// Ids of the types of objects by name.
pub async fn types(experiment: &Experiment<'_>) -> BTreeMap<String, String> {
    let listed = experiment.client.get(&format!("{}/mapobject_types", experiment.path)).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    listed.data().as_array().unwrap().iter().map(|kind| (text(&kind["name"]), text(&kind["id"]))).collect()
}

/// A table of a type, by column, rows in order.
pub async fn table(experiment: &Experiment<'_>, kind: &str, what: &str) -> BTreeMap<String, Vec<String>> {
    let id = &types(experiment).await[kind];
    let path = format!("{}/mapobject_types/{id}/{what}", experiment.path);
    let text =
        experiment.client.request(reqwest::Method::GET, &path).send().await.unwrap().text().await.unwrap();
    // No name here has a comma in it.
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned));
    let names: Vec<String> = lines.next().unwrap().collect();
    let mut columns: BTreeMap<String, Vec<String>> =
        names.iter().map(|name| (name.clone(), Vec::new())).collect();
    for row in lines {
        for (name, value) in names.iter().zip(row) {
            columns.get_mut(name).unwrap().push(value);
        }
    }
    columns
}

pub fn numbers(values: &[String]) -> Vec<f64> {
    values.iter().map(|value| value.parse().unwrap()).collect()
}

/// The label image of a type at a site.
pub async fn label_image(experiment: &Experiment<'_>, kind: &str, x: usize, tpoint: i64) -> Vec<Vec<i64>> {
    let id = &types(experiment).await[kind];
    let path = format!(
        "{}/mapobject_types/{id}/segmentations?plate_name=plate&well_name=B03&well_pos_y=0&well_pos_x={x}\
         &tpoint={tpoint}&zplane=0",
        experiment.path
    );
    serde_json::from_value(experiment.client.get(&path).await.data().clone()).unwrap()
}

async fn planted_nuclei_are_found_measured_and_shown(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = converted(&app, &files()).await;
    let channel = &channels(&experiment).await[0];
    put(&experiment, &nuclei_pipeline(channel).to_json()).await;
    experiment.run(&["pyramid_creation", "image_analysis"], &[]).await;

    for x in 0..2 {
        let planted = nuclei(x);
        let labels = label_image(&experiment, "Nuclei", x, 0).await;
        for (row, line) in labels.iter().enumerate() {
            for (column, label) in line.iter().enumerate() {
                let wanted = disc_at(&planted, row, column).map_or(0, |(index, _)| index as i64 + 1);
                assert_eq!(*label, wanted, "row {row}, column {column} of site {x}");
            }
        }
    }

    let metadata = table(&experiment, "Nuclei", "metadata").await;
    let values = table(&experiment, "Nuclei", "feature-values").await;
    assert_eq!(values["mapobject_id"], metadata["mapobject_id"]);
    assert_eq!(values.len(), 1 + 5 + 15, "{:?}", values.keys());
    let wanted: Vec<(usize, usize, Disc)> = (0..2)
        .flat_map(|x| nuclei(x).into_iter().enumerate().map(move |(index, disc)| (x, index, disc)))
        .collect();
    assert_eq!(
        metadata["label"],
        wanted.iter().map(|(_, index, _)| (index + 1).to_string()).collect::<Vec<_>>()
    );
    assert_eq!(metadata["well_pos_x"], wanted.iter().map(|(x, ..)| x.to_string()).collect::<Vec<_>>());
    assert_eq!(metadata["is_border"], ["0", "0", "0", "1", "0"]);
    let pixels = |x: usize, index: usize| {
        let all = (0..HEIGHT).flat_map(|row| (0..WIDTH).map(move |column| (row, column)));
        all.filter(|&(row, column)| disc_at(&nuclei(x), row, column).is_some_and(|found| found.0 == index))
            .count() as f64
    };
    let areas: Vec<f64> = wanted.iter().map(|&(x, index, _)| pixels(x, index)).collect();
    let greys: Vec<f64> = wanted.iter().map(|(.., disc)| f64::from(disc.3)).collect();
    assert_eq!(numbers(&values["Morphology_Area"]), areas);
    assert_eq!(numbers(&values[&format!("Intensity_mean_{channel}")]), greys);
    let sums: Vec<f64> = areas.iter().zip(&greys).map(|(area, grey)| area * grey).collect();
    assert_eq!(numbers(&values[&format!("Intensity_sum_{channel}")]), sums);
    let columns = numbers(&values["Morphology_Local_Centroid_x"]);
    assert_eq!(columns, wanted.iter().map(|(.., disc)| disc.1 as f64).collect::<Vec<_>>());

    let listed = experiment.client.get(&format!("{}/mapobject_types?name=Nuclei", experiment.path)).await;
    let layer = listed.data()[0]["layers"][0].clone();
    let zoom = experiment.only_layer().await.max_zoom;
    let path = format!(
        "{}/segmentation_layers/{}/tiles?x=0&y=0&z={zoom}",
        experiment.path,
        layer["id"].as_str().unwrap()
    );
    let tile = experiment.client.get(&path).await.body;
    let outlines = tile["features"].as_array().unwrap();
    assert_eq!(outlines.len(), 5, "{tile:#}");
    assert!(outlines.iter().all(|outline| outline["geometry"]["type"] == "Polygon"), "{tile:#}");
}

async fn a_site_that_fails_is_reported_and_the_others_are_done(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = converted(&app, &files().channels(2)).await;
    let names = channels(&experiment).await;
    let pipeline = nuclei_pipeline(&names[0]).channel(&names[1]);
    put(&experiment, &pipeline.to_json()).await;
    app.sql(
        "delete from channel_images
         where channel_id = (select max(id) from channels) and site_id = (select id from sites where x = 1)",
    )
    .await;
    let tree = experiment.run(&["image_analysis"], &[]).await;
    let values = table(&experiment, "Nuclei", "metadata").await;
    assert_eq!(values["well_pos_x"], ["0", "0", "0"]);
    let jobs = tm_tests::plates::nodes(&tree);
    let collect = jobs.iter().find(|job| job["type"] == "CollectJob").unwrap();
    let (_, log) = experiment.log(collect["id"].as_str().unwrap()).await;
    assert!(log.contains("plate \"plate\", well B03, site y 0 x 1"), "{log}");
    assert!(log.contains(&format!("channel \"{}\" has no image there", names[1])), "{log}");
    assert!(log.contains("failed at 1 of 2 sites"), "{log}");
}

async fn a_second_run_replaces_what_the_first_found_and_nothing_else(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = converted(&app, &files()).await;
    let channel = channels(&experiment).await.remove(0);
    let kinds = format!("{}/mapobject_types", experiment.path);
    let uploaded = experiment.client.post(&kinds, &json!({"name": "Mine"})).await.id();
    let mut image = vec![vec![0; WIDTH]; HEIGHT];
    image[5][5] = 7;
    let body = json!({
        "plate_name": "plate", "well_name": "B03", "well_pos_y": 0, "well_pos_x": 0, "tpoint": 0, "zplane": 0,
        "image": image,
    });
    let answer = experiment.client.post(&format!("{kinds}/{uploaded}/segmentations"), &body).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let pipeline = nuclei_pipeline(&channel);
    analyse(&experiment, &pipeline).await;
    let first = table(&experiment, "Nuclei", "feature-values").await;
    let only_mine = pipeline.clone().save("Nuclei2");
    put(&experiment, &pipeline.to_json()).await;
    analyse(&experiment, &pipeline).await;
    let second = table(&experiment, "Nuclei", "feature-values").await;
    assert_ne!(first["mapobject_id"], second["mapobject_id"]);
    for (name, values) in first.iter().filter(|(name, _)| *name != "mapobject_id") {
        assert_eq!(values, &second[name], "{name}");
    }
    assert_eq!(label_image(&experiment, "Mine", 0, 0).await[5][5], 7);
    let path = format!("{}/workflow/jtproject", experiment.path);
    experiment.client.put(&path, &only_mine.to_json()).await.fails(400, "MalformedRequestError");

    let renamed = Pipeline::default()
        .channel(&channel)
        .module(
            "threshold",
            "threshold_manual",
            &[("image", json!(channel)), ("threshold", json!(500))],
            &[("mask", "mask")],
        )
        .module("mine", "register_objects", &[("mask", json!("mask"))], &[("objects", "Mine")])
        .save("Mine");
    put(&experiment, &renamed.to_json()).await;
    let outcome = experiment.run_to_end(&["image_analysis"], &[]).await;
    assert!(outcome.failures[0].1.contains("uploaded objects of this type"), "{:?}", outcome.failures);
    assert_eq!(label_image(&experiment, "Mine", 0, 0).await[5][5], 7);
    assert_eq!(table(&experiment, "Nuclei", "feature-values").await["mapobject_id"], second["mapobject_id"]);

    // What a person gave a name is kept.
    let id = types(&experiment).await["Nuclei"].clone();
    experiment.client.put(&format!("{kinds}/{id}"), &json!({"name": "Kept"})).await.says("ok");
    analyse(&experiment, &pipeline).await;
    assert_eq!(types(&experiment).await.into_keys().collect::<Vec<_>>(), ["Kept", "Mine", "Nuclei"]);
    assert_eq!(table(&experiment, "Kept", "feature-values").await["mapobject_id"], second["mapobject_id"]);

    analyse(&experiment, &Pipeline::default()).await;
    assert_eq!(types(&experiment).await.into_keys().collect::<Vec<_>>(), ["Kept", "Mine"]);
}

async fn spots_are_counted_for_their_cells_and_know_them(database: Database) {
    let app = TestApp::start_on(database).await;
    let spots = [(20, 28), (22, 34), (60, 95), (3, 3)];
    let files = files().channels(2).grid(1, 1).values(move |id, row, column| match id.channel {
        1 => grey(id, row, column),
        _ => {
            if spots.contains(&(row, column)) {
                4000
            } else {
                BACKGROUND
            }
        }
    });
    let experiment = converted(&app, &files).await;
    let names = channels(&experiment).await;
    let mut aggregated = measured("Spots", "Nuclei", Some(&names[1]), true);
    aggregated.rotate_left(1);
    let pipeline = nuclei_pipeline(&names[0])
        .channel(&names[1])
        .module(
            "spot_mask",
            "threshold_manual",
            &[("image", json!(names[1])), ("threshold", json!(1000))],
            &[("mask", "spot_mask")],
        )
        .module(
            "in_nuclei",
            "apply_mask",
            &[("image", json!("spot_mask")), ("mask", json!("labels"))],
            &[("masked_image", "inside")],
        )
        .module("spots", "register_objects", &[("mask", json!("inside"))], &[("objects", "Spots")])
        .module("count", "measure_intensity", &aggregated, &[])
        .save_points("Spots");
    analyse(&experiment, &pipeline).await;
    let nuclei = table(&experiment, "Nuclei", "feature-values").await;
    let count = nuclei.keys().find(|name| name.starts_with("Spots_Count")).unwrap();
    assert_eq!(numbers(&nuclei[count]), [2.0, 1.0, 0.0]);
    let mean = &nuclei[&format!("Spots_Mean_Intensity_mean_{}", names[1])];
    assert_eq!(numbers(&mean[..2]), [4000.0, 4000.0]);
    assert!(numbers(&mean[2..])[0].is_nan());
    let spots = table(&experiment, "Spots", "metadata").await;
    assert_eq!(spots["label"], ["1", "2", "3"]);
    let whole = table(&experiment, "Nuclei", "metadata").await;
    for (spot, nucleus) in spots["mapobject_id"].iter().zip(["1", "1", "2"]) {
        let at = whole["label"].iter().position(|label| label == nucleus).unwrap();
        let parent = json!({
            "id": whole["mapobject_id"][at], "type": "Nuclei", "label": nucleus.parse::<i64>().unwrap(),
        });
        assert_eq!(parents_of(&experiment, spot).await, json!([parent]), "spot {spot}");
    }
    for nucleus in &whole["mapobject_id"] {
        assert_eq!(parents_of(&experiment, nucleus).await, json!([]));
    }

    // What only has positions has no label images, in an export as in the API.
    let directory = TempDir::new().unwrap();
    let target = directory.path().join("export");
    let report = export(&app, "an experiment", &target).await.unwrap();
    assert_eq!((report.labels, report.missing), (1, Vec::new()));
    let labels = target.join("plates/plate.ome.zarr/B/03/0/labels");
    assert!(labels.join("Nuclei").is_dir() && !labels.join("Spots").exists());
}

/// What an object lies in.
async fn parents_of(experiment: &Experiment<'_>, object: &str) -> Value {
    let info = experiment.client.get(&format!("{}/mapobjects/{object}/info", experiment.path)).await;
    info.data()["parents"].clone()
}

async fn time_points_have_tables_of_their_own_and_focal_planes_are_projected(database: Database) {
    let app = TestApp::start_on(database).await;
    // The second time point lacks the second nucleus; every nucleus is bright in one focal plane only.
    let files = files().grid(1, 1).time_points(2).z_planes(2).values(|id, row, column| {
        match disc_at(&nuclei(0), row, column) {
            Some((1, _)) if id.t == 2 => BACKGROUND,
            Some((index, value)) if index % 2 + 1 == id.z as usize => value,
            _ => BACKGROUND,
        }
    });
    let experiment = converted(&app, &files).await;
    let channel = channels(&experiment).await.remove(0);
    put(&experiment, &nuclei_pipeline(&channel).to_json()).await;
    let outcome = experiment.run_to_end(&["image_analysis"], &[]).await;
    assert!(
        outcome.failures[0].1.contains("put these together before, with the module `project`"),
        "{outcome:?}"
    );

    let projected = Pipeline::default()
        .channel(&channel)
        .module("project", "project", &[("image", json!(channel))], &[("projected_image", "flat")])
        .module(
            "threshold",
            "threshold_manual",
            &[("image", json!("flat")), ("threshold", json!(500))],
            &[("mask", "mask")],
        )
        .module("nuclei", "register_objects", &[("mask", json!("mask"))], &[("objects", "Nuclei")])
        .module("intensity", "measure_intensity", &measured("Nuclei", "Nuclei", Some("flat"), false), &[])
        .save("Nuclei");
    analyse(&experiment, &projected).await;
    let metadata = table(&experiment, "Nuclei", "metadata").await;
    assert_eq!(metadata["tpoint"], ["0", "1", "0", "1", "0"]);
    let path = "feature-values?tpoint=";
    let first = table(&experiment, "Nuclei", &format!("{path}0")).await;
    let second = table(&experiment, "Nuclei", &format!("{path}1")).await;
    assert_eq!(numbers(&first["Intensity_max_flat"]), [1000.0, 1500.0, 3000.0]);
    assert_eq!(numbers(&second["Intensity_max_flat"]), [1000.0, 3000.0]);
    assert_eq!(label_image(&experiment, "Nuclei", 0, 1).await[90][40], 2);
}

async fn objects_found_before_are_measured_again(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = converted(&app, &files()).await;
    let channel = channels(&experiment).await.remove(0);
    analyse(&experiment, &nuclei_pipeline(&channel)).await;
    let before = table(&experiment, "Nuclei", "feature-values").await;
    let again = Pipeline::default()
        .channel(&channel)
        .objects("Nuclei")
        .module(
            "grown",
            "expand_or_shrink",
            &[("image", json!("Nuclei")), ("n", json!(2))],
            &[("expanded_image", "grown")],
        )
        .module("cells", "register_objects", &[("mask", json!("grown"))], &[("objects", "Cells")])
        .module("shape", "measure_morphology", &measured("Nuclei", "Cells", None, false), &[])
        .module("size", "measure_morphology", &measured("Cells", "Cells", None, false), &[])
        .save("Cells");
    analyse(&experiment, &again).await;
    assert_eq!(
        table(&experiment, "Nuclei", "feature-values").await,
        before,
        "input objects stay as they are"
    );
    let cells = table(&experiment, "Cells", "feature-values").await;
    assert_eq!(cells["Nuclei_Morphology_Area"], before["Morphology_Area"]);
    let larger = numbers(&cells["Morphology_Area"]);
    assert!(
        larger.iter().zip(numbers(&before["Morphology_Area"])).all(|(grown, area)| *grown > area),
        "{larger:?}"
    );
}
